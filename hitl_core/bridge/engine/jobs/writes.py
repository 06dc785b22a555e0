"""One write that cannot be repeated blindly: tried once a call, and looked up first when it may have taken effect.

What is known of it between the calls is in :class:`~hitl_core.bridge.engine.progress.Progress` alone. Nothing here
sleeps, and nothing is tried twice: what has to wait says for how long.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Generic, TypeAlias, TypeVar

from hitl_core.bridge.engine.classify import asked_wait, classify, describe, frames, of_provider
from hitl_core.bridge.engine.progress import Hold, Progress
from hitl_core.bridge.handoff.inputs import Failure
from hitl_core.calls import Absent, Finding, Found, Inconclusive
from hitl_core.clock import Clock
from hitl_core.connection import Connection

__all__ = ["Outcome", "Unwritten", "Waiting", "Write", "Written", "back_off", "find_out", "grown", "since", "take"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

_LONGEST_WAIT: Final = 60.0
_PAUSE: Final = 60.0
_UNCLEAR_PATIENCE: Final = 120.0
_UNTOLD: Final = "it may or may not have taken place, and the helpdesk could not tell"


class Write(ABC, Generic[T]):
    """How one write is made and looked up.

    :ivar patience: seconds after which to give up.
    :ivar holds: wait when credentials or rights are refused, since a person can mend that; otherwise it has failed.
    """

    harmless: ClassVar[bool] = False
    """Repeating it is always safe: it finds what exists, or ends what may have ended."""
    in_session: ClassVar[bool] = False
    """It is nothing without its session: one that has gone answers the question."""

    def __init__(self, connection: Connection, *, patience: float, holds: bool) -> None:
        self.connection = connection
        self.patience = patience
        self.holds = holds

    @property
    def findable(self) -> bool:
        """Whether the helpdesk can be searched for it."""
        return False

    @property
    def keyed(self) -> bool:
        """Whether the helpdesk honours its key, so that a repeat is harmless while the key is remembered."""
        return False

    @abstractmethod
    async def attempt(self) -> T:
        """Make it, once."""

    async def find(self, sent_after: datetime) -> Finding:
        """Look up whether an attempt not older than ``sent_after`` took effect."""
        raise NotImplementedError  # only what is findable is looked for

    def found(self, finding: Found) -> T | None:
        """Read its result out of what was found."""
        del finding
        return None


@dataclass(frozen=True, slots=True)
class Written(Generic[T]):
    """It took place, now or earlier."""

    result: T


@dataclass(frozen=True, slots=True)
class Waiting:
    """It is to be tried, or looked up, again in ``wait`` seconds."""

    progress: Progress
    wait: float
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Unwritten:
    """It will not take place, or nobody can tell whether it did."""

    progress: Progress
    failure: Failure
    detail: str
    hold: Hold | None = None


Outcome: TypeAlias = Written[T] | Waiting | Unwritten


def grown(progress: Progress, **changes: object) -> Progress:
    """Return a copy with these fields."""
    return progress.model_copy(update=changes)


def since(now: datetime, then: datetime | None) -> float:
    """Return the seconds since ``then``; 0 when there was no such time."""
    return 0.0 if then is None else (now - then).total_seconds()


def back_off(failures: int) -> float:
    """Return the seconds to wait after this many failures before."""
    return min(_LONGEST_WAIT, 0.5 * 2.0 ** min(failures, 10))


async def take(write: Write[T], progress: Progress, clock: Clock) -> Outcome[T]:
    """Make the write, unless an earlier attempt turns out to have taken effect."""
    if progress.unclear_since is not None:
        came = await _look_up(write, progress, progress.unclear_since, clock)
        if not isinstance(came, Progress):
            return came
        progress = came
    sent_at = clock.now()
    try:
        return Written(await of_provider(write.attempt(), writes=True))
    except Exception as error:  # noqa: BLE001 - a provider is somebody else's code; the error's class decides
        _tell(write, error, progress.failures)
        return _judged(write, progress, error, sent_at, clock.now())


async def find_out(write: Write[T], progress: Progress, clock: Clock) -> Outcome[T] | None:
    """Tell whether a write nobody wants any more took place; ``None`` when it did not. Writes nothing."""
    unclear = progress.unclear_since
    if unclear is None or write.harmless:
        return None
    if not write.findable:
        return Unwritten(progress, Failure.UNRESOLVED, _UNTOLD)
    now = clock.now()
    finding = await _search(write, progress, unclear, now)
    if isinstance(finding, Absent):
        return None
    if not isinstance(finding, Finding):
        return finding
    if since(now, unclear) > _UNCLEAR_PATIENCE:
        return Unwritten(progress, Failure.UNRESOLVED, f"{_UNTOLD} in {_UNCLEAR_PATIENCE:g} s")
    wait = min(_pause_of(finding, progress), _LONGEST_WAIT)
    return Waiting(grown(progress, failures=progress.failures + 1), wait)


# Looking up -----------------------------------------------------------------------------------------------------------


class _Unreachable(Inconclusive):
    """The helpdesk could not be asked; it may be when it is back."""


async def _look_up(write: Write[T], progress: Progress, unclear: datetime, clock: Clock) -> Outcome[T] | Progress:
    """Return what is known of the attempt, or the progress to make another one from."""
    if write.harmless:
        return grown(progress, unclear_since=None)
    if progress.began_at is None:
        progress = grown(progress, began_at=unclear)
    now = clock.now()
    if not write.findable:
        again = _repeatable(write, unclear, now) or write.connection.capabilities.unresolved == "resend"
        return progress if again else Unwritten(progress, Failure.UNRESOLVED, _UNTOLD)
    finding = await _search(write, progress, unclear, now)
    if not isinstance(finding, Finding):
        return finding
    if not isinstance(finding, Absent):
        return _untold(write, progress, finding, unclear, now)
    progress = grown(progress, unclear_since=None)
    if progress.failures and _too_late(write, progress, now):
        return Unwritten(progress, Failure.UNAVAILABLE, _given_up(write))
    return progress


async def _search(write: Write[T], progress: Progress, unclear: datetime, now: datetime) -> Outcome[T] | Finding:
    """Ask once whether the attempt took effect, when the helpdesk has had the time to show it."""
    settle = write.connection.limits.settle_seconds
    if settle and (early := settle - since(now, unclear)) > 0:
        return Waiting(progress, early)
    try:
        finding = await of_provider(write.find(unclear))
    except Exception as error:  # noqa: BLE001 - as in take()
        return _unsearched(write, progress, error, now)
    if isinstance(finding, Found):
        result = write.found(finding)
        return Inconclusive() if result is None else Written(result)
    return finding


def _unsearched(
    write: Write[T], progress: Progress, error: Exception, now: datetime
) -> Waiting | Unwritten | Inconclusive:
    """Say what an error of a look-up means; most of them tell nothing."""
    match classify(error):
        case Failure.CLOSED as failure if write.in_session:
            return Unwritten(progress, failure, describe(error))
        case Failure.NOT_ALLOWED if write.holds:
            return _held(progress, describe(error), now)
        case Failure.UNAVAILABLE:
            return _Unreachable(retry_after=asked_wait(error))
        case _:
            return Inconclusive()


def _untold(
    write: Write[T], progress: Progress, finding: Finding, unclear: datetime, now: datetime
) -> Outcome[T] | Progress:
    """Decide what to do while nobody can tell.

    A helpdesk that is down tells nobody: that is waited for as long as for any write. One that answers and cannot tell
    is asked for two minutes.
    """
    unreachable = isinstance(finding, _Unreachable)
    told_to_wait = isinstance(finding, _Unreachable) and finding.retry_after is not None
    if _repeatable(write, unclear, now) and not told_to_wait:
        return progress
    wait = _pause_of(finding, progress)
    if _too_late(write, progress, now, wait):
        return Unwritten(progress, Failure.UNRESOLVED, f"{_UNTOLD} in {write.patience:g} s")
    if not unreachable and since(now, unclear) + wait > _UNCLEAR_PATIENCE:
        if write.connection.capabilities.unresolved == "resend":
            return grown(progress, unclear_since=None)
        return Unwritten(progress, Failure.UNRESOLVED, f"{_UNTOLD} in {_UNCLEAR_PATIENCE:g} s")
    return Waiting(grown(progress, failures=progress.failures + 1), wait)


def _pause_of(finding: Finding, progress: Progress) -> float:
    asked = finding.retry_after if isinstance(finding, Inconclusive) else None
    if isinstance(finding, _Unreachable) and asked is not None:
        return asked
    return max(back_off(progress.failures), min(asked or 0.0, _LONGEST_WAIT))


def _repeatable(write: Write[T], unclear: datetime, now: datetime) -> bool:
    """Whether the helpdesk remembers the attempt's key, so that a repeat is harmless."""
    if not write.keyed:
        return False
    seconds = write.connection.limits.key_seconds
    return seconds is None or since(now, unclear) < seconds


