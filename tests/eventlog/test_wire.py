"""Deliveries over real sockets: forbidden addresses, redirects, and a process killed at the worst moment."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import standardwebhooks

from hitl_core.database import begin_write
from hitl_core.eventlog import EventLog, GuardedSender, InvalidEndpointError, SendResult, WebhookDispatcher, Webhooks
from hitl_core.netguard import AddressPolicy

pytestmark = pytest.mark.anyio


class HttpReceiver:
    """A small HTTP server that keeps what it gets, and answers only while it is open."""

    def __init__(self):
        self.requests = []
        self.answer = b"HTTP/1.1 204 No Content\r\n"
        self.open = asyncio.Event()
        self.open.set()
        self.arrived = asyncio.Condition()

    @asynccontextmanager
    async def serve(self):
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self.address = "{}:{}".format(*server.sockets[0].getsockname())
        self.url = f"http://{self.address}/hook"
        async with server:
            yield self
            self.open.set()

    async def _handle(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:-2])
            # Header values of ours that matter keep their case.
            headers |= {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in head.split("\r\n")[1:-2]}
            body = await reader.readexactly(int(headers["content-length"]))
            async with self.arrived:
                self.requests.append((headers, body))
                self.arrived.notify_all()
            await self.open.wait()
            writer.write(self.answer + b"Connection: close\r\n\r\n")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the sender was killed
        finally:
            writer.close()

    async def wait_for(self, condition, patience=30):
        async with asyncio.timeout(patience), self.arrived:
            await self.arrived.wait_for(condition)

    @property
    def ids(self):
        return [headers["webhook-id"] for headers, _ in self.requests]


@pytest.fixture
async def http():
    async with HttpReceiver().serve() as receiver:
        yield receiver


async def deliver(log, policy):
    async with GuardedSender(policy) as sender:
        return await WebhookDispatcher(log, sender).run_once()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_private_address_is_refused_unless_it_is_allowed(engine, tables, http):
    log = EventLog(engine, tables)
    hooks = Webhooks(log)
    await hooks.put("bot", "main", url=http.url)
    async with begin_write(engine) as conn:
        event = await log.append(conn, stream="bot", type="ticket.closed", data={})
    assert await deliver(log, AddressPolicy()) == 1
    assert http.requests == []
    (delivery,) = await hooks.deliveries("bot")
    assert (delivery.status, delivery.last_error) == ("pending", "blocked_address")
    await hooks.replay("bot", delivery.id)
    assert await deliver(log, AddressPolicy(allow=[http.address])) == 1
    assert http.ids == [event.id]
    assert (await hooks.delivery("bot", delivery.id)).status == "delivered"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_url_the_policy_refuses_cannot_even_be_registered(log, http):
    hooks = Webhooks(log, policy=AddressPolicy())
    for url in (http.url, "https://169.254.169.254/latest", "https://[::1]/", "http://bot.example/hook"):
        with pytest.raises(InvalidEndpointError, match="nothing may be sent"):
            await hooks.put("bot", "main", url=url)
    await hooks.put("bot", "main", url="https://bot.example/hook")
    assert len(await hooks.list("bot")) == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_redirect_is_a_failure_and_is_not_followed(engine, tables, http):
    log = EventLog(engine, tables)
    hooks = Webhooks(log)
    async with HttpReceiver().serve() as inner:
        http.answer = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {inner.url}\r\n".encode()
        await hooks.put("bot", "main", url=http.url)
        await hooks.send_test("bot", "main")
        await deliver(log, AddressPolicy(allow=[http.address, inner.address]))
        assert (len(http.requests), len(inner.requests)) == (1, 0)
    (delivery,) = await hooks.deliveries("bot")
    assert (delivery.status, delivery.last_status, delivery.last_error) == ("pending", 307, "http_307")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_retry_after_is_read_off_the_wire(engine, tables, http):
    log = EventLog(engine, tables)
    hooks = Webhooks(log)
    http.answer = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\n"
    await hooks.put("bot", "main", url=http.url)
    await hooks.send_test("bot", "main")
    await deliver(log, AddressPolicy(allow=[http.address]))
    resume_at = (await hooks.get("bot", "main")).resume_at
    assert timedelta(minutes=59) < resume_at - datetime.now(UTC) <= timedelta(hours=1)


async def test_failures_without_an_answer_have_a_class(unused_port):
    async def nowhere(host, port):
        raise OSError

    async with GuardedSender(AddressPolicy(allow=[f"127.0.0.1:{unused_port}"], resolver=nowhere)) as sender:
        refused = await sender.post(f"http://127.0.0.1:{unused_port}/", {}, b"", 5)
        unknown = await sender.post("https://nowhere.example/", {}, b"", 5)
        odd = await sender.post(f"http://127.0.0.1:{unused_port}/", {"x": "ü"}, b"", 5)
    assert [refused.error, unknown.error, odd.error] == ["connect", "host_not_found", "protocol"]


async def test_a_sender_without_a_policy_posts_to_public_addresses_only(http):
    async with GuardedSender() as sender:
        assert (await sender.post(http.url, {}, b"{}", 5)).error == "blocked_address"
    assert http.requests == []


async def test_a_receiver_that_does_not_answer_is_a_time_out(http):
    http.open.clear()
    async with GuardedSender(AddressPolicy(allow=[http.address])) as sender:
        assert (await sender.post(http.url, {}, b"{}", 0.05)).error == "timeout"


@pytest.fixture
async def unused_port():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


@pytest.mark.parametrize(
    ("value", "seconds"), [("1.5", 1.5), ("-5", 0.0), ("Sun Nov  6 08:49:37 1994", 0.0), ("soon", None)]
)
async def test_retry_after_means_to_the_sender_what_it_means_to_the_transport(http, value, seconds):
    http.answer = f"HTTP/1.1 429 Too Many Requests\r\nRetry-After: {value}\r\n".encode()
    async with GuardedSender(AddressPolicy(allow=[http.address])) as sender:
        assert await sender.post(http.url, {}, b"{}", 5) == SendResult(429, retry_after=seconds)


HOST = """
import asyncio, sys
import sqlalchemy as sa
from hitl_core.database import begin_write, create_engine
from hitl_core.eventlog import DeliveryPolicy, EventLog, GuardedSender, WebhookDispatcher, define_tables
from hitl_core.netguard import AddressPolicy

