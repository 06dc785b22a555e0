"""What is over is not kept for ever: hand-offs that ended long ago go, with everything of theirs.

Open work is never touched: neither a hand-off that has not ended, nor one of which something is still to be done or a
dead letter is still to be looked at.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.erasing import Erasing
from hitl_core.bridge.store.sweeping import (
    OPEN_INPUT,
    OPEN_LETTER,
    Sweeper,
    adopt_orphans,
    delete_sessions,
    session_of,
)
from hitl_core.bridge.store.tables import (
    DeliveryState,
    InputState,
    LetterState,
    audit,
    blobs,
    budgets,
    conversations,
    dead_letters,
    deliveries,
    handoffs,
    inputs,
    locks,
    outbox,
    timers,
    user_links,
    workers,
)
from hitl_core.errors import StoreError

__all__ = ["Counts", "Retention"]

logger = logging.getLogger(__name__)

Counts = Counter[str]
"""How many rows of each table are gone, by the table's name without its prefix."""

_OPEN_EFFECT: Final = sa.text("hitl_outbox.state < 2")
_SETTLED_EFFECT: Final = sa.text("hitl_outbox.state >= 2")
_SETTLED_INPUT: Final = sa.text("hitl_inputs.state <> 0")

_GROUP: Final = 25  # hand-offs
_FORGOTTEN: Final = timedelta(days=1)
"""After that long, what nobody has renewed or finished is nobody's."""


