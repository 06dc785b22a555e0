"""What a hook is asked and what it answers: one frozen request and one result each.

The spec grows by optional fields here, so that an older provider keeps working with a newer core.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import AwareDatetime, Field, JsonValue, SecretStr, SerializationInfo, field_serializer

from hitl_core._model import Model
from hitl_core.events import Event, StopReason
from hitl_core.info import Capabilities, Limits
from hitl_core.messages import AttachmentRef, Message
from hitl_core.people import Agent, Author, EndUser, ExternalUser
from hitl_core.sessions import HitlSession, RelayItem, SessionRef

__all__ = [
    "Absent",
    "AccountProfile",
    "AttachmentStream",
    "Availability",
    "ChangePage",
    "CheckAccount",
    "CheckResult",
    "CloseConnection",
    "CreateUser",
    "EventPage",
    "FindMessage",
    "FindSession",
    "Finding",
    "Found",
    "GetAvailability",
    "Identify",
    "Inconclusive",
    "ListChanges",
    "ListEvents",
    "OpenAttachment",
    "OpenConnection",
    "RegisterWebhook",
    "SendMessage",
    "SendTyping",
    "SentMessage",
    "SessionState",
    "StartHitl",
    "StartPlan",
    "StartedSession",
    "StopHitl",
    "Transfer",
    "UnregisterWebhook",
    "Visibility",
    "WebhookRegistration",
]

Visibility: TypeAlias = Literal["public", "internal"]
"""Whether customers may see a message, or agents only."""


class OpenConnection(Model):
    """Set the instance up."""


class AccountProfile(Model):
    """What this account's plan and mode really allow; ``None`` leaves what the provider declares.

    :param capabilities: those the account has; it can only take away from what is declared.
    :param limits: those of the account.
    :param account: the vendor's id of the account; a delivery that names another one is refused.
    """

    capabilities: Capabilities | None = None
    limits: Limits | None = None
    account: str | None = None


class CloseConnection(Model):
    """Tear the instance down; called once."""


class CheckAccount(Model):
    """Find out whether everything is in place.

    :param webhook_url: where our webhook is to be reached, when it is known.
    """

    webhook_url: str | None = None


class CheckResult(Model):
    """One thing that was checked.

    :param name: what was checked, in a word or two, such as ``token``.
    :param ok: whether it is in place.
    :param detail: what was found, in a sentence without secrets.
    :param mend: what to do when it is not in place.
    """

    name: str
    ok: bool
    detail: str | None = None
    mend: str | None = None


class Identify(Model):
    """Find out who the credentials act as."""


class CreateUser(Model):
    """Find or create the customer; never re-key, rename or demote somebody who exists (behaviour F35).

    :param user: the customer as the bot knows them.
    :param known: what an earlier call for this person gave.
    :param key: idempotency key; equal when the same call is repeated.
    """

    user: EndUser
    known: ExternalUser | None = None
    key: str


class StartHitl(Model):
    """Open a session. One call is one vendor write that cannot be repeated blindly.

    :param user: the customer, from ``create_user``.
    :param title: what the session is to be called; cut to the limit of titles already.
    :param description: a first text for the agents; within the limit of an opening.
    :param relay: the history; place as many items as the opening can carry and say how many.
    :param options: JSON form of the provider's options, already validated.
    :param external_id: our id to write on the session.
    :param previous: the ended session this one follows, for vendors that link the two.
    :param key: idempotency key of this step; equal when the same step is repeated.
    :param step: number of the step, from 0.
    :param resume: what the previous step handed back, for vendors that need several steps.
    """

    user: ExternalUser
    title: str = Field(repr=False)
    description: str | None = Field(default=None, repr=False)
    relay: tuple[RelayItem, ...] = ()
    options: dict[str, JsonValue] = Field(default_factory=dict, repr=False)
    external_id: str | None = None
    previous: SessionRef | None = None
    key: str
    step: int = Field(default=0, ge=0)
    resume: dict[str, JsonValue] | None = Field(default=None, repr=False)


class StartedSession(Model):
    """A session was opened, or a step towards it was taken.

    After the one write that cannot be repeated blindly nothing may fail: what is left to do goes into ``resume``.

    :param session: required once ``resume`` is ``None``.
    :param relayed: how many of ``relay`` are placed; the connection sends the others.
    :param ids: the vendor's ids of the messages the opening made, for echo suppression.
    :param cursor: where reading the session begins.
    :param warnings: what could not be set and did not matter enough to fail, in sentences.
    :param resume: not ``None``: call again with it for the next step.
    """

    session: HitlSession | None = None
    relayed: int = Field(default=0, ge=0)
    ids: tuple[str, ...] = ()
    cursor: str | None = None
    warnings: tuple[str, ...] = ()
    resume: dict[str, JsonValue] | None = Field(default=None, repr=False)


class StartPlan(Model):
    """A start with everything rendered and split, ready to be stored before the first attempt."""

    request: StartHitl


class SendMessage(Model):
    """Add one message to a session. One call is one vendor write.

    :param session: where to add it.
    :param author: who wrote it: the customer, the bot, another agent or the system.
    :param message: what to add; of a type the account can show.
    :param visibility: ``internal`` is for agents only; where the vendor has no notes the connection refuses it.
    :param reopen: open the session again if it has ended.
    :param key: idempotency key of this part, ``{key}/{n}``.
    """

    session: HitlSession
    author: Author
    message: Message
    visibility: Visibility = "public"
    reopen: bool = False
    key: str


class SentMessage(Model):
    """A message was added.

    :param ids: the vendor's ids of what was added, for echo suppression.
    :param state: how the session stands after it, when the answer tells.
    """

    ids: tuple[str, ...] = ()
    state: SessionState | None = None


class StopHitl(Model):
    """End a session; ending an ended one is no error.

    :param session: what to end.
    :param reason: why, in our words; providers map it.
    :param message: a last text for the agents; only where ``capabilities.stop_message`` is declared.
    :param key: idempotency key; equal when the same call is repeated.
    """

    session: HitlSession
    reason: StopReason = StopReason.USER_LEFT
    message: str | None = Field(default=None, repr=False)
    key: str


class RegisterWebhook(Model):
    """Make the vendor call ``url``; mend what drifted since ``previous``.

    :param url: where deliveries are to go.
    :param previous: what an earlier call made, if there was one.
    """

    url: str
    previous: WebhookRegistration | None = None


class UnregisterWebhook(Model):
    """Remove everything ``previous`` made.

    :param previous: what registering made.
    """

    previous: WebhookRegistration


class WebhookRegistration(Model):
    """What registering made.

    :param url: where deliveries go now.
    :param ids: the vendor's ids of the objects, by role.
    :param secrets: secrets the vendor issued, newest first; stored by the connection.
    :param manual_steps: what a person has still to do, in order.
    """

    url: str
    ids: dict[str, str] = Field(default_factory=dict)
    secrets: tuple[SecretStr, ...] = ()
    manual_steps: tuple[str, ...] = ()

    @field_serializer("secrets")
    def _secrets(self, value: tuple[SecretStr, ...], info: SerializationInfo) -> list[str]:
        """Reveal secrets only to the state store, which asks for them."""
        reveal = isinstance(info.context, dict) and info.context.get("reveal_secrets") is True
        return [secret.get_secret_value() if reveal else str(secret) for secret in value]


class FindSession(Model):
    """Did this start take effect?

    :param request: the start whose outcome is in doubt, as it was asked.
    :param sent_after: nothing of it can be older.
    :param known_ids: sessions that are accounted for.
    """

    request: StartHitl
    sent_after: AwareDatetime
    known_ids: frozenset[str] = frozenset()


class FindMessage(Model):
    """Did this send take effect?

    :param request: the message whose outcome is in doubt, as it was asked.
    :param sent_after: nothing of it can be older.
    :param known_ids: messages that are accounted for, though their text may be the same.
    """

    request: SendMessage
    sent_after: AwareDatetime
    known_ids: frozenset[str] = frozenset()


class Finding(Model):
    """What a search for an ambiguous write came to: :class:`Found`, :class:`Absent` or :class:`Inconclusive`."""


class Found(Finding):
    """It took effect, and this is it."""

    outcome: Literal["found"] = "found"
    started: StartedSession | None = None
    sent: SentMessage | None = None


class Absent(Finding):
    """It did not take effect; a repeat is safe."""

    outcome: Literal["absent"] = "absent"


class Inconclusive(Finding):
    """It cannot be told, or not yet.

    :param retry_after: seconds after which asking again may help.
    """

    outcome: Literal["inconclusive"] = "inconclusive"
    retry_after: float | None = None


class SessionState(Model):
    """How a session stands now.

    :param final: ended for good; what comes next needs a new session.
    :param status: the vendor's own word for it.
    :param moved_to: the session it was merged into.
    """

    open: bool
    final: bool = False
    agent: Agent | None = None
    status: str | None = None
    updated_at: AwareDatetime | None = None
    moved_to: SessionRef | None = None


class ListEvents(Model):
    """Read one session from ``cursor`` on; from its beginning when ``None``.

    :param session: what to read.
    :param cursor: where the last read ended; ``None`` for the beginning.
    :param own_message_ids: the vendor's ids of messages we sent: echoes of these are ignored.
    :param limit: how many events a page should hold at most.
    :param wait: seconds the vendor may hold the answer back until there is something, where it can.
    """

    session: HitlSession
    cursor: str | None = None
    own_message_ids: frozenset[str] = frozenset()
    limit: int = Field(default=100, gt=0)
    wait: float = Field(default=0, ge=0)


class EventPage(Model):
    """A page of a session's events, and its state at the time of reading.

    Messages are in ``events``; assignment and open or closed may be left to ``state``.

    :param events: what happened, oldest first.
    :param state: how the session stands now, when the vendor tells.
    :param cursor: where the next read begins.
    :param more: there is more to read now.
    :param gap: the vendor no longer shows everything since the cursor: something may be missing.
    """

    events: tuple[Event, ...] = ()
    state: SessionState | None = None
    cursor: str | None = None
    more: bool = False
    gap: bool = False


class ListChanges(Model):
    """Which sessions moved since ``cursor``?

    :param cursor: where the last read ended; ``None`` for a first one.
    :param sessions: ids of those that are of interest; empty for all.
    :param limit: how many sessions a page should hold at most.
    :param wait: seconds the vendor may hold the answer back until there is something, where it can.
    """

    cursor: str | None = None
    sessions: tuple[str, ...] = ()
    limit: int = Field(default=100, gt=0)
    wait: float = Field(default=0, ge=0)


class ChangePage(Model):
    """Sessions that moved.

    :param sessions: those that moved.
    :param cursor: where the next read begins.
    :param more: there is more to read now.
    """

    sessions: tuple[SessionRef, ...] = ()
    cursor: str | None = None
    more: bool = False


class OpenAttachment(Model):
    """Open a file the helpdesk holds.

    :param ref: which file, as an event named it.
    :param max_bytes: give up beyond this size.
    """

    ref: AttachmentRef
    max_bytes: int = Field(default=25 * 1024 * 1024, gt=0)


@dataclass(slots=True)
class AttachmentStream:
    """An open file; iterate ``chunks``, then call ``close``.

    :param size: bytes, when the vendor says so.
    """

    chunks: AsyncIterator[bytes]
    close: Callable[[], Awaitable[Any]]
    content_type: str | None = None
    name: str | None = None
    size: int | None = None


class SendTyping(Model):
    """Show agents that the customer started or stopped typing; best effort, never queued.

    :param session: where it shows.
    :param author: who types.
    :param typing: ``True`` when they started, ``False`` when they stopped.
    """

    session: HitlSession
    author: Author
    typing: bool = True


class GetAvailability(Model):
    """Is somebody there?"""


class Availability(Model):
    """Whether somebody is there.

    :param available: ``None`` when it cannot be told.
    :param agents_online: how many agents are there, when the vendor tells.
    :param wait_seconds: expected wait.
    :param opens_at: when somebody will be there again.
    """

    available: bool | None = None
    agents_online: int | None = Field(default=None, ge=0)
    wait_seconds: float | None = Field(default=None, ge=0)
    opens_at: AwareDatetime | None = None


class Transfer(Model):
    """Move a session to a team, an agent, or back to the queue when both are ``None``.

    :param session: what to move.
    :param team: the vendor's id of the team.
    :param agent: the vendor's id of the agent.
    :param key: idempotency key; equal when the same call is repeated.
    """

    session: HitlSession
    team: str | None = None
    agent: str | None = None
    key: str
