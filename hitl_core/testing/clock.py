"""Tests that take no time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from hitl_core._http.waits import without_backoff

__all__ = ["ShiftedClock", "VirtualClock", "no_backoff"]


@contextmanager
def no_backoff() -> Iterator[None]:
    """Make the transport's waits take no time, in the whole process; attempts are counted and bounded as ever.

    As a fixture::

        @pytest.fixture(autouse=True)
        def fast():
            with no_backoff():
                yield
    """
    with without_backoff():
        yield


class VirtualClock:
    """A clock that moves when told to, or when somebody sleeps.

    :param start: time of day at the beginning, aware.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)) -> None:
        self._start = start.astimezone(UTC)
        self._elapsed = 0.0
        self.waits: list[float] = []
        """Every sleep asked for, in seconds."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return the seconds this clock has moved."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let time pass.

        :raises ValueError: ``seconds`` is negative; time does not go back.
        """
        if seconds < 0:
            msg = f"a clock cannot go back by {-seconds} s"
            raise ValueError(msg)
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        """Note the wait, let it have passed, and give other tasks their turn."""
        self.waits.append(seconds)
        self.advance(max(seconds, 0.0))
        await asyncio.sleep(0)


class ShiftedClock:
    """The machine's clock, which can be moved ahead: for a simulator somebody works with."""

    def __init__(self) -> None:
        self._shift = 0.0
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        return datetime.now(UTC) + timedelta(seconds=self._shift)

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start."""
        return time.monotonic() + self._shift

    def advance(self, seconds: float) -> None:
        """Move ahead; who sleeps until then wakes.

        :raises ValueError: ``seconds`` is negative.
        """
        if seconds < 0:
            msg = f"a clock cannot go back by {-seconds} s"
            raise ValueError(msg)
        self._shift += seconds
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def sleep(self, seconds: float) -> None:
        """Wait for that long, or until the clock was moved as far."""
        end = self.monotonic() + seconds
        while (left := end - self.monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._moved.wait()
