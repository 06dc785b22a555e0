"""Turns: in one transaction, what happened to some conversations is read, decided and written.

Whoever holds a conversation's row decides; what they decide, the inputs it answers and the effects it asks for become
visible together or not at all. Attempts are made after the commit that announced them, and what they came to is taken
in by the next turn.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.engine import loading, trail
from hitl_core.bridge.engine.attempts import Attempts
from hitl_core.bridge.engine.conversation import Conversation, GivenInput, Letter, Outcome, is_on
from hitl_core.bridge.engine.lanes import OpenEffect
from hitl_core.bridge.engine.progress import Advance
from hitl_core.bridge.handoff.inputs import AgentEvent, SessionRead, StartRequested
from hitl_core.bridge.handoff.records import Handoff
from hitl_core.bridge.policy import Policy
from hitl_core.bridge.store.audit import Audit, AuditEntry
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.intake_rows import release_parked, want
from hitl_core.bridge.store.tables import EffectState, LetterState
from hitl_core.bridge.store.turn_rows import TurnRows
from hitl_core.events import SessionEvent

__all__ = ["Came", "Committed", "Turns"]

_LOOKED_AT: Final = timedelta(milliseconds=50)
_INPUTS: Final = 500
_KEPT: Final = 2_000


@dataclass(frozen=True, slots=True)
class Came:
    """What an attempt came to.

    :param fence: of the turn that began it; another one has made its own of it since, and this tells nothing.
    """

    key: str
    fence: int
    advance: Advance


@dataclass
class Committed:
    """What a turn has changed.

    :ivar begun: effects whose attempt was announced, with their conversation; make them now.
    :ivar outcomes: what became of inputs.
    :ivar changed: hand-offs that are different now.
    :ivar again: conversations with more inputs than fitted.
    :ivar held: accounts that have to be mended, and what they said; ``None`` when they are mended.
    :ivar intake: sessions are to be read, or parked deliveries were released.
    :ivar next_at: when the earliest of the effects that wait for their time wants to be looked at, by conversation.
    """

    begun: list[tuple[Conversation, OpenEffect]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    changed: list[Handoff] = field(default_factory=list)
    again: set[str] = field(default_factory=set)
    held: dict[str, str | None] = field(default_factory=dict)
    intake: bool = False
    next_at: dict[str, datetime] = field(default_factory=dict)


class Turns:
    """The turns of one worker.

    :param worker: its id.
    :param live: ids of the workers that live, as far as is known; another one's conversation is theirs.
    :param dead: says which of some workers are dead, in the transaction that takes over from them.
    """

    def __init__(
        self,
        store: Store,
        tenant: str,
        *,
        worker: str,
        live: Callable[[], Collection[str]],
        dead: Callable[[AsyncConnection, Collection[str]], Awaitable[Collection[str]]],
        attempts: Attempts,
        policy: Policy,
    ) -> None:
        self.rows = TurnRows(store, tenant)
        self._audit = Audit(store, tenant)
        self._store = store
        self._tenant = tenant
        self._worker = worker
        self._live = live
        self._dead = dead
        self._attempts = attempts
        self._policy = policy
        self.keep_at_most = _KEPT
        """Conversations kept in memory; any other is read again when its turn comes."""
        self._kept: dict[str, Conversation] = {}
        self._came: dict[str, list[Came]] = {}
        self._in_flight: dict[str, int] = {}

    # Attempts -------------------------------------------------------------------------------------------------

    def came(self, conversation_id: str, came: Came) -> None:
        """Keep what an attempt came to for the next turn; it is not forgotten when that one fails."""
        self._came.setdefault(conversation_id, []).append(came)

    def begun(self, effect: OpenEffect, fence: int) -> None:
        """Note that an attempt is being made here."""
        self._in_flight[effect.key] = fence

    def ended(self, effect: OpenEffect, fence: int) -> None:
        """Note that an attempt is over."""
        if self._in_flight.get(effect.key) == fence:
            del self._in_flight[effect.key]

    # One turn -------------------------------------------------------------------------------------------------

    async def take(self, ids: Collection[str]) -> Committed:
        """Take a turn with these conversations; those that others have in hand are left to them.

        :raises StoreError: nothing was changed; ask again.
        """
        done = Committed()
        now = self._store.clock.now()
        in_hand: list[Conversation] = []
        took: dict[str, int] = {}
        try:
            async with self._store.write() as conn:
                await self._lock(conn, ids, in_hand, done)
                if in_hand:
                    given = await self._read(conn, in_hand, done)
                    for conversation in in_hand:
                        took[conversation.id] = len(self._came.get(conversation.id, ()))
                        self._decide(conversation, given.get(conversation.id, ()), now, done)
                    await self._write(conn, in_hand, now, done)
        except BaseException:
            # Nothing was written: what was decided in memory is read anew the next time.
            for conversation in in_hand:
                self._kept.pop(conversation.id, None)
            for _, effect in done.begun:
                self._attempts.let_go(effect)
            raise
        for conversation in in_hand:
            self._taken_in(conversation.id, took[conversation.id])
            self._keep(conversation)
        return done

    def _taken_in(self, conversation_id: str, count: int) -> None:
        rest = self._came.pop(conversation_id, [])[count:]
        if rest:  # came while the turn was being committed
            self._came[conversation_id] = rest

    def _keep(self, conversation: Conversation) -> None:
        conversation.forget_what_is_over()
        self._kept.pop(conversation.id, None)
        self._kept[conversation.id] = conversation
        if len(self._kept) > self.keep_at_most:
            del self._kept[next(iter(self._kept))]  # the one whose turn was longest ago

    # Reading --------------------------------------------------------------------------------------------------

    async def _lock(
        self, conn: AsyncConnection, ids: Collection[str], in_hand: list[Conversation], done: Committed
    ) -> None:
        rows = await self.rows.lock(conn, ids)
        missing = self._came.keys() & set(ids) - {row.id for row in rows}
        there = await self.rows.existing(conn, missing) if missing else frozenset()
        for id_ in missing:
            if id_ in there:  # another worker looks at it just now; nobody else will ask for what our attempt came to
                done.next_at[id_] = self._store.clock.now() + _LOOKED_AT
            else:
                del self._came[id_]
        others = {row.worker for row in rows if row.worker not in {None, self._worker}} - set(self._live())
        free = {None, self._worker, *(await self._dead(conn, others) if others else ())}
        unknown: dict[str, Conversation] = {}
        for row in rows:
            mine = row.worker == self._worker
            if row.worker not in free:
                self._came.pop(row.id, None)  # whoever took over has made its own of it
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
        for row in await self.rows.open_effects(conn, list(unknown)):
            effects[row.conversation_id].append(row)
            needed.add(row.handoff_id)
        now = self._store.clock.now()

        def interrupt(effect: OpenEffect) -> None:
            self._attempts.interrupt(effect, now)

        for id_, conversation in unknown.items():
            loading.effects_of(conversation, effects[id_], self._ours(conversation), interrupt)
        if needed:
            for row in await self.rows.handoffs(conn, needed):
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
            for row in await self.rows.recent_attempts(conn, list(open_ones), now - window):
                conversation, session_id = open_ones[row.handoff_id]
                conversation.updates.setdefault(session_id, deque()).append(row.attempting_at)

    def _ours(self, conversation: Conversation) -> Callable[[str], bool]:
        keys = {came.key for came in self._came.get(conversation.id, ()) if came.fence == conversation.fence}
        return lambda key: key in keys or self._in_flight.get(key) == conversation.fence

    async def _read(
        self, conn: AsyncConnection, in_hand: Sequence[Conversation], done: Committed
    ) -> dict[str, list[GivenInput]]:
        by_id = {conversation.id: conversation for conversation in in_hand}
        rows = await self.rows.open_inputs(conn, list(by_id), _INPUTS)
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
            for row in await self.rows.handoffs_about(conn, asking, sessions=sessions, keys=keys):
                handoffs = by_id[row.conversation_id].handoffs
                if row.id not in handoffs:
                    handoffs[row.id] = loading.handoff_of(row)
        return given

    # Deciding -------------------------------------------------------------------------------------------------

    def _decide(self, conversation: Conversation, given: Iterable[GivenInput], now: datetime, done: Committed) -> None:
        for came in self._came.get(conversation.id, ()):
            effect = conversation.lanes.get(came.key)
            if effect is not None and came.fence == conversation.fence and effect.state is EffectState.ATTEMPTING:
                self._judge_account(effect, came.advance, done)
                conversation.took(effect, came.advance, self._policy, now)
        for one in given:
            conversation.take(one, self._policy, now)
        self._begin(conversation, now, done)

    def _judge_account(self, effect: OpenEffect, came: Advance, done: Committed) -> None:
        """Hold an account that refuses us, before anything else is tried on it, and let it go once it does not."""
        connection = effect.connection
        if connection is None:
            return
        if came.hold is not None:
            self._attempts.hold(connection)
            done.held[connection] = came.hold.detail
        elif came.verdict == "done" and connection in self._attempts.paused:
            del self._attempts.paused[connection]
            done.held[connection] = None

    def _begin(self, conversation: Conversation, now: datetime, done: Committed) -> None:
        """Announce what is attempted next; what cannot be carried out at all is decided on at once."""
        while True:
            refused = False
            for effect in conversation.ready(now, self._attempts.may):
                try:
                    self._attempts.prepare(conversation, effect, now)
                except Exception as error:  # noqa: BLE001 - one that nobody can plan costs no other one
                    self._attempts.let_go(effect)
                    conversation.took(effect, self._attempts.refusal(effect, error), self._policy, now)
                    refused = True
                    break
                effect.state = EffectState.ATTEMPTING
                effect.attempts += 1
                effect.attempting_at = now
                effect.not_before = None
                conversation.lanes.touch(effect)
                done.begun.append((conversation, effect))
            if not refused:
                return

    # Writing --------------------------------------------------------------------------------------------------

    async def _write(
        self, conn: AsyncConnection, in_hand: Sequence[Conversation], now: datetime, done: Committed
    ) -> None:
        rows = self.rows
        await self._write_handoffs(conn, in_hand, now, done)
        await rows.settle_inputs(conn, [_outcome_row(one, now) for c in in_hand for one in c.outcomes])
        effects = [(c, effect) for c in in_hand for effect in c.lanes.changed.values()]
        await rows.save_effects(
            conn,
            new=[loading.new_effect(c.id, effect, now) for c, effect in effects if not effect.stored],
            changed=[loading.changed_effect(effect, now) for _, effect in effects if effect.stored],
        )
        for _, effect in effects:
            effect.stored = True
        await self._write_links(conn, in_hand, now, done)
        letters = [_letter_row(letter, c.id, now) for c in in_hand for letter in c.letters]
        await rows.save_letters(conn, letters)
        await rows.drop_unreadable(conn, [key for c in in_hand for key in c.unreadable], now)
        await rows.save_conversations(conn, [loading.conversation_row(c, self._worker, now) for c in in_hand])
        for conversation in in_hand:
            done.outcomes += conversation.outcomes
            wake_at = conversation.wake_at()
            if wake_at is not None:
                done.next_at[conversation.id] = wake_at

    async def _write_handoffs(
        self, conn: AsyncConnection, in_hand: Sequence[Conversation], now: datetime, done: Committed
    ) -> None:
        new, changed, armed = [], [], []
        disarmed: list[tuple[str, str]] = []
        ended: set[tuple[str, str]] = set()
        told: list[AuditEntry] = []
        for conversation in in_hand:
            for id_, before in conversation.before.items():
                handoff = conversation.handoffs[id_]
                told += trail.entries(before, handoff, now)
                if before is None:
                    new.append(loading.new_handoff(handoff))
                else:
                    changed.append(loading.handoff_row(handoff))
                done.changed.append(handoff)
                known = before.timers if before is not None else {}
                disarmed += [(id_, name) for name in known if name not in handoff.timers]
                armed += [
                    {"handoff_id": id_, "name": name, "conversation_id": conversation.id, "due_at": due}
                    for name, due in handoff.timers.items()
                    if known.get(name) != due
                ]
                if before is not None and before.open and not handoff.open and handoff.session is not None:
                    ended.add((handoff.session.ref.connection, handoff.session.id))
                    conversation.wanted.add(handoff.session.ref)  # what was lost until now is not compared any more
        await self.rows.save_handoffs(conn, new=new, changed=changed)
        await self.rows.save_timers(conn, armed=armed, disarmed=disarmed)
        await self.rows.close_links(conn, ended, open=False)
        await self._audit.append(conn, *told)

    async def _write_links(
        self, conn: AsyncConnection, in_hand: Sequence[Conversation], now: datetime, done: Committed
    ) -> None:
        links = [
            {
                "connection": connection,
                "session_id": id_,
                "conversation_id": conversation.id,
                "session": link.session.model_dump_json(),
                "cursor": link.cursor,
                "wanted_at": now,  # what happened before the link was made is read (behaviour F04)
                "linked_at": now,
                "open": any(
                    one.open and one.session is not None and one.session.ref == link.session.ref
                    for one in conversation.handoffs.values()
                ),
            }
            for conversation in in_hand
            for (connection, id_), link in conversation.session_links.items()
        ]
        await self.rows.save_links(conn, links)
        messages = [
            {
                "connection": link.session.connection,
                "session_id": link.session.id,
                "direction": link.direction,
                "vendor_id": link.vendor_id,
                "key": link.key,
                "message_id": link.message_id,
                "linked_at": now,
            }
            for conversation in in_hand
            for link in conversation.message_links
        ]
        await self.rows.save_message_links(conn, messages)
        wanted = {(ref.connection, ref.id) for conversation in in_hand for ref in conversation.wanted}
        for connection, id_ in sorted(wanted):
            await want(conn, self._tenant, connection, id_, now)
        released = {connection for conversation in in_hand for connection in conversation.released}
        for connection in sorted(released):
            await release_parked(conn, self._tenant, connection)
        done.intake = bool(wanted or released or links)


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


def _outcome_row(one: Outcome, now: datetime) -> dict[str, Any]:
    return {
        "position": one.position,
        "state": one.state.value,
        "outcome": one.outcome,
        "handoff_id": one.handoff_id,
        "done_at": now,
    }


def _letter_row(letter: Letter, conversation_id: str, now: datetime) -> dict[str, Any]:
    return {
        "source": letter.source,
        "source_position": letter.position,
        "conversation_id": conversation_id,
        "handoff_id": letter.handoff_id,
        "connection": letter.connection,
        "key": letter.key,
        "kind": letter.kind,
        "failure": letter.failure.value,
        "detail": letter.detail,
        "at": now,
        "state": LetterState.OPEN.value,
        "settled_at": None,
    }
