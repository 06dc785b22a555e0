"""On PostgreSQL, tables that were just filled are analysed: plans made while they were empty do not stay."""

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from hitl_core.bridge.handoff.inputs import PauseRequested
from hitl_core.bridge.store.inbox import input_row
from hitl_core.bridge.store.statistics import Statistics
from hitl_core.bridge.store.tables import inputs

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("backend", ["postgresql"], indirect=True)]

BY_KEY = "SELECT * FROM hitl_inputs WHERE tenant = $1 AND key = $2"


async def fill(store):
    rows = [input_row("default", f"c{n}", f"k{n}", PauseRequested(), store.clock.now()) for n in range(500)]
    async with store.write() as conn:
        await conn.execute(inputs.insert(), [{**row, "state": 2} for row in rows])


@pytest.fixture
async def prepared(database_url):
    """Say by which index a statement is carried out that was prepared while nothing was there."""
    import asyncpg

    conn = await asyncpg.connect(database_url)
    await conn.execute("SET plan_cache_mode = force_generic_plan")
    await conn.execute(f"PREPARE by_key(text, text) AS {BY_KEY}")

    async def plan():
        return "\n".join(row[0] for row in await conn.fetch("EXPLAIN EXECUTE by_key('default', 'k1')"))

    yield plan
    await conn.close()


async def test_a_plan_made_for_an_empty_table_does_not_outlive_its_first_rows(store, database_url, prepared, backend):
    statistics = Statistics(store)
    assert await statistics.refresh() == [], "there is nothing in them"
    await prepared()
    await fill(store)
    assert await statistics.refresh() == ["hitl_inputs"]
    assert "hitl_inputs_tenant_key_key" in await prepared()
    assert await statistics.refresh() == [], "the server does it from here on"


async def test_who_may_not_analyse_leaves_it_to_the_server(store, database_url, backend, clocked_store):
    await fill(store)
    async with store.write() as conn:
        await conn.execute(sa.text("CREATE ROLE reader LOGIN"))
        await conn.execute(sa.text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"))
    url = make_url(database_url).set(username="reader").render_as_string(hide_password=False)
    reader = clocked_store(url, clock=store.clock, hints=False)
    try:
        statistics = Statistics(reader)
        assert await statistics.refresh() == ["hitl_inputs"]
        assert await statistics.refresh() == [], "asking again does not help"
        assert await Statistics(store).refresh() == ["hitl_inputs"]
    finally:
        await reader.close()
        async with store.write() as conn:
            await conn.execute(sa.text("DROP OWNED BY reader"))
            await conn.execute(sa.text("DROP ROLE reader"))
