"""A Zendesk that answers what each test tells it to, and a connection to it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hitl_zendesk import ZendeskProvider
from hitl_zendesk.deliveries import SIGNATURE

import hitl_core as hitl
from hitl_core.connect import connect_class
from hitl_core.state import MemoryState
from hitl_core.testing import ScriptedTransport, VirtualClock, reply

from .admin import Admin

ROOT = "https://acme.zendesk.com"
ME = 9001
"""Id of the user the bot acts as."""

CUSTOMER = 4001
AGENT = 5001
TICKET = 77
SECRET = "kQ2v8nR4xT6yU1wZ3aB5cD7eF9gH0jLm+/pQrStUvW="
START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class Zendesk:
    """Answers by route, such as ``GET tickets/77``; a route nobody told it about fails the test."""

    def __init__(self):
        self.routes = {}
        self.otherwise = None
        """Answers the routes that are not listed, if anything does."""
        self.unexpected = []
        self.requests = []
        self.transport = ScriptedTransport(self._answer)
        self.clock = VirtualClock(START)
        self.on("GET users/me", {"user": {"id": ME, "role": "admin", "name": "Shop bot", "email": "bot@acme.test"}})

    def on(self, route, *answers):
        """Answer a route by these, the last one again and again: JSON, a status, an error, or a function."""
        self.routes[route] = list(answers)
        return self

    def _answer(self, request):
        path = request.url.removeprefix(ROOT).partition("?")[0]
        route = f"{request.method} {path.removeprefix('/api/v2/')}"
        answers = self.routes.get(route) or ([self.otherwise] if self.otherwise else None)
        if not answers:
            self.unexpected.append(route)
            return 418
        self.requests.append(request)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Callable):
            answer = answer(request)
        return reply(json=answer) if isinstance(answer, dict) else answer

    @property
    def asked(self):
        """Every route that was asked for in order, but for who we are."""
        paths = (
            (request.method, request.url.removeprefix(ROOT).partition("?")[0].removeprefix("/api/v2/"))
            for request in self.requests
        )
        return [f"{method} {path}" for method, path in paths if path != "users/me"]

    @property
    def writes(self):
        """The same without reads."""
        return [route for route in self.asked if not route.startswith("GET ")]

    def sent(self, route):
        """The requests of one route."""
        method, _, path = route.partition(" ")
        root = "" if path.startswith("/") else "/api/v2/"
        url = f"{ROOT}{root}{path}"
        return [r for r in self.requests if r.method == method and r.url.partition("?")[0] == url]

    def bodies(self, route):
        """Their JSON."""
        return [json.loads(request.body) for request in self.sent(route)]

    def body(self, route):
        """The JSON of the only one."""
        (body,) = self.bodies(route)
        return body

    def connect(self, **settings):
        """A connection to this account; use it with ``async with``."""
        if not settings.keys() & {"client_id", "email", "access_token"}:
            settings["access_token"] = "access-token-1d9"
        more = {"subdomain": "acme", "transport": self.transport, "clock": self.clock, "alias": "shop"} | settings
        return connect_class(ZendeskProvider, **more)

    @contextlib.asynccontextmanager
    async def receiving(self, **settings):
        """A connection that proves deliveries, and a function that hands it one and gives the events."""
        async with self.connect(webhook_secret=SECRET, **settings) as connection:

            async def receive(body, **more):
                delivery = self.deliver(connection, body)
                return (await connection.parse_delivery(delivery, **more)).events

            yield connection, receive

    def deliver(self, connection, body):
        """Sign a delivery now, hand it over, and give what was proven of it."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = SIGNATURE.sign(SECRET, body, timestamp=self.clock.now())
        return connection.verify_webhook(headers=headers, body=body)

    # What it answers ------------------------------------------------------------------------------------------

    def ticket(self, status="open", id_=TICKET, **more):
        """Answer reads of a ticket."""
        return self.on(f"GET tickets/{id_}", {"ticket": ticket(status, id_, **more)})

    def takes(self, *comments, status="open", id_=TICKET):
        """Answer updates of a ticket that make these comments."""
        return self.on(f"PUT tickets/{id_}", updated(*comments, status=status, id_=id_))


