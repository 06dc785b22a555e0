"""A vendor's API in this process: what a provider's author writes once, and every test, demo and load test talks to.

Subclass :class:`Simulator`, give it the vendor's routes, and say how the vendor signs and what an agent can do there.
The base adds ``/_sim``: act as the agent, read what was received, move the clock, break things.
"""

from __future__ import annotations

import asyncio
import json
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from hitl_core import standard_webhooks
from hitl_core.clock import Clock, SystemClock
from hitl_core.people import Agent
from hitl_core.testing.simulator.deliveries import Post, WebhookDispatcher, WebhookRetries
from hitl_core.testing.simulator.faults import Fault, apply_fault, take_fault
from hitl_core.testing.simulator.model import (
    ABILITIES,
    NotOfferedError,
    SimEndpoint,
    SimFile,
    SimSession,
    SimUser,
    SimWebhook,
)

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

__all__ = ["SIM_SECRET", "Simulator"]

SIM_SECRET: Final = "whsec_" + "c2ltdWxhdG9yLXNlY3JldC1ub3QtYS1yZWFsLW9uZSE="
"""What simulators sign with until told otherwise; known to everybody, so worth nothing."""

SIM_OTHER_SECRET: Final = "whsec_" + "c2ltdWxhdG9yLXJvdGF0ZWQtdG8tdGhpcy1vbmUtMDI="
"""What a secret is replaced by; as public as the other."""

ELSEWHERE: Final = "https://elsewhere.test/webhooks"
"""Where endpoints are pointed behind the bot's back; nothing is sent there, see ``Simulator.change_endpoints``."""

KEPT_REQUESTS: Final = 1000


