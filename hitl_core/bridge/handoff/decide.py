"""The hand-off as a pure function: a record and an input give a record and effects.

No I/O, no clock, no randomness, and an answer for every input in every phase. Who asks keeps the record and carries
the effects out; their results come back as inputs. The numbers are those of the behaviour specification.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias, assert_never

from hitl_core.bridge.handoff.customer import user_message
from hitl_core.bridge.handoff.decision import Decision
from hitl_core.bridge.handoff.ending import abort, stop_requested
from hitl_core.bridge.handoff.helpdesk import agent_event
from hitl_core.bridge.handoff.inputs import (
    AgentEvent,
    AnyInput,
    EffectDone,
    EffectFailed,
    PauseRequested,
    ResumeRequested,
    SessionRead,
    StartRequested,
    StopRequested,
    TimerFired,
    UserMessage,
)
from hitl_core.bridge.handoff.pausing import pause, resume
from hitl_core.bridge.handoff.reading import session_read
from hitl_core.bridge.handoff.records import Handoff, Phase
from hitl_core.bridge.handoff.starting import effect_done, effect_failed, start
from hitl_core.bridge.handoff.step import Step
from hitl_core.bridge.handoff.timing import timer_fired
from hitl_core.bridge.policy import Policy

__all__ = ["decide"]

_Other: TypeAlias = (
    UserMessage
    | AgentEvent
    | SessionRead
    | EffectDone
    | EffectFailed
    | TimerFired
    | StopRequested
    | PauseRequested
    | ResumeRequested
)


def decide(handoff: Handoff | None, input: AnyInput, policy: Policy, now: datetime) -> Decision:
    """Say what an input means for a hand-off.

    An input is decided once: whoever asks has told repeats apart by their keys before.

    :param handoff: the conversation's latest hand-off, or the one an event belongs to; ``None`` when there is none.
    :param policy: used for a start that brings none of its own (behaviour S045).
    :param now: aware.
    """
    if isinstance(input, StartRequested):
        return start(handoff, input, policy, now)
    if handoff is None:
        return Decision(handoff=None, ignored="no hand-off")
    step = Step(handoff, now)
    if _is_broken(handoff) and not isinstance(input, StopRequested):
        abort(step)  # what follows finds it ended: nothing said is lost for it
    _take_in(step, input)
    return step.decision()


def _take_in(step: Step, input: _Other) -> None:
    match input:
        case UserMessage():
            user_message(step, input)
        case AgentEvent():
            agent_event(step, input)
        case SessionRead():
            session_read(step, input)
        case EffectDone():
            effect_done(step, input)
        case EffectFailed():
            effect_failed(step, input)
        case TimerFired():
            timer_fired(step, input)
        case StopRequested():
            stop_requested(step, input)
        case PauseRequested():
            pause(step)
        case ResumeRequested():
            resume(step)
        case _:
            assert_never(input)


def _is_broken(handoff: Handoff) -> bool:
    """Whether the record says what cannot be: a session before it is made, or none although somebody waits in it."""
    return handoff.open and (handoff.phase is Phase.STARTING) == (handoff.session is not None)
