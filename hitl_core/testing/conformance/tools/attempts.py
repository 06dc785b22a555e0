"""Calls that are meant to go wrong: what became of them, writes whose answer is lost, and time that passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Literal, TypeVar

import pytest

from hitl_core.calls import Finding, Inconclusive
from hitl_core.errors import AmbiguousOutcomeError, HitlError
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import NOT_APPLICABLE
from hitl_core.testing.conformance.tools.claims import promised

__all__ = ["later", "lose", "outcome", "settled", "told"]

ResultT = TypeVar("ResultT")

_STEPS = 8
_MOMENT = 0.4
_LONGEST_REAL_WAIT = 2.0


async def outcome(call: Awaitable[ResultT]) -> ResultT | HitlError:
    """Return what a call gave, or the error it raised."""
    try:
        return await call
    except HitlError as error:
        return error


def told(ended: object) -> str:
    """Say how a call ended, for a message."""
    return f"it raised {type(ended).__name__}: {ended}" if isinstance(ended, BaseException) else f"it gave {ended!r}"


async def later(room: Room, seconds: float) -> None:
    """Let time pass, where it costs none; else two seconds at most."""
    advance = getattr(room.clock, "advance", None)
    if advance is None:
        await room.clock.sleep(min(seconds, _LONGEST_REAL_WAIT))
    else:
        advance(seconds)


async def lose(
    room: Room, what: Literal["lose_answer", "lose_request"], write: Callable[[], Awaitable[Any]]
) -> datetime:
    """Carry a write out whose answer, or which itself, is lost; return a time just before it.

    :param write: makes the same write each time it is called. What it may do before the one request that must not be
        repeated blindly goes well.
    """
    # Vendors round their times: the moment of the write is not a whole second.
    await later(room, _MOMENT)
    since = room.clock.now()
    for spare in range(_STEPS):
        room.wire.cut(what, times=None, spare=spare)
        ended = await outcome(write())
        room.wire.mend()
        if isinstance(ended, AmbiguousOutcomeError):
            return since
        if not isinstance(ended, HitlError):
            break
    pytest.skip(NOT_APPLICABLE + "repeating this write is harmless, so that there is nothing to look up")


async def settled(room: Room, ask: Callable[[], Awaitable[Finding]]) -> Finding:
    """Ask; where it cannot be told yet, ask once more when the provider says so."""
    with promised("a look-up answers, as long as the helpdesk does"):
        finding = await ask()
        if isinstance(finding, Inconclusive) and finding.retry_after is not None:
            await later(room, max(finding.retry_after, room.connection.limits.settle_seconds))
            finding = await ask()
    return finding
