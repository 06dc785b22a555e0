"""Dead letters: what could not be done, for people to look at, to try again or to let go (behaviour F21).

Everything works from another process, beside a running server: a replay is a change of rows that whoever works on the
conversation finds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.handoff.effects import effect_key
from hitl_core.bridge.handoff.records import Phase
from hitl_core.bridge.store.audit import Audit, AuditEntry
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.explaining import explain
from hitl_core.bridge.store.tables import (
    DeliveryState,
    EffectState,
    InputState,
    LetterState,
    conversations,
    dead_letters,
    deliveries,
    handoffs,
    inputs,
    outbox,
    workers,
)
from hitl_core.errors import StoreError

__all__ = ["Letter", "Letters", "explain"]

# As the partial indexes say it: with a bound value SQLite does not use them.
_OPEN: Final = sa.text("hitl_dead_letters.state = 0")
_OPEN_EFFECT: Final = sa.text("hitl_outbox.state < 2")

_PATIENCE: Final = 15.0  # seconds
_PAUSE: Final = 0.2
_ALIVE: Final = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter.

    :param position: its number, by which people name it.
    :param source: ``effect``, ``input``, ``delivery``, or ``decision``: what came of an effect could not be noted.
    :param source_position: of the row it is about; 0 when there is none.
    :param key: of the effect or input, or the delivery's id.
    :param failure: see :class:`~hitl_core.bridge.handoff.inputs.Failure`.
    :param detail: why, without secrets and without customers' words.
    """

    position: int
    source: str
    source_position: int
    conversation_id: str | None
    handoff_id: str | None
    connection: str | None
    key: str
    kind: str
    failure: str
    detail: str
    at: datetime
    state: LetterState
    settled_at: datetime | None


