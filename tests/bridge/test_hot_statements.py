"""What a statement costs does not depend on how many hand-offs there have been (architecture §4.1).

The same scene is played on a store with few hand-offs behind it and on one with many; every statement the bridge makes
is noted, run again alone, and what the database did for it is counted: SQLite's instructions, PostgreSQL's pages.
"""

import asyncio
import json
import sqlite3

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from benchmarks.bridge.filling import fill
from hitl_core.bridge.store.tables import metadata

from .world import BEA, world

pytestmark = pytest.mark.anyio

FEW, MANY = 100, 4_000
_SMALL = {"hitl_workers", "hitl_connections", "hitl_version"}
"""One row for a process or an account, however many hand-offs there are."""
_ALLOWED = {"sqlite": 600, "postgresql": 30}
"""What may be added however little a statement did on the small store: trees are higher on the large one."""


class Statements:
    """Notes what a store is asked, each statement with the parameters it had first."""

    def __init__(self, store):
        self.found = {}
        sa.event.listen(store.engine.sync_engine, "before_cursor_execute", self._note)

    def _note(self, _conn, _cursor, statement, parameters, _context, many):
        plain = statement.startswith("INSERT") and "ON CONFLICT" not in statement  # cannot be run twice, nor scan
        if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")) and not plain:
            self.found.setdefault(statement, tuple(parameters[0] if many else parameters))


async def _play(store, clock):
    """Let happen what happens all the time: a hand-off from its start to its end, what is heard, what is due."""
    policy = {"agent_assigned_timeout_seconds": 600, "customer_silence_timeout_seconds": 900}
    said = Statements(store)
    async with world(store, reconcile_seconds=60) as at:
        await at.start(policy=policy)
        ticket = next(iter(at.desk.tickets))
        await at.say("Where is my parcel?")
        await at.deliver(at.desk.assign(ticket, BEA))
        await at.deliver(at.desk.reply(ticket, "On its way."))
        await at.say("Thank you.")
        at.desk.reply(ticket, "Its webhook is lost.")
        await at.pass_time(130, step=10)
        await at.bridge.reconcile()
        await at.say("unheard of", conversation="c9")
        assert await at.bridge.silent("c1")
        await at.bridge.pause("c1")
        await at.bridge.resume("c1")
        await at.pass_time(1000, step=100)
        await at.start(conversation="c2")
        await at.bridge.stop_hitl("c2")
        await at.bridge.settle()
        assert await at.bridge.handoff("c2") is not None
    return said.found


async def _filled(url, handoffs, clocked_store, clock):
    await asyncio.to_thread(fill, url, handoffs, still_open=0, alias="memory")
    async with clocked_store(url, clock=clock, hints=False) as store:
        return await _play(store, clock)


def _instructions(url, statements):
    """Return how many of SQLite's instructions each statement takes."""
    connection = sqlite3.connect(make_url(url).database, isolation_level=None)
    counted = {}
    for statement, parameters in statements.items():
        count = 0

        def one_more():
            nonlocal count
            count += 1

        connection.execute("BEGIN")
        connection.set_progress_handler(one_more, 1)
        connection.execute(statement, parameters).fetchall()
        connection.set_progress_handler(None, 1)
        connection.execute("ROLLBACK")
        counted[statement] = count
    connection.close()
    return counted


async def _pages(url, statements):
    """Return how many of PostgreSQL's pages each statement looks at."""
    import asyncpg

    connection = await asyncpg.connect(url)
    counted = {}
    for statement, parameters in statements.items():
        transaction = connection.transaction()
        await transaction.start()
        told = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *parameters)
        await transaction.rollback()
        plan = json.loads(told)[0]["Plan"]
        counted[statement] = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    await connection.close()
    return counted


def _scans(url, statements):
    """Return the statements for which SQLite reads a table from its beginning to its end."""
    connection = sqlite3.connect(make_url(url).database)
    large = {table.name for table in metadata.sorted_tables} - _SMALL
    found = []
    for statement, parameters in statements.items():
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
        if any(step.startswith("SCAN") and step.split()[1] in large for step in steps):
            found.append((statement, steps))
    connection.close()
    return found


async def test_no_statement_costs_more_because_many_hand_offs_are_stored(
    database_url, another_database_url, backend, clocked_store, clock
):
    few = await _filled(database_url, FEW, clocked_store, clock)
    many = await _filled(another_database_url, MANY, clocked_store, clock)

    assert few.keys() == many.keys()
    assert len(many) > 50, "the scene makes few statements; is the recorder at work?"
    if backend == "sqlite":
        scans = _scans(another_database_url, many)
        assert not scans, "\n".join(map(str, scans))
        little, much = _instructions(database_url, few), _instructions(another_database_url, many)
    else:
        little, much = await _pages(database_url, few), await _pages(another_database_url, many)
    dear = [(little[sql], much[sql], sql) for sql in much if much[sql] > 2 * little[sql] + _ALLOWED[backend]]
    assert not dear, "\n".join(map(str, dear))
