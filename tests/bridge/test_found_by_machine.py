"""What the machine has found (tests/bridge/machine), each told by hand."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from hitl_core.errors import StoreError

from .world import BEA, world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def breakable(database_url, clock, clocked_store):
    """A store that can be lost."""

    class Breakable(clocked_store):
        lost = False

        @asynccontextmanager
        async def read(self):
            if self.lost:
                msg = "the database cannot be reached"
                raise StoreError(msg)
            async with super().read() as conn:
                yield conn

    async with Breakable(database_url, clock=clock) as store:
        yield store


async def test_an_intake_without_its_database_gives_way_until_the_next_poll(breakable):
    """It did not: it asked to be woken, was awake already, and nobody else of the process ever had a turn."""
    async with world(breakable) as w:
        await w.start()
        intake = w.bridge._intake
        breakable.lost = True
        intake.wake()
        assert not await intake.work()
        intake.wake()  # somebody wants something, while there is nothing to be had
        assert not await intake.work()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(intake.awake.wait(), 0.001)
        breakable.lost = False
        await w.deliver(w.desk.reply("t1", "I am here."))
        assert w.texts[-1] == "I am here."


async def test_what_an_agent_said_is_read_at_the_end_when_its_webhook_was_lost_f13(store):
    """Only sessions with an open hand-off are compared: what was said right before the end was never read."""
    async with world(store) as w:
        await w.start()
        w.desk.reply("t1", "One moment.", BEA)  # lost on the way
        await w.deliver(w.desk.close("t1", BEA))
        assert w.texts.count("One moment.") == 1
