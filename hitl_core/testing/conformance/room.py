"""One test's world: an account of the provider, a hand on the agent's side, and the wire in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from hitl_core import calls
from hitl_core.clock import Clock
from hitl_core.connect import connect_class
from hitl_core.connection import Connection
from hitl_core.discovery import Plugin, load_provider
from hitl_core.errors import WebhookVerificationError
from hitl_core.events import (
    AgentAssigned,
    AgentUnassigned,
    AnyEvent,
    Ignored,
    IgnoredReason,
    SessionChanged,
    SessionReopened,
    SessionStopped,
    StopReason,
)
from hitl_core.info import Capabilities, ProviderInfo
from hitl_core.messages import AnyMessage
from hitl_core.people import Author, ExternalUser
from hitl_core.reconciling import known_after, with_implied_events
from hitl_core.sessions import HistoryEntry, HitlSession
from hitl_core.state import ConnectionState
from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.keeping import KeptState
from hitl_core.testing.conformance.shelf import Shelf
from hitl_core.testing.conformance.wire import Wire
from hitl_core.testing.simulator import Simulator, SimulatorControl, SimWebhook
from hitl_core.webhooks import KnownSession

__all__ = ["Room", "provider_class"]

_STATES = (AgentAssigned, AgentUnassigned, SessionReopened, SessionStopped)
"""What is told by difference, and so may be told again under the same id."""


def provider_class(provider: str | type[Any]) -> tuple[type[Any], Plugin | None]:
    """Return the class of a provider given by name or as itself."""
    return load_provider(provider) if isinstance(provider, str) else (provider, None)


@dataclass
class Room:
    """What a kit test works with.

    Everything it sends is fixed by the test's name, so that a recording fits when it is played again.

    :param cls: the provider under test.
    :param simulator: what to ask about the vendor (how it signs, what it can do); it may not be running.
    :param agent: the agent's hand, and a look at what the helpdesk received.
    :param clock: of the connections.
    :param wire: carries every request of the connections, and can be cut.
    :param settings: of the account.
    :param webhook_url: where the bot is said to hear webhooks.
    :param patience: seconds a webhook may take.
    :param shelf: what can be downloaded; no test goes out to the internet.
    """

    name: str
    cls: type[Any]
    simulator: Simulator
    agent: SimulatorControl
    clock: Clock
    wire: Wire
    settings: dict[str, Any] = field(repr=False)
    state: ConnectionState = field(default_factory=KeptState)
    webhook_url: str = "https://bot.test/webhooks/kit"
    patience: int = 10
    received: list[SimWebhook] = field(default_factory=list)
    """Every webhook fetched so far, in order."""
    shelf: Shelf = field(init=False)
    _keys: int = 0
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _connection: Connection | None = None
    _own: dict[str, set[str]] = field(default_factory=dict)
    _cursors: dict[str, str | None] = field(default_factory=dict)
    _seen: dict[str, calls.SessionState] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _user: ExternalUser | None = None

    def __post_init__(self) -> None:
        self.shelf = Shelf(self.wire, getattr(self.agent, "base_url", ""))

    # The account ----------------------------------------------------------------------------------------------

    @property
    def info(self) -> ProviderInfo:
        """What the provider says of itself."""
        info: ProviderInfo = self.cls.info
        return info

    @property
    def connection(self) -> Connection:
        """The open connection most tests use."""
        assert self._connection is not None, "the room is not open"
        return self._connection

    @property
    def capabilities(self) -> Capabilities:
        """What this account can do."""
        return self.connection.capabilities

    def connect(self, **more: Any) -> Connection:
        """Make another connection to the same account, not open yet; ``more`` overrides settings and the rest."""
        options: dict[str, Any] = {"transport": self.wire, "clock": self.clock, "state": self.state}
        options["fetch"] = self.shelf.fetch
        return connect_class(self.cls, **{**self.settings, **options, **more})

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Room]:
        """Open the connection for as long as the test runs."""
        async with self._stack:
            self._connection = await self._stack.enter_async_context(self.connect())
            yield self

    async def another(self, **more: Any) -> Connection:
        """Open another connection to the same account, closed when the test ends; see :meth:`connect`."""
        return await self._stack.enter_async_context(self.connect(**more))

    def key(self) -> str:
        """Return an idempotency key nobody else uses, the same in every run."""
        self._keys += 1
        return f"kit:{self.name}:{self._keys}"

    # Towards the helpdesk -------------------------------------------------------------------------------------

    async def user(self, suffix: str = "", **fields: Any) -> ExternalUser:
        """Create a customer; without arguments always the same one, with a name, a mail address and our id."""
        if not suffix and not fields and self._user is not None:
            return self._user
        given: dict[str, Any] = {
            "name": words.NAME,
            "email": f"ada.{sha256((self.name + suffix).encode()).hexdigest()[:10]}@example.com",
            "external_id": f"kit-{self.name}{suffix}",
        }
        user = await self.connection.create_user(**{**given, **fields}, idempotency_key=self.key())
        if not suffix and not fields:
            self._user = user
        return user

    async def plan(self, **fields: Any) -> calls.StartPlan:
        """Plan a hand-off of the usual customer."""
        given: dict[str, Any] = {
            "title": "Kit: a parcel is lost",
            "external_id": f"kit-{self.name}-{self._keys}",
            "idempotency_key": self.key(),
        }
        given["user"] = fields.pop("user", None) or await self.user()
        return self.connection.plan_start(**{**given, **fields})

    async def run(self, plan: calls.StartPlan, *, found: calls.StartedSession | None = None) -> HitlSession:
        """Carry a planned start out, as the bridge would, and note what it made.

        :param found: what a look-up says of the first step, which is then not taken again.
        """
        resume: dict[str, Any] | None = None
        session: HitlSession | None = None
        started = calls.StartedSession()
        ids: list[str] = []
        for step in range(200):
            if found is not None and step == 0:
                started = found
            else:
                started = await self.connection.begin(plan, resume=resume, step=step)
            ids += started.ids
            session, resume = started.session or session, started.resume
            if resume is None:
                break
        assert session is not None, "start_hitl ended without a session: return StartedSession(session=…) at the end"
        self._own.setdefault(session.id, set()).update(ids)
        self._cursors[session.id] = started.cursor
        for part in self.connection.follow_ups(plan, started):
            await self.execute(part)
        return session

    async def session(self, **fields: Any) -> HitlSession:
        """Start a hand-off; see :meth:`plan` for the fields."""
        return await self.run(await self.plan(**fields))

    async def execute(self, part: calls.SendMessage) -> calls.SentMessage:
        """Send one planned part and note the ids it got."""
        sent = await self.connection.execute(part)
        self._own.setdefault(part.session.id, set()).update(sent.ids)
        return sent

    async def send(
        self, session: HitlSession, message: str | AnyMessage, *, author: Author | None = None, **more: Any
    ) -> list[calls.SentMessage]:
        """Send a message, the customer's unless another author is named."""
        author = author or Author.user(await self.user())
        parts = self.connection.plan_message(session, message, author=author, idempotency_key=self.key(), **more)
        return [await self.execute(part) for part in parts]

    async def stop(
        self, session: HitlSession, reason: StopReason = StopReason.USER_LEFT, *, message: str | None = None
    ) -> None:
        """End a session."""
        await self.connection.stop_hitl(session, reason, message=message, idempotency_key=self.key())

    def history(self, entries: int = 3) -> list[HistoryEntry]:
        """Return a conversation; see :func:`hitl_core.testing.conformance.words.history`."""
        return words.history(self._user, entries=entries)

    # From the helpdesk ----------------------------------------------------------------------------------------

    def own_ids(self, session: HitlSession) -> frozenset[str]:
        """Return the vendor's ids of the messages we sent there."""
        return frozenset(self._own.get(session.id, ()))

    def known(self, *sessions: HitlSession) -> dict[str, KnownSession]:
        """Return what the bridge would know of these sessions."""
        return {
            session.id: KnownSession(
                session=session, cursor=self._cursors.get(session.id), own_message_ids=self.own_ids(session)
            )
            for session in sessions
        }

    async def parse(self, webhook: SimWebhook, *sessions: HitlSession) -> tuple[AnyEvent, ...]:
        """Verify and read a webhook as it came; hints stay hints.

        :param sessions: those that are ours; every one is without any.
        """
        known = self.known(*sessions) if sessions else None
        with self._accepting(webhook):
            return await self.connection.parse_webhook(headers=webhook.headers, body=webhook.body, known=known)
        raise AssertionError  # never: what is refused has failed

    @contextmanager
    def _accepting(self, webhook: SimWebhook) -> Iterator[None]:
        """Fail plainly when a delivery is refused that came from the helpdesk as it is."""
        try:
            yield
        except WebhookVerificationError as error:
            if not any(webhook is genuine for genuine in self.received):
                raise
            names = ", ".join(sorted(webhook.headers, key=str.lower)) or "none"
            msg = f"the simulator's own delivery is refused: {error}; it carries the headers {names}"
            raise AssertionError(msg) from error

    def signed(
        self, body: bytes, *, at: datetime | None = None, secret: str | None = None, id: str | None = None
    ) -> SimWebhook:
        """Sign any body as the vendor would.

        :param at: now when left out.
        :param secret: the account's when left out.
        :param id: of the delivery; always the same when left out.
        """
        at, name = at or self.clock.now(), id or f"kit-{self.name}"[:60]
        return self.simulator.webhook(body, at=at, secret=secret, id=name)

    async def webhooks(self, count: int = 1) -> list[SimWebhook]:
        """Return the webhooks sent since the last call, waiting until there are ``count`` at least."""
        arrived: list[SimWebhook] = await self.agent.webhooks(count, wait=self.patience)
        self.received += arrived
        return arrived

    async def hear(
        self, session: HitlSession, until: type[Any] | Callable[[Sequence[AnyEvent]], bool]
    ) -> list[AnyEvent]:
        """Return what webhooks since the last call tell of a session, once it holds what is waited for.

        As the bridge does, a hint that something changed is followed by a read, and what was told before is left out.

        :param until: an event class, or a condition on everything heard.
        """
        done = until if not isinstance(until, type) else lambda heard: any(isinstance(e, until) for e in heard)
        heard: list[AnyEvent] = []
        while not done(heard):
            arrived = await self.webhooks()
            if not arrived:
                wanted = until.__name__ if isinstance(until, type) else "what was waited for"
                kinds = ", ".join(event.kind for event in heard) or "nothing"
                msg = f"no webhook told of {wanted} within {self.patience} s; heard: {kinds}"
                raise AssertionError(msg)
            for webhook in arrived:
                with self._accepting(webhook):
                    delivery = self.connection.verify_webhook(headers=webhook.headers, body=webhook.body)
                parsed = await self.connection.parse_delivery(delivery, self.known(session))
                self._cursors.update(parsed.cursors)
                for event in parsed.events:
                    heard += await self._followed(event, session)
        return heard

    async def _followed(self, event: AnyEvent, session: HitlSession) -> list[AnyEvent]:
        about = getattr(event, "session", None)
        if about is not None and about.id != session.id:
            return []
        if isinstance(event, SessionChanged):
            return [told for told in await self.pull(session) if isinstance(told, _STATES) or self._is_new(told)]
        return [event] if self._is_new(event) else []

    def _is_new(self, event: AnyEvent) -> bool:
        if isinstance(event, Ignored) and event.reason is IgnoredReason.NOT_OURS:
            return True
        new = event.event_id not in self._told
        self._told.add(event.event_id)
        return new

    async def pull(self, session: HitlSession) -> list[AnyEvent]:
        """Read what is new of a session, its state told by difference as the bridge does."""
        events: list[AnyEvent] = []
        while True:
            page = await self.connection.list_events(
                session, cursor=self._cursors.get(session.id), own_message_ids=self.own_ids(session)
            )
            self._cursors[session.id] = page.cursor
            events += page.events
            if not page.more:
                break
        before = self._seen.get(session.id)
        self._seen[session.id] = page.state or known_after(session.ref, before, events)
        return list(with_implied_events(session.ref, before, events, page.state))
