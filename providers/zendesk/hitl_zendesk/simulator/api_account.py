"""What the account was set up with: groups, brands, forms, fields."""

from __future__ import annotations

from typing import Any, Final

from hitl_zendesk.simulator.account import BRAND_ID, CUSTOM_STATUSES, FIELDS, FORM_ID, GROUPS, Account
from hitl_zendesk.simulator.answering import Call, Row
from hitl_zendesk.simulator.paging import paged
from hitl_zendesk.simulator.records import stamp

__all__ = ["account_rows"]

_OWN: Final = frozenset({"text", "tagger"})


def account_rows(account: Account) -> list[Row]:
    """Return what is answered here; nothing of it can be changed."""
    return _Parts(account).rows()


class _Parts:
    def __init__(self, account: Account) -> None:
        self._account = account

    def rows(self) -> list[Row]:
        """Return what is answered here."""
        lists = {
            "groups": self._groups,
            "brands": self._brands,
            "ticket_forms": self._forms,
            "ticket_fields": self._fields,
            "custom_statuses": self._statuses,
        }
        rows: list[Row] = []
        for name, records in lists.items():
            rows += [("GET", name, self._list(name, records)), ("GET", f"{name}/{{id}}", self._one(name, records))]
        rows.insert(0, ("GET", "groups/assignable", self._list("groups", self._groups)))
        return rows

    def _list(self, name: str, records: Any) -> Any:
        def answer(call: Call) -> Any:
            shown = records()
            return paged(name, shown, lambda each: each, key=lambda each: each["id"], url=call.url, query=call.query)

        return answer

    def _one(self, name: str, records: Any) -> Any:
        single = "custom_status" if name == "custom_statuses" else name.removesuffix("s")

        def answer(call: Call) -> Any:
            for record in records():
                if record["id"] == call.id():
                    return {single: record}
            raise KeyError

        return answer

    def _common(self, kind: str, id_: int) -> dict[str, Any]:
        made = stamp(self._account.bot.created_at)
        url = self._account.link(f"api/v2/{kind}/{id_}.json")
        return {"url": url, "id": id_, "created_at": made, "updated_at": made}

    def _groups(self) -> list[dict[str, Any]]:
        more = {"is_public": True, "description": "", "deleted": False}
        return [
            {**self._common("groups", id_), "name": name, "default": index == 0, **more}
            for index, (id_, name) in enumerate(GROUPS.items())
        ]

    def _brands(self) -> list[dict[str, Any]]:
        facts = {
            "name": "Example",
            "brand_url": self._account.public_url,
            "subdomain": "example",
            "host_mapping": None,
            "has_help_center": False,
            "help_center_state": "disabled",
            "active": True,
            "default": True,
            "is_deleted": False,
            "logo": None,
            "ticket_form_ids": [FORM_ID],
            "signature_template": "{{agent.signature}}",
        }
        return [self._common("brands", BRAND_ID) | facts]

    def _forms(self) -> list[dict[str, Any]]:
        facts = {
            "name": "Default Ticket Form",
            "raw_name": "Default Ticket Form",
            "display_name": "Default Ticket Form",
            "raw_display_name": "Default Ticket Form",
            "position": 1,
            "active": True,
            "end_user_visible": True,
            "default": True,
            "in_all_brands": True,
            "restricted_brand_ids": [],
            "ticket_field_ids": list(FIELDS),
            "end_user_conditions": [],
            "agent_conditions": [],
        }
        return [self._common("ticket_forms", FORM_ID) | facts]

    def _fields(self) -> list[dict[str, Any]]:
        return [
            {
                **self._common("ticket_fields", id_),
                "type": kind,
                "title": title,
                "raw_title": title,
                "description": title,
                "raw_description": title,
                "position": position,
                "active": True,
                "required": id_ in self._account.required_to_solve,
                "collapsed_for_agents": False,
                "regexp_for_validation": None,
                "title_in_portal": title,
                "raw_title_in_portal": title,
                "visible_in_portal": False,
                "editable_in_portal": False,
                "required_in_portal": False,
                "tag": None,
                "removable": kind in _OWN,
                "key": None,
                "agent_description": None,
            }
            for position, (id_, (kind, title)) in enumerate(FIELDS.items())
        ]

    def _statuses(self) -> list[dict[str, Any]]:
        return [
            {
                **self._common("custom_statuses", id_),
                "status_category": status,
                "agent_label": status.title(),
                "end_user_label": status.title(),
                "description": "",
                "active": True,
                "default": True,
            }
            for status, id_ in CUSTOM_STATUSES.items()
            if status != "closed"
        ]
