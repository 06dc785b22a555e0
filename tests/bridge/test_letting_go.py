"""What is over is let go of, and a customer is forgotten, by the bridge and from the command line."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import handoffs, inputs, metadata, user_links
from hitl_core.cli import run
from hitl_core.clock import SystemClock
from hitl_core.errors import StoreError
from hitl_core.people import EndUser

from .world import ADA, BEA, world

CY = EndUser(external_id="u2", name="Cy")


async def count(store, table):
    async with store.read() as conn:
        return (await conn.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()


async def one_ended_and_one_open(w):
    await w.start("c1", ADA)
    await w.say("Where is it?", "c1")
    await w.deliver(w.desk.close("t1", BEA))
    await w.start("c2", CY)
    await w.say("And mine?", "c2")


async def while_time_passes(w, call):
    """Wait for what waits for a clock that stands still."""
    task = asyncio.ensure_future(call)
    while not task.done():
        w.clock.advance(1)
        await asyncio.wait([task], timeout=0.02)
    return task.result()


@pytest.mark.anyio
async def test_a_purge_lets_go_of_what_ended_long_ago_and_of_nothing_that_is_open(store):
    async with world(store) as w:
        await one_ended_and_one_open(w)
        w.clock.advance(3600)
        assert not (await w.bridge.purge(timedelta(days=1)))["handoffs"]
        w.clock.advance(2 * 86400)
        gone = await while_time_passes(w, w.bridge.purge(timedelta(days=1)))
        assert gone["handoffs"] == 1
        assert await w.bridge.handoff("c1") is None
        assert (await w.bridge.handoff("c2")).open
        await w.deliver(w.desk.reply("t2", "It goes on.", BEA))
        assert "It goes on." in w.texts


@pytest.mark.anyio
async def test_a_customer_is_forgotten_and_another_one_is_not(store):
    async with world(store) as w:
        await one_ended_and_one_open(w)
        await while_time_passes(w, w.bridge.erase_customer("u1"))
        assert await count(store, handoffs) == await count(store, user_links) == 1
        async with store.read() as conn:
            for table in metadata.sorted_tables:
                for row in await conn.execute(sa.select(table)):
                    assert "Where is it?" not in str(row), table.name
        with pytest.raises(StoreError, match="open"):
            await w.bridge.erase_customer("u2")
        assert (await while_time_passes(w, w.bridge.erase_customer("u2", force=True)))["handoffs"] == 1
        assert await count(store, inputs) == 0


def test_the_commands_say_what_is_gone(database_url, capsys):
    async def fill():
        async with Store(database_url, clock=SystemClock()) as store, world(store) as w:
            await one_ended_and_one_open(w)

    asyncio.run(fill())
    assert run(["db", "purge", "--older-than", "1", "--db", database_url]) == 0
    assert "nothing to let go of" in capsys.readouterr().err
    assert run(["db", "erase-customer", "u2", "--db", database_url]) == 1
    assert "open" in capsys.readouterr().err
    assert run(["db", "erase-customer", "u1", "--db", database_url]) == 0
    assert "handoffs" in capsys.readouterr().out
    assert run(["db", "erase-customer", "nobody", "--db", database_url]) == 0
    assert "nothing to let go of" in capsys.readouterr().err
    assert run(["db", "purge", "--db", database_url]) == 2
    assert "--older-than" in capsys.readouterr().err
