"""What a bot hears: agents' words as customers would read them, and everything agents can do at once."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from hitl_core.events import AgentMessage, AgentMessageUpdated, AnyEvent, SessionStopped
from hitl_core.messages import Bloc, Markdown, Media, Text
from hitl_core.sessions import HitlSession
from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.tools.reading import one_line
from hitl_core.testing.simulator import SimFile, SimWebhook

__all__ = ["FILES", "everything_told", "media", "moments_pass", "replies", "said", "says", "spoken", "told_in"]

FILES: Final = (
    SimFile(name="kit-picture.png", content_type="image/png", content=words.PNG_BYTES),
    SimFile(name="kit-list.txt", content_type="text/plain", content=b"kit: one parcel\nkit: no label\n"),
)
"""What agents attach."""

_ESCAPE: Final = re.compile(r"\\([!-/:-@\[-`{-~\n])")


def spoken(message: object) -> str:
    """Return the words of a message as a customer reads them, lines kept."""
    match message:
        case Text():
            return message.text
        case Markdown():
            return html.unescape(_ESCAPE.sub(r"\1", message.markdown))
        case Bloc():
            return "\n".join(filter(None, (spoken(item) for item in message.items)))
        case Media():
            return message.title or ""
    return ""


def says(event: AnyEvent, text: str) -> bool:
    """Whether an event brings these words to the customer."""
    return isinstance(event, AgentMessage | AgentMessageUpdated) and one_line(text) in one_line(spoken(event.message))


def said(*texts: str) -> Callable[[Sequence[AnyEvent]], bool]:
    """Return a condition: each of these texts was heard."""
    return lambda heard: all(any(says(event, text) for event in heard) for text in texts)


def replies(heard: Iterable[AnyEvent]) -> list[AgentMessage]:
    """Return the agents' messages."""
    return [event for event in heard if isinstance(event, AgentMessage)]


def media(heard: Iterable[AnyEvent]) -> list[Media]:
    """Return the files agents sent, in order, whether alone or in a bloc."""
    found: list[Media] = []
    for event in replies(heard):
        items = event.message.items if isinstance(event.message, Bloc) else (event.message,)
        found += [item for item in items if isinstance(item, Media)]
    return found


def told_in(webhooks: Iterable[SimWebhook], text: str) -> bool:
    """Whether the vendor wrote these words, plain ASCII, into one of its deliveries."""
    return any(text.encode() in webhook.body for webhook in webhooks)


async def moments_pass(room: Room) -> None:
    """Let a second pass at the helpdesk, where its clock can be moved: what happens next has another time."""
    if hasattr(room.simulator.clock, "advance") and hasattr(room.agent, "advance"):
        await room.agent.advance(1)


async def everything_told(room: Room) -> tuple[HitlSession, list[SimWebhook]]:
    """Let an agent do whatever they can in one session, some of it twice; return what the vendor delivered of it."""
    session = await room.session()
    first = len(room.received)
    for verb, given in _ACTS:
        if verb in room.simulator.abilities:
            await getattr(room.agent, verb)(session.id, **given)
            await moments_pass(room)
    await room.hear(session, SessionStopped)
    return session, room.received[first:]


_ACTS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("reply", {"text": "kit-same-words"}),
    ("assign", {}),
    ("note", {"text": "kit-note-words"}),
    ("unassign", {}),
    ("customer_writes", {"text": "kit-mail-words"}),
    ("reply", {"text": "kit-same-words"}),
    ("system_acts", {}),
    ("assign", {}),
    ("attach", {"text": "kit-file-words", "files": FILES}),
    ("close", {}),
)
