"""The whole demo on a free port, its pages seen through HTTP."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from hitl_desk.demo.own_desk import OwnDesk
from hitl_desk.demo.running import run_demo

PATIENCE = 10


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


async def until(condition, what):
    """Wait for something that has to happen soon; condition may be a coroutine function."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.02)
    raise AssertionError(what)


class Customer:
    """A browser with the chat page: what it was told, in order."""

    def __init__(self, http):
        self.http = http
        self.state = None
        self.records = []
        self.status = None
        self.typing = None

    async def open(self):
        self.state = (await self.http.get("api/conversation")).raise_for_status().json()
        return self

    async def follow(self, after=0):
        """Read the stream until cancelled."""
        async with self.http.stream("GET", "api/stream", params={"after": after}) as answer:
            assert answer.status_code == 200
            event = None
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    event = line[7:]
                elif line.startswith("data: "):
                    data = json.loads(line[6:])
                    if event in {"entry", "change"}:
                        self.records.append((event, data))
                    else:
                        setattr(self, event, data)

    async def say(self, text):
        (await self.http.post("api/messages", json={"text": text})).raise_for_status()

    def said(self, role):
        """The words of a role, as the page shows them now."""
        texts = {}
        for event, data in self.records:
            key = data["id"] if event == "entry" else data["target"]
            if event == "entry" and data["role"] != role:
                continue
            if event == "entry" or key in texts:
                parts = data["parts"] or []
                texts[key] = " ".join(part.get("text") or part.get("url") or "" for part in parts)
        return list(texts.values())

    def parts(self, role):
        return [
            part for event, data in self.records if event == "entry" and data["role"] == role for part in data["parts"]
        ]

    async def sees(self, role, words):
        await until(lambda: any(words in text for text in self.said(role)), f"{role} says {words!r}")

    async def is_with(self, owner):
        await until(lambda: self.status and self.status["owner"] == owner, f"{owner} owns")


class Agent:
    """An agent in the inbox."""

    def __init__(self, http):
        self.http = http

    async def enter(self, link):
        assert (await self.http.get(link)).status_code == 303
        me = (await self.http.get("/inbox/api/me")).raise_for_status().json()
        self.http.headers["x-csrf-token"] = me["csrf"]
        self.name = me["agent"]["name"]
        return self

    async def tickets(self, view="all"):
        return (await self.http.get("/inbox/api/tickets", params={"view": view})).raise_for_status().json()["tickets"]

    async def newest(self, view="unassigned"):
        return (await until(lambda: self.tickets(view), f"a ticket in {view}"))[0]["id"]

    async def ticket(self, ticket_id):
        return (await self.http.get(f"/inbox/api/tickets/{ticket_id}")).raise_for_status().json()

    async def act(self, ticket_id, what, **body):
        return (await self.http.post(f"/inbox/api/tickets/{ticket_id}/{what}", json=body)).raise_for_status()

    async def reply(self, ticket_id, text, kind="reply", attachments=()):
        return await self.act(ticket_id, "messages", text=text, kind=kind, attachments=list(attachments))

    async def sees(self, ticket_id, words):
        async def there():
            return words in json.dumps(await self.ticket(ticket_id))

        await until(there, f"the ticket has {words!r}")


class Demo:
    def __init__(self, stack, chat, agents_page, data_dir):
        self._stack = stack
        self.chat, (self.agents_page_name, self.inbox), self.data_dir = chat, agents_page, data_dir
        parts = urlsplit(chat)
        self.base_url = f"{parts.scheme}://{parts.netloc}"

    async def http(self, **more):
        client = httpx.AsyncClient(timeout=PATIENCE, **{"base_url": self.base_url, **more})
        return await self._stack.enter_async_context(client)

    async def customer(self):
        """A browser of its own, following its conversation."""
        customer = await Customer(await self.http(base_url=self.chat)).open()
        following = asyncio.create_task(customer.follow())

        async def end():
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

        self._stack.push_async_callback(end)
        await until(lambda: customer.status, "the stream")
        return customer

    async def agent(self):
        return await Agent(await self.http()).enter(self.inbox)


@asynccontextmanager
async def running(data_dir, make_helpdesk=None):
    """Run the demo in this event loop, on a desk of its own unless another helpdesk is given."""
    make_helpdesk = make_helpdesk or (lambda base_url: OwnDesk(base_url, data_dir))
    stop = asyncio.Event()
    addresses = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        run_demo("127.0.0.1", 0, data_dir, make_helpdesk, lambda *found: addresses.set_result(found), stop=stop)
    )
    await asyncio.wait((task, addresses), return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
    if not addresses.done():
        task.cancel()
        await task
    async with AsyncExitStack() as stack:
        yield Demo(stack, *addresses.result(), data_dir)
    stop.set()
    async with asyncio.timeout(PATIENCE):
        await task


@pytest.fixture
async def demo(tmp_path):
    async with running(tmp_path / "desk") as made:
        yield made


MADE_UP = """
from dataclasses import replace

from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator


class PaperSimulator(ReferenceSimulator):
    title = "Paper Helpdesk"


class PaperProvider(ReferenceProvider):
    info = replace(
        ReferenceProvider.info,
        name="paper",
        capabilities=ReferenceProvider.info.capabilities.model_copy(update={"webhook_registration": False}),
    )
    register_webhook = unregister_webhook = None  # its webhooks are set up by hand


class BareProvider(ReferenceProvider):
    info = replace(ReferenceProvider.info, name="bare")


class LackingProvider(ReferenceProvider):
    info = replace(ReferenceProvider.info, name="lacking")
"""
ENTRY_POINTS = """
[hitl.providers]
reference = hitl_core.testing.reference:ReferenceProvider
paper = hitl_made_up:PaperProvider
bare = hitl_made_up:BareProvider
lacking = hitl_made_up:LackingProvider

[hitl.simulators]
reference = hitl_core.testing.reference:ReferenceSimulator
paper = hitl_made_up:PaperSimulator
lacking = hitl_made_up_lacking:LackingSimulator
"""


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """Install providers of the tests' own: one that can everything, one less, one without and one with half a
    simulator; give the directory they are in."""
    site = tmp_path / "site"
    info = site / "hitl_made_up-1.2.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hitl-made-up\nVersion: 1.2.3\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (site / "hitl_made_up.py").write_text(MADE_UP)
    (site / "hitl_made_up_lacking.py").write_text("import a_module_nobody_has\n")
    monkeypatch.syspath_prepend(site)
    yield site
    for name in ("hitl_made_up", "hitl_made_up_lacking"):
        sys.modules.pop(name, None)
