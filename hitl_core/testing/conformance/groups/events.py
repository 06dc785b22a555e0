"""``parse_webhook``: what agents write is heard, word for word and each word once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from hitl_core.events import AgentMessageDeleted, AgentMessageUpdated, AnyEvent
from hitl_core.messages import AttachmentRef, Image, Media, Text
from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.tools.hearing import FILES, media, replies, said, says, spoken
from hitl_core.testing.conformance.tools.reading import one_line

__all__ = ["EventTests"]

_LINES = "kit-line-one: look here\nkit-line-two: and there\n\nkit-line-three: after a gap"
_CLOCKS_DIFFER = timedelta(minutes=10)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|&(?:[a-z]+|#\d+);")


class EventTests(ConformanceBase):
    """What agents write is heard."""

    @rule("parse_webhook")
    async def test_an_agents_reply_is_one_message(self, room: Room) -> None:
        """An agent's reply is one ``AgentMessage`` with their words, in the session they answered (S019)."""
        session = await room.session()
        await room.agent.reply(session.id, "kit-reply-words")
        heard = replies(await room.hear(session, said("kit-reply-words")))
        assert len(heard) == 1, f"one reply was heard as {len(heard)} messages"
        assert heard[0].session == session.ref, (
            f"the message is said to be of {heard[0].session}, not of {session.ref}: name the session by its own id, "
            "and the connection by ctx.key"
        )

    @rule("parse_webhook")
    async def test_a_reply_belongs_to_the_connection_that_heard_it(self, room: Room) -> None:
        """Events name the connection that read them, so that two accounts of one vendor stay apart (R13, F32)."""
        session = await room.session()
        await room.agent.reply(session.id, "kit-reply-words")
        await room.hear(session, said("kit-reply-words"))
        async with room.connect(alias="kit-other") as other:
            for webhook in room.received:
                with promised("a delivery can be read without any record of sessions"):
                    events = await other.parse_webhook(headers=webhook.headers, body=webhook.body)
                named = {event.session.connection for event in events if event.session is not None}
                assert named <= {other.key}, f"connection {other.key!r} heard events of {named}: use ctx.key"

    @rule("parse_webhook")
    async def test_a_reply_names_its_agent(self, room: Room) -> None:
        """An agent's message says which agent wrote it: by the vendor's id, and by name where one is given (S019)."""
        session = await room.session()
        for agent in room.simulator.agents[:2]:
            text = f"kit-reply-of-{agent.id}"
            await room.agent.reply(session.id, text, agent=agent.id)
            heard = [event for event in replies(await room.hear(session, said(text))) if says(event, text)]
            author = heard[0].agent
            assert author is not None, "say who wrote a message: AgentMessage(agent=Agent(id=…, name=…))"
            assert author.id == agent.id, f"agent {agent.id!r} wrote; the message names {author.id!r}"
            assert author.name in {None, agent.name}, f"the agent's name is {agent.name!r}, not {author.name!r}"

    @rule("parse_webhook")
    async def test_a_reply_has_the_vendors_id_and_time(self, room: Room) -> None:
        """An agent's message has the id it has in the helpdesk, and the time the vendor gives it, with its zone."""
        session = await room.session()
        await room.agent.reply(session.id, "kit-reply-words")
        heard = replies(await room.hear(session, said("kit-reply-words")))[0]
        known = [message.id for message in (await room.agent.session(session.id)).messages]
        assert heard.message_id in known, f"message_id {heard.message_id!r} is none of the helpdesk's: {known}"
        assert heard.occurred_at is not None, "say when a message was written: occurred_at"
        off = abs(heard.occurred_at - room.clock.now())
        assert off < _CLOCKS_DIFFER, f"the message was written now, not {off} off: is it a zone, or milliseconds?"

    # Word for word ----------------------------------------------------------------------------------------------

    @rule("parse_webhook")
    async def test_what_an_agent_types_arrives_as_typed(self, room: Room) -> None:
        """Accents, emoji, quotes, backslashes and typed markup arrive as the agent typed them (F27)."""
        session = await room.session()
        await room.agent.reply(session.id, f"kit-typed {words.CUSTOMER_TEXT}")
        heard = replies(await room.hear(session, said("kit-typed")))
        read = one_line(spoken(heard[0].message))
        typed = one_line(words.CUSTOMER_TEXT)
        assert typed in read, f"the agent typed {typed!r}, the customer reads {read!r}"

    @rule("parse_webhook")
    async def test_an_agents_lines_stay_lines(self, room: Room) -> None:
        """Lines of an agent's message stay lines, in their order (F27)."""
        session = await room.session()
        await room.agent.reply(session.id, _LINES)
        heard = replies(await room.hear(session, said("kit-line-one", "kit-line-three")))
        read = [line.strip() for line in spoken(heard[0].message).splitlines() if line.strip()]
        typed = [line for line in _LINES.splitlines() if line]
        assert read == typed, f"the agent typed the lines {typed}, the customer reads {read}"

    @rule("parse_webhook")
    async def test_no_markup_of_the_vendors_reaches_the_customer(self, room: Room) -> None:
        """A text holds no tags and entities the agent did not type: the vendor's HTML is turned into text (F27)."""
        session = await room.session()
        await room.agent.reply(session.id, "kit-plain-words: 2 < 3, fish & chips\nthat is all")
        heard = replies(await room.hear(session, said("kit-plain-words")))
        texts = [item.text for event in heard for item in _items(event.message) if isinstance(item, Text)]
        found = [tag for text in texts for tag in _TAG.findall(text)]
        assert not found, f"customers would read {', '.join(found)}: turn the vendor's HTML into Text or Markdown"

    # Several ----------------------------------------------------------------------------------------------------

    @rule("parse_webhook")
    async def test_replies_keep_their_order(self, room: Room) -> None:
        """Several replies are heard in the order they were written, each with ids of its own (F23)."""
        session = await room.session()
        texts = [f"kit-reply-{number}" for number in ("one", "two", "three")]
        for text in texts:
            await room.agent.reply(session.id, text)
        heard = replies(await room.hear(session, said(*texts)))
        _assert_in_order(heard, texts)

    @rule("parse_webhook", abilities=("emit_batch",))
    async def test_replies_told_in_one_delivery_are_all_heard(self, room: Room) -> None:
        """Several replies in one delivery are all heard, each once and in order (F25)."""
        session = await room.session()
        texts = [f"kit-batch-{number}" for number in ("one", "two", "three")]
        await room.agent.batch(session.id, texts)
        heard = replies(await room.hear(session, said(*texts)))
        _assert_in_order(heard, texts)

    # Second thoughts --------------------------------------------------------------------------------------------

    @rule("parse_webhook", abilities=("edit",))
    async def test_an_edited_reply_is_told_as_such(self, room: Room) -> None:
        """A reply the agent changes is an ``AgentMessageUpdated`` of the same ``message_id``, not another message."""
        session = await room.session()
        await room.agent.reply(session.id, "kit-first-words")
        first = replies(await room.hear(session, said("kit-first-words")))[0]
        await room.agent.edit(session.id, first.message_id, "kit-better-words")
        heard = await room.hear(session, said("kit-better-words"))
        updates = [event for event in heard if isinstance(event, AgentMessageUpdated)]
        assert not replies(heard), "a changed message is an AgentMessageUpdated, not a new AgentMessage"
        assert updates[-1].message_id == first.message_id, "a changed message keeps the message_id it was told by"
        assert updates[-1].event_id != first.event_id, "a change is another fact than the message: another event_id"

    @rule("parse_webhook", abilities=("delete",))
    async def test_a_reply_taken_back_is_told_as_such(self, room: Room) -> None:
        """A reply the agent takes back is an ``AgentMessageDeleted`` of the same ``message_id``."""
        session = await room.session()
        await room.agent.reply(session.id, "kit-regretted-words")
        first = replies(await room.hear(session, said("kit-regretted-words")))[0]
        await room.agent.delete(session.id, first.message_id)
        heard = await room.hear(session, AgentMessageDeleted)
        gone = [event.message_id for event in heard if isinstance(event, AgentMessageDeleted)]
        assert gone == [first.message_id], f"the message {first.message_id!r} was taken back, told were {gone}"

    # Files ------------------------------------------------------------------------------------------------------

    @rule("parse_webhook", abilities=("attach",))
    async def test_an_agents_files_are_heard_by_name(self, room: Room) -> None:
        """Files on a reply are media with their names, beside the words; a picture is an ``Image`` (F28)."""
        session = await room.session()
        await room.agent.attach(session.id, "kit-file-words", FILES)
        heard = await room.hear(session, _all_files)
        assert said("kit-file-words")(heard), "the words of a message with files must arrive, too"
        found = media(heard)
        names = [file.name for file in found]
        assert names == [file.name for file in FILES], f"agents attached {[f.name for f in FILES]}, heard: {names}"
        assert isinstance(found[0], Image), "a file of type image/png is an Image"

    @rule("parse_webhook", "open_attachment", needs=("open_attachment",), abilities=("attach",))
    async def test_an_agents_files_can_be_opened(self, room: Room) -> None:
        """What an agent attached opens to the same bytes, by ``ref`` or by ``url`` (F28)."""
        session = await room.session()
        await room.agent.attach(session.id, "kit-file-words", FILES)
        for file in media(await room.hear(session, _all_files)):
            content = await _opened(room, file)
            attached = next(each.content for each in FILES if each.name == file.name)
            assert content == attached, f"{file.name} has {len(attached)} bytes, opened were {len(content)} others"


