"""Echoes: what we wrote never comes back as an agent's message, by whichever way and however early (F24)."""

from __future__ import annotations

from collections.abc import Sequence

from hitl_core.events import AnyEvent, SessionChanged
from hitl_core.people import Author
from hitl_core.sessions import HitlSession
from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.hearing import replies, spoken
from hitl_core.testing.conformance.tools.reading import one_line
from hitl_core.webhooks import KnownSession

__all__ = ["EchoTests"]

_ANSWER = "kit-answer of the agent"
_HINT = "tell our own by author, and by own_message_ids"


class EchoTests(ConformanceBase):
    """Our own words."""

    @rule("parse_webhook", "start_hitl")
    async def test_the_opening_never_comes_back_as_an_agents_message(self, room: Room) -> None:
        """Neither description nor history come back as an agent's message."""
        session = await room.session(description="kit-description", history=words.history(await room.user()))
        await room.agent.reply(session.id, _ANSWER)
        heard = _answers(await room.hear(session, until=_answered))
        assert heard == [_ANSWER], f"the agent answered once, and {len(heard)} messages of agents were told; {_HINT}"

    @rule("parse_webhook", "send_message")
    async def test_what_we_send_never_comes_back_by_webhook(self, room: Room) -> None:
        """No message of ours comes back by webhook as an agent's, whoever's it is."""
        session = await room.session()
        await _speak(room, session)
        await room.agent.reply(session.id, _ANSWER)
        heard = _answers(await room.hear(session, until=_answered))
        assert heard == [_ANSWER], f"the agent answered once, and {len(heard)} messages of agents were told; {_HINT}"

    @rule("list_events", "send_message", needs=("pull",))
    async def test_what_we_send_never_comes_back_by_pull(self, room: Room) -> None:
        """No message of ours comes back by pull as an agent's, also when the session is read from its beginning."""
        session = await room.session(description="kit-description", history=words.history(await room.user()))
        await _speak(room, session)
        await room.agent.reply(session.id, _ANSWER)
        for cursor, read in (("its start", await room.pull(session)), ("its beginning", await _whole(room, session))):
            heard = _answers(read)
            assert heard == [_ANSWER], f"read from {cursor}, the session has {len(heard)} agents' messages; {_HINT}"

    @rule("parse_webhook", "send_message")
    async def test_an_agent_may_say_the_same_as_we_did(self, room: Room) -> None:
        """An agent's message with the very words of one of ours is told, once."""
        session = await room.session()
        await room.send(session, _ANSWER, author=Author.bot("Kit bot"))
        await room.send(session, _ANSWER)
        await room.agent.reply(session.id, _ANSWER)
        await room.agent.reply(session.id, "kit-that is all")
        heard = _answers(await room.hear(session, until=lambda events: "kit-that is all" in _answers(events)))
        count = heard.count(_ANSWER)
        assert count == 1, f"an agent said it once, and it was told {count} times; never tell echoes by their words"

    @rule("parse_webhook", "send_message")
    async def test_an_echo_that_overtakes_our_answer_is_known_for_one(self, room: Room) -> None:
        """An echo is known by its author too: a webhook may arrive before the answer that tells the message's id."""
        session = await room.session(description="kit-description")
        await _speak(room, session)
        await room.agent.reply(session.id, _ANSWER)
        heard: list[str] = []
        while _ANSWER not in heard:
            arrived = await room.webhooks()
            assert arrived, f"no webhook told of the agent's answer within {room.patience} s"
            for webhook in arrived:
                known = {session.id: KnownSession(session=session)}
                parsed = await room.connection.parse_webhook(headers=webhook.headers, body=webhook.body, known=known)
                heard += _answers(parsed)
                if any(isinstance(event, SessionChanged) for event in parsed):
                    heard += _answers(await _whole(room, session, ids_known=False))
        others = [text for text in heard if text != _ANSWER]
        assert not others, f"with no ids known, {len(others)} messages of ours were told as an agent's; {_HINT}"


async def _speak(room: Room, session: HitlSession) -> None:
    """Send as everybody we send for."""
    for author in (Author.user(await room.user()), Author.bot("Kit bot"), Author.system()):
        await room.send(session, f"kit-ours-by-{author.role}", author=author)
    await room.send(session, "kit-ours-by-another-agent", author=Author.agent(room.simulator.agents[0]))
    if room.capabilities.internal_notes:
        await room.send(session, "kit-ours-as-a-note", author=Author.system(), visibility="internal")


async def _whole(room: Room, session: HitlSession, *, ids_known: bool = True) -> list[AnyEvent]:
    """Read a session from its beginning."""
    events: list[AnyEvent] = []
    cursor, more = None, True
    while more:
        own = room.own_ids(session) if ids_known else frozenset()
        page = await room.connection.list_events(session, cursor=cursor, own_message_ids=own)
        events += page.events
        cursor, more = page.cursor, page.more
    return events


def _answers(events: Sequence[AnyEvent]) -> list[str]:
    """Return what agents are told to have said."""
    return [one_line(spoken(reply.message)) for reply in replies(events)]


def _answered(events: Sequence[AnyEvent]) -> bool:
    return _ANSWER in _answers(events)
