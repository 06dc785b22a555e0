"""What a decision asks for: effects with stable keys, in two lanes that do not wait for each other."""

from __future__ import annotations

import hashlib
from typing import ClassVar, Final, Literal, TypeAlias

from pydantic import Field, JsonValue

from hitl_core._model import Model
from hitl_core.bridge.records import HandBack
from hitl_core.events import Event, StopReason
from hitl_core.messages import Message
from hitl_core.people import Author, EndUser
from hitl_core.sessions import HistoryEntry, HitlSession, SessionRef

__all__ = [
    "CustomerEffect",
    "DeskEffect",
    "Effect",
    "EffectBase",
    "Lane",
    "NotifyBot",
    "Resume",
    "SendToDesk",
    "StartSession",
    "StopSession",
    "TellCustomer",
    "effect_key",
]

Lane: TypeAlias = Literal["desk", "customer"]
"""``desk``: towards the helpdesk; ``customer``: towards the customer and the bot. Each is kept in order."""

_LONGEST_ID: Final = 80


def effect_key(handoff_id: str, what: str, id: str | int = "") -> str:
    """Return the key of an effect: the same for the same cause, however often it is decided.

    Ids of the host or the vendor longer than 80 characters are replaced by their hash, since keys travel in headers.
    """
    text = str(id)
    if len(text) > _LONGEST_ID or not text.isascii() or not text.isprintable():
        text = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{handoff_id}:{what}:{text}" if text else f"{handoff_id}:{what}"


class EffectBase(Model):
    """What every effect carries.

    :param key: idempotency key, stable across repeats.
    :param after: keys of effects of the other lane that have to be settled first.
    """

    lane: ClassVar[Lane]

    key: str
    after: tuple[str, ...] = ()


class StartSession(EffectBase):
    """Find or make the customer, open a session, relay the history.

    :param start_key: the start's own idempotency key.
    :param previous: the session of the conversation's last hand-off, for vendors that link the two.
    """

    lane: ClassVar[Lane] = "desk"
    kind: Literal["start_session"] = "start_session"

    conversation_id: str
    start_key: str
    user: EndUser
    title: str = Field(repr=False)
    description: str | None = Field(default=None, repr=False)
    history: tuple[HistoryEntry, ...] = Field(default=(), repr=False)
    options: dict[str, JsonValue] = Field(default_factory=dict, repr=False)
    relay: str = "transcript"
    previous: SessionRef | None = None


class SendToDesk(EffectBase):
    """Add a message to the session: the customer's, or one of our own to the agent."""

    lane: ClassVar[Lane] = "desk"
    kind: Literal["send_to_desk"] = "send_to_desk"

    session: HitlSession
    message: Message
    author: Author


class StopSession(EffectBase):
    """Close the session.

    :param message: last text to the agents.
    """

    lane: ClassVar[Lane] = "desk"
    kind: Literal["stop_session"] = "stop_session"

    session: HitlSession
    reason: StopReason
    message: str | None = Field(default=None, repr=False)


class TellCustomer(EffectBase):
    """Show a message to the customer: an agent's, or one of our own texts."""

    lane: ClassVar[Lane] = "customer"
    kind: Literal["tell_customer"] = "tell_customer"

    message: Message
    sender: Author


class NotifyBot(EffectBase):
    """Let the host know of an event, for display and records; the bot itself must not answer it (R03).

    :param message_keys: where the event changes a message: the keys it was shown under.
    """

    lane: ClassVar[Lane] = "customer"
    kind: Literal["notify_bot"] = "notify_bot"

    event: Event
    message_keys: tuple[str, ...] = ()


class Resume(EffectBase):
    """Give the conversation back to the bot; follows the closing text (behaviour S126)."""

    lane: ClassVar[Lane] = "customer"
    kind: Literal["resume"] = "resume"

    hand_back: HandBack


DeskEffect: TypeAlias = StartSession | SendToDesk | StopSession
CustomerEffect: TypeAlias = TellCustomer | NotifyBot | Resume
Effect: TypeAlias = DeskEffect | CustomerEffect
"""Every effect class, for ``match``."""
