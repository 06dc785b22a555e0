"""The live stream: format, replay, heartbeats, transient messages, slow readers and the end of the server."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hitl_core.database import begin_write
from hitl_core.eventlog import EventLog, InvalidCursorError, sse_response

pytestmark = pytest.mark.anyio


class Client:
    """Reads a response as an ASGI server would hand it to a browser."""

    def __init__(self, response):
        self.text = ""
        self.status = None
        self.headers = {}
        self.complete = False
        self.reading = asyncio.Event()
        self.reading.set()
        self._left = asyncio.Event()
        self.task = asyncio.create_task(response({"type": "http"}, self._receive, self._send))

    async def _receive(self):
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        await self.reading.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.text += message["body"].decode()
            self.complete = not message["more_body"]

    def leave(self):
        self._left.set()

    @property
    def blocks(self):
        """The messages so far, each as a dict of its fields; comments under the empty name."""
        return [
            {line.partition(":")[0]: line.partition(":")[2].strip() for line in block.split("\n")}
            for block in self.text.split("\n\n")[:-1]
        ]

    @property
    def messages(self):
        """What a browser would dispatch: blocks with data."""
        return [block for block in self.blocks if "data" in block]

    @property
    def last_event_id(self):
        return [block["id"] for block in self.blocks if "id" in block][-1]


@pytest.fixture
async def connect(log):
    clients = []

    async def connect(last_event_id=None, *, stream="bot", **options):
        client = Client(await sse_response(log, stream, last_event_id, **options))
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.leave()
    await asyncio.gather(*(client.task for client in clients))
    assert not log.hub._of_stream, "a reader who left is not remembered"


async def test_the_stream_names_cursor_type_and_data_and_switches_buffering_off(connect, append, tools):
    client = await connect()
    await tools.eventually(lambda: client.text)
    event = await append("ticket.closed", subject="t", text="two\nlines \r\u2028 end")
    await tools.eventually(lambda: client.messages)
    assert client.status == 200
    assert client.headers["content-type"].startswith("text/event-stream")
    assert client.headers["cache-control"] == "no-store"
    assert client.headers["x-accel-buffering"] == "no"
    assert client.blocks[0]["retry"] == "2000"
    (message,) = client.messages
    assert (message["id"], message["event"]) == (event.cursor, "ticket.closed")
    assert json.loads(message["data"]) == event.to_dict()
    assert message["data"].encode() == event.body(), "webhook, page and stream show one shape"


async def test_without_a_last_event_id_it_begins_with_what_comes_next(connect, append, tools):
    await append(n=1)
    client = await connect()
    later = await append(n=2)
    await tools.eventually(lambda: client.messages)
    assert [message["id"] for message in client.messages] == [later.cursor]


async def test_a_blip_before_the_first_event_loses_nothing(connect, append, tools):
    await append(n=1)
    client = await connect()
    await tools.eventually(lambda: client.text)
    client.leave()
    await client.task
    missed = await append(n=2)
    again = await connect(client.last_event_id)
    await tools.eventually(lambda: again.messages)
    assert [message["id"] for message in again.messages] == [missed.cursor]


async def test_replay_after_last_event_id_equals_the_pull(connect, append, log, tools):
    events = [await append(n=n) for n in range(250)]
    client = await connect(events[9].cursor)
    await tools.eventually(lambda: len(client.messages) == 240)
    pulled, cursor = [], events[9].cursor
    while True:
        page = await log.read("bot", cursor, limit=33)
        pulled += page.events
        cursor = page.cursor
        if not page.more:
            break
    assert [message["data"] for message in client.messages] == [event.to_json() for event in pulled]
    assert [message["id"] for message in client.messages] == [event.cursor for event in pulled]
    live = await append(n=250)
    await tools.eventually(lambda: len(client.messages) == 241)
    assert client.messages[-1]["id"] == live.cursor


async def test_a_bad_last_event_id_is_refused_before_anything_is_answered(log):
    with pytest.raises(InvalidCursorError):
        await sse_response(log, "bot", "nonsense")


async def test_a_comment_every_fifteen_quiet_seconds_moves_the_readers_cursor(connect, append, tools, clock):
    client = await connect(types=["ticket.closed"])
    await tools.eventually(lambda: clock.sleeping() == [1, 15])
    hidden = await append("message.created")
    clock.advance(14)
    await tools.eventually(lambda: 1 in clock.sleeping())
    assert "keep-alive" not in client.text
    clock.advance(1)
    await tools.eventually(lambda: "keep-alive" in client.text)
    assert client.text.count(": keep-alive") == 1
    assert client.messages == []
    assert client.last_event_id == hidden.cursor, "what the filter hid is not read again"


async def test_filters_choose_by_type_and_by_the_hosts_own_rule(connect, append, tools):
    client = await connect(types=["ticket.closed"], select=lambda event: event.data["n"] != 1)
    await append("message.created", n=0)
    await append("ticket.closed", n=1)
    shown = await append("ticket.closed", n=2)
    await tools.eventually(lambda: client.messages)
    assert [message["id"] for message in client.messages] == [shown.cursor]


async def test_transient_messages_reach_live_readers_only_and_carry_no_id(connect, append, log, tools):
    client = await connect()
    deaf = await connect(transient=False)
    other = await connect(stream="other")
    await tools.eventually(lambda: client.text and deaf.text and other.text)
    await tools.eventually(lambda: len(log.hub._of_stream.get("bot", ())) == 2)
    assert log.publish_transient("bot", "agent.typing", {"ticket": "t_1", "typing": True}) == 1
    await tools.eventually(lambda: client.messages)
    assert client.messages == [{"event": "agent.typing", "data": '{"ticket":"t_1","typing":true}'}]
    await append()
    await tools.eventually(lambda: deaf.messages)
    assert [message["event"] for message in deaf.messages] == ["message.created"]
    assert other.messages == []
    assert len((await log.read("bot")).events) == 1


async def test_a_reader_behind_gets_the_newest_transient_messages_only(connect, log, tools):
    client = await connect(buffer=2)
    await tools.eventually(lambda: len(log.hub._of_stream.get("bot", ())) == 1)
    client.reading.clear()
    for n in range(5):
        log.publish_transient("bot", "typing", {"n": n})
    client.reading.set()
    await tools.eventually(lambda: len(client.messages) >= 2)
    assert [json.loads(message["data"])["n"] for message in client.messages] == [3, 4]


async def test_what_was_appended_is_shown_though_another_process_did_it(connect, engine, tables, tools, clock):
    client = await connect()
    await tools.eventually(lambda: clock.sleeping() == [1, 15])
    other = EventLog(engine, tables, clock=clock)
    async with begin_write(engine) as conn:
        event = await other.append(conn, stream="bot", type="e", data={})
    clock.advance(1)
    await tools.eventually(lambda: client.messages)
    assert client.messages[0]["id"] == event.cursor


async def test_a_slow_reader_is_cut_off_and_comes_back_where_it_was(connect, append, tools, log):
    client = await connect(write_timeout=0.02)
    first = await append(n=1)
    await tools.eventually(lambda: client.messages)
    client.reading.clear()
    second = await append(n=2)
    async with asyncio.timeout(10):
        await client.task
    assert not client.complete, "the connection breaks, so the browser reconnects"
    again = await connect(client.last_event_id)
    await tools.eventually(lambda: again.messages)
    assert [client.messages[-1]["id"], again.messages[0]["id"]] == [first.cursor, second.cursor]


async def test_a_host_may_show_events_its_own_way_and_both_generators_end_with_the_reader(log, append, tools):
    closed = []

    async def loud(frames):
        try:
            async for frame in frames:
                yield frame.upper()
        finally:
            closed.append(True)

    response = await sse_response(log, "bot")
    response.body_iterator = loud(response.body_iterator)
    client = Client(response)
    await tools.eventually(lambda: client.text)
    await append("ticket.closed")
    await tools.eventually(lambda: "EVENT: TICKET.CLOSED" in client.text)
    client.reading.clear()
    await append()
    client.leave()
    await client.task
    assert closed
    assert not log.hub._of_stream


async def test_a_reader_who_leaves_frees_its_place_at_once(connect, log, tools):
    client = await connect()
    await tools.eventually(lambda: log.hub._of_stream)
    client.leave()
    await client.task
    assert not log.hub._of_stream


async def test_closing_the_log_ends_every_stream_cleanly(connect, log, tools, clock):
    clients = [await connect(), await connect(stream="other")]
    await tools.eventually(lambda: len(log.hub._of_stream) == 2)
    await log.close()
    await asyncio.gather(*(client.task for client in clients))
    assert all(client.complete for client in clients)
    late = await connect()
    await late.task
    assert late.complete


SERVER = """
import sys
from contextlib import asynccontextmanager
import sqlalchemy as sa
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from hitl_core.database import create_engine
from hitl_core.eventlog import EventLog, close_on_signals, define_tables, sse_response

