"""What may happen to a hand-off: the inputs of :func:`hitl_core.bridge.decide`."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

from pydantic import AwareDatetime, Field, JsonValue

from hitl_core._model import Model
from hitl_core.bridge.policy import Policy
from hitl_core.events import Event, StopReason
from hitl_core.messages import Message
from hitl_core.people import Author, EndUser, ExternalUser
from hitl_core.sessions import HistoryEntry, HitlSession

__all__ = [
    "AgentEvent",
    "EffectDone",
    "EffectFailed",
    "Failure",
    "Input",
    "StartRequested",
    "StopRequested",
    "TimerFired",
    "UserMessage",
]


class StartRequested(Model):
    """The bot wants a human.

    :param handoff_id: id of the hand-off this makes, should it make one.
    :param key: idempotency key of the start (behaviour F02).
    :param policy: the effective policy of this hand-off (behaviour S043-S045).
    """

    kind: Literal["start_requested"] = "start_requested"
    handoff_id: str = Field(min_length=1)
    conversation_id: str = Field(min_length=1)
    connection: str
    key: str = Field(min_length=1)
    user: EndUser
    title: str = Field(repr=False)
    description: str | None = Field(default=None, repr=False)
    history: tuple[HistoryEntry, ...] = Field(default=(), repr=False)
    options: dict[str, JsonValue] = Field(default_factory=dict, repr=False)
    relay: str = "transcript"
    policy: Policy | None = None


class UserMessage(Model):
    """The customer wrote.

    :param message_id: the host's id of it; a repeat is taken in once.
    """

    kind: Literal["user_message"] = "user_message"
    message_id: str = Field(min_length=1)
    message: Message
    author: Author


class AgentEvent(Model):
    """Something happened in the helpdesk.

    :param superseded: the conversation has a later hand-off than this one.
    """

    kind: Literal["agent_event"] = "agent_event"
    event: Event
    superseded: bool = False


class StopRequested(Model):
    """The bot wants to end it."""

    kind: Literal["stop_requested"] = "stop_requested"
    reason: StopReason = StopReason.BOT_RESOLVED


class EffectDone(Model):
    """An effect took place.

    :param session: the session a start made.
    :param external_user: the customer's record a start found or made.
    """

    kind: Literal["effect_done"] = "effect_done"
    key: str
    session: HitlSession | None = None
    external_user: ExternalUser | None = None


class Failure(StrEnum):
    """Why an effect will not take place; the class decides what is done about it."""

    UNAVAILABLE = "unavailable"
    """The helpdesk could not be reached for too long; nothing was done."""
    NOT_ALLOWED = "not_allowed"
    """Credentials, right, plan, or the bot is not connected."""
    REFUSED = "refused"
    """The content is refused; repeating it cannot help."""
    CLOSED = "closed"
    """The session has ended or is gone."""
    UNRESOLVED = "unresolved"
    """It may or may not have taken place, and nobody can tell."""


class EffectFailed(Model):
    """An effect will not take place."""

    kind: Literal["effect_failed"] = "effect_failed"
    key: str
    failure: Failure


class TimerFired(Model):
    """A timer of the record is due.

    :param due: when it was due; a timer that was moved or cancelled since has another.
    """

    kind: Literal["timer_fired"] = "timer_fired"
    name: str
    due: AwareDatetime


Input: TypeAlias = StartRequested | UserMessage | AgentEvent | StopRequested | EffectDone | EffectFailed | TimerFired
"""Everything that may happen to a hand-off."""
