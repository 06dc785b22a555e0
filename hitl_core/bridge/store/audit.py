"""The audit trail: who did what to a hand-off, without secrets and without anybody's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import audit

__all__ = ["Audit", "AuditEntry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that was done.

    :param actor: ``bot``, ``customer``, ``agent:ID``, ``timer``, ``worker`` or ``operator``.
    :param action: what, in a word or two with underscores.
    :param detail: more of it, without secrets and without anybody's words.
    :param position: where it stands in the trail; 0 while it is not stored.
    """

    at: datetime
    actor: str
    action: str
    conversation_id: str | None = None
    handoff_id: str | None = None
    detail: str | None = None
    position: int = 0


class Audit:
    """The audit trail of one tenant."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    async def append(self, conn: AsyncConnection, *entries: AuditEntry) -> None:
        """Add entries in the caller's transaction, so that they are there exactly if what they tell of happened."""
        if entries:
            await conn.execute(
                sa.insert(audit),
                [
                    {
                        "tenant": self._tenant,
                        "at": entry.at,
                        "actor": entry.actor,
                        "action": entry.action,
                        "conversation_id": entry.conversation_id,
                        "handoff_id": entry.handoff_id,
                        "detail": entry.detail,
                    }
                    for entry in entries
                ],
            )

    async def list(
        self,
        *,
        handoff_id: str | None = None,
        conversation_id: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Sequence[AuditEntry]:
        """Return entries, oldest first.

        :param after: go on behind this position.
        :raises StoreError: the database is lost.
        """
        a = audit.c
        query = sa.select(audit).where(a.tenant == self._tenant, a.position > after)
        if handoff_id is not None:
            query = query.where(a.handoff_id == handoff_id)
        if conversation_id is not None:
            query = query.where(a.conversation_id == conversation_id)
        async with self._store.read() as conn:
            rows = await conn.execute(query.order_by(a.position).limit(limit))
            return [
                AuditEntry(
                    at=row.at,
                    actor=row.actor,
                    action=row.action,
                    conversation_id=row.conversation_id,
                    handoff_id=row.handoff_id,
                    detail=row.detail,
                    position=row.position,
                )
                for row in rows
            ]