def _items(message: object) -> tuple[object, ...]:
    return tuple(getattr(message, "items", (message,)))


def _all_files(heard: Sequence[AnyEvent]) -> bool:
    """Whether every file was heard of; some vendors tell of the words and of each file one by one."""
    found = {file.name for file in media(heard)}
    return len(found) >= len(FILES)


def _assert_in_order(heard: Sequence[AnyEvent], texts: list[str]) -> None:
    order = [text for event in heard for text in texts if says(event, text)]
    assert order == texts, f"the agent wrote {texts}, heard were {order}"
    for name in ("event_id", "message_id"):
        ids = [getattr(event, name) for event in heard]
        assert len(set(ids)) == len(texts), f"each message needs a {name} of its own; they are {ids}"


async def _opened(room: Room, file: Media) -> bytes:
    if file.ref is None:
        with promised(f"the url of {file.name} can be downloaded without credentials; otherwise give a ref"):
            return (await room.shelf.fetch(str(file.url))).content
    return await _read(room, file.ref)


async def _read(room: Room, ref: AttachmentRef) -> bytes:
    with promised("open_attachment opens what a message's ref names"):
        stream = await room.connection.open_attachment(ref)
        try:
            return b"".join([chunk async for chunk in stream.chunks])
        finally:
            await stream.close()
    raise AssertionError  # never: what is promised is returned, or has failed
