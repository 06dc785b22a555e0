"""What callers of a bridge ask the store."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from hitl_core.bridge.engine.turns import Outcome
from hitl_core.bridge.engine.turns.loading import handoff_of
from hitl_core.bridge.handoff.records import Handoff, Owner
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import InputState, conversations, handoffs, inputs, links

__all__ = ["Lookups"]

_OPEN: Final = sa.text("hitl_links.open")  # as the partial index says it: otherwise SQLite does not use it
_COLUMNS: Final = (handoffs.c.id, handoffs.c.conversation_id, handoffs.c.record, handoffs.c.policy)


class Lookups:
    """The questions of one tenant; each is one query."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    async def speaker(self, conversation_id: str) -> Owner:
        """Say who answers the customer."""
        c = conversations.c
        found = await self._one(sa.select(c.speaker).where(c.tenant == self._tenant, c.id == conversation_id))
        return Owner(found) if found is not None else Owner.BOT

    async def is_known(self, conversation_id: str) -> bool:
        """Whether anything was ever asked for a conversation, if only a moment ago."""
        c = conversations.c
        return await self._one(sa.select(c.id).where(c.tenant == self._tenant, c.id == conversation_id)) is not None

    async def current(self, conversation_id: str) -> Handoff | None:
        """Return the latest hand-off of a conversation."""
        c, h = conversations.c, handoffs.c
        return await self._handoff(
            sa.select(*_COLUMNS)
            .join(conversations, sa.and_(c.tenant == h.tenant, c.handoff_id == h.id))
            .where(c.tenant == self._tenant, c.id == conversation_id)
        )

    async def handoff(self, handoff_id: str) -> Handoff | None:
        """Return a hand-off."""
        h = handoffs.c
        return await self._handoff(sa.select(*_COLUMNS).where(h.tenant == self._tenant, h.id == handoff_id))

    async def outcome(self, key: str) -> Outcome | None:
        """Return what became of an input; ``None`` while it is open."""
        i = inputs.c
        query = sa.select(i.position, i.state, i.handoff_id, i.outcome).where(
            i.tenant == self._tenant, i.key == key, i.state != InputState.OPEN.value
        )
        async with self._store.read() as conn:
            row = (await conn.execute(query)).one_or_none()
        if row is None:
            return None
        return Outcome(row.position, key, InputState(row.state), row.handoff_id, row.outcome or "")

    async def is_session(self, session_id: str, connections: Collection[str]) -> bool:
        """Whether this is the id of one of our sessions: the helpdesk's side of a hand-off (behaviour S053)."""
        n = links.c
        query = (
            sa.select(n.session_id)
            .where(n.tenant == self._tenant, n.connection.in_(connections), n.session_id == session_id)
            .limit(1)
        )
        return await self._one(query) is not None

    async def want_all(self, now: datetime) -> int:
        """Ask for a reading of all sessions with an open hand-off; return how many there are."""
        n = links.c
        async with self._store.write() as conn:
            result = await conn.execute(links.update().where(n.tenant == self._tenant, _OPEN).values(wanted_at=now))
        return int(result.rowcount)

    async def _one(self, query: sa.Select[Any]) -> Any:
        async with self._store.read() as conn:
            return (await conn.execute(query)).scalar_one_or_none()

    async def _handoff(self, query: sa.Select[Any]) -> Handoff | None:
        async with self._store.read() as conn:
            row = (await conn.execute(query)).one_or_none()
        return handoff_of(row) if row is not None else None
