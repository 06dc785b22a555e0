"""A worker: finds out what is to be done, takes turns, makes attempts, lives and dies.

Nothing here waits by itself: everything is one round, so that whoever drives it decides when time passes.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.engine.classify import died, frames
from hitl_core.bridge.engine.intake import Intake
from hitl_core.bridge.engine.progress import Advance
from hitl_core.bridge.engine.timers import Timers
from hitl_core.bridge.engine.turns import Attempts, Came, Committed, OpenEffect, Turns, UnderWay
from hitl_core.bridge.policy import Policy
from hitl_core.bridge.store.base import RefusedError, Store
from hitl_core.bridge.store.statistics import Statistics
from hitl_core.bridge.store.tables import connections, workers
from hitl_core.errors import StoreError

__all__ = ["Worker"]

logger = logging.getLogger(__name__)

_ASIDE: Final = timedelta(seconds=60)
_BATCH: Final = 128
_FOUND: Final = 500
_BEATS: Final = 4  # in one lease, so that a late one does no harm
_LOOK_EVERY: Final = 30.0  # seconds, when nothing is heard


class Worker:
    """One process's share of the work of one tenant.

    :param lease: seconds after which a worker that was not heard of is taken for dead.
    :param listener: hears of every turn that was committed.
    """

    def __init__(
        self,
        store: Store,
        tenant: str,
        *,
        attempts_of: Callable[[str, Callable[[], datetime | None]], Attempts],
        policy: Policy,
        lease: float = 10.0,
        listener: Callable[[Committed], None] = lambda done: None,
    ) -> None:
        self.id = uuid.uuid4().hex
        self._store = store
        self._tenant = tenant
        self._lease = timedelta(seconds=lease)
        self._listener = listener
        self._alive: frozenset[str] = frozenset({self.id})
        self._seen: tuple[datetime, float] | None = None
        self._looked_at = float("-inf")
        self._statistics = Statistics(store)
        self._worked = False
        self.attempts = attempts_of(self.id, self._lease_ends)
        self._under_way = UnderWay()
        self._turns = Turns(
            store,
            tenant,
            worker=self.id,
            live=lambda: self._alive,
            dead=self._dead,
            attempts=self.attempts,
            under_way=self._under_way,
            policy=policy,
        )
        self.timers = Timers(store, tenant, self._turns.rows)
        self.intake: Intake | None = None
        self._dirty: dict[str, None] = {}
        self._waking: dict[str, datetime] = {}
        self._aside: dict[str, datetime] = {}
        self._running: set[asyncio.Task[Advance]] = set()
        self._abandoned = False
        self.wake = asyncio.Event()
        """Set when there is something to be done."""
        self.hinted = False
        """Another process has accepted something that nobody has looked for yet."""
        self.more = False
        """The last poll has not found all there is."""

    def live(self) -> frozenset[str]:
        """Return the ids of the workers that live, this one among them."""
        return self._alive

    def _lease_ends(self) -> datetime | None:
        # On SQLite there is one worker, and its file lock ends with its process.
        silent = self._silent_for()
        if self._store.is_sqlite or silent is None:
            return None
        return self._store.clock.now() + self._lease - silent

    def _silent_for(self) -> timedelta | None:
        """Return how long ago we said that we live; ``None`` for never.

        By the clock that says longest: one of them may have been set back, the other one stands still while the
        machine sleeps.
        """
        if self._seen is None:
            return None
        clock, (at, monotonic) = self._store.clock, self._seen
        return max(clock.now() - at, timedelta(seconds=clock.monotonic() - monotonic))

    # What is to be done ---------------------------------------------------------------------------------------

    def touch(self, ids: Iterable[str]) -> None:
        """Note that something happened to conversations."""
        for id_ in ids:
            if id_ not in self._aside:
                self._dirty[id_] = None
        self.wake.set()

    async def poll(self) -> None:
        """Say that we live, and find out what nobody has told us: after a crash, from other processes, from the clock.

        :raises StoreError: the database is lost; ask again.
        """
        now = self._store.clock.now()
        await self.beat()
        self._looked_at = self._store.clock.monotonic()
        async with self._store.read() as conn:
            rows = self._turns.rows
            await self.timers.look(conn)
            found = await rows.with_open_inputs(conn, self._alive, self.id, _FOUND)
            found += await rows.wanting(conn, self._alive, self.id, now, _FOUND)
            await self._read_accounts(conn)
        self._touch_found(found)
        await self.sweep()
        if self.intake is not None:
            await self.intake.poll()

    async def glance(self) -> None:
        """Find out what other processes have taken in; far cheaper than :meth:`poll`.

        :raises StoreError: as :meth:`poll`.
        """
        async with self._store.read() as conn:
            found = await self._turns.rows.with_open_inputs(conn, self._alive, self.id, _FOUND)
            if self.intake is not None:
                await self.intake.glance(conn)
        self._touch_found(found)

    def _touch_found(self, found: Sequence[str]) -> None:
        # What is set aside is found each time, and is nothing new.
        self.more = len(found) >= _FOUND and not self._aside.keys() >= set(found)
        self.touch(found)

    async def sweep(self) -> None:
        """Take up timers that are due."""
        if self.timers.due:
            self.touch(await self.timers.sweep())

    async def beat(self) -> bool:
        """Say that we live, if it is time to, and hear who else does.

        :returns: whether somebody came or went.
        :raises StoreError: the database is lost.
        """
        silent = self._silent_for()
        # On SQLite nobody takes over by a lease; it is only commands that want to know whether there is a worker.
        beats = _BEATS / 2 if self._store.is_sqlite else _BEATS
        if silent is not None and silent < self._lease / beats:
            return False
        known = self._alive
        await self._beat()
        if self._worked:
            self._worked = False
            await self._statistics.refresh()
        return self._alive != known

    @property
    def is_to_look(self) -> bool:
        """Whether it is time to look at everything, although nothing was heard of anything."""
        silent = self._store.clock.monotonic() - self._looked_at
        return silent >= (_LOOK_EVERY if self._store.is_sqlite else min(_LOOK_EVERY, self._lease.total_seconds()))

    async def _beat(self) -> None:
        # Taken before the round trip: we must not believe in our lease for longer than others do.
        seen = self._store.clock.now(), self._store.clock.monotonic()
        statement = self._store.insert(workers)
        async with self._store.write() as conn:
            now = await self._store.now(conn)
            await conn.execute(
                statement.on_conflict_do_update(index_elements=["id"], set_={"seen_at": now}),
                {"id": self.id, "started_at": now, "seen_at": now},
            )
            if not self._store.is_sqlite:  # where whoever worked before us is dead: its lock is ours
                w = workers.c
                alive = await conn.execute(sa.select(w.id).where(w.seen_at > now - self._lease))
                self._alive = frozenset(alive.scalars()) | {self.id}
        self._seen = seen

    async def _dead(self, conn: AsyncConnection, suspects: Collection[str]) -> frozenset[str]:
        """Return which of these workers are dead now: what we know of them may be as old as we were paused for."""
        if self._store.is_sqlite:
            return frozenset(suspects)
        w = workers.c
        alive = sa.select(w.id).where(w.id.in_(suspects), w.seen_at > await self._store.now(conn) - self._lease)
        return frozenset(suspects) - frozenset((await conn.execute(alive)).scalars())

    # Doing it -------------------------------------------------------------------------------------------------

    async def work(self) -> bool:
        """Take turns until nothing is left to be done now; attempts go on by themselves.

        :returns: whether anything was done.
        :raises StoreError: the database is lost; what was to be done is still to be done.
        """
        did = False
        while await self.turn():
            did = True
        return did

    async def turn(self) -> bool:
        """Take one turn with some of the conversations to which something happened.

        :returns: whether there were any.
        :raises StoreError: as :meth:`work`.
        """
        self._wake_due()
        if not self._dirty:
            return False
        self._worked = True
        ids = list(self._dirty)[:_BATCH]
        for id_ in ids:
            del self._dirty[id_]
        try:
            await self._take(ids)
        except BaseException:
            self._dirty = dict.fromkeys([*ids, *self._dirty])
            raise
        self.touch(self.attempts.woken())
        return True

    async def _take(self, ids: Sequence[str]) -> None:
        """Take a turn; a conversation that cannot be worked on costs no other one.

        :raises StoreError: the database is lost.
        """
        try:
            done = await self._turns.take(ids)
        except Exception as error:
            if isinstance(error, StoreError) and not isinstance(error, RefusedError):
                raise
            if len(ids) == 1:
                self._set_aside(ids[0], error)
                return
            for id_ in ids:
                await self._take([id_])
        else:
            await self._committed(done)

    def _set_aside(self, id_: str, error: Exception) -> None:
        self._aside[id_] = at = self._store.clock.now() + _ASIDE
        why = str(error) if isinstance(error, StoreError) else f"{type(error).__name__}\n{frames(error)}"
        logger.error("conversation %s cannot be worked on, next try at %s: %s", id_, at, why)

    def _wake_due(self) -> None:
        now = self._store.clock.now()
        for times in (self._waking, self._aside):
            for id_ in [id_ for id_, at in times.items() if at <= now]:
                del times[id_]
                self._dirty[id_] = None

    def next_at(self) -> datetime | None:
        """Return when an effect that waits for its time, or a timer, wants to be looked at."""
        times = [
            *self._waking.values(),
            *self._aside.values(),
            *((self.timers.next_at,) if self.timers.next_at is not None else ()),
        ]
        return min(times, default=None)

    async def _committed(self, done: Committed) -> None:
        for conversation, effect in done.begun:
            self._under_way.began(effect, conversation.fence)
            task = asyncio.create_task(self.attempts.make(conversation.id, effect))
            self._running.add(task)
            task.add_done_callback(partial(self._attempt_ended, conversation.id, conversation.fence, effect))
        self._waking |= done.next_at
        self.timers.note(done.changed)
        self.touch(done.again)
        if done.intake and self.intake is not None:
            self.intake.wake()
        for letter in done.letters:  # once it is certain that they are there
            who = {"connection": letter.connection, "handoff_id": letter.handoff_id}
            logger.warning("%s", died(letter.kind, letter.failure, letter.detail, **who))
        self._listener(done)
        # Last, since it may fail: what was announced has to be made, and this is found out again.
        for connection, detail in done.held.items():
            await self._note_account(connection, detail)

    def _attempt_ended(self, id_: str, fence: int, effect: OpenEffect, task: asyncio.Task[Advance]) -> None:
        """Take in what an attempt came to, in whatever way it ended: a conversation must never wait for none."""
        self._running.discard(task)
        self._under_way.ended(effect, fence)
        self.attempts.let_go(effect)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None or not self._abandoned:
            advance = task.result() if error is None else self.attempts.broken_off(effect, error)
            self._under_way.came(id_, Came(effect.key, fence, advance))
            self._dirty[id_] = None
        self.touch(self.attempts.woken())

    async def _note_account(self, connection: str, detail: str | None) -> None:
        """Keep that an account is held until it is mended, or that it is mended; people are told (guarantee 5)."""
        until = self.attempts.paused.get(connection)
        if detail is not None:
            logger.error("connection %s is held until it is mended, next try at %s: %s", connection, until, detail)
        else:
            logger.warning("connection %s is mended and goes on", connection)
        statement = self._store.insert(connections)
        paused_at = self._store.clock.now() if detail is not None else None
        values = {"paused_at": paused_at, "paused_detail": detail, "retry_at": until}
        async with self._store.write() as conn:
            await conn.execute(
                statement.on_conflict_do_update(index_elements=["tenant", "connection"], set_=values),
                {"tenant": self._tenant, "connection": connection, "fence": 0, **values},
            )

    async def _read_accounts(self, conn: AsyncConnection) -> None:
        """Learn what others found out about accounts."""
        c = connections.c
        rows = await conn.execute(
            sa.select(c.connection, c.retry_at).where(c.tenant == self._tenant, c.paused_at.is_not(None))
        )
        self.attempts.paused = {row.connection: row.retry_at for row in rows}

    @property
    def busy(self) -> bool:
        """Whether anything is to be done or being done now."""
        return bool(self._dirty or self._running)

    async def attempted(self) -> None:
        """Return once an attempt has come to an end, or there is none."""
        if self._running:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    # End ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Begin nothing more; what is under way goes on."""
        self.attempts.closed = True

    async def stop(self, grace: float) -> None:
        """End: let attempts come to an end for ``grace`` seconds, take in what they came to, and give all back."""
        self.close()
        if self._running and grace > 0:
            await asyncio.wait(self._running, timeout=grace)
        await self.abandon()
        try:
            await self.work()
            await self._retire()
        except StoreError as error:
            logger.warning("the bridge ended without its database, others will find out by the lease: %s", error)

    async def abandon(self) -> None:
        """Break off what is under way: nothing may go on once another worker can."""
        self.close()
        self._abandoned = True
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self.attempts.aclose()

    async def _retire(self) -> None:
        async with self._store.write() as conn:
            await self._turns.rows.release(conn, self.id, self._store.clock.now())
            await conn.execute(workers.delete().where(workers.c.id == self.id))
