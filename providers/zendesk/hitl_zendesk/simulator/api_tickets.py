"""``tickets``: make, read, change, delete; incremental export and search."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hitl_zendesk.simulator.account import Account
from hitl_zendesk.simulator.answering import Answer, Call, Row
from hitl_zendesk.simulator.idempotency import Keys
from hitl_zendesk.simulator.kinds import Fit, anything, fitted, flag, number, numbers, objects, parts, text, words
from hitl_zendesk.simulator.limits import Limits
from hitl_zendesk.simulator.paging import page_number, paged
from hitl_zendesk.simulator.records import Ticket, Via
from hitl_zendesk.simulator.refusals import RefusedError
from hitl_zendesk.simulator.shown import Shown
from hitl_zendesk.simulator.tickets import Change, Tickets

__all__ = ["ticket_rows"]

_PERSON: Final = parts({"name": text, "email": text, "locale_id": number})
_COMMENT_PARTS: Final = parts({"body": text, "html_body": text, "public": flag, "author_id": number, "uploads": words})


def _comment(value: Any) -> dict[str, Any]:
    """A comment, or its text alone."""
    made: dict[str, Any] = _COMMENT_PARTS({"body": value} if isinstance(value, str) else value)
    return made


_WRITABLE: Final[dict[str, Fit]] = {
    **dict.fromkeys(("subject", "raw_subject", "description", "external_id", "priority", "type", "status"), text),
    **dict.fromkeys(("assignee_email", "due_at", "recipient", "updated_stamp", "update_stamp"), text),
    **dict.fromkeys(("requester_id", "submitter_id", "assignee_id", "group_id", "organization_id"), number),
    **dict.fromkeys(("brand_id", "ticket_form_id", "problem_id", "custom_status_id"), number),
    **dict.fromkeys(("tags", "additional_tags", "remove_tags"), words),
    **dict.fromkeys(("collaborator_ids", "email_cc_ids", "follower_ids"), numbers),
    **dict.fromkeys(("collaborators", "email_ccs", "followers", "metadata", "attribute_value_ids"), anything),
    **dict.fromkeys(("sharing_agreement_ids", "macro_ids", "safe_update"), anything),
    **dict.fromkeys(("custom_fields", "fields"), objects),
    "requester": _PERSON,
    "comment": _comment,
}
_AT_CREATION: Final[dict[str, Fit]] = {
    **_WRITABLE,
    "via": anything,
    "via_id": number,
    "via_followup_source_id": number,
}
_SETTLED: Final = timedelta(seconds=60)


def ticket_rows(account: Account, shown: Shown, tickets: Tickets, limits: Limits) -> list[Row]:
    """Return what is answered here."""
    api = _Tickets(account, shown, tickets, limits)
    return [
        ("GET", "tickets", api.every),
        ("POST", "tickets", api.create),
        ("GET", "tickets/show_many", api.show_many),
        ("GET", "tickets/count", api.count),
        ("GET", "tickets/{id}", api.show),
        ("PUT", "tickets/{id}", api.update),
        ("GET", "incremental/tickets/cursor", api.incremental),
        ("GET", "search", api.search),
        ("GET", "tickets/{id}/audits", api.audits),
        ("GET", "tickets/{id}/audits/{audit_id}", api.audit),
    ]


class _Tickets:
    def __init__(self, account: Account, shown: Shown, tickets: Tickets, limits: Limits) -> None:
        self._account, self._shown, self._tickets = account, shown, tickets
        self._limits, self._keys = limits, Keys(account.clock)

    # Reading --------------------------------------------------------------------------------------------------

    def every(self, call: Call) -> Any:
        call.headers |= self._limits.tickets_listed()
        tickets = self._account.present()
        if (wanted := call.query.get("external_id")) is not None:
            tickets = [ticket for ticket in tickets if ticket.external_id == wanted]
        return self._page(call, tickets)

    def _page(self, call: Call, tickets: list[Ticket]) -> Any:
        return paged("tickets", tickets, self._shown.ticket, key=lambda each: each.id, url=call.url, query=call.query)

    def show_many(self, call: Call) -> Any:
        tickets = self._account.tickets
        found = [tickets[id_] for id_ in call.ids() if id_ in tickets and tickets[id_].status != "deleted"]
        shown = [self._shown.ticket(ticket) for ticket in found]
        return {"tickets": shown, "next_page": None, "previous_page": None, "count": len(shown)}

    def count(self, _: Call) -> Any:
        now = f"{self._account.now():%Y-%m-%dT%H:%M:%S+00:00}"
        return {"count": {"value": len(self._account.present()), "refreshed_at": now}}

    def show(self, call: Call) -> Any:
        ticket = self._account.ticket(call.id())
        answer: dict[str, Any] = {"ticket": self._shown.ticket(ticket)}
        if "users" in call.query.get("include", "").split(","):
            ids = {ticket.requester_id, ticket.submitter_id, ticket.assignee_id}
            answer["users"] = [self._shown.user(user) for user in self._account.users.values() if user.id in ids]
        return answer

    def audits(self, call: Call) -> Any:
        call.headers |= self._limits.endpoint("ticket-audits", 500)
        audits = self._account.ticket(call.id()).audits
        return paged("audits", audits, self._shown.audit, key=lambda each: each.id, url=call.url, query=call.query)

    def audit(self, call: Call) -> Any:
        for audit in self._account.ticket(call.id()).audits:
            if audit.id == call.id("audit_id"):
                return {"audit": self._shown.audit(audit)}
        raise KeyError

    def incremental(self, call: Call) -> Any:
        """Return what changed since a time or cursor, deleted tickets too, but not within the last minute."""
        call.headers |= self._limits.endpoint("incremental-exports", 10)
        now = self._account.now()
        if cursor := call.query.get("cursor"):
            after = _place(cursor)
        else:
            start = call.query.get("start_time", "")
            if not start.isdecimal():
                raise RefusedError(400, {"error": "MissingStartTime", "description": "start_time is required"})
            if datetime.fromtimestamp(int(start), UTC) > now - _SETTLED:
                description = "Too recent start_time. Use a start_time older than 60 seconds"
                raise RefusedError(400, {"error": "StartTimeTooRecent", "description": description})
            after = (int(start), -1)
        size = min(page_number(call.query, "per_page", 1000), 1000)
        found = [
            ticket
            for ticket in sorted(self._account.tickets.values(), key=_changed_at)
            if _changed_at(ticket) > after and ticket.updated_at <= now - _SETTLED and not ticket.gone
        ]
        shown = found[:size]
        last = _changed_at(shown[-1]) if shown else after
        cursor = b64encode(f"{last[0]}.0||{last[1]}|".encode()).decode()
        return {
            "tickets": [self._shown.ticket(ticket) for ticket in shown],
            "after_url": f"{call.url}.json?cursor={cursor}",
            "after_cursor": cursor,
            "before_url": None,
            "before_cursor": None,
            "end_of_stream": len(found) <= size,
        }

    def search(self, call: Call) -> Any:
        """Find tickets by words of their subject, external id, tags or status; what is new is not found yet."""
        words = call.query.get("query", "").split()
        newest = self._account.now() - timedelta(seconds=self._account.search_lag_seconds)
        found = [
            ticket
            for ticket in self._account.present()
            if ticket.updated_at <= newest and all(_found(ticket, word) for word in words)
        ]

        def show(ticket: Ticket) -> Mapping[str, Any]:
            return self._shown.ticket(ticket) | {"result_type": "ticket"}

        return paged("results", found, show, key=lambda each: each.id, url=call.url, query=call.query) | {
            "facets": None
        }

    # Writing --------------------------------------------------------------------------------------------------

    def create(self, call: Call) -> Any:
        key = call.request.headers.get("idempotency-key")
        if key:
            kept = self._keys.look_up(key, call.raw)
            if kept is not None:
                return Answer(kept.body, 201, {**kept.headers, "x-idempotency-lookup": "hit"})
        given = call.given("ticket")
        call.warn_of("ticket", "create", given, _AT_CREATION)
        change = self._tickets.create(fitted(given, _AT_CREATION), call.caller, Via.api())
        body = self._changed(change)
        headers = {"location": self._account.link(f"api/v2/tickets/{change.ticket.id}.json")}
        headers |= self._limits.endpoint("ticket-request-create-by-user-and-ip", 300)
        if key:
            self._keys.keep(key, call.raw, json.loads(json.dumps(body)), headers)
            headers["x-idempotency-lookup"] = "miss"
        return Answer(body, 201, headers)

    def update(self, call: Call) -> Any:
        ticket = self._account.ticket(call.id())
        call.headers |= self._limits.ticket_update(ticket.id, call.caller.id)
        given = call.given("ticket")
        call.warn_of("ticket", "update", given, _WRITABLE)
        return self._changed(self._tickets.update(ticket, fitted(given, _WRITABLE), call.caller, Via.api()))

    def _changed(self, change: Change) -> dict[str, Any]:
        return {"ticket": self._shown.ticket(change.ticket), "audit": self._shown.audit(change.audit)}


def _changed_at(ticket: Ticket) -> tuple[int, int]:
    return int(ticket.updated_at.timestamp()), ticket.id


def _place(cursor: str) -> tuple[int, int]:
    try:
        moment, _, rest = b64decode(cursor, validate=True).decode().partition("||")
        return int(float(moment)), int(rest.strip("|"))
    except (binascii.Error, ValueError):
        raise RefusedError(400, {"error": "InvalidCursor", "description": "The cursor is not valid"}) from None


def _found(ticket: Ticket, word: str) -> bool:
    name, colon, value = word.partition(":")
    value = value.strip('"')
    if not colon:
        return word.casefold() in f"{ticket.subject} {ticket.description}".casefold() or word == str(ticket.id)
    facts = {
        "type": "ticket",
        "external_id": ticket.external_id,
        "status": ticket.status,
        "priority": ticket.priority,
        "requester": str(ticket.requester_id),
    }
    if name in {"tags", "tag"}:
        return value in ticket.tags
    return name not in facts or facts[name] == value
