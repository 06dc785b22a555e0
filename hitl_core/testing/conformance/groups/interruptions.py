"""Calls that are called off: cancelled, too late, or in flight when the connection closes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, Final

from hitl_core._http.messages import HttpRequest
from hitl_core.errors import HitlError, ProviderUnavailableError
from hitl_core.people import Author
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.attempts import outcome, told
from hitl_core.testing.conformance.tools.operations import ALL_HOOKS, Call, Operations
from hitl_core.testing.conformance.tools.reading import within
from hitl_core.testing.conformance.wire import Cut

__all__ = ["InterruptionTests"]

_PATIENCE: Final = 5.0
"""Real seconds after which something counts as hanging."""

_ARRIVAL: Final = 10.0
"""Real seconds a request may take to leave: a busy machine is nobody's mistake."""

_TURNS: Final = 20


class InterruptionTests(ConformanceBase):
    """Stopping in the middle."""

    @rule(*ALL_HOOKS)
    async def test_a_call_can_be_cancelled_in_the_middle_of_a_request(self, room: Room) -> None:
        """A cancelled call ends at once, by ``CancelledError``, and sends nothing more."""
        calls = await Operations.of(room)
        wrong = []
        for hook in calls.hooks:
            ended, more = await _cancelled(room, hook, await calls.ready(hook))
            if not isinstance(ended, asyncio.CancelledError):
                wrong.append(f"{hook}: CancelledError is due; {told(ended)}")
            if more:
                wrong.append(f"{hook}: {more} requests went out after it was cancelled")
        assert not wrong, "catch no BaseException, shield nothing, and start no tasks of your own:\n" + "\n".join(wrong)

    @rule(*ALL_HOOKS)
    async def test_a_connection_is_usable_after_a_cancelled_call(self, room: Room) -> None:
        """After a call was cancelled, the next one of the same hook works."""
        calls = await Operations.of(room)
        wrong = []
        for hook in calls.hooks:
            await _cancelled(room, hook, await calls.ready(hook))
            call = await calls.ready(hook)
            try:
                async with asyncio.timeout(_PATIENCE):
                    ended = await calls.carry_out(call)
            except TimeoutError:
                wrong.append(f"{hook}: hangs after a call was cancelled")
            else:
                if isinstance(ended, HitlError):
                    wrong.append(f"{hook}: {told(ended)}")
        assert not wrong, "leave no lock taken and no flag set when a call ends early:\n" + "\n".join(wrong)

    @rule("start_hitl", "send_message", "stop_hitl")
    async def test_no_write_starts_after_the_deadline(self, room: Room) -> None:
        """A write whose deadline has passed is not sent, and says so by ``ProviderUnavailableError``."""
        await room.connection.identify()
        session, plan = await room.session(), await room.plan()
        connection, author, late = room.connection, Author.user(await room.user()), _past(room)
        part = connection.plan_message(session, "kit-too-late", author=author, idempotency_key=room.key())[0]
        _, stop = connection.plan_stop(session, idempotency_key=room.key())
        calls: dict[str, Awaitable[Any]] = {
            "start_hitl": connection.begin(plan, deadline=late),
            "send_message": connection.execute(part, deadline=late),
            "stop_hitl": connection.finish(stop, deadline=late),
        }
        before = len(room.wire.writes())
        ends = {hook: await outcome(call) for hook, call in calls.items()}
        sent = len(room.wire.writes()) - before
        shown = await room.agent.session(session.id)
        assert not sent, (
            f"{sent} writes went out after their deadline; leave deadlines to ctx.http, in the call's own task"
        )
        wrong = [f"{hook}: {told(ended)}" for hook, ended in ends.items() if not _is_late(ended)]
        assert not wrong, "ProviderUnavailableError is due, for nothing was done:\n" + "\n".join(wrong)
        assert shown.open, "a stop that was too late must not end the session"
        assert not within(shown, "kit-too-late"), "a message that was too late must not be written"

    @rule("close")
    async def test_closing_does_not_wait_for_a_call_in_flight(self, room: Room) -> None:
        """A connection closes while a call waits for its answer; the call then ends, well or with an error."""
        session, author = await room.session(), Author.user(await room.user())
        other = await room.another()
        await other.identify()
        parts = other.plan_message(session, "kit-in-flight", author=author, idempotency_key=room.key())
        held = room.wire.cut("hold", matches=_any)
        task = asyncio.create_task(outcome(other.execute(parts[0])))
        assert await _reached(held, task), "send_message sent nothing"
        try:
            async with asyncio.timeout(_PATIENCE):
                await other.close()
        except TimeoutError:
            raise AssertionError(
                "close() hangs as long as a call waits for its answer; it must not wait for calls"
            ) from None
        finally:
            room.wire.mend()
            done, _ = await asyncio.wait({task}, timeout=_PATIENCE)
            task.cancel()
        assert done, "a call that was in flight when the connection closed must end once it is answered"


async def _cancelled(room: Room, hook: str, call: Call) -> tuple[object, int]:
    """Cancel a call while its first request waits; return how it ended, and how much was sent afterwards."""
    held = room.wire.cut("hold", matches=_any)
    task = asyncio.ensure_future(outcome(call()))
    try:
        assert await _reached(held, task), f"{hook} sent no request that could be cancelled"
        tried = len(room.wire.requests)
        task.cancel()
        await asyncio.wait({task}, timeout=_PATIENCE)
    finally:
        room.wire.mend()
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    if not task.done():
        task.cancel()
        return TimeoutError("the call went on"), len(room.wire.requests) - tried
    ended = asyncio.CancelledError() if task.cancelled() else task.exception() or task.result()
    return ended, len(room.wire.requests) - tried


async def _reached(held: Cut, task: asyncio.Future[Any]) -> bool:
    """Wait until a request has come to the wire, or the call has ended without one."""
    arrival = asyncio.ensure_future(held.reached.wait())
    await asyncio.wait({arrival, task}, timeout=_ARRIVAL, return_when=asyncio.FIRST_COMPLETED)
    arrival.cancel()
    return held.reached.is_set()


def _any(_: HttpRequest) -> bool:
    return True


def _past(room: Room) -> Any:
    return room.clock.now() - timedelta(seconds=1)


def _is_late(ended: object) -> bool:
    return isinstance(ended, ProviderUnavailableError) and ended.retryable
