"""Who waits for what becomes of an input, or of a hand-off."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from hitl_core.bridge.engine.conversation import Outcome
from hitl_core.bridge.engine.turns import Committed
from hitl_core.bridge.handoff.records import Handoff, Phase

__all__ = ["Waiters", "Watch"]

_LOOK_SECONDS: Final = 0.25


class Watch:
    """Waiting for one input, and for the hand-off it began."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._outcome: Outcome | None = None
        self._handoffs: dict[str, Handoff] = {}

    def decided(self, outcome: Outcome) -> None:
        """Take in what became of the input."""
        self._outcome = outcome
        self._changed.set()

    def saw(self, handoff: Handoff) -> None:
        """Take in that a hand-off has changed."""
        self._handoffs[handoff.id] = handoff
        self._changed.set()

    async def outcome(self, seconds: float, look: Callable[[], Awaitable[Outcome | None]]) -> Outcome | None:
        """Return what became of the input; ``None`` when that takes longer.

        :param look: asks the store, since another process may have decided.
        """
        end = asyncio.get_running_loop().time() + seconds
        while self._outcome is None:
            more = await self._another(end)
            if self._outcome is None:
                self._outcome = await look()
            if not more:
                break
        return self._outcome

    async def handoff(self, known: Handoff, seconds: float, look: Callable[[], Awaitable[Handoff | None]]) -> Handoff:
        """Return the hand-off once it is not starting any more, or as it is when that takes longer."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            known = self._handoffs.get(known.id, known)
            if known.phase is not Phase.STARTING:
                return known
            more = await self._another(end)
            if known.id not in self._handoffs or not more:
                known = await look() or known
            if not more:
                return known

    async def _another(self, end: float) -> bool:
        """Wait for news, but not for long: what another process does is no news here."""
        left = end - asyncio.get_running_loop().time()
        if left <= 0:
            return False
        try:
            async with asyncio.timeout(min(left, _LOOK_SECONDS)):
                await self._changed.wait()
        except TimeoutError:
            return True
        self._changed.clear()
        return True


class Waiters:
    """Everybody who waits in this process."""

    def __init__(self) -> None:
        self._watches: defaultdict[str, list[Watch]] = defaultdict(list)

    @contextmanager
    def watch(self, key: str) -> Iterator[Watch]:
        """Watch an input by its key; begin before it is accepted."""
        watch = Watch()
        self._watches[key].append(watch)
        try:
            yield watch
        finally:
            self._watches[key].remove(watch)
            if not self._watches[key]:
                del self._watches[key]

    def committed(self, done: Committed) -> None:
        """Tell everybody what a turn has changed."""
        if not self._watches:
            return
        for outcome in done.outcomes:
            for watch in self._watches.get(outcome.key, ()):
                watch.decided(outcome)
        for handoff in done.changed:
            for watches in self._watches.values():
                for watch in watches:
                    watch.saw(handoff)
