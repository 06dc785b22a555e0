"""The hand-off as a pure function: a record and an input give a record and effects.

No I/O, no clock, no randomness, and an answer for every input in every phase. Who asks keeps the record and carries
the effects out; their results come back as inputs. The numbers are those of the behaviour specification.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, assert_never

from hitl_core._model import Model
from hitl_core.bridge.effects import Effect, SendToDesk, StartSession, StopSession, effect_key
from hitl_core.bridge.inputs import (
    AgentEvent,
    EffectDone,
    EffectFailed,
    Failure,
    Input,
    StartRequested,
    StopRequested,
    TimerFired,
    UserMessage,
)
from hitl_core.bridge.policy import NOTHING, Policy
from hitl_core.bridge.records import ASSIGNMENT_TIMER, EndReason, Handoff, PendingMessage, Phase
from hitl_core.bridge.steps import Step
from hitl_core.calls import SessionState
from hitl_core.events import (
    AgentAssigned,
    AgentMessage,
    AgentMessageDeleted,
    AgentMessageUpdated,
    AgentUnassigned,
    AnyEvent,
    MessageStatus,
    SessionEvent,
    SessionReopened,
    SessionStopped,
    StopReason,
)
from hitl_core.messages import UnknownMessage
from hitl_core.people import Author, Role

__all__ = ["Decision", "StartOutcome", "decide", "state_events"]

StartOutcome: TypeAlias = Literal["starting", "already_active", "replay"]
"""What became of a start: it began, another hand-off is open, or this very start was asked for before."""

_GONE = frozenset({StopReason.DELETED, StopReason.MERGED, StopReason.SPAM, StopReason.TRANSFERRED})

_ORPHANED: dict[EndReason | None, StopReason] = {
    EndReason.USER_CLOSED: StopReason.USER_LEFT,
    EndReason.STOP_REQUESTED: StopReason.BOT_RESOLVED,
}


class Decision(Model):
    """What is to be done.

    :param handoff: the record from now on; another ``id`` than before is a new hand-off.
    :param effects: to be carried out, in order within each lane.
    :param cancelled: keys of earlier effects that must not be begun any more.
    :param start: what became of a :class:`StartRequested`.
    """

    handoff: Handoff | None
    effects: tuple[Effect, ...] = ()
    cancelled: tuple[str, ...] = ()
    start: StartOutcome | None = None


def decide(handoff: Handoff | None, input: Input, policy: Policy, now: datetime) -> Decision:
    """Say what an input means for a hand-off.

    :param handoff: the conversation's latest hand-off, or the one an event belongs to; ``None`` when there is none.
    :param policy: used for a record that has none of its own (behaviour S045).
    :param now: aware.
    """
    if isinstance(input, StartRequested):
        return _start(handoff, input, policy, now)
    if handoff is None:
        return Decision(handoff=None)
    step = Step(handoff, now)
    match input:
        case UserMessage():
            _user_message(step, input)
        case AgentEvent():
            _agent_event(step, input)
        case StopRequested():
            if step.handoff.open:
                # The bot asked for it: the customer is told nothing and the flow is the caller's (S103, S104).
                _end(step, EndReason.STOP_REQUESTED, text=NOTHING, stop=input.reason, flow=False)
        case EffectDone():
            _effect_done(step, input)
        case EffectFailed():
            _effect_failed(step, input)
        case TimerFired():
            _timer_fired(step, input)
        case _:
            assert_never(input)
    cancelled = frozenset(step.cancelled)
    effects = tuple(effect for effect in step.effects if effect.key not in cancelled)
    return Decision(handoff=step.handoff, effects=effects, cancelled=tuple(step.cancelled))


# Start ------------------------------------------------------------------------------------------------------------


def _start(handoff: Handoff | None, request: StartRequested, policy: Policy, now: datetime) -> Decision:
    if handoff is not None and handoff.key == request.key:
        return Decision(handoff=handoff, start="replay")
    if handoff is not None and handoff.open:
        return Decision(handoff=handoff, start="already_active")
    fresh = Handoff(
        id=request.handoff_id,
        conversation_id=request.conversation_id,
        connection=request.connection,
        key=request.key,
        policy=request.policy or policy,
        user=request.user,
        started_at=now,
    )
    previous = None
    if handoff is not None and handoff.session is not None and handoff.connection == request.connection:
        previous = handoff.session.ref
    effect = StartSession(
        key=_start_effect(fresh),
        conversation_id=request.conversation_id,
        start_key=request.key,
        user=request.user,
        title=request.title,
        description=request.description,
        history=request.history,
        options=request.options,
        relay=request.relay,
        previous=previous,
    )
    return Decision(handoff=fresh, effects=(effect,), start="starting")


def _start_effect(handoff: Handoff) -> str:
    return effect_key(handoff.id, "start")


def _effect_done(step: Step, done: EffectDone) -> None:
    if done.key == _start_effect(step.handoff):
        _started(step, done)
        return
    rest = tuple(pending for pending in step.handoff.unrelayed if pending.effect_key != done.key)
    if len(rest) != len(step.handoff.unrelayed):
        step.change(unrelayed=rest)


def _started(step: Step, done: EffectDone) -> None:
    if step.handoff.session is not None or done.session is None:
        return
    step.change(session=done.session, external_user=done.external_user)
    if not step.handoff.open:
        # Nobody waits for this ticket any more; without this it would be an orphan (F03).
        _stop_session(step, _ORPHANED.get(step.handoff.end_reason, StopReason.ERROR))
        return
    step.change(phase=Phase.WAITING)
    step.tell("handoff", step.policy.on_handoff_message, after=(done.key,))
    _arm_assignment(step)
    for pending in step.handoff.unrelayed:
        _relay(step, pending)
    early = step.handoff.early_events
    step.change(early_events=())
    for event in early:
        # One decision makes at most one hand-off end: a reopening among these is told, not followed.
        _apply(step, event, superseded=True)


def _arm_assignment(step: Step) -> None:
    seconds = step.policy.agent_assigned_timeout_seconds
    if seconds > 0:
        step.change(timers={**step.handoff.timers, ASSIGNMENT_TIMER: step.now + timedelta(seconds=seconds)})


def _timer_fired(step: Step, timer: TimerFired) -> None:
    if step.handoff.timers.get(timer.name) != timer.due or step.now < timer.due:
        return  # moved, cancelled, or too early (S107, S108)
    step.change(timers={name: due for name, due in step.handoff.timers.items() if name != timer.name})
    if timer.name == ASSIGNMENT_TIMER and step.handoff.phase is Phase.WAITING:
        text = step.policy.on_agent_assigned_timeout_message
        _end(step, EndReason.ASSIGNMENT_TIMEOUT, text=text, stop=StopReason.TIMEOUT)


# Customer ---------------------------------------------------------------------------------------------------------


def _user_message(step: Step, said: UserMessage) -> None:
    if not step.handoff.open or not step.first_time(f"user:{said.message_id}"):
        return
    if step.policy.is_close_command(said.message):
        text = step.policy.on_user_hitl_close_message
        _end(step, EndReason.USER_CLOSED, text=text, stop=StopReason.USER_LEFT)
        return
    if isinstance(said.message, UnknownMessage):
        step.tell("unsupported", step.policy.on_unsupported_user_message, id=said.message_id)
        return
    pending = PendingMessage(
        message_id=said.message_id,
        message=said.message,
        author=said.author,
        received_at=step.now,
        effect_key=step.key("relay", said.message_id),
    )
    step.change(unrelayed=(*step.handoff.unrelayed, pending))
    if step.handoff.phase is not Phase.STARTING:
        _relay(step, pending)


def _relay(step: Step, pending: PendingMessage) -> None:
    session, user = step.handoff.session, step.handoff.external_user
    assert session is not None  # noqa: S101 - there is one in every phase this is called in; for the type checker
    author = pending.author
    if author.role is Role.USER and user is not None:
        author = Author.user(user, name=author.name)
    step.add(SendToDesk(key=pending.effect_key, session=session, message=pending.message, author=author))


def _effect_failed(step: Step, failed: EffectFailed) -> None:
    if not step.handoff.open:
        return
    if failed.key == _start_effect(step.handoff) and step.handoff.session is None:
        _end(step, EndReason.START_FAILED, text=step.policy.on_start_failed_message)
        return
    if failed.failure is Failure.CLOSED:
        _end(step, EndReason.SESSION_GONE, text=step.policy.on_hitl_stopped_message)
        return
    rest = tuple(pending for pending in step.handoff.unrelayed if pending.effect_key != failed.key)
    if len(rest) != len(step.handoff.unrelayed):
        step.change(unrelayed=rest)
        step.tell("failed", step.policy.on_message_failed_message, id=failed.key)


# Helpdesk ---------------------------------------------------------------------------------------------------------


def _agent_event(step: Step, input: AgentEvent) -> None:
    event = input.event
    if not isinstance(event, SessionEvent) or not step.first_time(f"event:{event.event_id}"):
        return
    if step.handoff.phase is Phase.STARTING:
        step.change(early_events=(*step.handoff.early_events, event))
    elif step.handoff.session is not None and event.session == step.handoff.session.ref:
        _apply(step, event, superseded=input.superseded)


def _apply(step: Step, event: AnyEvent, *, superseded: bool) -> None:
    if not step.handoff.open:
        _apply_late(step, event, superseded=superseded)
        return
    match event:
        case AgentMessage():
            _agent_message(step, event)
        case AgentAssigned():
            if not step.handoff.is_stale(event, step.handoff.agent_at):
                step.assign(event.agent, event.occurred_at)
                step.notify(event)
        case AgentUnassigned():
            _unassigned(step, event)
        case SessionStopped():
            _stopped(step, event)
        case SessionReopened():
            if not step.handoff.is_stale(event, step.handoff.status_at):
                step.change(status_at=event.occurred_at or step.handoff.status_at)
                step.notify(event)
        case AgentMessageUpdated() | AgentMessageDeleted() | MessageStatus():
            step.notify(event)
        case _:
            pass  # typing and hints change nothing here


def _agent_message(step: Step, event: AgentMessage) -> None:
    if event.message.type not in step.policy.customer_message_types:
        if step.policy.on_incompatible_msg_type_message != NOTHING and step.handoff.session is not None:
            step.answer_agent(step.handoff.session, event.event_id)
        return
    if step.handoff.phase is Phase.WAITING:
        if step.handoff.is_stale(event, step.handoff.agent_at):
            step.announce(event.agent)  # written before the session was given up; still theirs
        else:
            step.assign(event.agent, event.occurred_at, implied=True)
    step.relay_agent(event)


def _unassigned(step: Step, event: AgentUnassigned) -> None:
    if step.handoff.is_stale(event, step.handoff.agent_at):
        return
    step.change(agent_at=event.occurred_at or step.handoff.agent_at)
    if step.handoff.phase is Phase.ACTIVE:
        step.change(phase=Phase.WAITING, agent=None)
        _arm_assignment(step)
    step.notify(event)


def _stopped(step: Step, event: SessionStopped) -> None:
    if step.handoff.is_stale(event, step.handoff.status_at):
        return
    step.change(status_at=event.occurred_at or step.handoff.status_at)
    step.notify(event)
    reason = EndReason.SESSION_GONE if event.reason in _GONE else EndReason.AGENT_CLOSED
    _end(step, reason, text=step.policy.on_hitl_stopped_message, vendor_reason=event.reason)


def _apply_late(step: Step, event: AnyEvent, *, superseded: bool) -> None:
    """Take in what the helpdesk says of a session whose hand-off has ended (F07)."""
    match event:
        case AgentMessage():
            shown = event.message.type in step.policy.customer_message_types
            if shown and step.policy.on_late_agent_message == "deliver":
                step.relay_agent(event)
            else:
                step.notify(event)
        case SessionReopened():
            if step.handoff.is_stale(event, step.handoff.status_at):
                return
            step.change(status_at=event.occurred_at or step.handoff.status_at)
            reason = step.handoff.end_reason
            wanted = step.policy.on_session_reopened == "hand_over" and reason is not None and reason.from_helpdesk
            if wanted and not superseded:
                _reopen(step, event)
            step.notify(event)
        case SessionStopped():
            if not step.handoff.is_stale(event, step.handoff.status_at):
                step.change(status_at=event.occurred_at or step.handoff.status_at)
        case AgentMessageUpdated() | AgentMessageDeleted():
            step.notify(event)
        case _:
            pass


def _reopen(step: Step, event: SessionReopened) -> None:
    """Begin a new hand-off on the same session; what ended stays ended."""
    old = step.handoff
    # Derived, not drawn: the same event decided twice gives the same hand-off.
    fresh_id = hashlib.sha256(f"{old.id}\0{event.event_id}".encode()).hexdigest()[:32]
    step.handoff = Handoff(
        id=fresh_id,
        conversation_id=old.conversation_id,
        connection=old.connection,
        key=fresh_id,
        phase=Phase.WAITING,
        policy=old.policy,
        user=old.user,
        external_user=old.external_user,
        session=old.session,
        shown=old.shown,
        seen=old.seen,  # facts of the same session: they must not be told a second time
        started_at=step.now,
        agent_at=old.agent_at,
        status_at=old.status_at,
    )
    step.tell("reopened", step.policy.on_session_reopened_message)
    _arm_assignment(step)


def state_events(handoff: Handoff, state: SessionState) -> tuple[AnyEvent, ...]:
    """Say what a session's state, as read from the vendor, tells that the record does not know yet.

    Only an open hand-off is compared: what has ended is not revived by a reading that may be older.
    """
    if not handoff.open or handoff.session is None:
        return ()
    ref, at = handoff.session.ref, state.updated_at
    base = f"state:{ref.id}:{handoff.version}"
    if not state.open:
        reason = StopReason.MERGED if state.moved_to else StopReason.AGENT_CLOSED
        stopped = SessionStopped(
            event_id=f"{base}:stopped", session=ref, occurred_at=at, reason=reason, moved_to=state.moved_to
        )
        return (stopped,)
    if state.agent is not None and (handoff.agent is None or handoff.agent.id != state.agent.id):
        return (AgentAssigned(event_id=f"{base}:assigned", session=ref, occurred_at=at, agent=state.agent),)
    if state.agent is None and handoff.agent is not None and not handoff.agent_implied:
        return (AgentUnassigned(event_id=f"{base}:unassigned", session=ref, occurred_at=at),)
    return ()


# End --------------------------------------------------------------------------------------------------------------


def _end(
    step: Step,
    reason: EndReason,
    *,
    text: str,
    stop: StopReason | None = None,
    vendor_reason: StopReason | None = None,
    flow: bool = True,
) -> None:
    """End it here and now; the helpdesk is told afterwards, for as long as that takes (F12, R01)."""
    pending = step.handoff.unrelayed
    step.cancelled.extend(entry.effect_key for entry in pending)
    if step.handoff.session is None:
        step.cancelled.append(_start_effect(step.handoff))
    step.change(
        phase=Phase.ENDED,
        end_reason=reason,
        ended_at=step.now,
        unrelayed=(),
        early_events=(),
        timers={},
    )
    step.tell("ended", text)
    step.hand_back(reason, pending, vendor_reason, flow=flow and step.policy.flow_on_hitl_stopped)
    if stop is not None:
        _stop_session(step, stop)


def _stop_session(step: Step, reason: StopReason) -> None:
    session = step.handoff.session
    if session is None:
        return
    text: str | None = step.policy.on_user_hitl_cancelled_message
    if text == NOTHING or reason is StopReason.ERROR:
        text = None  # on an error it would not be true
    step.add(StopSession(key=step.key("stop"), session=session, reason=reason, message=text))
