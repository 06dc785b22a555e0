"""What messages contain: the vocabulary's types with the desk's bounds, their words, and the files they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, Field, TypeAdapter

from hitl_core.messages import (
    Audio,
    Bloc,
    Card,
    Carousel,
    Choice,
    Dropdown,
    File,
    Image,
    Location,
    Markdown,
    MessageBase,
    Text,
    UnknownMessage,
    Video,
)
from hitl_core.messages import Message as AnyKind

__all__ = [
    "MAX_TEXT",
    "HistoryMessage",
    "Message",
    "attachment_ids",
    "composed",
    "media_for",
    "preview",
    "stored",
    "words",
]

MAX_TEXT: Final = 65_536
"""Longest string in a message, in characters."""

_MAX_PREVIEW: Final = 200
_MEDIA: Final = ("image", "audio", "video", "file")
_WORDS: Final = ("text", "markdown", "title", "subtitle", "address", "label", "name")


def _within_bounds(message: MessageBase) -> MessageBase:
    for text in _strings(message.model_dump(mode="json")):
        if len(text) > MAX_TEXT:
            msg = f"a text has {len(text):,} characters; the desk takes {MAX_TEXT:,}"
            raise ValueError(msg)
    return message


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)


Message: TypeAlias = Annotated[
    Text | Markdown | Image | Audio | Video | File | Location | Card | Carousel | Choice | Dropdown | Bloc,
    Field(discriminator="type"),
    AfterValidator(_within_bounds),
]
"""A message of a kind the desk can show; another kind is refused, naming those there are."""

HistoryMessage: TypeAlias = Annotated[AnyKind, AfterValidator(_within_bounds)]
"""A message of any kind: what was said before must never keep a customer from reaching an agent."""

_message: TypeAdapter[MessageBase] = TypeAdapter(AnyKind)


def stored(message: MessageBase) -> dict[str, Any]:
    """Return a message as it is kept and sent on."""
    return message.model_dump(mode="json", exclude_none=True)


def attachment_ids(content: Mapping[str, Any] | None) -> list[str]:
    """Return the desk's files a message names, in order, each once."""
    found: dict[str, None] = {}
    for media in _media(content):
        ref = media.get("ref")
        if isinstance(ref, Mapping) and str(ref.get("id", "")).startswith("att_"):
            found[str(ref["id"])] = None
    return list(found)


def _media(content: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    if not content:
        return
    if content.get("type") in _MEDIA:
        yield content
    elif content.get("type") == "bloc":
        for item in content.get("items", ()):
            yield from _media(item)


def with_urls(content: Mapping[str, Any], urls: Mapping[str, str]) -> dict[str, Any]:
    """Return a message whose media of the desk have a ``url`` a reader can open.

    :param urls: by attachment id.
    """
    if content.get("type") == "bloc":
        return {**content, "items": [with_urls(item, urls) for item in content.get("items", ())]}
    ref = content.get("ref")
    url = urls.get(str(ref.get("id"))) if isinstance(ref, Mapping) else None
    return {**content, "url": url} if url else dict(content)


def media_for(attachment: Mapping[str, Any]) -> dict[str, Any]:
    """Return an attachment as a message: an image, audio, video or file with a ``ref`` to open it by."""
    kind = str(attachment["content_type"]).partition("/")[0]
    return {
        "type": kind if kind in _MEDIA else "file",
        "ref": {"id": attachment["id"]},
        "name": attachment["name"],
        "content_type": attachment["content_type"],
        "size": attachment["size"],
    }


def composed(content: Mapping[str, Any] | None, attached: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return content and attachments as the one message a bot gets: itself, one file, or a bloc of both."""
    named = set(attachment_ids(content))
    media = [media_for(each) for each in attached if each["id"] not in named]
    if content is None and len(media) == 1:
        return media[0]
    if not media:
        return dict(content or {"type": "text", "text": "-"})
    items = content["items"] if content and content.get("type") == "bloc" else [content] if content else []
    fitting = [each if each.get("type") in _BLOC_ITEMS else _as_text(each) for each in items]
    return {"type": "bloc", "items": [*fitting, *media]}


_BLOC_ITEMS: Final = frozenset({"text", "markdown", "location", *_MEDIA})


def _as_text(content: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "text", "text": words(content) or "-"}


def words(content: Mapping[str, Any] | None) -> str:
    """Return everything a person would read in a message, for search and lists."""
    if not content:
        return ""
    message = _message.validate_python(content)
    if isinstance(message, UnknownMessage):
        return str((message.model_extra or {}).get("text") or f"({message.type})")
    return "\n".join(_read(message.model_dump(mode="json"))) or f"({content.get('type')})"


def _read(value: Mapping[str, Any]) -> Iterator[str]:
    for name in _WORDS:
        text = value.get(name)
        if isinstance(text, str) and text:
            yield text
    for name in ("items", "options", "actions"):
        for each in value.get(name) or ():
            yield from _read(each)


def preview(text: str) -> str:
    """Return the beginning of a text on one line."""
    line = " ".join(text[: 4 * _MAX_PREVIEW].split())
    return line if len(line) <= _MAX_PREVIEW else line[: _MAX_PREVIEW - 1] + "…"
