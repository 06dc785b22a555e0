"""Forgetting what is no longer needed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from hitl_desk.server import tables
from hitl_desk.server.unit import INBOX

if TYPE_CHECKING:
    from hitl_desk.server.desk import Desk

__all__ = ["KEY_LIFETIME", "sweep"]

KEY_LIFETIME: Final = timedelta(hours=24)
"""How long an answer is kept for repeats under its idempotency key."""

_UNUSED_FILE: Final = timedelta(hours=24)


async def sweep(desk: Desk) -> None:
    """Delete answers kept for repeats, ended sessions, files nobody put to use, and old events."""
    now = desk.clock.now()
    keys, sessions, links, files = tables.idempotency, tables.sessions, tables.login_links, tables.attachments
    unused = sa.and_(files.c.ticket_id.is_(None), files.c.created_at < now - _UNUSED_FILE)
    idle = timedelta(seconds=desk.settings.session_idle)
    async with desk.write() as unit:
        await unit.conn.execute(sa.delete(keys).where(keys.c.created_at < now - KEY_LIFETIME))
        await unit.conn.execute(
            sa.delete(sessions).where(sa.or_(sessions.c.expires_at < now, sessions.c.used_at < now - idle))
        )
        await unit.conn.execute(sa.delete(links).where(links.c.expires_at < now))
        gone = [row.id for row in await unit.conn.execute(sa.delete(files).where(unused).returning(files.c.id))]
    for attachment_id in gone:
        await asyncio.to_thread((desk.settings.attachments_dir / attachment_id).unlink, missing_ok=True)
    before = now - timedelta(seconds=desk.settings.event_retention)
    async with desk.read() as conn:
        bots = [row.id for row in await conn.execute(sa.select(tables.bots.c.id))]
    for stream in (*bots, INBOX):
        await desk.log.trim(stream, before)