metadata = sa.MetaData()
tables = define_tables(metadata)
engine = create_engine(sys.argv[1])
log = EventLog(engine, tables)

@asynccontextmanager
async def lifespan(app):
    async with engine.begin() as conn:
        await conn.run_sync(metadata.create_all)
    async with close_on_signals(log):
        yield
    await engine.dispose()
    print("clean", flush=True)

async def stream(request):
    return await sse_response(log, "bot", request.headers.get("last-event-id"))

app = Starlette(routes=[Route("/stream", stream)], lifespan=lifespan)
uvicorn.run(app, fd=int(sys.argv[2]), log_level="info", access_log=False)
"""


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
async def test_ctrl_c_of_a_real_server_does_not_wait_for_open_streams(tmp_path, signal_number):
    pytest.importorskip("uvicorn", reason="uvicorn is not installed: install hitl-desk[server]")
    listener = socket.create_server(("127.0.0.1", 0))
    errors = tmp_path / "errors"
    with listener, errors.open("wb") as stderr:
        server = subprocess.Popen(  # noqa: ASYNC220  our own program
            [sys.executable, "-W", "error", "-c", SERVER, f"sqlite:///{tmp_path / 'log.db'}", str(listener.fileno())],
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                writer.write(b"GET /stream HTTP/1.1\r\nHost: desk\r\n\r\n")
                await reader.readuntil(b"retry: 2000\n")
                server.send_signal(signal_number)
                rest = await reader.read()
                assert rest.endswith(b"0\r\n\r\n"), "the response is complete"
                output = await asyncio.to_thread(server.communicate)
                writer.close()
                await writer.wait_closed()
        finally:
            server.kill()
            server.wait()
    assert output[0] == b"clean\n", errors.read_text()
    assert "Traceback" not in errors.read_text().replace("KeyboardInterrupt", "")
    assert "timeout" not in errors.read_text()
