"""What the helpdesk says of a session whose hand-off has ended: never lost without a word (behaviour F07)."""

from __future__ import annotations

import hashlib
from typing import Final

from hitl_core.bridge.handoff import timing
from hitl_core.bridge.handoff.agents import agent_message
from hitl_core.bridge.handoff.effects import effect_key
from hitl_core.bridge.handoff.records import EndReason, Handoff, Phase
from hitl_core.bridge.handoff.step import Step
from hitl_core.events import (
    AgentMessage,
    AgentMessageDeleted,
    AgentMessageUpdated,
    MessageStatus,
    SessionEvent,
    SessionReopened,
    SessionStopped,
)

__all__ = ["apply_late"]

_LEFT: Final = frozenset({EndReason.USER_CLOSED, EndReason.STOP_REQUESTED, EndReason.INTERNAL_ERROR})
"""Ends after which the customer is not fetched back, whatever an agent does."""


def apply_late(step: Step, event: SessionEvent, *, superseded: bool) -> None:
    """Apply an event of an ended hand-off's session; one message or reopening may begin a new hand-off on it.

    :param superseded: the conversation has a later hand-off already, so that no other can begin.
    """
    match event:
        case AgentMessage():
            _late_message(step, event, superseded=superseded)
        case SessionReopened():
            _reopened(step, event, superseded=superseded)
        case SessionStopped():
            # An older reopening that comes after it is stale.
            if event.occurred_at is None or step.handoff.is_stale(event, step.handoff.status_at):
                step.ignore("ended")
            else:
                step.learn(status_at=event.occurred_at)
        case AgentMessageUpdated() | AgentMessageDeleted() | MessageStatus():
            step.notify(event)
        case _:
            step.ignore("ended")  # who has a session nobody is in tells nobody anything (S089)


def _late_message(step: Step, event: AgentMessage, *, superseded: bool) -> None:
    """Do with a late message as configured; what cannot be done falls back to the next best, never to silence."""
    policy = step.policy
    choice = policy.on_late_agent_message
    if choice == "notify":
        step.notify(event)
    elif event.message.type not in policy.customer_message_types:
        if not step.tell_agent("incompatible", "on_incompatible_msg_type_message", id=event.event_id):
            step.notify(event)
    elif choice == "answer":
        if not step.tell_agent("late", "on_late_message_answer", id=event.event_id):
            step.notify(event)
    elif choice == "hand_over" and not superseded and _may_return(step.handoff, event):
        _begin_again(step, event)
        agent_message(step, event)
    else:
        step.show(event)


def _may_return(handoff: Handoff, event: AgentMessage) -> bool:
    """Whether a late message may fetch the customer back: not after they left, nor when it was written in time."""
    in_time = event.occurred_at is not None and handoff.ended_at is not None and event.occurred_at < handoff.ended_at
    return not in_time and handoff.end_reason not in _LEFT


def _reopened(step: Step, event: SessionReopened, *, superseded: bool) -> None:
    handoff = step.handoff
    if handoff.is_stale(event, handoff.status_at):
        step.ignore("stale")
        return
    step.learn(status_at=event.occurred_at or handoff.status_at)
    reason = handoff.end_reason
    closed_there = reason is not None and reason.from_helpdesk
    if closed_there and not superseded and step.policy.on_session_reopened == "hand_over":
        _begin_again(step, event)
    step.notify(event)


def _begin_again(step: Step, event: SessionEvent) -> None:
    """Begin a new hand-off on the same session; what ended stays ended. Who has it now has to be read."""
    old, now = step.handoff, step.now
    session = old.session
    if session is None:
        return
    # Derived, not drawn: the same event decided twice gives the same hand-off.
    fresh_id = hashlib.sha256(f"{old.id}\0{event.event_id}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
    fresh = Handoff(
        id=fresh_id,
        conversation_id=old.conversation_id,
        connection=old.connection,
        key=fresh_id,
        phase=Phase.WAITING,
        policy=old.policy,
        user=old.user,
        external_user=old.external_user,
        session=session,
        moved_from=old.moved_from,
        started_at=now,
        facts_at=now,
        agent_at=old.agent_at,
        status_at=old.status_at,
    )
    fresh = fresh.model_copy(update={"timers": timing.at_start(fresh, now)})
    step.cancelled.append(effect_key(old.id, "stop"))
    step.replace(fresh.model_copy(update={"timers": timing.while_waiting(fresh, now)}))
    step.tell("reopened", "on_session_reopened_message")
    step.read(session.ref, id=event.event_id)
