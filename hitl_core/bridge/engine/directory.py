"""What the engine looks up in the store while it carries effects out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.engine.progress import Busy, ClaimedUser, Progress, UserClaim
from hitl_core.bridge.handoff.inputs import AgentEvent, UserMessage, parse_input
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import conversations, inputs, links, message_links, outbox, user_links, workers
from hitl_core.events import AgentMessage
from hitl_core.people import Author, ExternalUser, Role
from hitl_core.sessions import HistoryEntry, SessionRef

__all__ = ["StoreDirectory"]

_MANY: Final = 2_000
_CLAIM: Final = timedelta(seconds=60)


class StoreDirectory:
    """The look-ups of one worker.

    :param worker: its id, which a claim is made in.
    :param lease: seconds after its last heartbeat for which another worker, and its claims, are taken to live.
    """

    def __init__(self, store: Store, tenant: str, worker: str, *, lease: float = 10.0) -> None:
        self._store = store
        self._tenant = tenant
        self._worker = worker
        self._lease = timedelta(seconds=lease)
        self._making: set[tuple[str, str]] = set()

    # Sessions and messages ------------------------------------------------------------------------------------

    async def session_ids(self, connection: str) -> frozenset[str]:
        """Return the ids of the sessions of an account that are accounted for; the last few thousand."""
        n = links.c
        query = (
            sa.select(n.session_id)
            .where(n.tenant == self._tenant, n.connection == connection)
            .order_by(n.linked_at.desc())
            .limit(_MANY)
        )
        async with self._store.read() as conn:
            return frozenset((await conn.execute(query)).scalars())

    async def own_message_ids(self, session: SessionRef) -> frozenset[str]:
        """Return the helpdesk's ids of what we wrote in a session; the last few thousand."""
        m = message_links.c
        query = sa.select(m.vendor_id).where(*self._of(session, "out")).order_by(m.linked_at.desc()).limit(_MANY)
        async with self._store.read() as conn:
            return frozenset((await conn.execute(query)).scalars())

    async def shown_keys(self, session: SessionRef, vendor_message_id: str) -> tuple[str, ...]:
        """Return the keys an agent's message was shown to the customer under (behaviour S006, S081)."""
        m = message_links.c
        query = sa.select(m.key).where(*self._of(session, "in"), m.vendor_id == vendor_message_id).order_by(m.linked_at)
        async with self._store.read() as conn:
            return tuple((await conn.execute(query)).scalars())

    def _of(self, session: SessionRef, direction: str) -> list[sa.ColumnElement[bool]]:
        m = message_links.c
        return [
            m.tenant == self._tenant,
            m.connection == session.connection,
            m.session_id == session.id,
            m.direction == direction,
        ]

    # Customers ------------------------------------------------------------------------------------------------

    async def claim_user(self, connection: str, user_key: str, fingerprint: str) -> ClaimedUser:
        """Ask for a customer's record: it is known, or ours to make, or being made by another (behaviour F05)."""
        making, ours = (connection, user_key), False
        try:
            async with self._store.write() as conn:
                claim = await self._claim(conn, connection, user_key, fingerprint)
                ours = isinstance(claim, UserClaim)
                if ours:
                    self._making.add(making)  # before the others of this process can see the row
        except BaseException:
            if ours:  # whatever became of the commit, nobody here makes the record
                self._making.discard(making)
            raise
        return claim

    async def _claim(self, conn: AsyncConnection, connection: str, user_key: str, fingerprint: str) -> ClaimedUser:
        u = user_links.c
        key = {"tenant": self._tenant, "connection": connection, "user_key": user_key}
        mine = [u[name] == value for name, value in key.items()]
        find = sa.select(user_links).where(*mine).with_for_update()
        now = self._store.clock.now()
        row = (await conn.execute(find)).one_or_none()
        if row is None:  # the first to write one wins, and the others find its claim
            await conn.execute(self._store.insert(user_links).on_conflict_do_nothing(), {**key, "updated_at": now})
            row = (await conn.execute(find)).one()
        known = ExternalUser.model_validate_json(row.external) if row.external else None
        if known is not None and row.fingerprint == fingerprint:
            return known
        if await self._claimed(conn, row, now):
            return Busy()
        claim = {"claimed_by": self._worker, "claimed_at": now}
        await conn.execute(user_links.update().where(*mine).values(**claim))
        return UserClaim(known)

    async def _claimed(self, conn: AsyncConnection, row: sa.Row[Any], now: datetime) -> bool:
        """Whether somebody is making a record: a worker that died in the act is not, nor waited for."""
        if row.claimed_by is None or row.claimed_at is None or now - row.claimed_at >= _CLAIM:
            return False
        if row.claimed_by == self._worker:  # unless it is one whose commit we were not told the end of
            return (row.connection, row.user_key) in self._making
        if self._store.is_sqlite:  # whoever worked before us is dead
            return False
        w, since = workers.c, await self._store.now(conn) - self._lease
        alive = await conn.execute(sa.select(w.id).where(w.id == row.claimed_by, w.seen_at > since))
        return alive.first() is not None

    async def keep_user(self, connection: str, user_key: str, fingerprint: str, user: ExternalUser | None) -> None:
        """Keep what was made; ``None`` gives the claim back."""
        self._making.discard((connection, user_key))
        u = user_links.c
        values: dict[str, Any] = {"claimed_by": None, "claimed_at": None, "updated_at": self._store.clock.now()}
        if user is not None:
            values |= {"external": user.model_dump_json(), "fingerprint": fingerprint}
        async with self._store.write() as conn:
            await conn.execute(
                user_links.update()
                .where(u.tenant == self._tenant, u.connection == connection, u.user_key == user_key)
                .values(**values)
            )

    # Hand-offs ------------------------------------------------------------------------------------------------

    async def start_progress(self, effect_key: str) -> Progress | None:
        """Return how far a start has come."""
        o = outbox.c
        async with self._store.read() as conn:
            stored = (
                await conn.execute(sa.select(o.progress).where(o.tenant == self._tenant, o.key == effect_key))
            ).scalar_one_or_none()
        return Progress.model_validate_json(stored) if stored else None

    async def transcript(self, handoff_id: str) -> tuple[HistoryEntry, ...]:
        """Return what customer and agents said during a hand-off, oldest first."""
        i = inputs.c
        query = (
            sa.select(i.payload, i.accepted_at)
            .where(i.tenant == self._tenant, i.handoff_id == handoff_id, i.kind.in_(("user_message", "agent_event")))
            .order_by(i.position)
        )
        async with self._store.read() as conn:
            rows = (await conn.execute(query)).all()
        entries = (_entry(row.payload, row.accepted_at) for row in rows)
        return tuple(entry for entry in entries if entry is not None)

    async def bot_has(self, conversation_id: str) -> bool:
        """Whether the bot has a conversation now."""
        c = conversations.c
        async with self._store.read() as conn:
            speaker = (
                await conn.execute(sa.select(c.speaker).where(c.tenant == self._tenant, c.id == conversation_id))
            ).scalar_one_or_none()
        return speaker in {None, "bot"}


def _entry(payload: str, at: datetime) -> HistoryEntry | None:
    match parse_input(payload):
        case UserMessage(message=message, author=author):
            return HistoryEntry(author=author, message=message, sent_at=at)
        case AgentEvent(event=AgentMessage() as event):
            author = Author.agent(event.agent) if event.agent is not None else Author(role=Role.AGENT)
            return HistoryEntry(author=author, message=event.message, sent_at=event.occurred_at or at)
        case _:
            return None
