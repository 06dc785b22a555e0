"""When the helpdesk says "not now": how long a provider waits, and when it says so instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final, TypeAlias

from hitl_core._http.messages import HttpRequest
from hitl_core._http.waits import backoff_is_off
from hitl_core.errors import HitlError, ProviderUnavailableError, RateLimitedError
from hitl_core.people import Author
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.attempts import outcome, told
from hitl_core.testing.conformance.tools.operations import ALL_HOOKS, Arm, Operations
from hitl_core.testing.conformance.tools.reading import messages_that_say

__all__ = ["WaitTests"]

_TOO_LONG: Final = 86_400
_LONGEST: Final = 30.0
"""Seconds after which a call is given up rather than waited for."""

Forms: TypeAlias = Mapping[str, tuple[Callable[[datetime], str], float, float]]

_FORMS: Final[Forms] = {
    "in 7 seconds": (lambda now: "7", 7, _LONGEST),
    "at a time 9 seconds from now": (lambda now: _http_date(now + timedelta(seconds=9)), 8, _LONGEST),
    "a time that is past": (lambda now: _http_date(now - timedelta(seconds=60)), 0, 1),
    "a negative number": (lambda now: "-5", 0, 1),
}
"""What ``Retry-After`` may say, how it is written, and the seconds that may be waited."""

_GARBAGE: Final[Forms] = {
    "no number at all": (lambda now: "soon", 0, _LONGEST),
}


class WaitTests(ConformanceBase):
    """Rate limits and busy helpdesks."""

    @rule(*ALL_HOOKS, waits=True)
    async def test_a_rate_limited_call_waits_as_long_as_it_was_asked_to(self, room: Room) -> None:
        """After a 429 each hook waits as ``Retry-After`` says, in any of its forms, and then goes on (S286)."""
        wrong = await _waited(room, 429, {**_FORMS, **_GARBAGE})
        assert not wrong, (
            "leave waiting to ctx.http; where your vendor names the time elsewhere, give it as "
            "VendorError.retry_after:\n" + "\n".join(wrong)
        )

    @rule(*ALL_HOOKS, waits=True)
    async def test_a_busy_helpdesk_is_waited_for_as_long_as_it_asks(self, room: Room) -> None:
        """A 503 with ``Retry-After`` did nothing: each hook waits as long and then goes on."""
        wrong = await _waited(room, 503, _FORMS)
        assert not wrong, "leave waiting to ctx.http:\n" + "\n".join(wrong)

    @rule("send_message", waits=True)
    async def test_what_was_refused_is_there_once_after_the_wait(self, room: Room) -> None:
        """A message that was refused for now is written once, after the wait."""
        calls = await Operations.of(room)
        for status in (429, 503):
            ended = await calls.attempt("send_message", _refusing(room, status, "1"))
            assert not isinstance(ended, HitlError), f"refused for a second, a message is sent after it; {told(ended)}"
            shown = messages_that_say(await room.agent.session(calls.session.id), calls.text)
            assert len(shown) == 1, f"after one {status} the message is there {len(shown)} times"

    @rule(*ALL_HOOKS, waits=True)
    async def test_a_wait_that_is_too_long_is_told_instead(self, room: Room) -> None:
        """Asked to wait for a day, a hook raises an error that says so, and waits for nothing."""
        calls = await Operations.of(room)
        wrong = []
        for status, kind in ((429, RateLimitedError), (503, ProviderUnavailableError)):
            for hook in calls.hooks:
                call = await calls.ready(hook)
                before = room.clock.monotonic()
                ended = await calls.carry_out(call, _refusing(room, status, str(_TOO_LONG), times=None))
                waited = room.clock.monotonic() - before
                if not isinstance(ended, kind):
                    wrong.append(f"{hook}, {status}: {kind.__name__} is due; {told(ended)}")
                elif ended.retry_after != _TOO_LONG:
                    wrong.append(f"{hook}, {status}: retry_after is {ended.retry_after}, not {_TOO_LONG}")
                elif waited > _LONGEST:
                    wrong.append(f"{hook}, {status}: waited {waited:g} s")
                if not backoff_is_off():
                    await room.clock.sleep(_TOO_LONG)  # until the helpdesk may be asked again
        assert not wrong, "the caller decides about long waits; leave them to ctx.http:\n" + "\n".join(wrong)

    @rule("send_message", waits=True)
    async def test_a_connection_that_must_not_wait_says_so_at_once(self, room: Room) -> None:
        """With ``waits="raise"`` a rate limit is ``RateLimitedError`` with ``retry_after``, after one request."""
        session, author = await room.session(), Author.user(await room.user())
        impatient = await room.another(waits="raise")
        await impatient.identify()
        parts = impatient.plan_message(session, "kit-impatient", author=author, idempotency_key=room.key())
        before, tried = room.clock.monotonic(), len(room.wire.requests)
        _refusing(room, 429, "7", times=None)()
        ended = await outcome(impatient.execute(parts[0]))
        room.wire.mend()
        assert isinstance(ended, RateLimitedError), f"RateLimitedError is due; {told(ended)}"
        assert ended.retry_after == 7, f"retry_after is {ended.retry_after}, and the helpdesk asked for 7 seconds"
        assert len(room.wire.requests) == tried + 1, "who must not wait does not try again"
        assert backoff_is_off() or room.clock.monotonic() == before, "who must not wait does not wait"


def _refusing(room: Room, status: int, retry_after: str, *, times: int | None = 1) -> Arm:
    """Refuse the next requests for some time."""
    headers, body = room.simulator.error(status)
    kept = {name: value for name, value in headers.items() if name.lower() != "retry-after"}
    answer: dict[str, Any] = {"status": status, "body": body, "headers": {**kept, "retry-after": retry_after}}
    return lambda: room.wire.cut("answer", times=times, matches=_any, **answer)


def _any(_: HttpRequest) -> bool:
    return True


async def _waited(room: Room, status: int, forms: Forms) -> list[str]:
    """Refuse each hook once in each form; return what went wrong."""
    calls = await Operations.of(room)
    wrong = []
    for form, (write, least, most) in forms.items():
        for hook in calls.hooks:
            call = await calls.ready(hook)
            before = room.clock.monotonic()
            ended = await calls.carry_out(call, _refusing(room, status, write(room.clock.now())))
            waited = room.clock.monotonic() - before
            if isinstance(ended, HitlError):
                wrong.append(f"{hook}, Retry-After is {form}: {told(ended)}")
            elif not backoff_is_off() and not least <= waited <= most:
                wrong.append(f"{hook}, Retry-After is {form}: waited {waited:g} s")
    return wrong


def _http_date(at: datetime) -> str:
    return format_datetime(at, usegmt=True)
