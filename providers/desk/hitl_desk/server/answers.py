"""What the desk answers: the response bodies of the Desk Protocol, and the shape of its events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PlainSerializer

from hitl_desk.server.bodies import EventType, Priority
from hitl_desk.server.content import HistoryMessage, stored

__all__ = [
    "Agent",
    "Attachment",
    "Availability",
    "Bot",
    "BotCapabilities",
    "BotLimits",
    "Category",
    "Customer",
    "Endpoint",
    "EndpointList",
    "Event",
    "EventData",
    "EventMessage",
    "EventPage",
    "EventTicket",
    "Health",
    "Message",
    "MessageAuthor",
    "MessagePage",
    "Problem",
    "ProblemPlace",
    "TestDelivery",
    "Ticket",
    "TicketClosing",
    "TicketCreated",
    "TicketCustomer",
    "TicketList",
    "dump",
]

Category: TypeAlias = Literal["triage", "open", "waiting", "closed"]
"""triage: nobody has it yet; open: the customer waits for an agent; waiting: for the customer; closed."""


_Shown: TypeAlias = Annotated[HistoryMessage, PlainSerializer(stored)]
"""A message as it was stored: fields that say nothing are left out."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class ProblemPlace(_Answer):
    """Where a request breaks a rule."""

    location: str
    message: str


class Problem(_Answer):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What is wrong and what to do.")
    code: str = Field(description="Stable word for programs, such as ticket_closed.")
    errors: list[ProblemPlace] | None = None
    request_id: str | None = None


class Health(_Answer):
    """A sign of life."""

    status: Literal["ok"] = "ok"


class BotCapabilities(_Answer):
    """What this desk can do."""

    typing: bool = True
    attachments: bool = True
    notes: bool = True
    availability: bool = True
    reopen: bool = True
    message_types: list[str]


class BotLimits(_Answer):
    """Sizes this desk takes."""

    title_characters: int
    text_characters: int
    transcript_entries: int
    attachments_per_message: int
    attachment_bytes: int
    attachment_types: list[str] = Field(description="Media types; a final * stands for anything.")
    json_bytes: int
    ticket_bytes: int = Field(description="Largest body of POST /v1/tickets.")
    wait_seconds: float = Field(description="Longest long poll of GET /v1/events.")


class Bot(_Answer):
    """Who the token belongs to, and what the desk offers it."""

    id: str
    name: str
    protocol: Literal["1"] = "1"
    software: str = Field(description="Name and version of the desk.")
    capabilities: BotCapabilities
    limits: BotLimits


class Customer(_Answer):
    """A customer of the bot."""

    id: str
    external_id: str
    name: str | None
    email: str | None
    phone: str | None
    avatar_url: str | None
    locale: str | None
    data: dict[str, JsonValue]
    created_at: datetime
    updated_at: datetime


class Agent(_Answer):
    """An agent as bots see them."""

    id: str
    name: str
    email: str | None
    avatar_url: str | None


class TicketCustomer(_Answer):
    """The customer a ticket is about."""

    id: str
    external_id: str
    name: str | None


class TicketClosing(_Answer):
    """How a ticket was closed."""

    by: Literal["agent", "bot"]
    reason: str = Field(description="A bot's reason, or agent_closed, or a word the agent chose.")
    at: datetime


class Ticket(_Answer):
    """A conversation in the hands of agents."""

    id: str
    number: int = Field(description="For people.")
    title: str
    description: str
    reason: str | None
    priority: Priority
    category: Category
    customer: TicketCustomer
    assignee: Agent | None
    tags: list[str]
    metadata: dict[str, JsonValue]
    external_id: str | None
    created_with_key: str | None = Field(description="The Idempotency-Key it was created with.")
    url: str = Field(description="Its page in the inbox, for agents.")
    created_at: datetime
    updated_at: datetime
    closed: TicketClosing | None


class TicketList(_Answer):
    """Tickets, newest first."""

    tickets: list[Ticket]


