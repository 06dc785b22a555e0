"""How long to wait before trying again: what the helpdesk asked for, else an exponential back-off with full jitter."""

from __future__ import annotations

import math
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from hitl_core._http.messages import HttpResponse
from hitl_core.errors import ConfigurationError

__all__ = ["RetryPolicy", "backoff_is_off", "parse_http_date", "parse_retry_after", "vendor_time", "without_backoff"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long one request is tried (behaviour S244, S286).

    :param attempts: how often at most, the first one included; at least 1.
    :param total: seconds after the first attempt began in which another one may begin.
    :param base: upper bound of the first wait, in seconds; it doubles with each attempt.
    :param cap: upper bound of every wait, in seconds, unless the helpdesk names a longer one.
    :param random: gives numbers from 0 to 1; each wait is that share of its upper bound.
    """

    attempts: int = 4
    total: float = 30.0
    base: float = 0.5
    cap: float = 16.0
    random: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.total, self.base, self.cap) < 0:
            msg = "a retry policy needs at least 1 attempt, and times of 0 or more"
            raise ConfigurationError(msg)

    def backoff(self, attempt: int) -> float:
        """Return the seconds to wait after the ``attempt``-th failure."""
        return self.random() * min(self.cap, self.base * 2.0 ** min(attempt - 1, 32))


_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
# RFC 9110, 5.6.7: the preferred form, the one of RFC 850, the one of C's asctime. Not strptime, which obeys the locale.
_DATES = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
    for form in (
        rf"[a-z]{{3}}, (?P<day>[0-9]{{2}}) (?P<month>[a-z]{{3}}) (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"[a-z]{{6,9}}, (?P<day>[0-9]{{2}})-(?P<month>[a-z]{{3}})-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)


def parse_http_date(value: str, *, now: datetime) -> datetime | None:
    """Read a date of HTTP in any of its three forms (RFC 9110, 5.6.7); ``None`` when it is none.

    :param now: decides the century of a two-digit year: more than 50 years ahead means the past.
    """
    for form in _DATES:
        if not (match := form.fullmatch(value.strip())):
            continue
        part = match.groupdict()
        year = int(part["year"])
        if len(part["year"]) == 2:
            year += now.year // 100 * 100
            year -= 100 if year > now.year + 50 else 0
        try:
            month = _MONTHS.index(part["month"].lower()) + 1
            second = min(int(part["second"]), 59)  # a leap second
            return datetime(year, month, int(part["day"]), int(part["hour"]), int(part["minute"]), second, tzinfo=UTC)
        except ValueError:
            return None
    return None


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """Read ``Retry-After`` as seconds, whole or not, or as a date; what is past is 0, what is garbage ``None``.

    :param now: the helpdesk's time when it answered (its ``Date``), else ours.
    """
    if value is None:
        return None
    text = value.strip()
    if _NUMBER.fullmatch(text):
        seconds = float(text)
        return max(seconds, 0.0) if math.isfinite(seconds) else None
    date = parse_http_date(text, now=now)
    return None if date is None else max((date - now).total_seconds(), 0.0)


def vendor_time(response: HttpResponse) -> datetime:
    """Return when an answer was given by the helpdesk's own clock, if it says so, else by ours."""
    received = response.received_at or datetime.now(UTC)
    return parse_http_date(response.headers.get("date", ""), now=received) or received


_off = 0
_lock = threading.Lock()


def backoff_is_off() -> bool:
    """Say whether waits take no time at present."""
    return _off > 0


@contextmanager
def without_backoff() -> Iterator[None]:
    """Make every wait of every transport of this process take no time.

    A switch of the process, not of the task: fixtures run in another context than the tests that use them, and a
    portal thread in another thread.
    """
    global _off  # noqa: PLW0603 - the one switch
    with _lock:
        _off += 1
    try:
        yield
    finally:
        with _lock:
            _off -= 1
