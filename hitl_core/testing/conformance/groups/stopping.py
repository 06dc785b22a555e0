"""``stop_hitl``: a session ends, whatever state it is in."""

from __future__ import annotations

from typing import Final

import pytest

from hitl_core.errors import AmbiguousOutcomeError, HitlError, NotFoundError
from hitl_core.events import StopReason
from hitl_core.sessions import HitlSession, SessionRef
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import NOT_APPLICABLE, rule
from hitl_core.testing.conformance.tools.claims import promised, refused
from hitl_core.testing.conformance.tools.reading import messages_that_say, within

__all__ = ["StopTests"]

LAST_TEXT: Final = "kit-last-text: the customer has left"


class StopTests(ConformanceBase):
    """Hand-offs end."""

    @rule("stop_hitl")
    async def test_an_open_session_ends_in_the_helpdesk(self, room: Room) -> None:
        """A session that is stopped is no longer open in the helpdesk."""
        session = await room.session()
        assert await _open(room, session), "a session that was just started is to be open in the helpdesk"
        with promised("an open session can be stopped"):
            await room.stop(session)
        assert not await _open(room, session), "after stop_hitl agents must see that the session has ended"

    @rule("stop_hitl")
    async def test_stopping_twice_is_fine(self, room: Room) -> None:
        """A session we have ended can be stopped again; it stays ended."""
        session = await room.session()
        await room.stop(session)
        with promised("stopping a session that we have ended is no error"):
            await room.stop(session)
        assert not await _open(room, session), "stopping an ended session must not open it again"

    @rule("stop_hitl")
    async def test_stopping_what_an_agent_has_ended_is_fine(self, room: Room) -> None:
        """A session an agent has closed or solved can be stopped; it stays ended."""
        for act in ("close", "solve"):
            if act in room.simulator.abilities:
                session = await room.session()
                await getattr(room.agent, act)(session.id)
                with promised(f"stopping a session after an agent's {act} is no error"):
                    await room.stop(session)
                assert not await _open(room, session), f"stopping a session after an agent's {act} must not open it"

    @rule("stop_hitl")
    async def test_stopping_a_session_that_does_not_exist_says_so(self, room: Room) -> None:
        """A session the helpdesk does not have, or no longer, is ``NotFoundError``."""
        session = await room.session()
        missing = SessionRef(connection=session.ref.connection, id=room.simulator.missing_session_id(session.id))
        with refused(NotFoundError, "a session that does not exist cannot be stopped, and the bridge must be told"):
            await room.connection.stop_hitl(missing, idempotency_key=room.key())
        assert await _open(room, session), "a session of another id must not be touched"

    @rule("stop_hitl")
    async def test_every_reason_to_stop_is_accepted(self, room: Room) -> None:
        """Whatever the reason, the session ends."""
        wrong = []
        for reason in StopReason:
            session = await room.session()
            try:
                await room.stop(session, reason)
            except HitlError as error:
                wrong.append(f"{reason}: {type(error).__name__}: {error}")
                continue
            if await _open(room, session):
                wrong.append(f"{reason}: the session is still open")
        assert not wrong, "map every StopReason, an unknown one of the future included:\n" + "\n".join(wrong)

    @rule("stop_hitl", needs=("reopen",))
    async def test_a_stop_leaves_the_session_fit_to_be_reopened(self, room: Room) -> None:
        """Where ended sessions can be opened again, a stop does not end them for good (F36)."""
        session = await room.session()
        await room.stop(session)
        assert not (await room.agent.session(session.id)).final, (
            'stop with the vendor\'s "solved" rather than with what is final, so that surveys and reopening work'
        )

    @rule("stop_hitl", needs=("stop_message",))
    async def test_a_last_text_carried_by_the_stop_reaches_agents(self, room: Room) -> None:
        """Where ``stop_message`` is declared, the stop itself brings a last text to the agents, once."""
        session = await room.session()
        before, _ = room.connection.plan_stop(session, message=LAST_TEXT, idempotency_key=room.key())
        assert not before, "with stop_message nothing is sent before the stop"
        await _stopped_with_words(room, session)

    @rule("stop_hitl", "send_message", needs=("!stop_message",))
    async def test_a_last_text_sent_before_the_stop_reaches_agents(self, room: Room) -> None:
        """Where the stop carries no text, one that is sent just before reaches the agents, once."""
        session = await room.session()
        await _stopped_with_words(room, session)

    @rule("stop_hitl", "send_message", needs=("internal_notes",))
    async def test_a_last_text_is_not_shown_to_the_customer(self, room: Room) -> None:
        """Where the vendor has notes, a last text is one: it is for agents (F18)."""
        session = await room.session()
        with promised("a session can be stopped with a last text"):
            await room.stop(session, message=LAST_TEXT)
        said = messages_that_say(await room.agent.session(session.id), LAST_TEXT)
        assert said, "the last text must reach the agents"
        assert not any(message.public for message in said), "write the last text as a note, not as a public message"

    @rule("stop_hitl", "send_message")
    async def test_a_last_text_for_an_ended_session_does_no_harm(self, room: Room) -> None:
        """A last text that comes after the end opens nothing and is no error."""
        session = await room.session()
        await room.agent.close(session.id)
        with promised("stopping an ended session is no error, with a last text as without"):
            await room.stop(session, message=LAST_TEXT)
        assert not await _open(room, session), "a last text must not leave the session open"

    @rule("stop_hitl")
    async def test_a_stop_whose_answer_is_lost_ends_the_session_once(self, room: Room) -> None:
        """When the answer to a stop is lost, it is repeated or ``AmbiguousOutcomeError``; its text is there once."""
        text = LAST_TEXT if room.capabilities.stop_message else None
        for spare in (0, 1):
            session = await room.session()
            room.wire.cut("lose_answer", spare=spare)
            try:
                await room.stop(session, message=text)
            except AmbiguousOutcomeError:
                pass  # it may have happened: the bridge asks again
            except HitlError as error:
                msg = (
                    "a stop whose answer is lost may have happened: let the transport repeat it where that is "
                    f"harmless, or let its AmbiguousOutcomeError pass; it raised {type(error).__name__}: {error}"
                )
                raise AssertionError(msg) from error
            room.wire.mend()
            told = len(messages_that_say(await room.agent.session(session.id), LAST_TEXT))
            assert told <= 1, f"the last text is there {told} times: do not repeat a write that adds a message (F37)"
            with promised("a stop can be repeated after its answer was lost"):
                await room.stop(session)
            assert not await _open(room, session), "after the repeat the session must have ended"

    @rule("stop_hitl", needs=("idempotent:stop_hitl",))
    async def test_a_stop_without_an_answer_is_repeated_where_that_is_harmless(self, room: Room) -> None:
        """Where a stop may be repeated, one whose answer is lost succeeds, and its text is there once (F37)."""
        text = LAST_TEXT if room.capabilities.stop_message else None
        session = await room.session()
        room.wire.cut("lose_answer")
        with promised("a stop that is declared idempotent is repeated: pass key=request.key, or repeatable=True"):
            await room.stop(session, message=text)
        seen = await room.agent.session(session.id)
        assert not seen.open, "after the repeat the session must have ended"
        told = len(messages_that_say(seen, LAST_TEXT))
        assert told == (1 if text else 0), f"the last text is there {told} times: one key is one stop"

    @rule("stop_hitl")
    async def test_a_stop_ends_no_other_session_of_the_customer(self, room: Room) -> None:
        """Another session of the same customer stays open."""
        first, second = await room.session(), await room.session()
        if first.id == second.id:
            pytest.skip(NOT_APPLICABLE + "the vendor keeps one session for each customer")
        await room.stop(first)
        assert await _open(room, second), "only the session that is named may be ended"
        assert not await _open(room, first), "the session that is named must be ended"


async def _open(room: Room, session: HitlSession) -> bool:
    return (await room.agent.session(session.id)).open


async def _stopped_with_words(room: Room, session: HitlSession) -> None:
    with promised("a session can be stopped with a last text"):
        await room.stop(session, message=LAST_TEXT)
    seen = await room.agent.session(session.id)
    assert within(seen, LAST_TEXT), "the last text must reach the agents"
    assert len(messages_that_say(seen, LAST_TEXT)) == 1, "the last text must be there once"
    assert not seen.open, "after stop_hitl agents must see that the session has ended"
