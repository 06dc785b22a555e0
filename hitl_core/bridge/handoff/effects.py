"""What a decision asks for: effects with stable keys, in two lanes that do not wait for each other."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter

from hitl_core._model import Model
from hitl_core.bridge.handoff.records import HandBack, StartContent
from hitl_core.events import Event, StopReason
from hitl_core.messages import Message
from hitl_core.people import Author, EndUser
from hitl_core.sessions import HitlSession, SessionRef

__all__ = [
    "AnyEffect",
    "CustomerEffect",
    "DeskEffect",
    "Effect",
    "EffectBase",
    "Lane",
    "NotifyBot",
    "ReadSession",
    "Resume",
    "SendToDesk",
    "StartSession",
    "StopSession",
    "TellCustomer",
    "WatchStart",
    "effect_key",
    "parse_effect",
]

Lane: TypeAlias = Literal["desk", "customer", "watch"]
"""``desk``: towards the helpdesk, in order for each hand-off. ``customer``: towards the customer and the bot, in order
for each conversation. ``watch``: what may wait for a long time and stands in nobody's way."""

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

    :param key: idempotency key, stable across repeats and unique among all effects.
    :param after: keys of effects of another lane that have to be settled first: done, failed or cancelled.
    """

    lane: ClassVar[Lane]

    key: str
    after: tuple[str, ...] = ()


class StartSession(EffectBase):
    """Find or make the customer, open a session, relay the history.

    :param connection: where to.
    """

    lane: ClassVar[Lane] = "desk"
    kind: Literal["start_session"] = "start_session"

    connection: str
    conversation_id: str
    user: EndUser
    content: StartContent


class SendToDesk(EffectBase):
    """Add a message to the session: the customer's, or one of our own to the agent.

    :param user: the writer, when it is not the customer the hand-off is for: to be found or made first (F08).
    :param mergeable: a customer's message, which may be sent as one with its neighbours (behaviour F38).
    """

    lane: ClassVar[Lane] = "desk"
    kind: Literal["send_to_desk"] = "send_to_desk"

    session: HitlSession
    message: Message
    author: Author
    user: EndUser | None = None
    internal: bool = False
    mergeable: bool = False


class StopSession(EffectBase):
    """Close the session.

    :param message: last text to the agents.
    """

    lane: ClassVar[Lane] = "desk"
    kind: Literal["stop_session"] = "stop_session"

    session: HitlSession
    reason: StopReason
    message: str | None = Field(default=None, repr=False)


class WatchStart(EffectBase):
    """Look for the session of a start nobody can tell about; one that shows up late would be an orphan (F03).

    :param start: key of the :class:`StartSession` effect in doubt. When its session is found, that effect is reported
        as done, however late.
    """

    lane: ClassVar[Lane] = "watch"
    kind: Literal["watch_start"] = "watch_start"

    connection: str
    start: str


class ReadSession(EffectBase):
    """Read the session from the vendor soon: something may have been missed, or was overtaken (behaviour F13)."""

    lane: ClassVar[Lane] = "watch"
    kind: Literal["read_session"] = "read_session"

    session: SessionRef


class TellCustomer(EffectBase):
    """Show a message to the customer: an agent's, or one of our own texts.

    :param vendor_message_id: the helpdesk's id of an agent's message, by which later changes of it find this one.
    """

    lane: ClassVar[Lane] = "customer"
    kind: Literal["tell_customer"] = "tell_customer"

    message: Message
    sender: Author
    vendor_message_id: str | None = None


class NotifyBot(EffectBase):
    """Let the host know of an event, for display and records; the bot itself must not answer it (R03)."""

    lane: ClassVar[Lane] = "customer"
    kind: Literal["notify_bot"] = "notify_bot"

    event: Event


class Resume(EffectBase):
    """Give the conversation back to the bot; follows the closing text (behaviour S126).

    :param hand_back: without the transcript, which is put together when it is given.
    :param began_at: when the hand-off began: where its transcript begins.
    """

    lane: ClassVar[Lane] = "customer"
    kind: Literal["resume"] = "resume"

    hand_back: HandBack
    began_at: AwareDatetime | None = None


DeskEffect: TypeAlias = StartSession | SendToDesk | StopSession
CustomerEffect: TypeAlias = TellCustomer | NotifyBot | Resume
AnyEffect: TypeAlias = DeskEffect | CustomerEffect | WatchStart | ReadSession
"""Every effect class, for ``match``."""

Effect: TypeAlias = Annotated[AnyEffect, Field(discriminator="kind")]
"""Any effect, told apart by ``kind``."""


@cache
def _adapter() -> TypeAdapter[AnyEffect]:
    return TypeAdapter(Effect, config=ConfigDict(hide_input_in_errors=True))


def parse_effect(value: str | bytes | dict[str, Any]) -> AnyEffect:
    """Read an effect from its stored form.

    :raises pydantic.ValidationError: it is none this version knows; does not quote the input.
    """
    if isinstance(value, dict):
        return _adapter().validate_python(value)
    return _adapter().validate_json(value)
