"""When which timer of a hand-off runs (behaviour part 12, F14).

===================  =========================================================================================
timer                runs
===================  =========================================================================================
``assignment``       while nobody has it; anew after every unassignment, and also while the bot pauses it
``first_answer``     from the assignment until an agent says something
``agent_silence``    from the customer's first message that is not answered yet until an agent says something
``customer_*``       from an agent's message until the customer says something
``maximum``          from the start to the end
===================  =========================================================================================

A customer who writes again while waiting does not wait any longer for that: ``agent_silence`` keeps its time.
While the bot has the conversation nobody is waited for but an agent to take it: the other timers stop, and run anew
when the pause is over.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from hitl_core.bridge.handoff.ending import end
from hitl_core.bridge.handoff.inputs import TimerFired
from hitl_core.bridge.handoff.records import EndReason, Handoff, Phase, Timer
from hitl_core.bridge.handoff.step import Step
from hitl_core.bridge.policy import TextName

__all__ = [
    "Timers",
    "after_agent_message",
    "after_assignment",
    "after_customer_message",
    "after_pause",
    "after_unassignment",
    "at_start",
    "timer_fired",
    "while_paused",
    "while_waiting",
]

Timers: TypeAlias = dict[str, datetime]

_ASSIGNMENT: Final = Timer.ASSIGNMENT.value
_FIRST_ANSWER: Final = Timer.FIRST_ANSWER.value
_AGENT_SILENCE: Final = Timer.AGENT_SILENCE.value
_CUSTOMER_WARNING: Final = Timer.CUSTOMER_WARNING.value
_CUSTOMER_SILENCE: Final = Timer.CUSTOMER_SILENCE.value
_MAXIMUM: Final = Timer.MAXIMUM.value

_SILENCES: Final = frozenset({_FIRST_ANSWER, _AGENT_SILENCE, _CUSTOMER_WARNING, _CUSTOMER_SILENCE})
_CUSTOMERS: Final = frozenset({_CUSTOMER_WARNING, _CUSTOMER_SILENCE})


# Running ----------------------------------------------------------------------------------------------------------


def at_start(handoff: Handoff, now: datetime) -> Timers:
    """Return the timers of a hand-off that has just begun."""
    timers: Timers = {}
    _arm(timers, _MAXIMUM, handoff.policy.maximum_duration_seconds, now)
    return timers


def while_waiting(handoff: Handoff, now: datetime) -> Timers:
    """Return the timers now that there is a session nobody has (behaviour S105)."""
    timers = _without(handoff, _SILENCES)
    _arm(timers, _ASSIGNMENT, handoff.policy.agent_assigned_timeout_seconds, now)
    return timers


after_unassignment = while_waiting


def after_assignment(handoff: Handoff, now: datetime, *, spoken: bool) -> Timers:
    """Return the timers once somebody has taken it.

    :param spoken: the assignment was concluded from a message, which follows.
    """
    timers = _without(handoff, {_ASSIGNMENT})
    if not spoken and (handoff.phase is not Phase.ACTIVE or handoff.paused):
        _await_agent(timers, handoff, now)
    return timers


def after_agent_message(handoff: Handoff, now: datetime) -> Timers:
    """Return the timers once an agent has said something."""
    timers = _without(handoff, _SILENCES)
    if handoff.phase is Phase.ACTIVE:
        _arm(timers, _CUSTOMER_WARNING, handoff.policy.customer_silence_warning_seconds, now)
        _arm(timers, _CUSTOMER_SILENCE, handoff.policy.customer_silence_timeout_seconds, now)
    return timers


def after_customer_message(handoff: Handoff, now: datetime, *, relayed: bool) -> Timers:
    """Return the timers once the customer has said something.

    :param relayed: the agent will see it, and so may be expected to answer.
    """
    timers = _without(handoff, _CUSTOMERS)
    if relayed and handoff.phase is Phase.ACTIVE and handoff.answered and _AGENT_SILENCE not in timers:
        _arm(timers, _AGENT_SILENCE, handoff.policy.agent_silence_timeout_seconds, now)
    return timers


def while_paused(handoff: Handoff) -> Timers:
    """Return the timers that run while the bot has the conversation."""
    return _without(handoff, _SILENCES)


def after_pause(handoff: Handoff, now: datetime) -> Timers:
    """Return the timers once the conversation is a human's or the queue's again: the customer waits for them."""
    timers = dict(handoff.timers)
    if handoff.phase is Phase.ACTIVE:
        _await_agent(timers, handoff, now)
    return timers


def _await_agent(timers: Timers, handoff: Handoff, now: datetime) -> None:
    policy = handoff.policy
    if handoff.answered:
        _arm(timers, _AGENT_SILENCE, policy.agent_silence_timeout_seconds, now)
    else:
        _arm(timers, _FIRST_ANSWER, policy.first_answer_timeout_seconds, now)


def _arm(timers: Timers, name: str, seconds: float, now: datetime) -> None:
    if seconds > 0:
        with suppress(OverflowError):  # beyond the calendar: never
            timers[name] = now + timedelta(seconds=seconds)


def _without(handoff: Handoff, names: set[str] | frozenset[str]) -> Timers:
    return {name: due for name, due in handoff.timers.items() if name not in names}


# Firing -----------------------------------------------------------------------------------------------------------


def timer_fired(step: Step, timer: TimerFired) -> None:
    """Take in that a timer is due; another hand-off's, or one that was moved, changes nothing (S107-S110)."""
    handoff = step.handoff
    if timer.handoff_id != handoff.id:
        step.ignore("other hand-off")
    elif not handoff.open:
        step.ignore("ended")
    elif handoff.timers.get(timer.name) != timer.due:
        step.ignore("moved")
    elif step.now < timer.due:
        step.ignore("too early")
    else:
        step.change(timers=_without(handoff, {timer.name}))
        if act := _ACTS.get(timer.name):
            act(step, timer)


def _nobody_took_it(step: Step, timer: TimerFired) -> None:
    del timer
    if step.handoff.phase is Phase.WAITING:
        end(step, EndReason.ASSIGNMENT_TIMEOUT)


def _no_first_answer(step: Step, timer: TimerFired) -> None:
    if step.policy.on_first_answer_timeout == "end":
        end(step, EndReason.FIRST_ANSWER_TIMEOUT)
    else:
        _tell(step, "on_first_answer_timeout_message", timer)


def _agent_silent(step: Step, timer: TimerFired) -> None:
    if step.policy.on_agent_silence == "end":
        end(step, EndReason.AGENT_SILENT)
    else:
        _tell(step, "on_agent_silence_message", timer)


def _customer_warned(step: Step, timer: TimerFired) -> None:
    _tell(step, "on_customer_silence_warning_message", timer)


def _customer_silent(step: Step, timer: TimerFired) -> None:
    del timer
    end(step, EndReason.CUSTOMER_SILENT)


def _too_long(step: Step, timer: TimerFired) -> None:
    del timer
    end(step, EndReason.TOO_LONG)


def _tell(step: Step, name: TextName, timer: TimerFired) -> None:
    step.tell(timer.name, name, id=timer.due.isoformat())


_ACTS: Final[dict[str, Callable[[Step, TimerFired], None]]] = {
    _ASSIGNMENT: _nobody_took_it,
    _FIRST_ANSWER: _no_first_answer,
    _AGENT_SILENCE: _agent_silent,
    _CUSTOMER_WARNING: _customer_warned,
    _CUSTOMER_SILENCE: _customer_silent,
    _MAXIMUM: _too_long,
}