class Attachment(_Answer):
    """A file."""

    id: str
    name: str
    content_type: str
    size: int = Field(description="Bytes.")
    url: str = Field(description="Where it is opened, with the bot's token.")


class MessageAuthor(_Answer):
    """Who wrote a message."""

    role: Literal["customer", "bot", "agent", "system"]
    id: str | None
    name: str | None
    avatar_url: str | None


class Message(_Answer):
    """A message of the thread."""

    id: str
    ticket_id: str
    seq: int = Field(description="Place in the thread; agents' notes take places too.")
    author: MessageAuthor
    message: _Shown | None = Field(description="Null when it was deleted.")
    attachments: list[Attachment]
    visibility: Literal["public", "internal"] = Field(description="internal: a note this bot wrote itself.")
    client_ref: str | None
    created_at: datetime
    edited_at: datetime | None
    deleted: bool


class MessagePage(_Answer):
    """Some messages, oldest first."""

    messages: list[Message]
    cursor: str = Field(description="Pass it as after to go on.")
    more: bool


class TicketCreated(Ticket):
    """A new ticket."""

    cursor: str = Field(description="Of the event log, just before the ticket: pull its events after it.")
    messages: list[Message] = Field(description="The first messages, as they were given.")


class Availability(_Answer):
    """Whether an agent is there: somebody has the inbox open."""

    available: bool
    agents_online: int


class EventTicket(_Answer):
    """How the ticket stood when the event happened."""

    id: str
    number: int
    external_id: str | None
    category: Category
    priority: Priority
    assignee: Agent | None
    url: str


class EventMessage(_Answer):
    """An agent's message."""

    id: str
    seq: int
    message: _Shown | None = Field(
        description="The whole of it: text, a file, or a bloc of both. Files have a ref; open them by their id."
    )
    attachments: list[Attachment]
    created_at: datetime
    edited_at: datetime | None


class EventData(_Answer):
    """What an event tells; which fields there are depends on its type. A webhook.test has none."""

    ticket: EventTicket | None = None
    agent: Agent | None = Field(default=None, description="Who did it; for ticket.assigned, who has the ticket now.")
    message: EventMessage | None = Field(default=None, description="In message.created, .updated and .deleted.")
    by: Literal["agent", "bot"] | None = Field(default=None, description="In ticket.closed and ticket.reopened.")
    reason: str | None = Field(default=None, description="In ticket.closed.")
    category: Category | None = Field(default=None, description="In ticket.status_changed.")
    previous: Category | None = Field(default=None, description="In ticket.status_changed.")


class Event(_Answer):
    """One fact, in the same shape by webhook, pull and stream."""

    id: str = Field(description="Unique; also the webhook-id.")
    type: EventType
    timestamp: datetime
    subject: str | None = Field(description="The ticket's id.")
    seq: int | None = Field(description="1, 2, 3, ... within the ticket.")
    data: EventData


class EventPage(_Answer):
    """Some events, oldest first."""

    events: list[Event]
    cursor: str = Field(description="Pass it as after to go on; it also moves past what a filter hides.")
    more: bool = Field(description="Whether asking again need not wait.")


class Endpoint(_Answer):
    """A webhook endpoint."""

    id: str
    url: str
    types: list[str] | None
    description: str
    status: Literal["enabled", "disabled"]
    disabled_reason: str | None = Field(description="gone: it answered 410. Putting it again enables it.")
    secret: str | None = Field(description="whsec_..., shown once: when it is new.")
    secret_expiries: list[datetime | None] = Field(description="When each secret stops signing; null: the current one.")
    created_at: datetime
    updated_at: datetime


class EndpointList(_Answer):
    """A bot's webhook endpoints."""

    endpoints: list[Endpoint]


class TestDelivery(_Answer):
    """A webhook.test that is on its way."""

    event_id: str
    delivery_id: str


def dump(value: BaseModel) -> dict[str, Any]:
    """Return an answer as JSON values."""
    return value.model_dump(mode="json")
