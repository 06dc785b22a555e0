"""Getting the bytes of a message's file, wherever they are, for providers that upload them."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from hitl_core.context import Fetch
from hitl_core.errors import InvalidRequestError
from hitl_core.messages import Media

__all__ = ["LoadedMedia", "is_data_url", "load_media"]

_DATA_URL = re.compile(r"data:(?P<type>[^;,]*)(?P<parameters>(?:;[^,]*)?),(?P<data>.*)", re.DOTALL)
_ENDINGS = {"image/jpeg": "jpg", "image/svg+xml": "svg", "text/plain": "txt", "audio/mpeg": "mp3"}


@dataclass(frozen=True, slots=True)
class LoadedMedia:
    """A file's bytes, with what to call it."""

    content: bytes = field(repr=False)
    content_type: str
    name: str = field(repr=False)


def is_data_url(url: str) -> bool:
    """Whether the URL holds the file itself (RFC 2397)."""
    return url[:5].lower() == "data:"


async def load_media(media: Media, fetch: Fetch, *, max_bytes: int | None) -> LoadedMedia | None:
    """Read the file of an image, audio, video or file message.

    :param fetch: reads an ordinary URL; ``ctx.fetch`` in a provider.
    :returns: ``None`` when the message names the file by ``ref`` only.
    :raises InvalidRequestError: the data URL is broken, or the file is larger than ``max_bytes``.
    """
    if media.url is None:
        return None
    if is_data_url(media.url):
        content, content_type = _decode(media.url)
        name = None
    else:
        download = await fetch(media.url, max_bytes=max_bytes)
        content, content_type, name = download.content, download.content_type, download.filename
    if max_bytes is not None and len(content) > max_bytes:
        msg = f"the {_kind(media)} has {len(content)} bytes, more than the {max_bytes} the helpdesk takes"
        raise InvalidRequestError(msg)
    content_type = media.content_type or content_type or "application/octet-stream"
    return LoadedMedia(content, content_type, media.name or name or _name(media, content_type))


def _kind(media: Media) -> str:
    return type(media).__name__.lower()


def _name(media: Media, content_type: str) -> str:
    ending = _ENDINGS.get(content_type) or content_type.rpartition("/")[2] or "bin"
    return f"{_kind(media)}.{re.sub(r'[^a-z0-9]', '', ending.lower())[:8] or 'bin'}"


def _decode(url: str) -> tuple[bytes, str]:
    parts = _DATA_URL.fullmatch(url)
    try:
        if parts is None:
            raise ValueError
        raw = unquote_to_bytes(parts["data"])
        content = base64.b64decode(raw, validate=True) if parts["parameters"].endswith(";base64") else raw
    except (ValueError, binascii.Error):
        msg = "the file's data: URL is broken; give base64 or percent-encoded data (RFC 2397)"
        raise InvalidRequestError(msg) from None
    return content, parts["type"] or "text/plain"
