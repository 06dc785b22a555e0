"""What makes a bridge go: it looks, works, waits until it is wanted, and ends in good order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Final

from hitl_core.bridge.engine.intake import Intake
from hitl_core.bridge.engine.worker import Worker
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.hints import Hints
from hitl_core.bridge.store.inbox import Inbox
from hitl_core.bridge.store.owning import worker_lock
from hitl_core.errors import HitlError, StoreError

__all__ = ["Driver"]

logger = logging.getLogger(__name__)

_LONGEST_PAUSE: Final = 5.0


def _unheard(tenant: str) -> None:
    """Do nothing: another process is told, and none tells us anything."""
    del tenant


class Driver:
    """Drives one tenant's worker and intake.

    :param work: whether this process does any work at all.
    :param drive: whether it does so by itself; otherwise :meth:`settle` does.
    :param poll_seconds: how often to look for what nobody has told us of.
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
        self._work = work
        self._drive = drive
        self._poll_seconds = poll_seconds
        self._locks = contextlib.ExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._running = False

    # Life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin.

        :raises StoreError: another process works on this SQLite file, or the database cannot be reached.
        """
        self._running = True
        if not self._work:
            await self._hints.start(_unheard)  # what is accepted here is done by those who listen
            return
        self._locks.enter_context(worker_lock(self._store, self._tenant))
        try:
            await self._worker.poll()
            if self._drive:
                await self._hints.start(self._hinted)
                self._tasks = [asyncio.create_task(self._take_turns()), asyncio.create_task(self._take_in())]
        except BaseException:
            self._locks.close()
            raise

    async def stop(self, grace: float) -> None:
        """End: nothing new is taken up, what is under way has ``grace`` seconds."""
        if not self._running:
            return
        self._running = False
        self._worker.wake.set()
        try:
            if self._work:
                await self._intake.aclose()
            # Told, not cancelled: what is being written is written to its end.
            _, late = await asyncio.wait(self._tasks, timeout=max(grace, 0.1)) if self._tasks else (set(), set())
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._inbox.drain()
            if self._work:
                await self._worker.stop(grace)
            await self._hints.stop()
        finally:
            self._locks.close()

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
        poll_at = loop.time() + self._poll_seconds
        while self._running:
            self._worker.wake.clear()
            try:
                if loop.time() >= poll_at or self._worker.hinted:
                    self._worker.hinted = False
                    await self._worker.poll()
                    poll_at = loop.time() + self._poll_seconds
                await self._worker.sweep()
                await self._worker.work()
                failures = 0
            except StoreError as error:
                if failures == 0:
                    logger.error("the bridge waits for its database: %s", error)
                failures += 1
                poll_at = loop.time() + min(_LONGEST_PAUSE, 0.1 * 2.0**failures)
                await self._until_ended(poll_at - loop.time())
                continue
            await self._until_wanted(poll_at - loop.time())

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
        end = asyncio.get_running_loop().time() + seconds
        while self._running and (left := end - asyncio.get_running_loop().time()) > 0:
            self._worker.wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._worker.wake.wait()

    async def _take_in(self) -> None:
        while self._running:
            await self._intake.work()  # it waits for a lost database by itself
            if self._running:
                await self._intake.wanted(self._poll_seconds)

    async def settle(self) -> None:
        """Do all that can be done now.

        :raises StoreError: the database is lost.
        """
        if not self._work or self._drive:
            msg = "settle() is for a bridge with drive=False, which does nothing by itself"
            raise HitlError(msg)
        await self._worker.poll()
        while True:
            did = await self._worker.work()
            did = await self._intake.work() or did
            if self._worker.busy:
                await self._worker.attempted()
            elif not did:
                return

    async def settle_if_undriven(self) -> None:
        """Do all that can be done now, if nobody else would."""
        if self._work and not self._drive:
            await self.settle()
