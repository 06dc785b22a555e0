"""What agents see, in the words of simulators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from hitl_core.people import Agent
from hitl_core.testing.simulator import SimFile, SimMessage, SimSession, SimUser
from hitl_zendesk.simulator.account import BOT_ID, Account
from hitl_zendesk.simulator.records import CLOSED, ENDED, SYSTEM_ID, Comment, Ticket
from hitl_zendesk.simulator.texts import plain_of

__all__ = ["seen_session", "seen_users"]

_FACTS: Final = ("status", "priority", "type", "tags", "group_id", "ticket_form_id", "brand_id", "followup_ids")


def seen_session(account: Account, ticket: Ticket, agents: Sequence[Agent]) -> SimSession:
    """Return a ticket."""
    assignee = next((agent for agent in agents if agent.id == str(ticket.assignee_id)), None)
    if assignee is None and ticket.assignee_id is not None:
        user = account.users[ticket.assignee_id]
        assignee = Agent(id=str(user.id), name=user.name, email=user.email)
    facts: dict[str, Any] = {name: getattr(ticket, name) for name in _FACTS}
    facts["custom_fields"] = {str(id_): value for id_, value in ticket.custom_fields.items()}
    if ticket.source:
        facts["follows"] = ticket.source["from"]["ticket_id"]
    return SimSession(
        id=str(ticket.id),
        title=ticket.subject,
        open=ticket.status not in ENDED,
        final=ticket.status in CLOSED,
        agent=assignee,
        team=None if ticket.group_id is None else str(ticket.group_id),
        user_id=str(ticket.requester_id),
        external_id=ticket.external_id,
        messages=tuple(_message(account, ticket, comment) for comment in ticket.comments),
        facts=facts,
    )


def _message(account: Account, ticket: Ticket, comment: Comment) -> SimMessage:
    author = account.users.get(comment.author_id)
    files = [
        SimFile(name=each.name, content_type=each.content_type, content=each.content) for each in comment.attachments
    ]
    return SimMessage(
        id=str(comment.id),
        role=_role(account, ticket, comment.author_id),
        author=author.name if author else None,
        text=plain_of(comment.html),
        public=comment.public,
        files=tuple(files),
        at=comment.created_at,
    )


def _role(account: Account, ticket: Ticket, author_id: int) -> Literal["user", "bot", "agent", "system"]:
    if author_id == SYSTEM_ID:
        return "system"
    if author_id == BOT_ID:
        return "bot"
    author = account.users.get(author_id)
    return "agent" if author is not None and author.is_staff and author_id != ticket.requester_id else "user"


def seen_users(account: Account) -> list[SimUser]:
    """Return every customer, the oldest first."""
    return [
        SimUser(id=str(user.id), external_id=user.external_id, name=user.name, email=user.email, phone=user.phone)
        for user in account.users.values()
        if not user.is_staff
    ]
