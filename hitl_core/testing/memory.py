"""A helpdesk in memory and its provider: every hook, no network. For tests of what stands above a connection.

>>> helpdesk = MemoryHelpdesk()
>>> connection = connect_class(MemoryProvider, helpdesk=helpdesk, webhook_secret=helpdesk.secret)

Act as the agent with ``helpdesk.reply(...)`` and the like; each gives the signed delivery the vendor would send.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from hitl_core import calls, standard_webhooks
from hitl_core.connect import connect_class
from hitl_core.context import ProviderContext
from hitl_core.errors import NotFoundError, ProviderError, SessionClosedError
from hitl_core.events import (
    AgentAssigned,
    AgentMessage,
    AgentUnassigned,
    AnyEvent,
    Ignored,
    IgnoredReason,
    SessionReopened,
    SessionStopped,
    StopReason,
    UnknownEvent,
)
from hitl_core.info import Capabilities, Limits, ProviderInfo, ProviderSettings, Terminology, TextLimit
from hitl_core.messages import MESSAGE_TYPES, AnyMessage, Text, parse_message
from hitl_core.people import Agent, BotIdentity, EndUser, ExternalUser
from hitl_core.relay import compose_opening
from hitl_core.sessions import HitlSession, SessionRef
from hitl_core.spec import hookimpl
from hitl_core.webhooks import Parsed, ParseWebhook, WebhookDelivery, WebhookRequest

__all__ = ["Delivery", "MemoryHelpdesk", "MemoryProvider", "MemorySettings", "MemoryTicket", "connect_class"]


@dataclass(frozen=True)
class Delivery:
    """A webhook as it would arrive."""

    headers: dict[str, str]
    body: bytes


@dataclass
class MemoryTicket:
    """One session, with all that was done to it."""

    id: str
    start: calls.StartHitl
    open: bool = True
    agent: Agent | None = None
    sent: list[calls.SendMessage] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)


class MemoryHelpdesk:
    """The vendor's side.

    :ivar failures: raised by the next hook calls, one each, before (``"before"``) or after (``"after"``) the effect.
    """

    def __init__(self) -> None:
        self.secret = standard_webhooks.generate_secret()
        self.users: dict[str, EndUser] = {}
        self.tickets: dict[str, MemoryTicket] = {}
        self.keys: dict[str, Any] = {}
        self.failures: list[tuple[str, ProviderError]] = []
        self.typing: list[calls.SendTyping] = []
        self.calls: list[str] = []

    # Acting as the agent --------------------------------------------------------------------------------------

    def reply(self, ticket_id: str, message: str | AnyMessage, agent: Agent | None = None) -> Delivery:
        """Answer the customer."""
        content = Text(text=message) if isinstance(message, str) else message
        return self._fact(ticket_id, "message", agent=agent, message=content.model_dump(mode="json"))

    def note(self, ticket_id: str, text: str, agent: Agent | None = None) -> Delivery:
        """Write an internal note."""
        return self._fact(ticket_id, "note", agent=agent, message={"type": "text", "text": text})

    def assign(self, ticket_id: str, agent: Agent | None) -> Delivery:
        """Give the ticket to an agent, or to nobody."""
        self.tickets[ticket_id].agent = agent
        return self._fact(ticket_id, "assigned" if agent else "unassigned", agent=agent)

    def close(self, ticket_id: str, agent: Agent | None = None) -> Delivery:
        """Close the ticket."""
        self.tickets[ticket_id].open = False
        return self._fact(ticket_id, "closed", agent=agent)

    def reopen(self, ticket_id: str, agent: Agent | None = None) -> Delivery:
        """Open the ticket again."""
        self.tickets[ticket_id].open = True
        return self._fact(ticket_id, "reopened", agent=agent)

    def _fact(self, ticket_id: str, kind: str, agent: Agent | None = None, **data: Any) -> Delivery:
        ticket = self.tickets[ticket_id]
        number = len(ticket.facts) + 1
        fact = {
            "id": f"{ticket_id}-{number}",
            "ticket": ticket_id,
            "kind": kind,
            "at": datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
            "agent": agent.model_dump(mode="json") if agent else None,
            **data,
        }
        ticket.facts.append(fact)
        return self.deliver([fact])

    def deliver(self, facts: Sequence[dict[str, Any]], *, delivery_id: str | None = None) -> Delivery:
        """Sign a delivery of these facts, now."""
        body = json.dumps({"facts": list(facts)}).encode()
        identity = delivery_id or f"dlv-{'-'.join(fact['id'] for fact in facts) or 'empty'}"
        return Delivery(
            standard_webhooks.sign([self.secret], id=identity, timestamp=datetime.now(UTC), body=body), body
        )

    # Seen by the provider -------------------------------------------------------------------------------------

    def fail(self, when: str, error: ProviderError) -> None:
        """Let the next write fail ``"before"`` or ``"after"`` it took effect."""
        self.failures.append((when, error))

    def stumble(self, when: str) -> None:
        """Raise the failure that is due."""
        if self.failures and self.failures[0][0] == when:
            raise self.failures.pop(0)[1]

    def ticket(self, session: HitlSession) -> MemoryTicket:
        """Find the ticket of a session."""
        try:
            return self.tickets[session.id]
        except KeyError:
            msg = f"ticket {session.id} does not exist; start a new hand-off"
            raise NotFoundError(msg, status=404) from None


class MemorySettings(ProviderSettings):
    """Which helpdesk."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    helpdesk: MemoryHelpdesk = Field(repr=False)


