"""How far what is kept has come: what the ``state`` columns hold."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["DeliveryState", "EffectState", "InputState", "LetterState"]


class InputState(IntEnum):
    """How far an input has come."""

    OPEN = 0
    DONE = 1
    DEAD = 2


class DeliveryState(IntEnum):
    """How far a delivery has come; a parked one waits for a start in flight to come to its end."""

    OPEN = 0
    DONE = 1
    DEAD = 2
    PARKED = 3


class EffectState(IntEnum):
    """How far an effect has come; up to ``ATTEMPTING`` it is open."""

    WAITING = 0
    ATTEMPTING = 1
    DONE = 2
    FAILED = 3
    CANCELLED = 4


class LetterState(IntEnum):
    """What became of a dead letter."""

    OPEN = 0
    REPLAYED = 1
    DROPPED = 2
