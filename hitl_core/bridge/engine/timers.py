"""Timers that are due become inputs, each once, in one transaction; deciding what they mean is not done here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.handoff.inputs import TimerFired
from hitl_core.bridge.handoff.records import Handoff
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.inbox import input_row
from hitl_core.bridge.store.tables import inputs, timers
from hitl_core.bridge.store.turn_rows import TurnRows

__all__ = ["Timers"]

_AT_A_TIME: Final = 500
_TAKEN_UP: Final = timedelta(milliseconds=50)


class Timers:
    """The timers of one tenant.

    :ivar next_at: when the next one is due, as far as this process knows: another's are found when it looks.
    """

    def __init__(self, store: Store, tenant: str, rows: TurnRows) -> None:
        self._store = store
        self._tenant = tenant
        self._rows = rows
        self.next_at: datetime | None = None

    def note(self, handoffs: Iterable[Handoff]) -> None:
        """Take in what a turn has armed."""
        for handoff in handoffs:
            for due in handoff.timers.values():
                if self.next_at is None or due < self.next_at:
                    self.next_at = due

    async def look(self, conn: AsyncConnection) -> None:
        """Find out when the next one is due."""
        self.next_at = await self._rows.next_timer(conn)

    @property
    def due(self) -> bool:
        """Whether one is due."""
        return self.next_at is not None and self.next_at <= self._store.clock.now()

    async def sweep(self) -> list[str]:
        """Turn those that are due into inputs.

        :returns: the conversations they are for.
        """
        found: list[str] = []
        while True:
            swept = await self._sweep_some()
            found += swept
            if len(swept) < _AT_A_TIME:
                return found

    async def _sweep_some(self) -> list[str]:
        now = self._store.clock.now()
        async with self._store.write() as conn:
            due = await self._rows.due_timers(conn, now, _AT_A_TIME)
            if due:
                fired = [
                    input_row(
                        self._tenant,
                        row.conversation_id,
                        f"timer:{row.handoff_id}:{row.name}:{row.due_at.isoformat()}",
                        TimerFired(handoff_id=row.handoff_id, name=row.name, due=row.due_at),
                        now,
                    )
                    for row in due
                ]
                await conn.execute(self._store.insert(inputs).on_conflict_do_nothing(), fired)
                t = timers.c
                await conn.execute(
                    timers.delete().where(
                        t.tenant == self._tenant,
                        t.handoff_id == sa.bindparam("b_handoff_id"),
                        t.name == sa.bindparam("b_name"),
                    ),
                    [{"b_handoff_id": row.handoff_id, "b_name": row.name} for row in due],
                )
            self.next_at = await self._rows.next_timer(conn)
        if not due and self.due:
            self.next_at = now + _TAKEN_UP  # another worker has them in hand just now
        return [row.conversation_id for row in due]
