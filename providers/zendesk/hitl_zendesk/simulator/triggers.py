"""Triggers: looked at one after the other on every update, they call webhooks with what their template says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from hitl_zendesk.simulator.account import Account
from hitl_zendesk.simulator.placeholders import placeholder_value
from hitl_zendesk.simulator.records import SYSTEM_ID, Trigger
from hitl_zendesk.simulator.texts import expanded
from hitl_zendesk.simulator.tickets import Change

__all__ = ["Triggers"]

_ORDER: Final = ("new", "open", "pending", "hold", "solved", "closed")


class Triggers:
    """Acts on updates.

    :param call: ``call(webhook_id, body, ticket_id)``, for webhooks that are for triggers.
    """

    def __init__(self, account: Account, call: Callable[[str, bytes, str], None]) -> None:
        self._account, self._call = account, call
        self.escapes_json = False
        """Whether what placeholders stand for is escaped to fit into JSON; which is so was never documented."""

    def act(self, change: Change) -> None:
        """Look at every active trigger, in their order."""
        for trigger in sorted(self._account.triggers.values(), key=lambda each: each.position):
            if trigger.active and self._applies(trigger, change):
                self._fire(trigger, change)

    def _applies(self, trigger: Trigger, change: Change) -> bool:
        every = all(self._holds(condition, change) for condition in trigger.all)
        return every and (not trigger.any or any(self._holds(condition, change) for condition in trigger.any))

    def _fire(self, trigger: Trigger, change: Change) -> None:
        for action in trigger.actions:
            if action.get("field") != "notification_webhook":
                continue
            hook_id, *template = action["value"]
            self._call(hook_id, self.rendered(template[0] if template else "{}", change), str(change.ticket.id))

    def rendered(self, template: Any, change: Change) -> bytes:
        """Return a template with its placeholders replaced; those nobody knows are removed."""
        text = template if isinstance(template, str) else json.dumps(template)

        def value(name: str) -> str | None:
            found = placeholder_value(self._account, change.ticket, change.actor_id, name)
            return json.dumps(found, ensure_ascii=False)[1:-1] if found and self.escapes_json else found

        return expanded(text, value).encode()

    # Conditions -----------------------------------------------------------------------------------------------

    def _holds(self, condition: Mapping[str, Any], change: Change) -> bool:
        field, operator = str(condition.get("field")), str(condition.get("operator"))
        wanted = condition.get("value")
        if field == "comment_is_public":
            return _comment_is(str(wanted).lower(), change)
        if field == "current_tags":
            return _has_tags(operator, change.ticket.tags, str(wanted or ""))
        user = self._account.users.get(change.actor_id)
        facts = {
            "update_type": "create" if change.created else "change",
            "current_via_id": str(change.audit.via.number),
            "via_id": str(change.ticket.via.number),
            "role": "agent" if user and user.is_staff else "end_user",
        }
        if field in facts:
            return _is(operator, facts[field], str(wanted).lower())
        return self._field_holds(field, operator, wanted, change)

    def _field_holds(self, field: str, operator: str, wanted: Any, change: Change) -> bool:
        if re.fullmatch(r"custom_fields_\d+", field):
            key = int(field.removeprefix("custom_fields_"))
            current = change.ticket.custom_fields.get(key)
            previous = change.before.get("custom_fields", change.ticket.custom_fields).get(key)
        elif hasattr(change.ticket, field):
            current = getattr(change.ticket, field)
            previous = change.before.get(field, None if change.created else current)
        else:
            return False
        return _compared(operator, _text(current), _text(previous), self._meant(wanted, change))

    def _meant(self, wanted: Any, change: Change) -> str:
        """Return the value a condition compares with."""
        people = {"requester_id": change.ticket.requester_id, "assignee_id": change.ticket.assignee_id}
        if wanted == "current_user":
            return "" if change.actor_id == SYSTEM_ID else str(change.actor_id)
        if wanted in people:
            return _text(people[wanted])
        return _text(wanted).lower()


def _compared(operator: str, now: str, then: str, wanted: str) -> bool:
    ordered = now in _ORDER and wanted in _ORDER
    place = _ORDER.index(now) - _ORDER.index(wanted) if ordered else 0
    held = {
        "changed": now != then,
        "not_changed": now == then,
        "value": now != then and now == wanted,
        "value_previous": now != then and then == wanted,
        "not_value": now != wanted,
        "less_than": place < 0,
        "greater_than": place > 0,
        "present": bool(now),
        "not_present": not now,
    }
    return held.get(operator, _is(operator, now, wanted))


def _comment_is(wanted: str, change: Change) -> bool:
    shown = [comment.public for comment in change.comments]
    if wanted == "not_relevant":
        return bool(shown)
    if wanted in {"requester_can_see_comment", "true"}:
        return any(shown)
    return bool(shown) and not any(shown)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _is(operator: str, one: str, other: str) -> bool:
    return (one == other) is (operator != "is_not")


def _has_tags(operator: str, tags: list[str], wanted: str) -> bool:
    """``includes`` asks for one of several, ``not_includes`` for none of them."""
    found = any(tag in tags for tag in wanted.lower().split())
    return not found if operator == "not_includes" else found
