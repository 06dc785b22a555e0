"""The record of one hand-off, and what the bot gets back at its end."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime, Field, computed_field

from hitl_core._model import Model
from hitl_core.bridge.policy import Policy
from hitl_core.events import AnyEvent, Event, StopReason
from hitl_core.messages import AnyMessage, Message
from hitl_core.people import Agent, Author, EndUser, ExternalUser
from hitl_core.sessions import HitlSession

__all__ = ["ASSIGNMENT_TIMER", "EndReason", "HandBack", "Handoff", "Owner", "PendingMessage", "Phase"]

ASSIGNMENT_TIMER = "assignment"
"""Name of the timer that ends a hand-off nobody takes (behaviour part 12)."""


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


class EndReason(StrEnum):
    """Why a hand-off ended (behaviour S118)."""

    AGENT_CLOSED = "agent_closed"
    USER_CLOSED = "user_closed"
    STOP_REQUESTED = "stop_requested"
    ASSIGNMENT_TIMEOUT = "assignment_timeout"
    START_FAILED = "start_failed"
    SESSION_GONE = "session_gone"

    @property
    def from_helpdesk(self) -> bool:
        """Whether the session had ended on the helpdesk's side, so that nobody needs to close it there (S117)."""
        return self in {EndReason.AGENT_CLOSED, EndReason.SESSION_GONE}


class PendingMessage(Model):
    """A customer's message that was accepted while a human or the queue owned.

    :param message_id: the host's id of it.
    :param effect_key: key of the effect that relays it.
    """

    message_id: str
    message: Message
    author: Author
    received_at: AwareDatetime
    effect_key: str


class Handoff(Model):
    """Everything that is known of one hand-off; nothing of it is kept elsewhere or reaches the next one (F10).

    :param key: the start's idempotency key (behaviour F02).
    :param user: the customer, as the bot knows them.
    :param external_user: the customer, as the helpdesk knows them.
    :param agent: who has it, or who had it last once it ended.
    :param agent_implied: the agent was concluded from a message; the helpdesk may still show nobody (S080).
    :param announced: id of the agent the customer was last told of.
    :param announcements: how often the customer was told of an agent.
    :param unrelayed: the customer's messages that are accepted and not known to have arrived, oldest first.
    :param early_events: what the helpdesk said before the link was made, oldest first (behaviour F04).
    :param shown: the keys an agent's message was shown to the customer under, by the helpdesk's id of it (S081).
    :param seen: ids of events and messages that were taken in (behaviour F22).
    :param agent_at: when the last fact about assignment happened; older ones are ignored.
    :param status_at: when the last fact about open or closed happened; older ones are ignored.
    :param timers: what is due when, by name.
    :param version: grows by one with every change.
    """

    id: str
    conversation_id: str
    connection: str
    key: str
    phase: Phase = Phase.STARTING
    policy: Policy = Field(default_factory=Policy)
    user: EndUser = Field(default_factory=EndUser)
    external_user: ExternalUser | None = None
    session: HitlSession | None = None
    agent: Agent | None = None
    agent_implied: bool = False
    announced: str | None = None
    announcements: int = 0
    unrelayed: tuple[PendingMessage, ...] = Field(default=(), repr=False)
    early_events: tuple[Event, ...] = ()
    shown: dict[str, tuple[str, ...]] = Field(default_factory=dict, repr=False)
    seen: frozenset[str] = Field(default=frozenset(), repr=False)
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    end_reason: EndReason | None = None
    agent_at: AwareDatetime | None = None
    status_at: AwareDatetime | None = None
    timers: dict[str, AwareDatetime] = Field(default_factory=dict)
    version: int = 0

    @computed_field  # type: ignore[prop-decorator]  # the documented way; mypy has no words for it
    @property
    def owner(self) -> Owner:
        """Who answers the customer; the bot is silent unless it is ``bot``."""
        return _OWNERS[self.phase]

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.phase is not Phase.ENDED

    def is_stale(self, event: AnyEvent, last: AwareDatetime | None) -> bool:
        """Whether ``event`` tells of something older than what is known already."""
        return event.occurred_at is not None and last is not None and event.occurred_at < last

    def with_changes(self, **changes: object) -> Self:
        """Return a copy with these fields, one version on."""
        return self.model_copy(update={**changes, "version": self.version + 1})


class HandBack(Model):
    """What the bot gets when the conversation is its own again.

    :param reason: why the hand-off ended.
    :param stop_reason: the helpdesk's reason, when it ended there.
    :param session: the ticket, when there was one.
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
    pending: tuple[PendingMessage, ...] = Field(default=(), repr=False)
    marker: str = Field(default="", repr=False)
    continue_flow: bool = True

    @property
    def pending_messages(self) -> tuple[AnyMessage, ...]:
        """The messages alone."""
        return tuple(pending.message for pending in self.pending)
