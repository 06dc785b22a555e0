"""A cap on how much is asked of one account at a time, over all replicas.

There are as many rows as the cap allows. Whoever may ask has one of them leased, by the heartbeat of its worker: the
slots of a worker that died are free when its lease is over. A slot serves one task after the other without a look into
the database for a second; then it is leased anew, unless a worker that has fewer has asked for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import slots, workers
from hitl_core.errors import StoreError

__all__ = ["Slots"]

_log = logging.getLogger(__name__)

_TRUST: Final = 1.0  # seconds a lease is relied upon without asking
_WANTED: Final = timedelta(seconds=2)  # how long a slot is kept for whoever asked for it
_FIRST_PAUSE: Final = 0.02  # seconds
_LONGEST_PAUSE: Final = 0.25


class Slots:
    """The share of one worker in the slots of one connection; ``async with slots:`` has one.

    :param connection: its whole key, ``"tenant/alias"``.
    :param cap: how many there are, for all workers together; at least 1.
    :param worker: id of the worker, whose heartbeat is its own business.
    :param lease: seconds after its last heartbeat for which a worker is taken to live.
    :param idle: seconds for which one that is not used is kept.
    """

    def __init__(
        self,
        store: Store,
        tenant: str,
        connection: str,
        cap: int,
        worker: str,
        *,
        lease: float = 10.0,
        idle: float = 0.5,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._connection = connection
        self._cap = max(cap, 1)
        self._worker = worker
        self._lease = timedelta(seconds=lease)
        self._idle = idle
        self._proven: dict[int, float] = {}
        """When each of ours was last leased, by the monotonic clock."""
        self._used: set[int] = set()
        self._free: dict[int, float] = {}
        """Ours that nobody uses, and since when."""
        self._waiting: deque[asyncio.Future[int]] = deque()
        self._fetching: asyncio.Task[None] | None = None
        self._returning: asyncio.Task[None] | None = None
        self._one_by_one = asyncio.Lock()  # what is told of our leases here agrees with the rows
        self._made = False
        self._closed = False

    async def __aenter__(self) -> Self:
        """Have a slot."""
        await self.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Have it no more."""
        self.release()

    async def acquire(self) -> None:
        """Wait for a slot, in the order of asking; a database that is away is waited for too.

        :raises StoreError: this is closed.
        """
        if self._closed:
            raise StoreError("the slots are closed; nothing more is asked of this account here")
        if not self._waiting and (number := self._fresh()) is not None:
            self._used.add(number)
            return
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch())
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # it was ours already
            raise

    def release(self) -> None:
        """Let the next one have it; call it once for each :meth:`acquire`."""
        number = self._used.pop()
        if self._closed:
            return
        self._free[number] = self._store.clock.monotonic()
        self._serve()
        if self._free and not self._waiting and (self._returning is None or self._returning.done()):
            self._returning = asyncio.create_task(self._return())

    async def aclose(self) -> None:
        """Give all of them back; who still waits for one is refused.

        :raises StoreError: the database is lost; they are free when this worker's lease is over.
        """
        self._closed = True
        tasks = [task for task in (self._fetching, self._returning) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for turn in self._waiting:
            if not turn.done():
                turn.set_exception(StoreError("the slots were closed while one was waited for"))
        self._waiting.clear()
        self._free.clear()
        if self._made:
            self._made = False
            await self._give_back(None)

    # In this process ------------------------------------------------------------------------------------------

    def _fresh(self) -> int | None:
        """Take a free one whose lease is relied upon; others are leased anew."""
        now = self._store.clock.monotonic()
        while self._free:
            number, _ = self._free.popitem()
            if now - self._proven.get(number, now - _TRUST) < _TRUST:
                return number
            self._proven.pop(number, None)
        return None

    def _serve(self) -> None:
        while self._waiting:
            if self._waiting[0].done():  # cancelled
                self._waiting.popleft()
                continue
            number = self._fresh()
            if number is None:
                return
            self._used.add(number)
            self._waiting.popleft().set_result(number)

    async def _fetch(self) -> None:
        """Lease what is waited for."""
        pause, told = _FIRST_PAUSE, False
        while True:
            self._serve()
            if not self._waiting:
                return
            found = False
            try:
                found = await self._take(len(self._waiting))
            except StoreError as error:
                if not told:
                    _log.warning("no slot of %s can be leased for now: %s", self._connection, error)
                told = True
            if found:
                pause = _FIRST_PAUSE
            else:
                await self._store.clock.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _return(self) -> None:
        """Give back those that are not used for a while."""
        while self._free:
            await self._store.clock.sleep(self._idle)
            try:
                async with self._one_by_one:
                    now = self._store.clock.monotonic()
                    unused = [number for number, since in self._free.items() if now - since >= self._idle]
                    for number in unused:
                        del self._free[number]
                        self._proven.pop(number, None)
                    if unused:
                        await self._give_back(unused)
            except StoreError as error:
                # Still leased to us in the database, which is where we would find them again.
                _log.debug("slots of %s are given back later: %s", self._connection, error)

    # In the database ------------------------------------------------------------------------------------------

    async def _take(self, count: int) -> bool:
        """Lease up to so many; returns whether there was any."""
        async with self._one_by_one:
            asked_at = self._store.clock.monotonic()
            found = await self._lease_free(count)
            for number in found:
                self._proven[number] = self._free[number] = asked_at
            return bool(found)

    async def _lease_free(self, count: int) -> Sequence[int]:
        async with self._store.write() as conn:
            now = await self._store.now(conn)
            await self._make(conn)
            await self._yield(conn, now)
            s, live = slots.c, sa.select(workers.c.id).where(workers.c.seen_at > now - self._lease)
            free = sa.or_(s.worker.is_(None), s.worker == self._worker, s.worker.not_in(live))
            query = (
                sa.select(s.number)
                .where(self._of_account(), s.number.not_in(self._used | self._free.keys()), free, self._unwanted(now))
                .order_by(s.number)
                .limit(count)
                .with_for_update(skip_locked=True)
            )
            found = (await conn.execute(query)).scalars().all()
            if not found:
                await self._want(conn, now)
                return []
            mine = {"worker": self._worker, "taken_at": now, "wanted_by": None, "wanted_at": None}
            await conn.execute(sa.update(slots).where(self._of_account(), s.number.in_(found)).values(mine))
        return found

    async def _make(self, conn: AsyncConnection) -> None:
        if not self._made:
            rows = [
                {"tenant": self._tenant, "connection": self._connection, "number": number}
                for number in range(self._cap)
            ]
            await conn.execute(self._store.insert(slots).on_conflict_do_nothing(), rows)
            self._made = True

    async def _yield(self, conn: AsyncConnection, now: datetime) -> None:
        """Free those of ours that are not used and that somebody who has fewer has asked for."""
        await conn.execute(
            sa.update(slots)
            .where(
                self._of_account(),
                slots.c.worker == self._worker,
                slots.c.number.not_in(self._used | self._free.keys()),
                sa.not_(self._unwanted(now)),
            )
            .values(worker=None)
        )

    async def _want(self, conn: AsyncConnection, now: datetime) -> None:
        """Ask whoever has most for one, if that is fair."""
        s = slots.c
        share = sa.func.count()
        richest = (
            await conn.execute(
                sa.select(s.worker, share)
                .where(self._of_account(), s.worker.is_not(None), s.worker != self._worker)
                .group_by(s.worker)
                .order_by(share.desc(), s.worker)
                .limit(1)
            )
        ).one_or_none()
        ours = len(self._used | self._free.keys())
        if richest is None or (ours and richest[1] - ours < 2):
            return
        one = (
            sa.select(s.number)
            .where(self._of_account(), s.worker == richest[0], self._unwanted(now))
            .order_by(s.taken_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        asked = sa.select(s.number).where(self._of_account(), s.wanted_by == self._worker, s.wanted_at > now - _WANTED)
        if (await conn.execute(asked)).first() is None and (number := (await conn.execute(one)).scalar()) is not None:
            await conn.execute(
                sa.update(slots)
                .where(self._of_account(), s.number == number)
                .values(wanted_by=self._worker, wanted_at=now)
            )

    async def _give_back(self, numbers: Sequence[int] | None) -> None:
        which = sa.true() if numbers is None else slots.c.number.in_(numbers)
        async with self._store.write() as conn:
            await conn.execute(
                sa.update(slots).where(self._of_account(), slots.c.worker == self._worker, which).values(worker=None)
            )

    def _of_account(self) -> sa.ColumnElement[bool]:
        s = slots.c
        return sa.and_(s.tenant == self._tenant, s.connection == self._connection, s.number < self._cap)

    def _unwanted(self, now: datetime) -> sa.ColumnElement[bool]:
        """Select those nobody else has asked for."""
        s = slots.c
        return sa.or_(s.wanted_by.is_(None), s.wanted_by == self._worker, s.wanted_at <= now - _WANTED)
