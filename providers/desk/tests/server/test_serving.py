"""The desk as a process: start, port, streams that end, a clean Ctrl-C, and kill -9 at the worst moment."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import standardwebhooks
from hitl_desk.server import ServerSettings, create_agent, create_bot, create_login_link
from hitl_desk.server.desk import Desk
from hitl_desk.server.serving import serving

from hitl_core.errors import ConfigurationError
from hitl_core.listening import listen

pytestmark = pytest.mark.anyio

PROCESS = """
import sys
from pathlib import Path
from hitl_core.eventlog import DeliveryPolicy
from hitl_desk.server import ServerSettings, serve

folder, port, allowed = sys.argv[1:]
serve(
    ServerSettings(data_dir=Path(folder), allow_private_webhooks=tuple(filter(None, allowed.split(",")))),
    port=int(port),
    up=lambda url, desk: print(url, flush=True),
    policy=DeliveryPolicy(timeout=0.9, lease=1.0, poll=0.05, schedule=(0.0, 0.1, 0.1, 0.1)),
)
"""


@asynccontextmanager
async def process(folder, *, port=0, allowed=""):
    """Run a desk in a process of its own; gives the process and its URL."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", PROCESS, str(folder), str(port), allowed),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[4],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        async with asyncio.timeout(30):
            url = (await running.stdout.readline()).decode().strip()
        assert url, (await running.stderr.read()).decode()
        yield running, url
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


@asynccontextmanager
async def people(folder, url):
    """Make a bot and an agent beside the running server, as the command line does, and log the agent in."""
    async with Desk(ServerSettings(data_dir=folder, public_url=url)).storage() as desk:
        _, token = await create_bot(desk, "Shop bot")
        agent = await create_agent(desk, email="ada@desk.example", name="Ada")
        link = await create_login_link(desk, agent["id"])
    bot = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20)
    inbox = httpx.AsyncClient(base_url=url, timeout=20)
    async with bot, inbox:
        assert (await inbox.get(link)).status_code == 303
        inbox.headers["X-CSRF-Token"] = (await inbox.get("/inbox/api/me")).json()["csrf"]
        yield bot, inbox


async def open_ticket(bot):
    customer = (await bot.put("/v1/customers/u", json={})).json()["id"]
    return (await bot.post("/v1/tickets", json={"customer_id": customer})).json()["id"]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_asked_to_stop_it_ends_streams_and_exits_with_0_within_two_seconds(tmp_path, stop):
    async with process(tmp_path) as (running, url), people(tmp_path, url) as (bot, inbox):
        assert (await bot.get("/healthz")).json() == (await bot.get("/readyz")).json() == {"status": "ok"}
        streams = [(bot, "/v1/stream"), (inbox, "/inbox/api/stream")]
        waiting = asyncio.create_task(bot.get("/v1/events", params={"wait": 20}))
        async with streams[0][0].stream("GET", streams[0][1]) as one, streams[1][0].stream("GET", streams[1][1]) as two:
            lines = one.aiter_lines(), two.aiter_lines()
            for each in lines:
                assert (await anext(each)).startswith("retry:")
            begin = time.monotonic()
            running.send_signal(stop)
            for each in lines:
                assert [line async for line in each]
            assert (await waiting).json()["events"] == []
            assert await running.wait() == 0
            assert time.monotonic() - begin < 2
        assert (await running.stderr.read()).decode() == ""


async def test_an_agent_stays_logged_in_and_tickets_stay_over_a_restart(tmp_path):
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    async with process(tmp_path, port=port) as (running, url), people(tmp_path, url) as (bot, inbox):
        ticket = await open_ticket(bot)
        running.send_signal(signal.SIGINT)
        assert await running.wait() == 0
        async with process(tmp_path, port=port):
            assert (await inbox.get(f"/inbox/api/tickets/{ticket}")).status_code == 200


async def test_a_port_in_use_is_one_sentence(tmp_path):
    with listen("127.0.0.1", 0) as taken, pytest.raises(ConfigurationError, match="cannot listen on"):
        await serving(ServerSettings(data_dir=tmp_path), port=taken.getsockname()[1])


