"""Cursors: a position in one stream, as an opaque string safe in URLs and headers."""

from __future__ import annotations

import re
from hashlib import sha256

from hitl_core.eventlog.models import InvalidCursorError

__all__ = ["decode_cursor", "encode_cursor"]

_FORM = re.compile(r"([0-9a-f]{1,15})\.([0-9a-f]{6})", re.ASCII)


def encode_cursor(stream: str, position: int) -> str:
    """Return the cursor behind a position; a mark of the stream keeps it from being used with another one."""
    return f"{position:x}.{_mark(stream)}"


def decode_cursor(stream: str, cursor: str) -> int:
    """Return the position of a cursor.

    :raises InvalidCursorError: when it is not a cursor, or one of another stream.
    """
    match = _FORM.fullmatch(cursor)
    if match is None:
        raise InvalidCursorError("this is not a cursor of the event log; use one from a page or an event as it is")
    if match[2] != _mark(stream):
        raise InvalidCursorError("this cursor belongs to another stream; start without one")
    return int(match[1], 16)


def _mark(stream: str) -> str:
    return sha256(stream.encode()).hexdigest()[:6]
