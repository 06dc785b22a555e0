"""What PostgreSQL's planner knows about tables that have just been filled for the first time.

A statement that is prepared while a table is empty is planned once, for an empty table, where every index that begins
with the tenant looks as good as the right one; and the plan stays until the table is analysed. The server does that by
itself within a minute or so, at a cost of many milliseconds a row until then. Hence tables that nobody has ever
analysed are, as soon as there is something in them.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import metadata

__all__ = ["Statistics"]

_WORTH_IT: Final = 4  # pages of a table: with less in it no plan is slow
_UNKNOWN: Final = sa.text(
    "SELECT relname FROM pg_class WHERE oid = ANY(CAST(CAST(:names AS text[]) AS regclass[]))"
    " AND reltuples < 0 AND pg_relation_size(oid) >= :pages * current_setting('block_size')::int"
)


class Statistics:
    """Sees to it that the tables of a store are analysed once they have something in them; nothing on SQLite."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._names = sorted(metadata.tables)
        self._tried: set[str] = set()

    async def refresh(self) -> list[str]:
        """Analyse tables that nobody has; it takes some milliseconds, and disturbs nobody.

        Each is tried once: a role that does not own them is not allowed to, and the server does it in its own time.

        :returns: their names.
        :raises StoreError: the database is lost.
        """
        if self._store.is_sqlite:
            return []
        async with self._store.read() as conn:
            unknown = (await conn.execute(_UNKNOWN, {"names": self._names, "pages": _WORTH_IT})).scalars()
            found = [name for name in unknown if name not in self._tried]
        for name in found:
            self._tried.add(name)
            async with self._store.write() as conn:
                await conn.execute(sa.text(f"ANALYZE (SKIP_LOCKED) {name}"))
        return found