# After an attempt -----------------------------------------------------------------------------------------------------


def _tell(write: Write[T], error: Exception, failures: int) -> None:
    """Log what a provider should never raise, by its kind and once while it goes on."""
    cause = error.__cause__
    if failures or cause is None or isinstance(cause, Exception):
        return
    what = type(cause).__name__
    logger.error("connection %s: the provider raised %s\n%s", write.connection.key, what, frames(cause))


def _judged(
    write: Write[T], progress: Progress, error: Exception, sent_at: datetime, now: datetime
) -> Waiting | Unwritten:
    """Say what an error of an attempt means for the write."""
    failure, detail = classify(error), describe(error)
    if write.harmless and failure is Failure.UNRESOLVED:
        failure = Failure.UNAVAILABLE
    if progress.began_at is None:
        progress = grown(progress, began_at=sent_at)
    match failure:
        case Failure.NOT_ALLOWED if write.holds:
            return _held(progress, detail, now)
        case Failure.UNRESOLVED:
            return _unclear(write, progress, detail, sent_at, now)
        case Failure.UNAVAILABLE:
            asked = asked_wait(error)
            wait = back_off(progress.failures) if asked is None else asked
            if _too_late(write, progress, now, wait):
                return _lost(progress, failure, f"{_given_up(write)}; last: {detail}")
            return Waiting(grown(progress, failures=progress.failures + 1), wait)
        case Failure.CLOSED if write.in_session:
            return Unwritten(progress, failure, detail)
        case _:
            return _lost(progress, failure, detail)


