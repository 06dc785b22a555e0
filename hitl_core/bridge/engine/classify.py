"""Which class a failure is of (guarantee 5), and what may be said about it."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable
from typing import TypeVar

from hitl_core.bridge.handoff.inputs import Failure
from hitl_core.errors import (
    AmbiguousOutcomeError,
    AuthenticationError,
    ConfigurationError,
    HitlError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    SessionClosedError,
    StoreError,
)

__all__ = ["asked_wait", "classify", "describe", "died", "frames", "is_stray", "of_provider"]

T = TypeVar("T")


def classify(error: Exception) -> Failure:
    """Give an error its class; the class decides what is done."""
    match error:
        case SessionClosedError() | NotFoundError(subject=None | "session"):
            return Failure.CLOSED
        case AuthenticationError() | PermissionDeniedError() | ConfigurationError():
            return Failure.NOT_ALLOWED
        case AmbiguousOutcomeError():
            return Failure.UNRESOLVED
        case ProviderError(retryable=True) | StoreError():
            return Failure.UNAVAILABLE
        case _:
            return Failure.REFUSED


def describe(error: BaseException) -> str:
    """Say what went wrong: our own errors are safe to show, anybody else's only by their kind."""
    if isinstance(error, HitlError):
        return str(error)
    return f"unexpected {type(error).__name__} in the provider; report it to its author"


def died(kind: str, failure: Failure, detail: str, *, connection: str | None, handoff_id: str | None = None) -> str:
    """Say in one sentence that there is a dead letter, and how to look at it.

    :param detail: as it is in the letter: without secrets and without customers' words.
    """
    of = f" of hand-off {handoff_id}" if handoff_id else ""
    on = f" on connection {connection}" if connection else ""
    why = " ".join(detail.split())
    return f"{kind}{of}{on} became a dead letter ({failure.value}): {why}; see: hitl deadletters list"


def asked_wait(error: Exception) -> float | None:
    """Return how many seconds the helpdesk asks us to wait, where it says so."""
    after = error.retry_after if isinstance(error, ProviderError) else None
    return None if after is None else max(0.0, after)


def frames(error: BaseException) -> str:
    """Return where an error came from, without its own words: those may quote a customer."""
    return "".join(traceback.format_tb(error.__traceback__)).rstrip()


def is_stray(error: BaseException) -> bool:
    """Whether an error that is meant to end a task came out of somebody else's code, and is not meant for ours.

    Such as the ``CancelledError`` of a task of theirs that they waited for. ``SystemExit`` and ``KeyboardInterrupt``
    are meant for the whole process.
    """
    if isinstance(error, Exception | SystemExit | KeyboardInterrupt):
        return False
    if not isinstance(error, asyncio.CancelledError):
        return True
    task = asyncio.current_task()
    return task is not None and not task.cancelling()


async def of_provider(call: Awaitable[T], *, writes: bool = False) -> T:
    """Await a provider's answer; one that cancels itself has failed, and does not end whoever asked.

    :param writes: what is called may have taken effect nevertheless.
    """
    try:
        return await call
    except BaseException as error:
        if not is_stray(error):
            raise
        what = type(error).__name__
        if writes:
            msg = f"the provider failed ({what}) and the write may have happened; look it up before repeating"
            raise AmbiguousOutcomeError(msg) from error
        msg = f"the provider ended its own call ({what}); report it to its author"
        raise HitlError(msg) from error
