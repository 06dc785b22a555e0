"""What happens in the helpdesk while a hand-off is open (behaviour parts 7, 9 and 13).

Messages are facts, shown whatever order they come in; who has the session and whether it is open is state, and of two
facts about it the one that happened later holds.
"""

from __future__ import annotations

from hitl_core.bridge.handoff.agents import agent_assigned, agent_message, agent_unassigned
from hitl_core.bridge.handoff.ending import end
from hitl_core.bridge.handoff.inputs import AgentEvent
from hitl_core.bridge.handoff.late import apply_late
from hitl_core.bridge.handoff.records import EndReason, Handoff, Phase
from hitl_core.bridge.handoff.step import Step
from hitl_core.events import (
    AgentAssigned,
    AgentMessage,
    AgentMessageDeleted,
    AgentMessageUpdated,
    AgentTyping,
    AgentUnassigned,
    AnyEvent,
    MessageStatus,
    SessionChanged,
    SessionEvent,
    SessionReopened,
    SessionStopped,
    StopReason,
)
from hitl_core.sessions import HitlSession, SessionRef

__all__ = ["agent_event", "apply"]

_GONE = frozenset({StopReason.DELETED, StopReason.MERGED, StopReason.SPAM, StopReason.TRANSFERRED})
_SAID = AgentMessage | AgentMessageUpdated | AgentMessageDeleted | MessageStatus


def agent_event(step: Step, input: AgentEvent) -> None:
    """Take in what the helpdesk says; before there is a link it is kept for later (F04)."""
    event, handoff = input.event, step.handoff
    if not isinstance(event, SessionEvent):
        step.ignore("not passed on")
    elif isinstance(event, AgentTyping):
        step.ignore("typing")
    elif handoff.phase is Phase.STARTING:
        if isinstance(event, SessionChanged):
            step.ignore("starting")  # everything is read once there is a link
        else:
            step.learn(early_events=(*handoff.early_events, event))
    elif handoff.session is None and isinstance(event, AgentMessage):
        # It ended before there was a link; the session may still show up, and then this is late rather than lost.
        step.change(early_events=(*handoff.early_events, event))
    else:
        apply(step, event, superseded=input.superseded)


def apply(step: Step, event: AnyEvent, *, superseded: bool) -> None:
    """Apply an event of the hand-off's own session; of one merged into it, only what was said there counts."""
    handoff = step.handoff
    session = handoff.session
    own = isinstance(event, SessionEvent) and session is not None and event.session == session.ref
    if not isinstance(event, SessionEvent) or not (own or event.session in handoff.moved_from):
        step.ignore("other session")
    elif not own and not isinstance(event, _SAID):
        step.ignore("merged")
    elif handoff.open:
        _apply(step, event)
    else:
        apply_late(step, event, superseded=superseded)


def _apply(step: Step, event: SessionEvent) -> None:
    match event:
        case AgentMessage():
            agent_message(step, event)
        case AgentAssigned():
            agent_assigned(step, event)
        case AgentUnassigned():
            agent_unassigned(step, event)
        case SessionStopped():
            _stopped(step, event)
        case SessionReopened():
            if step.handoff.is_stale(event, step.handoff.status_at):
                step.ignore("stale")
                return
            step.learn(status_at=event.occurred_at or step.handoff.status_at)
            step.notify(event)
        case SessionChanged():
            step.read(event.session, id=event.event_id)
        case _:
            step.notify(event)  # a message changed, taken back, or delivered: for the host to show


# Open or closed ---------------------------------------------------------------------------------------------------


def _stopped(step: Step, event: SessionStopped) -> None:
    """End it, since the helpdesk has (S114-S117); a session merged into another is followed there instead."""
    handoff = step.handoff
    if handoff.is_stale(event, handoff.status_at):
        step.ignore("stale")
        return
    status_at = event.occurred_at or handoff.status_at
    target = _target(handoff, event)
    if target is not None and handoff.session is not None:
        # The merged session's url and data are not known; who has it and how it stands has to be read.
        session = HitlSession(ref=target, provider=handoff.session.provider)
        step.learn(session=session, moved_from=(*handoff.moved_from, handoff.session.ref), status_at=status_at)
        step.notify(event)
        step.read(target, id=event.event_id)
        return
    step.learn(status_at=status_at)
    step.notify(event)
    reason = EndReason.SESSION_GONE if event.reason in _GONE else EndReason.AGENT_CLOSED
    end(step, reason, stopped=event.reason)


def _target(handoff: Handoff, event: SessionStopped) -> SessionRef | None:
    """Return where the session has gone, if it can be followed: on the same account, and not in a circle."""
    target, session = event.moved_to, handoff.session
    if target is None or session is None or target.connection != session.ref.connection:
        return None
    return None if target == session.ref or target in handoff.moved_from else target
