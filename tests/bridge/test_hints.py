"""Hints between processes on PostgreSQL: quick where they arrive, and never more than hints."""

import asyncio

import asyncpg
import pytest

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.hints import Hints

pytestmark = pytest.mark.anyio

only_postgresql = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
only_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


class Heard(list):
    """What was heard; a test may wait for it."""

    def __init__(self):
        super().__init__()
        self._more = asyncio.Event()

    def __call__(self, tenant):
        self.append(tenant)
        self._more.set()

    async def until(self, number):
        async with asyncio.timeout(10):
            while len(self) < number:
                self._more.clear()
                await self._more.wait()


class Gate:
    """A sleep that lasts until the test lets it end."""

    def __init__(self):
        self.waits = []
        self._open = asyncio.Event()

    async def __call__(self, seconds):
        self.waits.append(seconds)
        await self._open.wait()

    def open(self):
        self._open.set()


async def no_time(seconds):
    await asyncio.sleep(0)


async def eventually(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is looked at has no event of its own
            await asyncio.sleep(0)


@pytest.fixture
async def spy(database_url):
    """A connection that listens and is nobody's process."""
    connection = await asyncpg.connect(database_url)
    heard = []
    await connection.add_listener("hitl", lambda _connection, _pid, _channel, payload: heard.append(payload))

    async def told():
        await connection.execute("SELECT 1")  # what was sent before this comes with its answer
        return list(heard)

    yield connection, told
    await connection.close()


@pytest.fixture
async def processes(database_url, clock):
    """Make hints as of so many processes, listening; everything ends with the test."""
    made = []

    async def make(number, *, channel="hitl", sleep=no_time, hints=True):
        fresh = []
        for _ in range(number):
            store = Store(database_url, clock=clock, hints=hints)
            fresh.append((Hints(store, channel, sleep=sleep), Heard()))
            made.append((fresh[-1][0], store))
            await fresh[-1][0].start(fresh[-1][1])
        for one, _ in fresh:
            if hints and one._listening is not None:
                await eventually(lambda one=one: one.listening)
        return fresh

    yield make
    for one, store in made:
        await one.stop()
        await store.close()


async def sent(hints):
    await eventually(lambda: hints._sending is None)


@only_postgresql
async def test_the_other_processes_hear_that_there_is_something_for_a_tenant_and_oneself_does_not(processes):
    (one, one_heard), (_, two_heard), (_, three_heard) = await processes(3)
    one.notify("acme")
    await two_heard.until(1)
    await three_heard.until(1)
    await sent(one)
    assert (one_heard, two_heard, three_heard) == ([], ["acme"], ["acme"])


@only_postgresql
async def test_while_nobody_else_listens_nothing_is_sent(processes, spy, clock):
    _, told = spy
    ((one, _),) = await processes(1)
    one.notify("acme")
    await sent(one)
    assert await told() == []
    ((_, two_heard),) = await processes(1)
    one.notify("acme")
    await sent(one)
    assert await told() == [], "who else listens is looked up from time to time"
    clock.advance(5.0)
    one.notify("acme")
    await two_heard.until(1)
    assert await told() == ["acme"]


@only_postgresql
async def test_what_is_told_within_a_moment_is_sent_as_one(processes, spy):
    gate = Gate()
    await processes(1)
    ((one, _),) = await processes(1, sleep=gate)
    _, told = spy
    one.notify("acme")
    await eventually(lambda: gate.waits)
    assert (await told(), gate.waits) == (["acme"], [0.005])
    for _ in range(1000):
        one.notify("acme")
        one.notify("globex")
    assert await told() == ["acme"]
    gate.open()
    await sent(one)
    assert await told() == ["acme", "acme", "globex"]


@only_postgresql
async def test_a_lost_connection_is_made_again_with_growing_waits(processes, database_url, postgres):
    gate = Gate()
    ((one, one_heard),) = await processes(1, sleep=gate)
    ((two, _),) = await processes(1)
    name = database_url.partition("@/")[2].partition("?")[0]
    admin = await asyncpg.connect(postgres.url())
    try:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await eventually(lambda: gate.waits and not one.listening)
        one.notify("acme")  # nobody is told, and nobody is the worse for it
        gate.open()
        await eventually(lambda: len(gate.waits) >= 5)
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    finally:
        await admin.close()
    await eventually(lambda: one.listening and two.listening)
    waits = gate.waits[:5]
    assert waits[0] == pytest.approx(0.1)
    assert waits[1:] == sorted(set(waits[1:])), "each longer than the one before"
    assert max(gate.waits) <= 10
    two.notify("acme")
    await one_heard.until(1)
    assert one_heard == ["acme"]


@only_postgresql
async def test_who_listens_is_not_disturbed_by_what_it_wakes(processes, caplog):
    (one, _), (two, _) = await processes(2)
    heard = Heard()

    def fails(tenant):
        heard(tenant)
        raise ZeroDivisionError

    two._heard = fails
    one.notify("acme")
    await heard.until(1)
    await sent(one)
    one.notify("acme")
    await heard.until(2)
    assert "could not be acted upon (ZeroDivisionError)" in caplog.text


@only_postgresql
async def test_channels_do_not_hear_each_other_and_a_name_too_long_to_send_is_left_to_the_next_look(processes, spy):
    _, told = spy
    (one, _), (_, two_heard) = await processes(2)
    ((other, _),) = await processes(1, channel="staging")
    other.notify("acme")
    await sent(other)
    one.notify("x" * 9000)
    one.notify("acme")
    await two_heard.until(1)
    assert (await told(), two_heard) == (["acme"], ["acme"])


@only_postgresql
async def test_listening_takes_no_connection_of_the_pool(processes):
    ((one, _),) = await processes(1)
    assert one._store.engine.pool.checkedout() == 0


async def test_where_hints_are_off_nothing_happens(processes, backend, database_url, clock):
    (one, one_heard), (two, two_heard) = await processes(2, hints=False)
    one.notify("acme")
    assert one._sending is None
    assert not one.listening
    await one.stop()
    await two.stop()
    assert (one_heard, two_heard) == ([], [])


@only_sqlite
async def test_on_sqlite_nothing_happens(processes, backend):
    ((one, heard),) = await processes(1)
    one.notify("acme")
    assert one._listening is None
    assert heard == []


@only_postgresql
async def test_a_database_that_is_away_is_nobodys_error(clock, tmp_path, backend):
    gate = Gate()
    store = Store(f"postgresql://nobody@/none?host={tmp_path}", clock=clock)
    hints = Hints(store, sleep=gate)
    await hints.start(Heard())
    await hints.start(Heard())  # the second time does nothing
    await eventually(lambda: gate.waits)
    hints.notify("acme")
    assert not hints.listening
    await hints.stop()
    await hints.stop()
    await store.close()


@only_postgresql
async def test_stopping_leaves_no_task_and_no_connection(processes, spy):
    connection, _ = spy
    (one, _), (two, _) = await processes(2)
    one.notify("acme")
    await one.stop()
    await two.stop()
    assert not one.listening
    assert {task for task in asyncio.all_tasks() if "Hints" in task.get_coro().__qualname__} == set()
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hitl listener'"
    async with asyncio.timeout(10):
        while await connection.fetchval(query):
            pass
