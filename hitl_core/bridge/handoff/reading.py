"""What a reading of the session tells that nobody has told before (behaviour F13)."""

from __future__ import annotations

from datetime import datetime

from hitl_core.bridge.handoff.ending import end
from hitl_core.bridge.handoff.helpdesk import apply
from hitl_core.bridge.handoff.inputs import SessionRead
from hitl_core.bridge.handoff.records import EndReason, Phase
from hitl_core.bridge.handoff.step import Step
from hitl_core.calls.state import SessionState
from hitl_core.events import AgentAssigned
from hitl_core.reconciling import implied_events

__all__ = ["session_read"]


def session_read(step: Step, read: SessionRead) -> None:
    """Take in how the session stands.

    Only an open hand-off is compared: what has ended is not revived by a reading. One begun before the last fact that
    was taken in may be older than that fact, so it is made again.
    """
    handoff = step.handoff
    session = handoff.session
    if not handoff.open:
        step.ignore("ended")
    elif session is None:
        step.ignore("starting")
    elif read.session != session.ref:
        step.ignore("other session")
    elif handoff.facts_at is not None and handoff.facts_at > read.began_at:
        step.ignore("overtaken")
        step.read(session.ref, id=read.began_at.isoformat())
    elif read.state is None:
        step.learn()
        end(step, EndReason.SESSION_GONE)
    else:
        _compare(step, read, read.state)


def _compare(step: Step, read: SessionRead, state: SessionState) -> None:
    handoff = step.handoff
    known = SessionState(
        open=True,
        agent=handoff.agent if handoff.phase is Phase.ACTIVE else None,
        updated_at=_later(handoff.agent_at, handoff.status_at),
    )
    events = implied_events(read.session, known, state, agent_implied=handoff.agent_implied, mark=str(handoff.version))
    if not state.open:
        # Nobody joins a customer whose hand-off ends in the same moment.
        events = tuple(event for event in events if not isinstance(event, AgentAssigned))
    if not events:
        step.ignore("nothing new")
    for event in events:
        apply(step, event, superseded=read.superseded)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else one or other
