"""What one limit of an account allows, as a pure rule: times go in as seconds, waits come out.

It goes at full speed while plenty is left. The last fifth of a window is spread over the rest of it, slot by slot. A
few per cent are left untouched: replicas, other programs and the vendor do not agree about a window to the millisecond.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

__all__ = ["Allowance"]

_LOW_SHARE: Final = 0.2
_LOW_COUNT: Final = 5
_UNTOUCHED_SHARE: Final = 0.03
# Two answers speak of the same window when its ends are this near: vendors round to whole seconds.
_SAME_WINDOW: Final = 1.5
# Waits shorter than a clock can tell apart from none.
_NO_WAIT: Final = 0.001
# Seconds a window is taken to last where the vendor does not say, as with "per minute" limits.
_ASSUMED_WINDOW: Final = 60.0
_LONGEST_BLOCK: Final = 30 * 86_400.0


@dataclass(slots=True)
class Allowance:
    """One limit, in seconds of one clock.

    :param limit: requests per window.
    :param remaining: how many are left, as far as anybody knows; ``None`` when nothing is known to be limited.
    :param resets_at: end of the window, when known.
    :param rolled_at: end of the last window. Until an answer tells the end of this one, what is left is our own count.
    :param next_at: earliest next request, when little is left.
    :param blocked_until: earliest next request, by the vendor's word.
    """

    limit: float | None = None
    remaining: float | None = None
    resets_at: float | None = None
    rolled_at: float | None = None
    next_at: float | None = None
    blocked_until: float | None = None

    def copy(self) -> Allowance:
        """Return another one to try things on."""
        return replace(self)

    def reserve(self, now: float, cost: float) -> float:
        """Count a request if it may go now.

        :returns: 0, or the seconds after which to ask again, nothing being counted.
        """
        self._roll(now)
        wait = max(self._free_at(cost), _or_long_ago(self.blocked_until)) - now
        if wait >= _NO_WAIT:
            return wait
        if self.remaining is not None:
            if self.is_low:
                self.next_at = now + self.spacing(now) * cost
            self.remaining = max(self.remaining - cost, 0.0)
        return 0.0

    def observe(self, now: float, limit: float | None, remaining: float | None, reset_after: float | None) -> None:
        """Learn from an answer. Answers overtake one another, so within a window the allowance never grows."""
        self._roll(now)
        self.limit = limit if limit is not None else self.limit
        if remaining is None:
            return
        remaining = max(remaining, 0.0)
        less = remaining if self.remaining is None else min(remaining, self.remaining)
        if reset_after is None:
            self._observe_without_end(now, remaining, less)
            return
        ends = now + min(max(reset_after, 0.0), _LONGEST_BLOCK)
        if self.resets_at is None:
            if self.rolled_at is None:
                self.remaining, self.resets_at = remaining, ends
            elif ends > self.rolled_at + _SAME_WINDOW:  # else a late answer of the last window
                self.remaining, self.resets_at = less, ends
        elif abs(ends - self.resets_at) <= _SAME_WINDOW:
            self.remaining = less
        elif ends > self.resets_at:
            # No window begins before the last one ends: a late answer, or another limit, which counts if it is tighter.
            if less == remaining:
                self.remaining, self.resets_at = remaining, ends
        elif ends > now + _SAME_WINDOW:  # else a late answer of an earlier window, which would end this one too soon
            self.remaining, self.resets_at, self.next_at = less, ends, None

    def _observe_without_end(self, now: float, remaining: float, less: float) -> None:
        if self.resets_at is not None:
            self.remaining = less
            return
        self.remaining = remaining
        if remaining < 1:
            self.next_at = max(_or_long_ago(self.next_at), now + self.spacing(now))

    def penalise(self, now: float, retry_after: float) -> None:
        """Let nothing go for so many seconds; only ever moves the time forward."""
        until = now + min(max(retry_after, 0.0), _LONGEST_BLOCK)
        self.blocked_until = max(_or_long_ago(self.blocked_until), until)

    @property
    def is_low(self) -> bool:
        """Whether so little is left that it is spread."""
        left = self._usable
        return left is not None and (left < _LOW_COUNT or (self.limit is not None and left < self.limit * _LOW_SHARE))

    def spacing(self, now: float) -> float:
        """Return the seconds between two requests when little is left."""
        if self.resets_at is None:
            return _ASSUMED_WINDOW / max((self.limit or _LOW_COUNT) * (1 - _UNTOUCHED_SHARE), 1.0)
        return max(self.resets_at - now, 0.0) / max(self._usable or 0.0, 1.0)

    @property
    def _usable(self) -> float | None:
        if self.remaining is None:
            return None
        return self.remaining - math.floor((self.limit or 0.0) * _UNTOUCHED_SHARE)

    def _free_at(self, cost: float) -> float:
        left = self._usable
        if left is None:
            return -math.inf
        paced = _or_long_ago(self.next_at) if self.is_low else -math.inf
        if self.resets_at is None:
            return paced
        return self.resets_at if left < cost else min(paced, self.resets_at)

    def _roll(self, now: float) -> None:
        if self.resets_at is not None and now + _NO_WAIT > self.resets_at:  # else those who come now would not count
            self.rolled_at, self.resets_at = self.resets_at, None
            self.remaining, self.next_at = self.limit, None


def _or_long_ago(moment: float | None) -> float:
    return -math.inf if moment is None else moment
