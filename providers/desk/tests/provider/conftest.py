"""A desk without sockets: the bot's side by the provider, the agent's side by the inbox's own API."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from hitl_desk.server import ServerSettings, create_agent, create_app, create_bot, create_login_link

import hitl_core as hitl
from hitl_core.eventlog import SendResult

PNG = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@dataclass
class Postbox:
    """Takes the webhooks the desk sends."""

    deliveries: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def post(self, url, headers, content, timeout):  # noqa: ASYNC109 - the desk's own protocol
        async with self.arrived:
            self.deliveries.append((dict(headers), content))
            self.arrived.notify_all()
        return SendResult(status=204)

    async def take(self, count):
        """Wait until ``count`` deliveries have come; return them."""
        async with asyncio.timeout(10), self.arrived:
            await self.arrived.wait_for(lambda: len(self.deliveries) >= count)
        return self.deliveries[:count]


class AgentHand:
    """An agent with the inbox open."""

    def __init__(self, client, csrf):
        self._client = client
        self._headers = {"X-CSRF-Token": csrf}

    async def do(self, ticket, action, **body):
        answer = await self._client.post(f"/inbox/api/tickets/{ticket}/{action}", json=body, headers=self._headers)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    async def reply(self, ticket, text="", **more):
        return await self.do(ticket, "messages", kind="reply", text=text, **more)

    async def note(self, ticket, text):
        return await self.do(ticket, "messages", kind="note", text=text)

    async def upload(self, name, content, kind):
        files = {"file": (name, content, kind)}
        answer = await self._client.post("/inbox/api/attachments", files=files, headers=self._headers)
        assert answer.status_code < 300, answer.text
        return answer.json()["id"]

    async def edit(self, message, text):
        url = f"/inbox/api/messages/{message}"
        answer = await self._client.patch(url, json={"text": text}, headers=self._headers)
        assert answer.status_code < 300, answer.text

    async def delete(self, message):
        answer = await self._client.delete(f"/inbox/api/messages/{message}", headers=self._headers)
        assert answer.status_code == 204, answer.text

    async def see(self, ticket):
        return (await self._client.get(f"/inbox/api/tickets/{ticket}")).json()


@dataclass
class Room:
    """A desk with one agent and one bot."""

    app: object
    token: str
    bot: dict
    postbox: Postbox
    agent: AgentHand
    agent_id: str

    def connect(self, **more):
        settings = {"base_url": "https://desk.test", "token": self.token, "transport": self.app} | more
        return hitl.connect("desk", **settings)


@asynccontextmanager
async def desk_room(path):
    postbox = Postbox()
    settings = ServerSettings(data_dir=path, public_url="https://desk.test")
    app = create_app(settings, sender=postbox)
    async with app.state.desk as desk:
        agent = await create_agent(desk, email="ada@example.com", name="Ada")
        bot, token = await create_bot(desk, "Shop bot")
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://desk.test") as client:
            link = await create_login_link(desk, agent["id"])
            assert (await client.get(link)).status_code == 303
            me = (await client.get("/inbox/api/me")).json()
            yield Room(app, token, dict(bot), postbox, AgentHand(client, me["csrf"]), agent["id"])


@pytest.fixture
async def room(tmp_path):
    async with desk_room(tmp_path / "desk") as room:
        yield room


@pytest.fixture
async def connection(room):
    async with room.connect() as connection:
        yield connection


@pytest.fixture
async def session(connection):
    user = await connection.create_user(name="Grace", external_id="u1", email="grace@example.com")
    return await connection.start_hitl(user=user, title="Refund", external_id="c1", idempotency_key="c1:1")