url, prefix, address, begin, end = sys.argv[1:]

async def main():
    engine = create_engine(url)
    log = EventLog(engine, define_tables(sa.MetaData(), prefix))
    policy = DeliveryPolicy(timeout=0.9, lease=1.0, endpoint_concurrency=3, poll=0.05, schedule=(0.0, 0.1, 0.1))
    async with GuardedSender(AddressPolicy(allow=[address])) as sender, WebhookDispatcher(log, sender, policy=policy):
        for n in range(int(begin), int(end)):
            async with begin_write(engine) as conn:
                event = await log.append(conn, stream="bot", type="e", data={"n": n}, subject=f"s{n % 4}")
            print(event.id, flush=True)  # accepted: from here on it must arrive
            log.notify("bot")
        await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def host(url, tables, http, begin, end):
    prefix = tables.events.name.removesuffix("events")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", HOST, url, prefix, http.address, str(begin), str(end)),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_kill_9_between_accepting_and_delivering_loses_nothing_and_repeats_ids(database, engine, tables, http):
    log = EventLog(engine, tables)
    _, secret = await Webhooks(log).put("bot", "main", url=http.url)
    accepted = []

    async def accept(process, count):
        async with asyncio.timeout(30):
            accepted.extend([(await process.stdout.readline()).decode().strip() for _ in range(count)])

    http.open.clear()  # every attempt hangs: accepted, being delivered, not delivered
    async with host(database, tables, http, 0, 12) as process:
        await accept(process, 12)
        await http.wait_for(lambda: len(http.requests) >= 3)
        process.kill()
    in_flight = set(http.ids)
    assert 0 < len(in_flight) < 12

    http.open.set()  # some get through before the next kill
    async with host(database, tables, http, 12, 20) as process:
        await accept(process, 8)
        await http.wait_for(lambda: len(http.requests) >= 8)
        http.open.clear()
        process.kill()

    http.open.set()
    async with host(database, tables, http, 20, 20):
        await http.wait_for(lambda: len(set(http.ids)) >= 20)
        hooks = Webhooks(log)
        async with asyncio.timeout(30):
            while (await hooks.counts("bot"))["delivered"] < 20:  # noqa: ASYNC110  the last result is written by the other process
                await asyncio.sleep(0.01)

    assert len(accepted) == len(set(accepted)) == 20
    assert set(http.ids) == set(accepted)
    assert all(http.ids.count(id_) >= 2 for id_ in in_flight), "the killed attempts were made again, same webhook-id"
    bodies, once = {}, []
    reference = standardwebhooks.Webhook(secret)
    for headers, body in http.requests:
        reference.verify(body, headers)
        assert bodies.setdefault(headers["webhook-id"], body) == body
        if headers["webhook-id"] not in {event["id"] for event in once}:
            once.append(json.loads(body))
    for subject in range(4):
        own = [event["data"]["n"] for event in once if event["subject"] == f"s{subject}"]
        assert own == sorted(own), "a receiver that dedupes sees each subject in order"
    assert sorted(event["data"]["n"] for event in once) == list(range(20))
