"""Deleting much without being in anybody's way: a few rows at a time, each lot in a transaction of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import blobs, conversations, handoffs, inputs, links, message_links

__all__ = ["OPEN_INPUT", "OPEN_LETTER", "Session", "Sweeper", "adopt_orphans", "delete_sessions", "session_of"]

# As the partial indexes say it: with a bound value SQLite does not use them.
OPEN_INPUT: Final = sa.text("hitl_inputs.state = 0")
OPEN_LETTER: Final = sa.text("hitl_dead_letters.state = 0")

_BLOB_ROWS: Final = 32  # of a quarter of a megabyte each

Condition: TypeAlias = "sa.ColumnElement[bool] | sa.TextClause"

Session: TypeAlias = tuple[str, str]
"""Key of a connection, and a session's id there."""


class Sweeper:
    """Deletes rows in lots.

    :param lot: rows per transaction.
    """

    def __init__(self, store: Store, lot: int) -> None:
        self._store = store
        self._lot = lot

    async def delete(self, table: sa.Table, *where: Condition) -> int:
        """Delete all rows of which this is true; an index has to find them, since writers wait meanwhile."""
        lot = min(self._lot, _BLOB_ROWS) if table is blobs else self._lot
        key = sa.tuple_(*table.primary_key.columns)
        total = 0
        while True:
            async with self._store.write() as conn:
                some = sa.select(*table.primary_key.columns).where(*where).limit(lot)
                deleted = (await conn.execute(sa.delete(table).where(key.in_(some)))).rowcount
            total += deleted
            if deleted < lot:
                return total
            await asyncio.sleep(0)

    async def delete_found(
        self,
        table: sa.Table,
        *where: Condition,
        within: Condition | None = None,
        until: sa.ColumnElement[bool] | None = None,
    ) -> int:
        """Delete rows of which this is true and which no index finds: looked for, lot by lot, without writing.

        :param within: where to look, if an index finds that.
        :param until: the looking ends at the first lot of rows of which this is true for all.
        """
        after: tuple[Any, ...] | None = None
        total = 0
        while True:
            found, after = await self._look(table, where, after, within, until)
            total += await self.delete_at(table, found, *where)
            if after is None:
                return total
            await asyncio.sleep(0)

    async def delete_at(self, table: sa.Table, keys: Sequence[Any], *where: Condition) -> int:
        """Delete those of these rows of which this is still true."""
        if not keys:
            return 0
        *before, last = table.primary_key.columns
        total = 0
        async with self._store.write() as conn:
            for first, ends in _grouped(keys).items():
                # One by one, because SQLite finds no index for a list of pairs.
                these = [column == value for column, value in zip(before, first, strict=True)]
                deleted = await conn.execute(sa.delete(table).where(*these, last.in_(ends), *where))
                total += deleted.rowcount
        return total

    async def _look(
        self,
        table: sa.Table,
        where: Sequence[Condition],
        after: tuple[Any, ...] | None,
        within: Condition | None,
        until: sa.ColumnElement[bool] | None,
    ) -> tuple[Sequence[Any], tuple[Any, ...] | None]:
        """Return which rows of the next lot are meant, and what it ends with; ``None`` when it is the last."""
        columns = list(table.primary_key.columns)
        key = sa.tuple_(*columns)

        def at(values: Sequence[Any]) -> sa.Tuple:
            return sa.tuple_(*(sa.literal(value, column.type) for value, column in zip(values, columns, strict=True)))

        lot = sa.select(*columns).order_by(*columns).limit(self._lot)
        if within is not None:
            lot = lot.where(within)
        if after is not None:
            lot = lot.where(key > at(after))
        async with self._store.read() as conn:
            rows = (await conn.execute(lot)).all()
            if not rows:
                return [], None
            these = sa.and_(key >= at(rows[0]), key <= at(rows[-1]))
            found = (await conn.execute(sa.select(*columns).where(these, *where))).all()
            last = len(rows) < self._lot
            if until is not None and not last:
                rest = sa.select(sa.exists(sa.select(1).select_from(table).where(these, sa.not_(until))))
                last = not (await conn.execute(rest)).scalar_one()
        return found, None if last else tuple(rows[-1])


def session_of(row: Any) -> Session:
    """Return the session of a hand-off's row."""
    return row.connection, row.session_id


async def delete_sessions(
    conn: AsyncConnection, tenant: str, sessions: Collection[Session], *, open: bool = False
) -> tuple[int, int]:
    """Delete what is known of sessions no hand-off is left of, and return how many links and message links that was.

    :param open: those that are marked open too.
    """
    n, m, h = links.c, message_links.c, handoffs.c
    still = sa.exists().where(
        h.tenant == n.tenant, h.conversation_id == n.conversation_id, h.session_id == n.session_id
    )
    which = [n.tenant == tenant, sa.not_(still)]
    if not open:
        which.append(sa.not_(n.open))
    linked = messages = 0
    for (connection,), ids in _grouped(sessions).items():
        these = (n.connection == connection, n.session_id.in_(ids))
        gone = (await conn.execute(sa.delete(links).where(*which, *these).returning(n.session_id))).scalars().all()
        of_them = (m.tenant == tenant, m.connection == connection, m.session_id.in_(gone))
        linked += len(gone)
        messages += (await conn.execute(sa.delete(message_links).where(*of_them))).rowcount
    return linked, messages


def _grouped(keys: Collection[Sequence[Any]]) -> dict[tuple[Any, ...], list[Any]]:
    """Sort keys by all but their last part."""
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for *first, last in sorted(tuple(key) for key in keys):
        groups.setdefault(tuple(first), []).append(last)
    return groups


async def adopt_orphans(store: Store, tenant: str) -> int:
    """Give open inputs the conversation's row they need, should it have been deleted in the moment they came.

    Accepting waits for nobody, so on PostgreSQL an input may find its conversation's row and be committed when that
    is gone.

    :returns: how many conversations there were.
    """
    i, c = inputs.c, conversations.c
    known = sa.exists().where(c.tenant == i.tenant, c.id == i.conversation_id)
    query = sa.select(i.conversation_id).where(i.tenant == tenant, OPEN_INPUT, sa.not_(known)).distinct()
    async with store.read() as conn:
        lost = (await conn.execute(query)).scalars().all()
    if lost:
        rows = [{"tenant": tenant, "id": id_, "speaker": "bot", "fence": 0} for id_ in sorted(lost)]
        async with store.write() as conn:
            await conn.execute(store.insert(conversations).on_conflict_do_nothing(), rows)
    return len(lost)
