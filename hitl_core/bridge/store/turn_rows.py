"""What a turn reads and writes, each kind of row in one statement for all conversations of the turn."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.store.among import among
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import (
    EffectState,
    conversations,
    dead_letters,
    handoffs,
    inputs,
    links,
    message_links,
    outbox,
    timers,
)

__all__ = ["TurnRows"]

_OPEN_EFFECT: Final = sa.text("hitl_outbox.state < 2")
_OPEN_INPUT: Final = sa.text("hitl_inputs.state = 0")

Row = Any  # of the columns that were asked for


class TurnRows:
    """The rows of one tenant."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        t = tenant
        c, h, i, o = conversations.c, handoffs.c, inputs.c, outbox.c
        self._lock = (
            sa.select(conversations)
            .where(c.tenant == t, among(store, c.id, "b_ids"))
            .order_by(c.id)
            .with_for_update(skip_locked=True)  # nothing on SQLite, where a writing transaction is alone anyway
        )
        self._open_inputs = (
            sa.select(i.position, i.conversation_id, i.key, i.kind, i.payload)
            .where(i.tenant == t, among(store, i.conversation_id, "b_ids"), _OPEN_INPUT)
            .order_by(i.position)
            .limit(sa.bindparam("b_limit", type_=sa.Integer()))
        )
        self._open_effects = (
            sa.select(outbox)
            .where(o.tenant == t, among(store, o.conversation_id, "b_ids"), _OPEN_EFFECT)
            .order_by(o.position)
        )
        self._handoffs = sa.select(h.id, h.conversation_id, h.record, h.policy).where(
            h.tenant == t, among(store, h.id, "b_ids")
        )
        me, limit = sa.bindparam("b_me", type_=sa.Text()), sa.bindparam("b_limit", type_=sa.Integer())
        lives = among(store, c.worker, "b_live")
        self._with_open_inputs = (
            sa.select(i.conversation_id)
            .join(conversations, sa.and_(c.tenant == i.tenant, c.id == i.conversation_id))
            .where(i.tenant == t, _OPEN_INPUT, sa.or_(c.worker.is_(None), c.worker == me, sa.not_(lives)))
            .group_by(i.conversation_id)
            .order_by(sa.func.min(i.position))
            .limit(limit)
        )
        due = sa.and_(
            sa.or_(c.worker.is_(None), c.worker == me), c.wake_at <= sa.bindparam("b_now", type_=c.wake_at.type)
        )
        self._wanting = (
            sa.select(c.id)
            .where(c.tenant == t, c.wake_at.is_not(None), sa.or_(sa.not_(lives), due))
            .order_by(c.wake_at)
            .limit(limit)
        )
        self._next_timer = sa.select(sa.func.min(timers.c.due_at, type_=timers.c.due_at.type)).where(
            timers.c.tenant == t
        )
        self._new_effects = store.insert(outbox).on_conflict_do_nothing()
        self._new_message_links = store.insert(message_links).on_conflict_do_nothing()
        self._handoff_update = (
            handoffs.update()
            .where(h.tenant == t, h.id == sa.bindparam("b_id"))
            .values(
                {
                    name: sa.bindparam(f"b_{name}")
                    for name in (
                        "connection",
                        "phase",
                        "end_reason",
                        "session_id",
                        "ended_at",
                        "open",
                        "version",
                        "record",
                    )
                }
            )
        )
        self._conversation_update = (
            conversations.update()
            .where(c.tenant == t, c.id == sa.bindparam("b_id"))
            .values(
                {name: sa.bindparam(f"b_{name}") for name in ("handoff_id", "speaker", "worker", "fence", "wake_at")}
            )
        )
        self._input_update = (
            inputs.update()
            .where(i.position == sa.bindparam("b_position"))
            .values({name: sa.bindparam(f"b_{name}") for name in ("state", "outcome", "handoff_id", "done_at")})
        )
        self._effect_update = (
            outbox.update()
            .where(o.tenant == t, o.key == sa.bindparam("b_key"))
            .values(
                {
                    name: sa.bindparam(f"b_{name}")
                    for name in (
                        "state", "attempts", "attempting_at", "not_before", "done_at", "failure", "detail", "progress",
                        "merged_into",
                    )
                }
            )
        )  # fmt: skip

    # Reading --------------------------------------------------------------------------------------------------

    async def lock(self, conn: AsyncConnection, ids: Collection[str]) -> Sequence[Row]:
        """Return the rows of these conversations that nobody else has in a turn of theirs, locked."""
        return (await conn.execute(self._lock, {"b_ids": ids})).all()

    async def existing(self, conn: AsyncConnection, ids: Collection[str]) -> frozenset[str]:
        """Return those of these conversations that there are, whoever has them."""
        c = conversations.c
        query = sa.select(c.id).where(c.tenant == self._tenant, c.id.in_(ids))
        return frozenset((await conn.execute(query)).scalars())

    async def open_inputs(self, conn: AsyncConnection, ids: Collection[str], limit: int) -> Sequence[Row]:
        """Return open inputs of these conversations in the order they were accepted."""
        return (await conn.execute(self._open_inputs, {"b_ids": ids, "b_limit": limit})).all()

    async def open_effects(self, conn: AsyncConnection, ids: Collection[str]) -> Sequence[Row]:
        """Return open effects of these conversations in the order they were decided."""
        return (await conn.execute(self._open_effects, {"b_ids": ids})).all()

    async def handoffs(self, conn: AsyncConnection, ids: Collection[str]) -> Sequence[Row]:
        """Return hand-offs by id."""
        return (await conn.execute(self._handoffs, {"b_ids": ids})).all()

    async def handoffs_about(
        self, conn: AsyncConnection, ids: Collection[str], *, sessions: Collection[str], keys: Collection[str]
    ) -> Sequence[Row]:
        """Return hand-offs of these conversations that were on one of the sessions, or began with one of the keys."""
        h = handoffs.c
        query = sa.select(h.id, h.conversation_id, h.record, h.policy).where(
            h.tenant == self._tenant,
            h.conversation_id.in_(ids),
            sa.or_(h.session_id.in_(sessions), h.key.in_(keys)),
        )
        return (await conn.execute(query)).all()

    async def recent_attempts(
        self, conn: AsyncConnection, handoff_ids: Collection[str], since: datetime
    ) -> Sequence[Row]:
        """Return when these hand-offs' sessions were written to since then, oldest first."""
        o = outbox.c
        query = (
            sa.select(o.handoff_id, o.attempting_at)
            .where(
                o.tenant == self._tenant,
                o.handoff_id.in_(handoff_ids),
                o.kind.in_(("send_to_desk", "stop_session")),
                o.attempting_at > since,
            )
            .order_by(o.attempting_at)
        )
        return (await conn.execute(query)).all()

    # Writing --------------------------------------------------------------------------------------------------

    async def save_handoffs(
        self, conn: AsyncConnection, *, new: Sequence[dict[str, Any]], changed: Sequence[dict[str, Any]]
    ) -> None:
        """Write hand-offs; what ends comes before what begins, since one of a conversation is open at most."""
        if changed:
            await conn.execute(self._handoff_update, _bound(changed))
        if new:
            await conn.execute(handoffs.insert(), [{"tenant": self._tenant, **row} for row in new])

    async def save_conversations(self, conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
        """Write whose turn it is, and who answers the customer."""
        if rows:
            await conn.execute(self._conversation_update, _bound(rows))

    async def settle_inputs(self, conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
        """Write what became of inputs."""
        if rows:
            await conn.execute(self._input_update, _bound(rows))

    async def save_effects(
        self, conn: AsyncConnection, *, new: Sequence[dict[str, Any]], changed: Sequence[dict[str, Any]]
    ) -> None:
        """Write effects: new ones in the order they are to be carried out."""
        if changed:
            await conn.execute(self._effect_update, _bound(changed))
        if new:
            rows = [{"tenant": self._tenant, **row} for row in new]
            await conn.execute(self._new_effects, rows)

    async def save_timers(
        self, conn: AsyncConnection, *, armed: Sequence[dict[str, Any]], disarmed: Iterable[tuple[str, str]]
    ) -> None:
        """Write what is due when."""
        gone = [{"b_handoff_id": handoff_id, "b_name": name} for handoff_id, name in disarmed]
        t = timers.c
        if gone:
            await conn.execute(
                timers.delete().where(
                    t.tenant == self._tenant,
                    t.handoff_id == sa.bindparam("b_handoff_id"),
                    t.name == sa.bindparam("b_name"),
                ),
                gone,
            )
        if armed:
            statement = self._store.insert(timers)
            await conn.execute(
                statement.on_conflict_do_update(
                    index_elements=["tenant", "handoff_id", "name"], set_={"due_at": statement.excluded.due_at}
                ),
                [{"tenant": self._tenant, **row} for row in armed],
            )

    async def save_links(self, conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
        """Write which sessions belong to which conversations; a cursor that is known stays."""
        if not rows:
            return
        statement = self._store.insert(links)
        given = statement.excluded
        await conn.execute(
            statement.on_conflict_do_update(
                index_elements=["tenant", "connection", "session_id"],
                set_={
                    "conversation_id": given.conversation_id,
                    "session": given.session,
                    "cursor": sa.func.coalesce(links.c.cursor, given.cursor),
                    "wanted_at": sa.func.coalesce(given.wanted_at, links.c.wanted_at),
                    "open": given.open,
                },
            ),
            [{"tenant": self._tenant, **row} for row in rows],
        )

    async def close_links(self, conn: AsyncConnection, sessions: Collection[tuple[str, str]], *, open: bool) -> None:
        """Note whether a hand-off is open on these sessions."""
        if sessions:
            n = links.c
            await conn.execute(
                links.update()
                .where(
                    n.tenant == self._tenant,
                    n.connection == sa.bindparam("b_connection"),
                    n.session_id == sa.bindparam("b_session_id"),
                )
                .values(open=open),
                [{"b_connection": connection, "b_session_id": id_} for connection, id_ in sorted(sessions)],
            )

    async def save_message_links(self, conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
        """Write which messages are one on both sides."""
        if rows:
            await conn.execute(self._new_message_links, [{"tenant": self._tenant, **row} for row in rows])

    async def save_letters(self, conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
        """Write dead letters; where an effect's row is found by its key, the position is looked up."""
        for row in rows:
            position = row["source_position"]
            if position is None:
                o = outbox.c
                found = await conn.execute(sa.select(o.position).where(o.tenant == self._tenant, o.key == row["key"]))
                position = found.scalar_one_or_none() or 0
            await conn.execute(dead_letters.insert(), {"tenant": self._tenant, **row, "source_position": position})

    async def drop_unreadable(self, conn: AsyncConnection, keys: Sequence[str], now: datetime) -> None:
        """Take effects this version cannot read out of the way; their dead letters can be replayed by a newer one."""
        if keys:
            o = outbox.c
            await conn.execute(
                outbox.update()
                .where(o.tenant == self._tenant, o.key.in_(keys))
                .values(state=EffectState.FAILED.value, done_at=now)
            )

    # Finding --------------------------------------------------------------------------------------------------

    async def with_open_inputs(self, conn: AsyncConnection, live: Collection[str], me: str, limit: int) -> list[str]:
        """Return conversations with open inputs that nobody else who lives has in hand."""
        given = {"b_live": live, "b_me": me, "b_limit": limit}
        return list((await conn.execute(self._with_open_inputs, given)).scalars())

    async def wanting(
        self, conn: AsyncConnection, live: Collection[str], me: str, now: datetime, limit: int
    ) -> list[str]:
        """Return conversations with open effects that are due, or whose worker died."""
        given = {"b_live": [*live, me], "b_me": me, "b_now": now, "b_limit": limit}
        return list((await conn.execute(self._wanting, given)).scalars())

    async def due_timers(self, conn: AsyncConnection, now: datetime, limit: int) -> Sequence[Row]:
        """Return timers that are due, oldest first, locked."""
        t = timers.c
        query = sa.select(timers).where(t.tenant == self._tenant, t.due_at <= now).order_by(t.due_at).limit(limit)
        return (await conn.execute(query.with_for_update(skip_locked=True))).all()

    async def next_timer(self, conn: AsyncConnection) -> datetime | None:
        """Return when the next timer is due."""
        moment: datetime | None = (await conn.execute(self._next_timer)).scalar_one()
        return moment

    async def release(self, conn: AsyncConnection, worker: str, now: datetime) -> None:
        """Give all conversations back, for others to go on with at once."""
        c = conversations.c
        await conn.execute(
            conversations.update()
            # Whoever has a worker has something to do; by that they are found among all that there ever were.
            .where(c.tenant == self._tenant, c.wake_at.is_not(None), c.worker == worker)
            .values(worker=None, wake_at=now)
        )


def _bound(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{f"b_{name}": value for name, value in row.items()} for row in rows]
