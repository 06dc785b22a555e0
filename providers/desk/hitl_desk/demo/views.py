"""Conversations as the page sees them, and the bounds of what it may send."""

from __future__ import annotations

import re
from typing import Any, Final

from hitl_core import Audio, Bloc, File, Image, Markdown, Text, Video
from hitl_core.messages import AnyMessage, Media
from hitl_desk.demo.store import Change, Entry, media_of

__all__ = ["MAX_FILE", "MAX_TEXT", "SAFE_IMAGES", "picture_type", "record_json"]

MAX_TEXT: Final = 4000
"""Longest message, in characters."""

MAX_FILE: Final = 5 * 1024 * 1024
"""Largest picture a customer may attach, in bytes."""

SAFE_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Pictures no browser runs anything in."""

_MAGIC: Final = (
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/gif", re.compile(rb"GIF8[79]a")),
    ("image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
)


def picture_type(content: bytes) -> str | None:
    """Return the media type of a picture by its first bytes, whatever its sender calls it."""
    return next((kind for kind, magic in _MAGIC if magic.match(content)), None)


def record_json(record: Entry | Change) -> tuple[str, dict[str, Any]]:
    """Return the name and the data of a record on the page's stream."""
    if isinstance(record, Change):
        parts = None if record.message is None else _parts(record.target, record.message)
        return "change", {"id": record.number, "target": record.target, "parts": parts}
    return "entry", {
        "id": record.number,
        "role": record.role,
        "name": record.author.name,
        "at": record.at.isoformat(),
        "parts": _parts(record.number, record.message),
    }


def _parts(number: int, message: AnyMessage) -> list[dict[str, Any]]:
    items = message.items if isinstance(message, Bloc) else (message,)
    media = media_of(message)
    return [_part(number, item, media) for item in items]


def _part(number: int, item: Any, media: tuple[Media, ...]) -> dict[str, Any]:
    match item:
        case Text(text=text) | Markdown(markdown=text):
            return {"type": "text", "text": text}
        case Image() | Audio() | Video() | File():
            index = next(place for place, each in enumerate(media) if each is item)
            kept = _kept(item.url)
            # Pictures of strangers' servers stay links: the page loads nothing from elsewhere.
            shown = isinstance(item, Image) and (item.ref is not None or kept is not None)
            return {
                "type": "image" if shown else "file",
                "name": item.title or item.name or item.type,
                "url": f"api/media/{number}/{index}" if item.ref is not None else kept or item.url,
                "size": item.size,
            }
        case _:
            return {"type": "text", "text": f"[{item.type}]"}


def _kept(url: str | None) -> str | None:
    """Return the address, relative to the page, of a picture this chat keeps."""
    _, found, name = (url or "").partition("/chat/files/")
    return f"files/{name}" if found else None
