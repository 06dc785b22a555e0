"""What a helpdesk holds, as an agent would see it: the same shape for every simulator, so that tests can look."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field, JsonValue

from hitl_core._model import Model
from hitl_core.people import Agent

__all__ = [
    "ABILITIES",
    "Act",
    "NotOfferedError",
    "SimEndpoint",
    "SimFile",
    "SimMessage",
    "SimSession",
    "SimUser",
    "SimWebhook",
]

ABILITIES: tuple[str, ...] = (
    "reply",
    "close",
    "note",
    "attach",
    "assign",
    "unassign",
    "solve",
    "reopen",
    "edit",
    "delete",
    "read",
    "customer_writes",
    "system_acts",
    "open_elsewhere",
    "ping",
    "emit_unknown",
    "emit_batch",
    "foreign_body",
    "expire_credentials",
    "agents_leave",
)
"""What a simulator may be able to do beside answering its API; ``reply`` and ``close`` always."""


class NotOfferedError(NotImplementedError):
    """The vendor, or its simulator, has nothing of the kind."""


class SimFile(Model):
    """A file on a message; its content is base64 in JSON."""

    name: str
    content_type: str = "application/octet-stream"
    content: bytes = Field(default=b"", repr=False)


class SimMessage(Model):
    """One entry of a thread.

    :param role: whom agents see as its author.
    :param text: what agents read, as plain text or the vendor's HTML.
    :param html: whether it is HTML.
    :param public: whether the customer may see it.
    """

    id: str
    role: Literal["user", "bot", "agent", "system"]
    author: str | None = None
    text: str = ""
    html: bool = False
    public: bool = True
    files: tuple[SimFile, ...] = ()
    at: AwareDatetime | None = None


class SimSession(Model):
    """A ticket, conversation or thread.

    :param final: it has ended and cannot be opened again.
    :param team: the vendor's id of the team or group that has it.
    :param facts: what was set beside the thread and has no field here: priority, tags, custom fields.
    """

    id: str
    title: str = ""
    open: bool = True
    final: bool = False
    agent: Agent | None = None
    team: str | None = None
    user_id: str | None = None
    external_id: str | None = None
    messages: tuple[SimMessage, ...] = ()
    facts: dict[str, JsonValue] = Field(default_factory=dict)


class SimUser(Model):
    """A customer."""

    id: str
    external_id: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None


class SimEndpoint(Model):
    """An address deliveries go to, as the vendor keeps it."""

    id: str
    url: str
    enabled: bool = True


class SimWebhook(Model):
    """One attempt to deliver a webhook, as it left; its body is base64 in JSON.

    :param number: counts attempts, from 1.
    :param id: the vendor's id of the delivery, equal for every attempt.
    :param url: where it went; ``None`` when it was only noted.
    :param status: what the receiver answered; ``None`` when it did not.
    """

    number: int
    id: str
    url: str | None = None
    session_id: str | None = None
    attempt: int = 1
    headers: dict[str, str] = Field(default_factory=dict)
    body: bytes = b""
    sent_at: AwareDatetime
    status: int | None = None


class Act(Model):
    """What an agent is to do.

    :param agent: id of one of the simulator's agents; the first when left out.
    :param message_id: of a message to edit or delete.
    """

    text: str = ""
    agent: str | None = None
    files: tuple[SimFile, ...] = ()
    message_id: str | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the fields that were given."""
        return {name: getattr(self, name) for name in self.model_fields_set}
