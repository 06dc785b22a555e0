"""The record of one hand-off, and what the bot gets back at its end."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime, Field, JsonValue, computed_field

from hitl_core._model import Model
from hitl_core.bridge.handoff.inputs import Failure
from hitl_core.bridge.policy import Policy
from hitl_core.events import AnyEvent, Event, StopReason
from hitl_core.messages import AnyMessage, Message
from hitl_core.people import Agent, Author, EndUser, ExternalUser
from hitl_core.sessions import HistoryEntry, HitlSession, SessionRef

__all__ = ["EndReason", "HandBack", "Handoff", "Owner", "PendingMessage", "Phase", "StartContent", "Timer"]


class Phase(StrEnum):
    """How far a hand-off has come."""

    STARTING = "starting"
    """The ticket is being made."""
    WAITING = "waiting"
    """The ticket exists; nobody has taken it."""
    ACTIVE = "active"
    """A human has it."""
    ENDED = "ended"


class Owner(StrEnum):
    """Who answers the customer: always exactly one."""

    BOT = "bot"
    QUEUE = "queue"
    HUMAN = "human"


_OWNERS = {
    Phase.STARTING: Owner.QUEUE,
    Phase.WAITING: Owner.QUEUE,
    Phase.ACTIVE: Owner.HUMAN,
    Phase.ENDED: Owner.BOT,
}


class Timer(StrEnum):
    """Names of a hand-off's timers (behaviour part 12, F14)."""

    ASSIGNMENT = "assignment"
    """Nobody took it."""
    FIRST_ANSWER = "first_answer"
    """Somebody took it and has not said anything yet."""
    AGENT_SILENCE = "agent_silence"
    """The customer waits for an answer."""
    CUSTOMER_WARNING = "customer_warning"
    """The agent waits for the customer, who will be asked whether they are still there."""
    CUSTOMER_SILENCE = "customer_silence"
    """The agent waits for the customer, who is taken to have left."""
    MAXIMUM = "maximum"
    """It has gone on for too long."""


class EndReason(StrEnum):
    """Why a hand-off ended (behaviour S118, F14, F15)."""

    AGENT_CLOSED = "agent_closed"
    USER_CLOSED = "user_closed"
    STOP_REQUESTED = "stop_requested"
    ASSIGNMENT_TIMEOUT = "assignment_timeout"
    FIRST_ANSWER_TIMEOUT = "first_answer_timeout"
    AGENT_SILENT = "agent_silent"
    CUSTOMER_SILENT = "customer_silent"
    TOO_LONG = "too_long"
    START_FAILED = "start_failed"
    SESSION_GONE = "session_gone"
    HANDED_BACK = "handed_back"
    """Back to the bot while the ticket stays open."""
    MESSAGE_LEFT = "message_left"
    """Outside business hours: the ticket waits for the team, the customer does not."""
    INTERNAL_ERROR = "internal_error"

    @property
    def from_helpdesk(self) -> bool:
        """Whether the session had ended on the helpdesk's side, so that nobody needs to close it there (S117)."""
        return self in {EndReason.AGENT_CLOSED, EndReason.SESSION_GONE}

    @property
    def leaves_session_open(self) -> bool:
        """Whether the session goes on without us."""
        return self in {EndReason.HANDED_BACK, EndReason.MESSAGE_LEFT}


class PendingMessage(Model):
    """A customer's message that was accepted while a human or the queue owned.

    :param message_id: the host's id of it.
    :param user: who wrote it, when not the customer the hand-off was started for (behaviour F08).
    :param effect_key: key of the effect that relays it.
    """

    message_id: str
    message: Message
    author: Author
    user: EndUser | None = None
    received_at: AwareDatetime
    effect_key: str


class StartContent(Model):
    """What a session is to be opened with; kept in the record until one is open, for a fall-back connection.

    :param previous: the session of the conversation's last hand-off, for vendors that link the two.
    """

    title: str = Field(repr=False)
    description: str | None = Field(default=None, repr=False)
    history: tuple[HistoryEntry, ...] = Field(default=(), repr=False)
    options: dict[str, JsonValue] = Field(default_factory=dict, repr=False)
    relay: str = "transcript"
    previous: SessionRef | None = None


