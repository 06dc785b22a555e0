"""``send_typing``, ``transfer`` and ``get_availability``: what is declared beyond messages works."""

from __future__ import annotations

from hitl_core.people import Author
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised, unsent

__all__ = ["HandlingTests"]


class HandlingTests(ConformanceBase):
    """Signs, queues and hours."""

    @rule("send_typing", needs=("typing",))
    async def test_typing_is_taken_and_is_no_message(self, room: Room) -> None:
        """Typing can begin and end, and leaves nothing in the thread."""
        session = await room.session()
        before = await room.agent.session(session.id)
        author = Author.user(await room.user())
        for typing in (True, False):
            with promised(f"typing={typing} must work, if only by doing nothing"):
                await room.connection.send_typing(session, author=author, typing=typing)
        after = await room.agent.session(session.id)
        assert len(after.messages) == len(before.messages), "typing is no message"
        assert after.open, "typing does not end a session"

    @rule("transfer", needs=("transfer",))
    async def test_a_session_moves_to_an_agent_and_back_to_the_queue(self, room: Room) -> None:
        """A transfer to an agent gives them the session; one to nobody gives it back to the queue."""
        session = await room.session()
        agent = room.simulator.agents[-1]
        with promised("a transfer to an agent must work"):
            await room.connection.transfer(session, agent=agent.id, idempotency_key=room.key())
        seen = await room.agent.session(session.id)
        assert seen.agent is not None, "after a transfer to an agent the session is theirs"
        assert seen.agent.id == agent.id, "request.agent has the session, and nobody else"
        assert seen.open, "a transfer does not end the session"
        with promised("a transfer back to the queue must work"):
            await room.connection.transfer(session, idempotency_key=room.key())
        assert (await room.agent.session(session.id)).agent is None, "without agent and team it goes back to the queue"

    @rule("transfer", needs=("transfer",))
    async def test_a_session_moves_to_a_team(self, room: Room) -> None:
        """A transfer to a team puts the session into its queue, where the helpdesk has teams."""
        session = await room.session()
        for team in room.simulator.teams:
            with promised("a transfer to a team must work"):
                await room.connection.transfer(session, team=team, idempotency_key=room.key())
            assert (await room.agent.session(session.id)).team == team, "after a transfer to a team it has the session"

    @rule("get_availability", needs=("availability",))
    async def test_availability_makes_sense_and_changes_nothing(self, room: Room) -> None:
        """What is said of availability does not contradict itself, and asking writes nothing."""
        with (
            unsent(room, "nothing may be written to find out whether somebody is there"),
            promised("asking whether somebody is there must work"),
        ):
            there = await room.connection.get_availability()
        if there.agents_online is not None and there.available is not None:
            contradiction = there.available and there.agents_online == 0
            assert not contradiction, "somebody is available, and no agent is online; None is an answer too"
        if there.opens_at is not None:
            assert there.opens_at > room.clock.now(), "opens_at is a time to come"
            assert not there.available, "opens_at says when somebody will be there, so nobody is there now"

    @rule("get_availability", needs=("availability",), abilities=("agents_leave",))
    async def test_nobody_is_available_once_the_agents_have_left(self, room: Room) -> None:
        """Availability is as it is now: not once every agent has gone."""
        before = await room.connection.get_availability()
        await room.agent.agents_leave()
        after = await room.connection.get_availability()
        assert before.available is not False, "agents are there, and availability says nobody is"
        assert after.available is not True, "every agent has left, and availability says somebody is there"
        assert not after.agents_online, "every agent has left, and agents_online still counts some"
