"""The bot takes the conversation for a while, and gives it back; the session stays open."""

from __future__ import annotations

from hitl_core.bridge.handoff import timing
from hitl_core.bridge.handoff.step import Step

__all__ = ["pause", "resume"]


def pause(step: Step) -> None:
    """Let the bot own; nobody is kept waiting meanwhile but for an agent to take it."""
    handoff = step.handoff
    if not handoff.open:
        step.ignore("ended")
    elif handoff.paused:
        step.ignore("paused")
    else:
        step.change(paused=True, timers=timing.while_paused(handoff))


def resume(step: Step) -> None:
    """Let the human, or the queue, own again; the customer waits for an answer from now on."""
    handoff = step.handoff
    if not handoff.open:
        step.ignore("ended")
    elif not handoff.paused:
        step.ignore("not paused")
    else:
        step.change(paused=False, timers=timing.after_pause(handoff, step.now))