class Letters:
    """The dead letters of one tenant."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self._audit = Audit(store, tenant)

    async def add(
        self,
        conn: AsyncConnection,
        *,
        source: str,
        source_position: int,
        key: str,
        kind: str,
        failure: str,
        detail: str,
        at: datetime,
        conversation_id: str | None = None,
        handoff_id: str | None = None,
        connection: str | None = None,
    ) -> int:
        """Add a letter in the caller's transaction, and return its position."""
        row = {
            "tenant": self._tenant,
            "source": source,
            "source_position": source_position,
            "conversation_id": conversation_id,
            "handoff_id": handoff_id,
            "connection": connection,
            "key": key,
            "kind": kind,
            "failure": failure,
            "detail": detail,
            "at": at,
            "state": LetterState.OPEN.value,
            "settled_at": None,
        }
        added = await conn.execute(sa.insert(dead_letters).values(row).returning(dead_letters.c.position))
        position: int = added.scalar_one()
        return position

    # Looking --------------------------------------------------------------------------------------------------

    async def list(
        self, *, state: LetterState | None = LetterState.OPEN, after: int = 0, limit: int = 100
    ) -> Sequence[Letter]:
        """Return letters, oldest first.

        :param state: ``None`` for all of them.
        :param after: go on behind this position.
        :raises StoreError: the database is lost.
        """
        async with self._store.read() as conn:
            query = sa.select(dead_letters).where(self._in(state), dead_letters.c.position > after)
            rows = await conn.execute(query.order_by(dead_letters.c.position).limit(limit))
            return [_letter(row) for row in rows]

    async def count(self, *, state: LetterState | None = LetterState.OPEN) -> int:
        """Return how many there are.

        :raises StoreError: the database is lost.
        """
        async with self._store.read() as conn:
            counted = await conn.execute(sa.select(sa.func.count()).select_from(dead_letters).where(self._in(state)))
            number: int = counted.scalar_one()
            return number

    async def get(self, position: int) -> Letter | None:
        """Return a letter.

        :raises StoreError: the database is lost.
        """
        async with self._store.read() as conn:
            row = (await conn.execute(sa.select(dead_letters).where(self._at(position)))).one_or_none()
            return None if row is None else _letter(row)

    def _in(self, state: LetterState | None) -> sa.ColumnElement[bool]:
        which: sa.ColumnElement[bool] | sa.TextClause = sa.true()
        if state is not None:
            which = _OPEN if state is LetterState.OPEN else dead_letters.c.state == state.value
        return sa.and_(dead_letters.c.tenant == self._tenant, which)

    def _at(self, position: int) -> sa.ColumnElement[bool]:
        return sa.and_(dead_letters.c.tenant == self._tenant, dead_letters.c.position == position)

    # Settling -------------------------------------------------------------------------------------------------

    async def replay(self, position: int) -> Letter:
        """Have it tried again: an effect with all that is known of it, and looked up first if it may have happened.

        :returns: the letter as it is now.
        :raises StoreError: there is none, it is settled already, there is nothing left to try again, or its
            conversation is too busy just now.
        """
        ends = self._store.clock.monotonic() + _PATIENCE
        while True:
            async with self._store.write() as conn:
                letter = await self._open(conn, position)
                if await self._reopen(conn, letter):
                    return await self._settle(conn, letter, LetterState.REPLAYED, "letter_replayed")
            if self._store.clock.monotonic() >= ends:
                msg = f"something else of dead letter {position}'s conversation is being tried just now; try again"
                raise StoreError(msg)
            await self._store.clock.sleep(_PAUSE)

    async def drop(self, position: int) -> Letter:
        """Let it go for good.

        :returns: the letter as it is now.
        :raises StoreError: there is none, or it is settled already.
        """
        async with self._store.write() as conn:
            letter = await self._open(conn, position)
            return await self._settle(conn, letter, LetterState.DROPPED, "letter_dropped")

    async def _open(self, conn: AsyncConnection, position: int) -> Letter:
        """Lock a letter that is not settled."""
        found = await conn.execute(sa.select(dead_letters).where(self._at(position)).with_for_update())
        row = found.one_or_none()
        if row is None:
            msg = f"there is no dead letter {position}; `hitl deadletters list` shows those there are"
            raise StoreError(msg)
        letter = _letter(row)
        if letter.state is not LetterState.OPEN:
            at = f"{letter.settled_at:%Y-%m-%d %H:%M:%S} UTC"
            msg = f"dead letter {position} was {letter.state.name.lower()} already, at {at}"
            raise StoreError(msg)
        return letter

    async def _settle(self, conn: AsyncConnection, letter: Letter, state: LetterState, action: str) -> Letter:
        now = await self._store.now(conn)
        changed = await conn.execute(
            sa.update(dead_letters)
            .where(self._at(letter.position))
            .values(state=state.value, settled_at=now)
            .returning(*dead_letters.c)
        )
        entry = AuditEntry(
            at=now,
            actor="operator",
            action=action,
            conversation_id=letter.conversation_id,
            handoff_id=letter.handoff_id,
            detail=f"{letter.source} {letter.kind} {letter.position}",
        )
        await self._audit.append(conn, entry)
        return _letter(changed.one())

    # Trying again ---------------------------------------------------------------------------------------------

    async def _reopen(self, conn: AsyncConnection, letter: Letter) -> bool:
        """Make what the letter is about open again; False when that has to wait a moment."""
        match letter.source:
            case "effect":
                return await self._reopen_effect(conn, letter)
            case "input":
                again: dict[str, Any] = {"state": InputState.OPEN.value, "outcome": None, "done_at": None}
                dead = sa.and_(inputs.c.state == InputState.DEAD.value, inputs.c.tenant == self._tenant)
                await self._change(conn, letter, inputs, dead, again)
            case "delivery":
                again = {"state": DeliveryState.OPEN.value, "attempts": 0, "not_before": None, "done_at": None}
                dead = sa.and_(deliveries.c.state == DeliveryState.DEAD.value, deliveries.c.tenant == self._tenant)
                await self._change(conn, letter, deliveries, dead, again | {"detail": None})
            case _:
                raise _nothing_left(letter, "it is about what is done already")
        return True

    @staticmethod
    async def _change(
        conn: AsyncConnection, letter: Letter, table: sa.Table, dead: sa.ColumnElement[bool], again: dict[str, Any]
    ) -> None:
        changed = await conn.execute(
            sa.update(table).where(table.c.position == letter.source_position, dead).values(again)
        )
        if not changed.rowcount:
            raise _nothing_left(letter, "it is gone, or was dealt with")

    async def _reopen_effect(self, conn: AsyncConnection, letter: Letter) -> bool:
        c, o = conversations.c, outbox.c
        whose = sa.and_(c.tenant == self._tenant, c.id == letter.conversation_id)
        # Held until the end, so that nobody decides on the conversation meanwhile.
        conversation = (await conn.execute(sa.select(conversations).where(whose).with_for_update())).one_or_none()
        failed = sa.and_(o.tenant == self._tenant, o.state == EffectState.FAILED.value)
        rows = (
            await conn.execute(
                sa.select(outbox)
                .where(failed, sa.or_(o.key == letter.key, o.merged_into == letter.key))
                .where(o.handoff_id == letter.handoff_id)
            )
        ).all()
        if conversation is None or letter.key not in {row.key for row in rows}:
            raise _nothing_left(letter, "it is gone, or was dealt with")
        if letter.kind == "start_session" and not await self._is_starting(conn, letter):
            raise _nothing_left(letter, "its hand-off has gone on without it, or is over; start a new one")
        if await self._is_busy(conn, conversation):
            return False
        for row in rows:
            await conn.execute(sa.update(outbox).where(o.position == row.position).values(_tried_anew(row)))
        # Whoever has the conversation in memory has to read it again, which another fence makes them do.
        await conn.execute(sa.update(conversations).where(whose).values(wake_at=letter.at, fence=c.fence + 1))
        return True

    async def _is_starting(self, conn: AsyncConnection, letter: Letter) -> bool:
        """Whether a hand-off still waits for this very start: else its ticket would be one too many."""
        h = handoffs.c
        query = sa.select(h.phase, h.record).where(h.tenant == self._tenant, h.id == letter.handoff_id)
        row = (await conn.execute(query)).one_or_none()
        if row is None or row.phase != Phase.STARTING:
            return False
        attempt = json.loads(row.record).get("attempt", 0)
        return letter.key == effect_key(letter.handoff_id or "", "start", attempt or "")

    async def _is_busy(self, conn: AsyncConnection, conversation: sa.Row[Any]) -> bool:
        """Whether something of a conversation is being attempted by a worker that lives: its result would be lost."""
        o, w = outbox.c, workers.c
        attempting = sa.exists().where(
            o.tenant == self._tenant,
            o.conversation_id == conversation.id,
            _OPEN_EFFECT,
            o.state == EffectState.ATTEMPTING.value,
        )
        alive = sa.exists().where(w.id == conversation.worker, w.seen_at > await self._store.now(conn) - _ALIVE)
        return bool((await conn.execute(sa.select(sa.and_(attempting, alive)))).scalar_one())


def _tried_anew(row: sa.Row[Any]) -> dict[str, Any]:
    """Return what to change of an effect: patience and back-off begin anew, what it has come to is kept."""
    # A watch counts its looks in there; all of them are to be made again.
    progress = row.progress if row.kind != "watch_start" else None
    if progress is not None:
        progress = json.dumps({**json.loads(progress), "failures": 0, "began_at": None})
    return {
        "state": EffectState.WAITING.value,
        "attempting_at": None,
        "not_before": None,
        "done_at": None,
        "failure": None,
        "detail": None,
        "progress": progress,
    }


def _nothing_left(letter: Letter, why: str) -> StoreError:
    return StoreError(f"dead letter {letter.position} cannot be replayed: {why}; drop it instead")


def _letter(row: sa.Row[Any]) -> Letter:
    facts = {name: value for name, value in row._mapping.items() if name != "tenant"}  # noqa: SLF001 - its public name
    return Letter(**{**facts, "state": LetterState(row.state)})
