"""Writing what a turn has decided, all of it in the turn's one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.engine.turns import loading, trail
from hitl_core.bridge.engine.turns.conversation import Conversation, Letter, Outcome
from hitl_core.bridge.engine.turns.lanes import OpenEffect
from hitl_core.bridge.handoff.records import Handoff
from hitl_core.bridge.store.audit import Audit, AuditEntry
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.intake_rows import release_parked, want
from hitl_core.bridge.store.tables import LetterState
from hitl_core.bridge.store.turn_rows import TurnRows
from hitl_core.sessions import SessionRef

__all__ = ["Committed", "Saving"]


@dataclass
class Committed:
    """What a turn has changed.

    :ivar begun: effects whose attempt was announced, with their conversation; make them now.
    :ivar outcomes: what became of inputs.
    :ivar changed: hand-offs that are different now.
    :ivar again: conversations with more inputs than fitted.
    :ivar held: accounts that have to be mended, and what they said; ``None`` when they are mended.
    :ivar intake: sessions are to be read, or parked deliveries were released.
    :ivar letters: dead letters that were written.
    :ivar next_at: when the earliest of the effects that wait for their time wants to be looked at, by conversation.
    """

    begun: list[tuple[Conversation, OpenEffect]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    changed: list[Handoff] = field(default_factory=list)
    again: set[str] = field(default_factory=set)
    held: dict[str, str | None] = field(default_factory=dict)
    intake: bool = False
    letters: list[Letter] = field(default_factory=list)
    next_at: dict[str, datetime] = field(default_factory=dict)


class Saving:
    """How one worker writes what its turns have decided.

    :param worker: its id.
    """

    def __init__(self, store: Store, tenant: str, rows: TurnRows, *, worker: str) -> None:
        self._tenant = tenant
        self._rows = rows
        self._worker = worker
        self._audit = Audit(store, tenant)

    async def write(
        self, conn: AsyncConnection, in_hand: Sequence[Conversation], now: datetime, done: Committed
    ) -> None:
        """Write what a turn has made of conversations, and note in ``done`` what is known only once it is written."""
        rows = self._rows
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
            done.letters += conversation.letters
            wake_at = conversation.wake_at(now)
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
                for ref in _left(before, handoff):
                    ended.add((ref.connection, ref.id))
                    conversation.wanted.add(ref)  # what was lost until now is not compared any more
        await self._rows.save_handoffs(conn, new=new, changed=changed)
        await self._rows.save_timers(conn, armed=armed, disarmed=disarmed)
        await self._rows.close_links(conn, ended, open=False)
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
        links.sort(key=lambda row: (row["connection"], row["session_id"]))  # in one order, for all who lock them
        await self._rows.save_links(conn, links)
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
        await self._rows.save_message_links(conn, messages)
        wanted = {(ref.connection, ref.id) for conversation in in_hand for ref in conversation.wanted}
        for connection, id_ in sorted(wanted):
            await want(conn, self._tenant, connection, id_, now)
        released = {connection for conversation in in_hand for connection in conversation.released}
        for connection in sorted(released):
            await release_parked(conn, self._tenant, connection)
        done.intake = bool(wanted or released or links)


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


def _left(before: Handoff | None, after: Handoff) -> set[SessionRef]:
    """Return the sessions a hand-off was open on and is no more: as it has ended, or they were merged into another."""
    if before is None or not before.open:
        return set()
    refs = {one.session.ref for one in (before, after) if one.session is not None}
    return refs - {after.session.ref} if after.open and after.session is not None else refs
