"""The bot's side of a bridge: what it has to offer, and what it is answered."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from hitl_core._model import Model
from hitl_core.bridge.handoff.records import HandBack, Handoff
from hitl_core.events import Event
from hitl_core.messages import AnyMessage
from hitl_core.people import Author
from hitl_core.sessions import HitlSession
from hitl_core.webhooks import WebhookReply

__all__ = ["Handled", "Host", "Notice", "Receipt", "StartResult", "StartStatus"]


class Notice(Model):
    """An event of the helpdesk that is no new message, for display and records.

    :param message_keys: where the event changes or takes back a message: the keys :meth:`Host.send` got it under.
    """

    conversation_id: str
    handoff_id: str
    event: Event
    message_keys: tuple[str, ...] = ()


class Host(Protocol):
    """The bot, as the bridge sees it.

    Calls for one conversation come one after the other, in the order the customer should see them. A call that raises,
    takes longer than 30 seconds, or whose process dies is repeated with the same ``key``, for an hour: show what
    carries a known key once. Raise :class:`~hitl_core.errors.InvalidRequestError` for what can never be shown; it
    becomes a dead letter at once, and keeps nothing waiting. :mod:`hitl_core.bridge.hosts` has two hosts.
    """

    async def send(self, conversation_id: str, message: AnyMessage, sender: Author, *, key: str) -> None:
        """Show a message to the customer.

        :param message: media may carry a ``ref``; open it with :meth:`Bridge.open_attachment`.
        :param sender: an agent, or ``system`` for the bridge's own texts.
        """
        ...

    async def resume(self, conversation_id: str, hand_back: HandBack, *, key: str) -> None:
        """Take the conversation back."""
        ...

    async def notify(self, event: Notice, *, key: str) -> None:
        """Take note of an event. Never let the bot answer it: a human may have the conversation (behaviour R03)."""
        ...


StartStatus: TypeAlias = Literal[
    "started", "starting", "already_active", "not_allowed", "replay", "unavailable", "failed"
]
"""What became of a start (behaviour F01).

``started``: the ticket exists. ``starting``: it is being made. ``already_active``: another hand-off of this
conversation is open. ``replay``: this very start was made before and has ended; nothing was done. ``not_allowed``:
the helpdesk refuses this bot (credentials, right, plan, or not connected), or the conversation is itself a helpdesk's
session. ``unavailable``: no helpdesk could be reached, nothing was made, or nobody is there at this hour. ``failed``:
it was refused, or nobody can tell.
"""


class StartResult(Model):
    """The answer to a start.

    :param handoff: the hand-off it made or found; ``None`` when there is none, or nobody has got round to it yet.
    :param session: the ticket, once it exists.
    :param detail: what went wrong and what to do next; holds no secret and no customer's words.
    """

    status: StartStatus
    handoff: Handoff | None = None
    session: HitlSession | None = None
    detail: str | None = None


class Handled(Model):
    """The answer to a customer's message.

    :param silence: the bot must not answer it.
    """

    silence: bool


class Receipt(Model):
    """The answer to a webhook.

    :param accepted: whether it is proven and kept.
    :param reply: what to answer the helpdesk, now.
    """

    accepted: bool
    reply: WebhookReply
