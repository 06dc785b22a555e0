"""A simulated app of Sunshine Conversations, and a bot connected to it."""

import itertools
import json
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest
from hitl_zendesk.messaging import ZendeskMessagingProvider
from hitl_zendesk.messaging.simulator import ZendeskMessagingSimulator

import hitl_core as hitl
from hitl_core.testing import VirtualClock, no_backoff

BASE_URL = "https://helpdesk.test"


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_waiting():
    with no_backoff():
        yield


class Scene:
    """The bot's side by a connection, the agents' side by the simulator."""

    def __init__(self, sim, clock, stack):
        self.sim = sim
        self.clock = clock
        self._stack = stack
        self._keys = itertools.count(1)
        self._seen = 0
        self.files = {}

    async def connect(self, **settings):
        """Open a connection of its own."""
        given = {**self.sim.settings(BASE_URL), **settings}
        connection = hitl.connect_class(
            ZendeskMessagingProvider, transport=self.sim, clock=self.clock, fetch=self._fetch, **given
        )
        return await self._stack.enter_async_context(connection)

    async def _fetch(self, url, *, max_bytes=None):
        found = self.files.get(url)
        if found is None:
            raise hitl.HitlError("nothing can be downloaded in this test")
        return found

    def key(self):
        return f"key-{next(self._keys)}"

    async def user(self, **fields):
        given = {"name": "Grace Hopper", "external_id": "u1", "email": "grace@example.com", **fields}
        return await self.connection.create_user(**given, idempotency_key=self.key())

    async def start(self, **fields):
        """Start a hand-off."""
        user = fields.pop("user", None) or await self.user()
        given = {"title": "Refund", "external_id": "c1", "idempotency_key": self.key(), **fields}
        self.clock.advance(1)
        return await self.connection.start_hitl(user=user, **given)

    async def deliveries(self):
        """Return what was delivered since the last call."""
        await self.sim.pump()
        sent = self.sim.webhooks.sent[self._seen :]
        self._seen = len(self.sim.webhooks.sent)
        return sent

    async def heard(self, **more):
        """Read the deliveries since the last call, as a bot that keeps no record."""
        events = []
        for webhook in await self.deliveries():
            events += await self.connection.parse_webhook(headers=webhook.headers, body=webhook.body, **more)
        return events

    async def parse(self, *events, known=None, app=None):
        """Read a made-up batch."""
        body = {"app": {"id": app or self.sim.settings(BASE_URL)["app_id"]}, "events": list(events)}
        webhook = self.sim.webhook(body)
        return await self.connection.parse_webhook(headers=webhook.headers, body=webhook.body, known=known)

    def conversation(self, session):
        return self.sim.records.conversations[session.id]

    def texts(self, session):
        return [message["content"].get("text") for message in self.conversation(session).messages]

    def asked(self, method=None):
        """Return the paths of the requests so far, below the app."""
        every = [each for each in self.sim.requests if method in {None, each["method"]}]
        return [each["path"].partition("/apps/")[2].partition("/")[2] for each in every]

    def moment(self, seconds=0):
        return self.clock.now() + timedelta(seconds=seconds)


@asynccontextmanager
async def opened(**options):
    """Open a scene."""
    clock = VirtualClock()
    sim = ZendeskMessagingSimulator(clock=clock, **options)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(sim.running())
        scene = Scene(sim, clock, stack)
        scene.connection = await scene.connect()
        yield scene


@pytest.fixture
async def scene():
    async with opened() as scene:
        yield scene


@pytest.fixture
def scenes():
    """Open scenes of other accounts: ``async with scenes(scope="integration") as scene``."""
    return opened


@pytest.fixture
def message_event():
    """Return an event of a message, as a webhook has it."""

    def made(conversation, *, id="m1", event="e1", author=None, content=None, agent="21000000000001", **message):
        metadata = {"__zendesk_msg.agent.id": agent} if agent else {}
        return json.loads(
            json.dumps(
                {
                    "id": event,
                    "type": "conversation:message",
                    "createdAt": "2026-03-01T10:00:00.000Z",
                    "payload": {
                        "conversation": {"id": conversation, "type": "personal"},
                        "message": {
                            "id": id,
                            "received": "2026-03-01T10:00:00.000Z",
                            "author": author or {"type": "business", "displayName": "Kim"},
                            "content": content or {"type": "text", "text": "Hello"},
                            "metadata": metadata,
                            **message,
                        },
                    },
                }
            )
        )

    return made
