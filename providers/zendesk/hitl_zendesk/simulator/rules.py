"""What a ticket may become: the values of its fields, and the way of its status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hitl_zendesk.simulator.account import CUSTOM_STATUSES, FIELDS, GROUPS, Account
from hitl_zendesk.simulator.records import CLOSED, ENDED, Ticket, User
from hitl_zendesk.simulator.refusals import invalid

__all__ = ["OPEN_TO_CLOSED", "checked_fields", "checked_status"]

OPEN_TO_CLOSED: Final = frozenset({"tags", "additional_tags", "remove_tags", "subject", "priority"})
"""What may still be changed of a closed ticket."""

_CHOICES: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "priority": ("Priority", frozenset({"urgent", "high", "normal", "low"})),
    "type": ("Type", frozenset({"problem", "incident", "question", "task"})),
    "status": ("Status", frozenset({"new", "open", "pending", "hold", "solved", "closed"})),
}
_PEOPLE: Final = ("collaborator_ids", "email_cc_ids", "follower_ids")
_PLAIN: Final = ("due_at", "problem_id", "organization_id", "brand_id", "ticket_form_id", "recipient")


def checked_fields(account: Account, ticket: Ticket, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a ticket's fields that an update asks for, status and comment aside.

    :raises RefusedError: one of them cannot be.
    """
    fields: dict[str, Any] = {name: given[name] for name in _PLAIN if name in given}
    if given.get("subject") is not None:
        fields["subject"] = str(given["subject"])
    if "external_id" in given:
        fields["external_id"] = None if given["external_id"] is None else str(given["external_id"])
    for name in ("priority", "type"):
        if name in given:
            fields[name] = _choice(name, given[name])
    if "requester_id" in given and given["requester_id"] is not None:
        fields["requester_id"] = _existing(account, "requester", given["requester_id"]).id
    for name in _PEOPLE:
        if name in given:
            fields[name] = [_existing(account, "collaborator", user_id).id for user_id in given[name] or ()]
    fields |= _routing(account, ticket, given)
    if any(name in given for name in ("tags", "additional_tags", "remove_tags")):
        fields["tags"] = _tags(ticket, given)
    if "custom_fields" in given or "fields" in given:
        fields["custom_fields"] = ticket.custom_fields | _custom(given.get("custom_fields") or given.get("fields"))
    return fields


def _choice(name: str, value: Any) -> str | None:
    label, known = _CHOICES[name]
    if value is None or value == "":
        return None
    if value not in known:
        raise invalid(name, f"{label}: {value} is not valid", "InvalidValue")
    return str(value)


def _existing(account: Account, name: str, user_id: Any) -> User:
    user = account.users.get(user_id) if isinstance(user_id, int) else None
    if user is None:
        raise invalid(name, f"{name.title()}: is invalid", "InvalidValue")
    if name == "requester" and user.suspended:
        raise invalid(name, f"Requester: {user.name} is suspended.")
    return user


def _routing(account: Account, ticket: Ticket, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return group and assignee; who has no group yet gets that of the assignee."""
    fields: dict[str, Any] = {}
    if "group_id" in given:
        group = given["group_id"]
        if group is not None and group not in GROUPS:
            raise invalid("group", "Group: is invalid", "InvalidValue")
        fields["group_id"] = group
        if group is None:
            fields["assignee_id"] = None
    named = given.get("assignee_id")
    if given.get("assignee_email"):
        user = account.by_email(given["assignee_email"])
        named = user.id if user else 0
    if named is not None:
        if not _existing(account, "assignee", named).is_staff:
            raise invalid("assignee", "Assignee: is invalid", "InvalidValue")
        fields["assignee_id"] = named
        if fields.get("group_id", ticket.group_id) is None:
            fields["group_id"] = next(iter(GROUPS))
    elif "assignee_id" in given:
        fields["assignee_id"] = None
    return fields


def _tags(ticket: Ticket, given: Mapping[str, Any]) -> list[str]:
    if "tags" in given:
        tags = _listed(given["tags"])
    else:
        removed = set(_listed(given.get("remove_tags")))
        tags = [*(tag for tag in ticket.tags if tag not in removed), *_listed(given.get("additional_tags"))]
    return list(dict.fromkeys(tags))


def _listed(given: Any) -> list[str]:
    """Return tags as they are stored: small letters, none of them with a blank in it."""
    return [word.lower() for each in given or () for word in each.split()]


def _custom(given: Any) -> dict[int, Any]:
    made = {}
    for entry in given or ():
        try:
            made[int(entry["id"])] = entry.get("value")
        except (KeyError, TypeError, ValueError):
            raise invalid("custom_fields", "Custom fields: is invalid", "InvalidValue") from None
    return made


def checked_status(
    account: Account, ticket: Ticket, given: Mapping[str, Any], fields: dict[str, Any], actor: User | None
) -> None:
    """Add the status an update leads to, and who becomes assignee by it, to ``fields``.

    :param fields: what the same update changes.
    :raises RefusedError: there is no way to that status.
    """
    status = _choice("status", given.get("status")) or _of_custom(given.get("custom_status_id")) or ticket.status
    assignee = fields.get("assignee_id", ticket.assignee_id)
    if status == "new" and ticket.audits and ticket.status != "new":
        raise invalid("status", "Status: cannot be set back to new", "InvalidValue")
    if status in ENDED and ticket.status not in ENDED:
        if assignee is None:
            if not account.auto_assign or actor is None or not actor.is_staff:
                raise invalid("assignee", "Assignee: is required when solving a ticket", "BlankValue")
            fields["assignee_id"] = actor.id
            if fields.get("group_id", ticket.group_id) is None:
                fields["group_id"] = next(iter(GROUPS))
        _check_required(account, fields.get("custom_fields", ticket.custom_fields))
    elif status == "new" and assignee is not None:
        status = "open"
    if status != ticket.status:
        if ticket.status in CLOSED:
            raise invalid("status", "Status: closed prevents ticket update")
        fields["status"] = status


def _of_custom(custom_status_id: Any) -> str | None:
    found = [status for status, id_ in CUSTOM_STATUSES.items() if id_ == custom_status_id]
    return found[0] if found else None


def _check_required(account: Account, values: Mapping[int, Any]) -> None:
    for id_ in account.required_to_solve:
        if not values.get(id_):
            title = FIELDS.get(id_, ("text", "Field"))[1]
            raise invalid("base", f"{title}: is required when solving a ticket", "BlankValue", ticket_field_id=id_)
