"""Who waits for what becomes of an input, or of a hand-off."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from hitl_core.bridge.engine.turns import Committed, Outcome
from hitl_core.bridge.handoff.records import Handoff, Phase

__all__ = ["Waiters", "Watch"]

_FIRST_LOOK: Final = 0.25  # seconds
_LONGEST_PAUSE: Final = 2.0


class Watch:
    """Waiting for one input, and for the hand-off it began.

    What this process does is told; what another one does has to be looked up, ever more seldom.
    """

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
        patience = _Patience(seconds)
        while self._outcome is None:
            if not await self._told(patience.pause()):
                found = await look()
                if found is not None or patience.over:
                    return found
        return self._outcome

    async def handoff(self, known: Handoff, seconds: float, look: Callable[[], Awaitable[Handoff | None]]) -> Handoff:
        """Return the hand-off once it is not starting any more, or as it is when that takes longer."""
        patience = _Patience(seconds)
        while True:
            known = self._handoffs.pop(known.id, known)
            if known.phase is not Phase.STARTING or patience.over:
                return known
            if not await self._told(patience.pause()):
                known = await look() or known

    async def _told(self, seconds: float) -> bool:
        """Whether there was news before so many seconds had passed."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class _Patience:
    """When to look again, until so many seconds have passed."""

    def __init__(self, seconds: float) -> None:
        self._end = asyncio.get_running_loop().time() + seconds
        self._pause = _FIRST_LOOK / 2

    @property
    def over(self) -> bool:
        """Whether they have passed."""
        return asyncio.get_running_loop().time() >= self._end

    def pause(self) -> float:
        """Return how long to wait for news before the next look."""
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return max(0.0, min(self._pause, self._end - asyncio.get_running_loop().time()))


class Waiters:
    """Everybody who waits in this process."""

    def __init__(self) -> None:
        self._of_input: defaultdict[str, list[Watch]] = defaultdict(list)
        self._of_conversation: defaultdict[str, list[Watch]] = defaultdict(list)

    @contextmanager
    def watch(self, conversation_id: str, key: str) -> Iterator[Watch]:
        """Watch an input of a conversation by its key; begin before it is accepted."""
        watch = Watch()
        places = ((self._of_input, key), (self._of_conversation, conversation_id))
        for watches, name in places:
            watches[name].append(watch)
        try:
            yield watch
        finally:
            for watches, name in places:
                watches[name].remove(watch)
                if not watches[name]:
                    del watches[name]

    def committed(self, done: Committed) -> None:
        """Tell those whom it concerns what a turn has changed."""
        if not self._of_input:
            return
        for outcome in done.outcomes:
            for watch in self._of_input.get(outcome.key, ()):
                watch.decided(outcome)
        for handoff in done.changed:
            for watch in self._of_conversation.get(handoff.conversation_id, ()):
                watch.saw(handoff)
