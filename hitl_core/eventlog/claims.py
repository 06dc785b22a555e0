"""What the dispatcher does in the database: take due deliveries for a while, and write down what came of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.database import begin_read, begin_write
from hitl_core.eventlog.log import EventLog, event_of
from hitl_core.eventlog.models import Event
from hitl_core.eventlog.obligations import Obligations

__all__ = ["Claims", "EndpointKey", "Job", "Outcome"]

EndpointKey = tuple[str, str]
"""Stream and endpoint id."""


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt that was committed and is to be made."""

    delivery_id: str
    endpoint: EndpointKey
    n: int
    """Its number in the delivery log; with the owner it fences the result."""
    failures: int
    """Failed attempts before it in the schedule."""
    url: str = field(repr=False)
    secrets: str = field(repr=False)
    event: Event


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt means for its delivery.

    :param verdict: ``gone`` is a failure that disables the endpoint.
    :param wait: seconds until the next attempt, for ``retry``.
    :param pause: seconds the receiver asked everyone to wait.
    """

    verdict: Literal["delivered", "retry", "failed", "gone"]
    duration: float
    status: int | None
    error: str | None
    wait: float = 0.0
    pause: float | None = None


class Claims:
    """Leases on deliveries.

    A delivery is sent by whoever holds its lease, and the lease is committed before anything is sent. While it holds,
    no other dispatcher takes the delivery; when it ends without a result, the holder died, and the next one sends the
    same body under the same ``webhook-id``.

    :param owner: unique per dispatcher.
    :param lease: seconds a claim lasts.
    """

    def __init__(self, log: EventLog, *, owner: str, lease: float) -> None:
        self._log = log
        self._obligations = Obligations(log)
        self._owner = owner
        self._lease = timedelta(seconds=lease)

    def _due(self, now: datetime) -> sa.ColumnElement[bool]:
        """Select what may be sent now: due, held by nobody, and first of its subject at its endpoint."""
        d, t = self._log.tables.deliveries, self._log.tables.endpoints
        moment = sa.literal(now, d.c.next_attempt_at.type)
        # Written so that each row costs one look into the index by position: "not exists an earlier one" tempts
        # PostgreSQL, while it has no statistics of a new table, into reading the whole backlog for each row.
        other = d.alias("other")
        first = (
            sa.select(other.c.position)
            .where(
                other.c.stream == d.c.stream,
                other.c.endpoint_id == d.c.endpoint_id,
                other.c.subject == d.c.subject,
                other.c.status == sa.text("'pending'"),
            )
            .order_by(other.c.position)
            .limit(1)
            .correlate(d)
            .scalar_subquery()
        )
        return sa.and_(
            d.c.stream == t.c.stream,
            d.c.endpoint_id == t.c.id,
            t.c.status == "enabled",
            sa.or_(t.c.resume_at.is_(None), t.c.resume_at <= moment),
            d.c.status == sa.text("'pending'"),
            d.c.next_attempt_at <= moment,
            sa.or_(d.c.lease_until.is_(None), d.c.lease_until <= moment),
            sa.or_(d.c.subject.is_(None), d.c.position == first),
        )

    async def waiting(self) -> list[EndpointKey]:
        """Return the endpoints that something may be sent to now; reads only."""
        d, t = self._log.tables.deliveries, self._log.tables.endpoints
        async with begin_read(self._log.engine) as conn:
            due = self._due(await self._log.now(conn))
            rows = await conn.execute(
                sa.select(t.c.stream, t.c.id).where(sa.exists().where(due).correlate(t).select_from(d))
            )
            return [(row.stream, row.id) for row in rows]

    async def take(self, room: Collection[tuple[EndpointKey, int]]) -> list[Job]:
        """Lease what is due at these endpoints, at most so many each, and log the attempts as begun."""
        jobs: list[Job] = []
        async with begin_write(self._log.engine) as conn:
            now = await self._log.now(conn)
            for endpoint, limit in room:
                jobs += await self._take(conn, endpoint, limit, now)
        return jobs

    async def _take(self, conn: AsyncConnection, endpoint: EndpointKey, limit: int, now: datetime) -> list[Job]:
        d, t, e, a = (
            self._log.tables.deliveries,
            self._log.tables.endpoints,
            self._log.tables.events,
            self._log.tables.attempts,
        )
        stream, endpoint_id = endpoint
        query = (
            sa.select(e, d.c.id.label("delivery_id"), d.c.attempts, d.c.failures, t.c.url, t.c.secrets.label("signing"))
            .select_from(d)
            .join(e, e.c.seq == d.c.event_seq)
            .join(t, sa.and_(t.c.stream == d.c.stream, t.c.id == d.c.endpoint_id))
            .where(t.c.stream == stream, t.c.id == endpoint_id, self._due(now))
            .order_by(d.c.next_attempt_at, d.c.position)
            .limit(limit)
            .with_for_update(of=d, skip_locked=True)
        )
        jobs = [
            Job(row.delivery_id, endpoint, row.attempts + 1, row.failures, row.url, row.signing, event_of(row))
            for row in await conn.execute(query)
        ]
        if jobs:
            await conn.execute(
                sa.update(d)
                .where(d.c.id.in_([job.delivery_id for job in jobs]))
                .values(attempts=d.c.attempts + 1, lease_owner=self._owner, lease_until=now + self._lease)
            )
            await conn.execute(
                sa.insert(a),
                [{"delivery_id": job.delivery_id, "n": job.n, "started_at": now} for job in jobs],
            )
        return jobs

    async def settle(self, job: Job, outcome: Outcome) -> bool:
        """Write down what came of an attempt.

        :returns: False when the delivery is no longer ours: the lease went to another dispatcher, or the delivery
            was discarded meanwhile. A success still counts as one.
        """
        d, a, t = self._log.tables.deliveries, self._log.tables.attempts, self._log.tables.endpoints
        stream, endpoint_id = job.endpoint
        async with begin_write(self._log.engine) as conn:
            # Everyone locks in this order: stream, endpoint, delivery, attempt.
            if outcome.verdict == "gone":
                await self._log.lock_stream(conn, stream)
            now = await self._log.now(conn)
            if outcome.pause is not None:
                until = now + timedelta(seconds=outcome.pause)
                await conn.execute(
                    sa.update(t)
                    .where(
                        t.c.stream == stream,
                        t.c.id == endpoint_id,
                        sa.or_(t.c.resume_at.is_(None), t.c.resume_at < until),
                    )
                    .values(resume_at=until)
                )
            held = sa.and_(d.c.id == job.delivery_id, d.c.attempts == job.n)
            if outcome.verdict != "delivered":
                held = sa.and_(held, d.c.status == "pending", d.c.lease_owner == self._owner)
            values = self._result(job, outcome, now)
            changed = await conn.execute(sa.update(d).where(held).values(values))
            if changed.rowcount and job.event.subject is not None:
                await self._move_followers(conn, job, now, until=values["next_attempt_at"])
            if outcome.verdict == "gone":
                await self._obligations.disable(conn, stream, endpoint_id, reason="gone", now=now)
            await conn.execute(
                sa.update(a)
                .where(a.c.delivery_id == job.delivery_id, a.c.n == job.n)
                .values(duration_ms=round(outcome.duration * 1000), status=outcome.status, error=outcome.error)
            )
        return changed.rowcount == 1

    def _result(self, job: Job, outcome: Outcome, now: datetime) -> dict[str, Any]:
        values: dict[str, Any] = {
            "lease_owner": None,
            "lease_until": None,
            "last_status": outcome.status,
            "last_error": outcome.error,
        }
        if outcome.verdict == "retry":
            return values | {
                "failures": job.failures + 1,
                "next_attempt_at": now + timedelta(seconds=outcome.wait),
            }
        status = "delivered" if outcome.verdict == "delivered" else "failed"
        return values | {"status": status, "next_attempt_at": None, "finished_at": now}

    async def _move_followers(self, conn: AsyncConnection, job: Job, now: datetime, *, until: datetime | None) -> None:
        """Let what waits behind a delivery sleep as long as it does, or wake the next one when it is done with.

        This only keeps the backlog out of the way of looking for work; that the subject is free is checked anyway. Rows
        that someone else is changing are left alone, so nothing waits in a circle.
        """
        d = self._log.tables.deliveries
        stream, endpoint_id = job.endpoint
        behind = (
            sa.select(d.c.id)
            .where(
                d.c.stream == stream,
                d.c.endpoint_id == endpoint_id,
                d.c.subject == job.event.subject,
                d.c.status == sa.text("'pending'"),
                d.c.position > job.event.position,
                # One that has failed before has a schedule of its own.
                d.c.failures == 0,
                d.c.lease_owner.is_(None),
            )
            .with_for_update(skip_locked=True)
        )
        if until is None:
            until, behind = now, behind.order_by(d.c.position).limit(1)
        else:
            behind = behind.where(d.c.next_attempt_at < until)
        await conn.execute(sa.update(d).where(d.c.id.in_(behind)).values(next_attempt_at=until))

    async def release(self) -> None:
        """Give back every lease of this owner, so that the next start need not wait for them to end."""
        d = self._log.tables.deliveries
        async with begin_write(self._log.engine) as conn:
            await conn.execute(
                sa.update(d)
                .where(d.c.lease_owner == self._owner, d.c.status == "pending")
                .values(lease_owner=None, lease_until=None)
            )
