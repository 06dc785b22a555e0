"""What happens on the helpdesk's side, in one vocabulary.

A message is a fact with an id: by push or by pull it is one :class:`AgentMessage` with one ``event_id``. Assignment
and open or closed are state, told by difference. Where one delivery holds several facts they come in the order a
customer should see them: reopened, assigned, message, stopped (behaviour S236).
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AwareDatetime, ConfigDict, Discriminator, Field, Tag, TypeAdapter

from hitl_core._model import Model
from hitl_core.messages import Message
from hitl_core.people import Agent
from hitl_core.sessions import SessionRef

__all__ = [
    "EVENT_KINDS",
    "AgentAssigned",
    "AgentMessage",
    "AgentMessageDeleted",
    "AgentMessageUpdated",
    "AgentTyping",
    "AgentUnassigned",
    "AnyEvent",
    "DeliveryStatus",
    "Event",
    "EventBase",
    "Ignored",
    "IgnoredReason",
    "MessageStatus",
    "SessionChanged",
    "SessionEvent",
    "SessionReopened",
    "SessionStopped",
    "StopReason",
    "UnknownEvent",
    "parse_event",
]


class StopReason(StrEnum):
    """Why a session ended; a reason of the future reads as ``unknown``."""

    AGENT_CLOSED = "agent_closed"
    USER_LEFT = "user_left"
    BOT_RESOLVED = "bot_resolved"
    TIMEOUT = "timeout"
    ERROR = "error"
    DELETED = "deleted"
    MERGED = "merged"
    SPAM = "spam"
    TRANSFERRED = "transferred"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls.UNKNOWN


class IgnoredReason(StrEnum):
    """Why a fact of the helpdesk is not for the customer; nothing disappears without one of these.

    ``NOT_OURS`` is said of what is known now: its ``event_id`` is not used up, since the session may be linked to a
    hand-off a moment later and then be read again.
    """

    ECHO = "echo"
    INTERNAL_NOTE = "internal_note"
    END_USER = "end_user"
    SYSTEM = "system"
    BOT = "bot"
    NOT_OURS = "not_ours"
    TEST_PING = "test_ping"
    EMPTY = "empty"
    STALE = "stale"
    IRRELEVANT = "irrelevant"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls.IRRELEVANT


class DeliveryStatus(StrEnum):
    """How far a message of ours has come."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


class EventBase(Model):
    """What every event carries.

    :param event_id: stable id within the connection: the same fact has the same id however often and by whichever
        way it arrives.
    :param occurred_at: when it happened at the vendor, when the vendor says so.
    :param raw: the vendor's own object, as its JSON was read, for whoever needs more.
    """

    event_id: str = Field(min_length=1)
    occurred_at: AwareDatetime | None = None
    raw: Any = Field(default=None, repr=False)


class SessionEvent(EventBase):
    """An event of one session."""

    session: SessionRef


class AgentMessage(SessionEvent):
    """An agent wrote to the customer.

    A vendor that tells of a message's files in later events gives one of these for the text and one for each file, with
    one ``message_id`` and event ids of their own.

    :param message_id: the vendor's id of the message.
    :param agent: who wrote it; ``None`` when the vendor does not say.
    """

    kind: Literal["agent_message"] = "agent_message"
    message_id: str
    agent: Agent | None = None
    message: Message


class AgentMessageUpdated(SessionEvent):
    """An agent changed a message already sent."""

    kind: Literal["agent_message_updated"] = "agent_message_updated"
    message_id: str
    agent: Agent | None = None
    message: Message


class AgentMessageDeleted(SessionEvent):
    """An agent took a message back."""

    kind: Literal["agent_message_deleted"] = "agent_message_deleted"
    message_id: str
    agent: Agent | None = None


class AgentAssigned(SessionEvent):
    """The session has this agent now, whoever had it before."""

    kind: Literal["agent_assigned"] = "agent_assigned"
    agent: Agent


