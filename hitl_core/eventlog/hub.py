"""Who waits for what in this process: wake-ups after commits, a slow look for other processes' commits, transients."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from hitl_core.clock import Clock
from hitl_core.errors import HitlError

__all__ = ["Hub", "Subscription", "Transient"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Transient:
    """A message that is shown and forgotten."""

    type: str
    json: str


class Subscription:
    """One waiting reader. Call :meth:`clear` before reading the database, so that no wake-up falls in between."""

    def __init__(self, clock: Clock, buffer: int) -> None:
        self._clock = clock
        self._changed = asyncio.Event()
        self.transients: deque[Transient] = deque(maxlen=buffer)

    def wake(self) -> None:
        """End the current or the next wait."""
        self._changed.set()

    def clear(self) -> None:
        """Forget wake-ups so far."""
        self._changed.clear()

    async def wait(self, seconds: float) -> None:
        """Wait for a wake-up, but no longer than so many seconds."""
        if self._changed.is_set():
            return
        tasks = (
            asyncio.ensure_future(self._changed.wait()),
            asyncio.ensure_future(self._clock.sleep(seconds)),
        )
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Hub:
    """Wakes subscriptions of one process.

    One task looks for what other processes appended, for all readers together, and only while there are readers: a
    hundred open pages cost one query a second.

    :param positions: reads the positions of the named streams.
    :param poll: seconds between looks.
    """

    def __init__(
        self,
        positions: Callable[[Collection[str]], Awaitable[Mapping[str, int]]],
        *,
        clock: Clock,
        poll: float,
    ) -> None:
        self._positions = positions
        self._clock = clock
        self._poll = poll
        self._of_stream: dict[str, set[Subscription]] = {}
        self._of_all: set[Subscription] = set()
        self._poller: asyncio.Task[None] | None = None
        self.closed = False

    @contextmanager
    def subscribe(self, stream: str | None, *, buffer: int = 0) -> Iterator[Subscription]:
        """Subscribe to a stream, or, with None, to every :meth:`notify` of this process.

        :param buffer: transient messages kept; 0 means none are wanted.
        """
        subscription = Subscription(self._clock, buffer)
        if self.closed:
            subscription.wake()
        if stream is None:
            self._of_all.add(subscription)
            try:
                yield subscription
            finally:
                self._of_all.discard(subscription)
            return
        group = self._of_stream.setdefault(stream, set())
        group.add(subscription)
        if not self.closed and (self._poller is None or self._poller.done()):
            self._poller = asyncio.create_task(self._look())
        try:
            yield subscription
        finally:
            group.discard(subscription)
            if not group and self._of_stream.get(stream) is group:
                del self._of_stream[stream]

    def notify(self, *streams: str) -> None:
        """Wake the streams' subscriptions, or, without names, everyone's."""
        for subscription in self._of_all:
            subscription.wake()
        for stream in streams or tuple(self._of_stream):
            for subscription in self._of_stream.get(stream, ()):
                subscription.wake()

    def publish(self, stream: str, message: Transient) -> int:
        """Hand a transient message to the stream's subscriptions that want them; say to how many."""
        reached = 0
        for subscription in self._of_stream.get(stream, ()):
            if subscription.transients.maxlen:
                subscription.transients.append(message)
                subscription.wake()
                reached += 1
        return reached

    async def close(self) -> None:
        """Wake everyone for the last time."""
        self.closed = True
        self.notify()
        poller, self._poller = self._poller, None
        if poller is not None:
            poller.cancel()
            await asyncio.gather(poller, return_exceptions=True)

    async def _look(self) -> None:
        seen: dict[str, int] = {}
        while self._of_stream:
            await self._clock.sleep(self._poll)
            watched = tuple(self._of_stream)
            try:
                positions = await self._positions(watched)
            except (SQLAlchemyError, HitlError, OSError) as error:
                logger.warning("cannot look for new events (%s); trying again", type(error).__name__)
                continue
            # A stream seen for the first time wakes its readers once: an event may have come just before.
            current = {stream: positions.get(stream, 0) for stream in watched}
            moved = [stream for stream in watched if seen.get(stream) != current[stream]]
            seen = current
            if moved:
                for stream in moved:
                    for subscription in self._of_stream.get(stream, ()):
                        subscription.wake()
