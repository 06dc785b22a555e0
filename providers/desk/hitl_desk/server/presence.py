"""Who is there: agents with an open inbox, bots that called, and streams to be ended."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.types import Message, Receive

from hitl_core.errors import HitlError
from hitl_desk.server import tables

if TYPE_CHECKING:
    from hitl_desk.server.desk import Desk

__all__ = ["Presence"]

logger = logging.getLogger(__name__)

_BEAT: Final = 20.0
_GONE_AFTER: Final = timedelta(seconds=50)
_TOUCH_EVERY: Final = timedelta(seconds=60)


class Presence:
    """Signs of life.

    An agent is online while an inbox of theirs is open. The database knows too, for other processes on the same one:
    there a sign of life counts for 50 seconds, unless the agent left before.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._open: Counter[str] = Counter()
        self._seen_bots: dict[str, datetime] = {}
        self._ends: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @asynccontextmanager
    async def at_inbox(self, agent_id: str) -> AsyncIterator[None]:
        """Count an agent as online while the block runs."""
        self._open[agent_id] += 1
        beat = asyncio.create_task(self._beat(agent_id))
        try:
            yield
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)
            self._open[agent_id] -= 1
            if not self._open[agent_id]:
                del self._open[agent_id]
                if not self._desk.log.closed:
                    await self._mark(agent_id, None)

    async def _beat(self, agent_id: str) -> None:
        while True:
            await self._mark(agent_id, self._desk.clock.now())
            await self._desk.clock.sleep(_BEAT)

    async def _mark(self, agent_id: str, at: datetime | None) -> None:
        try:
            async with self._desk.write() as unit:
                agents = tables.agents
                await unit.conn.execute(sa.update(agents).where(agents.c.id == agent_id).values(seen_at=at))
        except (SQLAlchemyError, HitlError, OSError) as error:
            logger.warning("cannot note who is at the inbox (%s)", type(error).__name__)

    async def agents_online(self, conn: AsyncConnection) -> int:
        """Count the agents who are there."""
        since = self._desk.clock.now() - _GONE_AFTER
        rows = await conn.execute(sa.select(tables.agents.c.id).where(tables.agents.c.seen_at >= since))
        return len({row.id for row in rows} | set(self._open))

    async def saw_bot(self, bot_id: str) -> None:
        """Note that a bot called; written down once a minute."""
        now = self._desk.clock.now()
        last = self._seen_bots.get(bot_id)
        if last is not None and now - last < _TOUCH_EVERY:
            return
        self._seen_bots[bot_id] = now
        values: dict[str, object] = {"last_seen_at": now}
        if (reached := self._desk.receipts.reached(bot_id)) is not None:
            values["reached"] = reached
        async with self._desk.write() as unit:
            await unit.conn.execute(sa.update(tables.bots).where(tables.bots.c.id == bot_id).values(values))

    @asynccontextmanager
    async def ending(self, owner: str, receive: Receive) -> AsyncIterator[Receive]:
        """Give a stream a ``receive`` that reports its client gone when :meth:`end` is called for the owner."""
        end = asyncio.Event()

        async def receive_or_end() -> Message:
            ended = asyncio.ensure_future(end.wait())
            message = asyncio.ensure_future(receive())
            try:
                await asyncio.wait((ended, message), return_when=asyncio.FIRST_COMPLETED)
                return message.result() if message.done() else {"type": "http.disconnect"}
            finally:
                for task in (ended, message):
                    task.cancel()
                await asyncio.gather(ended, message, return_exceptions=True)

        self._ends[owner].add(end)
        try:
            yield receive_or_end
        finally:
            self._ends[owner].discard(end)
            if not self._ends[owner]:
                del self._ends[owner]

    def end(self, owner: str) -> None:
        """End the open streams of a bot that was switched off, or of a session that was closed."""
        for end in self._ends.get(owner, ()):
            end.set()
