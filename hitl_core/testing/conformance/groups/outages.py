"""When the way to the helpdesk fails: what was not sent is tried again, what may have happened is not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from hitl_core._http.messages import HttpRequest
from hitl_core.errors import AmbiguousOutcomeError, HitlError, ProviderUnavailableError
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.attempts import told
from hitl_core.testing.conformance.tools.operations import ALL_HOOKS, Arm, Operations
from hitl_core.testing.conformance.tools.reading import everything, messages_that_say
from hitl_core.testing.conformance.wire import CutKind, is_write

__all__ = ["OutageTests"]

_PAGE: Final[dict[str, Any]] = {
    "headers": {"content-type": "text/html"},
    "body": b"<!doctype html><html><body><h1>Bad gateway</h1></body></html>",
}
_GATEWAY: Final = (500, 502, 503, 504)


class OutageTests(ConformanceBase):
    """Connections that break, and gateways that give up."""

    @rule(*ALL_HOOKS)
    async def test_a_helpdesk_that_cannot_be_reached_is_unavailable(self, room: Room) -> None:
        """Where no connection comes about, it is tried several times, and nothing was done: a later repeat is safe."""
        calls = await Operations.of(room)
        wrong = []
        for hook in calls.hooks:
            started = len(room.wire.requests)
            ended = await calls.attempt(hook, lambda: room.wire.cut("refuse", times=None, matches=_any))
            tried = len(room.wire.requests) - started
            if not isinstance(ended, ProviderUnavailableError) or not ended.retryable:
                wrong.append(f"{hook}: ProviderUnavailableError with retryable=True is due; {told(ended)}")
            elif tried < 2:
                wrong.append(f"{hook}: tried once only; leave repeats to ctx.http")
        assert not wrong, "\n".join(wrong)
        shown = await room.agent.session(calls.session.id)
        assert "kit-message-" not in everything(shown), "nothing of what was never sent may reach the helpdesk"

    @rule(*ALL_HOOKS)
    async def test_what_was_not_sent_is_sent_again(self, room: Room) -> None:
        """A connection that fails once costs nothing: every hook goes on."""
        calls = await Operations.of(room)
        wrong = []
        for hook in calls.hooks:
            ended = await calls.attempt(hook, lambda: room.wire.cut("refuse", matches=_any))
            if isinstance(ended, HitlError):
                wrong.append(f"{hook}: {told(ended)}")
        assert not wrong, "what was not sent must be sent again; leave repeats to ctx.http:\n" + "\n".join(wrong)

    @rule("identify", "list_events")
    async def test_a_read_that_got_no_answer_is_repeated(self, room: Room) -> None:
        """A read whose answer is lost, or is a gateway's, is repeated, whatever may have become of it."""
        calls = await Operations.of(room)
        wrong = []
        for hook in calls.reads:
            ended = await calls.attempt(hook, lambda: room.wire.cut("lose_answer", matches=_is_read))
            if isinstance(ended, HitlError):
                wrong.append(f"{hook}, no answer: {told(ended)}")
            for status in _GATEWAY:
                ended = await calls.attempt(hook, _gateway(room, "answer", status, matches=_is_read))
                if isinstance(ended, HitlError):
                    wrong.append(f"{hook}, {status}: {told(ended)}")
        assert not wrong, "a read does no harm twice; leave repeats to ctx.http:\n" + "\n".join(wrong)

    @rule("create_user", "stop_hitl")
    async def test_finding_a_customer_and_ending_a_session_can_be_repeated(self, room: Room) -> None:
        """Where such a call fails after the fact, it is repeated, or the same call later finds it done (S245)."""
        calls = await Operations.of(room)
        wrong = []
        for status in _GATEWAY:
            for hook in ("create_user", "stop_hitl"):
                call = await calls.ready(hook)
                ended = await calls.carry_out(call, _gateway(room, "answer_after", status))
                if not isinstance(ended, HitlError):
                    continue
                if not isinstance(ended, AmbiguousOutcomeError | ProviderUnavailableError):
                    wrong.append(f"{hook}, {status} after the fact: {told(ended)}")
                elif isinstance(again := await calls.carry_out(call), HitlError):
                    wrong.append(f"{hook}, called again after {status}: {told(again)}")
        assert not wrong, "such a call can be made again and again:\n" + "\n".join(wrong)
        names = [user.external_id for user in await room.agent.users() if user.external_id]
        assert len(names) == len(set(names)), "a repeat must find the customer the first try has made"

    @rule("start_hitl", needs=("!idempotent:start_hitl",))
    async def test_a_start_that_failed_after_the_fact_is_in_doubt(self, room: Room) -> None:
        """A gateway's 5xx after the session was opened leaves the start in doubt; it is not repeated (F37)."""
        calls = await Operations.of(room)

        async def made() -> int:
            return len(await room.agent.sessions())

        wrong = await _in_doubt(room, calls, "start_hitl", made)
        assert not wrong, "one start opens one session at most:\n" + "\n".join(wrong)

    @rule("send_message", needs=("!idempotent:send_message",))
    async def test_a_message_that_failed_after_the_fact_is_in_doubt(self, room: Room) -> None:
        """A gateway's 5xx after the message was written leaves it in doubt; it is not repeated (F37)."""
        calls = await Operations.of(room)

        async def made() -> int:
            return len(messages_that_say(await room.agent.session(calls.session.id), "of the operations"))

        wrong = await _in_doubt(room, calls, "send_message", made)
        assert not wrong, "one send writes one message at most:\n" + "\n".join(wrong)

    @rule("create_user", needs=("idempotent:create_user",))
    async def test_a_customer_is_created_again_by_the_same_bytes(self, room: Room) -> None:
        """Where the vendor honours the key of a customer, a repeat is the same to the byte, key included (F37)."""
        await _repeats_to_the_byte(room, "create_user")

    @rule("start_hitl", needs=("idempotent:start_hitl",))
    async def test_a_start_is_repeated_by_the_same_bytes(self, room: Room) -> None:
        """Where the vendor honours the key of a start, a repeat is the same to the byte, key included (F37)."""
        await _repeats_to_the_byte(room, "start_hitl")
        made = len(await room.agent.sessions())
        assert made == 3, f"three starts, of which one was repeated, open three sessions; there are {made}"

    @rule("send_message", needs=("idempotent:send_message",))
    async def test_a_message_is_repeated_by_the_same_bytes(self, room: Room) -> None:
        """Where the vendor honours the key of a message, a repeat is the same to the byte, key included (F37)."""
        calls = await _repeats_to_the_byte(room, "send_message")
        shown = await room.agent.session(calls.session.id)
        count = len(messages_that_say(shown, calls.text))
        assert count == 1, f"one message and its repeat are one message; it is there {count} times"

    @rule("stop_hitl", needs=("idempotent:stop_hitl",))
    async def test_a_stop_is_repeated_by_the_same_bytes(self, room: Room) -> None:
        """Where the vendor honours the key of a stop, a repeat is the same to the byte, key included (F37)."""
        await _repeats_to_the_byte(room, "stop_hitl")


