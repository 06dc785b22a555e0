"""A desk on SQLite and on PostgreSQL, a clock that tests move, bots, agents, and a receiver of webhooks."""

import asyncio
import inspect
import json
import shutil
from collections.abc import Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from hitl_desk.server import ServerSettings, create_agent, create_app, create_bot, create_login_link, migrate, tables
from hitl_desk.server.passwords import Passwords

from hitl_core.database import create_engine
from hitl_core.eventlog import SendResult
from hitl_core.testing.postgres import PostgresServer, throwaway_postgres

URL = "https://desk.example"
PAGE = "<!doctype html><title>{name}</title><form><input name='csrf' value='{{{{csrf}}}}'></form>"


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


class Receiver:
    """A sender that keeps what it is given, and answers 204 or what a test wants."""

    def __init__(self):
        self.posted = []
        self.status = 204

    async def post(self, url, headers, content, timeout):  # noqa: ASYNC109  the protocol's parameter
        self.posted.append(SimpleNamespace(url=url, headers=dict(headers), body=content, event=json.loads(content)))
        return SendResult(self.status)


async def eventually(condition, *, patience=10.0):
    """Let the loop run until the condition, which may be awaitable, holds; the bound only ends a failed test."""
    async with asyncio.timeout(patience):
        while True:
            holds = condition()
            if await holds if inspect.isawaitable(holds) else holds:
                return
            await asyncio.sleep(0.002)


class Live:
    """Reads a stream off the application, as a browser would."""

    def __init__(self, app, client, path, headers):
        request = client.build_request("GET", path, headers=headers)
        self.text = ""
        self.status = None
        self.over = False
        self._left = asyncio.Event()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path,
            "query_string": request.url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": ("desk.example", 443),
            "client": ("127.0.0.1", 50_000),
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self):
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.text += message.get("body", b"").decode()
            self.over = not message.get("more_body")

    async def leave(self):
        self._left.set()
        await self.task

    @property
    def events(self):
        """What a page would be told: (type, data, id)."""
        blocks = [
            {line.partition(":")[0]: line.partition(":")[2].strip() for line in block.split("\n")}
            for block in self.text.split("\n\n")[:-1]
        ]
        return [(each["event"], json.loads(each["data"]), each.get("id")) for each in blocks if "data" in each]

    def of(self, kind):
        return [data for type_, data, _ in self.events if type_ == kind]

    @property
    def last_id(self):
        return [line[3:].strip() for line in self.text.split("\n") if line.startswith("id:")][-1]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Give a PostgreSQL server of its own."""
    with throwaway_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    asyncio.run(migrate(ServerSettings(data_dir=folder)))
    return folder / "desk.db"


@pytest.fixture(scope="session")
def migrated_postgres(postgres, tmp_path_factory):
    _run(postgres, "CREATE DATABASE migrated")
    folder = tmp_path_factory.mktemp("desk")
    asyncio.run(migrate(ServerSettings(data_dir=folder, database_url=postgres.url("migrated"))))
    return postgres


def _run(postgres, statement, database="postgres"):
    async def run():
        engine = create_engine(postgres.url(database))
        async with engine.connect() as conn:
            autocommitting = await conn.execution_options(isolation_level="AUTOCOMMIT")
            await autocommitting.execute(sa.text(statement))
        await engine.dispose()

    asyncio.run(run())


@pytest.fixture
def emptied_postgres(migrated_postgres):
    """URL of the one migrated database, with nothing in it: that is quicker than a new one for each test."""
    names = ", ".join(tables.metadata.tables)
    _run(migrated_postgres, f"TRUNCATE {names} RESTART IDENTITY CASCADE", "migrated")
    return migrated_postgres.url("migrated")


@pytest.fixture
def run_sql():
    """Run a statement on the PostgreSQL server, outside any transaction."""
    return _run


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request, tmp_path):
    """Settings of a desk whose database is at the newest schema, on each engine in turn."""
    common = {"data_dir": tmp_path / "data", "public_url": URL, "max_wait": 5}
    common["data_dir"].mkdir()
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), common["data_dir"] / "desk.db")
        yield ServerSettings(**common)
        return
    yield ServerSettings(**common, database_url=request.getfixturevalue("emptied_postgres"))


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Pages as small as they can be; the real ones have tests of their own."""
    folder = tmp_path_factory.mktemp("static")
    for name in ("inbox", "login", "bots"):
        (folder / f"{name}.html").write_text(PAGE.format(name=name))
    (folder / "app.js").write_text("export const desk = 1;\n")
    return folder