class Simulator(ABC):
    """An ASGI application that behaves like one vendor.

    Required of a subclass: :meth:`routes`, :meth:`settings`, :meth:`session`, :meth:`sessions`, :meth:`users`,
    :meth:`reply` and :meth:`close`. Every other thing an agent can do raises ``NotOfferedError`` until it is
    overridden; what is overridden counts as an ability, and the conformance kit tests it.

    :param clock: the only source of time.
    :param secret: what webhooks are signed with until an endpoint of its own is registered.
    """

    title: ClassVar[str]
    keeps_customers: ClassVar[bool] = True
    """Whether the vendor has records of customers; where not, ``create_user`` asks nobody."""
    signs_time: ClassVar[bool] = True
    """Whether a signature covers the time, so that an old delivery can be refused."""
    signs_body: ClassVar[bool] = True
    """Whether the proof covers the body; a secret that is only repeated in a header does not."""
    names_deliveries: ClassVar[bool] = True
    """Whether a delivery carries an id of its own, the same when it is repeated."""
    agents: ClassVar[tuple[Agent, ...]] = (
        Agent(id="agent-1", name="Kim Agent", email="kim@helpdesk.example"),
        Agent(id="agent-2", name="Lou Agent", email="lou@helpdesk.example"),
    )
    teams: ClassVar[tuple[str, ...]] = ()
    """Ids of teams a session can be moved to."""
    webhook_retries: ClassVar[WebhookRetries] = WebhookRetries()
    made_up_names: ClassVar[tuple[str, ...]] = ()
    """Names in its answers, beside those of agents, that are nobody's and may stand in recordings."""

    def __init__(self, *, clock: Clock | None = None, secret: str = SIM_SECRET, post: Post | None = None) -> None:
        from starlette.applications import Starlette

        from hitl_core.testing.simulator.control import control_application
        from hitl_core.testing.simulator.serving import post_webhook

        self.clock: Clock = clock or SystemClock()
        self.secret = secret
        self.webhooks = WebhookDispatcher(self.clock, self.sign, self.webhook_retries, post or post_webhook)
        self.webhooks.subscribe("default", None, secret)
        self.faults: list[Fault] = []
        self.requests: list[dict[str, Any]] = []
        """The last requests of the vendor's API: method, path and status, never a body."""
        self._dispatching = False
        self._wake = asyncio.Event()
        self._vendor = Starlette(routes=list(self.routes()))
        self._entry: Callable[..., Any] = self._answer
        self._control = control_application(self)

    # What a subclass says of its vendor -------------------------------------------------------------------------

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """Return the vendor's API, as routes of Starlette. Called once, by ``__init__``."""

    @abstractmethod
    def settings(self, base_url: str) -> dict[str, Any]:
        """Return settings with which the provider connects to this simulator at ``base_url``, secrets included."""

    def sign(self, secret: str, body: bytes, *, id: str, at: datetime) -> Mapping[str, str]:
        """Return the headers that prove a delivery, the vendor's way; Standard Webhooks unless overridden."""
        return standard_webhooks.sign([secret], id=id, timestamp=at, body=body)

    def other_secret(self) -> str:
        """Return a second secret in the vendor's form, to be rotated to."""
        return SIM_OTHER_SECRET

    def checked_with(self, secret: str) -> str:
        """Return what checks signatures made with ``secret``: itself, or the public key where the vendor has pairs."""
        return secret

    def webhook(
        self,
        body: bytes | Mapping[str, Any],
        *,
        at: datetime | None = None,
        secret: str | None = None,
        id: str = "made-up",
    ) -> SimWebhook:
        """Return any delivery, signed as the vendor would, without anything having happened: for tests of webhooks.

        :param body: an object is sent as compact JSON.
        :param at: when it was signed; now when left out.
        :param secret: the account's when left out.
        """
        at = at or self.clock.now()
        content = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
        proof = self.sign(secret or self.secret, content, id=id, at=at)
        headers = {"content-type": "application/json", **proof}
        return SimWebhook(number=0, id=id, headers=headers, body=content, sent_at=at)

    def error(self, status: int) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a refusal, in the vendor's form."""
        return {"content-type": "application/json"}, json.dumps({"error": f"status_{status}"}).encode()

    def unknown_body(self) -> bytes:
        """Return a delivery of a kind the provider cannot know yet, in the vendor's form."""
        raise NotOfferedError

    def foreign_body(self, body: bytes) -> bytes:
        """Return a delivery of ours as another account would have sent it, where deliveries name their account."""
        raise NotOfferedError

    def missing_session_id(self, like: str) -> str:
        """Return the id of a session that does not exist, in the form of one that does."""
        nines = re.sub(r"[0-9]", "9", like)
        if nines != like and len(like) > 12:
            return nines
        return re.sub(r"9*(?=[^9]*$)", "999999999", nines, count=1)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Set up and tear down what the vendor's side needs, such as a database."""
        yield

    def serve_at(self, url: str) -> None:  # noqa: B027  optional: most vendors' answers name no address of their own
        """Let links in answers lead to ``url``, where a person can follow them; called once the simulator runs.

        ``hitl simulate`` calls it. Tests do not: what they record must not depend on the port.
        """

    # What can be seen -----------------------------------------------------------------------------------------

    @abstractmethod
    async def session(self, session_id: str) -> SimSession:
        """Return one session as an agent sees it.

        :raises KeyError: there is none.
        """

    @abstractmethod
    async def sessions(self) -> list[SimSession]:
        """Return every session, the oldest first."""

    @abstractmethod
    async def users(self) -> list[SimUser]:
        """Return every customer, the oldest first."""

    async def endpoints(self) -> list[SimEndpoint]:
        """Return where deliveries go, by API; override where the vendor keeps more than the dispatcher."""
        kept = self.webhooks.endpoints.values()
        return [SimEndpoint(id=each.id, url=each.url, enabled=each.enabled) for each in kept if each.url is not None]

    # Behind the bot's back ----------------------------------------------------------------------------------------

    async def lose_endpoints(self) -> None:
        """Let somebody remove every endpoint; override it together with :meth:`endpoints`."""
        for endpoint in await self.endpoints():
            self.webhooks.unsubscribe(endpoint.id)

    async def change_endpoints(self) -> None:
        """Let somebody point every endpoint elsewhere; override it together with :meth:`endpoints`."""
        for endpoint in await self.endpoints():
            self.webhooks.endpoints[endpoint.id].url = ELSEWHERE

    # Acting as the agent --------------------------------------------------------------------------------------

    @abstractmethod
    async def reply(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Answer the customer."""

    @abstractmethod
    async def close(self, session_id: str, *, agent: Agent) -> None:
        """End the session for good, or as much so as the vendor can."""

    async def note(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Write what only agents see."""
        raise NotOfferedError

    async def attach(self, session_id: str, text: str, files: Sequence[SimFile], *, agent: Agent) -> None:
        """Answer with files."""
        raise NotOfferedError

    async def assign(self, session_id: str, *, agent: Agent) -> None:
        """Take the session."""
        raise NotOfferedError

    async def unassign(self, session_id: str, *, agent: Agent) -> None:
        """Give the session back to the queue."""
        raise NotOfferedError

    async def solve(self, session_id: str, *, agent: Agent) -> None:
        """End the session so that it can be reopened, where that is something else than closing."""
        raise NotOfferedError

    async def reopen(self, session_id: str, *, agent: Agent) -> None:
        """Open an ended session again."""
        raise NotOfferedError

    async def edit(self, session_id: str, message_id: str, text: str, *, agent: Agent) -> None:
        """Change a message of an agent."""
        raise NotOfferedError

    async def delete(self, session_id: str, message_id: str, *, agent: Agent) -> None:
        """Take a message of an agent back."""
        raise NotOfferedError

    async def read(self, session_id: str, message_id: str, *, agent: Agent) -> None:
        """Read a message of ours, where the vendor tells of it."""
        raise NotOfferedError

    async def reply_and_assign(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Take the session by answering; override where the vendor tells of it in one event."""
        await self.assign(session_id, agent=agent)
        await self.reply(session_id, text, agent=agent)

    async def reply_and_close(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Answer and end the session; override where the vendor tells of it in one event."""
        await self.reply(session_id, text, agent=agent)
        await self.close(session_id, agent=agent)

    # Others who act ---------------------------------------------------------------------------------------------

    async def customer_writes(self, session_id: str, text: str) -> None:
        """Let the customer write by the vendor's own channel, such as mail."""
        raise NotOfferedError

    async def system_acts(self, session_id: str) -> None:
        """Let an automation of the vendor touch the session without anything a customer should see."""
        raise NotOfferedError

    async def open_elsewhere(self, text: str) -> str:
        """Open a session no bot knows of; return its id."""
        raise NotOfferedError

    async def ping(self) -> None:
        """Send the vendor's test delivery."""
        raise NotOfferedError

    async def emit_unknown(self) -> None:
        """Send a delivery of a kind the provider cannot know yet."""
        self.webhooks.emit(self.unknown_body())

    async def emit_batch(self, session_id: str, texts: Sequence[str], *, agent: Agent) -> None:
        """Answer several times, told of in one delivery."""
        raise NotOfferedError

    async def expire_credentials(self) -> None:
        """Let every access token given out so far expire."""
        raise NotOfferedError

    async def agents_leave(self) -> None:
        """Let every agent go offline."""
        raise NotOfferedError

    # The machine ------------------------------------------------------------------------------------------------

    @property
    def abilities(self) -> frozenset[str]:
        """Which of :data:`ABILITIES` this simulator has."""
        return frozenset(name for name in ABILITIES if self._offers(name))

    def _offers(self, name: str) -> bool:
        watched = "unknown_body" if name == "emit_unknown" else name
        return getattr(type(self), watched) is not getattr(Simulator, watched)

    def agent(self, id: str | None = None) -> Agent:
        """Return an agent by id, the first when none is named.

        :raises KeyError: there is no such agent.
        """
        for agent in self.agents:
            if id is None or agent.id == id:
                return agent
        raise KeyError(id)

    @asynccontextmanager
    async def running(self, *, dispatching: bool = False) -> AsyncIterator[None]:
        """Be ready for requests.

        :param dispatching: send webhooks by a task of their own, as their time comes; otherwise after each request.
        """
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(self.lifespan())
                if dispatching:
                    self._dispatching = True
                    task = asyncio.create_task(self._dispatch())
                    stack.push_async_callback(_ended, task)
                yield
        finally:
            self._dispatching = False

    def put_before(self, middleware: Callable[[Any], Callable[..., Any]]) -> None:
        """Lead the vendor's requests, those that are to fail included, through an ASGI middleware first."""
        self._entry = middleware(self._entry)

    async def pump(self) -> None:
        """Send the webhooks that are due."""
        if self._dispatching:
            self._wake.set()
        else:
            await self.webhooks.pump()

    async def _dispatch(self) -> None:
        while True:
            self._wake.clear()
            await self.webhooks.pump()
            due = self.webhooks.next_at()
            seconds = None if due is None else max((due - self.clock.now()).total_seconds(), 0)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer a request: the control's, one that is to fail, or the vendor's."""
        if scope["type"] == "lifespan":
            await _answer_lifespan(receive, send)
        elif scope["path"] == "/_sim" or scope["path"].startswith("/_sim/"):
            await self._control(scope, receive, send)
            await self.pump()
        else:
            await self._entry(scope, receive, send)
            await self.pump()

    async def _answer(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        noted: dict[str, Any] = {"method": scope["method"], "path": scope["path"], "status": None}
        self.requests.append(noted)
        del self.requests[:-KEPT_REQUESTS]

        async def watching(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                noted["status"] = message["status"]
            await send(message)

        fault = take_fault(self.faults, scope["method"], scope["path"])
        if fault is None:
            await self._vendor(scope, receive, watching)
            return
        noted["fault"] = fault.kind
        await apply_fault(fault, self._vendor, scope, receive, watching, error=self.error, sleep=self.clock.sleep)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _answer_lifespan(receive: Any, send: Any) -> None:
    """Tell a server that we are ready; whoever serves a simulator enters :meth:`Simulator.running` itself."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
