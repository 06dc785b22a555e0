"""Counting attempts, so that guessing is slow."""

from __future__ import annotations

from collections import OrderedDict, deque

from hitl_core.clock import Clock

__all__ = ["RateLimiter"]

_MOST_KEYS = 10_000


class RateLimiter:
    """At most so many attempts per key within a window, counted in this process.

    The number of keys is bounded: the one unused longest is forgotten first.

    :param window: seconds.
    """

    def __init__(self, clock: Clock, limit: int, window: float) -> None:
        self._clock = clock
        self._limit = limit
        self._window = window
        self._attempts: OrderedDict[str, deque[float]] = OrderedDict()

    def attempt(self, key: str) -> float:
        """Count an attempt; return 0 when it is allowed, else the seconds until the next one is."""
        now = self._clock.monotonic()
        attempts = self._attempts.setdefault(key, deque())
        self._attempts.move_to_end(key)
        if len(self._attempts) > _MOST_KEYS:
            self._attempts.popitem(last=False)
        while attempts and attempts[0] <= now - self._window:
            attempts.popleft()
        if len(attempts) >= self._limit:
            return attempts[0] + self._window - now
        attempts.append(now)
        return 0.0

    def forget(self, key: str) -> None:
        """Start a key anew, after a success."""
        self._attempts.pop(key, None)