class Retention:
    """Deletes what is over, of one tenant.

    :param lot: rows per transaction, so that no writer waits for long.
    :param grace: seconds any accepting transaction is over in, on PostgreSQL.
    """

    def __init__(self, store: Store, tenant: str, *, lot: int = 250, grace: float = 6.0) -> None:
        self._store = store
        self._tenant = tenant
        self._sweeper = Sweeper(store, lot)
        self._grace = 0.0 if store.is_sqlite else grace
        self._erasing = Erasing(store, tenant, self._sweeper)

    async def erase_customer(self, user_key: str, *, force: bool = False) -> Counts:
        """Delete everything of a customer, in all connections.

        What the helpdesk and the bot have of them is not ours to delete.

        :param user_key: the bot's stable id of the customer.
        :param force: also while a hand-off of theirs is open, or something of one is still to be done: it is
            forgotten, and its ticket stays as it is.
        :returns: how many rows are gone; none when nothing was known of them.
        :raises StoreError: a hand-off of theirs is open and ``force`` is not given, or the database is lost; ask
            again.
        """
        gone = await self._erasing.erase(user_key, force=force)
        if gone["conversations"]:
            await self._adopt()
        await self._scrub()
        return gone

    async def purge(self, older_than: timedelta) -> Counts:
        """Delete what ended that long ago. What an interrupted purge has left, the next one deletes.

        :returns: how many rows are gone.
        :raises StoreError: the database is lost; ask again.
        """
        await adopt_orphans(self._store, self._tenant)
        async with self._store.read() as conn:
            now = await self._store.now(conn)
        before = now - older_than
        gone = await self._handoffs(before)
        gone += await self._queues(before)
        gone["blobs"] += await self._blobs(before, now - max(_FORGOTTEN, older_than))
        gone["user_links"] += await self._user_links(before)
        gone += await self._forgotten(now - _FORGOTTEN)
        if gone["conversations"]:
            await self._adopt()
        await self._scrub()
        return +gone

    async def _scrub(self) -> None:
        try:
            done = await self._store.scrub()
        except StoreError:
            done = False  # what was asked for is done, and its counts are to be told
        if not done:
            logger.warning(
                "what is gone from the database is in its -wal file yet, since somebody else uses it; "
                "the next purge or erasure clears that, or the end of the last process that uses it"
            )

    async def _adopt(self) -> None:
        await self._store.clock.sleep(self._grace)
        await adopt_orphans(self._store, self._tenant)

    # Hand-offs ------------------------------------------------------------------------------------------------

    async def _handoffs(self, before: datetime) -> Counts:
        gone: Counts = Counter()
        after: tuple[datetime, str] | None = None
        while True:
            group = await self._over(before, after)
            if not group:
                return gone
            after = (group[-1].ended_at, group[-1].id)
            ids = [row.id for row in group]
            # What is bulky goes first, a lot at a time; while the hand-off's own row is there, none of it is forgotten.
            for table, settled in ((inputs, _SETTLED_INPUT), (outbox, _SETTLED_EFFECT), (audit, sa.true())):
                of_them = sa.and_(table.c.tenant == self._tenant, table.c.handoff_id.in_(ids))
                gone[_name(table)] += await self._sweeper.delete(table, of_them, settled)
            gone += await self._finish(group, before)
            await asyncio.sleep(0)

    async def _over(self, before: datetime, after: tuple[datetime, str] | None) -> Sequence[Any]:
        h = handoffs.c
        query = sa.select(h.id, h.conversation_id, h.connection, h.session_id, h.ended_at).where(self._is_over(before))
        if after is not None:
            at = sa.literal(after[0], h.ended_at.type)
            query = query.where(sa.or_(h.ended_at > at, sa.and_(h.ended_at == at, h.id > after[1])))
        async with self._store.read() as conn:
            return (await conn.execute(query.order_by(h.ended_at, h.id).limit(_GROUP))).all()

    def _is_over(self, before: datetime) -> sa.ColumnElement[bool]:
        """Select hand-offs that ended and of which nothing is left to be done."""
        h, o, i, d = handoffs.c, outbox.c, inputs.c, dead_letters.c
        doing = sa.exists().where(o.tenant == h.tenant, o.handoff_id == h.id, _OPEN_EFFECT)
        coming = sa.exists().where(i.tenant == h.tenant, i.conversation_id == h.conversation_id, OPEN_INPUT)
        asking = sa.exists().where(d.tenant == h.tenant, d.handoff_id == h.id, OPEN_LETTER)
        return sa.and_(
            h.tenant == self._tenant, h.ended_at < before, sa.not_(h.open), sa.not_(sa.or_(doing, coming, asking))
        )

    async def _finish(self, group: Sequence[Any], before: datetime) -> Counts:
        gone: Counts = Counter()
        touched = sorted({row.conversation_id for row in group})
        async with self._store.write() as conn:
            c, h = conversations.c, handoffs.c
            these = sa.and_(c.tenant == self._tenant, c.id.in_(touched))
            # Nobody decides on these conversations until it is done.
            await conn.execute(sa.select(c.id).where(these).order_by(c.id).with_for_update())
            still = sa.select(h.id).where(self._is_over(before), h.id.in_([row.id for row in group]))
            ids = set((await conn.execute(still)).scalars())
            if not ids:
                return gone
            for table in (inputs, outbox, audit, timers, dead_letters):
                of_them = sa.and_(table.c.tenant == self._tenant, table.c.handoff_id.in_(ids))
                gone[_name(table)] += (await conn.execute(sa.delete(table).where(of_them))).rowcount
            await conn.execute(sa.delete(handoffs).where(h.tenant == self._tenant, h.id.in_(ids)))
            gone["handoffs"] += len(ids)
            sessions = {session_of(row) for row in group if row.id in ids and row.session_id is not None}
            linked, messages = await delete_sessions(conn, self._tenant, sessions)
            gone.update(links=linked, message_links=messages)
            gone["conversations"] += await self._forget(conn, these, ids)
        return gone

    async def _forget(self, conn: AsyncConnection, these: sa.ColumnElement[bool], ids: Collection[str]) -> int:
        """Delete those of these conversations nothing is left of, and return how many."""
        c, h, i, o = conversations.c, handoffs.c, inputs.c, outbox.c
        left = sa.or_(
            sa.exists().where(h.tenant == c.tenant, h.conversation_id == c.id),
            sa.exists().where(i.tenant == c.tenant, i.conversation_id == c.id, OPEN_INPUT),
            sa.exists().where(o.tenant == c.tenant, o.conversation_id == c.id, _OPEN_EFFECT),
        )
        forgotten = await conn.execute(sa.delete(conversations).where(these, c.worker.is_(None), sa.not_(left)))
        # Who keeps one of the others in memory reads it again.
        await conn.execute(
            sa.update(conversations)
            .where(these, c.worker.is_(None))
            .values(fence=c.fence + 1, handoff_id=sa.case((c.handoff_id.in_(ids), None), else_=c.handoff_id))
        )
        return forgotten.rowcount

    # What belongs to no hand-off ------------------------------------------------------------------------------

    async def _queues(self, before: datetime) -> Counts:
        i, d, n, a = inputs.c, deliveries.c, dead_letters.c, audit.c
        delete, found = self._sweeper.delete, self._sweeper.delete_found
        gone: Counts = Counter()
        gone["dead_letters"] += await delete(
            dead_letters,
            n.tenant == self._tenant,
            n.handoff_id.is_(None),
            n.state != LetterState.OPEN.value,
            n.settled_at < before,
        )
        gone["inputs"] += await found(
            inputs,
            i.tenant == self._tenant,
            i.handoff_id.is_(None),
            i.done_at < before,
            sa.or_(i.state == InputState.DONE.value, sa.not_(_has_letter(inputs, "input"))),
            until=i.accepted_at >= before,
        )
        gone["deliveries"] += await found(
            deliveries,
            d.tenant == self._tenant,
            d.done_at < before,
            sa.or_(
                d.state == DeliveryState.DONE.value,
                sa.and_(d.state == DeliveryState.DEAD.value, sa.not_(_has_letter(deliveries, "delivery"))),
            ),
            until=d.received_at >= before,
        )
        gone["audit"] += await delete(audit, a.tenant == self._tenant, a.handoff_id.is_(None), a.at < before)
        return gone

    async def _blobs(self, before: datetime, unfinished_before: datetime) -> int:
        """Delete files that no hand-off is kept for that had begun by then, and those that were never finished."""
        b, h = blobs.c, handoffs.c
        kept = sa.exists().where(
            h.tenant == b.tenant, h.conversation_id == b.conversation_id, h.started_at <= b.stored_at
        )
        old = sa.and_(b.stored_at < before, sa.or_(b.conversation_id.is_(None), sa.not_(kept)))
        torn = sa.and_(b.stored_at < unfinished_before, b.size.is_(None))
        query = sa.select(b.id).where(b.tenant == self._tenant, sa.text("hitl_blobs.part = 0"), sa.or_(old, torn))
        async with self._store.read() as conn:
            found = (await conn.execute(query)).scalars().all()
        return sum([await self._sweeper.delete(blobs, b.tenant == self._tenant, b.id == id_) for id_ in found])

    async def _user_links(self, before: datetime) -> int:
        u, h = user_links.c, handoffs.c
        needed = sa.exists().where(h.tenant == u.tenant, h.user_key == u.user_key)
        return await self._sweeper.delete_found(
            user_links,
            u.updated_at < before,
            sa.or_(u.claimed_at.is_(None), u.claimed_at < before),
            sa.not_(needed),
            within=u.tenant == self._tenant,
        )

    async def _forgotten(self, before: datetime) -> Counts:
        """Delete what only ever mattered for a moment."""
        b, k, w = budgets.c, locks.c, workers.c
        gone: Counts = Counter()
        past = [sa.or_(at.is_(None), at < before) for at in (b.resets_at, b.next_at, b.blocked_until)]
        gone["budgets"] += await self._sweeper.delete(budgets, b.tenant == self._tenant, b.updated_at < before, *past)
        gone["locks"] += await self._sweeper.delete(locks, k.tenant == self._tenant, k.until < before)
        gone["workers"] += await self._sweeper.delete(workers, w.seen_at < before)
        return gone


def _has_letter(table: sa.Table, source: str) -> sa.ColumnElement[bool]:
    """Whether a dead letter about a row is still to be looked at."""
    n = dead_letters.c
    return sa.exists().where(
        n.tenant == table.c.tenant, OPEN_LETTER, n.source == source, n.source_position == table.c.position
    )


def _name(table: sa.Table) -> str:
    return table.name.removeprefix("hitl_")
