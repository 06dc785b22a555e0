"""Which class a failure is of (guarantee 5), and what may be said about it."""

from __future__ import annotations

import traceback

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

__all__ = ["asked_wait", "classify", "describe", "frames"]


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


def describe(error: Exception) -> str:
    """Say what went wrong: our own errors are safe to show, anybody else's only by their kind."""
    if isinstance(error, HitlError):
        return str(error)
    return f"unexpected {type(error).__name__} in the provider; report it to its author"


def asked_wait(error: Exception) -> float | None:
    """Return how many seconds the helpdesk asks us to wait, where it says so."""
    after = error.retry_after if isinstance(error, ProviderError) else None
    return None if after is None else max(0.0, after)


def frames(error: BaseException) -> str:
    """Return where an error came from, without its own words: those may quote a customer."""
    return "".join(traceback.format_tb(error.__traceback__)).rstrip()
