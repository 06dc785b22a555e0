"""``send_message``: every word arrives once, in order, under the right name."""

from __future__ import annotations

import asyncio

from hitl_core.errors import InvalidRequestError, NotFoundError, UnsupportedError
from hitl_core.messages import AnyMessage, Bloc, Text
from hitl_core.people import Author
from hitl_core.sessions import SessionRef
from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised, refused, unsent
from hitl_core.testing.conformance.tools.reading import everything, lines, messages_that_say, numbered, within

__all__ = ["SendTests"]

_ROLES = {"user": {"user"}, "bot": {"user", "bot", "system"}, "system": {"bot", "system"}}
"""Whom agents may see as the author of whose words, where the bot has no name of its own."""


class SendTests(ConformanceBase):
    """Messages to the helpdesk."""

    @rule("send_message")
    async def test_each_message_is_shown_under_the_right_name(self, room: Room) -> None:
        """The customer's words are shown as the customer's; nothing of ours is shown as a human agent's (S022, F18)."""
        session = await room.session()
        authors = {"user": Author.user(await room.user()), "bot": Author.bot("Kit bot"), "system": Author.system()}
        for role, author in authors.items():
            with promised(f"a message by {role} must work"):
                await room.send(session, f"kit-by-{role}", author=author)
        seen = await room.agent.session(session.id)
        wrong = []
        for role, allowed in _ROLES.items():
            roles = {message.role for message in messages_that_say(seen, f"kit-by-{role}")}
            if not roles or roles - allowed:
                wrong.append(f"what {role} said is shown as said by {', '.join(roles) or 'nobody'}")
        assert not wrong, f"look at request.author.role; {'; '.join(wrong)}"

    @rule("send_message", needs=("bot_author",))
    async def test_the_bots_words_are_shown_as_the_bots(self, room: Room) -> None:
        """Where ``bot_author`` is declared, agents can tell the bot's words from everybody else's (F18)."""
        session = await room.session()
        await room.send(session, "kit-by-the-bot", author=Author.bot("Kit bot"))
        roles = {message.role for message in messages_that_say(await room.agent.session(session.id), "kit-by-the-bot")}
        assert roles == {"bot"}, f"bot_author is declared, and the bot's words are shown as said by {', '.join(roles)}"

    @rule("send_message")
    async def test_what_another_agent_said_is_not_shown_as_the_customers(self, room: Room) -> None:
        """Words of a human agent of another hand-off can be relayed, and are not shown as the customer's (F06)."""
        session = await room.session()
        author = Author.agent(room.simulator.agents[0])
        with promised("a message by a human agent, as part of an earlier conversation, must work"):
            await room.send(session, "kit-by-an-agent", author=author)
        shown_as = {m.role for m in messages_that_say(await room.agent.session(session.id), "kit-by-an-agent")}
        assert shown_as, "what an agent said must arrive"
        assert "user" not in shown_as, "what an agent said is shown as the customer's words"

    @rule("send_message")
    async def test_every_kind_of_message_can_be_read_or_opened(self, room: Room) -> None:
        """Agents can read or open each of the twelve kinds of message (S014, S020, S200)."""
        session = await room.session()
        wrong = []
        for kind, (message, needle) in words.every_message().items():
            with promised(f"a message of the kind {kind!r} must work"):
                await room.send(session, message)
            if not within(await room.agent.session(session.id), needle):
                wrong.append(kind)
        assert not wrong, f"agents can neither read nor open: {', '.join(wrong)}; declare only kinds you translate"

    @rule("send_message", bulky=True)
    async def test_a_long_text_arrives_whole_and_in_order(self, room: Room) -> None:
        """A text of several messages' length arrives as several, in order, and no word is lost or cut (F17, R16)."""
        session = await room.session()
        limit = room.connection.limits.text
        text = words.long_text(int(limit.max * 2.5) if limit else 20_000)
        with promised("a long text must work: declare limits.text as the vendor has it"):
            await room.send(session, text)
        found = numbered(everything(await room.agent.session(session.id)), "word")
        wanted = list(range(len(text.split())))
        assert sorted(found) == wanted, f"of {len(wanted)} words {len(set(found))} arrived, {len(found)} with repeats"
        assert found == wanted, "the parts of a text arrived out of order"

    @rule("send_message", bulky=True)
    async def test_a_text_as_long_as_declared_arrives_whole(self, room: Room) -> None:
        """A text of exactly ``limits.text``, in its unit, is taken as it is: also one of emoji, or full of markup."""
        session = await room.session()
        limit = room.connection.limits.text
        most = limit.max if limit else 5000
        wide = limit.measure("🧡") if limit else 1
        texts = {"letters": f"kit-{'x' * (most - 4)}", "emoji": "🧡" * (most // wide)}
        texts["markup"] = ("<b>&amp;</b> kit\n" * most)[: most - 1] + "."
        for kind, text in texts.items():
            with promised(f"a text of {kind} as long as limits.text must work: leave room for what escaping adds"):
                sent = await room.send(session, text)
            assert len(sent) == 1, "a text within limits.text is one message"
            assert within(await room.agent.session(session.id), text), f"a text of {kind} must arrive whole"

    @rule("send_message")
    async def test_a_message_arrives_as_it_was_written(self, room: Room) -> None:
        """Markup, quotes, emoji and backslashes of messages and of their authors' names arrive as characters."""
        session = await room.session()
        texts = [
            words.CUSTOMER_TEXT,
            "<script>kit()</script> 1 < 2 && 3 > 2",
            "a_b *c* [d](e) `f` #1 @kim 😀👩‍👩‍👧",
            "&lt;i&gt; %20 {}",
        ]
        for text in texts:
            with promised("text with markup, emoji and backslashes must work"):
                await room.send(session, text)
        seen = await room.agent.session(session.id)
        wrong = [text for text in texts if not within(seen, text)]
        assert not wrong, f"not as it was written: {wrong}; escape text where the vendor takes HTML, and nowhere else"

    @rule("send_message")
    async def test_lines_stay_lines(self, room: Room) -> None:
        """Line breaks of a text are line breaks for agents."""
        session = await room.session()
        await room.send(session, "kit-line one\nkit-line two\n\nkit-line three")
        found = [line for message in (await room.agent.session(session.id)).messages for line in lines(message)]
        kept = [line for line in found if "kit-line" in line]
        assert kept == ["kit-line one", "kit-line two", "kit-line three"], (
            f"agents see {len(kept)} lines of three: turn line breaks into <br> where the vendor takes HTML"
        )

    @rule("send_message")
    async def test_messages_arrive_in_the_order_they_were_sent(self, room: Room) -> None:
        """Messages of several authors keep their order (F23)."""
        session = await room.session()
        authors = (Author.user(await room.user()), Author.bot("Kit bot"), Author.system())
        for number in range(6):
            await room.send(session, f"kit-number-{number}", author=authors[number % 3])
        found = numbered(everything(await room.agent.session(session.id)), "kit-number-")
        assert found == list(range(6)), f"messages 0 to 5 were sent, agents read {found}"

    @rule("send_message")
    async def test_messages_of_two_sessions_sent_at_once_do_not_mix(self, room: Room) -> None:
        """What is sent to two sessions at the same moment arrives in its own session, under its own customer."""
        users = [await room.user(f"-{name}") for name in ("one", "two")]
        sessions = [await room.session(user=user) for user in users]
        with promised("messages to two sessions at once must work"):
            await asyncio.gather(
                *(
                    room.send(session, f"kit-to-{number}", author=Author.user(user))
                    for number, (session, user) in enumerate(zip(sessions, users, strict=True))
                )
            )
        for number, session in enumerate(sessions):
            found = numbered(everything(await room.agent.session(session.id)), "kit-to-")
            assert found == [number], f"session {number} got the messages to {found}: keep nothing of a call in self"

    @rule("send_message")
    async def test_each_message_has_ids_of_its_own(self, room: Room) -> None:
        """``SentMessage.ids`` names what was added, under the helpdesk's own ids, which echoes are known by (F24)."""
        session = await room.session()
        ids: list[str] = []
        for number in range(3):
            with promised("a message must work"):
                sent = await room.send(session, f"kit-with-an-id-{number}")
            assert all(one.ids for one in sent), "SentMessage.ids must name what was added"
            ids += [id_ for one in sent for id_ in one.ids]
        repeated = len(set(ids)) < len(ids)
        assert not repeated, (
            f"SentMessage.ids must be those of the messages; three messages were sent, and the ids are {ids}"
        )
        known = {message.id for message in (await room.agent.session(session.id)).messages}
        assert set(ids) <= known, "SentMessage.ids holds something else than the vendor's ids of messages"

    @rule("send_message")
    async def test_a_state_that_comes_with_an_answer_is_true(self, room: Room) -> None:
        """``SentMessage.state``, where it is given, is how the session stands for agents."""
        session = await room.session()
        if "assign" in room.simulator.abilities:
            await room.agent.assign(session.id)
        for sent in await room.send(session, "kit-and-how-does-it-stand"):
            seen = await room.agent.session(session.id)
            if sent.state is None:
                continue
            assert sent.state.open == seen.open, (
                "SentMessage.state.open is not how the session stands; None is fine too"
            )
            told, real = (agent.id if agent else None for agent in (sent.state.agent, seen.agent))
            assert told == real, f"SentMessage.state.agent is {told}, and the session has {real}"

    @rule("send_message", needs=("internal_notes",))
    async def test_a_note_is_not_public(self, room: Room) -> None:
        """What is sent as internal is seen by agents alone, and what is not is public (F18)."""
        session = await room.session()
        authors = (Author.user(await room.user()), Author.bot("Kit bot"), Author.system())
        for author in authors:
            with promised("a note must work, whoever it is by"):
                await room.send(session, f"kit-note {author.role}", author=author, visibility="internal")
        await room.send(session, "kit-public")
        seen = await room.agent.session(session.id)
        for author in authors:
            notes = messages_that_say(seen, f"kit-note {author.role}")
            assert notes, "a note must arrive"
            assert not any(note.public for note in notes), 'visibility="internal" means that customers cannot see it'
        assert all(message.public for message in messages_that_say(seen, "kit-public")), (
            "a customer's words are no note"
        )

    @rule("send_message", needs=("!internal_notes",))
    async def test_a_note_is_refused_where_there_are_none(self, room: Room) -> None:
        """Where the vendor has no notes, one is refused before anything is sent, rather than made public (F40)."""
        session = await room.session()
        with unsent(room), refused(UnsupportedError, "a note must be refused where there are none"):
            await room.send(session, "kit-note", author=Author.system(), visibility="internal")

    @rule("send_message")
    async def test_a_message_to_a_session_that_does_not_exist_says_so(self, room: Room) -> None:
        """A message to a session that does not exist raises NotFoundError."""
        session = await room.session()
        missing = SessionRef(connection=session.ref.connection, id=room.simulator.missing_session_id(session.id))
        gone = session.model_copy(update={"ref": missing})
        with refused(NotFoundError, "a message to a session that does not exist must be refused"):
            await room.send(gone, "kit-to-nobody")

    @rule("send_message")
    async def test_blank_words_are_refused_unsent_or_do_no_harm(self, room: Room) -> None:
        """An empty text is refused before anything is sent; blank words between others do not cost the others."""
        session = await room.session()
        author = Author.user(await room.user())
        with unsent(room), refused(InvalidRequestError, "an empty text must be refused"):
            await room.connection.send_message(session, "", author=author)
        blank: list[AnyMessage] = [
            Bloc(items=(Text(text=" \n "), Text(text="kit-after-blank"))),
            Text(text="  kit-indented \n\n\n kit-and-spaced  "),
        ]
        for message in blank:
            with promised("blank words beside others must work"):
                await room.send(session, message)
        seen = await room.agent.session(session.id)
        for needle in ("kit-after-blank", "kit-indented", "kit-and-spaced"):
            assert within(seen, needle), "words beside blank ones must arrive"
