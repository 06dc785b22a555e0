"""Delete, restore, mark as spam, merge; and tags, which are changed by requests of their own."""

from __future__ import annotations

from typing import Any, Final

from hitl_zendesk.simulator.account import Account
from hitl_zendesk.simulator.answering import Answer, Call, Row
from hitl_zendesk.simulator.endings import Endings
from hitl_zendesk.simulator.kinds import Fit, fitted, flag, numbers, text, words
from hitl_zendesk.simulator.limits import Limits
from hitl_zendesk.simulator.paging import paged
from hitl_zendesk.simulator.records import Ticket, Via, stamp
from hitl_zendesk.simulator.tickets import Tickets

__all__ = ["ending_rows"]


def ending_rows(account: Account, tickets: Tickets, endings: Endings, limits: Limits) -> list[Row]:
    """Return what is answered here."""
    api = _Endings(account, tickets, endings, limits)
    return [
        ("DELETE", "tickets/{id}", api.delete),
        ("PUT", "tickets/{id}/mark_as_spam", api.spam),
        ("POST", "tickets/{id}/merge", api.merge),
        ("GET", "deleted_tickets", api.deleted),
        ("PUT", "deleted_tickets/{id}/restore", api.restore),
        ("DELETE", "deleted_tickets/{id}", api.delete_for_good),
        ("GET", "job_statuses/{id}", api.job),
        ("GET", "tickets/{id}/tags", api.tags),
        ("POST", "tickets/{id}/tags", api.set_tags),
        ("PUT", "tickets/{id}/tags", api.add_tags),
        ("DELETE", "tickets/{id}/tags", api.remove_tags),
    ]


_MERGE: Final[dict[str, Fit]] = {
    "ids": numbers,
    "source_comment": text,
    "target_comment": text,
    "source_comment_is_public": flag,
    "target_comment_is_public": flag,
}


class _Endings:
    def __init__(self, account: Account, tickets: Tickets, endings: Endings, limits: Limits) -> None:
        self._account, self._tickets, self._endings, self._limits = account, tickets, endings, limits
        self._jobs: dict[str, dict[str, Any]] = {}

    def delete(self, call: Call) -> Any:
        call.headers |= self._limits.endpoint("tickets-delete", 400)
        self._endings.delete(self._account.ticket(call.id()), call.caller, Via.api())
        return Answer(status=204)

    def spam(self, call: Call) -> Any:
        self._endings.spam(self._account.ticket(call.id()), call.caller, Via.api())
        return Answer({})

    def merge(self, call: Call) -> Any:
        target, given = self._account.ticket(call.id()), fitted(call.given(), _MERGE)
        for id_ in given.get("ids") or ():
            self._endings.merge(
                self._account.ticket(id_),
                target,
                call.caller,
                Via.api(),
                (given.get("source_comment"), given.get("target_comment")),
                public=(bool(given.get("source_comment_is_public")), bool(given.get("target_comment_is_public"))),
            )
        return self._done("Ticket Merge", [_result(target, "update", "Updated")])

    def _done(self, name: str, results: list[dict[str, Any]]) -> Any:
        """Answer as for work that is done later; here it is done."""
        id_ = self._account.ids.credential("job")[:32]
        self._jobs[id_] = {
            "id": id_,
            "url": self._account.link(f"api/v2/job_statuses/{id_}.json"),
            "job_type": name,
            "total": len(results),
            "progress": len(results),
            "status": "completed",
            "message": f"Completed at {self._account.now()}",
            "results": results,
        }
        return {"job_status": self._jobs[id_]}

    def job(self, call: Call) -> Any:
        return {"job_status": self._jobs[call.request.path_params["id"]]}

    # Deleted --------------------------------------------------------------------------------------------------

    def deleted(self, call: Call) -> Any:
        tickets = [each for each in self._account.tickets.values() if each.status == "deleted" and not each.gone]
        return paged("deleted_tickets", tickets, _gone, key=lambda each: each.id, url=call.url, query=call.query)

    def _deleted(self, call: Call) -> Ticket:
        ticket = self._account.tickets[call.id()]
        if ticket.status != "deleted" or ticket.gone:
            raise KeyError(ticket.id)
        return ticket

    def restore(self, call: Call) -> Any:
        self._endings.restore(self._deleted(call), call.caller, Via.api())
        return Answer({})

    def delete_for_good(self, call: Call) -> Any:
        ticket = self._deleted(call)
        self._endings.delete_for_good(ticket, call.caller, Via.api())
        return self._done("Permanently Delete Tickets", [_result(ticket, "delete", "Deleted")])

    # Tags -----------------------------------------------------------------------------------------------------

    def tags(self, call: Call) -> Any:
        return {"tags": self._account.ticket(call.id()).tags}

    def set_tags(self, call: Call) -> Any:
        return Answer(self._tagged(call, "tags"), 201)

    def add_tags(self, call: Call) -> Any:
        return self._tagged(call, "additional_tags")

    def remove_tags(self, call: Call) -> Any:
        return self._tagged(call, "remove_tags")

    def _tagged(self, call: Call, how: str) -> dict[str, Any]:
        ticket = self._account.ticket(call.id())
        call.headers |= self._limits.ticket_update(ticket.id, call.caller.id)
        self._tickets.update(
            ticket, {how: fitted(call.given(), {"tags": words}).get("tags") or []}, call.caller, Via.api()
        )
        return {"tags": ticket.tags}


def _result(ticket: Ticket, action: str, status: str) -> dict[str, Any]:
    return {"id": ticket.id, "action": action, "status": status, "success": True}


def _gone(ticket: Ticket) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "subject": ticket.subject,
        "actor": {"id": ticket.audits[-1].author_id, "name": ""},
        "deleted_at": stamp(ticket.updated_at),
        "previous_state": ticket.status_before,
    }
