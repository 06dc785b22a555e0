"""Placeholders: ``{{ticket.id}}`` and the like, in triggers and in what agents write."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from hitl_zendesk.simulator.account import GROUPS, Account
from hitl_zendesk.simulator.records import SYSTEM_ID, Comment, Ticket, User, stamp
from hitl_zendesk.simulator.texts import plain_of, shown_html

__all__ = ["placeholder_value"]

_INDEXED: Final = re.compile(r"(comments|public_comments)\[(\d+)\](?:\.(.+))?")
_WHOLE: Final = re.compile(r"latest_(public_)?comment_(?:html|formatted|rich)")
_FIELD: Final = re.compile(r"ticket_field_(\d+)")
_VIA: Final = {"api": "Web service", "web": "Web form", "email": "Mail", "rule": "Rule"}
_DASHES: Final = "-" * 46


def placeholder_value(account: Account, ticket: Ticket, actor_id: int, name: str) -> str | None:
    """Return what a placeholder stands for; ``None`` when nobody knows it. Names are case-sensitive.

    :param actor_id: who made the update.
    """
    subject, _, rest = name.partition(".")
    if subject == "current_user":
        return _person(account.users.get(actor_id), actor_id, rest)
    return _of_ticket(account, ticket, rest) if subject == "ticket" else None


def _of_ticket(account: Account, ticket: Ticket, name: str) -> str | None:
    plain = _plain(account, ticket)
    if name in plain:
        return plain[name]
    head, _, rest = name.partition(".")
    people = {"requester": ticket.requester_id, "submitter": ticket.submitter_id, "assignee": ticket.assignee_id}
    if head in people:
        found = people[head]
        return "" if found is None else _person(account.users.get(found), found, rest)
    if head in {"latest_comment", "latest_public_comment"}:
        return _of_comment(account, ticket, _newest(ticket, public="public" in head), 0, rest)
    if whole := _WHOLE.fullmatch(name):
        return _with_header(account, _newest(ticket, public=whole[1] is not None))
    if indexed := _INDEXED.fullmatch(name):
        comments = _newest(ticket, public=indexed[1] == "public_comments")
        return _of_comment(account, ticket, comments, int(indexed[2]), indexed[3] or "")
    field = _FIELD.fullmatch(name)
    return str(ticket.custom_fields.get(int(field[1])) or "") if field else None


def _plain(account: Account, ticket: Ticket) -> dict[str, str]:
    return {
        "id": str(ticket.id),
        "title": ticket.subject,
        "account": "Example",
        "external_id": ticket.external_id or "",
        "status": ticket.status.title(),
        "priority": (ticket.priority or "").title(),
        "ticket_type": (ticket.type or "ticket").title(),
        "tags": " ".join(ticket.tags),
        "description": ticket.description,
        "via": _VIA.get(ticket.via.channel, ""),
        "link": account.link(f"agent/tickets/{ticket.id}"),
        "url": account.link(f"agent/tickets/{ticket.id}").removeprefix("https://"),
        "created_at_with_timestamp": stamp(ticket.created_at),
        "updated_at_with_timestamp": stamp(ticket.updated_at),
        "created_at": _day(ticket.created_at),
        "updated_at": _day(ticket.updated_at),
        "group.id": str(ticket.group_id or ""),
        "group.name": GROUPS.get(ticket.group_id or 0, ""),
        "organization.name": "",
        "brand.name": "Example",
    }


def _person(user: User | None, user_id: int, name: str) -> str | None:
    if user is None:
        facts: dict[str, Any] = {"id": user_id, "name": "System" if user_id == SYSTEM_ID else ""}
    else:
        first, _, last = user.name.partition(" ")
        facts = {
            "id": user.id,
            "name": user.name,
            "first_name": first,
            "last_name": last,
            "email": user.email,
            "external_id": user.external_id,
            "role": user.role.title(),
            "phone": user.phone,
            "remote_photo_url": user.facts.get("remote_photo_url"),
            "language": "English",
            "tags": " ".join(user.facts.get("tags", ())),
            "notes": user.facts.get("notes"),
            "details": user.facts.get("details"),
        }
    known = ("email", "external_id", "role", "first_name", "last_name", "remote_photo_url", "phone")
    return str(facts[name] or "") if name in facts else ("" if name in known else None)


def _newest(ticket: Ticket, *, public: bool = False) -> list[Comment]:
    return [comment for comment in reversed(ticket.comments) if comment.public or not public]


def _of_comment(account: Account, ticket: Ticket, comments: Sequence[Comment], index: int, name: str) -> str | None:
    if index >= len(comments):
        return ""
    comment = comments[index]
    if not name:
        # The comment itself is an internal record, whose ticket has an internal number.
        record = {
            "id": comment.id,
            "ticket_id": comment.audit_id - 1,
            "author_id": comment.author_id,
            "type": "Comment",
        }
        return json.dumps(record)
    if name.startswith("author."):
        return _person(account.users.get(comment.author_id), comment.author_id, name.removeprefix("author."))
    facts = {
        "id": str(comment.id),
        "value": plain_of(comment.html),
        "value_rich": shown_html(comment.html),
        "is_public": str(comment.public).lower(),
        "created_at": stamp(comment.created_at),
        "created_at_with_time": stamp(comment.created_at),
        "attachments": " ".join(file.name for file in comment.attachments),
    }
    return facts.get(name)


def _with_header(account: Account, comments: Sequence[Comment]) -> str:
    """Return a comment under its header, whose form was never promised to anybody."""
    if not comments:
        return ""
    comment = comments[0]
    author = account.users.get(comment.author_id)
    name = author.name if author else "System"
    return f"{_DASHES}\n\n{name}, {_day(comment.created_at)}, {comment.created_at:%H:%M}\n\n{plain_of(comment.html)}"


def _day(moment: datetime) -> str:
    return f"{moment:%B} {moment.day}, {moment.year}"
