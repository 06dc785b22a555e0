"""``parse_webhook``: who has a session, whether it is open, and what was read."""

from __future__ import annotations

from collections.abc import Sequence

from hitl_core.events import (
    AgentAssigned,
    AgentUnassigned,
    AnyEvent,
    DeliveryStatus,
    MessageStatus,
    SessionReopened,
    SessionStopped,
    StopReason,
)
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.tools.hearing import moments_pass, said, says

__all__ = ["StateTests"]


class StateTests(ConformanceBase):
    """Sessions are taken, given back, ended and opened again; messages are read."""

    @rule("parse_webhook", needs=("read_receipts",), abilities=("read",))
    async def test_an_agent_who_reads_a_message_is_told(self, room: Room) -> None:
        """When an agent reads a message of ours, that is a ``MessageStatus`` of ``read`` with the message's id."""
        session = await room.session()
        (sent,) = await room.send(session, "kit: was this read?")
        await room.agent.read(session.id, sent.ids[0])
        heard = await room.hear(session, MessageStatus)
        told = [(event.message_id, event.status) for event in heard if isinstance(event, MessageStatus)]
        assert (sent.ids[0], DeliveryStatus.READ) in told, f"message {sent.ids[0]} was read; told was {told}"

    @rule("parse_webhook", abilities=("assign",))
    async def test_an_agent_who_takes_a_session_is_told(self, room: Room) -> None:
        """An agent who takes the session is an ``AgentAssigned`` with their id, and their name where given (S017)."""
        session = await room.session()
        agent = room.simulator.agents[0]
        await room.agent.assign(session.id, agent=agent.id)
        assigned = _assigned(await room.hear(session, AgentAssigned))
        assert [event.agent.id for event in assigned] == [agent.id], f"{agent.id!r} took it; told: {_ids(assigned)}"
        assert assigned[0].agent.name in {None, agent.name}, f"the name is {agent.name!r}: {assigned[0].agent.name!r}"

    @rule("parse_webhook", abilities=("assign",))
    async def test_the_next_agent_is_told_as_well(self, room: Room) -> None:
        """When another agent takes the session, that is an ``AgentAssigned``, too: of the new agent (S094)."""
        session = await room.session()
        first, second = room.simulator.agents[:2]
        await room.agent.assign(session.id, agent=first.id)
        await room.hear(session, AgentAssigned)
        await moments_pass(room)
        await room.agent.assign(session.id, agent=second.id)
        assigned = _assigned(await room.hear(session, AgentAssigned))
        assert _ids(assigned)[-1] == second.id, f"{second.id!r} has the session now; told: {_ids(assigned)}"

    @rule("parse_webhook", abilities=("assign", "unassign"))
    async def test_giving_a_session_back_is_no_assignment(self, room: Room) -> None:
        """An agent who gives the session back is an ``AgentUnassigned``, never the assignment of nobody (F26)."""
        session = await room.session()
        await room.agent.assign(session.id)
        await room.hear(session, AgentAssigned)
        await moments_pass(room)
        await room.agent.unassign(session.id)
        with promised("an empty assignee is an AgentUnassigned"):
            heard = await room.hear(session, lambda heard: any(_is_assignment(event) for event in heard))
        assigned = _assigned(heard)
        assert not assigned, f"nobody has the session now; told was an assignment of {_ids(assigned)}"

    @rule("parse_webhook", abilities=("assign",))
    async def test_who_takes_a_session_by_answering_is_told_before_the_answer(self, room: Room) -> None:
        """When an agent takes the session by answering, the assignment comes before the message (S080)."""
        session = await room.session()
        await room.agent.reply_and_assign(session.id, "kit-taking-words")
        heard = await room.hear(session, lambda heard: said("kit-taking-words")(heard) and bool(_assigned(heard)))
        order = ["assigned" if isinstance(event, AgentAssigned) else "message" for event in heard if _matters(event)]
        assert order == ["assigned", "message"], f"customers hear who answers before the answer; told: {order}"

    # The end ----------------------------------------------------------------------------------------------------

    @rule("parse_webhook")
    async def test_an_agent_who_closes_a_session_ends_it(self, room: Room) -> None:
        """A session an agent closes is a ``SessionStopped`` with reason ``agent_closed`` (S018)."""
        session = await room.session()
        await room.agent.close(session.id)
        _assert_ended_by_agent(await room.hear(session, SessionStopped))

    @rule("parse_webhook", abilities=("solve",))
    async def test_an_agent_who_solves_a_session_ends_it(self, room: Room) -> None:
        """A session an agent solves is a ``SessionStopped`` as well, though it may be opened again (S224)."""
        session = await room.session()
        await room.agent.solve(session.id)
        _assert_ended_by_agent(await room.hear(session, SessionStopped))

    @rule("parse_webhook")
    async def test_the_last_words_come_before_the_end(self, room: Room) -> None:
        """When an agent answers and closes at once, the message comes before the end (S236, R10)."""
        session = await room.session()
        await room.agent.reply_and_close(session.id, "kit-last-words")
        heard = await room.hear(session, SessionStopped)
        if not said("kit-last-words")(heard):
            heard += await room.hear(session, said("kit-last-words"))
        told = [event for event in heard if _matters(event) and not _is_assignment(event)]
        order = ["end" if isinstance(event, SessionStopped) else "message" for event in told]
        assert order == ["message", "end"], f"what comes after the end is not heard by the customer; told: {order}"

    @rule("parse_webhook", abilities=("reopen",))
    async def test_a_session_opened_again_is_told(self, room: Room) -> None:
        """An ended session an agent opens again is a ``SessionReopened``."""
        session = await room.session()
        await room.agent.close(session.id)
        await room.hear(session, SessionStopped)
        await moments_pass(room)
        await room.agent.reopen(session.id)
        heard = await room.hear(session, SessionReopened)
        stopped = [event for event in heard if isinstance(event, SessionStopped)]
        assert not stopped, "the session is open: no SessionStopped may come with its SessionReopened"

    @rule("parse_webhook", "stop_hitl")
    async def test_an_end_of_ours_is_not_taken_for_the_agents(self, room: Room) -> None:
        """What the vendor tells of a session we ended is no end by an agent: the customer would hear of it (R01)."""
        session = await room.session()
        other = await room.session(user=await room.user("-other"))  # some vendors keep one session a customer
        first = len(room.received)
        await room.stop(session)
        await room.agent.reply(other.id, "kit-reply-words")
        await room.hear(other, said("kit-reply-words"))  # by then it has told of the end
        for webhook in room.received[first:]:
            with promised("what the vendor tells of an end of ours can be read"):
                events = await room.parse(webhook, session, other)
            ends = [event for event in events if isinstance(event, SessionStopped) and event.session == session.ref]
            wrong = [event for event in ends if event.reason is StopReason.AGENT_CLOSED]
            assert not wrong, "we ended the session: ignore the vendor's echo of it, by who did it"


def _matters(event: AnyEvent) -> bool:
    """Whether the order of an event is looked at: assignment, end, and the words of these tests."""
    return isinstance(event, AgentAssigned | SessionStopped) or says(event, "kit-")


def _is_assignment(event: AnyEvent) -> bool:
    return isinstance(event, AgentAssigned | AgentUnassigned)


def _assigned(heard: Sequence[AnyEvent]) -> list[AgentAssigned]:
    return [event for event in heard if isinstance(event, AgentAssigned)]


def _ids(assigned: Sequence[AgentAssigned]) -> list[str]:
    return [event.agent.id for event in assigned]


def _assert_ended_by_agent(heard: Sequence[AnyEvent]) -> None:
    ends = [event for event in heard if isinstance(event, SessionStopped)]
    assert len(ends) == 1, f"the session ended once; told were {len(ends)} ends"
    assert ends[0].reason is StopReason.AGENT_CLOSED, f"an agent ended it: agent_closed, not {ends[0].reason.value}"