class QuickHasher(PasswordHasher):
    """Argon2 at its lowest cost, counting what it checks."""

    def __init__(self):
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.checked = []

    def verify(self, hash, password):
        self.checked.append(hash)
        return super().verify(hash, password)


@pytest.fixture
def hasher():
    return QuickHasher()


@pytest.fixture
async def app(settings, clock, receiver, pages, hasher):
    app = create_app(settings, clock=clock, sender=receiver, static=pages, passwords=Passwords(hasher))
    async with app.state.desk:
        yield app


@pytest.fixture
def desk(app):
    return app.state.desk


class Client(httpx.AsyncClient):
    """Speaks to the application, and opens its streams."""

    def __init__(self, app, **options):
        super().__init__(transport=httpx.ASGITransport(app), base_url=URL, **options)
        self.app = app
        self.streams = []

    def live(self, path, **headers):
        stream = Live(self.app, self, path, {name.replace("_", "-"): value for name, value in headers.items()})
        self.streams.append(stream)
        return stream

    async def aclose(self):
        for stream in self.streams:
            await stream.leave()
        await super().aclose()


@pytest.fixture
async def connect_bot(app):
    """Make a bot and a client with its token."""
    clients = []

    async def connect(name="Shop bot"):
        bot, token = await create_bot(app.state.desk, name)
        client = Client(app, headers={"Authorization": f"Bearer {token}"})
        client.id, client.token = bot["id"], token
        clients.append(client)
        return client

    yield connect
    for client in clients:
        await client.aclose()


@pytest.fixture
async def bot(connect_bot):
    return await connect_bot()


@pytest.fixture
async def log_in(app):
    """Make an agent and a client with their session."""
    clients = []

    async def log_in(name="Ada", email=None):
        desk = app.state.desk
        agent = await create_agent(desk, email=email or f"{name.lower()}@desk.example", name=name)
        client = Client(app)
        entered = await client.get(await create_login_link(desk, agent["id"]))
        assert (entered.status_code, entered.headers["location"]) == (303, "/inbox")
        client.id = agent["id"]
        client.headers["X-CSRF-Token"] = (await client.get("/inbox/api/me")).json()["csrf"]
        clients.append(client)
        return client

    yield log_in
    for client in clients:
        await client.aclose()


@pytest.fixture
async def agent(log_in):
    return await log_in()


@asynccontextmanager
async def _following(client, path, **headers):
    live = client.live(path, **headers)
    try:
        await eventually(lambda: live.text or live.over)
        yield live
    finally:
        await live.leave()
        client.streams.remove(live)


@pytest.fixture
def tools():
    return SimpleNamespace(eventually=eventually, following=_following, Client=Client, Receiver=Receiver)


@pytest.fixture
def open_ticket(bot):
    """Open a ticket of the bot, or of another one."""

    async def open_ticket(client=None, **fields):
        client = client or bot
        customer = await client.put("/v1/customers/u-17", json={"name": "Ada Lovelace"})
        body = {"customer_id": customer.json()["id"], "title": "Refund"} | fields
        answer = await client.post("/v1/tickets", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return open_ticket


@pytest.fixture
def says():
    """Write a message body."""

    def says(text="Any news?", role="customer", **more):
        return {"author": {"role": role}, "message": {"type": "text", "text": text}} | more

    return says