def _unclear(write: Write[T], progress: Progress, detail: str, sent_at: datetime, now: datetime) -> Waiting | Unwritten:
    """Nobody knows whether it took effect: have it looked up, or repeated where that is safe or asked for."""
    unclear = progress.unclear_since or sent_at
    wait = back_off(progress.failures) if progress.failures else 0.0
    progress = grown(progress, unclear_since=unclear, failures=progress.failures + 1)
    if write.findable:
        # At least one look is taken, however long the attempt took.
        return Waiting(progress, max(wait, write.connection.limits.settle_seconds))
    if not (_repeatable(write, unclear, now) or write.connection.capabilities.unresolved == "resend"):
        return Unwritten(progress, Failure.UNRESOLVED, detail)
    if _too_late(write, progress, now, wait):
        return Unwritten(progress, Failure.UNRESOLVED, f"{_UNTOLD} in {write.patience:g} s; last: {detail}")
    return Waiting(progress, wait)


def _lost(progress: Progress, failure: Failure, detail: str) -> Unwritten:
    """It failed for good; where it was a repeat, nobody knows what came of the attempt before (guarantee 7)."""
    hold = Hold(detail) if failure is Failure.NOT_ALLOWED else None
    if progress.unclear_since is not None:
        return Unwritten(progress, Failure.UNRESOLVED, f"{_UNTOLD}; the repeat: {detail}", hold)
    return Unwritten(progress, failure, detail, hold)


def _held(progress: Progress, detail: str, now: datetime) -> Waiting:
    """Wait for somebody to mend the account; the time until then does not count."""
    return Waiting(grown(progress, began_at=now), _PAUSE, Hold(detail))


def _too_late(write: Write[T], progress: Progress, now: datetime, wait: float = 0.0) -> bool:
    return since(now, progress.began_at) + wait > write.patience


def _given_up(write: Write[T]) -> str:
    return f"given up after {write.patience:g} s, nothing was done"
