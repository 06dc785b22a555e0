"""``triggers``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hitl_zendesk.simulator.account import Account
from hitl_zendesk.simulator.answering import Answer, Call, Row
from hitl_zendesk.simulator.kinds import Fit, fitted, flag, number, objects, parts, text
from hitl_zendesk.simulator.paging import paged
from hitl_zendesk.simulator.records import Trigger
from hitl_zendesk.simulator.refusals import invalid
from hitl_zendesk.simulator.shown import Shown
from hitl_zendesk.simulator.telling import CONDITIONAL

__all__ = ["trigger_rows"]

_CONDITIONS: Final[dict[str, Fit]] = {"all": objects, "any": objects}
_KNOWN: Final[dict[str, Fit]] = {
    **_CONDITIONS,
    **dict.fromkeys(("title", "raw_title", "description", "category_id"), text),
    "actions": objects,
    "conditions": parts(_CONDITIONS),
    "active": flag,
    "position": number,
}


def trigger_rows(account: Account, shown: Shown) -> list[Row]:
    """Return what is answered here."""
    api = _Triggers(account, shown)
    return [
        ("GET", "triggers", api.every),
        ("GET", "triggers/active", api.every),
        ("POST", "triggers", api.create),
        ("GET", "triggers/{id}", api.show),
        ("PUT", "triggers/{id}", api.update),
        ("DELETE", "triggers/{id}", api.delete),
    ]


class _Triggers:
    def __init__(self, account: Account, shown: Shown) -> None:
        self._account, self._shown = account, shown

    def every(self, call: Call) -> Any:
        triggers = sorted(self._account.triggers.values(), key=lambda each: each.id)
        active = call.query.get("active") or ("true" if call.url.endswith("/active") else None)
        if active is not None:
            triggers = [trigger for trigger in triggers if trigger.active is (active == "true")]
        return paged(
            "triggers", triggers, self._shown.trigger, key=lambda each: each.id, url=call.url, query=call.query
        )

    def show(self, call: Call) -> Any:
        return {"trigger": self._shown.trigger(self._account.triggers[call.id()])}

    def create(self, call: Call) -> Any:
        call.check_admin()
        account, given = self._account, call.given("trigger")
        call.warn_of("trigger", "create", given, _KNOWN)
        given = fitted(given, _KNOWN)
        if not given.get("title"):
            raise invalid("title", "Title: cannot be blank", "BlankValue")
        if not given.get("actions"):
            raise invalid("base", "Trigger must have at least one action", "BlankValue")
        now = account.now()
        trigger = Trigger(account.ids.record(), given["title"], now, now, len(account.triggers) + 1)
        self._write(trigger, given)
        account.triggers[trigger.id] = trigger
        shown = self._shown.trigger(trigger)
        return Answer({"trigger": shown}, 201, {"location": shown["url"]})

    def update(self, call: Call) -> Any:
        call.check_admin()
        trigger, given = self._account.triggers[call.id()], fitted(call.given("trigger"), _KNOWN)
        self._write(trigger, given)
        trigger.updated_at = self._account.now()
        return {"trigger": self._shown.trigger(trigger)}

    def delete(self, call: Call) -> Any:
        call.check_admin()
        del self._account.triggers[call.id()]
        return Answer(status=204)

    def _write(self, trigger: Trigger, given: Mapping[str, Any]) -> None:
        for action in given.get("actions") or ():
            if action.get("field") == "notification_webhook":
                self._check_hook(action.get("value"))
        conditions = {**given, **(given.get("conditions") or {})}  # at the top, or in an object of their own
        for name in ("all", "any"):
            if name in conditions:
                setattr(trigger, name, list(conditions[name] or ()))
        for name in ("title", "actions", "active", "position", "description", "category_id"):
            if given.get(name) is not None:
                setattr(trigger, name, given[name])

    def _check_hook(self, value: Any) -> None:
        hook = self._account.hooks.get(str(value[0])) if isinstance(value, list) and value else None
        if hook is None or CONDITIONAL not in hook.subscriptions:
            raise invalid("base", "Invalid value for action notification_webhook", "InvalidValue")
