"""Changing what is owed to an endpoint: sending again, or no more."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.eventlog.log import EventLog
from hitl_core.eventlog.models import DeliveryStatus, Endpoint

__all__ = ["Obligations"]


class Obligations:
    """Turns deliveries into pending or discarded ones. The caller holds the stream's lock."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def again(self, conn: AsyncConnection, which: sa.ColumnElement[bool]) -> int:
        """Make deliveries due now with a fresh schedule; an attempt under way keeps its lease."""
        d = self._log.tables.deliveries
        result = await conn.execute(
            sa.update(d)
            .where(which)
            .values(status="pending", failures=0, next_attempt_at=await self._log.now(conn), finished_at=None)
        )
        return result.rowcount

    async def since(
        self,
        conn: AsyncConnection,
        endpoint: Endpoint,
        after: str | None,
        statuses: Collection[DeliveryStatus] | None,
    ) -> int:
        """Make due what lies behind a cursor, and, without ``statuses``, owe what never was."""
        d, e = self._log.tables.deliveries, self._log.tables.events
        _, start = await self._log.span(conn, endpoint.stream, after)
        which = sa.and_(d.c.stream == endpoint.stream, d.c.endpoint_id == endpoint.id, d.c.position > start)
        if statuses is not None:
            return await self.again(conn, sa.and_(which, d.c.status.in_(statuses)))
        count = await self.again(conn, which)
        now = sa.literal(await self._log.now(conn), d.c.created_at.type)
        missing = sa.select(
            e.c.id + f".{endpoint.id}",
            e.c.seq,
            e.c.stream,
            sa.literal(endpoint.id),
            e.c.position,
            e.c.subject,
            sa.literal("pending"),
            now,
            now,
        ).where(
            e.c.stream == endpoint.stream,
            e.c.position > start,
            # Tests are for the endpoint they were meant for.
            e.c.type != "webhook.test",
            ~sa.exists().where(d.c.event_seq == e.c.seq, d.c.endpoint_id == endpoint.id),
        )
        if endpoint.types is not None:
            missing = missing.where(e.c.type.in_(endpoint.types))
        names = [
            "id", "event_seq", "stream", "endpoint_id", "position", "subject", "status", "next_attempt_at",
            "created_at",
        ]  # fmt: skip
        result = await conn.execute(sa.insert(d).from_select(names, missing))
        return count + result.rowcount

    async def disable(self, conn: AsyncConnection, stream: str, id: str, *, reason: str, now: datetime) -> None:
        """Disable an endpoint and discard what is pending for it."""
        t, d = self._log.tables.endpoints, self._log.tables.deliveries
        await conn.execute(
            sa.update(t)
            .where(t.c.stream == stream, t.c.id == id)
            .values(status="disabled", disabled_reason=reason, updated_at=now)
        )
        await conn.execute(
            sa.update(d)
            .where(d.c.stream == stream, d.c.endpoint_id == id, d.c.status == "pending")
            .values(status="discarded", next_attempt_at=None, lease_owner=None, lease_until=None, finished_at=now)
        )
