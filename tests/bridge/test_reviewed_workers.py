"""Workers, their leases, and each other: what several of them, or their clocks, must not do to a conversation."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from hitl_core.bridge import Policy
from hitl_core.bridge.store.tables import timers, workers

from .conftest import KEY, StillClock
from .world import LEASE, world

pytestmark = pytest.mark.anyio


class ResettableClock(StillClock):
    """The clock of a machine, which somebody may set to another time; the database has its own."""

    set_back = timedelta(0)

    def now(self):
        return super().now() - self.set_back

    def of_the_database(self):
        return super().now()


@pytest.fixture
def clock():
    return ResettableClock()


@pytest.fixture
async def store(database_url, clock, clocked_store):
    class TwoClocks(clocked_store):
        async def now(self, conn):
            return clock.of_the_database()

    async with TwoClocks(database_url, clock=clock, key=KEY) as store:
        yield store


async def test_a_worker_whose_clock_is_set_back_goes_on_saying_that_it_lives(store, clock):
    async with world(store) as w:
        await w.start()
        clock.set_back = timedelta(hours=1)
        await w.pass_time(2 * LEASE)
        async with store.read() as conn:
            seen_at = (await conn.execute(sa.select(workers.c.seen_at))).scalar_one()
        assert clock.of_the_database() - seen_at < timedelta(seconds=LEASE)


async def test_a_worker_whose_clock_is_set_back_while_it_is_paused_does_nothing_more_with_its_lease(
    store, clock, backend
):
    if backend == "sqlite":
        pytest.skip("there the lease is a lock")
    async with world(store) as w:
        await w.start()
        await w.bridge.handle_user_message("c1", "one", message_id="m1")
        clock.set_back = timedelta(hours=1)
        clock.advance(LEASE)
        worker = w.bridge._driver._worker
        await worker.work()
        await worker.attempted()
        assert "send_message" not in w.desk.calls, "another worker may be at it"
        await w.settle()
        await w.pass_time(2)
        assert w.sent() == ["one"]


async def test_f14_timers_that_another_worker_takes_up_are_not_asked_for_all_the_time(store, clock, backend):
    if backend == "sqlite":
        pytest.skip("there is one worker")
    async with world(store, policy=Policy(maximum_duration_seconds=60)) as w:
        await w.start()
        worker = w.bridge._driver._worker
        async with store.write() as another:
            await another.execute(sa.select(timers).with_for_update())
            clock.advance(60)
            await worker.sweep()
            assert worker.next_at() > clock.now()
        clock.advance(1)
        await w.settle()
        assert w.texts[-1] == "too_long"
