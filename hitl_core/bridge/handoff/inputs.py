"""What may happen to a hand-off: the inputs of :func:`hitl_core.bridge.decide`."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AwareDatetime, ConfigDict, Field, JsonValue, TypeAdapter

from hitl_core._model import Model
from hitl_core.bridge.policy import FrozenPolicy
from hitl_core.calls import SessionState
from hitl_core.events import Event, StopReason
from hitl_core.messages import Message
from hitl_core.people import Author, EndUser, ExternalUser
from hitl_core.sessions import HistoryEntry, HitlSession, SessionRef

__all__ = [
    "AgentEvent",
    "AnyInput",
    "EffectDone",
    "EffectFailed",
    "Failure",
    "Input",
    "PauseRequested",
    "ResumeRequested",
    "SessionRead",
    "StartRequested",
    "StopRequested",
    "TimerFired",
    "UserMessage",
    "parse_input",
]


class StartRequested(Model):
    """The bot wants a human.

    :param handoff_id: id of the hand-off this makes, should it make one.
    :param connections: keys of the connections to try, in order (behaviour F31); at least one.
    :param key: idempotency key of the start (behaviour F02).
    :param policy: the effective policy of this hand-off (behaviour S043-S045).
    :param off_hours: it is outside business hours, as judged when the start was asked for.
    :param downstream: the conversation is itself a helpdesk's session (behaviour S053).
    """

    kind: Literal["start_requested"] = "start_requested"
    handoff_id: str = Field(min_length=1)
    conversation_id: str = Field(min_length=1)
    connections: tuple[str, ...] = Field(min_length=1)
    key: str = Field(min_length=1)
    user: EndUser
    title: str = Field(repr=False)
    description: str | None = Field(default=None, repr=False)
    history: tuple[HistoryEntry, ...] = Field(default=(), repr=False)
    options: dict[str, JsonValue] = Field(default_factory=dict, repr=False)
    relay: str = "transcript"
    policy: FrozenPolicy | None = None
    off_hours: bool = False
    downstream: bool = False


class UserMessage(Model):
    """The customer wrote.

    :param message_id: the host's id of it.
    :param user: who wrote it, when the host tells; in a group chat not always who the hand-off is for (F08).
    """

    kind: Literal["user_message"] = "user_message"
    message_id: str = Field(min_length=1)
    message: Message
    author: Author
    user: EndUser | None = None


class AgentEvent(Model):
    """Something happened in the helpdesk.

    :param superseded: the conversation has a later hand-off than the one this is decided for.
    """

    kind: Literal["agent_event"] = "agent_event"
    event: Event
    superseded: bool = False


class SessionRead(Model):
    """The session's state was read from the vendor (behaviour F13).

    :param state: how it stands; ``None`` when the vendor does not know the session any more.
    :param began_at: when the reading began; facts taken in since then are newer than it.
    :param superseded: the conversation has a later hand-off than the one this is decided for.
    """

    kind: Literal["session_read"] = "session_read"
    session: SessionRef
    state: SessionState | None
    began_at: AwareDatetime
    superseded: bool = False


class StopRequested(Model):
    """The bot, or an operator, wants to end it.

    :param close: close the session too; otherwise it stays open in the helpdesk and only the bot takes over.
    :param tell: tell the customer that it has ended.
    :param flow: let the bot go on by itself (behaviour S104 wants neither for the bot's own call).
    """

    kind: Literal["stop_requested"] = "stop_requested"
    reason: StopReason = StopReason.BOT_RESOLVED
    close: bool = True
    tell: bool = False
    flow: bool = False


class PauseRequested(Model):
    """The bot takes the conversation for a while; the session stays open."""

    kind: Literal["pause_requested"] = "pause_requested"


class ResumeRequested(Model):
    """The pause is over: the human, or the queue, has the conversation again."""

    kind: Literal["resume_requested"] = "resume_requested"


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
    """Why an effect will not take place; the class decides what is done about it (guarantee 5)."""

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
    """An effect will not take place.

    :param detail: why, without secrets or customers' words.
    """

    kind: Literal["effect_failed"] = "effect_failed"
    key: str
    failure: Failure
    detail: str = ""


class TimerFired(Model):
    """A timer of the record is due.

    :param handoff_id: whose timer it was; an ended hand-off's has no effect on a newer one (behaviour S110).
    :param due: when it was due; a timer that was moved or cancelled since has another.
    """

    kind: Literal["timer_fired"] = "timer_fired"
    handoff_id: str
    name: str
    due: AwareDatetime


AnyInput: TypeAlias = (
    StartRequested
    | UserMessage
    | AgentEvent
    | SessionRead
    | StopRequested
    | PauseRequested
    | ResumeRequested
    | EffectDone
    | EffectFailed
    | TimerFired
)
"""Every input class, for ``isinstance`` and ``match``."""

Input: TypeAlias = Annotated[AnyInput, Field(discriminator="kind")]
"""Everything that may happen to a hand-off, told apart by ``kind``."""


@cache
def _adapter() -> TypeAdapter[AnyInput]:
    return TypeAdapter(Input, config=ConfigDict(hide_input_in_errors=True))


def parse_input(value: str | bytes | dict[str, Any]) -> AnyInput:
    """Read an input from its stored form.

    :raises pydantic.ValidationError: it is none this version knows; does not quote the input.
    """
    if isinstance(value, dict):
        return _adapter().validate_python(value)
    return _adapter().validate_json(value)
