"""From the helpdesk: webhook deliveries, and reading sessions where a delivery was lost or says too little.

A webhook is proven, kept and answered, and nothing else (behaviour F21). What it meant is read afterwards, by the one
worker who owns the connection just then, and written in one transaction that finds it still does. What is being read
when a process dies is read again: events are known by their ids (F22).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.engine.classify import died, of_provider
from hitl_core.bridge.engine.intake.accepting import MAX_BYTES, Acceptor
from hitl_core.bridge.engine.intake.committing import Committer
from hitl_core.bridge.engine.intake.drafting import Written
from hitl_core.bridge.engine.intake.gathering import Gatherer, Ready
from hitl_core.bridge.engine.intake.owning import Owned, Ownership
from hitl_core.bridge.engine.intake.parsing import DeliveryRead, parse
from hitl_core.bridge.engine.intake.queueing import Waiting
from hitl_core.bridge.engine.intake.reading import Claim, Comparison, SessionPages, read_session
from hitl_core.bridge.engine.intake.typing_notices import Tell, Typing
from hitl_core.bridge.host import Receipt
from hitl_core.bridge.store.base import RefusedError, Store
from hitl_core.bridge.store.inbox import Inbox
from hitl_core.bridge.store.intake_rows import IntakeRows
from hitl_core.bridge.store.link_rows import LinkRows
from hitl_core.connection import Connection
from hitl_core.errors import HitlError, StoreError

__all__ = ["Intake"]

logger = logging.getLogger(__name__)

Brought = DeliveryRead | SessionPages


@dataclass(eq=False, slots=True)
class _Job:
    """Something being read: a delivery, a session, or what moved in the account."""

    owned: Owned
    what: Waiting | Claim | None
    task: asyncio.Task[Brought | None] | None = None


class Intake:
    """The way in of one worker, for all connections of one tenant.

    :param connections: by key; open ones.
    :param worker: id of this worker.
    :param live: gives the ids of the workers that live, this one among them; what another one owns is theirs.
    :param touched: takes the ids of conversations with something new to decide on.
    :param typing: takes (conversation, hand-off, event) while an agent is typing.
    :param reconcile_seconds: how often all that is open is compared with the helpdesk; ``None`` for only when a
        connection is taken over, as at the start.
    :param concurrency: how many deliveries of one connection are read at a time; of sessions it is a quarter.
    :param max_bytes: longest body of a webhook.
    """

    def __init__(
        self,
        store: Store,
        inbox: Inbox,
        tenant: str,
        connections: Mapping[str, Connection],
        *,
        worker: str,
        live: Callable[[], frozenset[str]],
        touched: Callable[[Iterable[str]], None],
        typing: Tell,
        reconcile_seconds: float | None = 300.0,
        concurrency: int = 16,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._store = store
        self._connections = connections
        self._touched = touched
        rows, links = IntakeRows(store, tenant, worker), LinkRows(tenant)
        every = None if reconcile_seconds is None else timedelta(seconds=reconcile_seconds)
        self._rows = rows
        self._acceptor = Acceptor(inbox, store.clock, max_bytes=max_bytes)
        self._ownership = Ownership(store, rows, connections, worker=worker, live=live, every=every, slots=concurrency)
        # More are made ready than are read at a time: those read without a call to the helpdesk are written together.
        self._gatherer = Gatherer(store, rows, links, deliveries=4 * concurrency, sessions=max(1, concurrency // 4))
        self._comparison = Comparison(store, rows, links)
        self._committer = Committer(store, tenant, rows, links)
        self._jobs: set[_Job] = set()
        self._finished: list[_Job] = []
        self._rescan = False
        self._database_lost = False
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.awake = asyncio.Event()
        """Set when :meth:`work` has something to do; it clears it itself."""
        self._typing = Typing(typing, self.awake.set)

    @property
    def owned(self) -> frozenset[str]:
        """Keys of the connections this worker reads."""
        return frozenset(self._ownership.owned)

    # In -------------------------------------------------------------------------------------------------------

    async def receive(
        self,
        connection: Connection | str,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        body: bytes,
        method: str = "POST",
        path: str = "/",
        query: Mapping[str, str] | None = None,
    ) -> Receipt:
        """Prove and keep a delivery, and say what to answer the helpdesk; the work is done afterwards.

        :param connection: one of ours, or its key.
        """
        connection = self._connections[connection] if isinstance(connection, str) else connection
        receipt = await self._acceptor.receive(
            connection, headers=headers, body=body, method=method, path=path, query=query
        )
        owned = self._ownership.owned.get(connection.key)
        if receipt.accepted and owned is not None:
            owned.fresh = True
            self.awake.set()
        return receipt

    def wake(self) -> None:
        """Look at everything again soon: sessions are wanted, or parked deliveries were released."""
        self._rescan = True
        self.awake.set()

    async def wanted(self) -> None:
        """Return once :meth:`work` has something to do."""
        await self.awake.wait()

    def tick(self) -> None:
        """Begin what waited for its time."""
        now = self._store.clock.now()
        if any(owned.is_due(now) or owned.has_work(now) for owned in self._ownership.owned.values()):
            self.awake.set()

    async def glance(self, conn: AsyncConnection) -> None:
        """Find deliveries that other processes have accepted.

        :raises StoreError: the database is lost.
        """
        for owned in list(self._ownership.owned.values()):
            await self._gatherer.rescan(conn, owned)
        self.tick()

    async def poll(self) -> None:
        """Take connections nobody has, and find out what nobody has told us; never raises for a lost database."""
        if self._closing:
            return
        try:
            async with self._store.read() as conn:
                free = await self._ownership.refresh(conn)
                await self.glance(conn)
            if free:
                async with self._store.write() as conn:
                    taken = await self._ownership.take(conn, free)
                self._ownership.keep(taken)
                async with self._store.read() as conn:
                    for owned in taken:
                        await self._gatherer.rescan(conn, owned)
        except StoreError as error:
            self._lose_database(error)
            return
        if self._database_lost:
            logger.info("the database is back; the intake goes on")
            self._database_lost = False
            for owned in self._ownership.owned.values():
                owned.compare = True  # webhooks may have been turned away that nobody sends again
        self.tick()

    # Work -----------------------------------------------------------------------------------------------------

    async def work(self) -> bool:
        """Read all that can be read now, and what comes in meanwhile; what is slow holds up nothing but its session.

        :returns: whether anything was done.
        """
        if not self._idle.is_set():
            self.awake.set()  # for the call that is under way
            return False
        if self._stands_still():
            self.awake.clear()  # or whoever waits to be wanted would not wait, and never let the poll look again
            return False
        self._idle.clear()
        did = False
        try:
            while not self._stands_still():
                self.awake.clear()
                await self._begin()
                if not self._jobs and not self._typing and not self.awake.is_set():
                    break
                if not self._finished:
                    await self.awake.wait()
                await asyncio.sleep(0)  # what ends in the same moment is written together
                if self._finished:
                    did = True
                    await self._end()
        except StoreError as error:
            self._lose_database(error)
        finally:
            await self._abandon()
            self._idle.set()
        return did

    async def aclose(self) -> None:
        """Stop working, and let others take the connections at once."""
        self._closing = True
        self.awake.set()
        await self._idle.wait()
        await self._typing.aclose()
        fences = {owned.key: owned.fence for owned in self._ownership.owned.values()}
        self._ownership.owned.clear()
        if not fences:
            return
        try:
            async with self._store.write() as conn:
                await self._rows.give_back(conn, fences)
        except StoreError as error:
            logger.warning("connections could not be given back, others will find out by the lease: %s", error)

    # Beginning ------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Start reading whatever can be read."""
        owned = list(self._ownership.owned.values())
        ready: list[Ready] = []
        held = []
        rescan, self._rescan = self._rescan, False
        now = self._store.clock.now()
        try:
            if rescan or any(one.has_work(now) for one in owned):
                async with self._store.read() as conn:
                    for one in owned:
                        if rescan:
                            await self._gatherer.rescan(conn, one)
                        ready += await self._gatherer.deliveries(conn, one)
                        rows = await self._gatherer.wanted(conn, one)
                        if rows:
                            held.append((one, rows))
        except BaseException:
            self._rescan = self._rescan or rescan
            for each in ready:
                each.owned.lines.again(each.waiting, each.waiting.not_before)
            for one, rows in held:
                for row in rows:
                    one.lines.let_go(row.session_id)
            raise
        for each in ready:
            each.owned.parsing += 1
            self._start(_Job(each.owned, each.waiting), partial(self._parse, each))
        for one in owned:
            if one.is_due(now):
                one.compare, one.comparing = False, True
                self._start(_Job(one, None), partial(self._compare, one))
        for one, claim in await self._gatherer.claim(held) if held else ():
            one.reading += 1
            self._start(_Job(one, claim), partial(read_session, one, claim, self._store.clock))

    def _start(self, job: _Job, work: Callable[[], Awaitable[Brought | None]]) -> None:
        async def run() -> Brought | None:
            return await of_provider(work())

        def ended(_: object) -> None:
            self._finished.append(job)
            self.awake.set()

        self._jobs.add(job)
        job.task = asyncio.create_task(run())
        job.task.add_done_callback(ended)

    async def _parse(self, ready: Ready) -> DeliveryRead:
        if ready.read:
            async with ready.owned.slots:
                return await parse(ready.owned, ready.waiting, ready.known, self._store.clock)
        cursors = {id_: known.cursor for id_, known in ready.known.items()}
        return DeliveryRead(ready.owned, ready.waiting, ready.named, cursors)

    async def _compare(self, owned: Owned) -> None:
        try:
            await self._comparison.run(owned)
        except BaseException:
            owned.compare = True
            raise
        finally:
            owned.comparing = False

    # Ending ---------------------------------------------------------------------------------------------------

    async def _end(self) -> None:
        """Write what was read."""
        finished, self._finished = self._finished, []
        brought: list[Brought] = []
        jobs: list[_Job] = []
        for job in finished:
            assert job.task is not None  # noqa: S101 - it has ended
            if job.task.cancelled():  # by somebody else; whoever calls must not take it for their own end
                msg = "reading was broken off, and is begun anew"
                raise HitlError(msg)
            if job.what is None:
                self._jobs.discard(job)
            result = job.task.result()
            if result is not None:
                brought.append(result)
                jobs.append(job)
        if not brought:
            return
        try:
            self._note(jobs, await self._committer.commit(brought))
        except StoreError as error:
            if not isinstance(error, RefusedError):
                raise
            for job, one in zip(jobs, brought, strict=True):
                await self._alone(job, one)

    async def _alone(self, job: _Job, one: Brought) -> None:
        """Write one thing on its own: a row the database refuses must not cost its neighbours."""
        try:
            written = await self._committer.commit([one])
        except StoreError as error:
            if not isinstance(error, RefusedError):
                raise
            written = await self._committer.refuse(one)
        self._note([job], written)

    def _note(self, jobs: Sequence[_Job], written: Written) -> None:
        """Note what was written."""
        for job in jobs:
            self._jobs.discard(job)
            job.owned.look = True
            if isinstance(job.what, Claim):
                job.owned.reading -= 1
                job.owned.lines.let_go(job.what.session.id)
            else:
                job.owned.parsing -= 1
        for owned in written.lost:
            self._ownership.lose(owned)
        for connection, failure, detail in written.buried:
            logger.warning("%s", died("delivery", failure, detail, connection=connection))
        for one in written.settled:
            one.owned.lines.drop(one.waiting)
        for one, at in written.again:
            if one.failed is not None:
                one.waiting.attempts = one.failed.attempts
                one.waiting.stored_parked = False
            one.owned.lines.again(one.waiting, at)
        for one, sessions in written.parked:
            one.waiting.stored_parked = True
            one.waiting.seen = frozenset(one.known)
            one.owned.lines.park(one.waiting, sessions)
        if written.touched:
            self._touched(written.touched)
        for conversation_id, handoff_id, event in written.typing:
            self._typing.notice(conversation_id, handoff_id, event)

    async def _abandon(self) -> None:
        """Put back what is being read: it is as if nobody had begun."""
        tasks = [job.task for job in self._jobs if job.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in self._jobs:
            job.owned.look = True
            if isinstance(job.what, Claim):
                job.owned.reading -= 1
                job.owned.lines.let_go(job.what.session.id)
            elif isinstance(job.what, Waiting):
                job.owned.parsing -= 1
                job.owned.lines.again(job.what, job.what.not_before)
            else:
                job.owned.compare, job.owned.comparing = True, False
        self._jobs.clear()
        self._finished.clear()

    def _stands_still(self) -> bool:
        return self._database_lost or self._closing

    def _lose_database(self, error: StoreError) -> None:
        if not self._database_lost:
            logger.error("the intake stands still until the next poll: %s", error)
        self._database_lost = True