async def test_a_database_that_cannot_be_opened_is_an_error_before_anything_is_served(tmp_path):
    (tmp_path / "desk.db").write_bytes(b"this is no database" * 100)
    told = []
    with pytest.raises(ConfigurationError, match=r"cannot be opened .*not a database"):
        await serving(ServerSettings(data_dir=tmp_path), port=0, up=lambda *_: told.append(1))
    assert told == []


class Receiver:
    """A small HTTP server that keeps what it gets, and answers only while it is open."""

    def __init__(self):
        self.requests = []
        self.open = asyncio.Event()
        self.arrived = asyncio.Condition()

    @asynccontextmanager
    async def serve(self):
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self.address = "{}:{}".format(*server.sockets[0].getsockname())
        async with server:
            yield self
            self.open.set()

    async def _handle(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = {
                name.lower(): value for name, value in (line.split(": ", 1) for line in head.split("\r\n")[1:-2])
            }
            body = await reader.readexactly(int(headers["content-length"]))
            async with self.arrived:
                self.requests.append((headers, body))
                self.arrived.notify_all()
            await self.open.wait()
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the desk was killed
        finally:
            writer.close()

    async def wait_for(self, condition):
        async with asyncio.timeout(30), self.arrived:
            await self.arrived.wait_for(condition)

    @property
    def ids(self):
        return [headers["webhook-id"] for headers, _ in self.requests]


async def test_kill_9_between_accepting_and_delivering_loses_nothing_and_a_deduping_receiver_gets_each_once(tmp_path):
    async with Receiver().serve() as receiver:
        with listen("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        async with (
            process(tmp_path, port=port, allowed=receiver.address) as (running, url),
            people(tmp_path, url) as (bot, inbox),
        ):
            made = await bot.put("/v1/webhook-endpoints/main", json={"url": f"http://{receiver.address}/hook"})
            reference = standardwebhooks.Webhook(made.json()["secret"])
            tickets = [await open_ticket(bot) for _ in range(3)]
            for n in range(4):
                for ticket in tickets:
                    sent = await inbox.post(f"/inbox/api/tickets/{ticket}/messages", json={"text": f"{n}"})
                    assert sent.status_code == 201, "accepted: from here on it must arrive"
            await receiver.wait_for(lambda: len(receiver.requests) >= 3)
            assert not receiver.open.is_set(), "nothing was delivered yet"
            running.kill()
            await running.wait()
            receiver.open.set()
            async with process(tmp_path, port=port, allowed=receiver.address):
                pulled = (await bot.get("/v1/events", params={"limit": 1000})).json()["events"]
                await receiver.wait_for(lambda: len(set(receiver.ids)) == len(pulled))
                assert receiver.ids.count(receiver.ids[0]) >= 2, "the attempt that was cut off is made again"
    once = {}
    for headers, body in receiver.requests:
        reference.verify(body, headers)
        assert once.setdefault(headers["webhook-id"], body) == body
    events = [json.loads(body) for body in once.values()]
    assert {event["id"] for event in events} == {event["id"] for event in pulled}
    assert len(pulled) == 3 * (1 + 4 + 1), "assigned, four messages, status; for each ticket"
    for ticket in tickets:
        own = [event["seq"] for event in events if event["subject"] == ticket]
        assert own == sorted(own), "in order within a ticket"


async def test_a_write_that_was_answered_survives_kill_9_and_its_repeat_has_no_second_effect(tmp_path):
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    async with process(tmp_path, port=port) as (running, url), people(tmp_path, url) as (bot, _):
        ticket = await open_ticket(bot)
        path = f"/v1/tickets/{ticket}/messages"
        body = {"author": {"role": "customer"}, "message": {"type": "text", "text": "Any news?"}}
        first = await bot.post(path, json=body, headers={"Idempotency-Key": "k"})
        running.kill()
        await running.wait()
        async with process(tmp_path, port=port):
            again = await bot.post(path, json=body, headers={"Idempotency-Key": "k"})
            assert again.json() == first.json()
            assert len((await bot.get(path)).json()["messages"]) == 1