class Handoff(Model):
    """Everything that is known of one hand-off; nothing of it is kept elsewhere or reaches the next one (F10).

    :param connection: key of the connection (``"tenant/alias"``) its session is on, or is being made on.
    :param key: the start's idempotency key (behaviour F02).
    :param attempt: number of the connection tried, from 0 (behaviour F31).
    :param fallbacks: keys of the connections to try next, in order.
    :param paused: the bot has the conversation for a while; the session stays open and the hand-off goes on.
    :param leave_message: started outside business hours: it ends as soon as the ticket exists.
    :param user: the customer, as the bot knows them; their ``locale`` chooses the texts.
    :param external_user: the customer, as the helpdesk knows them.
    :param content: what the session is opened with; dropped once there is one or the start has failed.
    :param moved_from: sessions that were merged into the one it is on now, oldest first.
    :param agent: who has it, or who had it last once it ended.
    :param agent_implied: the agent was concluded from a message; the helpdesk may still show nobody (S080).
    :param announced: id of the agent the customer was last told of; ``""`` for one without an id.
    :param announcements: how often the customer was told of an agent.
    :param answered: an agent has said something in this hand-off.
    :param unrelayed: the customer's messages that are accepted and not known to have arrived, oldest first.
    :param early_events: what the helpdesk said before the link was made, oldest first (behaviour F04).
    :param facts_at: when the last fact of the helpdesk was taken in; a reading begun before it may be stale.
    :param agent_at: when the last fact about assignment happened, by the vendor; older ones are ignored.
    :param status_at: when the last fact about open or closed happened, by the vendor; older ones are ignored.
    :param failure: the class of what the start failed by.
    :param failed: why the start failed, as far as it may be shown to a bot's operator.
    :param timers: what is due when, by :class:`Timer`.
    :param version: grows by one with every change.
    """

    id: str
    conversation_id: str
    connection: str
    key: str
    attempt: int = 0
    fallbacks: tuple[str, ...] = ()
    phase: Phase = Phase.STARTING
    paused: bool = False
    leave_message: bool = False
    policy: Policy = Field(default_factory=Policy)
    user: EndUser = Field(default_factory=EndUser)
    external_user: ExternalUser | None = None
    content: StartContent | None = None
    session: HitlSession | None = None
    moved_from: tuple[SessionRef, ...] = ()
    agent: Agent | None = None
    agent_implied: bool = False
    announced: str | None = None
    announcements: int = 0
    answered: bool = False
    unrelayed: tuple[PendingMessage, ...] = Field(default=(), repr=False)
    early_events: tuple[Event, ...] = ()
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    end_reason: EndReason | None = None
    facts_at: AwareDatetime | None = None
    agent_at: AwareDatetime | None = None
    status_at: AwareDatetime | None = None
    failure: Failure | None = None
    failed: str | None = None
    timers: dict[str, AwareDatetime] = Field(default_factory=dict)
    version: int = 0

    @computed_field  # type: ignore[prop-decorator]  # the documented way; mypy has no words for it
    @property
    def owner(self) -> Owner:
        """Who answers the customer; the bot is silent unless it is ``bot``."""
        return Owner.BOT if self.paused else _OWNERS[self.phase]

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.phase is not Phase.ENDED

    @property
    def start_effect(self) -> str:
        """Key of the effect that opens the session on the connection tried now."""
        return f"{self.id}:start" if self.attempt == 0 else f"{self.id}:start:{self.attempt}"

    def is_stale(self, event: AnyEvent, last: datetime | None) -> bool:
        """Whether ``event`` tells of something older than what is known already."""
        return event.occurred_at is not None and last is not None and event.occurred_at < last

    def with_changes(self, **changes: object) -> Self:
        """Return a copy with these fields, one version on."""
        return self.model_copy(update={**changes, "version": self.version + 1})


class HandBack(Model):
    """What the bot gets when the conversation is its own again.

    :param reason: why the hand-off ended.
    :param stop_reason: the helpdesk's reason, when it ended there.
    :param session: the ticket, when there was one; ``session.url`` is its page.
    :param agent: who had it last.
    :param transcript: all that customer and agents said during the hand-off, oldest first.
    :param pending: what the customer said that no agent is known to have got; answer it, and do not hand it in again:
        a repeat of a message is known by its id and answered with silence.
    :param marker: a line for the bot's own history that says who is talking now.
    :param continue_flow: whether the bot should go on by itself; otherwise it waits for the customer.
    """

    handoff_id: str
    conversation_id: str
    reason: EndReason
    stop_reason: StopReason | None = None
    session: HitlSession | None = None
    agent: Agent | None = None
    transcript: tuple[HistoryEntry, ...] = Field(default=(), repr=False)
    pending: tuple[PendingMessage, ...] = Field(default=(), repr=False)
    marker: str = Field(default="", repr=False)
    continue_flow: bool = True

    @property
    def pending_messages(self) -> tuple[AnyMessage, ...]:
        """The messages alone."""
        return tuple(pending.message for pending in self.pending)
