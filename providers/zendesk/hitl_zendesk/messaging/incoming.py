"""What agents send, in the vocabulary (behaviour S260): texts, pictures, files by their type, and what nobody knows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import hitl_core as hitl
from hitl_core.rendering import clean_html

__all__ = ["message_of", "moment"]

_FILES: Final[dict[str, type[hitl.Image | hitl.Audio | hitl.Video]]] = {
    "image": hitl.Image,
    "audio": hitl.Audio,
    "video": hitl.Video,
}
"""What a file is, by the first half of its media type; any other is a file."""


def message_of(message: Mapping[str, Any], session_id: str) -> hitl.Message | None:
    """Return what a message says; ``None`` when it says nothing.

    :raises KeyError: it has no content. :raises TypeError, ValueError: that is none.
    """
    content = message["content"]
    kind = content["type"]
    text = _text(content)
    match kind:
        case "text":
            return hitl.Text(text=text) if text else None
        case "image" | "file":
            media = _media(content, message_id=str(message["id"]), session_id=session_id)
            if media is None:
                return hitl.Text(text=text) if text else None
            return hitl.Bloc(items=(hitl.Text(text=text), media)) if text else media
        case "location":
            return _location(content)
    # Forms, lists and whatever comes next: their text, or at least that there was something the customer cannot see.
    return hitl.Text(text=text) if text else hitl.UnknownMessage(type=f"zendesk:{kind}"[:100])


def moment(value: Any) -> datetime | None:
    """Read a time: ISO 8601, or seconds as in older versions; ``None`` when it is neither."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _text(content: Mapping[str, Any]) -> str:
    text, html = content.get("text"), content.get("htmlText")
    if isinstance(text, str) and text.strip():
        return text
    if isinstance(html, str) and html.strip():
        return clean_html(html, to="text").text
    return ""


def _media(
    content: Mapping[str, Any], *, message_id: str, session_id: str
) -> hitl.Image | hitl.Audio | hitl.Video | hitl.File | None:
    url = content.get("mediaUrl")
    if not isinstance(url, str) or not url:
        return None
    told = content.get("mediaType")
    media_type = told.partition(";")[0].strip().lower() if isinstance(told, str) and told.strip() else None
    alt = content.get("altText")
    alt = alt if isinstance(alt, str) and alt.strip() else None
    size = content.get("mediaSize")
    fields: dict[str, Any] = {
        "url": url,
        # The address may need credentials, so the provider can open it; its path holds the file's name.
        "ref": hitl.AttachmentRef(id=message_id, session=session_id, data={"url": url}),
        "name": _name(url, alt),
        "content_type": media_type,
        "size": int(size) if isinstance(size, int | float) and math.isfinite(size) and size >= 0 else None,
    }
    if content["type"] == "image":
        return hitl.Image(**fields)
    cls = _FILES.get((media_type or "").partition("/")[0])
    return cls(**fields) if cls is not None else hitl.File(title=alt, **fields)


def _name(url: str, alt: str | None) -> str | None:
    """Return the file's name: the alternative text, which is the name unless somebody described it, or the URL's."""
    if alt is not None and "." in alt and "\n" not in alt:
        return alt
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2]) or alt
    except ValueError:
        return alt


def _location(content: Mapping[str, Any]) -> hitl.Location:
    at, about = content["coordinates"], content.get("location")
    about = about if isinstance(about, dict) else {}
    return hitl.Location(
        latitude=at["lat"], longitude=at["long"], address=about.get("address"), title=about.get("name")
    )