class AgentUnassigned(SessionEvent):
    """Nobody has the session now; never an assignment of a nameless agent (behaviour F26)."""

    kind: Literal["agent_unassigned"] = "agent_unassigned"


class SessionStopped(SessionEvent):
    """The session ended on the helpdesk's side.

    :param moved_to: the session it was merged into, when there is one.
    """

    kind: Literal["session_stopped"] = "session_stopped"
    reason: StopReason = StopReason.UNKNOWN
    agent: Agent | None = None
    moved_to: SessionRef | None = None


class SessionReopened(SessionEvent):
    """The session is open again."""

    kind: Literal["session_reopened"] = "session_reopened"
    agent: Agent | None = None


class SessionChanged(SessionEvent):
    """Something changed; read it with ``list_events``. Many of these may be served by one read.

    Its ``event_id`` comes from the delivery: two hints are two events, even when they say the same.
    """

    kind: Literal["session_changed"] = "session_changed"


class AgentTyping(SessionEvent):
    """An agent started or stopped typing."""

    kind: Literal["agent_typing"] = "agent_typing"
    agent: Agent | None = None
    typing: bool = True


class MessageStatus(SessionEvent):
    """How far a message of ours has come."""

    kind: Literal["message_status"] = "message_status"
    message_id: str
    status: DeliveryStatus
    detail: str | None = Field(default=None, repr=False)


class Ignored(EventBase):
    """A fact that is deliberately not passed on, and why."""

    kind: Literal["ignored"] = "ignored"
    session: SessionRef | None = None
    reason: IgnoredReason
    message_id: str | None = None


class UnknownEvent(EventBase):
    """A kind this version, or this provider, does not know; every field is kept."""

    model_config = ConfigDict(extra="allow")

    kind: str = "unknown"
    session: SessionRef | None = None

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Show what is known to be harmless."""
        return [("kind", self.kind), ("event_id", self.event_id), ("session", self.session)]


EVENT_KINDS: tuple[str, ...] = (
    "agent_message",
    "agent_message_updated",
    "agent_message_deleted",
    "agent_assigned",
    "agent_unassigned",
    "session_stopped",
    "session_reopened",
    "session_changed",
    "agent_typing",
    "message_status",
    "ignored",
)
"""The kinds with a class of their own; any other is an :class:`UnknownEvent`."""


def _tag(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if kind in EVENT_KINDS else "unknown"


AnyEvent: TypeAlias = (
    AgentMessage
    | AgentMessageUpdated
    | AgentMessageDeleted
    | AgentAssigned
    | AgentUnassigned
    | SessionStopped
    | SessionReopened
    | SessionChanged
    | AgentTyping
    | MessageStatus
    | Ignored
    | UnknownEvent
)
"""Every event class, for ``isinstance`` and ``match``."""

Event: TypeAlias = Annotated[
    Annotated[AgentMessage, Tag("agent_message")]
    | Annotated[AgentMessageUpdated, Tag("agent_message_updated")]
    | Annotated[AgentMessageDeleted, Tag("agent_message_deleted")]
    | Annotated[AgentAssigned, Tag("agent_assigned")]
    | Annotated[AgentUnassigned, Tag("agent_unassigned")]
    | Annotated[SessionStopped, Tag("session_stopped")]
    | Annotated[SessionReopened, Tag("session_reopened")]
    | Annotated[SessionChanged, Tag("session_changed")]
    | Annotated[AgentTyping, Tag("agent_typing")]
    | Annotated[MessageStatus, Tag("message_status")]
    | Annotated[Ignored, Tag("ignored")]
    | Annotated[UnknownEvent, Tag("unknown")],
    Discriminator(_tag),
]
"""Any event, told apart by ``kind``."""


@cache
def _adapter() -> TypeAdapter[AnyEvent]:
    return TypeAdapter(Event, config=ConfigDict(hide_input_in_errors=True))


def parse_event(value: Any) -> AnyEvent:
    """Read an event from its JSON object.

    :raises pydantic.ValidationError: the kind is known and a field is wrong; does not quote the input.
    """
    return _adapter().validate_python(value)
