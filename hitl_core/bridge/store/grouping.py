"""One transaction for everybody who is waiting: a commit costs the same for one row and for a hundred."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ["Grouped"]

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")


class Grouped(Generic[JobT, ResultT]):
    """Collects what arrives while a transaction is under way, and does all of it in the next one.

    :param commit: does some jobs in one transaction; gives their results in order.
    :param alone: whether, after an error, each job is to be tried on its own: one bad row must not cost its
        neighbours, but a database that is lost is not asked once for each.
    :param at_most: jobs of one transaction.
    """

    def __init__(
        self,
        commit: Callable[[list[JobT]], Awaitable[list[ResultT]]],
        *,
        alone: Callable[[Exception], bool],
        at_most: int = 500,
    ) -> None:
        self._commit = commit
        self._alone = alone
        self._at_most = at_most
        self._waiting: list[tuple[JobT, asyncio.Future[ResultT]]] = []
        self._task: asyncio.Task[None] | None = None

    async def do(self, job: JobT) -> ResultT:
        """Do a job; returns once it is committed.

        A caller that is cancelled meanwhile does not stop it.

        :raises StoreError: it was not committed, or, when the database was lost in the act, nobody can tell.
        """
        future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await future

    async def drain(self) -> None:
        """Return once nothing is waiting."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._at_most], self._waiting[self._at_most :]
                await self._together(batch)
        finally:
            self._task = None

    async def _together(self, batch: list[tuple[JobT, asyncio.Future[ResultT]]]) -> None:
        try:
            results = await self._commit([job for job, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is passed on to whoever asked
            if len(batch) > 1 and self._alone(error):
                for one in batch:
                    await self._together([one])
                return
            for _, future in batch:
                _fail(future, error)
        except BaseException as error:
            for _, future in batch:
                _fail(future, error)
            raise
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)


def _fail(future: asyncio.Future[ResultT], error: BaseException) -> None:
    if future.done():
        return
    if isinstance(error, asyncio.CancelledError):
        future.cancel()
    else:
        future.set_exception(error)
