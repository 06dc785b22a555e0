"""Regular expressions that cannot take long, whatever a customer writes.

Python's engine tries one way to match after another, and some patterns have more ways than there are seconds in a
life: ``(a+)+b`` doubles them with each letter. Customers' words meet these patterns in the midst of a hand-off, so a
pattern is taken only if the number of its ways, over a text of bounded length, is small. That number is counted from
the pattern's own parts, which is why only the plain ones are known here: no look-around, no reference to a group.
"""

from __future__ import annotations

import re
import warnings
from typing import Final, NamedTuple

__all__ = ["LONGEST", "compile_bounded"]

LONGEST: Final = 100
"""Characters of a text a pattern is held against at most, and of a pattern itself."""
_MOST_STEPS: Final = 10_000_000
"""Enough for ``.*`` twice and a few choices besides; counted from above, so that the worst takes tenths of a second."""
_REPEAT: Final = re.compile(r"(?!\{\})(?:([*+?])|\{(\d*)(,?)(\d*)\})[?+]?")
_GROUPS: Final = "123456789g"


def compile_bounded(pattern: str) -> re.Pattern[str]:
    """Compile a pattern; in any case.

    :raises ValueError: it is broken, too long, or might take too long; does not quote it.
    """
    if len(pattern) > LONGEST:
        msg = f"a regular expression has at most {LONGEST} characters"
        raise ValueError(msg)
    try:
        with warnings.catch_warnings(action="error", category=FutureWarning):
            compiled = re.compile(pattern, re.IGNORECASE)
    except (re.error, FutureWarning, OverflowError, RecursionError) as error:
        place = getattr(error, "pos", None)
        where = f" at character {place + 1}" if place is not None else ""
        msg = f"the regular expression is broken{where}"
        raise ValueError(msg) from None  # re's own words may quote it
    if _Counter(pattern).steps() > _MOST_STEPS:
        msg = (
            "the regular expression could take very long; avoid repeats within repeats, choices within repeats, "
            "and more than two of * and +"
        )
        raise ValueError(msg)
    return compiled


class _Cost(NamedTuple):
    ways: int = 1
    """In how many ways it can be tried."""
    size: int = 1
    """How many steps one of them may have."""

    def bounded(self) -> _Cost:
        return _Cost(min(self.ways, _MOST_STEPS + 1), min(self.size, _MOST_STEPS + 1))


class _Counter:
    """Counts what a pattern costs, from above; the pattern is known to compile."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def steps(self) -> int:
        cost = self._choice()
        return cost.ways * cost.size

    def _choice(self) -> _Cost:
        """Read alternatives, up to the end or the bracket that closes them: their ways add up."""
        cost = self._sequence()
        while self._next("|"):
            other = self._sequence()
            cost = _Cost(cost.ways + other.ways, cost.size + other.size)
        return cost

    def _sequence(self) -> _Cost:
        """Read what follows on one another: ways multiply."""
        cost = _Cost()
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            part = self._repeated(self._atom())
            cost = _Cost(cost.ways * part.ways, cost.size + part.size).bounded()
        return cost

    def _atom(self) -> _Cost:
        if self._next("("):
            if self._next("?") and not self._next(":"):
                msg = "a regular expression may have plain groups only: ( and (?:"
                raise ValueError(msg)
            cost = self._choice()
            self._next(")")
            return cost
        if self._next("["):
            self._next("^")
            self._sign()  # a bracket in the first place does not close
            while self.pattern[self.at] != "]":
                self._sign()
        elif self.pattern[self.at] == "\\" and self.pattern[self.at + 1] in _GROUPS:
            msg = "a regular expression may not refer to its groups"
            raise ValueError(msg)
        self._sign()
        return _Cost()

    def _repeated(self, cost: _Cost) -> _Cost:
        repeat = _REPEAT.match(self.pattern, self.at)
        if repeat is None:
            return cost
        self.at = repeat.end()
        sign, low, comma, high = repeat.groups()
        if sign:
            least, most = {"*": (0, LONGEST), "+": (1, LONGEST), "?": (0, 1)}[sign]
        else:
            least = min(int(low or 0), LONGEST)
            most = max(least, min(int(high or LONGEST), LONGEST)) if comma else least
        # Each number of repeats is a choice of its own, and within it each repeat has its ways.
        ways = sum(cost.ways**times for times in range(least, most + 1))
        return _Cost(ways, cost.size * most).bounded()

    def _sign(self) -> None:
        """Step over one sign, or one that is escaped."""
        self.at += 2 if self.pattern[self.at] == "\\" else 1

    def _next(self, sign: str) -> bool:
        if self.pattern.startswith(sign, self.at):
            self.at += 1
            return True
        return False
