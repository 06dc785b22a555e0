"""The vendor's record: sessions, what moved, files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from hitl_core._model import Model
from hitl_core.calls.state import SessionState
from hitl_core.events import Event
from hitl_core.messages import AttachmentRef
from hitl_core.sessions import HitlSession, SessionRef

__all__ = [
    "AttachmentStream",
    "ChangePage",
    "EventPage",
    "ListChanges",
    "ListEvents",
    "OpenAttachment",
]


class ListEvents(Model):
    """Read one session from ``cursor`` on; from its beginning when ``None``.

    :param session: what to read.
    :param cursor: where the last read ended; ``None`` for the beginning.
    :param own_message_ids: the vendor's ids of messages we sent: echoes of these are ignored.
    :param limit: how many events a page should hold at most.
    :param wait: seconds the vendor may hold the answer back until there is something, where it can.
    """

    session: HitlSession
    cursor: str | None = None
    own_message_ids: frozenset[str] = frozenset()
    limit: int = Field(default=100, gt=0)
    wait: float = Field(default=0, ge=0)


class EventPage(Model):
    """A page of a session's events, and its state at the time of reading.

    Messages are in ``events``; assignment and open or closed may be left to ``state``.

    :param events: what happened, oldest first.
    :param state: how the session stands now, when the vendor tells.
    :param cursor: where the next read begins.
    :param more: there is more to read now.
    :param gap: the vendor no longer shows everything since the cursor: something may be missing.
    """

    events: tuple[Event, ...] = ()
    state: SessionState | None = None
    cursor: str | None = None
    more: bool = False
    gap: bool = False


class ListChanges(Model):
    """Which sessions moved since ``cursor``?

    :param cursor: where the last read ended; ``None`` for a first one.
    :param sessions: ids of those that are of interest; empty for all.
    :param limit: how many sessions a page should hold at most.
    :param wait: seconds the vendor may hold the answer back until there is something, where it can.
    """

    cursor: str | None = None
    sessions: tuple[str, ...] = ()
    limit: int = Field(default=100, gt=0)
    wait: float = Field(default=0, ge=0)


class ChangePage(Model):
    """Sessions that moved.

    :param sessions: those that moved.
    :param cursor: where the next read begins.
    :param more: there is more to read now.
    """

    sessions: tuple[SessionRef, ...] = ()
    cursor: str | None = None
    more: bool = False


class OpenAttachment(Model):
    """Open a file the helpdesk holds.

    :param ref: which file, as an event named it.
    :param max_bytes: give up beyond this size.
    """

    ref: AttachmentRef
    max_bytes: int = Field(default=25 * 1024 * 1024, gt=0)


@dataclass(slots=True)
class AttachmentStream:
    """An open file; iterate ``chunks``, then call ``close``.

    :param size: bytes, when the vendor says so.
    """

    chunks: AsyncIterator[bytes]
    close: Callable[[], Awaitable[Any]]
    content_type: str | None = None
    name: str | None = None
    size: int | None = None
