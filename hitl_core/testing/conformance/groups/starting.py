"""``start_hitl``: a session opens under its title, with its description, as asked."""

from __future__ import annotations

from hitl_core.errors import InvalidRequestError
from hitl_core.people import Author
from hitl_core.relay import AttachmentFile, Messages, Transcript
from hitl_core.sessions import HistoryEntry
from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised, refused, unsent
from hitl_core.testing.conformance.tools.reading import everything, numbered, shown, within

__all__ = ["StartTests"]

_PRIORITIES = ("low", "medium", "high", "urgent")


class StartTests(ConformanceBase):
    """Hand-offs begin."""

    @rule("start_hitl")
    async def test_a_start_opens_one_session_under_its_title_for_the_customer(self, room: Room) -> None:
        """A start opens one session, open, under the given title, and it belongs to the customer."""
        user = await room.user()
        before = {session.id for session in await room.agent.sessions()}
        with promised("a start with a title must work"):
            session = await room.session(title="Kit: where is my parcel")
        opened = [found for found in await room.agent.sessions() if found.id not in before]
        assert [found.id for found in opened] == [session.id], (
            f"start_hitl must open one session and return its id; it opened {len(opened)}"
        )
        assert opened[0].open, "a session that was just started is open"
        assert within(opened[0], "Kit: where is my parcel"), "agents must see the title"
        assert opened[0].user_id == user.id, "the session must belong to request.user"

    @rule("start_hitl")
    async def test_a_start_needs_neither_history_nor_description(self, room: Room) -> None:
        """A start with nothing but a title opens a session too."""
        with promised("a start without history and description must work"):
            session = await room.session(title="Kit: nothing but a title", history=(), description=None)
        assert within(await room.agent.session(session.id), "Kit: nothing but a title"), "agents must see the title"

    @rule("start_hitl")
    async def test_the_description_reaches_the_agents_once(self, room: Room) -> None:
        """Agents read the description once, in front of the history."""
        with promised("a start with description and history must work"):
            session = await room.session(description="kit-description of the case", history=room.history())
        seen = everything(await room.agent.session(session.id))
        count = seen.count("kit-description of the case")
        assert count == 1, f"agents must read request.description once; they read it {count} times"
        assert seen.index("kit-description") < seen.index("kit-entry-0"), "the description goes in front of the history"

    @rule("start_hitl")
    async def test_a_title_that_is_too_long_is_cut_and_not_refused(self, room: Room) -> None:
        """A title beyond ``limits.title`` arrives cut; without such a limit it arrives whole."""
        limit = room.connection.limits.title
        title = words.long_text(limit.max + 100 if limit else 500)
        with promised("a long title must not fail the start: declare limits.title as the vendor counts it"):
            session = await room.session(title=title)
        seen = numbered(everything(await room.agent.session(session.id)), "word")
        assert seen[:3] == [0, 1, 2], "the title must begin as it was given"
        if limit is None:
            assert len(seen) == len(title.split()), "the title was cut: declare limits.title, so that it ends well"

    @rule("start_hitl", bulky=True)
    async def test_a_description_as_long_as_declared_fits_and_a_longer_one_is_refused_unsent(self, room: Room) -> None:
        """A description of exactly ``limits.opening`` arrives whole; a longer one is refused before anything is sent.

        Without such a limit a long one arrives whole.
        """
        await room.user()
        limit = room.connection.limits.opening or room.connection.limits.text
        most = limit.max if limit else 10_000
        texts = {"letters": words.long_text(most)[: most - 1], "markup": ("<b>&amp;</b> kit\n" * most)[: most - 1]}
        for kind, text in texts.items():
            with promised(f"a description of {kind} as long as limits.opening must work, room for escaping included"):
                session = await room.session(description=f"{text}.")
            seen = await room.agent.session(session.id)
            assert within(seen, f"{text}."), f"a description of {kind} must arrive whole"
        if limit is not None:
            with unsent(room), refused(InvalidRequestError, "a description beyond limits.opening must be refused"):
                await room.session(description="x" * (most + 1))

    @rule("start_hitl")
    async def test_what_a_start_carries_arrives_as_it_was_written(self, room: Room) -> None:
        """Markup, quotes, emoji and backslashes of title, description and history reach agents as characters."""
        wrong = []
        for name, relay in {"transcript": Transcript(), "messages": Messages(), "attachment": AttachmentFile()}.items():
            user = await room.user(f"-{name}")
            title = f"{name} <i>&amp; “{words.UNICODE_NAME}”</i>"
            with promised("text with markup, emoji and backslashes must work"):
                session = await room.session(
                    user=user,
                    title=title,
                    description=f"kit-description {words.CUSTOMER_TEXT}",
                    history=words.history(user, entries=1),
                    relay=relay,
                )
            seen = await room.agent.session(session.id)
            wanted = {"title": title, "description": f"kit-description {words.CUSTOMER_TEXT}"}
            wanted["history"] = f"kit-entry-0 {words.CUSTOMER_TEXT}"
            wrong += [f"{what} (relay {name})" for what, text in wanted.items() if not within(seen, text)]
        assert not wrong, (
            f"not as it was written: {', '.join(wrong)}; escape text where the vendor takes HTML, and nowhere else"
        )

    @rule("start_hitl", "send_message")
    async def test_template_syntax_in_peoples_words_is_made_harmless(self, room: Room) -> None:
        """No opener of ``capabilities.placeholders`` reaches the vendor in people's words, which stay readable."""
        openers = room.capabilities.placeholders or ("{{", "{%")
        wrong = []
        for name, relay in {"transcript": Transcript(), "messages": Messages()}.items():
            user = await room.user(f"-{name}")
            for number, opener in enumerate(openers):
                text = f"{opener}kit.secret-{number}"
                with promised("text with template syntax must work"):
                    session = await room.session(
                        user=user,
                        title=f"title {text}",
                        description=f"description {text}",
                        history=[HistoryEntry.of(Author.user(user), f"entry {text}")],
                        relay=relay,
                    )
                    await room.send(session, f"message {text}", author=Author.user(user))
                seen = await room.agent.session(session.id)
                if everything(seen).count(f"kit.secret-{number}") < 4:
                    wrong.append(f"words behind {opener!r} are lost (relay {name})")
                texts = [seen.title, *(text for message in seen.messages for text in (message.text, shown(message)))]
                if opener in room.capabilities.placeholders and any(opener in text for text in texts):
                    wrong.append(f"{opener!r} gets through (relay {name})")
        assert not wrong, f"relay the words of the request as they are: {'; '.join(wrong)}"

    @rule("start_hitl")
    async def test_every_priority_of_the_common_scale_is_taken(self, room: Room) -> None:
        """``priority`` may be low, medium, high and urgent; where agents see it, low and urgent differ (S015)."""
        shown: dict[str, object] = {}
        for priority in _PRIORITIES:
            with promised(f"priority={priority!r} must work with every provider: map it to the vendor's words"):
                session = await room.session(options={"priority": priority})
            shown[priority] = (await room.agent.session(session.id)).facts.get("priority")
        assert shown["low"] is None or shown["low"] != shown["urgent"], "the priority must reach the session"

    @rule("start_hitl")
    async def test_an_unknown_option_is_refused_before_anything_is_sent(self, room: Room) -> None:
        """A misspelt option is refused before anything is sent, with the likeliest spelling."""
        await room.user()
        with (
            unsent(room),
            refused(
                InvalidRequestError, "an option nobody knows must be refused: keep StartOptions' extra='forbid'"
            ) as no,
        ):
            await room.session(options={"priorty": "high"})
        assert "'priority'" in str(no.error), "the refusal must name the likeliest spelling"

    @rule("start_hitl")
    async def test_a_wrong_option_is_refused_without_repeating_it(self, room: Room) -> None:
        """A wrong value of an option is refused before anything is sent; the error names the option, not the value."""
        await room.user()
        with unsent(room), refused(InvalidRequestError, "a priority off the common scale must be refused") as no:
            await room.session(options={"priority": "kit-private-value"})
        assert "priority" in str(no.error), "the refusal must name the option"
        assert "kit-private-value" not in f"{no.error!s}{no.error!r}", "no error may repeat what somebody gave"

    @rule("start_hitl", "find_session")
    async def test_our_id_is_written_on_the_session(self, room: Room) -> None:
        """``external_id`` is written on the session, where the vendor has a place for it (S025)."""
        plan = await room.plan()
        with promised("a start with an external_id must work"):
            session = await room.run(plan)
        seen = await room.agent.session(session.id)
        ours = plan.request.external_id
        assert session.external_id in {None, ours}, "HitlSession.external_id is ours, or None"
        if room.capabilities.find_session or seen.external_id is not None:
            assert seen.external_id == ours, "write request.external_id on the session: it is what it is found by"
