"""What makes a bridge go: it looks, works, waits until it is wanted, and ends in good order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Final, Literal

from hitl_core.bridge.engine.classify import frames
from hitl_core.bridge.engine.intake import Intake
from hitl_core.bridge.engine.worker import Worker
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.hints import Hints
from hitl_core.bridge.store.inbox import Inbox
from hitl_core.bridge.store.news import News
from hitl_core.bridge.store.owning import worker_lock
from hitl_core.errors import HitlError, StoreError

__all__ = ["Driver", "pause_after"]

logger = logging.getLogger(__name__)

_LONGEST_PAUSE: Final = 5.0
_AGAIN: Final = 0.05  # seconds until the next look, when the last one has not found all there is
_REST: Final = 3.0  # times as long as following a hint took, no other is followed: many come when much is to be done


def pause_after(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return min(_LONGEST_PAUSE, 0.1 * 2.0 ** min(failures, 10))


def _tell(error: Exception, failures: int) -> None:
    """Log what went wrong: once while it goes on."""
    if failures > 1:
        return
    if isinstance(error, StoreError):
        logger.error("the bridge waits for its database: %s", error)
    else:  # without its own words: they may quote a customer
        logger.error("the bridge stumbled over %s and tries again\n%s", type(error).__name__, frames(error))


def _unheard(tenant: str) -> None:
    """Do nothing: another process is told, and none tells us anything."""
    del tenant


class Driver:
    """Drives one tenant's worker and intake.

    :param work: whether this process does any work at all.
    :param drive: whether it does so by itself; otherwise :meth:`settle` does.
    :param poll_seconds: how often to ask whether there is anything that nobody has told us of.
    """

    def __init__(
        self,
        store: Store,
        tenant: str,
        *,
        worker: Worker,
        intake: Intake,
        inbox: Inbox,
        hints: Hints,
        work: bool,
        drive: bool,
        poll_seconds: float,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._worker = worker
        self._intake = intake
        self._inbox = inbox
        self._hints = hints
        self._news = News(store, hints)
        self._unseen = False
        self._work = work
        self._drive = drive
        self._poll_seconds = poll_seconds
        self._locks = contextlib.ExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._running = False
        self._ending = asyncio.Event()
        self._state: Literal["new", "open", "closed"] = "new"

    # Life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin.

        :raises StoreError: another process works on this SQLite file, or the database cannot be reached.
        :raises HitlError: it was begun before.
        """
        if self._running or self._ending.is_set():
            msg = "a bridge is opened once; make another one on the same store"
            raise HitlError(msg)
        self._running = True
        if not self._work:
            await self._hints.start(_unheard)  # what is accepted here is done by those who listen
            self._state = "open"
            return
        self._locks.enter_context(worker_lock(self._store, self._tenant))
        try:
            await self._worker.poll()
            if self._drive:
                await self._hints.start(self._hinted)
                self._tasks = [asyncio.create_task(self._take_turns()), asyncio.create_task(self._take_in())]
        except BaseException:
            self._running = False
            self._locks.close()
            raise
        self._state = "open"

    def require_open(self) -> None:
        """Refuse to go on unless it has begun and not ended; while it ends, what is under way may still ask.

        :raises HitlError: says what to do.
        """
        if self._state == "new":
            msg = "the bridge is not open: use it with `async with`"
            raise HitlError(msg)
        if self._state == "closed":
            msg = "the bridge is closed: make another one on the same store"
            raise HitlError(msg)

    async def stop(self, grace: float) -> None:
        """End: nothing new is taken up, what is under way has ``grace`` seconds."""
        try:
            if self._running:
                await self._stop(grace)
        finally:
            if self._state == "open":
                self._state = "closed"

    async def _stop(self, grace: float) -> None:
        self._running = False
        self._ending.set()
        self._worker.close()
        self._worker.wake.set()
        with self._locks:  # the next worker may begin when nothing of this one goes on
            try:
                if self._work:
                    await self._intake.aclose()
                if self._tasks:  # told, not cancelled: what is being written is written to its end
                    await asyncio.wait(self._tasks, timeout=max(grace, 0.1))
                await self._end_tasks()
                await self._inbox.drain()
                if self._work:
                    await self._worker.stop(grace)
            finally:  # also when something above failed, or whoever waits for it was cancelled
                await self._end_tasks()
                await self._worker.abandon()
                await self._hints.stop()
                self._news.close()

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Being wanted ---------------------------------------------------------------------------------------------

    def touched(self, ids: Iterable[str]) -> None:
        """Note that something happened to conversations."""
        if self._work:
            self._worker.touch(ids)
        self._hints.notify(self._tenant)

    def _hinted(self, tenant: str) -> None:
        """Look at once instead of at the next poll: another process has accepted something."""
        if tenant == self._tenant:
            self._worker.hinted = True
            self._worker.wake.set()

    # Going ----------------------------------------------------------------------------------------------------

    async def _take_turns(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        poll_at = loop.time() + (_AGAIN if self._worker.more else self._poll_seconds)
        glance_at = 0.0
        while self._running:
            self._worker.wake.clear()
            try:
                now = loop.time()
                if now >= poll_at:
                    await self._look()
                    poll_at = loop.time() + (_AGAIN if self._worker.more else self._poll_seconds)
                elif self._worker.hinted and now >= glance_at:
                    await self._glance()
                    glance_at = loop.time() + _REST * (loop.time() - now)
                    if self._worker.more:
                        poll_at = loop.time() + _AGAIN
                await self._worker.sweep()
                # One at a time: however much there is to do, others have to hear that we live.
                did = await self._worker.turn()
                failures = 0
            except Exception as error:  # noqa: BLE001 - this goes on as long as the bridge is open
                failures += 1
                _tell(error, failures)
                await self._until_ended(pause_after(failures))
                poll_at = loop.time()
                continue
            if not did:
                look_at = min(poll_at, glance_at) if self._worker.hinted else poll_at
                await self._until_wanted(look_at - loop.time())

    async def _look(self) -> None:
        """Look at what is stored, if it may have changed or others wait for a sign of us."""
        worker = self._worker
        self._unseen |= await self._news.any()
        self._unseen |= await worker.beat()
        if self._unseen or worker.hinted or worker.more or worker.is_to_look:
            self._unseen, worker.hinted = True, False  # should looking fail, it is not forgotten
            await worker.poll()
            self._unseen = False
        else:
            self._intake.tick()

    async def _glance(self) -> None:
        """Look for what another process gave a hint of."""
        self._unseen, self._worker.hinted = True, False
        await self._worker.glance()
        self._unseen = False

    async def _until_wanted(self, seconds: float) -> None:
        due = self._worker.next_at()
        if due is not None:
            seconds = min(seconds, (due - self._store.clock.now()).total_seconds())
        if seconds > 0 and self._running:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._worker.wake.wait()

    async def _until_ended(self, seconds: float) -> None:
        """Wait, whatever is wanted meanwhile: the database is not asked more often than this."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()

    async def _take_in(self) -> None:
        failures = 0
        while self._running:
            try:
                await self._intake.work()  # it waits for a lost database by itself
                failures = 0
            except Exception as error:  # noqa: BLE001 - as in _take_turns
                failures += 1
                _tell(error, failures)
                await self._until_ended(pause_after(failures))
            else:
                if self._running:
                    await self._intake.wanted()

    async def settle(self) -> None:
        """Do all that can be done now.

        :raises StoreError: the database is lost.
        :raises HitlError: it goes by itself, or is not open.
        """
        if not self._work or self._drive:
            msg = "settle() is for a bridge with drive=False, which does nothing by itself"
            raise HitlError(msg)
        self.require_open()
        await self._worker.poll()
        while True:
            did = await self._worker.work()
            did = await self._intake.work() or did
            if self._worker.busy:
                await self._worker.attempted()
            elif self._worker.more:
                await self._worker.poll()
            elif not did:
                return

    async def settle_if_undriven(self) -> None:
        """Do all that can be done now, if nobody else would."""
        if self._work and not self._drive:
            await self.settle()
