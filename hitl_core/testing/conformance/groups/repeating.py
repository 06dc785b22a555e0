"""Writes whose answer is lost, or which never left: done once, or in doubt, and never done twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from hitl_core.calls import SendMessage, StartPlan
from hitl_core.errors import AmbiguousOutcomeError
from hitl_core.people import Author
from hitl_core.sessions import HitlSession
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.tools.reading import messages_that_say

__all__ = ["RepeatTests"]

_DOUBT = "a write that may have been carried out raises AmbiguousOutcomeError where nothing tells that it is harmless"


class RepeatTests(ConformanceBase):
    """Once means once."""

    @rule("start_hitl", needs=("idempotent:start_hitl",))
    async def test_the_same_start_twice_makes_one_session(self, room: Room) -> None:
        """A plan that is carried out twice, with its keys, gives one session (F02, F37)."""
        plan = await room.plan(description="kit-description")
        before = await _sessions(room)
        with promised("a repeat of a start must give what the first one gave"):
            first, second = await room.run(plan), await room.run(plan)
        assert first.id == second.id, "the same key is the same session: pass request.key to the vendor"
        assert await _sessions(room) - before == {first.id}, "one start makes one session"

    @rule("start_hitl", needs=("idempotent:start_hitl",))
    async def test_a_start_without_an_answer_is_repeated_and_makes_one_session(self, room: Room) -> None:
        """Whichever write of a start loses its answer: it is repeated under its key, and there is one session (F37)."""
        for write in range(await _writes_of_a_start(room)):
            plan = await _plan(room, f"-{write}")
            before = await _sessions(room)
            room.wire.cut("lose_answer", spare=write)
            with promised(f"a start whose write {write + 1} got no answer must be repeated: pass key=request.key"):
                session = await room.run(plan)
            room.wire.mend()
            made = await _sessions(room) - before
            assert made == {session.id}, (
                f"after the answer to write {write + 1} was lost, there are {len(made)} sessions"
            )

    @rule("start_hitl", needs=("!idempotent:start_hitl",))
    async def test_a_start_without_an_answer_is_in_doubt_and_not_repeated(self, room: Room) -> None:
        """Whichever write of a start loses its answer: there is one session at most, and doubt is told (F37)."""
        doubts = 0
        for write in range(await _writes_of_a_start(room)):
            plan = await _plan(room, f"-{write}")
            before = await _sessions(room)
            doubts += await _doubted(room, write, partial(room.run, plan))
            made = await _sessions(room) - before
            assert len(made) <= 1, f"after the answer to write {write + 1} was lost, there are {len(made)} sessions"
        assert doubts, _DOUBT

    @rule("start_hitl")
    async def test_a_start_that_was_not_sent_is_tried_again_and_makes_one_session(self, room: Room) -> None:
        """Whichever write of a start finds no connection: it is tried again, and there is one session."""
        for write in range(await _writes_of_a_start(room)):
            plan = await _plan(room, f"-{write}")
            before = await _sessions(room)
            room.wire.cut("refuse", spare=write)
            with promised("what was not sent must be tried again: leave repeats to ctx.http"):
                session = await room.run(plan)
            room.wire.mend()
            made = await _sessions(room) - before
            assert made == {session.id}, f"write {write + 1} was tried twice, and there are {len(made)} sessions"

    @rule("send_message", needs=("idempotent:send_message",))
    async def test_the_same_message_twice_is_one_message(self, room: Room) -> None:
        """A message that is sent twice under one key is there once (F37)."""
        session = await room.session()
        part = await _part(room, session, "kit-twice")
        with promised("a repeat of a message must give what the first one gave"):
            first, second = await room.execute(part), await room.execute(part)
        assert first.ids == second.ids, "the same key is the same message: pass request.key to the vendor"
        assert await _count(room, session, "kit-twice") == 1, "one key makes one message"

    @rule("send_message", needs=("idempotent:send_message",))
    async def test_a_message_without_an_answer_is_repeated_and_is_there_once(self, room: Room) -> None:
        """Whichever write of a message loses its answer: it is repeated under its key, and is there once (F37)."""
        session = await room.session()
        for write in range(await _writes_of_a_message(room, session)):
            part = await _part(room, session, f"kit-lost-{write}")
            room.wire.cut("lose_answer", spare=write)
            with promised(f"a message whose write {write + 1} got no answer must be repeated: pass key=request.key"):
                await room.execute(part)
            room.wire.mend()
            count = await _count(room, session, f"kit-lost-{write}")
            assert count == 1, f"after the answer to write {write + 1} was lost, the message is there {count} times"

    @rule("send_message", needs=("!idempotent:send_message",))
    async def test_a_message_without_an_answer_is_in_doubt_and_not_repeated(self, room: Room) -> None:
        """Whichever write of a message loses its answer: it is there once at most, and doubt is told (F37)."""
        session = await room.session()
        doubts = 0
        for write in range(await _writes_of_a_message(room, session)):
            part = await _part(room, session, f"kit-lost-{write}")
            doubts += await _doubted(room, write, partial(room.execute, part))
            count = await _count(room, session, f"kit-lost-{write}")
            assert count <= 1, f"after the answer to write {write + 1} was lost, the message is there {count} times"
        assert doubts, _DOUBT

    @rule("send_message")
    async def test_a_message_that_was_not_sent_is_tried_again_and_is_there_once(self, room: Room) -> None:
        """Whichever write of a message finds no connection: it is tried again, and is there once."""
        session = await room.session()
        for write in range(await _writes_of_a_message(room, session)):
            part = await _part(room, session, f"kit-unsent-{write}")
            room.wire.cut("refuse", spare=write)
            with promised("what was not sent must be tried again: leave repeats to ctx.http"):
                await room.execute(part)
            room.wire.mend()
            count = await _count(room, session, f"kit-unsent-{write}")
            assert count == 1, f"write {write + 1} was tried twice, and the message is there {count} times"


async def _sessions(room: Room) -> set[str]:
    return {session.id for session in await room.agent.sessions()}


async def _count(room: Room, session: HitlSession, text: str) -> int:
    return len(messages_that_say(await room.agent.session(session.id), text))


async def _plan(room: Room, suffix: str) -> StartPlan:
    """Plan a start of a customer who exists, so that its writes are those of the start alone."""
    return await room.plan(user=await room.user(suffix), description="kit-description")


async def _part(room: Room, session: HitlSession, text: str) -> SendMessage:
    author = Author.user(await room.user())
    (part,) = room.connection.plan_message(session, text, author=author, idempotency_key=room.key())
    return part


async def _writes_of_a_start(room: Room) -> int:
    plan = await _plan(room, "-undisturbed")
    before = len(room.wire.writes())
    await room.run(plan)
    return len(room.wire.writes()) - before


async def _writes_of_a_message(room: Room, session: HitlSession) -> int:
    part = await _part(room, session, "kit-undisturbed")
    before = len(room.wire.writes())
    await room.execute(part)
    return len(room.wire.writes()) - before


async def _doubted(room: Room, write: int, act: Callable[[], Awaitable[Any]]) -> bool:
    """Lose the answer to one write; say whether that was told, in which case nothing may have been written after it."""
    before = len(room.wire.writes())
    room.wire.cut("lose_answer", spare=write)
    try:
        with promised("a start or message whose answer is lost is repeated where that is harmless, else in doubt"):
            try:
                await act()
            except AmbiguousOutcomeError:
                count = len(room.wire.writes()) - before
                assert count == write + 1, f"{count - write - 1} writes went out after the one that is in doubt"
                return True
    finally:
        room.wire.mend()
    return False
