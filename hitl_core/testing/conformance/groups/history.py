"""The history of a hand-off: whole, once, in order, and under the right names, however it is relayed."""

from __future__ import annotations

from hitl_core.people import Author
from hitl_core.relay import AttachmentFile, Last, Messages, Note, Nothing, RelayStrategy, Summary, Transcript
from hitl_core.sessions import HistoryEntry
from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.tools.reading import everything, messages_that_say, numbered, shown

__all__ = ["HistoryTests"]

_ENTRIES = 5
_SUMMARY = "kit-summary"


def _strategies() -> dict[str, tuple[RelayStrategy, range]]:
    """Return every strategy the core brings, and which entries it promises to hand over."""
    everyone = range(_ENTRIES)
    return {
        "transcript": (Transcript(), everyone),
        "messages": (Messages(), everyone),
        "last(2)": (Last(2), range(_ENTRIES - 2, _ENTRIES)),
        "note": (Note(), everyone),
        "attachment": (AttachmentFile(), everyone),
        "summary": (Summary(lambda history: f"{_SUMMARY} of {len(history)}"), everyone),
        "none": (Nothing(), range(0)),
    }


class HistoryTests(ConformanceBase):
    """What was said before the hand-off."""

    @rule("start_hitl", "send_message")
    async def test_every_relay_strategy_hands_over_what_it_promises_once_and_in_order(self, room: Room) -> None:
        """With each relay strategy every entry it promises reaches agents exactly once and in order (F06, S026)."""
        wrong = []
        for name, (relay, promise) in _strategies().items():
            user = await room.user(f"-{name}")
            with promised(f"a hand-off with the relay strategy {name} must work"):
                session = await room.session(user=user, history=words.history(user, entries=_ENTRIES), relay=relay)
            found = numbered(everything(await room.agent.session(session.id)), "kit-entry-")
            if found != list(promise):
                wrong.append(f"{name} promises {list(promise)}, agents read {found}")
        assert not wrong, (
            f"place items of request.relay from the first on and say by `relayed` how many; {'; '.join(wrong)}"
        )

    @rule("start_hitl")
    async def test_a_summary_comes_before_the_history(self, room: Room) -> None:
        """A summary made from the history is read once, in front of it."""
        user = await room.user()
        relay = _strategies()["summary"][0]
        with promised("a hand-off with a summary must work"):
            session = await room.session(history=words.history(user, entries=_ENTRIES), relay=relay)
        seen = everything(await room.agent.session(session.id))
        count = seen.count(f"{_SUMMARY} of {_ENTRIES}")
        assert count == 1, f"agents must read the summary once; they read it {count} times"
        assert seen.index(_SUMMARY) < seen.index("kit-entry-0"), "the summary goes in front of the history"

    @rule("start_hitl", "send_message", needs=("internal_notes",))
    async def test_internal_parts_of_a_history_are_never_public(self, room: Room) -> None:
        """What a relay strategy marks as internal is written where customers cannot see it (F18)."""
        user = await room.user()
        with promised("a hand-off with its history as a note must work"):
            session = await room.session(
                description="kit-description", history=words.history(user, entries=_ENTRIES), relay=Note()
            )
        showing = messages_that_say(await room.agent.session(session.id), "kit-entry-")
        assert showing, "agents must see the history"
        assert not any(message.public for message in showing), (
            "items with internal=True belong into notes: leave them to the sends that follow, or write a note"
        )

    @rule("start_hitl", "send_message")
    async def test_every_kind_of_message_in_a_history_can_be_read(self, room: Room) -> None:
        """Agents can read or open each of the twelve kinds of message in a history (S014, S170)."""
        wrong = []
        for name, relay in {"transcript": Transcript(), "messages": Messages(), "attachment": AttachmentFile()}.items():
            user = await room.user(f"-{name}")
            authors = (Author.user(user), Author.bot("Kit bot"))
            messages = words.every_message().items()
            history = [
                HistoryEntry.of(authors[number % 2], message) for number, (_, (message, _)) in enumerate(messages)
            ]
            with promised(f"a history with every kind of message must work with the relay strategy {name}"):
                session = await room.session(user=user, history=history, relay=relay)
            seen = everything(await room.agent.session(session.id))
            wrong += [f"{kind} (relay {name})" for kind, (_, needle) in messages if needle not in seen]
        assert not wrong, f"agents can neither read nor open: {', '.join(wrong)}"

    @rule("start_hitl", "send_message", bulky=True)
    async def test_a_history_too_long_for_the_opening_arrives_whole_and_in_order(self, room: Room) -> None:
        """A history that fills the opening and several messages arrives whole and in order (F06, R16)."""
        user = await room.user()
        limits = room.connection.limits
        opening, text = limits.opening or limits.text, limits.text
        total = min((opening.max if opening else 5000) + (3 * text.max if text else 5000), 300_000)
        history, first = [], 0
        for number in range(8):
            said = words.long_text(total // 6, first=first)
            first += len(said.split())
            author = Author.user(user) if number % 2 else Author.bot("Kit bot")
            history.append(HistoryEntry.of(author, said))
        with promised("a long history must work: declare limits.opening and limits.text as the vendor has them"):
            session = await room.session(description="kit-description " * 10, history=history)
        seen = everything(await room.agent.session(session.id))
        assert seen.count("kit-description") == 10, "the description must arrive beside a long history, once"
        found = numbered(seen, "word")
        assert sorted(set(found)) == list(range(first)), (
            f"of {first} words {first - len(set(found))} are lost; place only items that fit, `relayed` says how many"
        )
        assert found == sorted(set(found)), "words came twice or out of order; place items in order, each once"

    @rule("start_hitl", "send_message")
    async def test_a_history_is_never_shown_as_a_human_agents_words(self, room: Room) -> None:
        """What customer and bot said is never shown as written by a human agent (F18)."""
        wrong = []
        for name, (relay, _) in _strategies().items():
            user = await room.user(f"-{name}")
            session = await room.session(user=user, history=words.history(user, entries=_ENTRIES), relay=relay)
            shown = messages_that_say(await room.agent.session(session.id), "kit-entry-")
            wrong += [f"{name}: {message.id}" for message in shown if message.role == "agent"]
        assert not wrong, f"shown as a human agent's: {', '.join(wrong)}"

    @rule("start_hitl", needs=("structured_history",))
    async def test_a_structured_history_keeps_every_entry_apart(self, room: Room) -> None:
        """Where history is taken entry by entry, each one stands for itself, under the role of who said it (F06)."""
        user = await room.user()
        session = await room.session(history=words.history(user, entries=4))
        seen = await room.agent.session(session.id)
        wrong = []
        for number, role in enumerate(("user", "bot", "user", "bot")):
            found = messages_that_say(seen, f"kit-entry-{number} ")
            told = [(message.role, numbered(shown(message), "kit-entry-")) for message in found]
            if told != [(role, [number])]:
                wrong.append(f"entry {number} of the {role}: {told}")
        assert not wrong, f"place item.source one by one, each with its author; agents see: {'; '.join(wrong)}"

    @rule("start_hitl", "send_message", needs=("bot_author",))
    async def test_entries_relayed_one_by_one_keep_their_authors(self, room: Room) -> None:
        """Entries that are relayed as messages of their own are shown as the customer's and as the bot's (F18)."""
        user = await room.user()
        session = await room.session(history=words.history(user, entries=4), relay=Messages())
        seen = await room.agent.session(session.id)
        roles = [{message.role for message in messages_that_say(seen, f"kit-entry-{number} ")} for number in range(4)]
        assert roles == [{"user"}, {"bot"}, {"user"}, {"bot"}], f"agents see {roles}: items carry their author"
