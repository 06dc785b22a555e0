"""A log on SQLite and on PostgreSQL, a clock that tests move, and a receiver that tests script."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
import sqlalchemy as sa

from hitl_core.database import begin_write, create_engine
from hitl_core.eventlog import EventLog, SendResult, WebhookDispatcher, Webhooks, define_tables
from hitl_core.testing.postgres import throwaway_postgres


class FakeClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self._moment = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        self._elapsed = 0.0
        self._sleepers: dict[asyncio.Future[None], float] = {}

    def now(self) -> datetime:
        return self._moment + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        self._sleepers[future] = self._elapsed + seconds
        try:
            await future
        finally:
            self._sleepers.pop(future, None)

    def advance(self, seconds: float) -> None:
        """Move on and wake whoever slept until now."""
        self._elapsed += seconds
        for future, until in list(self._sleepers.items()):
            if until <= self._elapsed and not future.done():
                future.set_result(None)

    def sleeping(self) -> list[float]:
        """Return how long the sleepers still sleep, shortest first."""
        return sorted(until - self._elapsed for future, until in self._sleepers.items() if not future.done())


@dataclass
class Posted:
    url: str
    headers: dict[str, str]
    body: bytes
    at: datetime


@dataclass
class Receiver:
    """A sender that keeps what it is given and answers what the test put up, 204 when nothing."""

    clock: FakeClock
    posted: list[Posted] = field(default_factory=list)
    answers: list[SendResult | Exception] = field(default_factory=list)
    answer: SendResult = field(default_factory=lambda: SendResult(204))
    gate: asyncio.Event | None = None
    """While it is there and not set, attempts hang."""

    async def post(self, url, headers, content, timeout):  # noqa: ASYNC109  the protocol's parameter
        self.posted.append(Posted(url, dict(headers), content, self.clock.now()))
        answer = self.answers.pop(0) if self.answers else self.answer
        gate = self.gate
        if gate is not None:
            await gate.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.posted]


async def eventually(condition, *, patience: float = 10.0):
    """Let the loop run until the condition holds; the bound only ends a test that has failed."""
    async with asyncio.timeout(patience):
        while not condition():  # noqa: ASYNC110  conditions of all kinds
            await asyncio.sleep(0.002)


@pytest.fixture
def tools():
    return SimpleNamespace(FakeClock=FakeClock, Receiver=Receiver, eventually=eventually)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a PostgreSQL server of its own; without one skip loudly, or fail in CI."""
    with throwaway_postgres(required=bool(os.environ.get("CI"))) as server:
        yield server.url()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """URL of each engine in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log.db'}"
    return request.getfixturevalue("postgres")


@pytest.fixture
async def engine(database):
    engine = create_engine(database)
    yield engine
    await engine.dispose()


@pytest.fixture
async def tables(engine):
    metadata = sa.MetaData()
    tables = define_tables(metadata, prefix=f"t{uuid4().hex[:10]}_")
    async with engine.begin() as conn:
        await conn.run_sync(metadata.create_all)
    yield tables
    if engine.dialect.name == "postgresql":
        async with engine.begin() as conn:
            await conn.run_sync(metadata.drop_all)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def log(engine, tables, clock):
    log = EventLog(engine, tables, clock=clock)
    yield log
    await log.close()


@pytest.fixture
def hooks(log):
    return Webhooks(log)


@pytest.fixture
def receiver(clock):
    return Receiver(clock)


@pytest.fixture
def append(log):
    """Append one event in a transaction of its own."""

    async def append(type="message.created", *, stream="bot", subject=None, **data):
        async with begin_write(log.engine) as conn:
            event = await log.append(conn, stream=stream, type=type, data=data, subject=subject)
        log.notify(stream)
        return event

    return append


@pytest.fixture
def dispatcher(log, receiver):
    return WebhookDispatcher(log, receiver, rng=lambda: 0.0)


@pytest.fixture
async def secret(hooks):
    _, secret = await hooks.put("bot", "main", url="https://bot.example/hook")
    return secret
