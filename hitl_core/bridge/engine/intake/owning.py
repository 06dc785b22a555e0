"""Who reads an account's deliveries and sessions: one worker at a time, by the row of the connection.

A worker that was paused for so long that another took over still believes it owns; the fence in the row, checked in
each transaction that writes, tells it otherwise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.engine.intake.queueing import Lines
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.intake_rows import IntakeRows, Row
from hitl_core.connection import Connection

__all__ = ["Owned", "Ownership"]

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Owned:
    """A connection this worker reads.

    :ivar fence: what the row has to say for anything of ours to be written.
    :ivar high: position of the newest delivery that was seen.
    :ivar missed: positions up to there that are open and not at hand: accepted by others, released or replayed.
    :ivar fresh: there may be newer deliveries.
    :ivar look: there may be sessions that are wanted.
    :ivar reading: how many sessions are being read; ``parsing`` counts deliveries.
    :ivar failures: how often in a row a session could not be read.
    :ivar compare: all that is open is to be compared with the helpdesk; ``comparing``: that is being arranged.
    :ivar compare_after: not before then, since the last try failed.
    :ivar slots: how many deliveries are read at a time.
    """

    connection: Connection
    fence: int
    lines: Lines = field(default_factory=Lines)
    high: int = 0
    missed: list[int] = field(default_factory=list)
    fresh: bool = True
    look: bool = True
    parsing: int = 0
    reading: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    compare: bool = True
    comparing: bool = False
    compare_after: datetime | None = None
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    @property
    def key(self) -> str:
        """Key of the connection."""
        return self.connection.key

    @property
    def can_read(self) -> bool:
        """Whether sessions can be read at all."""
        return self.connection.capabilities.pull

    def is_due(self, now: datetime) -> bool:
        """Whether all that is open is to be compared now."""
        waits = self.compare_after is not None and self.compare_after > now
        return self.compare and self.can_read and not self.comparing and not waits

    def has_work(self, now: datetime) -> bool:
        """Whether there may be something to read."""
        return self.fresh or bool(self.missed) or (self.look and self.can_read) or self.lines.pending(now)


class Ownership:
    """The connections of one worker.

    :param slots: how many deliveries of one are read at a time.
    :param every: how often all that is open is compared; ``None`` for when a connection is taken over alone.
    """

    def __init__(
        self,
        store: Store,
        rows: IntakeRows,
        connections: Mapping[str, Connection],
        *,
        worker: str,
        live: Callable[[], frozenset[str]],
        every: timedelta | None,
        slots: int,
    ) -> None:
        self._store = store
        self._rows = rows
        self._connections = connections
        self._worker = worker
        self._live = live
        self._every = every
        self._slots = slots
        self.owned: dict[str, Owned] = {}

    async def refresh(self, conn: AsyncConnection) -> list[str]:
        """Look who has which connection.

        :returns: keys of those that nobody who lives has.
        """
        rows = {row.connection: row for row in await self._rows.connections(conn, list(self._connections))}
        live = self._live()
        free: list[str] = []
        for key in self._connections:
            row = rows.get(key)
            owned = self.owned.get(key)
            if owned is not None and row is not None and self._is_ours(owned, row):
                self._set_due(owned, row)
                continue
            if owned is not None:
                self.lose(owned)
            if row is None or self._is_free(row, live):
                free.append(key)
        return free

    async def take(self, conn: AsyncConnection, keys: list[str]) -> list[Owned]:
        """Take connections that are still free; they are ours once :meth:`keep` was called after the commit."""
        live = self._live()
        taken = []
        for row in await self._rows.lock(conn, keys):
            if self._is_free(row, live):
                await self._rows.take(conn, row.connection, row.fence + 1)
                slots = asyncio.Semaphore(self._slots)
                taken.append(Owned(self._connections[row.connection], row.fence + 1, slots=slots))
        return taken

    def keep(self, taken: list[Owned]) -> None:
        """Note what was taken."""
        for owned in taken:
            logger.debug("connection %s is read by this worker", owned.key)
            self.owned[owned.key] = owned

    def lose(self, owned: Owned) -> None:
        """Note that somebody else has a connection now; what is under way for it will not be written."""
        if self.owned.get(owned.key) is owned:
            logger.info("connection %s is read by another worker now", owned.key)
            del self.owned[owned.key]

    def still_ours(self, owned: Owned) -> bool:
        """Whether nobody took it, as far as we know."""
        return self.owned.get(owned.key) is owned

    def _is_ours(self, owned: Owned, row: Row) -> bool:
        return bool(row.worker == self._worker and row.fence == owned.fence)

    def _is_free(self, row: Row, live: frozenset[str]) -> bool:
        # A row with our name that we do not know of was written by a commit nobody told us the end of.
        return row.worker is None or row.worker == self._worker or row.worker not in live

    def _set_due(self, owned: Owned, row: Row) -> None:
        now = self._store.clock.now()
        if owned.comparing or (owned.compare_after is not None and owned.compare_after > now):
            return
        last = row.reconciled_at
        if last is None or (self._every is not None and now - last >= self._every):
            owned.compare = True
