"""Filling a store: two real hand-offs, one ended and one open, copied a great many times by the database itself.

The copies differ in every id, as if each had come through the bridge; ids of hand-offs are as scattered as real ones.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.bridge.scene import begin, bridged, settled, talk
from hitl_core.bridge.store import tables
from hitl_core.bridge.store.base import Store
from hitl_core.database import create_engine

__all__ = ["fill"]

_FILLED: Final = (
    tables.conversations,
    tables.handoffs,
    tables.inputs,
    tables.outbox,
    tables.links,
    tables.message_links,
    tables.user_links,
    tables.audit,
    tables.deliveries,
)
_OPEN_SHARE: Final = 100
_SCATTER: Final = 2_654_435_761  # odd, so that no two numbers below 2**32 become the same
_DIGITS: Final = 8


@dataclass(frozen=True)
class _Template:
    """The rows of one hand-off, and what has to be another text in each copy."""

    rows: Mapping[sa.Table, Sequence[Mapping[str, Any]]]
    conversation: str
    handoff: str
    commands: tuple[str, ...]

    def each(self) -> Iterator[tuple[sa.Table, Mapping[str, Any]]]:
        """Return the rows with their tables."""
        for table, rows in self.rows.items():
            for row in rows:
                yield table, row


def fill(url: str, handoffs: int, *, still_open: int | None = None, alias: str | None = None) -> None:
    """Add so many hand-offs with all their rows.

    :param still_open: how many of them are open, with nothing to do; every hundredth when left out.
    :param alias: what the helpdesk's account is called.
    """
    asyncio.run(_fill(url, handoffs, handoffs // _OPEN_SHARE if still_open is None else still_open, alias))


async def _fill(url: str, handoffs: int, still_open: int, alias: str | None) -> None:
    async with bridged(url, alias=alias) as bridge:
        names = await begin(bridge, 1, prefix="ended-") + await begin(bridge, 1, prefix="open-")
        await talk(bridge, names, 1)
        for name in names:
            headers = {"webhook-id": f"delivery-{name}", "webhook-session": f"session-{name}"}
            await bridge.receive_webhook(alias or "null", headers=headers, body=b"{}")
        await settled(bridge)
        await bridge.stop_hitl(names[0])
        await settled(bridge)
        templates = [await _template(bridge.store, name) for name in names]
    counts = (handoffs - still_open, still_open)
    if make_url(url).get_backend_name() == "sqlite":
        _copy_sqlite(url, templates, counts)
    else:
        await _copy_postgresql(url, templates, counts)


async def _template(store: Store, conversation: str) -> _Template:
    async with store.read() as conn:
        query = sa.select(tables.handoffs.c.id).where(tables.handoffs.c.conversation_id == conversation)
        handoff = (await conn.execute(query)).scalar_one()
        found = {table: await _rows_of(conn, table, (conversation, handoff)) for table in _FILLED}
    for row in found[tables.links]:
        row["wanted_at"] = None  # it was read, as a helpdesk that can be read would have it
    commands = tuple(row["key"] for row in found[tables.inputs] if row["key"].startswith("command:"))
    return _Template(found, conversation, handoff, commands)


async def _rows_of(conn: AsyncConnection, table: sa.Table, ids: tuple[str, str]) -> list[dict[str, Any]]:
    """Return rows as the database has them, without the position it gives them."""
    names = [column.name for column in table.c if column.name != "position"]
    stored = sa.text(f"SELECT {', '.join(names)} FROM {table.name}")  # noqa: S608 - names of ours
    rows = [dict(row._mapping) for row in await conn.execute(stored)]  # noqa: SLF001 - its public name
    return [row for row in rows if any(id_ in str(value) for id_ in ids for value in row.values())]


@dataclass(frozen=True)
class _Dialect:
    """How an engine says it.

    :param series: the numbers from 1 to ``:last``, as ``n``.
    :param scattered: an expression that makes hexadecimal digits of ``n``, no two the same.
    :param bound: what stands for the value of a column of a table.
    """

    series: str
    scattered: str
    bound: Callable[[sa.Table, str], str]

    def copies(self, table: sa.Table, row: Mapping[str, Any], template: _Template) -> str:
        """Return the ``INSERT`` that copies a row, once for each number."""
        values = ", ".join(self._value(table, name, value, template) for name, value in row.items())
        return f"INSERT INTO {table.name} ({', '.join(row)}) SELECT {values} FROM {self.series}"  # noqa: S608 - ids of ours

    def _value(self, table: sa.Table, name: str, value: Any, template: _Template) -> str:
        expression = self.bound(table, name)
        others = [(command, f"'{command[:-_DIGITS]}' || {self.scattered}") for command in template.commands]
        others.append((template.handoff, f"{self.scattered} || '{template.handoff[_DIGITS:]}'"))
        others.append((template.conversation, f"'{template.conversation}-' || n"))
        for text, other in others if isinstance(value, str) else ():
            if text in value:
                expression = f"replace({expression}, '{text}', {other})"
        return expression


_SQLITE: Final = _Dialect(
    series="(WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT :last) "
    "SELECT n FROM numbers)",
    scattered=f"printf('%0{_DIGITS}x', (n * {_SCATTER}) % 4294967296)",
    bound=lambda _table, name: f":{name}",
)


def _postgresql(dialect: sa.Dialect) -> _Dialect:
    return _Dialect(
        series="generate_series(1, :last) AS n",
        scattered=f"lpad(to_hex((n::bigint * {_SCATTER}) % 4294967296), {_DIGITS}, '0')",
        bound=lambda table, name: f"CAST(:{name} AS {table.c[name].type.compile(dialect)})",
    )


def _copy_sqlite(url: str, templates: Sequence[_Template], counts: Sequence[int]) -> None:
    connection = sqlite3.connect(make_url(url).database or "", isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    for template, count in zip(templates, counts, strict=True):
        for table, row in template.each() if count else ():
            connection.execute(_SQLITE.copies(table, row, template), {**row, "last": count})
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


async def _copy_postgresql(url: str, templates: Sequence[_Template], counts: Sequence[int]) -> None:
    engine = create_engine(url)
    said = _postgresql(engine.dialect)
    async with engine.connect() as plain:
        conn = await plain.execution_options(isolation_level="AUTOCOMMIT")
        for template, count in zip(templates, counts, strict=True):
            for table, row in template.each() if count else ():
                await conn.execute(sa.text(said.copies(table, row, template)), {**row, "last": count})
        await conn.execute(sa.text("VACUUM ANALYZE"))  # as the server itself does after a while
    await engine.dispose()
