"""The account: its records by id, what it was set up with, and the answers to "who is this?"."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from hitl_core.clock import Clock
from hitl_core.people import Agent
from hitl_zendesk.simulator.ids import Ids
from hitl_zendesk.simulator.records import Attachment, Hook, Ticket, Trigger, Upload, User

__all__ = [
    "ACCOUNT_ID",
    "BOT_ID",
    "BRAND_ID",
    "CUSTOM_STATUSES",
    "FIELDS",
    "FORM_ID",
    "GROUPS",
    "ORGANIZATION_ID",
    "PUBLIC_URL",
    "Account",
]

PUBLIC_URL: Final = "https://example.zendesk.com"
"""Where answers say that the account is; fixed, so that nothing in them depends on a port."""

ACCOUNT_ID: Final = 21474836
BOT_ID: Final = 8447388090494
BOT_NAME: Final = "Integration"
BOT_EMAIL: Final = "integration@helpdesk.example"
GROUPS: Final = {8447320466430: "Support", 8447320466558: "Second line"}
ORGANIZATION_ID: Final = 8447346622462
BRAND_ID: Final = 8447346621310
FORM_ID: Final = 8646151517822
CUSTOM_STATUSES: Final = {
    "new": 8447320465662,
    "open": 8447320465790,
    "pending": 8447320465918,
    "hold": 8447320466046,
    "solved": 8447320466174,
    "closed": 8447320466174,
}
FIELDS: Final[dict[int, tuple[str, str]]] = {
    8447320464382: ("subject", "Subject"),
    8447320464510: ("description", "Description"),
    8447320464638: ("status", "Status"),
    8447320464766: ("tickettype", "Type"),
    8447320464894: ("priority", "Priority"),
    8447320465022: ("group", "Group"),
    8447320465150: ("assignee", "Assignee"),
    360001234567: ("text", "Order number"),
    360001234695: ("tagger", "Topic"),
}
"""Ticket fields: type and title. The last two are the account's own."""

_FOUNDED: Final = 8 * 365
"""Days the account was there before the clock began."""


class Account:
    """Everything in memory.

    :param agents: the staff beside the integration's own user; their ids are numbers.
    """

    def __init__(self, clock: Clock, agents: Iterable[Agent]) -> None:
        self.clock = clock
        self.ids = Ids()
        self.public_url = PUBLIC_URL
        self.files_url = PUBLIC_URL
        """Where files are read."""
        self.auto_assign = True
        """Whether who solves a ticket that is nobody's becomes its assignee."""
        self.required_to_solve: tuple[int, ...] = ()
        """Custom fields that must be filled before a ticket can be solved."""
        self.body_bytes = 65_536
        """How much of a comment is kept."""
        self.comments_per_ticket = 5000
        self.file_bytes = 50 * 1024 * 1024
        self.upload_seconds = 3600.0
        self.search_lag_seconds = 60.0
        self.requested_lag_seconds = 30.0
        self.users: dict[int, User] = {}
        self.tickets: dict[int, Ticket] = {}
        self.uploads: dict[str, Upload] = {}
        self.attachments: dict[int, Attachment] = {}
        self.hooks: dict[str, Hook] = {}
        self.triggers: dict[int, Trigger] = {}
        founded = self.now() - timedelta(days=_FOUNDED)
        self.bot = User(BOT_ID, BOT_NAME, founded, founded, BOT_EMAIL, "admin", verified=True)
        self.users[BOT_ID] = self.bot
        for agent in agents:
            self.users[int(agent.id)] = User(
                int(agent.id), agent.name or agent.id, founded, founded, agent.email, "agent", verified=True
            )

    def now(self) -> datetime:
        """Return the time, to the second, as records have it."""
        return self.clock.now().replace(microsecond=0)

    def link(self, path: str) -> str:
        """Return the address of something in the account."""
        return f"{self.public_url}/{path}"

    # Users ----------------------------------------------------------------------------------------------------

    def by_external_id(self, external_id: Any) -> User | None:
        """Return whoever has an external id, in whatever case."""
        wanted = str(external_id).casefold()
        return next((user for user in self.users.values() if (user.external_id or "").casefold() == wanted), None)

    def by_email(self, email: str) -> User | None:
        """Return whoever has an e-mail address, be it their second."""
        return next((user for user in self.users.values() if user.has_email(email)), None)

    def add_user(self, name: str, **fields: Any) -> User:
        """Add somebody."""
        now = self.now()
        user = User(self.ids.user(), name, now, now, **fields)
        self.users[user.id] = user
        return user

    # Tickets --------------------------------------------------------------------------------------------------

    def ticket(self, ticket_id: int) -> Ticket:
        """Return a ticket that was not deleted.

        :raises KeyError: there is none.
        """
        ticket = self.tickets[ticket_id]
        if ticket.status == "deleted":
            raise KeyError(ticket_id)
        return ticket

    def present(self) -> list[Ticket]:
        """Return every ticket that was not deleted, the oldest first."""
        return [ticket for ticket in self.tickets.values() if ticket.status != "deleted"]

    # Files ----------------------------------------------------------------------------------------------------

    def add_file(self, name: str, content_type: str, content: bytes) -> Attachment:
        """Keep a file that is on no comment yet."""
        file = Attachment(self.ids.record(), self.ids.token("file"), name, content_type, content)
        self.attachments[file.id] = file
        return file
