"""Taking conversations in hand: whose turn it is, and what has to be known of them to decide."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.engine.turns import loading
from hitl_core.bridge.engine.turns.attempts import Attempts
from hitl_core.bridge.engine.turns.conversation import Conversation, GivenInput, is_on
from hitl_core.bridge.engine.turns.lanes import OpenEffect
from hitl_core.bridge.engine.turns.saving import Committed
from hitl_core.bridge.engine.turns.underway import UnderWay
from hitl_core.bridge.handoff.inputs import AgentEvent, SessionRead, StartRequested
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.turn_rows import TurnRows
from hitl_core.events import SessionEvent

__all__ = ["Taking"]

_LOOKED_AT: Final = timedelta(milliseconds=50)
_INPUTS: Final = 500


class Taking:
    """How one worker takes conversations in hand, in the transaction of a turn.

    :param worker: its id.
    :param live: ids of the workers that live, as far as is known; another one's conversation is theirs.
    :param dead: says which of some workers are dead, in the transaction that takes over from them.
    :param kept: conversations in memory, by id.
    """

    def __init__(
        self,
        store: Store,
        rows: TurnRows,
        *,
        worker: str,
        live: Callable[[], Collection[str]],
        dead: Callable[[AsyncConnection, Collection[str]], Awaitable[Collection[str]]],
        attempts: Attempts,
        under_way: UnderWay,
        kept: dict[str, Conversation],
    ) -> None:
        self._store = store
        self._rows = rows
        self._worker = worker
        self._live = live
        self._dead = dead
        self._attempts = attempts
        self._under_way = under_way
        self._kept = kept

    async def take(
        self, conn: AsyncConnection, ids: Collection[str], in_hand: list[Conversation], done: Committed
    ) -> None:
        """Lock conversations and read those that are not in memory; what others have is left to them.

        :param in_hand: filled with them, also when something fails on the way.
        """
        rows = await self._rows.lock(conn, ids)
        missing = self._under_way.among(ids) - {row.id for row in rows}
        there = await self._rows.existing(conn, missing) if missing else frozenset()
        for id_ in missing:
            if id_ in there:  # another worker looks at it just now; nobody else will ask for what our attempt came to
                done.next_at[id_] = self._store.clock.now() + _LOOKED_AT
            else:
                self._under_way.forget(id_)
        others = {row.worker for row in rows if row.worker not in {None, self._worker}} - set(self._live())
        free = {None, self._worker, *(await self._dead(conn, others) if others else ())}
        unknown: dict[str, Conversation] = {}
        for row in rows:
            mine = row.worker == self._worker
            if row.worker not in free:
                self._under_way.forget(row.id)  # whoever took over has made its own of it
                self._kept.pop(row.id, None)
                continue
            kept = self._kept.get(row.id)
            # After a purge the numbers of a conversation begin anew, so the same one may be of another life.
            known = kept is not None and kept.fence == row.fence and kept.current == row.handoff_id
            if kept is not None and known and (mine or (row.worker is None and not kept.lanes)):
                conversation = kept
                conversation.begin()
            else:
                conversation = unknown[row.id] = Conversation(row.id, row.fence, row.handoff_id)
            if not mine:
                conversation.fence = row.fence + 1
            in_hand.append(conversation)
        if unknown:
            await self._load(conn, unknown)

    async def _load(self, conn: AsyncConnection, unknown: Mapping[str, Conversation]) -> None:
        effects: dict[str, list[sa.Row[Any]]] = defaultdict(list)
        needed = {conversation.current for conversation in unknown.values() if conversation.current}
        for row in await self._rows.open_effects(conn, list(unknown)):
            effects[row.conversation_id].append(row)
            needed.add(row.handoff_id)
        now = self._store.clock.now()

        def interrupt(effect: OpenEffect) -> None:
            self._attempts.interrupt(effect, now)

        for id_, conversation in unknown.items():
            loading.effects_of(conversation, effects[id_], self._under_way.ours(conversation), interrupt)
        if needed:
            for row in await self._rows.handoffs(conn, needed):
                unknown[row.conversation_id].handoffs[row.id] = loading.handoff_of(row)
        if self._attempts.paced:
            await self._recall_updates(conn, unknown.values(), now)

    async def _recall_updates(self, conn: AsyncConnection, unknown: Iterable[Conversation], now: datetime) -> None:
        """Learn how often sessions were updated of late, by whoever had them, where their helpdesk counts that."""
        paces = self._attempts.paced
        open_ones = {
            handoff.id: (conversation, handoff.session.id)
            for conversation in unknown
            for handoff in conversation.handoffs.values()
            if handoff.session is not None and handoff.connection in paces
        }
        if open_ones:
            window = max(pace.window for pace in paces.values())
            for row in await self._rows.recent_attempts(conn, list(open_ones), now - window):
                conversation, session_id = open_ones[row.handoff_id]
                conversation.updates.setdefault(session_id, deque()).append(row.attempting_at)

    async def inputs(
        self, conn: AsyncConnection, in_hand: Sequence[Conversation], done: Committed
    ) -> dict[str, list[GivenInput]]:
        """Return what happened to conversations, by conversation, and read the hand-offs that is about."""
        by_id = {conversation.id: conversation for conversation in in_hand}
        rows = await self._rows.open_inputs(conn, list(by_id), _INPUTS)
        if len(rows) == _INPUTS:
            done.again.update(by_id)
        given: dict[str, list[GivenInput]] = defaultdict(list)
        sessions: set[str] = set()
        keys: set[str] = set()
        asking: set[str] = set()
        for row in rows:
            one = loading.input_of(row)
            given[row.conversation_id].append(one)
            session, key = _asks_for(by_id[row.conversation_id], one)
            sessions |= session
            keys |= key
            if session or key:
                asking.add(row.conversation_id)
        if asking:
            for row in await self._rows.handoffs_about(conn, asking, sessions=sessions, keys=keys):
                handoffs = by_id[row.conversation_id].handoffs
                if row.id not in handoffs:
                    handoffs[row.id] = loading.handoff_of(row)
        return given


def _asks_for(conversation: Conversation, given: GivenInput) -> tuple[set[str], set[str]]:
    """Return the sessions and start keys an input needs hand-offs of that are not at hand."""
    match given.input:
        case AgentEvent(event=SessionEvent(session=session)) | SessionRead(session=session):
            latest = conversation.handoff
            at_hand = latest is None or is_on(latest, session)
            return (set() if at_hand else {session.id}), set()
        case StartRequested(key=key):
            return set(), {key}
        case _:
            return set(), set()
