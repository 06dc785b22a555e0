"""Databases, a nursery of workers, and a table of figures at the end."""

import os
import shutil
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from hitl_core.bridge.store.base import Store
from hitl_core.testing.postgres import throwaway_postgres

from .desk import Desk
from .fleet import Fleet, nursery
from .storm import Channel

_figures: list[str] = []


@pytest.fixture(scope="session")
def figures():
    """Lines to be printed at the end."""
    return _figures.append


def pytest_terminal_summary(terminalreporter):
    if _figures:
        terminalreporter.section("the bridge under chaos")
        for line in _figures:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def workers_log(tmp_path_factory):
    """The file that all workers write to."""
    return tmp_path_factory.mktemp("chaos") / "workers.log"


@pytest.fixture(scope="session")
def workers(workers_log):
    """A process that makes workers."""
    with nursery(workers_log) as made:
        yield made


@pytest.fixture
def home():
    """A directory whose path is short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="hitl-chaos-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def server():
    """A PostgreSQL server that waits for the disk at each commit, and that may be crashed."""
    with throwaway_postgres(required=bool(os.environ.get("CI")), durable=True) as server:
        yield server


@pytest.fixture(scope="session")
def postgres(server):
    """The databases of these tests are on that one."""
    return server


@pytest.fixture(scope="session")
def migrated_postgres(postgres, migrated_on):
    """The database to make others from is there too: the other server's would be remembered for both."""
    return migrated_on(postgres)


@pytest.fixture
def stage(workers, workers_log, home, hints):
    """Set everything up around a database: a helpdesk, a channel, and workers that are begun by the test."""

    @asynccontextmanager
    async def stage(url, *, desk=None, seed=0, **settings):
        desk = desk or Desk(seed=seed)
        known = workers_log.stat().st_size
        given = {
            "url": url,
            "kind": desk.kind,
            "desk": str(home / "desk"),
            "host": str(home / "channel"),
            "policy": {},
            "hints": hints,
        }
        with Channel(home / "channel") as channel:
            async with (
                await desk.serve(home / "desk"),
                Store(url, hints=False, pool_size=2) as store,
                Fleet(workers, home, seed, **{**given, **settings}) as fleet,
            ):
                yield SimpleNamespace(desk=desk, channel=channel, fleet=fleet, store=store)
        log = workers_log.read_bytes()[known:].decode(errors="replace")
        assert "Traceback" not in log, log[-5000:]

    return stage