def _any(_: HttpRequest) -> bool:
    return True


def _is_read(request: HttpRequest) -> bool:
    return not is_write(request)


def _gateway(room: Room, kind: CutKind, status: int, **how: Any) -> Arm:
    """Let a gateway answer the next request, or write, with its page."""
    return lambda: room.wire.cut(kind, status=status, **_PAGE, **how)


async def _in_doubt(room: Room, calls: Operations, hook: str, made: Callable[[], Awaitable[int]]) -> list[str]:
    """Let each write of a call fail after the fact, in each way a gateway has; return what went wrong."""
    wrong, doubts = [], 0
    writes = await _writes_of(room, calls, hook)
    for status in _GATEWAY:
        for write in range(writes):
            call = await calls.ready(hook)
            there, sent = await made(), len(room.wire.writes())
            ended = await calls.carry_out(call, _gateway(room, "answer_after", status, spare=write))
            new, tried = await made() - there, len(room.wire.writes()) - sent
            where = f"{status} to write {write + 1} of {writes}"
            if isinstance(ended, AmbiguousOutcomeError):
                doubts += 1
                if ended.retryable:
                    wrong.append(f"{where}: retryable is True, though nothing tells that a repeat is harmless")
                if tried > write + 1:
                    wrong.append(f"{where}: {tried - write - 1} more writes went out after the one in doubt")
            elif isinstance(ended, HitlError) and new:
                wrong.append(f"{where}: it was done, and AmbiguousOutcomeError is due; {told(ended)}")
            if new > 1:
                wrong.append(f"{where}: it was done {new} times")
    if not doubts:
        wrong.append("no failure left it in doubt, though no key makes a repeat harmless")
    return wrong


async def _writes_of(room: Room, calls: Operations, hook: str) -> int:
    """Return how many writes a call makes when nothing goes wrong."""
    call = await calls.ready(hook)
    before = len(room.wire.writes())
    ended = await calls.carry_out(call)
    assert not isinstance(ended, HitlError), f"undisturbed, {hook} must succeed; {told(ended)}"
    return len(room.wire.writes()) - before


async def _repeats_to_the_byte(room: Room, hook: str) -> Operations:
    """Let the last write of a call fail after the fact; check that its repeat is the same."""
    calls = await Operations.of(room)
    writes = await _writes_of(room, calls, hook)
    call = await calls.ready(hook)
    mark = len(room.wire.writes())
    ended = await calls.carry_out(call, _gateway(room, "answer_after", 502, spare=max(writes - 1, 0)))
    assert not isinstance(ended, HitlError), (
        f"the vendor honours the key of {hook}, so a write that failed is repeated: pass key=request.key; {told(ended)}"
    )
    sent = room.wire.writes()[mark:]
    assert len(sent) > writes, f"the last write of {hook} failed, and was not repeated: pass key=request.key"
    first, second = sent[-2:]
    differing = [
        name
        for name, one, other in (
            ("method", first.method, second.method),
            ("URL", first.url, second.url),
            ("body", first.body, second.body),
            ("headers", _lasting(first), _lasting(second)),
        )
        if one != other
    ]
    assert not differing, f"the repeat of {hook} has another {' and '.join(differing)}, and is new to the vendor"
    return calls


def _lasting(request: HttpRequest) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name != "authorization"}
