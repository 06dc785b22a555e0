"""What a Zendesk account holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

__all__ = [
    "CLOSED",
    "ENDED",
    "SYSTEM_ID",
    "Attachment",
    "Audit",
    "Comment",
    "Hook",
    "Ticket",
    "Trigger",
    "Upload",
    "User",
    "Via",
    "stamp",
]

SYSTEM_ID: Final = -1
"""Whom triggers, automations and Zendesk itself act as."""

CLOSED: Final = frozenset({"closed", "deleted"})
"""What nobody opens again."""
ENDED: Final = CLOSED | {"solved"}


def stamp(moment: datetime) -> str:
    """Return a time as answers have it: whole seconds, in UTC."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True)
class Via:
    """How an update came in.

    :param channel: its name in answers of the API.
    :param number: its number in conditions of triggers.
    :param told: its name in event webhooks.
    """

    channel: str
    number: int
    told: str

    @classmethod
    def api(cls) -> Via:
        """By the API."""
        return cls("api", 5, "web_service")

    @classmethod
    def web(cls) -> Via:
        """By an agent's hand."""
        return cls("web", 0, "web_form")

    @classmethod
    def mail(cls) -> Via:
        """By e-mail."""
        return cls("email", 4, "mail")

    @classmethod
    def rule(cls) -> Via:
        """By a trigger or an automation."""
        return cls("rule", 8, "rule")


@dataclass(slots=True)
class User:
    """Somebody: a customer, an agent, the integration itself."""

    id: int
    name: str
    created_at: datetime
    updated_at: datetime
    email: str | None = None
    role: str = "end-user"
    external_id: str | None = None
    verified: bool = False
    suspended: bool = False
    phone: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    """What is stored and shown, and changes nothing: notes, details, tags, user fields."""
    secondary: list[str] = field(default_factory=list)
    """Further e-mail addresses."""
    indexed: list[str] = field(default_factory=list, repr=False)
    """What the account finds them by."""

    @property
    def is_staff(self) -> bool:
        """Whether they are an agent or an admin."""
        return self.role in {"agent", "admin"}

    def has_email(self, email: str) -> bool:
        """Whether an address is one of theirs."""
        return email.casefold() in {known.casefold() for known in (self.email, *self.secondary) if known}


@dataclass(slots=True)
class Attachment:
    """A file.

    :param token: part of the address it is read at.
    :param inline: whether it stands in the text of its comment.
    """

    id: int
    token: str
    name: str
    content_type: str
    content: bytes = field(repr=False)
    inline: bool = False


@dataclass(slots=True)
class Upload:
    """Files that wait for a comment."""

    token: str
    expires_at: datetime
    attachments: list[Attachment] = field(default_factory=list)


@dataclass(slots=True)
class Comment:
    """One entry of a thread."""

    id: int
    author_id: int
    audit_id: int
    html: str
    plain: str
    public: bool
    via: Via
    created_at: datetime
    metadata: dict[str, Any]
    attachments: list[Attachment] = field(default_factory=list)


@dataclass(slots=True)
class Audit:
    """One update of a ticket."""

    id: int
    ticket_id: int
    author_id: int
    via: Via
    created_at: datetime
    metadata: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)

    def comment_ids(self) -> list[int]:
        """Return the ids of the comments this update has made."""
        return [event["id"] for event in self.events if event["type"] == "Comment"]


@dataclass(slots=True)
class Ticket:
    """One ticket; ``created_at`` and ``updated_at`` are moments, everything else stands as answers show it."""

    id: int
    requester_id: int
    submitter_id: int
    via: Via
    created_at: datetime
    updated_at: datetime
    subject: str = ""
    description: str = ""
    external_id: str | None = None
    type: str | None = None
    priority: str | None = None
    status: str = "new"
    assignee_id: int | None = None
    group_id: int | None = None
    organization_id: int | None = None
    brand_id: int | None = None
    ticket_form_id: int | None = None
    problem_id: int | None = None
    due_at: str | None = None
    recipient: str | None = None
    is_public: bool = True
    public_by_default: bool = True
    """Whether its comments are public unless they say otherwise, which the first one decides."""
    tags: list[str] = field(default_factory=list)
    custom_fields: dict[int, Any] = field(default_factory=dict)
    collaborator_ids: list[int] = field(default_factory=list)
    follower_ids: list[int] = field(default_factory=list)
    email_cc_ids: list[int] = field(default_factory=list)
    followup_ids: list[int] = field(default_factory=list)
    source: dict[str, Any] = field(default_factory=dict)
    """Of a follow-up: the ticket it follows."""
    comments: list[Comment] = field(default_factory=list)
    audits: list[Audit] = field(default_factory=list)
    status_before: str | None = None
    """Of a deleted ticket: what it would be restored to."""
    gone: bool = False
    """Deleted for good."""

    def comment(self, comment_id: int) -> Comment:
        """Return one of the comments.

        :raises KeyError: there is none of that id.
        """
        for comment in self.comments:
            if comment.id == comment_id:
                return comment
        raise KeyError(comment_id)


@dataclass(slots=True)
class Hook:
    """A webhook.

    :param given: what was said of it, credentials included.
    """

    id: str
    secret: str = field(repr=False)
    given: dict[str, Any] = field(repr=False)
    created_at: datetime
    created_by: str
    updated_at: datetime | None = None
    updated_by: str | None = None

    @property
    def subscriptions(self) -> frozenset[str]:
        """Which events it is for."""
        return frozenset(self.given["subscriptions"])


@dataclass(slots=True)
class Trigger:
    """A rule that is looked at on every update of a ticket."""

    id: int
    title: str
    created_at: datetime
    updated_at: datetime
    position: int
    active: bool = True
    description: str | None = None
    category_id: str | None = None
    all: list[dict[str, Any]] = field(default_factory=list)
    any: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
