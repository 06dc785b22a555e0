"""How a hand-off begins: outcomes of a start, the session made, and the next connection when one cannot (F01-F04)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from hitl_core.bridge.handoff import timing
from hitl_core.bridge.handoff.customer import relay, relay_done, relay_failed
from hitl_core.bridge.handoff.decision import Decision
from hitl_core.bridge.handoff.effects import StartSession, TellCustomer, WatchStart, effect_key
from hitl_core.bridge.handoff.ending import abort, end, stop_orphan
from hitl_core.bridge.handoff.helpdesk import apply
from hitl_core.bridge.handoff.inputs import EffectDone, EffectFailed, Failure, StartRequested
from hitl_core.bridge.handoff.records import EndReason, Handoff, Phase, StartContent
from hitl_core.bridge.handoff.step import Step, policy_text, system
from hitl_core.bridge.policy import Policy
from hitl_core.messages import Text
from hitl_core.sessions import HitlSession

__all__ = ["effect_done", "effect_failed", "start"]

_NOT_MADE: Final = frozenset({Failure.UNAVAILABLE, Failure.NOT_ALLOWED, Failure.REFUSED})
"""There is certainly no session, so another connection may be tried (guarantee 7)."""


def start(handoff: Handoff | None, request: StartRequested, policy: Policy, now: datetime) -> Decision:
    """Begin a hand-off, or say why there is none to begin (F01).

    :param handoff: the conversation's latest one.
    """
    if request.downstream:  # or a bot could escalate the ticket itself (S053)
        return Decision(handoff=handoff, ignored="not allowed", start="not_allowed")
    if handoff is not None and handoff.key == request.key:
        return Decision(handoff=handoff, ignored="replay", start="replay")
    if handoff is not None and handoff.open:
        return Decision(handoff=handoff, ignored="already active", start="already_active")
    fresh = _fresh(handoff, request, request.policy or policy, now)
    if request.off_hours and fresh.policy.off_hours == "refuse":
        return _refused(handoff, fresh)
    step = Step(fresh, now)
    _open_session(step)
    return step.decision("starting")


def _fresh(old: Handoff | None, request: StartRequested, policy: Policy, now: datetime) -> Handoff:
    fresh = Handoff(
        id=request.handoff_id,
        conversation_id=request.conversation_id,
        connection=request.connections[0],
        fallbacks=request.connections[1:],
        key=request.key,
        policy=policy,
        user=request.user,
        leave_message=request.off_hours and policy.off_hours == "leave_message",
        content=StartContent(
            title=request.title,
            description=request.description,
            history=request.history,
            options=request.options,
            relay=request.relay,
            previous=old.session.ref if old is not None and old.session is not None else None,
        ),
        started_at=now,
    )
    timers = timing.at_start(fresh, now)
    return fresh.model_copy(update={"timers": timers}) if timers else fresh


def _refused(handoff: Handoff | None, fresh: Handoff) -> Decision:
    text = policy_text(fresh, "on_off_hours_refused_message", now=fresh.started_at)
    if not text:
        return Decision(handoff=handoff, ignored="off hours", start="off_hours")
    tell = TellCustomer(key=effect_key(fresh.id, "off_hours"), message=Text(text=text), sender=system())
    return Decision(handoff=handoff, effects=(tell,), start="off_hours")


def _open_session(step: Step) -> None:
    handoff = step.handoff
    content = handoff.content
    if content is None:
        abort(step)
        return
    if content.previous is not None and content.previous.connection != handoff.connection:
        content = content.model_copy(update={"previous": None})  # another account cannot link to it
    effect = StartSession(
        key=handoff.start_effect,
        connection=handoff.connection,
        conversation_id=handoff.conversation_id,
        user=handoff.user,
        content=content,
    )
    step.add(effect)


def effect_done(step: Step, done: EffectDone) -> None:
    """Take in that an effect took place: a start, or the relay of a message."""
    if _is_start(step.handoff, done.key):
        _start_done(step, done)
    else:
        relay_done(step, done)


def effect_failed(step: Step, failed: EffectFailed) -> None:
    """Take in that an effect will not take place: a start, or the relay of a message."""
    if _is_start(step.handoff, failed.key):
        _start_failed(step, failed)
    else:
        relay_failed(step, failed)


def _is_start(handoff: Handoff, key: str) -> bool:
    """Whether an effect is one of this hand-off's starts, on whichever connection."""
    first = f"{handoff.id}:start"
    return key == first or key.startswith(f"{first}:")


def _start_done(step: Step, done: EffectDone) -> None:
    """Take in the session a start made; one nobody waits for any more is closed, or it would be an orphan (F03)."""
    handoff, session = step.handoff, done.session
    current = done.key == handoff.start_effect
    if current and handoff.phase is Phase.STARTING:
        if session is None:
            abort(step)
        else:
            _started(step, session, done)
        return
    if session is None or (handoff.session is not None and handoff.session.ref == session.ref):
        step.ignore("settled")
        return
    stop_orphan(step, session)
    if current and handoff.session is None:
        # What an agent says in it before it is closed is late, and not lost.
        step.change(session=session, external_user=done.external_user)
        _apply_early(step)


def _started(step: Step, session: HitlSession, done: EffectDone) -> None:
    step.change(
        session=session,
        external_user=done.external_user,
        phase=Phase.WAITING,
        content=None,
        failure=None,
        failed=None,  # on another connection, perhaps; this one works
    )
    handoff = step.handoff
    if not handoff.leave_message:
        step.change(timers=timing.while_waiting(handoff, step.now))
        step.tell("handoff", "on_handoff_message")
    for pending in handoff.unrelayed:
        relay(step, pending)
    if handoff.leave_message:
        end(step, EndReason.MESSAGE_LEFT)
    _apply_early(step)


def _apply_early(step: Step) -> None:
    """Apply what the helpdesk said before the link (F04); what it said of another session is not this hand-off's."""
    early = step.handoff.early_events
    if early:
        step.change(early_events=())
    for event in early:
        # One decision makes at most one hand-off end: a reopening among these is told, not followed.
        apply(step, event, superseded=True)


def _start_failed(step: Step, failed: EffectFailed) -> None:
    """Take in that no session was made: try the next connection, or give the conversation back (F03, F31).

    The next connection is tried only when there certainly is no session on this one (guarantee 7). A start nobody can
    tell about is watched, so that what shows up late can be closed.
    """
    handoff = step.handoff
    if failed.key != handoff.start_effect:
        step.ignore("settled")
    elif handoff.phase is not Phase.STARTING:
        _failed_late(step, failed)
    elif failed.failure in _NOT_MADE and handoff.fallbacks:
        step.change(
            connection=handoff.fallbacks[0],
            fallbacks=handoff.fallbacks[1:],
            attempt=handoff.attempt + 1,
            failure=failed.failure,
            failed=failed.detail or failed.failure.value,
        )
        _open_session(step)
    else:
        end(step, EndReason.START_FAILED, failed=failed)
        if failed.failure not in _NOT_MADE:
            _watch(step)


def _failed_late(step: Step, failed: EffectFailed) -> None:
    """Take in that a start failed after its session was linked, or after nobody wanted it any more."""
    if not step.handoff.open and step.handoff.session is None and failed.failure not in _NOT_MADE:
        _watch(step)
    elif step.handoff.open and failed.failure is Failure.CLOSED:
        end(step, EndReason.SESSION_GONE)
    else:
        step.ignore("settled")


def _watch(step: Step) -> None:
    handoff = step.handoff
    key = step.key("watch", handoff.attempt)
    step.add(WatchStart(key=key, connection=handoff.connection, start=handoff.start_effect))
