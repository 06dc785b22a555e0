"""``send_message`` to a session that has ended: refused, or opened again, as the provider declares."""

from __future__ import annotations

from hitl_core.errors import SessionClosedError
from hitl_core.sessions import HitlSession
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised, refused
from hitl_core.testing.conformance.tools.reading import within

__all__ = ["ReopenTests"]


class ReopenTests(ConformanceBase):
    """Messages that come too late."""

    @rule("send_message", needs=("reopen:asked",))
    async def test_a_message_to_an_ended_session_is_refused_unless_it_is_to_reopen_it(self, room: Room) -> None:
        """Where ``reopen`` is "asked", a late message raises SessionClosedError, and nothing is written (F07)."""
        session = await _ended(room)
        with refused(SessionClosedError, "a message to a session that has ended must be refused without reopen=True"):
            await room.send(session, "kit-too-late")
        seen = await room.agent.session(session.id)
        assert not seen.open, "a message that is refused opens nothing"
        assert not within(seen, "kit-too-late"), "a message that is refused is not written: look at the state before"

    @rule("send_message", needs=("reopen:asked",))
    async def test_a_message_that_is_to_reopen_does_so(self, room: Room) -> None:
        """Where ``reopen`` is "asked", a message with ``reopen=True`` arrives, and the session is open (F07)."""
        session = await _ended(room)
        with promised("a message with reopen=True must work"):
            await room.send(session, "kit-come-back", reopen=True)
        seen = await room.agent.session(session.id)
        assert within(seen, "kit-come-back"), "the message must arrive"
        assert seen.open, "after a message with reopen=True the session is open"

    @rule("send_message", needs=("reopen:always",))
    async def test_a_late_message_reopens_where_every_message_does(self, room: Room) -> None:
        """Where ``reopen`` is "always", a late message of the customer arrives, and the session is open (F07)."""
        session = await _ended(room)
        with promised("a message to a session that has ended must work where reopen is declared as always"):
            await room.send(session, "kit-come-back")
        seen = await room.agent.session(session.id)
        assert within(seen, "kit-come-back"), "the message must arrive"
        assert seen.open, 'reopen is declared as "always": a message opens the session again'

    @rule("send_message", needs=("reopen:never",))
    async def test_a_late_message_is_refused_where_nothing_reopens(self, room: Room) -> None:
        """Where ``reopen`` is "never", a late message raises SessionClosedError, asked to reopen or not (F07)."""
        session = await _ended(room)
        for reopen in (False, True):
            with refused(SessionClosedError, f"a late message, with reopen={reopen}, must be refused"):
                await room.send(session, "kit-too-late", reopen=reopen)
        seen = await room.agent.session(session.id)
        assert not seen.open, "a message that is refused opens nothing"
        assert not within(seen, "kit-too-late"), "a message that is refused is not written: look at the state before"

    @rule("send_message", abilities=("solve",))
    async def test_a_message_to_a_session_closed_for_good_is_refused(self, room: Room) -> None:
        """A message to a session that is closed for good raises SessionClosedError, whatever is asked."""
        session = await room.session()
        await room.agent.close(session.id)
        if not (await room.agent.session(session.id)).final:
            return
        for reopen in (False, True):
            with refused(
                SessionClosedError, f"a message after the end for good, with reopen={reopen}, must be refused"
            ):
                await room.send(session, "kit-too-late", reopen=reopen)
        assert not within(await room.agent.session(session.id), "kit-too-late"), "it must not be written"

    @rule("send_message", needs=("reopen:asked",))
    async def test_asking_an_open_session_to_reopen_does_no_harm(self, room: Room) -> None:
        """A message with ``reopen=True`` to a session that is open is a message like any other."""
        session = await room.session()
        with promised("reopen=True must work with a session that is open"):
            await room.send(session, "kit-still-here", reopen=True)
        seen = await room.agent.session(session.id)
        assert seen.open, "the session stays open"
        assert within(seen, "kit-still-here"), "the message must arrive"


async def _ended(room: Room) -> HitlSession:
    """Start a session and let the agent end it; so that it can be reopened, where that is something else."""
    session = await room.session()
    if "solve" in room.simulator.abilities:
        await room.agent.solve(session.id)
    else:
        await room.agent.close(session.id)
    return session
