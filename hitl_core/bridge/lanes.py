"""Effects one after the other."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["Lane", "Tasks"]


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...


logger = logging.getLogger(__name__)

EffectT = TypeVar("EffectT", bound=_Keyed)


class Tasks:
    """The tasks of a bridge: work that ends by itself, and waiting that does not."""

    def __init__(self) -> None:
        self.closed = False
        self._work: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()

    def work(self, job: Coroutine[Any, Any, None]) -> None:
        """Run a job that :meth:`settle` waits for."""
        self._spawn(job, self._work)

    def wait(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        """Run a job that only waits for its time, such as a timer."""
        return self._spawn(job, self._waiting)

    def _spawn(self, job: Coroutine[Any, Any, None], group: set[asyncio.Task[None]]) -> asyncio.Task[None] | None:
        if self.closed:
            job.close()
            return None
        task = asyncio.get_running_loop().create_task(job)
        group.add(task)
        task.add_done_callback(group.discard)
        return task

    async def settle(self) -> None:
        """Return once there is no work left."""
        while self._work:
            await asyncio.wait(set(self._work))

    async def aclose(self, grace: float) -> None:
        """Let work end for up to ``grace`` seconds, then end everything."""
        for task in self._waiting:
            task.cancel()
        if self._work and grace > 0:
            await asyncio.wait(set(self._work), timeout=grace)
        self.closed = True
        rest = self._work | self._waiting
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


class Lane(Generic[EffectT]):
    """Carries effects out in order, one at a time.

    :param run: carries one out, repeating it as needed; raises nothing.
    """

    def __init__(self, run: Callable[[EffectT], Awaitable[None]], tasks: Tasks) -> None:
        self._run = run
        self._tasks = tasks
        self._queue: deque[EffectT] = deque()
        self._running: str | None = None
        self._cancelled: set[str] = set()

    @property
    def idle(self) -> bool:
        """Whether nothing is left to be done."""
        return self._running is None and not self._queue

    def put(self, effects: Iterable[EffectT]) -> None:
        """Add effects at the end."""
        idle = self.idle
        self._queue.extend(effects)
        if idle and self._queue:
            self._tasks.work(self._work())

    def cancel(self, keys: Iterable[str]) -> list[str]:
        """Do not begin these any more, and say which will not be begun.

        One that is being carried out learns it from :meth:`is_cancelled`.
        """
        gone = set(keys)
        dropped = [effect.key for effect in self._queue if effect.key in gone]
        self._queue = deque(effect for effect in self._queue if effect.key not in gone)
        if self._running in gone:
            self._cancelled.add(self._running)
        return dropped

    def is_cancelled(self, key: str) -> bool:
        """Whether nobody wants this one any more."""
        return key in self._cancelled

    async def _work(self) -> None:
        while self._queue:
            effect = self._queue.popleft()
            self._running = effect.key
            try:
                await self._run(effect)
            except Exception:
                # Nothing may stop a lane for good; whoever runs an effect has dealt with all that can be expected.
                logger.exception("effect %s was given up", effect.key)
            finally:
                self._cancelled.discard(effect.key)
                self._running = None
