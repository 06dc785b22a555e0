"""``find_session`` and ``find_message``: what became of a write that was never answered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

import pytest

from hitl_core import calls
from hitl_core.calls import Absent, Finding, Found, Inconclusive
from hitl_core.events import StopReason
from hitl_core.messages import AnyMessage, File
from hitl_core.people import Author
from hitl_core.sessions import HistoryEntry, HitlSession
from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import NOT_APPLICABLE, rule
from hitl_core.testing.conformance.tools.attempts import later, lose, settled
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.tools.reading import everything, messages_that_say, numbered

__all__ = ["SearchTests"]

_LONG_AGO = 600.0
_LONGEST_SPLIT = 100_000


class SearchTests(ConformanceBase):
    """Looking up writes whose answer was lost."""

    # Sessions -------------------------------------------------------------------------------------------------

    @rule("find_session", needs=("find_session",))
    async def test_a_start_whose_answer_was_lost_is_found(self, room: Room) -> None:
        """A start whose answer was lost is found with its session's id, at the latest once the vendor has settled."""
        plan = await room.plan()
        before = await _sessions(room)
        since = await lose(room, "lose_answer", lambda: room.connection.begin(plan))
        made = [id_ for id_ in await _sessions(room) if id_ not in before]
        assert len(made) == 1, f"one start opens one session, however often it is repeated; it opened {len(made)}"
        finding = await _session_of(room, plan, since)
        assert isinstance(finding, Found), (
            f"the session is there, and find_session says {type(finding).__name__}; look for it by what start_hitl "
            "wrote on it, and say Inconclusive(retry_after=…) as long as the vendor's search may lag"
        )
        found = _started(finding).session
        assert found is None or found.id == made[0], f"it found {found.id}, and the start had opened {made[0]}"

    @rule("find_session", needs=("find_session",))
    async def test_a_start_that_never_arrived_is_not_found(self, room: Room) -> None:
        """A start that never reached the helpdesk is absent, or it cannot be told; it is not found."""
        plan = await room.plan()
        since = await lose(room, "lose_request", lambda: room.connection.begin(plan))
        _is_missing(await _session_of(room, plan, since), "a session that does not exist")

    @rule("find_session", needs=("find_session",))
    async def test_another_customers_session_is_not_taken_for_a_lost_one(self, room: Room) -> None:
        """Somebody else's session with the same title, opened meanwhile, is not ours."""
        plan = await room.plan()
        since = await lose(room, "lose_request", lambda: room.connection.begin(plan))
        await room.session(user=await room.user("-other"), title=plan.request.title, description="Kit: somebody else")
        _is_missing(await _session_of(room, plan, since), "another customer's session")

    @rule("find_session", needs=("find_session",))
    async def test_another_conversations_session_is_not_taken_for_a_lost_one(self, room: Room) -> None:
        """The customer's session of another conversation, with another ``external_id`` and title, is not ours."""
        plan = await room.plan(external_id=f"kit-{room.name}-this")
        since = await lose(room, "lose_request", lambda: room.connection.begin(plan))
        await room.session(external_id=f"kit-{room.name}-that", title="Kit: another", description="Kit: not this")
        _is_missing(await _session_of(room, plan, since), "the session of another conversation")

    @rule("find_session", needs=("find_session",))
    async def test_a_session_that_is_accounted_for_is_not_taken_for_a_lost_one(self, room: Room) -> None:
        """A session named in ``known_ids`` is not the lost one, though it is of the same conversation."""
        since = room.clock.now()
        same = f"kit-{room.name}-same"
        first = await room.session(external_id=same)
        await room.stop(first, StopReason.BOT_RESOLVED)
        plan = await room.plan(external_id=same)
        await lose(room, "lose_request", lambda: room.connection.begin(plan))
        finding = await _session_of(room, plan, since, known=[first.id])
        _is_missing(finding, "a session in request.known_ids")

    @rule("find_session", needs=("find_session",))
    async def test_an_older_session_is_not_taken_for_a_lost_one(self, room: Room) -> None:
        """A session of the same conversation from before ``sent_after`` is not the lost one."""
        same = f"kit-{room.name}-same"
        first = await room.session(external_id=same)
        await room.stop(first, StopReason.BOT_RESOLVED)
        await later(room, _LONG_AGO)
        plan = await room.plan(external_id=same)
        since = await lose(room, "lose_request", lambda: room.connection.begin(plan))
        _is_missing(await _session_of(room, plan, since), "a session opened before request.sent_after")

    @rule("find_session", needs=("find_session",))
    async def test_a_found_session_carries_on(self, room: Room) -> None:
        """What was found is as good as an answer: the rest of the history follows, each entry once, and messages."""
        entries = [_entry(number) for number in range(8)]
        plan = await room.plan(history=entries)
        since = await lose(room, "lose_answer", lambda: room.connection.begin(plan))
        finding = await _session_of(room, plan, since)
        assert isinstance(finding, Found), "the session is there, and find_session does not say Found"
        with promised("a session that was found takes the rest of the plan"):
            session = await room.run(plan, found=_started(finding))
            await room.send(session, "kit-message-0 after it was found")
        read = everything(await room.agent.session(session.id))
        arrived = numbered(read, "kit-entry-")
        assert arrived == list(range(8)), (
            f"of the history's entries 0 to 7 there arrived {arrived}: Found(started=…) must say in `relayed` how many "
            "items the opening holds, as start_hitl would have"
        )
        assert numbered(read, "kit-message-") == [0], "a message to the session that was found must arrive there"

    @rule("find_session", needs=("find_session",))
    async def test_a_session_is_not_called_absent_before_the_vendor_has_settled(self, room: Room) -> None:
        """Within ``limits.settle_seconds`` of the write nothing is absent: it cannot be told yet."""
        _needs_time_to_settle(room)
        plan = await room.plan()
        since = await lose(room, "lose_request", lambda: room.connection.begin(plan))
        with promised("a look-up answers, as long as the helpdesk does"):
            finding = await room.connection.find_session(plan, sent_after=since)
        _is_open(finding)

    # Messages -------------------------------------------------------------------------------------------------

    @rule("find_message", needs=("find_message",))
    async def test_a_message_whose_answer_was_lost_is_found(self, room: Room) -> None:
        """A message whose answer was lost is found with its id, whatever the vendor made of its characters."""
        session = await room.session()
        part = await _part(room, session, words.CUSTOMER_TEXT)
        since = await lose(room, "lose_answer", lambda: room.connection.execute(part))
        await _is_found(room, part, since, words.CUSTOMER_TEXT)

    @rule("find_message", needs=("find_message",))
    async def test_a_message_that_never_arrived_is_not_found(self, room: Room) -> None:
        """A message that never reached the helpdesk is absent, or it cannot be told; it is not found."""
        session = await room.session()
        part = await _part(room, session, words.CUSTOMER_TEXT)
        since = await lose(room, "lose_request", lambda: room.connection.execute(part))
        _is_missing(await _message_of(room, part, since), "a message that does not exist")

    @rule("find_message", needs=("find_message",))
    async def test_a_message_that_is_accounted_for_is_not_taken_for_a_lost_one(self, room: Room) -> None:
        """The same words sent before, and named in ``known_ids``, are not the lost message."""
        session = await room.session()
        since = room.clock.now()
        known = [id_ for sent in await room.send(session, words.CUSTOMER_TEXT) for id_ in sent.ids]
        part = await _part(room, session, words.CUSTOMER_TEXT)
        await lose(room, "lose_request", lambda: room.connection.execute(part))
        _is_missing(await _message_of(room, part, since, known=known), "a message in request.known_ids")

    @rule("find_message", needs=("find_message",))
    async def test_the_second_of_two_equal_messages_is_found_as_itself(self, room: Room) -> None:
        """Where the same words were sent before, the lost message is found with its own id."""
        session = await room.session()
        known = [id_ for sent in await room.send(session, words.CUSTOMER_TEXT) for id_ in sent.ids]
        part = await _part(room, session, words.CUSTOMER_TEXT)
        since = await lose(room, "lose_answer", lambda: room.connection.execute(part))
        await _is_found(room, part, since, words.CUSTOMER_TEXT, known=known)

    @rule("find_message", needs=("find_message",))
    async def test_an_older_message_is_not_taken_for_a_lost_one(self, room: Room) -> None:
        """The same words from before ``sent_after`` are not the lost message."""
        session = await room.session()
        await room.send(session, words.CUSTOMER_TEXT)
        await later(room, _LONG_AGO)
        part = await _part(room, session, words.CUSTOMER_TEXT)
        since = await lose(room, "lose_request", lambda: room.connection.execute(part))
        _is_missing(await _message_of(room, part, since), "a message written before request.sent_after")

    @rule("find_message", needs=("find_message",))
    async def test_an_agents_message_is_not_taken_for_a_lost_one(self, room: Room) -> None:
        """An agent who writes the same words meanwhile did not write our message."""
        session = await room.session()
        part = await _part(room, session, "Hello?")
        since = await lose(room, "lose_request", lambda: room.connection.execute(part))
        await room.agent.reply(session.id, "Hello?")
        _is_missing(await _message_of(room, part, since), "an agent's message")

    @rule("find_message", needs=("find_message", "internal_notes"))
    async def test_a_note_whose_answer_was_lost_is_found(self, room: Room) -> None:
        """An internal note is looked up among the notes."""
        session = await room.session()
        part = await _part(room, session, "kit-note", author=Author.system(), visibility="internal")
        since = await lose(room, "lose_answer", lambda: room.connection.execute(part))
        await _is_found(room, part, since, "kit-note")

    @rule("find_message", needs=("find_message",), bulky=True)
    async def test_each_part_of_a_split_text_is_found_for_itself(self, room: Room) -> None:
        """The parts of a long text are messages of their own: each is found with its own id."""
        limit = room.connection.limits.text
        if limit is None or limit.max > _LONGEST_SPLIT:
            pytest.skip(NOT_APPLICABLE + "texts are not split, or too long to be sent for a test")
        session = await room.session()
        text = words.long_text(limit.max + limit.max // 2)
        parts = room.connection.plan_message(
            session, text, author=Author.user(await room.user()), idempotency_key=room.key()
        )
        since = [await lose(room, "lose_answer", partial(room.connection.execute, part)) for part in parts]
        found = [await _is_found(room, part, since[0], getattr(part.message, "text", "")) for part in parts]
        assert len(set(found)) == len(parts), "each part is a message of its own, and was found as the same one"

    @rule("find_message", needs=("find_message", "attachments"))
    async def test_a_file_that_arrived_is_not_called_absent(self, room: Room) -> None:
        """A file whose answer was lost is found, or it cannot be told; it is not absent."""
        session = await room.session()
        file = File(url="data:text/plain,kit-file", name="kit-file.txt", content_type="text/plain")
        part = await _part(room, session, file)
        since = await lose(room, "lose_answer", lambda: room.connection.execute(part))
        finding = await _message_of(room, part, since)
        assert not isinstance(finding, Absent), (
            "the file arrived, and find_message says Absent, so that it would be sent again; where a file cannot be "
            "told from another, say Inconclusive()"
        )

    @rule("find_message", needs=("find_message",))
    async def test_a_message_is_not_called_absent_before_the_vendor_has_settled(self, room: Room) -> None:
        """Within ``limits.settle_seconds`` of the write nothing is absent: it cannot be told yet."""
        _needs_time_to_settle(room)
        session = await room.session()
        part = await _part(room, session, "kit-unsettled")
        since = await lose(room, "lose_request", lambda: room.connection.execute(part))
        with promised("a look-up answers, as long as the helpdesk does"):
            finding = await room.connection.find_message(part, sent_after=since)
        _is_open(finding)


async def _sessions(room: Room) -> list[str]:
    return [session.id for session in await room.agent.sessions()]


async def _session_of(room: Room, plan: calls.StartPlan, since: datetime, *, known: Iterable[str] = ()) -> Finding:
    return await settled(room, lambda: room.connection.find_session(plan, sent_after=since, known_ids=known))


async def _message_of(room: Room, part: calls.SendMessage, since: datetime, *, known: Iterable[str] = ()) -> Finding:
    return await settled(room, lambda: room.connection.find_message(part, sent_after=since, known_ids=known))


async def _part(
    room: Room,
    session: HitlSession,
    message: str | AnyMessage,
    *,
    author: Author | None = None,
    visibility: calls.Visibility = "public",
) -> calls.SendMessage:
    author = author or Author.user(await room.user())
    parts = room.connection.plan_message(
        session, message, author=author, visibility=visibility, idempotency_key=room.key()
    )
    return parts[0]


async def _is_found(
    room: Room, part: calls.SendMessage, since: datetime, text: str, *, known: Iterable[str] = ()
) -> str:
    """Check that a message is found as what the helpdesk shows; return its id."""
    finding = await _message_of(room, part, since, known=known)
    assert isinstance(finding, Found), (
        "the message is there, and find_message does not find it; look for the author and the words, of which the "
        "vendor may have rewritten the markup"
    )
    assert finding.sent is not None, "a message that was found comes as Found(sent=SentMessage(ids=…))"
    shown = await room.agent.session(part.session.id)
    ids = [message.id for message in messages_that_say(shown, text) if message.id not in set(known)]
    assert len(ids) == 1, f"one message may be there once, however often it is repeated; it is there {len(ids)} times"
    assert ids[0] in finding.sent.ids, f"it found {', '.join(finding.sent.ids)}, and the message is {ids[0]}"
    return ids[0]


def _is_missing(finding: Finding, what: str) -> None:
    assert not isinstance(finding, Found), f"it found {what}, and takes it for what was lost"
    assert isinstance(finding, Absent | Inconclusive), "a look-up gives Found, Absent or Inconclusive"


def _is_open(finding: Finding) -> None:
    assert isinstance(finding, Inconclusive), (
        "within limits.settle_seconds a search may miss what was written: say Inconclusive(retry_after=…), for Absent "
        "would have it written again"
    )
    assert finding.retry_after, "say when to ask again: Inconclusive(retry_after=…)"


def _started(finding: Found) -> calls.StartedSession:
    assert finding.started is not None, "a session that was found comes as Found(started=StartedSession(session=…))"
    assert finding.started.session is not None or finding.started.resume is not None, (
        "what was found says which session it is, or how to go on: StartedSession(session=…) or (resume=…)"
    )
    return finding.started


def _needs_time_to_settle(room: Room) -> None:
    if not room.connection.limits.settle_seconds:
        pytest.skip(NOT_APPLICABLE + "a read shows at once what was written: limits.settle_seconds is 0")


def _entry(number: int) -> HistoryEntry:
    author = Author.user(name=words.NAME) if number % 2 else Author.bot("Kit bot")
    return HistoryEntry.of(author, f"kit-entry-{number} {words.long_text(400)}")
