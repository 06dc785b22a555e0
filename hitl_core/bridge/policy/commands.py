"""Close commands: what a customer writes to end a hand-off (behaviour part 10, F11)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

__all__ = ["DEFAULT_COMMANDS", "check_command", "is_command"]

DEFAULT_COMMANDS: Final = ("/end",)
_PATTERN: Final = "re:"
_LONGEST: Final = 100
"""Characters of a message that can be a command. Longer ones are never looked at: see ``patterns.py``."""


def check_command(command: str) -> None:
    """Refuse what cannot be a command.

    :raises ValueError: says what to write instead.
    """
    if not _normal(command):
        msg = "a close command of blanks would end the hand-off by accident; leave it out for the default"
        raise ValueError(msg)
    if len(command) > _LONGEST:
        msg = f"a close command has at most {_LONGEST} characters"
        raise ValueError(msg)
    _compiled(command)


def is_command(said: str, commands: Iterable[str]) -> bool:
    """Whether the whole of a text, trimmed and in any case, is one of the commands (behaviour S097)."""
    said = said.strip()
    if not said or len(said) > _LONGEST:
        return False
    said = _normal(said)
    return any(
        compiled == said if isinstance(compiled, str) else compiled.fullmatch(said) is not None
        for compiled in map(_compiled, commands)
    )


def _normal(text: str) -> str:
    """Write a text as it compares: keyboards differ in case, width and accents put together or apart."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


@lru_cache(maxsize=256)
def _compiled(command: str) -> str | re.Pattern[str]:
    return _normal(command)
