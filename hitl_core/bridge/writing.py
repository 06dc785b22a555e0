"""One vendor write, repeated until it is done, refused, or not wanted any more; what is unclear is looked up first."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from hitl_core.bridge.inputs import Failure
from hitl_core.calls import Absent, Finding, Found, Inconclusive
from hitl_core.clock import Clock
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

__all__ = ["NotWantedError", "Write", "WriteFailedError", "classify"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

_LONGEST_WAIT: Final = 60.0
_PAUSE: Final = 60.0
_UNCLEAR_PATIENCE: Final = 120.0


class WriteFailedError(HitlError):
    """A write will not take place, or nobody can tell whether it did."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


class NotWantedError(HitlError):
    """Nobody wants this write any more, and it did not take place."""


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


def _always() -> bool:
    return True


def _nothing(found: Found) -> None:
    del found


@dataclass(kw_only=True)
class Write(Generic[T]):
    """How one write is to be made.

    :param attempt: makes it, once.
    :param find: looks up whether an earlier attempt, not older than the given time, took effect.
    :param found: reads the write's result out of what was found.
    :param harmless: repeating it is safe, because the vendor honours its key or finds what exists.
    :param harmless_seconds: how long the vendor remembers a key; ``None`` for ever.
    :param resend: repeat what stays unclear rather than give up (the provider's ``unresolved="resend"``).
    :param settle: seconds a read may lag behind a write.
    :param patience: seconds after which to give up; ``None`` for never.
    :param hold_when_refused: wait and try again when credentials or rights are refused, since a person can mend that.
    :param wanted: asked before every attempt.
    :ivar unclear_since: when the earliest attempt was made that may have taken effect, while that is not known.
    """

    attempt: Callable[[], Awaitable[T]]
    clock: Clock
    find: Callable[[datetime], Awaitable[Finding]] | None = None
    found: Callable[[Found], T | None] = _nothing
    harmless: bool = False
    harmless_seconds: float | None = None
    resend: bool = False
    settle: float = 0.0
    patience: float | None = None
    hold_when_refused: bool = False
    wanted: Callable[[], bool] = _always
    unclear_since: datetime | None = field(default=None, init=False)
    _last: str = field(default="", init=False)

    async def run(self) -> T:
        """Make the write.

        :raises WriteFailedError: it will not take place.
        :raises NotWantedError: it is not wanted any more, and did not take place.
        """
        began = self.clock.monotonic()
        failures = 0
        while True:
            if self.unclear_since is not None:
                done = await self.look_up()
                if done is not None:
                    return done
            if not self.wanted() and self.unclear_since is None:
                raise NotWantedError
            if self.unclear_since is None or self._may_repeat_unseen():
                sent_at = self.clock.now()
                try:
                    return await self.attempt()
                except Exception as error:  # noqa: BLE001 - a provider is somebody else's code; its class decides
                    wait = self._judge(error, sent_at, failures)
            else:
                wait = self._back_off(failures)
            failures += 1
            self._check_patience(wait, began)
            await self.clock.sleep(wait)

    async def look_up(self) -> T | None:
        """Ask whether an unclear attempt took effect; ``None`` when it did not, or when that cannot be told yet."""
        since = self.unclear_since
        if since is None or self.find is None:
            return None
        await self.clock.sleep(self.settle)
        try:
            finding = await self.find(since)
        except Exception as error:  # noqa: BLE001 - as above; a look-up that fails is one that tells nothing
            logger.info("looking up an unclear write failed: %s", describe(error))
            return None
        match finding:
            case Found():
                return self.found(finding)
            case Absent():
                self.unclear_since = None
            case Inconclusive(retry_after=float(seconds)):
                await self.clock.sleep(min(seconds, _LONGEST_WAIT))
            case _:
                pass
        return None

    def _may_repeat_unseen(self) -> bool:
        if self.find is None and self.resend:
            return True
        if not self.harmless or self.unclear_since is None or self.harmless_seconds is None:
            return self.harmless
        return (self.clock.now() - self.unclear_since).total_seconds() < self.harmless_seconds

    def _judge(self, error: Exception, sent_at: datetime, failures: int) -> float:
        """Return how long to wait before the next attempt, or raise when there is none."""
        failure = classify(error)
        self._last = detail = describe(error)
        if failure is Failure.UNRESOLVED:
            self.unclear_since = self.unclear_since or sent_at
            if self.find is None and not self._may_repeat_unseen():
                raise WriteFailedError(failure, detail) from error
            return 0.0 if failures == 0 else self._back_off(failures)
        if failure is Failure.UNAVAILABLE:
            after = error.retry_after if isinstance(error, ProviderError) else None
            return self._back_off(failures) if after is None else max(after, 0.0)
        if failure is Failure.NOT_ALLOWED and self.hold_when_refused:
            logger.warning("held until it is mended, next attempt in %g s: %s", _PAUSE, detail)
            return _PAUSE
        raise WriteFailedError(failure, detail) from error

    def _check_patience(self, wait: float, began: float) -> None:
        """Give up when the next attempt would come too late."""
        now = self.clock.now() + timedelta(seconds=wait)
        too_late = self.patience is not None and self.clock.monotonic() + wait - began > self.patience
        if self.unclear_since is None:
            if too_late:
                detail = f"given up after {self.patience:g} s, nothing was done; last: {self._last}"
                raise WriteFailedError(Failure.UNAVAILABLE, detail)
        elif too_late or (now - self.unclear_since).total_seconds() > _UNCLEAR_PATIENCE:
            if not self.resend or too_late:
                detail = "it may or may not have taken place, and the helpdesk could not tell in time"
                raise WriteFailedError(Failure.UNRESOLVED, detail)
            self.unclear_since = None

    def _back_off(self, failures: int) -> float:
        return min(_LONGEST_WAIT, 0.5 * 2.0 ** min(failures, 10))
