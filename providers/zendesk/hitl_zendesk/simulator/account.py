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
        self.user_search_lag_seconds = 0.0
        """How long a new user is missing from searches; lists by external id show them at once."""
        self.users: dict[int, User] = {}
        self.tickets: dict[int, Ticket] = {}
        self.uploads: dict[str, Upload] = {}
        self.attachments: dict[int, Attachment] = {}
        self.hooks: dict[str, Hook] = {}
        self.triggers: dict[int, Trigger] = {}
        founded = self.now() - timedelta(days=_FOUNDED)
        self.bot = User(BOT_ID, BOT_NAME, founded, founded, BOT_EMAIL, "admin", verified=True)
        self._by_external_id: dict[str, User] = {}
        self._by_email: dict[str, User] = {}
        self._keep(self.bot)
        for agent in agents:
            name = agent.name or agent.id
            self._keep(User(int(agent.id), name, founded, founded, agent.email, "agent", verified=True))

    def now(self) -> datetime:
        """Return the time, to the second, as records have it."""
        return self.clock.now().replace(microsecond=0)

    def link(self, path: str) -> str:
        """Return the address of something in the account."""
        return f"{self.public_url}/{path}"

    # Users ----------------------------------------------------------------------------------------------------

    def by_external_id(self, external_id: Any) -> User | None:
        """Return whoever has an external id, in whatever case."""
        return self._by_external_id.get(str(external_id).casefold())

    def by_email(self, email: str) -> User | None:
        """Return whoever has an e-mail address, be it their second."""
        return self._by_email.get(email.casefold())

    def add_user(self, name: str, **fields: Any) -> User:
        """Add somebody."""
        now = self.now()
        user = User(self.ids.user(), name, now, now, **fields)
        self._keep(user)
        return user

    def _keep(self, user: User) -> None:
        self.users[user.id] = user
        self.index(user)

    def index(self, user: User) -> None:
        """Let somebody be found by the external id and the addresses they have now, and by no other."""
        self._unindex(user)
        if user.external_id:
            self._by_external_id[user.external_id.casefold()] = user
        for email in (user.email, *user.secondary):
            if email:
                self._by_email[email.casefold()] = user

    def _unindex(self, user: User) -> None:
        for index in (self._by_external_id, self._by_email):
            for key in [key for key in user.indexed if index.get(key) is user]:
                del index[key]
        user.indexed = [key.casefold() for key in (user.external_id, user.email, *user.secondary) if key]

    def remove_user(self, user: User) -> None:
        """Take somebody away."""
        del self.users[user.id]
        user.external_id, user.email, user.secondary = None, None, []
        self._unindex(user)

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
