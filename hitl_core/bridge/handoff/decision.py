"""What a decision comes to."""

from __future__ import annotations

from typing import Literal, TypeAlias

from hitl_core._model import Model
from hitl_core.bridge.handoff.effects import Effect
from hitl_core.bridge.handoff.records import Handoff

__all__ = ["Decision", "StartOutcome"]

StartOutcome: TypeAlias = Literal["starting", "already_active", "replay", "not_allowed", "off_hours"]
"""What became of a :class:`~hitl_core.bridge.StartRequested`: it began; another hand-off is open; this very start was
asked for before; the conversation is itself a helpdesk's session (S053); nobody is there and no message is taken."""


class Decision(Model):
    """What is to be done.

    :param handoff: the record from now on; another ``id`` than before is a new hand-off.
    :param effects: to be carried out, in order within each lane.
    :param cancelled: keys of earlier effects that must not be begun any more.
    :param ignored: why the input changed nothing, in one or two words such as ``"stale"``; ``None`` when it did
        something. Every input ends in a change, an effect, or a reason.
    :param start: what became of a :class:`~hitl_core.bridge.StartRequested`.
    """

    handoff: Handoff | None
    effects: tuple[Effect, ...] = ()
    cancelled: tuple[str, ...] = ()
    ignored: str | None = None
    start: StartOutcome | None = None
