"""One worker reads a connection at a time; none of them, nor the database, has to live for anything to be kept."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.intake_rows import want
from hitl_core.bridge.store.tables import connections, deliveries, inputs, links
from hitl_core.connect import connect_class
from hitl_core.errors import StoreError

from .conftest import KEY as ENCRYPTION_KEY
from .conftest import ClockedStore
from .intake_scene import BEA, KEY, TENANT, Desk, DeskProvider, Scene, provider, scene, until

pytestmark = pytest.mark.anyio

PUSH = provider(pull=False, changes=False)


class FlakyStore(ClockedStore):
    """A database that can be lost.

    :ivar lost: nothing can be read or written.
    :ivar unsure: the next commits take place, and nobody is told.
    """

    lost = False
    unsure = 0

    @asynccontextmanager
    async def write(self):
        if self.lost:
            raise StoreError("the database cannot be reached")
        async with super().write() as conn:
            yield conn
        if self.unsure:
            self.unsure -= 1
            self.lost = True
            raise StoreError("the database cannot be reached")

    @asynccontextmanager
    async def read(self):
        if self.lost:
            raise StoreError("the database cannot be reached")
        async with super().read() as conn:
            yield conn


@pytest.fixture
async def flaky(database_url, clock):
    async with FlakyStore(database_url, clock=clock, key=ENCRYPTION_KEY) as store:
        yield store


async def linked(it, *ids):
    it.desk.open(*ids)
    for id_ in ids:
        await it.link(id_)


# Owning -----------------------------------------------------------------------------------------------------------


async def test_a_connection_nobody_has_is_taken_and_a_row_made_for_it(store):
    async with scene(store) as it:
        assert it.intake.owned == frozenset()
        await it.intake.poll()
        await it.intake.poll()
        assert it.intake.owned == {KEY}
        owner = await it.owner()
        assert (owner.worker, owner.fence) == ("w1", 1)


async def test_a_row_that_somebody_made_for_another_purpose_is_taken_all_the_same(store):
    async with scene(store) as it:
        row = {"tenant": TENANT, "connection": KEY, "fence": 0, "paused_at": it.now, "paused_detail": "key revoked"}
        await it.add(connections, row)
        await it.intake.poll()
        owner = await it.owner()
        assert (owner.worker, owner.fence, owner.paused_detail) == ("w1", 1, "key revoked")


async def test_what_another_worker_that_lives_has_is_theirs(store):
    async with scene(store, PUSH) as it:
        await linked(it, "t1")
        other = it.worker("w2")
        it.live = {"w1", "w2"}
        await it.intake.poll()
        await it.settle(other)
        assert other.owned == frozenset()
        await it.says("t1", "Hello", intake=other)
        await it.settle(other)
        assert await it.said() == []
        await it.settle()
        assert await it.said() == ["Hello"]


async def test_what_a_dead_worker_had_is_taken_with_the_next_fence(store):
    async with scene(store, PUSH) as it:
        await linked(it, "t1")
        await it.intake.poll()
        await it.says("t1", "Hello")
        other = it.worker("w2")
        it.live = {"w2"}
        await it.settle(other)
        assert await it.said() == ["Hello"]
        owner = await it.owner()
        assert (owner.worker, owner.fence) == ("w2", 2)
        await it.intake.poll()
        assert it.intake.owned == frozenset()
        await other.aclose()


async def test_a_worker_that_ends_gives_its_connections_back(store):
    async with scene(store) as it:
        await it.intake.poll()
        await it.intake.aclose()
        owner = await it.owner()
        assert (owner.worker, owner.fence) == (None, 1)
        it.live = {"w1", "w2"}
        other = it.worker("w2")
        await other.poll()
        assert (await it.owner()).fence == 2
        await it.intake.aclose()
        assert (await it.owner()).worker == "w2", "what is somebody else's now is not given back"
        await other.aclose()


async def test_a_worker_that_ends_in_the_middle_of_its_work_leaves_it_to_others(store):
    async with scene(store, PUSH) as it:
        await linked(it, "t1")
        it.desk.gates["d1"] = asyncio.Event()
        await it.says("t1", "Hello", id="d1")
        await it.intake.poll()
        work = it.working()
        await until(lambda: it.desk.running)
        await it.intake.aclose()
        assert not await work
        assert not it.desk.running
        assert await it.state("d1") == 0
        it.desk.gates.clear()
        other = it.worker("w2")
        await it.settle(other)
        assert await it.said() == ["Hello"]
        await other.aclose()


async def test_two_workers_share_several_connections_one_each_at_a_time(store):
    desk = Desk()
    settings = {"helpdesk": desk, "webhook_secret": desk.secret, "clock": store.clock}
    async with (
        connect_class(DeskProvider, alias="one", **settings) as one,
        connect_class(DeskProvider, alias="two", **settings) as two,
    ):
        it = Scene(store, desk, one, [two])
        it.live = {"w1", "w2"}
        first, second = it.intake, it.worker("w2")
        await asyncio.gather(first.poll(), second.poll())
        assert first.owned | second.owned == {"default/one", "default/two"}
        assert not first.owned & second.owned
        await first.aclose()
        await second.aclose()


# Fences -----------------------------------------------------------------------------------------------------------


async def stolen(it):
    """Another worker takes the connection, and this one has not noticed."""
    await it.change(connections, connections.c.connection == KEY, worker="w2", fence=7)


async def test_a_worker_that_lost_its_connection_writes_nothing_of_what_it_read(store):
    async with scene(store, PUSH) as it:
        await linked(it, "t1")
        it.desk.gates["d1"] = asyncio.Event()
        await it.says("t1", "Hello", id="d1")
        await it.intake.poll()
        work = it.working()
        await until(lambda: it.desk.running)
        await stolen(it)
        it.desk.gates["d1"].set()
        await work
        assert await it.rows(inputs) == []
        assert await it.states() == {"d1": (0, None)}
        assert it.intake.owned == frozenset()
        assert it.touched == []


async def test_a_worker_that_lost_its_connection_writes_nothing_of_a_session_it_read(store):
    async with scene(store) as it:
        await it.settle()
        await linked(it, "t1")
        it.desk.reply("t1", "Hello", BEA)
        it.desk.gates["t1"] = asyncio.Event()
        async with store.write() as conn:
            await want(conn, TENANT, KEY, "t1", it.now)
        await it.intake.poll()
        work = it.working()
        await until(lambda: it.desk.running)
        await stolen(it)
        await it.change(links, links.c.session_id == "t1", wanted_at=it.now)
        it.desk.gates["t1"].set()
        await work
        assert await it.rows(inputs) == []
        link = await it.link_of("t1")
        assert (link.cursor, link.wanted_at) == (None, it.now)


async def test_a_worker_that_lost_its_connection_neither_claims_nor_compares(store):
    async with scene(store) as it:
        await it.intake.poll()
        await linked(it, "t1")
        async with store.write() as conn:
            await want(conn, TENANT, KEY, "t1", it.now)
        await stolen(it)
        await it.intake.work()
        assert it.desk.asked == []
        owner = await it.owner()
        assert (owner.reconciled_at, owner.changes_cursor) == (None, None)
        assert (await it.link_of("t1")).wanted_at == it.now


async def test_a_worker_that_lost_its_connection_and_got_it_again_starts_anew(store):
    async with scene(store, PUSH) as it:
        await linked(it, "t1")
        it.desk.gates["d1"] = asyncio.Event()
        await it.says("t1", "Hello", id="d1")
        await it.intake.poll()
        work = it.working()
        await until(lambda: it.desk.running)
        await it.change(connections, connections.c.connection == KEY, worker=None, fence=7)
        await it.intake.poll()
        assert (await it.owner()).fence == 8
        await until(lambda: len(it.desk.parsed) == 2)
        it.desk.gates["d1"].set()
        await work
        assert await it.said() == ["Hello"]
        assert await it.state("d1") == 1


# Losing the database ----------------------------------------------------------------------------------------------


async def test_f21_a_database_lost_between_reading_and_writing_loses_nothing(flaky, caplog):
    async with scene(flaky, PUSH) as it:
        await linked(it, "t1", "t2")
        it.desk.gates["d1"] = asyncio.Event()
        for n in range(1, 4):
            await it.says("t1", f"{n}", id=f"d{n}")
        await it.intake.poll()
        work = it.working()
        await until(lambda: it.desk.running)
        flaky.lost = True
        it.desk.gates["d1"].set()
        assert await work
        for _ in range(3):
            await it.intake.poll()
            assert not await it.intake.work()
        assert caplog.text.count("stands still") == 1
        flaky.lost = False
        await it.settle()
        assert await it.said() == ["1", "2", "3"]
        assert {state for state, _ in (await it.states()).values()} == {1}


async def test_f21_f22_a_commit_nobody_was_told_of_is_neither_repeated_nor_overtaken(flaky):
    async with scene(flaky, PUSH) as it:
        await linked(it, "t1")
        for n in range(1, 4):
            await it.says("t1", f"{n}", id=f"d{n}")
        await it.intake.poll()
        flaky.unsure = 1
        await it.intake.work()
        flaky.lost = False
        await it.settle()
        assert await it.said() == ["1", "2", "3"]
        assert [id_ for id_, _ in it.desk.parsed] == ["d1", "d2", "d3"]
        assert it.intake._ownership.owned[KEY].lines._waiting == {}


async def test_f22_a_crash_between_reading_and_writing_is_made_good_by_whoever_comes_next(flaky):
    async with scene(flaky, PUSH) as it:
        await linked(it, "t1")
        await it.says("t1", "1", id="d1")
        await it.says("t1", "2", id="d2")
        await it.intake.poll()
        it.desk.gates["d2"] = asyncio.Event()
        work = it.working()
        await until(lambda: "d2" in it.desk.running)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        it.desk.gates.clear()
        it.live = {"w2"}
        other = it.worker("w2")
        await it.settle(other)
        assert await it.said() == ["1", "2"]
        assert [id_ for id_, _ in it.desk.parsed] == ["d1", "d2", "d2"]
        await other.aclose()


async def test_f21_a_commit_of_taking_over_that_nobody_was_told_of_is_taken_again(flaky):
    async with scene(flaky, PUSH) as it:
        flaky.unsure = 1
        await it.intake.poll()
        assert it.intake.owned == frozenset()
        flaky.lost = False
        await it.intake.poll()
        owner = await it.owner()
        assert (owner.worker, owner.fence) == ("w1", 2)


async def test_f13_once_the_database_is_back_all_that_is_open_is_compared(flaky):
    async with scene(flaky, provider(changes=False)) as it:
        await it.settle()
        await linked(it, "t1")
        flaky.lost = True
        it.desk.reply("t1", "turned away", BEA)
        await it.settle()
        flaky.lost = False
        await it.settle()
        assert await it.said() == ["turned away"]


async def test_f21_a_reading_whose_end_could_not_be_written_is_repeated(flaky):
    async with scene(flaky, provider(changes=False)) as it:
        await it.settle()
        await linked(it, "t1")
        it.desk.reply("t1", "Hello", BEA)
        it.desk.gates["t1"] = asyncio.Event()
        async with flaky.write() as conn:
            await want(conn, TENANT, KEY, "t1", it.now)
        await it.intake.poll()
        work = it.working()
        await until(lambda: it.desk.running)
        flaky.lost = True
        it.desk.gates["t1"].set()
        await work
        flaky.lost = False
        await it.settle()
        assert await it.said() == ["Hello"]


async def test_giving_back_without_a_database_is_left_to_the_lease(flaky, caplog):
    async with scene(flaky) as it:
        await it.intake.poll()
        flaky.lost = True
        await it.intake.aclose()
        assert "by the lease" in caplog.text
        flaky.lost = False
        assert (await it.owner()).worker == "w1"


@pytest.mark.parametrize("url", ["sqlite:///{}/nowhere/hitl.db", "postgresql://hitl:secret@/hitl?host={}/nowhere"])
async def test_a_database_that_is_not_there_stops_nothing_but_work(store, tmp_path, clock, url, caplog):
    async with scene(store) as it:
        broken = Store(url.format(tmp_path), clock=clock)
        intake = it.worker("w1", store=broken)
        await intake.poll()
        assert not await intake.work()
        await intake.poll()
        await intake.aclose()
        assert caplog.text.count("stands still") == 1
        assert "secret" not in caplog.text
        await broken.close()


async def test_work_that_is_asked_for_twice_is_done_once(store):
    async with scene(store, PUSH) as it:
        await linked(it, "t1")
        it.desk.gates["d1"] = asyncio.Event()
        await it.says("t1", "Hello", id="d1")
        await it.intake.poll()
        work = it.working()
        await until(lambda: it.desk.running)
        assert not await it.intake.work()
        await it.says("t1", "again", id="d2")
        it.desk.gates["d1"].set()
        assert await work
        assert len(it.desk.parsed) == 2
        assert len(await it.rows(deliveries)) == 2


async def test_whoever_waits_for_work_wakes_when_there_is_some(store):
    async with scene(store, PUSH) as it:
        await linked(it, "t1")
        await it.settle()
        await it.intake.poll()
        assert not it.intake.awake.is_set(), "an idle worker does nothing but look"
        waiting = asyncio.create_task(it.intake.wanted())
        await asyncio.sleep(0)
        assert not waiting.done()
        await it.says("t1", "Hello")
        await waiting
        assert await it.intake.work()