class MemoryProvider:
    """Every hook, against a :class:`MemoryHelpdesk`."""

    info: ClassVar[ProviderInfo] = ProviderInfo(
        name="memory",
        title="Memory",
        settings=MemorySettings,
        capabilities=Capabilities(
            webhook_registration=True,
            find_session=True,
            find_message=True,
            pull=True,
            changes=True,
            typing=True,
            availability=True,
            transfer=True,
            message_types=frozenset(MESSAGE_TYPES),
            attachments=True,
            internal_notes=True,
            reopen="asked",
            stop_message=True,
            bot_author=True,
            placeholders=(),
        ),
        limits=Limits(text=TextLimit(max=1000), title=TextLimit(max=100), opening=TextLimit(max=2000)),
        terminology=Terminology(session="ticket", user="customer"),
        verified="simulator",
    )

    def __init__(self, ctx: ProviderContext[MemorySettings]) -> None:
        self._ctx = ctx
        self._desk = ctx.settings.helpdesk

    @hookimpl
    async def check(self) -> list[calls.CheckResult]:
        """Nothing can be wrong."""
        return [calls.CheckResult(name="memory", ok=True)]

    @hookimpl
    async def identify(self) -> BotIdentity:
        """We are the bot."""
        return BotIdentity(id="bot")

    @hookimpl
    async def create_user(self, request: calls.CreateUser) -> ExternalUser:
        """Key people by their external id."""
        self._desk.calls.append("create_user")
        identity = f"user-{request.user.external_id or request.key}"
        self._desk.users[identity] = request.user
        return ExternalUser(id=identity, name=request.user.name)

    @hookimpl(specname="start_hitl")
    async def create_ticket(self, request: calls.StartHitl) -> calls.StartedSession:
        """Make a ticket that carries as much of the history as fits."""
        self._desk.calls.append("start_hitl")
        self._desk.stumble("before")
        placed = self._placed(request)
        if request.key not in self._desk.keys:
            ticket = MemoryTicket(f"t{len(self._desk.tickets) + 1}", request)
            self._desk.tickets[ticket.id] = ticket
            self._desk.keys[request.key] = ticket.id
        self._desk.stumble("after")
        session = HitlSession(
            ref=SessionRef(connection=self._ctx.key, id=self._desk.keys[request.key]),
            provider="memory",
            user_id=request.user.id,
            external_id=request.external_id,
        )
        return calls.StartedSession(session=session, relayed=placed, cursor="0")

    def _placed(self, request: calls.StartHitl) -> int:
        """Count the relay items the opening has room for."""
        limits = self.info.limits
        return compose_opening(request.description, request.relay, limits.opening)[1]

    @hookimpl(specname="send_message")
    async def add_message(self, request: calls.SendMessage) -> calls.SentMessage:
        """Add a message to the ticket."""
        self._desk.calls.append("send_message")
        ticket = self._desk.ticket(request.session)
        self._desk.stumble("before")
        if not ticket.open and not request.reopen:
            msg = f"ticket {ticket.id} is closed; send with reopen=True or start a new hand-off"
            raise SessionClosedError(msg)
        ticket.open = True
        ticket.sent.append(request)
        self._desk.stumble("after")
        return calls.SentMessage(ids=(f"{ticket.id}-sent-{len(ticket.sent)}",))

    @hookimpl(specname="stop_hitl")
    async def close_ticket(self, request: calls.StopHitl) -> None:
        """Close the ticket."""
        self._desk.calls.append("stop_hitl")
        ticket = self._desk.ticket(request.session)
        self._desk.stumble("before")
        ticket.open = False
        self._desk.stumble("after")

    @hookimpl
    async def send_typing(self, request: calls.SendTyping) -> None:
        """Remember it."""
        self._desk.typing.append(request)

    @hookimpl
    async def transfer(self, request: calls.Transfer) -> None:
        """Give the ticket to somebody else."""
        self._desk.ticket(request.session).agent = Agent(id=request.agent) if request.agent else None

    @hookimpl
    async def get_availability(self) -> calls.Availability:
        """Somebody is always there."""
        return calls.Availability(available=True, agents_online=1)

    @hookimpl
    def verify_webhook(self, request: WebhookRequest) -> WebhookDelivery:
        """Standard Webhooks."""
        verified = self._ctx.verify_signature(standard_webhooks.SCHEME, request)
        identity = (verified.id if verified else None) or request.headers.get("webhook-id") or "unsigned"
        try:
            sessions = {str(fact["ticket"]) for fact in json.loads(request.body)["facts"]}
        except (ValueError, KeyError, TypeError):
            sessions = set()
        return WebhookDelivery.of(request, id=identity, session_ids=sorted(sessions))

    @hookimpl
    async def parse_webhook(self, request: ParseWebhook) -> Parsed:
        """Read the facts of a delivery."""
        facts = json.loads(request.delivery.body)["facts"]
        return Parsed(events=tuple(self._event(fact, request.is_ours(fact["ticket"])) for fact in facts))

    @hookimpl
    async def register_webhook(self, request: calls.RegisterWebhook) -> calls.WebhookRegistration:
        """Give out the helpdesk's secret."""
        return calls.WebhookRegistration.model_validate({"url": request.url, "secrets": [self._desk.secret]})

    @hookimpl
    async def unregister_webhook(self) -> None:
        """Nothing was made."""

    @hookimpl
    async def find_session(self, request: calls.FindSession) -> calls.Finding:
        """Look the key up."""
        found = self._desk.keys.get(request.request.key)
        if found is None:
            return calls.Absent()
        session = HitlSession(ref=SessionRef(connection=self._ctx.key, id=found), provider="memory")
        return calls.Found(started=calls.StartedSession(session=session, relayed=self._placed(request.request)))

    @hookimpl
    async def find_message(self, request: calls.FindMessage) -> calls.Finding:
        """Look the key up."""
        ticket = self._desk.ticket(request.request.session)
        for number, sent in enumerate(ticket.sent, 1):
            if sent.key == request.request.key:
                return calls.Found(sent=calls.SentMessage(ids=(f"{ticket.id}-sent-{number}",)))
        return calls.Absent()

    @hookimpl
    async def list_events(self, request: calls.ListEvents) -> calls.EventPage:
        """Read the facts after the cursor."""
        ticket = self._desk.ticket(request.session)
        start = int(request.cursor or 0)
        facts = ticket.facts[start : start + request.limit]
        end = start + len(facts)
        return calls.EventPage(
            events=tuple(self._event(fact, ours=True) for fact in facts),
            state=calls.SessionState(open=ticket.open, agent=ticket.agent),
            cursor=str(end),
            more=end < len(ticket.facts),
        )

    @hookimpl
    async def list_changes(self, request: calls.ListChanges) -> calls.ChangePage:
        """Count facts over all tickets."""
        total = sum(len(ticket.facts) for ticket in self._desk.tickets.values())
        moved = self._desk.tickets if request.cursor != str(total) else ()
        return calls.ChangePage(
            sessions=tuple(SessionRef(connection=self._ctx.key, id=id_) for id_ in moved), cursor=str(total)
        )

    def _event(self, fact: dict[str, Any], ours: bool) -> AnyEvent:
        session = SessionRef(connection=self._ctx.key, id=fact["ticket"])
        agent = Agent.model_validate(fact["agent"]) if fact["agent"] else None
        common: dict[str, Any] = {"event_id": fact["id"], "session": session, "occurred_at": fact["at"], "raw": fact}
        if not ours:
            return Ignored(reason=IgnoredReason.NOT_OURS, **common)
        if fact["kind"] == "message":
            message = parse_message(fact["message"])
            return AgentMessage(message_id=fact["id"], agent=agent, message=message, **common)
        build = _EVENTS.get(fact["kind"], UnknownEvent)
        return build(agent=agent, **common)


def _ignored_note(*, agent: Agent | None, **common: Any) -> Ignored:
    del agent  # nobody is told who wrote a note
    return Ignored(reason=IgnoredReason.INTERNAL_NOTE, **common)


_EVENTS: dict[str, Callable[..., AnyEvent]] = {
    "note": _ignored_note,
    "assigned": AgentAssigned,
    "unassigned": AgentUnassigned,
    "closed": partial(SessionStopped, reason=StopReason.AGENT_CLOSED),
    "reopened": SessionReopened,
}
