"""The simulated Zendesk in this process, a plain caller of its API, and whoever its webhooks reach."""

import json
from urllib.parse import urlencode

import pytest
from hitl_zendesk.simulator import SIM_ACCESS_TOKEN, ZendeskSimulator

from hitl_core._http import HttpRequest, as_transport
from hitl_core.testing import SimulatorControl, VirtualClock

BASE_URL = "https://helpdesk.test"
HOOK_URL = "https://bot.test/hook"


class Answered:
    """An answer: status, headers, and the body as JSON where it is JSON."""

    def __init__(self, response):
        self.status, self.headers, self.raw = response.status, response.headers, response.body

    @property
    def json(self):
        return json.loads(self.raw)

    def __getitem__(self, name):
        return self.json[name]

    @property
    def described(self):
        """What a refusal says of each field."""
        return {name: entry["description"] for name, (entry, *_) in self["details"].items()}


class Caller:
    """Asks the API as the integration would."""

    def __init__(self, simulator):
        self.transport = as_transport(simulator)
        self.authorization = f"Bearer {SIM_ACCESS_TOKEN}"

    async def __call__(self, method, path, body=None, /, headers=None, **query):
        sent = {"content-type": "application/json", **(headers or {})}
        if self.authorization:
            sent.setdefault("authorization", self.authorization)
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        url = path if path.startswith("http") else f"{BASE_URL}{path if path.startswith('/') else f'/api/v2/{path}'}"
        if query:
            url += ("&" if "?" in url else "?") + urlencode(query)
        request = HttpRequest(method, url, sent, raw)
        return Answered(await self.transport.send(request, timeout=5, max_bytes=100_000_000))

    async def user(self, name="Ada Customer", **fields):
        return (await self("POST", "users", {"user": {"name": name, **fields}}))["user"]

    async def ticket(self, text="Hello", *, headers=None, **fields):
        """Open a ticket of a customer who has no other."""
        if "requester_id" not in fields and "requester" not in fields:
            fields["requester_id"] = (await self.user())["id"]
        given = {"subject": "Parcel", "comment": {"html_body": f"<p>{text}</p>"}, **fields}
        answer = await self("POST", "tickets", {"ticket": given}, headers=headers)
        assert answer.status == 201, answer.raw
        return answer["ticket"]

    async def update(self, ticket, **fields):
        return await self("PUT", f"tickets/{ticket['id']}", {"ticket": fields})

    async def upload(self, name="a.txt", content=b"content", **query):
        headers = {"content-type": "text/plain"}
        return await self("POST", "uploads", content, headers=headers, filename=name, **query)

    async def comments(self, ticket, **query):
        return (await self("GET", f"tickets/{ticket['id']}/comments", **query))["comments"]

    async def hook(self, *types, **fields):
        """Make a webhook for event types, or for triggers without any."""
        subscriptions = [f"zen:event-type:ticket.{name}" for name in types] or ["conditional_ticket_events"]
        given = {
            "name": "hitl",
            "endpoint": HOOK_URL,
            "http_method": "POST",
            "request_format": "json",
            "status": "active",
            "subscriptions": subscriptions,
        }
        answer = await self("POST", "webhooks", {"webhook": given | fields})
        assert answer.status == 201, answer.raw
        return answer["webhook"]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def posted():
    """What was posted to URLs, and what the receiver answers: ``posted.status``."""

    class Posted(list):
        status = 200

        async def post(self, url, headers, body, seconds):
            self.append((url, dict(headers), body))
            return self.status

        def told(self):
            """Type without its prefix, and what is below ``event``, of each."""
            events = [json.loads(body) for _, _, body in self]
            return [(event["type"].removeprefix("zen:event-type:ticket."), event["event"]) for event in events]

        def types(self):
            return [type_ for type_, _ in self.told()]

    return Posted()


@pytest.fixture
def simulator(clock, posted):
    """Needs nothing that ``running`` would set up: whatever is due is sent after each request."""
    return ZendeskSimulator(clock=clock, post=posted.post)


@pytest.fixture
def call(simulator):
    return Caller(simulator)


@pytest.fixture
def control(call):
    return SimulatorControl(call.transport, BASE_URL)


@pytest.fixture
def make(clock, posted):
    """Make a simulator with options of one's own, and a caller for it."""

    def make(**options):
        simulator = ZendeskSimulator(clock=clock, post=posted.post, **options)
        return simulator, Caller(simulator)

    return make
