"""Towards the helpdesk: customers, sessions, messages."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field, JsonValue

from hitl_core._model import Model
from hitl_core.calls.state import SessionState
from hitl_core.events import StopReason
from hitl_core.messages import Message
from hitl_core.people import Author, EndUser, ExternalUser
from hitl_core.sessions import HitlSession, RelayItem, SessionRef

__all__ = [
    "CreateUser",
    "SendMessage",
    "SendTyping",
    "SentMessage",
    "StartHitl",
    "StartPlan",
    "StartedSession",
    "StopHitl",
    "Transfer",
    "Visibility",
]


Visibility: TypeAlias = Literal["public", "internal"]
"""Whether customers may see a message, or agents only."""


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


class SendTyping(Model):
    """Show agents that the customer started or stopped typing; best effort, never queued.

    :param session: where it shows.
    :param author: who types.
    :param typing: ``True`` when they started, ``False`` when they stopped.
    """

    session: HitlSession
    author: Author
    typing: bool = True


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
