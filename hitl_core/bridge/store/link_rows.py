"""Sessions in the store: whose each is, how far it was read, when it is to be read again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.handoff.records import Phase
from hitl_core.bridge.store.intake_rows import Row, wish
from hitl_core.bridge.store.tables import handoffs, links, message_links

__all__ = ["LinkRows"]

_AT_ONCE: Final = 500
_OWN_IDS: Final = 2_000

# As the partial indexes say it: with a bound value SQLite does not use them.
_OPEN_HANDOFF: Final = sa.text("hitl_handoffs.open")
_OPEN_LINK: Final = sa.text("hitl_links.open")


class LinkRows:
    """The links of one tenant."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        n = links.c
        one = (
            n.tenant == tenant,
            n.connection == sa.bindparam("b_connection"),
            n.session_id == sa.bindparam("b_session_id"),
        )
        h, m = handoffs.c, message_links.c
        named = (n.tenant == tenant, n.connection == sa.bindparam("key"))
        # Made once: making a statement costs more than running it.
        self._find = sa.select(links).where(*named, n.session_id.in_(sa.bindparam("ids", expanding=True)))
        newest = sa.func.row_number().over(partition_by=m.session_id, order_by=m.linked_at.desc())
        ours = (
            sa.select(m.session_id, m.vendor_id, newest.label("age"))
            .where(
                m.tenant == tenant,
                m.connection == sa.bindparam("key"),
                m.session_id.in_(sa.bindparam("ids", expanding=True)),
                m.direction == "out",
            )
            .subquery()
        )
        self._own_ids = sa.select(ours.c.session_id, ours.c.vendor_id).where(ours.c.age <= _OWN_IDS)
        self._starting = sa.select(sa.func.min(h.started_at, type_=h.started_at.type)).where(
            h.tenant == tenant, h.connection == sa.bindparam("key"), _OPEN_HANDOFF, h.phase == Phase.STARTING.value
        )
        self._wanted = (
            sa.select(links)
            .where(*named, n.wanted_at.is_not(None), n.wanted_at <= sa.bindparam("now"))
            .order_by(n.wanted_at)
            .limit(sa.bindparam("at_most", type_=sa.Integer()))
        )
        self._wish = wish(tenant)
        self._move = (
            links.update()
            .where(*one, n.cursor.is_not_distinct_from(sa.bindparam("b_before", type_=sa.Text())))
            .values(cursor=sa.bindparam("b_cursor"))
        )
        self._claim = links.update().where(*one).values(wanted_at=sa.bindparam("b_claim"))
        self._end = (
            links.update()
            .where(*one, n.wanted_at == sa.bindparam("b_claim", type_=n.wanted_at.type))
            .values(wanted_at=sa.bindparam("b_again"))
        )

    # Whose ----------------------------------------------------------------------------------------------------

    async def find(self, conn: AsyncConnection, key: str, ids: Iterable[str]) -> dict[str, Row]:
        """Return the links of those of an account's sessions that have one."""
        found: dict[str, Row] = {}
        for some in _in_parts(ids):
            result = await conn.execute(self._find, {"key": key, "ids": some})
            found.update((row.session_id, row) for row in result)
        return found

    async def own_ids(self, conn: AsyncConnection, key: str, ids: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return the helpdesk's ids of what we wrote in sessions, the last few thousand of each (behaviour F24)."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for some in _in_parts(ids):
            for row in await conn.execute(self._own_ids, {"key": key, "ids": some}):
                found[row.session_id].add(row.vendor_id)
        return {id_: frozenset(own) for id_, own in found.items()}

    async def starting_since(self, conn: AsyncConnection, key: str) -> datetime | None:
        """Return since when a hand-off has been starting on a connection: an unknown session may become its own."""
        since: datetime | None = (await conn.execute(self._starting, {"key": key})).scalar_one()
        return since

    async def open_handoffs(
        self, conn: AsyncConnection, conversation_ids: Collection[str]
    ) -> dict[tuple[str, str | None], str]:
        """Return the ids of open hand-offs, by conversation and session."""
        h = handoffs.c
        query = sa.select(h.conversation_id, h.session_id, h.id).where(
            h.tenant == self._tenant, h.conversation_id.in_(conversation_ids), _OPEN_HANDOFF
        )
        return {(row.conversation_id, row.session_id): row.id for row in await conn.execute(query)}

    # How far --------------------------------------------------------------------------------------------------

    async def move_cursors(self, conn: AsyncConnection, moves: Iterable[tuple[str, str, str | None, str]]) -> None:
        """Note how far sessions were read: (connection, session, cursor it was read from, cursor now).

        A cursor that was moved by somebody else meanwhile stays where they put it.
        """
        rows = [
            {"b_connection": key, "b_session_id": id_, "b_before": before, "b_cursor": cursor}
            for key, id_, before, cursor in sorted(moves, key=lambda move: move[:2])
        ]
        if rows:
            await conn.execute(self._move, rows)

    # When -----------------------------------------------------------------------------------------------------

    async def want(self, conn: AsyncConnection, wishes: Iterable[tuple[str, str, datetime]]) -> None:
        """Ask for sessions to be read: (connection, session, not before then)."""
        rows = [{"b_connection": key, "b_session_id": id_, "b_at": at} for key, id_, at in sorted(wishes)]
        if rows:
            await conn.execute(self._wish, rows)

    async def wanted(self, conn: AsyncConnection, key: str, now: datetime, limit: int) -> Sequence[Row]:
        """Return links whose session is to be read now, the longest wanted first."""
        return (await conn.execute(self._wanted, {"key": key, "now": now, "at_most": limit})).all()

    async def claim(self, conn: AsyncConnection, key: str, ids: Iterable[str], claim: datetime) -> None:
        """Note that sessions are being read.

        :param claim: a time ahead of every wish: a wish that comes meanwhile replaces it, and should we die, the
            session is wanted again then.
        """
        rows = [{"b_connection": key, "b_session_id": id_, "b_claim": claim} for id_ in sorted(ids)]
        await conn.execute(self._claim, rows)

    async def end_claims(
        self, conn: AsyncConnection, claims: Iterable[tuple[str, str, datetime, datetime | None]]
    ) -> None:
        """Note that sessions were read: (connection, session, our claim, when it is wanted again).

        A wish that came meanwhile stays.
        """
        rows = [
            {"b_connection": key, "b_session_id": id_, "b_claim": claim, "b_again": again}
            for key, id_, claim, again in sorted(claims, key=lambda each: each[:2])
        ]
        if rows:
            await conn.execute(self._end, rows)

    async def open_sessions(self, conn: AsyncConnection, key: str) -> list[str]:
        """Return the sessions of an account that a hand-off is open on, the newest first."""
        n = links.c
        query = (
            sa.select(n.session_id)
            .where(n.tenant == self._tenant, n.connection == key, _OPEN_LINK)
            .order_by(n.linked_at.desc(), n.session_id)
        )
        return list((await conn.execute(query)).scalars())


def _in_parts(ids: Iterable[str]) -> Iterator[list[str]]:
    unique = list(dict.fromkeys(ids))
    for start in range(0, len(unique), _AT_ONCE):
        yield unique[start : start + _AT_ONCE]
