"""From rows to a conversation in hand, and back."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from hitl_core.bridge.engine.progress import Progress
from hitl_core.bridge.engine.turns.conversation import Conversation, GivenInput, Letter
from hitl_core.bridge.engine.turns.lanes import UNWANTED, OpenEffect
from hitl_core.bridge.handoff.effects import parse_effect
from hitl_core.bridge.handoff.inputs import Failure, parse_input
from hitl_core.bridge.handoff.records import Handoff
from hitl_core.bridge.policy import Policy
from hitl_core.bridge.store.tables import EffectState

__all__ = [
    "changed_effect",
    "conversation_row",
    "effects_of",
    "handoff_of",
    "handoff_row",
    "input_of",
    "new_effect",
    "new_handoff",
]

logger = logging.getLogger(__name__)

_ATTEMPTED: Final = timedelta(hours=1)
_STARVED: Final = timedelta(seconds=10)  # room is told at once; this is in case it was not
_UNREADABLE: Final = "this version cannot read it; replay it once every worker has the newer version"

Row = Any  # of the columns that were asked for


def input_of(row: Row) -> GivenInput:
    """Read an input; one of a newer version is kept for it as a dead letter."""
    try:
        return GivenInput(row.position, row.key, row.kind, parse_input(row.payload))
    except ValidationError:
        return GivenInput(row.position, row.key, row.kind, None, _UNREADABLE)


def handoff_of(row: Row) -> Handoff:
    """Read a hand-off; its policy is kept beside it and shared by all that have the same."""
    record = Handoff.model_validate_json(row.record)
    return record.model_copy(update={"policy": Policy.from_stored(row.policy)})


def effects_of(
    conversation: Conversation,
    rows: Iterable[Row],
    ours: Callable[[str], bool],
    interrupt: Callable[[OpenEffect], None],
) -> None:
    """Put the open effects of a conversation into its lanes.

    :param ours: whether the attempt of an effect is one that this worker is making, or has just made.
    :param interrupt: goes on with one that nobody is making any more.
    """
    leaders: dict[str, str] = {}
    for row in rows:
        try:
            what = parse_effect(row.payload)
            progress = Progress.model_validate_json(row.progress) if row.progress else None
        except ValidationError:
            conversation.letters.append(
                Letter("effect", row.key, row.kind, Failure.REFUSED, _UNREADABLE, row.handoff_id, row.connection)
            )
            conversation.unreadable.append(row.key)
            continue
        effect = OpenEffect(
            what,
            row.handoff_id,
            state=EffectState(row.state),
            progress=progress,
            attempts=row.attempts,
            attempting_at=row.attempting_at,
            not_before=row.not_before,
            unwanted=row.failure == UNWANTED,
            failure=row.failure,
            detail=row.detail,
            stored=True,
        )
        conversation.lanes.restore(effect)
        if row.merged_into:
            leaders[row.key] = row.merged_into
    for key, leader_key in leaders.items():
        member, leader = conversation.lanes.get(key), conversation.lanes.get(leader_key)
        if member is not None and leader is not None:
            member.merged_into = leader
            leader.members.append(member)
    for effect in list(conversation.lanes):
        if effect.state is EffectState.ATTEMPTING and not ours(effect.key):
            interrupt(effect)
            conversation.lanes.touch(effect)


# Rows -------------------------------------------------------------------------------------------------------------


def new_handoff(handoff: Handoff) -> dict[str, Any]:
    """Return the row of a hand-off that has none yet."""
    changed = handoff_row(handoff)
    return {
        **changed,
        "conversation_id": handoff.conversation_id,
        "key": handoff.key,
        "user_key": handoff.user.external_id,
        "started_at": handoff.started_at,
        "policy": handoff.policy.to_stored(),
    }


def handoff_row(handoff: Handoff) -> dict[str, Any]:
    """Return what may change of a hand-off's row."""
    return {
        "id": handoff.id,
        "connection": handoff.connection,
        "phase": handoff.phase.value,
        "end_reason": handoff.end_reason.value if handoff.end_reason else None,
        "session_id": handoff.session.id if handoff.session else None,
        "ended_at": handoff.ended_at,
        "open": handoff.open,
        "version": handoff.version,
        "record": handoff.model_dump_json(exclude={"policy"}),
    }


def new_effect(conversation_id: str, effect: OpenEffect, now: datetime) -> dict[str, Any]:
    """Return the row of an effect that has none yet."""
    return {
        **changed_effect(effect, now),
        "conversation_id": conversation_id,
        "handoff_id": effect.handoff_id,
        "connection": effect.connection,
        "lane": effect.effect.lane,
        "kind": effect.effect.kind,
        "after": json.dumps(list(effect.effect.after)) if effect.effect.after else None,
        "created_at": now,
        "payload": effect.effect.model_dump_json(),
    }


def changed_effect(effect: OpenEffect, now: datetime) -> dict[str, Any]:
    """Return what may change of an effect's row."""
    settled = effect.state not in {EffectState.WAITING, EffectState.ATTEMPTING}
    return {
        "key": effect.key,
        "state": effect.state.value,
        "attempts": effect.attempts,
        "attempting_at": effect.attempting_at,
        "not_before": effect.not_before,
        "done_at": now if settled else None,
        "failure": effect.failure,
        "detail": effect.detail,
        "progress": effect.progress.stored() if effect.progress is not None else None,
        "merged_into": effect.merged_into.key if effect.merged_into is not None else None,
    }


def conversation_row(conversation: Conversation, worker: str, now: datetime) -> dict[str, Any]:
    """Return whose turn it is: ours as long as anything is to be done, else nobody's."""
    handoff = conversation.handoff
    busy = len(conversation.lanes) > 0
    otherwise = now + (_ATTEMPTED if conversation.lanes.attempting else _STARVED)
    return {
        "id": conversation.id,
        "handoff_id": conversation.current,
        "speaker": handoff.owner.value if handoff is not None else "bot",
        "worker": worker if busy else None,
        "fence": conversation.fence,
        "wake_at": (conversation.wake_at(now) or otherwise) if busy else None,
    }
