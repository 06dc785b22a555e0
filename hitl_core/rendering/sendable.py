"""Taking out the characters that no helpdesk and no database takes, so that one of them never stops a hand-off."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel

__all__ = ["sendable", "sendable_text"]

_NEVER: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
# Line and page feeds of old end lines; the other control characters mean nothing to a reader.
_MENDED: Final = {code: None for code in range(32) if chr(code) not in "\t\n\r"} | {0x0B: "\n", 0x0C: "\n"}

ValueT = TypeVar("ValueT")


def sendable_text(text: str) -> str:
    """Return ``text`` without control characters but tab and line ends; half a surrogate pair becomes U+FFFD.

    Sound text comes back as it is. A text of nothing else becomes a hyphen, since a message is never empty.
    """
    if not _NEVER.search(text):
        return text
    whole = text.translate(_MENDED).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole or "-"


def sendable(value: ValueT) -> ValueT:
    """Return a copy of a model, or of a JSON value, in which every text is sendable; itself where all are.

    A model's ``id`` is left alone: with a character less it would name somebody or something else.
    """
    return cast("ValueT", _mended(value))


def _mended(value: Any) -> Any:
    match value:
        case str():
            # An enumeration's member is a str as well, and a sound one.
            return sendable_text(value)
        case BaseModel():
            changes = {name: new for name, old in value if name != "id" and (new := _mended(old)) is not old}
            return value.model_copy(update=changes) if changes else value
        case tuple() | list():
            items = [_mended(item) for item in value]
            return type(value)(items) if any(new is not old for new, old in zip(items, value, strict=True)) else value
        case dict():
            pairs = {_mended(name): _mended(item) for name, item in value.items()}
            same = all(name in pairs and pairs[name] is item for name, item in value.items())
            return value if same else pairs
        case _:
            return value
