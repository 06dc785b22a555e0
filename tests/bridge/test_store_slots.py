"""No more than so much is asked of an account at a time, over all replicas (F38)."""

import asyncio
import random

import pytest
import sqlalchemy as sa

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.slots import Slots
from hitl_core.bridge.store.tables import slots, workers
from hitl_core.errors import StoreError

pytestmark = pytest.mark.anyio


@pytest.fixture
async def make(store, clock):
    """Make the slots of a worker that lives as long as the test says so."""
    made = []

    async def make(worker, cap=2, *, on=store, **options):
        async with store.write() as conn:
            at = await store.now(conn)
            row = {"id": worker, "started_at": at, "seen_at": at}
            await conn.execute(store.insert(workers).values(row).on_conflict_do_nothing())
        made.append(Slots(on, "acme", "acme/desk", cap, worker, **options))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()


async def owners(store):
    async with store.read() as conn:
        return (await conn.execute(sa.select(slots.c.worker).order_by(slots.c.number))).scalars().all()


async def beat(store, *ids):
    async with store.write() as conn:
        await conn.execute(sa.update(workers).where(workers.c.id.in_(ids)).values(seen_at=await store.now(conn)))


async def pump(clock, condition, step=0.1):
    """Let time pass until the condition holds; the bound only ends a test that has failed."""
    async with asyncio.timeout(20):
        while not condition():
            clock.advance(step)
            await asyncio.sleep(0.001)


async def test_two_replicas_never_have_more_than_the_cap_and_both_get_on(make, store, clock):
    replicas = [await make("one", 3), await make("two", 3)]
    rng, inside, done, most = random.Random(1), [], [], 0  # noqa: S311  no secret

    async def work(number):
        nonlocal most
        async with replicas[number % 2]:
            inside.append(number)
            most = max(most, len(inside))
            await clock.sleep(rng.random())
            inside.remove(number)
        done.append(number % 2)

    tasks = [asyncio.create_task(work(number)) for number in range(80)]
    while len(done) < 80:
        clock.advance(0.05)
        await beat(store, "one", "two")
    await asyncio.gather(*tasks)
    assert most == 3
    # Neither waits until the other is through.
    assert done[:40].count(0) >= 3
    assert done[:40].count(1) >= 3


async def test_a_slot_that_is_used_again_at_once_needs_no_look_into_the_database(make, store, clock):
    one = await make("one")
    async with one:
        pass
    statements = []
    sa.event.listen(store.engine.sync_engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    for _ in range(50):
        async with one:
            pass
    assert statements == []


async def test_slots_that_are_not_used_are_given_back_soon(make, store, clock):
    one, two = await make("one", 2), await make("two", 2)
    async with one, one:
        assert await owners(store) == ["one", "one"]
    waiting = asyncio.create_task(two.acquire())
    await pump(clock, waiting.done)
    two.release()


async def test_a_worker_that_has_none_gets_the_next_that_is_free_although_others_wait_for_it(make, store, clock):
    one, two, stop = await make("one", 1), await make("two", 1), False
    count = 0

    async def busy():
        nonlocal count
        while not stop:
            async with one:
                count += 1
                await clock.sleep(0.05)

    tasks = [asyncio.create_task(busy()) for _ in range(5)]
    await pump(clock, lambda: count > 3, 0.05)
    waiting = asyncio.create_task(two.acquire())
    await pump(clock, waiting.done, 0.05)
    before = count
    two.release()
    await pump(clock, lambda: count > before + 3, 0.05)
    stop = True
    await pump(clock, lambda: all(task.done() for task in tasks), 0.05)


async def test_the_slots_of_a_worker_that_died_are_free_when_its_lease_is_over(make, store, clock):
    dead, two = await make("dead", 1), await make("two", 1)
    await dead.acquire()
    waiting = asyncio.create_task(two.acquire())
    for _ in range(9):
        clock.advance(1)
        await beat(store, "two")
    assert not waiting.done()
    clock.advance(1.5)
    await beat(store, "two")
    await pump(clock, waiting.done)
    assert await owners(store) == ["two"]
    dead.release()
    two.release()


async def test_a_worker_that_was_stopped_for_too_long_does_not_go_on_with_a_slot_of_another(make, store, clock):
    stopped, two = await make("stopped", 1), await make("two", 1)
    async with stopped:
        pass
    clock._elapsed += 11  # stopped: nothing of it runs, not even what gives idle slots back
    await beat(store, "two")
    await two.acquire()
    again = asyncio.create_task(stopped.acquire())
    await asyncio.sleep(0.05)
    assert not again.done()
    two.release()
    await beat(store, "stopped")
    await pump(clock, again.done)
    stopped.release()


async def test_who_stops_waiting_takes_nothing_with_them(make, store, clock):
    one = await make("one", 1)
    await one.acquire()
    waiting = [asyncio.create_task(one.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    one.release()
    waiting[1].cancel()  # it has been given the slot and does not know yet
    await pump(clock, waiting[2].done)
    assert [task.cancelled() for task in waiting] == [True, True, False]
    one.release()


async def test_slots_are_had_in_the_order_of_asking(make, clock):
    one, order = await make("one", 1), []

    async def work(number):
        async with one:
            order.append(number)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(work(number)) for number in range(6)]
    await pump(clock, lambda: all(task.done() for task in tasks))
    assert order == list(range(6))


async def test_closing_gives_everything_back_and_refuses_who_waits(make, store, clock):
    one = await make("one", 1)
    await one.acquire()
    waiting = asyncio.create_task(one.acquire())
    await asyncio.sleep(0)
    await one.aclose()
    one.release()
    with pytest.raises(StoreError, match="closed"):
        await waiting
    with pytest.raises(StoreError, match="closed"):
        await one.acquire()
    assert await owners(store) == [None]


async def test_a_database_that_is_away_is_waited_for(make, store, clock, caplog):
    away = True

    class Flaky(type(store)):
        def write(self):
            if away:
                raise StoreError("the database cannot be reached")
            return super().write()

    async with Flaky(str(store.engine.url.render_as_string(hide_password=False)), clock=clock) as flaky:
        one = await make("one", on=flaky)
        waiting = asyncio.create_task(one.acquire())
        await pump(clock, lambda: "no slot of acme/desk" in caplog.text)
        assert not waiting.done()
        away = False
        await pump(clock, waiting.done)
        one.release()
        await one.aclose()


async def test_f32_accounts_and_tenants_have_slots_of_their_own(make, store):
    assert isinstance(store, Store)
    one = await make("one", 1)
    others = [Slots(store, "acme", "acme/other", 1, "one"), Slots(store, "rival", "acme/desk", 1, "one")]
    async with one, others[0], others[1]:
        assert await owners(store) == ["one"] * 3
    for other in others:
        await other.aclose()
