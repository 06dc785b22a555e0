"""The log itself: append in the host's transaction, pull by cursor, wake whoever waits."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hitl_core.clock import Clock, SystemClock
from hitl_core.database import UtcDateTime, begin_read, begin_write, insert
from hitl_core.eventlog.cursors import decode_cursor, encode_cursor
from hitl_core.eventlog.hub import Hub, Transient
from hitl_core.eventlog.models import Event, EventPage, InvalidCursorError, InvalidEventError
from hitl_core.eventlog.tables import EventTables

__all__ = ["EventLog"]

_TYPE = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*", re.ASCII)


class EventLog:
    """An append-only log of streams of events, in the host's own database.

    Positions come from one counter row per stream, raised in the appending transaction. An autoincrement number would
    not do: on PostgreSQL two writers draw 7 and 8, 8 commits first, a reader moves its cursor to 8, and 7 is never
    read. The counter's row lock makes writers of one stream commit in the order of their positions, and a rollback
    takes its positions back, so what a reader sees is always 1 to n without a gap.

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
    ) -> None:
        self.engine = engine
        self.tables = tables
        self.clock: Clock = clock or SystemClock()
        self.max_data_bytes = max_data_bytes
        self.hub = Hub(self._positions, clock=self.clock, poll=poll)
        self._database_time = clock is None and engine.dialect.name == "postgresql"

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self.hub.closed

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
        text = self._checked(stream, type, subject, data)
        event, seq = await self._insert(conn, stream, type, subject, text)
        endpoints = self.tables.endpoints
        wanting = [
            row.id
            for row in await conn.execute(
                sa.select(endpoints.c.id, endpoints.c.types).where(
                    endpoints.c.stream == stream, endpoints.c.status == "enabled"
                )
            )
            if row.types is None or type in json.loads(row.types)
        ]
        await self.owe(conn, event, seq, wanting)
        return event

    async def append_for(self, conn: AsyncConnection, *, stream: str, endpoint_id: str, type: str) -> Event:
        """Append an event without data that is delivered to one endpoint only, whatever types it wants."""
        event, seq = await self._insert(conn, stream, type, None, "{}")
        await self.owe(conn, event, seq, [endpoint_id])
        return event

    async def _insert(
        self, conn: AsyncConnection, stream: str, type: str, subject: str | None, text: str
    ) -> tuple[Event, int]:
        position = await self.lock_stream(conn, stream, advance=1)
        subject_seq = None if subject is None else await self._advance_subject(conn, stream, subject)
        event = Event(
            id=f"evt_{uuid4().hex}",
            stream=stream,
            position=position,
            type=type,
            subject=subject,
            subject_seq=subject_seq,
            created_at=await self.now(conn),
            json=text,
            cursor=encode_cursor(stream, position),
        )
        statement = sa.insert(self.tables.events).values(
            id=event.id,
            stream=stream,
            position=position,
            subject=subject,
            subject_seq=subject_seq,
            type=type,
            data=text,
            created_at=event.created_at,
        )
        seq = (await conn.execute(statement.returning(self.tables.events.c.seq))).scalar_one()
        return event, seq

    async def owe(self, conn: AsyncConnection, event: Event, seq: int, endpoint_ids: Collection[str]) -> None:
        """Store the obligation to deliver an event to these endpoints."""
        if endpoint_ids:
            await conn.execute(
                sa.insert(self.tables.deliveries),
                [
                    {
                        "id": f"{event.id}.{endpoint_id}",
                        "event_seq": seq,
                        "stream": event.stream,
                        "endpoint_id": endpoint_id,
                        "position": event.position,
                        "subject": event.subject,
                        "status": "pending",
                        "next_attempt_at": event.created_at,
                        "created_at": event.created_at,
                    }
                    for endpoint_id in endpoint_ids
                ],
            )

    async def lock_stream(self, conn: AsyncConnection, stream: str, *, advance: int = 0) -> int:
        """Hold the stream's counter until the transaction ends, and return it.

        Whatever changes who gets a stream's events takes it too, so that each event falls before or after the change.
        """
        streams = self.tables.streams
        statement = insert(conn, streams).values(stream=stream, position=advance)
        upsert = statement.on_conflict_do_update(
            index_elements=[streams.c.stream], set_={"position": streams.c.position + advance}
        )
        position: int = (await conn.execute(upsert.returning(streams.c.position))).scalar_one()
        return position

    async def _advance_subject(self, conn: AsyncConnection, stream: str, subject: str) -> int:
        subjects = self.tables.subjects
        upsert = (
            insert(conn, subjects)
            .values(stream=stream, subject=subject, seq=1)
            .on_conflict_do_update(
                index_elements=[subjects.c.stream, subjects.c.subject], set_={"seq": subjects.c.seq + 1}
            )
        )
        seq: int = (await conn.execute(upsert.returning(subjects.c.seq))).scalar_one()
        return seq

    def _checked(self, stream: str, type: str, subject: str | None, data: Mapping[str, Any]) -> str:
        for name, value in (("stream", stream), ("subject", subject)):
            if value is not None and not (0 < len(value) <= 255 and value.isprintable()):
                raise InvalidEventError(f"the event's {name} must be 1 to 255 printable characters")
        text = check_message(type, data)
        size = len(text.encode())
        if size > self.max_data_bytes:
            raise InvalidEventError(
                f"the event's data is {size} bytes long, the log takes {self.max_data_bytes}; put large content "
                "elsewhere and link to it"
            )
        return text

    async def now(self, conn: AsyncConnection) -> datetime:
        """Return the time by the clock that judges leases and due times."""
        if not self._database_time:
            return self.clock.now()
        moment: datetime = (
            await conn.execute(sa.select(sa.type_coerce(sa.func.clock_timestamp(), UtcDateTime())))
        ).scalar_one()
        return moment

    def notify(self, *streams: str) -> None:
        """Wake long polls, SSE streams and the dispatcher of this process after a commit; no names means all streams.

        Readers in other processes notice by polling. Call it from the event loop's thread.
        """
        self.hub.notify(*streams)

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
        if not 1 <= limit <= 1000:
            raise ValueError("limit must be 1 to 1000")
        if wait <= 0:
            return await self._page(stream, after, limit, types)
        deadline = self.clock.monotonic() + wait
        with self.hub.subscribe(stream) as subscription:
            while True:
                subscription.clear()
                page = await self._page(stream, after, limit, types)
                left = deadline - self.clock.monotonic()
                if page.events or left <= 0 or self.closed:
                    return page
                after = page.cursor
                await subscription.wait(left)

    async def _page(self, stream: str, after: str | None, limit: int, types: Collection[str] | None) -> EventPage:
        events = self.tables.events
        async with begin_read(self.engine) as conn:
            head, start = await self.span(conn, stream, after)
            query = (
                sa.select(events)
                .where(events.c.stream == stream, events.c.position > start)
                .order_by(events.c.position)
                .limit(limit + 1)
            )
            if types:
                query = query.where(events.c.type.in_(types))
            rows = (await conn.execute(query)).all() if start < head else []
        found = tuple(event_of(row) for row in rows[:limit])
        more = len(rows) > limit
        cursor = found[-1].cursor if more else encode_cursor(stream, head)
        return EventPage(found, cursor, more)

    async def span(self, conn: AsyncConnection, stream: str, after: str | None) -> tuple[int, int]:
        """Return the newest position and the one to start behind.

        :raises InvalidCursorError: when reading cannot go on behind the cursor without skipping events.
        """
        streams = self.tables.streams
        row = (
            await conn.execute(sa.select(streams.c.position, streams.c.trimmed).where(streams.c.stream == stream))
        ).one_or_none()
        head, trimmed = (row.position, row.trimmed) if row else (0, 0)
        if after is None:
            return head, trimmed
        start = decode_cursor(stream, after)
        if start > head:
            raise InvalidCursorError(
                "this cursor is ahead of the log, which was perhaps restored from a backup; start without one"
            )
        if start < trimmed:
            raise InvalidCursorError("the events behind this cursor were trimmed; start without one and reconcile")
        return head, start

    async def latest(self, stream: str) -> str:
        """Return the cursor behind the newest event: reading after it sees only what comes later."""
        async with begin_read(self.engine) as conn:
            head, _ = await self.span(conn, stream, None)
        return encode_cursor(stream, head)

    async def check_cursor(self, stream: str, cursor: str) -> None:
        """Check that reading can go on behind a cursor.

        :raises InvalidCursorError: when it cannot, as for :meth:`read`.
        """
        async with begin_read(self.engine) as conn:
            await self.span(conn, stream, cursor)

    def publish_transient(self, stream: str, type: str, data: Mapping[str, Any]) -> int:
        """Show a passing fact (typing) to the stream's live SSE readers in this process; nothing is stored.

        :returns: how many readers it went to.
        :raises InvalidEventError: for a bad type name, or data that is not JSON.
        """
        return self.hub.publish(stream, Transient(type, check_message(type, data)))

    async def trim(self, stream: str, before: datetime) -> int:
        """Delete the events appended before a moment, except those still to be delivered and what follows them.

        :returns: how many were deleted, with their delivery log.
        """
        events, deliveries, streams = self.tables.events, self.tables.deliveries, self.tables.streams
        async with begin_write(self.engine) as conn:
            head = await self.lock_stream(conn, stream)
            kept = [
                sa.select(sa.func.min(events.c.position)).where(
                    events.c.stream == stream, events.c.created_at >= before
                ),
                sa.select(sa.func.min(deliveries.c.position)).where(
                    deliveries.c.stream == stream, deliveries.c.status == "pending"
                ),
            ]
            firsts = [(await conn.execute(query)).scalar() for query in kept]
            end = min((first - 1 for first in firsts if first is not None), default=head)
            gone = await conn.execute(sa.delete(events).where(events.c.stream == stream, events.c.position <= end))
            await conn.execute(
                sa.update(streams).where(streams.c.stream == stream, streams.c.trimmed < end).values(trimmed=end)
            )
        return gone.rowcount

    async def close(self) -> None:
        """End every SSE stream and long poll at once; the engine stays the host's to dispose of."""
        await self.hub.close()

    async def _positions(self, names: Collection[str]) -> Mapping[str, int]:
        streams = self.tables.streams
        async with begin_read(self.engine) as conn:
            rows = await conn.execute(
                sa.select(streams.c.stream, streams.c.position).where(streams.c.stream.in_(names))
            )
            return {row.stream: row.position for row in rows}


def check_message(type: str, data: Mapping[str, Any]) -> str:
    """Return the data as JSON on one line.

    :raises InvalidEventError: for a bad type name, or data that is not a JSON object.
    """
    if len(type) > 128 or not _TYPE.fullmatch(type):
        raise InvalidEventError(
            "an event's type is a dotted name of letters, digits and underscores, such as ticket.closed"
        )
    if not isinstance(data, Mapping):
        raise InvalidEventError("an event's data is a JSON object")
    try:
        text = json.dumps(dict(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        raise InvalidEventError(
            "an event's data must be JSON: strings, finite numbers, booleans, null, lists and objects"
        ) from None
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair has no UTF-8, but has an escape
        text = json.dumps(dict(data), allow_nan=False, separators=(",", ":"))
    return text


def event_of(row: sa.Row[Any]) -> Event:
    """Return the event in a row of the events table."""
    return Event(
        id=row.id,
        stream=row.stream,
        position=row.position,
        type=row.type,
        subject=row.subject,
        subject_seq=row.subject_seq,
        created_at=row.created_at,
        json=row.data,
        cursor=encode_cursor(row.stream, row.position),
    )
