"""The log itself: append in the host's transaction, pull by cursor, wake whoever waits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hitl_core.eventlog.models import Event, EventPage
from hitl_core.eventlog.tables import EventTables

if TYPE_CHECKING:
    from hitl_core.clock import Clock

__all__ = ["EventLog"]


class EventLog:
    """An append-only log of streams of events, in the host's own database.

    :param clock: time for everything, to be injected in tests. Left out, PostgreSQL's own clock judges leases and due
        times, so that machines with different clocks agree, and the system's clock does the waiting.
    :param poll: seconds between looks for events other processes appended.
    :param max_data_bytes: bound on an event's data as JSON. Standard Webhooks advises staying under 20 kB.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        tables: EventTables,
        *,
        clock: Clock | None = None,
        poll: float = 1.0,
        max_data_bytes: int = 262_144,
    ) -> None: ...

    async def append(
        self,
        conn: AsyncConnection,
        *,
        stream: str,
        type: str,
        data: Mapping[str, Any],
        subject: str | None = None,
    ) -> Event:
        """Append one event inside the caller's transaction; call :meth:`notify` after it has committed.

        The deliveries to the stream's enabled endpoints that want the type are stored in the same transaction.
        Appends to one stream take turns until their transactions end, so append late, and to several streams in
        sorted order.

        :param stream: owner of the log, such as a bot's id.
        :param type: dotted name of ``[A-Za-z0-9_]``, such as ``ticket.closed``.
        :param data: JSON object.
        :param subject: what the event is about, such as a ticket's id; order is kept within it.
        :raises InvalidEventError: for a bad type name, or data that is not JSON or too large.
        """

    def notify(self, *streams: str) -> None:
        """Wake long polls, SSE streams and the dispatcher of this process after a commit; no names means all streams.

        Readers in other processes notice by polling. Call it from the event loop's thread.
        """

    async def read(
        self,
        stream: str,
        after: str | None = None,
        limit: int = 100,
        types: Collection[str] | None = None,
        wait: float = 0.0,
    ) -> EventPage:
        """Return the events behind a cursor, oldest first; wait up to ``wait`` seconds for the first one.

        :param after: cursor of an event or page; None begins at the oldest event kept.
        :param limit: at most so many events, 1 to 1000.
        :param types: only these types; None or empty means all.
        :raises InvalidCursorError: when the cursor cannot be honoured without skipping events.
        """

    async def latest(self, stream: str) -> str:
        """Return the cursor behind the newest event: reading after it sees only what comes later."""

    def publish_transient(self, stream: str, type: str, data: Mapping[str, Any]) -> int:
        """Show a passing fact (typing) to the stream's live SSE readers in this process; nothing is stored.

        :returns: how many readers it went to.
        """

    async def trim(self, stream: str, keep: int) -> int:
        """Delete events older than the newest ``keep``, except those still to be delivered and what follows them.

        :returns: how many were deleted, with their delivery log.
        """

    async def close(self) -> None:
        """End every SSE stream and long poll at once; the engine stays the host's to dispose of."""
