"""The made-up helpdesk: its records, what agents do with them, and how it tells of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from hitl_core.people import Agent
from hitl_core.testing.reference.events import SIGNATURE
from hitl_core.testing.simulator import SimFile, SimMessage, SimSession, Simulator, SimUser

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

__all__ = ["ACCOUNT", "ReferenceSimulator", "Ticket"]

ACCOUNT = "acct-1"


@dataclass
class Ticket:
    """One ticket, as it is stored."""

    id: str
    title: str
    customer_id: str | None
    external_id: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    status: str = "open"
    agent: Agent | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """Return how it stands, as the API tells it."""
        return {
            "id": self.id,
            "status": self.status,
            "external_id": self.external_id,
            "customer_id": self.customer_id,
            "assignee": self.agent.model_dump(mode="json") if self.agent else None,
            "created_at": self.created_at.isoformat() if self.created_at else None,
            "updated_at": self.updated_at.isoformat() if self.updated_at else None,
        }


class ReferenceSimulator(Simulator):
    """Keeps everything in memory."""

    title: ClassVar[str] = "Reference Helpdesk"
    closes_for_good: ClassVar[bool] = False
    """Whether nothing opens a ticket again that an agent has closed."""
    made_up_names: ClassVar[tuple[str, ...]] = ("Bot app", "Mail")
    teams: ClassVar[tuple[str, ...]] = ("team-1",)

    def __init__(self, **options: Any) -> None:
        self.customers: dict[str, dict[str, Any]] = {}
        self.tickets: dict[str, Ticket] = {}
        self.files: dict[str, SimFile] = {}
        self.one_customer_an_id = True
        self.keys: dict[str, str] = {}
        self.log: list[dict[str, Any]] = []
        self.access_tokens: set[str] = set()
        self.refresh_token = "refresh-0-of-the-reference-helpdesk"  # noqa: S105 - a simulator's
        self.typing: list[str] = []
        self.staffed = True
        self.sealed: set[str] = set()
        self.ids = itertools.count(1)
        super().__init__(**options)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the API."""
        from hitl_core.testing.reference.api import api_routes

        return api_routes(self)

    def settings(self, base_url: str) -> dict[str, Any]:
        """Return an account's settings."""
        return {
            "base_url": base_url,
            "client_id": "bot",
            "client_secret": "client-secret-of-the-reference-helpdesk",
            "refresh_token": "refresh-0-of-the-reference-helpdesk",
            "webhook_secret": self.secret,
        }

    def sign(self, secret: str, body: bytes, *, id: str, at: datetime) -> Mapping[str, str]:
        """Sign time, id and body."""
        return SIGNATURE.sign(secret, body, timestamp=at, id=id)

    def unknown_body(self) -> bytes:
        """Return an event of a type that does not exist."""
        return (
            b'{"account":"acct-1","events":[{"id":"evt-new","type":"ticket.levitated","ticket_id":"tck-1","at":null}]}'
        )

    def foreign_body(self, body: bytes) -> bytes:
        """Return the same events from the account next door."""
        return body.replace(ACCOUNT.encode(), b"acct-2")

    # Seen by agents -------------------------------------------------------------------------------------------

    async def session(self, session_id: str) -> SimSession:
        """Return a ticket."""
        ticket = self.tickets[session_id]
        return SimSession(
            id=ticket.id,
            title=ticket.title,
            open=ticket.status == "open",
            final=ticket.id in self.sealed,
            agent=ticket.agent,
            team=ticket.options.get("team"),
            user_id=ticket.customer_id,
            external_id=ticket.external_id,
            messages=tuple(self._seen(message) for message in ticket.messages),
            facts=ticket.options,
        )

    async def sessions(self) -> list[SimSession]:
        """Return every ticket."""
        return [await self.session(ticket) for ticket in self.tickets]

    async def users(self) -> list[SimUser]:
        """Return every customer."""
        return [SimUser.model_validate(customer) for customer in self.customers.values()]

    def _seen(self, message: Mapping[str, Any]) -> SimMessage:
        return SimMessage(
            id=message["id"],
            role=message["actor"]["role"],
            author=message["actor"].get("name"),
            text=message["text"],
            public=message["public"],
            files=tuple(self.files[id_] for id_ in message["files"]),
            at=message["at"],
        )

    # Done by agents -------------------------------------------------------------------------------------------

    async def reply(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Answer."""
        self.write(self.tickets[session_id], text, actor=_person("agent", agent))

    async def attach(self, session_id: str, text: str, files: Sequence[SimFile], *, agent: Agent) -> None:
        """Answer with files."""
        ids = [self.store(file) for file in files]
        self.write(self.tickets[session_id], text, actor=_person("agent", agent), files=ids)

    async def note(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Write a note."""
        self.write(self.tickets[session_id], text, actor=_person("agent", agent), public=False)

    async def assign(self, session_id: str, *, agent: Agent) -> None:
        """Take it."""
        ticket = self.tickets[session_id]
        ticket.agent = agent
        self.happened(ticket, "ticket.assigned", actor=_person("agent", agent))

    async def unassign(self, session_id: str, *, agent: Agent) -> None:
        """Give it back."""
        ticket = self.tickets[session_id]
        ticket.agent = None
        self.happened(ticket, "ticket.unassigned", actor=_person("agent", agent))

    async def edit(self, session_id: str, message_id: str, text: str, *, agent: Agent) -> None:
        """Change a message."""
        ticket = self.tickets[session_id]
        message = _message(ticket, message_id)
        message["text"] = text
        self.happened(ticket, "message.updated", actor=_person("agent", agent), message=self._told(message))

    async def delete(self, session_id: str, message_id: str, *, agent: Agent) -> None:
        """Take a message back."""
        ticket = self.tickets[session_id]
        message = _message(ticket, message_id)
        ticket.messages.remove(message)
        self.happened(ticket, "message.deleted", actor=_person("agent", agent), message={"id": message_id})

    async def read(self, session_id: str, message_id: str, *, agent: Agent) -> None:
        """Read a message."""
        ticket = self.tickets[session_id]
        message = _message(ticket, message_id)
        self.happened(ticket, "message.read", actor=_person("agent", agent), message={"id": message["id"]})

    async def reply_and_assign(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Take it by answering, in one event."""
        ticket = self.tickets[session_id]
        ticket.agent = agent
        self.write(ticket, text, actor=_person("agent", agent), also="ticket.assigned")

    async def reply_and_close(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Answer and end it, in one event."""
        ticket = self.tickets[session_id]
        ticket.status = "closed"
        self.write(ticket, text, actor=_person("agent", agent), also="ticket.closed")

    async def solve(self, session_id: str, *, agent: Agent) -> None:
        """End it, as far as agents can tell by now."""
        self.set_status(self.tickets[session_id], "solved", actor=_person("agent", agent))

    async def close(self, session_id: str, *, agent: Agent) -> None:
        """End it."""
        self.set_status(self.tickets[session_id], "closed", actor=_person("agent", agent))
        if self.closes_for_good:
            self.sealed.add(session_id)

    async def reopen(self, session_id: str, *, agent: Agent) -> None:
        """Open it again."""
        self.set_status(self.tickets[session_id], "open", actor=_person("agent", agent))

    async def customer_writes(self, session_id: str, text: str) -> None:
        """Let the customer answer by mail."""
        ticket = self.tickets[session_id]
        self.write(ticket, text, actor={"role": "user", "id": ticket.customer_id, "name": "Mail"})

    async def system_acts(self, session_id: str) -> None:
        """Let a rule of the helpdesk add a tag."""
        self.happened(self.tickets[session_id], "ticket.tagged", actor={"role": "system", "id": "rules"})

    async def open_elsewhere(self, text: str) -> str:
        """Open a ticket by mail."""
        ticket = self.create_ticket("By mail", None)
        self.write(ticket, text, actor={"role": "user", "id": "by-mail"})
        return ticket.id

    async def ping(self) -> None:
        """Send a test."""
        self.webhooks.emit({"account": ACCOUNT, "events": [{"id": self.new_id("evt"), "type": "webhook.test"}]})

    async def emit_batch(self, session_id: str, texts: Sequence[str], *, agent: Agent) -> None:
        """Answer several times in one delivery."""
        ticket = self.tickets[session_id]
        facts = [self.write(ticket, text, actor=_person("agent", agent), tell=False) for text in texts]
        self.tell(ticket, *facts)

    async def expire_credentials(self) -> None:
        """Forget every access token."""
        self.access_tokens.clear()

    async def agents_leave(self) -> None:
        """Go home."""
        self.staffed = False

    # The records ----------------------------------------------------------------------------------------------

    def new_id(self, prefix: str) -> str:
        """Return an id in the vendor's style."""
        return f"{prefix}-{next(self.ids)}"

    def store(self, file: SimFile) -> str:
        """Keep a file; return its id."""
        id_ = self.new_id("file")
        self.files[id_] = file
        return id_

    def create_ticket(self, title: str, customer_id: str | None, **more: Any) -> Ticket:
        """Open a ticket."""
        now = self.clock.now()
        ticket = Ticket(self.new_id("tck"), title, customer_id, created_at=now, updated_at=now, **more)
        self.tickets[ticket.id] = ticket
        return ticket

    def write(
        self,
        ticket: Ticket,
        text: str,
        *,
        actor: Mapping[str, Any],
        public: bool = True,
        files: Sequence[str] = (),
        tell: bool = True,
        also: str | None = None,
    ) -> dict[str, Any]:
        """Add a message; return the event that tells of it.

        :param also: type of what was done by writing it.
        """
        message = {
            "id": self.new_id("msg"),
            "text": text,
            "public": public,
            "actor": dict(actor),
            "files": list(files),
            "at": self.clock.now().isoformat(),
        }
        ticket.messages.append(message)
        more = {"also": also} if also else {}
        return self.happened(ticket, "message.created", actor=actor, tell=tell, message=self._told(message), **more)

    def _told(self, message: Mapping[str, Any]) -> dict[str, Any]:
        files = [(id_, self.files[id_]) for id_ in message["files"]]
        return {
            **message,
            "files": [{"id": id_, "name": file.name, "type": file.content_type} for id_, file in files],
        }

    def set_status(self, ticket: Ticket, status: str, *, actor: Mapping[str, Any]) -> None:
        """Close or open; nothing happens when it is so already."""
        if ticket.status != status:
            ticket.status = status
            self.happened(ticket, "ticket.reopened" if status == "open" else f"ticket.{status}", actor=actor)

    def happened(
        self, ticket: Ticket, kind: str, *, actor: Mapping[str, Any], tell: bool = True, **more: Any
    ) -> dict[str, Any]:
        """Note an event and tell of it."""
        ticket.updated_at = self.clock.now()
        event = {
            "id": self.new_id("evt"),
            "type": kind,
            "ticket_id": ticket.id,
            "external_id": ticket.external_id,
            "at": ticket.updated_at.isoformat(),
            "actor": dict(actor),
            **more,
        }
        ticket.events.append(event)
        self.log.append(event)
        if tell:
            self.tell(ticket, event)
        return event

    def tell(self, ticket: Ticket, *events: Mapping[str, Any]) -> None:
        """Send a webhook."""
        self.webhooks.emit({"account": ACCOUNT, "events": list(events)}, session_id=ticket.id)


def _message(ticket: Ticket, message_id: str) -> dict[str, Any]:
    """Return one of a ticket's messages.

    :raises KeyError: there is none of that id.
    """
    for message in ticket.messages:
        if message["id"] == message_id:
            return message
    raise KeyError(message_id)


def _person(role: str, agent: Agent) -> dict[str, Any]:
    return {"role": role, "id": agent.id, "name": agent.name}