def event(kind, told=None, **detail):
    """An event of Zendesk's about the ticket, as subscribers get it."""
    return {
        "account_id": 22129848,
        "id": "0f0e0d0c-0b0a-4908-8706-050403020100",
        "type": f"zen:event-type:ticket.{kind}",
        "subject": f"zen:ticket:{TICKET}",
        "time": "2026-01-05T12:00:05.789012345Z",
        "zendesk_event_version": "2022-11-06",
        "detail": {
            "id": str(TICKET),
            "actor_id": str(AGENT),
            "assignee_id": str(AGENT),
            "requester_id": str(CUSTOMER),
            "submitter_id": str(ME),
            "external_id": "conversation-1",
            "status": "OPEN",
            "priority": None,
            "organization_id": None,
            "tags": ["hitl"],
            "type": None,
            "created_at": "2026-01-05T11:00:00Z",
            "updated_at": "2026-01-05T12:00:04Z",
            "via": {"channel": "web_service"},
        }
        | detail,
        "event": told or {},
    }


def said(words="Hello, I am looking into it.", *, author=AGENT, staff=True, public=True, id_=601, **more):
    """What an event tells of a comment."""
    html = f'<div class="zd-comment" dir="auto">{words}<br></div>'
    who = {"id": None if author is None else str(author), "is_staff": staff, "name": "Ada"}
    told = {"id": str(id_), "body": words, "html_body": html, "is_public": public, "author": who} | more
    return {"comment": told, "meta": {"sequence": {"id": "0A1B", "position": 1}}}


def ticket(status="open", id_=TICKET, **more):
    """A ticket as Zendesk shows it."""
    return {
        "id": id_,
        "status": status,
        "requester_id": CUSTOMER,
        "submitter_id": ME,
        "assignee_id": None,
        "external_id": "conversation-1",
        "created_at": "2026-01-05T12:00:00Z",
        "updated_at": "2026-01-05T12:00:00Z",
        "tags": ["hitl"],
    } | more


def updated(*comments, status="open", id_=TICKET, **more):
    """The answer to a write to a ticket, which made these comments."""
    events = [{"id": 1, "type": "Change", "field_name": "status", "value": status}]
    events += [{"id": comment, "type": "Comment", "public": True} for comment in comments]
    events += [{"id": 2, "type": "Notification", "subject": "x"}]
    return {"ticket": ticket(status, id_, **more), "audit": {"id": 9, "ticket_id": id_, "events": events}}


def refused(code=422, /, **details):
    """A refusal of a record: what each field is refused for."""
    told = {
        field: [{"description": words} if isinstance(words, str) else words for words in listed]
        for field, listed in details.items()
    }
    return reply(code, json={"error": "RecordInvalid", "description": "Record validation errors", "details": told})


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


@pytest.fixture
def zendesk():
    zendesk = Zendesk()
    yield zendesk
    assert zendesk.unexpected == []


@pytest.fixture
async def connection(zendesk):
    async with zendesk.connect() as connection:
        yield connection


@pytest.fixture
def admin(zendesk):
    """Its webhooks and triggers."""
    zendesk.otherwise = Admin()
    return zendesk.otherwise


@pytest.fixture
def state():
    """What a connection remembers, for more than one."""
    return MemoryState()


@pytest.fixture
def customer():
    return hitl.ExternalUser(id=str(CUSTOMER), name="Grace")


@pytest.fixture
def session(connection):
    ref = hitl.SessionRef(connection=connection.key, id=str(TICKET))
    return hitl.HitlSession(ref=ref, provider="zendesk", user_id=str(CUSTOMER), external_id="conversation-1")
