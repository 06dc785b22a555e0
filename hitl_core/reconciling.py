"""What a session's state, read from the vendor, tells beyond the events that came with it.

Messages are facts with ids; who has a session and whether it is open is state, and told by difference: from what was
known before and how the session stands now follows what must have happened in between. Pure: no clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hitl_core.calls.state import SessionState
from hitl_core.events import (
    AgentAssigned,
    AgentUnassigned,
    AnyEvent,
    SessionEvent,
    SessionReopened,
    SessionStopped,
    StopReason,
)
from hitl_core.sessions import SessionRef

__all__ = ["implied_events", "known_after", "with_implied_events"]

_NEW = SessionState(open=True)
"""What is known of a session nobody has heard of since its start."""


def implied_events(
    session: SessionRef, known: SessionState | None, now: SessionState, *, agent_implied: bool = False, mark: str = ""
) -> tuple[AnyEvent, ...]:
    """Return what must have happened between two states of a session, in the order a customer should see it (S236).

    At most one of each: reopened, then assigned or unassigned, then stopped. An agent is known by ``id``: a new name
    is no assignment. Who loses the session as it ends is not told, the end says it. A state older than the known one
    tells nothing: what has ended is not revived by a reading that was overtaken.

    :param known: what was known before; ``None`` is open, with nobody.
    :param now: what was read.
    :param agent_implied: the known agent was concluded from a message: a vendor that shows nobody tells nothing (S080).
    :param mark: made part of the event ids. Ids are stable without it, but a vendor that gives no ``updated_at`` then
        has one id for an agent's first assignment and their second; a number that grows with the record tells them
        apart.
    """
    known = known or _NEW
    if known.updated_at is not None and now.updated_at is not None and now.updated_at < known.updated_at:
        return ()
    at = now.updated_at
    told: list[AnyEvent] = []

    def id_of(*what: str) -> str:
        return ":".join(("state", session.id, *what, at.isoformat() if at else "", mark))

    if now.open and not known.open:
        told.append(SessionReopened(event_id=id_of("reopened"), session=session, occurred_at=at))
    if now.agent is not None and (known.agent is None or known.agent.id != now.agent.id):
        assigned = id_of("assigned", now.agent.id)
        told.append(AgentAssigned(event_id=assigned, session=session, occurred_at=at, agent=now.agent))
    if now.open and now.agent is None and known.agent is not None and not agent_implied:
        told.append(AgentUnassigned(event_id=id_of("unassigned"), session=session, occurred_at=at))
    if known.open and not now.open:
        reason = StopReason.MERGED if now.moved_to else StopReason.AGENT_CLOSED
        stopped = id_of("stopped")
        told.append(
            SessionStopped(event_id=stopped, session=session, occurred_at=at, reason=reason, moved_to=now.moved_to)
        )
    return tuple(told)


def known_after(session: SessionRef, known: SessionState | None, events: Iterable[AnyEvent]) -> SessionState:
    """Return what is known of a session once these events of it, oldest first, were told; others change nothing."""
    state = known or _NEW
    for event in events:
        if not isinstance(event, SessionEvent) or event.session != session:
            continue
        match event:
            case AgentAssigned():
                state = state.model_copy(update={"agent": event.agent})
            case AgentUnassigned():
                state = state.model_copy(update={"agent": None})
            case SessionStopped():
                state = state.model_copy(update={"open": False, "moved_to": event.moved_to})
            case SessionReopened():
                state = state.model_copy(update={"open": True, "moved_to": None})
            case _:
                pass
    return state


def with_implied_events(
    session: SessionRef,
    known: SessionState | None,
    events: Sequence[AnyEvent],
    now: SessionState | None,
    *,
    agent_implied: bool = False,
    mark: str = "",
) -> tuple[AnyEvent, ...]:
    """Return what was read of a session, and among it what its state implies and the events do not tell.

    Who answers is told before the answer, and the end after the last words (S080, S236); events stay in their order.

    :param known: what was known before the read.
    :param events: those of the pages read, oldest first (:attr:`hitl_core.calls.EventPage.events`).
    :param now: the state that came with the last page; ``None`` when the vendor does not tell.
    :param agent_implied: see :func:`implied_events`.
    :param mark: see :func:`implied_events`.
    """
    told = list(events)
    if now is None:
        return tuple(told)
    before = known_after(session, known, events)
    agent_implied = agent_implied and known is not None and before.agent == known.agent
    for event in implied_events(session, before, now, agent_implied=agent_implied, mark=mark):
        match event:
            case SessionReopened():
                told.insert(_behind(told, SessionStopped), event)
            case AgentAssigned() | AgentUnassigned():
                told.insert(_behind(told, AgentAssigned, AgentUnassigned, SessionReopened), event)
            case _:
                told.append(event)
    return tuple(told)


def _behind(events: Sequence[AnyEvent], *kinds: type[SessionEvent]) -> int:
    """Return the place behind the last event of these kinds; the beginning without any."""
    return max((place for place, event in enumerate(events, 1) if isinstance(event, kinds)), default=0)
