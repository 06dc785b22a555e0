"""Rows of the bridge's tables for tests: what does not matter is filled in."""

from datetime import UTC, datetime

import sqlalchemy as sa

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

_FILLERS = {
    "boolean": False,
    "large_binary": b"",
    "float": 0.0,
    "integer": 0,
    "big_integer": 0,
    "type_decorator": START,
    "text": "x",
}


async def put(store, table, **values):
    """Insert a row, and return its position if it has one; columns that may be null are, others hold a filler."""
    row = {"tenant": "acme"} if "tenant" in table.c else {}
    for column in table.columns:
        if not column.nullable and column.name not in {"position", "tenant"}:
            row[column.name] = _FILLERS[column.type.__visit_name__]
    statement = sa.insert(table).values(row | values)
    async with store.write() as conn:
        if "position" in table.c:
            return (await conn.execute(statement.returning(table.c.position))).scalar_one()
        await conn.execute(statement)
    return None


async def rows(store, table, *where):
    """Return the rows that are there, in order."""
    order = [table.c.position] if "position" in table.c else list(table.primary_key.columns)
    async with store.read() as conn:
        return (await conn.execute(sa.select(table).where(*where).order_by(*order))).all()
