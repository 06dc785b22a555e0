"""Business hours: when somebody is there, by the clock on their wall (behaviour F31)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from hitl_core.bridge.policy.names import Configured, near

__all__ = ["BusinessHours"]

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_RANGE: Final = re.compile(r"(\d{1,2}):(\d{2})\s*[-\u2013]\s*(\d{1,2}):(\d{2})")
_DAY: Final = 24 * 60
_WEEK: Final = 7
_SPARE_WEEKS: Final = 8
"""A weekly range may lie in an hour that a clock skips: not in that many weeks on end."""


class _Range(NamedTuple):
    """Minutes since midnight; an end up to a day and more later is on the next day."""

    start: int
    end: int


def _ranges(value: object) -> tuple[str, ...]:
    """Read one range or several, and write them in one form.

    :raises ValueError: one is none, or two overlap.
    """
    given = (value,) if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        msg = 'opening hours are a list of ranges such as "09:00-17:30"'
        raise ValueError(msg)
    ranges = sorted(_minutes(one) for one in given)
    if any(before.end > after.start for before, after in pairwise(ranges)):
        msg = "two ranges of a day overlap"
        raise ValueError(msg)
    return tuple(f"{_clock(one.start)}-{_clock(one.end if one.end <= _DAY else one.end - _DAY)}" for one in ranges)


@lru_cache(maxsize=512)
def _minutes(text: str) -> _Range:
    match = _RANGE.fullmatch(text.strip())
    if match:
        numbers = [int(number) for number in match.groups()]
        start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
        if max(numbers[1], numbers[3]) < 60 and start < _DAY and end <= _DAY:
            if start == end:
                msg = 'a range ends when it begins; the whole day is "00:00-24:00"'
                raise ValueError(msg)
            return _Range(start, end if end > start else end + _DAY)
    msg = 'a range is written "09:00-17:30"; to midnight "18:00-24:00", over it "22:00-02:00"'
    raise ValueError(msg)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


_Days = Annotated[tuple[date, ...], AfterValidator(lambda days: tuple(sorted(set(days))))]
_Ranges = Annotated[tuple[str, ...], BeforeValidator(_ranges)]


class BusinessHours(Configured):
    """When somebody is there: ranges of local time, each on the day it begins on.

        BusinessHours(
            timezone="Europe/Zurich", weekly={"mon-fri": ["08:00-12:00", "13:00-17:30"]}, holidays=["2026-08-01"]
        )

    A range is one stretch of time: on the night the clocks go back, "22:00-02:30" lasts until 02:30 comes for the
    second time. A time that the clocks skip is the moment they do.

    :param timezone: IANA name, such as ``Europe/Zurich``.
    :param weekly: ranges by day, ``mon`` to ``sun``, or by several, as in ``mon-fri``; a day that is missing is closed.
    :param holidays: days on which no range begins.
    :param extra: ranges of single days, instead of the weekly ones.
    """

    timezone: str
    weekly: dict[str, _Ranges] = Field(default_factory=dict)
    holidays: _Days = ()
    extra: dict[date, _Ranges] = Field(default_factory=dict)

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError):  # not there; a folder of names; no name at all
            known = sorted(available_timezones())
            hint = near(value, known) if known else "this machine knows none: install the package tzdata"
            msg = f"unknown time zone, {hint}"
            raise ValueError(msg) from None
        return value

    @field_validator("weekly", mode="before")
    @classmethod
    def _days(cls, value: Any) -> Any:
        """Write out "mon-fri", and put the days in order."""
        if not isinstance(value, Mapping):
            return value
        days: dict[str, Any] = {}
        for name, ranges in value.items():
            for day in _days_of(str(name)):
                if day in days:
                    msg = f"{day} is given twice"
                    raise ValueError(msg)
                days[day] = ranges
        return {day: days[day] for day in WEEKDAYS if day in days}

    @model_validator(mode="after")
    def _one_rule_a_day(self) -> BusinessHours:
        both = sorted(self.extra.keys() & set(self.holidays))
        if both:
            msg = f"{both[0]} is a holiday and has extra hours; give one of them"
            raise ValueError(msg)
        return self

    def is_open(self, now: datetime) -> bool:
        """Whether somebody is there.

        :raises ValueError: ``now`` has no time zone.
        """
        here = self._here(now).date()
        days = (here - timedelta(days=1), here)
        return any(opens <= now < closes for day in days for opens, closes in self._stretches(day))

    def next_opening(self, now: datetime) -> datetime | None:
        """Return when somebody is there next: ``now`` when somebody is, ``None`` when nobody ever will be.

        In the time zone of the hours.

        :raises ValueError: ``now`` has no time zone.
        """
        here = self._here(now)
        if self.is_open(now):
            return here
        opening = next(
            (opens for day in self._days_from(here.date()) for opens, _ in self._stretches(day) if opens > now), None
        )
        return opening.astimezone(self.zone) if opening else None

    @property
    def zone(self) -> ZoneInfo:
        """The time zone; equal names share one."""
        return ZoneInfo(self.timezone)

    def _here(self, now: datetime) -> datetime:
        if now.tzinfo is None:
            msg = "a time without a time zone may be any time; give it one, such as datetime.now(UTC)"
            raise ValueError(msg)
        return now.astimezone(self.zone)

    def _days_from(self, first: date) -> Iterator[date]:
        """Return the days on which it may open next, in order."""
        weeks = (1 + len(self.holidays) + len(self.extra) + _SPARE_WEEKS) if any(self.weekly.values()) else 0
        near_by = [first + timedelta(days=number) for number in range(-1, weeks * _WEEK)]
        yield from near_by
        yield from sorted(day for day in self.extra if day > near_by[-1])

    def _stretches(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """Return the stretches of time that begin on a day, in UTC, in order."""
        if day in self.holidays:
            return
        for text in self.extra.get(day, self.weekly.get(WEEKDAYS[day.weekday()], ())):
            start, end = _minutes(text)
            midnight = datetime.combine(day, time())
            opens = _moment(midnight + timedelta(minutes=start), self.zone, last=False)
            closes = _moment(midnight + timedelta(minutes=end), self.zone, last=True)
            if opens < closes:
                yield opens, closes


def _days_of(name: str) -> tuple[str, ...]:
    """Return the days that are meant by ``mon`` or ``mon-fri``.

    :raises ValueError: it is none.
    """
    first, dash, last = (part.strip().lower() for part in name.partition("-"))
    for day in (first, last) if dash else (first,):
        if day not in WEEKDAYS:
            msg = f"unknown day, {near(day, WEEKDAYS)}"
            raise ValueError(msg)
    begin = WEEKDAYS.index(first)
    count = (WEEKDAYS.index(last) - begin) % _WEEK + 1 if dash else 1
    return tuple(WEEKDAYS[(begin + number) % _WEEK] for number in range(count))


def _moment(wall: datetime, zone: ZoneInfo, *, last: bool) -> datetime:
    """Return when a clock on the wall shows this time, in UTC.

    :param last: of two such moments, when the clocks go back, the second.
    """
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return second if last else first
    # The clocks skip it: find when they do, between the two readings of it.
    before, after = second, first
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == old else (before, middle)
    return after.replace(microsecond=0)
