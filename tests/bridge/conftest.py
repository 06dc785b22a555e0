"""Databases for the bridge: SQLite and PostgreSQL in turn, a fresh one for each test, and a clock that tests move."""

import asyncio
import itertools
import os
import shutil
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.migrate import upgrade
from hitl_core.bridge.store.tables import metadata
from hitl_core.database import create_engine
from hitl_core.errors import StoreError
from hitl_core.testing.postgres import throwaway_postgres

_numbers = itertools.count(1)


class StillClock:
    """Stands still until a test moves it."""

    def __init__(self):
        self._elapsed = 0.0
        self._sleepers = {}

    def now(self):
        return datetime(2026, 3, 1, 12, 0, tzinfo=UTC) + timedelta(seconds=self._elapsed)

    def monotonic(self):
        return self._elapsed

    async def sleep(self, seconds):
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        self._sleepers[future] = self._elapsed + seconds
        try:
            await future
        finally:
            self._sleepers.pop(future, None)

    def advance(self, seconds):
        """Move on and wake whoever slept until now."""
        self._elapsed += seconds
        for future, until in list(self._sleepers.items()):
            if until <= self._elapsed and not future.done():
                future.set_result(None)

    def sleeping(self):
        """Return how long the sleepers still sleep, shortest first."""
        return sorted(until - self._elapsed for future, until in self._sleepers.items() if not future.done())


class ClockedStore(Store):
    """A store whose time is the test's on PostgreSQL too, and that can be lost.

    :ivar lost: nothing can be read or written.
    :ivar committing: called with ``"before"`` and ``"after"`` each commit.
    """

    lost = False
    committing = None

    async def now(self, conn):
        return self.clock.now()

    @asynccontextmanager
    async def write(self):
        self._be_there()
        async with super().write() as conn:
            yield conn
            self._be_there()
            if self.committing is not None:
                await self.committing("before")
        if self.committing is not None:
            await self.committing("after")

    @asynccontextmanager
    async def read(self):
        self._be_there()
        async with super().read() as conn:
            yield conn

    def _be_there(self):
        if self.lost:
            raise StoreError("the database cannot be reached")


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server of its own; without one skip loudly, or fail in CI."""
    with throwaway_postgres(required=bool(os.environ.get("CI"))) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_on():
    """Make a database at the newest schema on a server, and return its name."""

    def make(server):
        _sql(server, "CREATE DATABASE migrated")
        _upgrade(server.url("migrated"))
        return "migrated"

    return make


@pytest.fixture(scope="session")
def migrated_postgres(postgres, migrated_on):
    """Name of a database at the newest schema, to make others from."""
    return migrated_on(postgres)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory):
    """A file at the newest schema, to copy."""
    path = tmp_path_factory.mktemp("migrated") / "hitl.db"
    _upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request):
    """Name of each engine in turn."""
    return request.param


@pytest.fixture
def database_url(backend, request, tmp_path):
    """URL of a fresh database at the newest schema."""
    yield from _migrated(backend, request, tmp_path / "hitl.db")


@pytest.fixture
def another_database_url(backend, request, tmp_path):
    """URL of a second one."""
    yield from _migrated(backend, request, tmp_path / "another.db")


def _migrated(backend, request, path):
    if backend == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        yield f"sqlite:///{path}"
    else:
        template = request.getfixturevalue("migrated_postgres")
        yield from _database(request.getfixturevalue("postgres"), f" TEMPLATE {template}")


@pytest.fixture
def blank_url(backend, request, tmp_path):
    """URL of a fresh database without a schema."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'hitl.db'}"
    else:
        yield from _database(request.getfixturevalue("postgres"), "")


@pytest.fixture
def clocked_store():
    """The class of ``store``, to make others of."""
    return ClockedStore


@pytest.fixture(scope="session")
def used_again(tmp_path_factory):
    """URLs and engines that tests use one after the other: an engine learns its statements only once."""
    return {}, {}, tmp_path_factory.mktemp("shared")


@pytest.fixture
def emptied(backend, request, used_again):
    """URL of a database at the newest schema, emptied for this test, and the engine it is used by."""
    urls, engines, folder = used_again
    if backend == "sqlite":
        path = folder / "hitl.db"
        for each in folder.iterdir():
            each.unlink()
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        urls[backend] = f"sqlite:///{path}"
    elif backend not in urls:
        server = request.getfixturevalue("postgres")
        _sql(server, f"CREATE DATABASE shared TEMPLATE {request.getfixturevalue('migrated_postgres')}")
        urls[backend] = server.url("shared")
    else:
        _sql(request.getfixturevalue("postgres"), _ALONE, "shared")
        _sql(request.getfixturevalue("postgres"), _EMPTY, "shared")
    url = urls[backend]
    return url, engines.setdefault(url, create_engine(url, pool_size=8, idle_in_transaction_timeout=5.0))


@pytest.fixture
def database(request, emptied):
    """URL of the database of ``store``, and its engine if it is one that is used again."""
    own = "database_url" in request.fixturenames  # the test knows it by its name, and may do anything to it
    return (request.getfixturevalue("database_url"), None) if own else emptied


@pytest.fixture(scope="session")
def hints():
    """Whether ``LISTEN``/``NOTIFY`` is used where a test says nothing of it: everything passes without as well."""
    return os.environ.get("HITL_HINTS") != "off"


@pytest.fixture
async def store(database, clock, hints):
    """An open store whose every time is the test's clock."""
    url, engine = database
    store = ClockedStore(url, clock=clock, key=KEY, hints=hints)
    store.engine = engine or store.engine
    async with store:
        yield store


_ALONE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shared' AND pid <> pg_backend_pid()"
_EMPTY = f"TRUNCATE {', '.join(table.name for table in metadata.sorted_tables)} RESTART IDENTITY"


KEY = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="


def _database(server, more):
    name = f"test{next(_numbers)}"
    _sql(server, f"CREATE DATABASE {name}{more}")
    yield server.url(name)
    _sql(server, f"DROP DATABASE {name} WITH (FORCE)")


def _sql(server, statement, database="postgres"):
    import asyncpg

    async def run():
        connection = await asyncpg.connect(server.url(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def _upgrade(url):
    async def run():
        engine = create_engine(url)
        await upgrade(engine)
        await engine.dispose()

    asyncio.run(run())
