"""Staying under the vendor's rate limit (behaviour F38): slow down before being refused."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from hitl_core._http.messages import HttpResponse
from hitl_core._http.waits import vendor_time
from hitl_core.clock import Clock, SystemClock

__all__ = ["ACCOUNT", "Budget", "LimitsParser", "MemoryBudget", "RateObservation", "common_limits"]

ACCOUNT = "account"
"""The scope every request of an account counts in."""

_LOW_SHARE = 0.2
_LOW_COUNT = 5
# Two answers speak of the same window when its ends are this near: vendors round to whole seconds.
_SAME_WINDOW = 1.5
# Waits shorter than a clock can tell apart from none.
_NO_WAIT = 0.001
_MANY_SCOPES = 1024


class RateObservation(NamedTuple):
    """What one answer says of one limit.

    :param scope: what is limited: :data:`ACCOUNT`, or a name of the provider's such as ``"ticket:17"``.
    :param limit: requests per window.
    :param remaining: how many are left in this window.
    :param reset_after: seconds until the next window, when known.
    """

    scope: str
    limit: float | None
    remaining: float | None
    reset_after: float | None


LimitsParser = Callable[[HttpResponse], Iterable[RateObservation]]


class Budget(Protocol):
    """The allowance of one account. Replicas that share an account share this."""

    async def reserve(self, scope: str, cost: float = 1) -> float:
        """Ask to send now.

        :param cost: how much the request counts.
        :returns: 0 to go ahead, the request being counted; else the seconds after which to ask again, nothing being
            counted until then.
        """
        ...

    def observe(
        self, scope: str, limit: float | None, remaining: float | None, reset_after: float | None
    ) -> Awaitable[None] | None:
        """Learn from an answer; a coroutine is awaited."""
        ...

    def penalise(self, scope: str, retry_after: float) -> Awaitable[None] | None:
        """Send nothing for so many seconds; only ever moves the time forward. A coroutine is awaited."""
        ...


@dataclass(slots=True)
class _Window:
    limit: float | None = None
    remaining: float | None = None
    resets_at: float | None = None
    next_at: float = -math.inf
    blocked_until: float = -math.inf


class MemoryBudget:
    """The allowance of one account in this process.

    Full speed while plenty is left. When a fifth or fewer than five requests are left they are spread over the rest of
    the window; when none is left the next window is awaited. Without a known end of the window, they are paced at the
    limit's own average.

    :param assumed_window: seconds a window lasts where the vendor does not say, as with "per minute" limits.
    """

    def __init__(self, clock: Clock | None = None, *, assumed_window: float = 60.0) -> None:
        self._clock = clock or SystemClock()
        self._assumed_window = assumed_window
        self._windows: dict[str, _Window] = {}

    async def reserve(self, scope: str, cost: float = 1) -> float:
        """Ask to send now; see :meth:`Budget.reserve`."""
        window = self._windows.get(scope)
        if window is None:
            return 0.0
        now = self._clock.monotonic()
        if window.resets_at is not None and now >= window.resets_at:
            window.remaining, window.resets_at, window.next_at = window.limit, None, -math.inf
        wait = max(self._free_at(window, cost), window.blocked_until) - now
        if wait >= _NO_WAIT:
            return wait
        if window.remaining is not None:
            if self._is_low(window):
                window.next_at = now + self._spacing(window, now) * cost
            window.remaining = max(window.remaining - cost, 0.0)
        return 0.0

    def observe(self, scope: str, limit: float | None, remaining: float | None, reset_after: float | None) -> None:
        """Learn from an answer; within one window the allowance never grows, for answers overtake one another."""
        if limit is None and remaining is None:
            return
        now = self._clock.monotonic()
        window = self._window(scope, now)
        resets_at = None if reset_after is None else now + max(reset_after, 0.0)
        same = (
            resets_at is not None and window.resets_at is not None and abs(resets_at - window.resets_at) <= _SAME_WINDOW
        )
        window.limit = limit if limit is not None else window.limit
        if remaining is not None:
            known = window.remaining
            window.remaining = max(min(remaining, known) if same and known is not None else remaining, 0.0)
        if not same:
            window.resets_at = resets_at
            window.next_at = window.next_at if resets_at is None else -math.inf
        if resets_at is None and window.remaining is not None and window.remaining < 1:
            window.next_at = max(window.next_at, now + self._spacing(window, now))

    def penalise(self, scope: str, retry_after: float) -> None:
        """Send nothing for so many seconds; only ever moves the time forward."""
        now = self._clock.monotonic()
        window = self._window(scope, now)
        window.blocked_until = max(window.blocked_until, now + retry_after)

    def _window(self, scope: str, now: float) -> _Window:
        window = self._windows.get(scope)
        if window is None:
            if len(self._windows) >= _MANY_SCOPES:  # scopes may be tickets, and tickets do not end
                self._windows = {name: w for name, w in self._windows.items() if self._is_alive(w, now)}
            window = self._windows[scope] = _Window()
        return window

    def _is_alive(self, window: _Window, now: float) -> bool:
        ends = window.resets_at if window.resets_at is not None else window.next_at
        return max(ends, window.blocked_until) > now

    def _free_at(self, window: _Window, cost: float) -> float:
        if window.remaining is None:
            return -math.inf
        if window.resets_at is None:
            return window.next_at if self._is_low(window) else -math.inf
        if window.remaining < cost:
            return window.resets_at
        return min(window.next_at, window.resets_at) if self._is_low(window) else -math.inf

    def _is_low(self, window: _Window) -> bool:
        left = window.remaining
        return left is not None and (
            left < _LOW_COUNT or (window.limit is not None and left < window.limit * _LOW_SHARE)
        )

    def _spacing(self, window: _Window, now: float) -> float:
        if window.resets_at is None:
            return self._assumed_window / max(window.limit or _LOW_COUNT, 1.0)
        return (window.resets_at - now) / max(window.remaining or 0.0, 1.0)


# Prefixes in use, and what follows them: IETF drafts and Zendesk; Intercom, GitHub, Freshdesk; Zendesk's older ones.
_FAMILIES = tuple(
    (
        tuple(f"{prefix}{name}" for name in ("-limit", "-total", "")),
        f"{prefix}-remaining",
        f"{prefix}-reset",
    )
    for prefix in ("ratelimit", "x-ratelimit", "x-rate-limit", "rate-limit")
)
# Seconds since 1970 are larger than any window; milliseconds larger still.
_EPOCH = 1e9
_EPOCH_MILLISECONDS = 1e11


def common_limits(response: HttpResponse) -> list[RateObservation]:
    """Read the usual headers: ``RateLimit-*``, ``X-RateLimit-*``, ``X-Rate-Limit-*``, for the whole account.

    The reset may be in seconds, or a time in Unix seconds or milliseconds, which is compared with the answer's
    ``Date``, so that a wrong clock on our side does no harm. Families that contradict each other: the tightest counts.
    """
    headers = response.headers
    best: RateObservation | None = None
    for limits, remaining_name, reset_name in _FAMILIES:
        remaining = _number(headers.get(remaining_name))
        if remaining is None:
            continue
        limit = next((n for name in limits if (n := _number(headers.get(name))) is not None), None)
        seen = RateObservation(ACCOUNT, limit, remaining, _reset_after(headers.get(reset_name), response))
        if best is None or _tighter(seen, best):
            best = seen
    return [] if best is None else [best]


def _tighter(one: RateObservation, other: RateObservation) -> bool:
    # Zendesk sends two families for one limit, only one of which knows the reset.
    if one.remaining != other.remaining:
        return (one.remaining or 0) < (other.remaining or 0)
    return other.reset_after is None and one.reset_after is not None


def _number(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        number = float(value.partition(",")[0].partition(";")[0])
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _reset_after(value: str | None, response: HttpResponse) -> float | None:
    seconds = _number(value)
    if seconds is None or seconds < _EPOCH:
        return seconds
    if seconds >= _EPOCH_MILLISECONDS:
        seconds /= 1000.0
    return max(seconds - vendor_time(response).timestamp(), 0.0)
