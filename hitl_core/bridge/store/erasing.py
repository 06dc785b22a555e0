"""Forgetting a customer: everything that is kept of them, in all connections."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.store.audit import Audit, AuditEntry
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.sweeping import OPEN_INPUT, Session, Sweeper, delete_sessions, session_of
from hitl_core.bridge.store.tables import (
    DeliveryState,
    audit,
    blobs,
    conversations,
    dead_letters,
    deliveries,
    handoffs,
    inputs,
    outbox,
    timers,
    user_links,
)
from hitl_core.errors import StoreError

__all__ = ["Erasing"]

_OPEN_EFFECT: Final = sa.text("hitl_outbox.state < 2")
_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class _Traces:
    """Where a customer is to be found.

    :param ids: of their hand-offs.
    :param alone: conversations they are the only customer of: all of them goes.
    """

    ids: Sequence[str]
    conversations: Sequence[str]
    alone: Sequence[str]
    sessions: frozenset[Session]


class Erasing:
    """Forgets customers of one tenant; see :meth:`hitl_core.bridge.store.retention.Retention.erase_customer`."""

    def __init__(self, store: Store, tenant: str, sweeper: Sweeper) -> None:
        self._store = store
        self._tenant = tenant
        self._sweeper = sweeper
        self._audit = Audit(store, tenant)

    async def erase(self, user_key: str, *, force: bool) -> Counter[str]:
        """Forget a customer, and return how many rows that was.

        Hand-offs go last, so that an erasure that was interrupted is found and finished by asking again.
        """
        async with self._store.read() as conn:
            traces = await self._find(conn, user_key)
        gone: Counter[str] = Counter()
        if traces.ids:
            await self._stop(user_key, traces, force=force)
            gone += await self._content(traces)
        gone["user_links"] += await self._user_links(user_key)
        if traces.ids:
            gone += await self._finish(traces)
        gone = +gone
        if gone:
            await self._note(gone)
        return gone

    # Where ----------------------------------------------------------------------------------------------------

    async def _find(self, conn: AsyncConnection, user_key: str) -> _Traces:
        h = handoffs.c
        columns = (h.id, h.conversation_id, h.connection, h.session_id)
        theirs = (await conn.execute(sa.select(*columns).where(h.tenant == self._tenant, h.user_key == user_key))).all()
        touched = sorted({row.conversation_id for row in theirs})
        shared: set[str] = set()
        for some in _lots(touched):
            others = sa.or_(h.user_key.is_(None), h.user_key != user_key)
            query = sa.select(h.conversation_id).where(h.tenant == self._tenant, h.conversation_id.in_(some), others)
            shared |= set((await conn.execute(query)).scalars())
        return _Traces(
            [row.id for row in theirs],
            touched,
            [id_ for id_ in touched if id_ not in shared],
            frozenset(session_of(row) for row in theirs if row.session_id is not None),
        )

    # Stopping -------------------------------------------------------------------------------------------------

    async def _stop(self, user_key: str, traces: _Traces, *, force: bool) -> None:
        """Take their conversations out of everybody's hands, or refuse to."""
        for some in _lots(traces.conversations):
            async with self._store.write() as conn:
                c = conversations.c
                these = sa.and_(c.tenant == self._tenant, c.id.in_(some))
                await conn.execute(sa.select(c.id).where(these).order_by(c.id).with_for_update())
                if not force:
                    await self._refuse_open(conn, user_key, traces, some)
                    continue
                await self._take_away(conn, these, some, traces)

    async def _refuse_open(self, conn: AsyncConnection, user_key: str, traces: _Traces, some: Collection[str]) -> None:
        h, o, i = handoffs.c, outbox.c, inputs.c
        theirs = sa.and_(h.tenant == self._tenant, h.conversation_id.in_(some), h.user_key == user_key)
        query = sa.select(h.id).where(theirs, h.open).limit(1)
        if (id_ := (await conn.execute(query)).scalar()) is not None:
            msg = (
                f"hand-off {id_} of this customer is open; end it first (`hitl sessions end {id_}`), "
                "or erase with force, which leaves its ticket as it is"
            )
            raise StoreError(msg)
        doing = sa.exists().where(o.tenant == h.tenant, o.handoff_id == h.id, _OPEN_EFFECT)
        coming = sa.exists().where(i.tenant == h.tenant, i.conversation_id == h.conversation_id, OPEN_INPUT)
        if id_ := (await conn.execute(sa.select(h.id).where(theirs, sa.or_(doing, coming)).limit(1))).scalar():
            msg = (
                f"something is still to be done for hand-off {id_} of this customer; ask again in a moment, "
                "or erase with force, which forgets it"
            )
            raise StoreError(msg)

    async def _take_away(
        self, conn: AsyncConnection, these: sa.ColumnElement[bool], some: Collection[str], traces: _Traces
    ) -> None:
        h, c = handoffs.c, conversations.c
        ours = sa.and_(h.tenant == self._tenant, h.conversation_id.in_(some), h.id.in_(traces.ids))
        now = await self._store.now(conn)
        ended = {"open": False, "phase": "ended", "ended_at": now}
        stopped = set(
            (await conn.execute(sa.update(handoffs).where(ours, h.open).values(ended).returning(h.id))).scalars()
        )
        # Another fence makes whoever has it in memory read it again, and keeps what they are doing from being written.
        to_bot = sa.or_(c.handoff_id.in_(stopped), c.id.in_(traces.alone))
        await conn.execute(
            sa.update(conversations).where(these, to_bot).values(speaker="bot", handoff_id=None, fence=c.fence + 1)
        )
        t, o, i = timers.c, outbox.c, inputs.c
        for lot in _lots(traces.ids):
            await conn.execute(sa.delete(timers).where(t.tenant == self._tenant, t.handoff_id.in_(lot)))
            effects = sa.and_(o.tenant == self._tenant, o.handoff_id.in_(lot))
            await conn.execute(sa.delete(outbox).where(effects, _OPEN_EFFECT))
        alone = set(some) & set(traces.alone)
        await conn.execute(sa.delete(inputs).where(i.tenant == self._tenant, i.conversation_id.in_(alone), OPEN_INPUT))

    # Deleting -------------------------------------------------------------------------------------------------

    async def _content(self, traces: _Traces) -> Counter[str]:
        delete, gone = self._sweeper.delete, Counter[str]()
        for table in (inputs, outbox, audit, dead_letters, timers):
            name, t = table.name.removeprefix("hitl_"), table.c
            for some in _lots(traces.ids):
                gone[name] += await delete(table, t.tenant == self._tenant, t.handoff_id.in_(some))
            if table not in {outbox, timers}:
                gone[name] += await self._without_handoff(table, traces.alone)
        for some in _lots(traces.alone):
            b = blobs.c
            gone["blobs"] += await delete(blobs, b.tenant == self._tenant, b.conversation_id.in_(some))
        gone["deliveries"] += await self._deliveries(traces)
        return gone

    async def _user_links(self, user_key: str) -> int:
        """Unlink them everywhere; looked for without writing, since the connection comes first in the key."""
        u = user_links.c
        query = sa.select(*user_links.primary_key.columns).where(u.tenant == self._tenant, u.user_key == user_key)
        async with self._store.read() as conn:
            found = (await conn.execute(query)).all()
        return await self._sweeper.delete_at(user_links, found)

    async def _without_handoff(self, table: sa.Table, alone: Sequence[str]) -> int:
        """Delete what belongs to their conversations but to no hand-off; looked for without writing."""
        t, total = table.c, 0
        for some in _lots(alone):
            where = (t.tenant == self._tenant, t.handoff_id.is_(None), t.conversation_id.in_(some))
            async with self._store.read() as conn:
                found = (await conn.execute(sa.select(t.position).where(*where))).all()
            for lot in _lots(found):
                total += await self._sweeper.delete_at(table, lot)
        return total

    async def _deliveries(self, traces: _Traces) -> int:
        """Delete deliveries that name one of their sessions or conversations, but for those that are to be read yet.

        One of another customer that names it too is lost with it, which was read and whose events are kept.
        """
        d, total = deliveries.c, 0
        read = d.state.in_([DeliveryState.DONE.value, DeliveryState.DEAD.value])
        by_connection: dict[str, list[str]] = {connection: [] for connection, _ in traces.sessions}
        for connection, session_id in sorted(traces.sessions):
            by_connection[connection].append(session_id)
        for connection, ids in by_connection.items():
            for some in _lots([*ids, *traces.alone]):
                named = [d.payload.contains(json.dumps(id_, ensure_ascii=False), autoescape=True) for id_ in some]
                total += await self._sweeper.delete_found(
                    deliveries, d.tenant == self._tenant, d.connection == connection, read, sa.or_(*named)
                )
        return total

    async def _finish(self, traces: _Traces) -> Counter[str]:
        gone: Counter[str] = Counter()
        c, h = conversations.c, handoffs.c
        for some in _lots(traces.conversations):
            these = sa.and_(c.tenant == self._tenant, c.id.in_(some))
            async with self._store.write() as conn:
                await conn.execute(sa.select(c.id).where(these).order_by(c.id).with_for_update())
                theirs = sa.and_(h.tenant == self._tenant, h.conversation_id.in_(some), h.id.in_(traces.ids))
                rows = (
                    await conn.execute(
                        sa.delete(handoffs).where(theirs, sa.not_(h.open)).returning(h.connection, h.session_id)
                    )
                ).all()
                gone["handoffs"] += len(rows)
                sessions = {session_of(row) for row in rows if row.session_id is not None}
                linked, messages = await delete_sessions(conn, self._tenant, sessions, open=True)
                gone.update(links=linked, message_links=messages)
                gone["conversations"] += await self._forget(conn, these)
        return gone

    @staticmethod
    async def _forget(conn: AsyncConnection, these: sa.ColumnElement[bool]) -> int:
        c, h, i = conversations.c, handoffs.c, inputs.c
        left = sa.or_(
            sa.exists().where(h.tenant == c.tenant, h.conversation_id == c.id),
            sa.exists().where(i.tenant == c.tenant, i.conversation_id == c.id, OPEN_INPUT),
        )
        forgotten = (await conn.execute(sa.delete(conversations).where(these, sa.not_(left)))).rowcount
        await conn.execute(sa.update(conversations).where(these).values(fence=c.fence + 1))
        return forgotten

    async def _note(self, gone: Counter[str]) -> None:
        async with self._store.write() as conn:
            told = ", ".join(f"{count} {name}" for name, count in sorted(gone.items()))
            entry = AuditEntry(at=await self._store.now(conn), actor="operator", action="customer_erased", detail=told)
            await self._audit.append(conn, entry)


def _lots(all: Sequence[Any]) -> list[Sequence[Any]]:
    return [all[start : start + _AT_ONCE] for start in range(0, len(all), _AT_ONCE)]
