"""``tickets/{id}/comments``: read both ways, hide, redact."""

from __future__ import annotations

import re
from typing import Any, Final

from hitl_zendesk.simulator.account import Account
from hitl_zendesk.simulator.answering import Answer, Call, Row
from hitl_zendesk.simulator.kinds import fitted, number, text, words
from hitl_zendesk.simulator.limits import Limits
from hitl_zendesk.simulator.paging import paged
from hitl_zendesk.simulator.records import Comment, Ticket, Via
from hitl_zendesk.simulator.refusals import invalid
from hitl_zendesk.simulator.shown import Shown
from hitl_zendesk.simulator.texts import BLOCK, redacted
from hitl_zendesk.simulator.tickets import Tickets

__all__ = ["comment_rows"]

_MARKED: Final = re.compile(r"<redact>(.*?)</redact>", re.DOTALL)
_TAGS: Final = re.compile(r"(<[^>]*>)")


def comment_rows(account: Account, shown: Shown, tickets: Tickets, limits: Limits) -> list[Row]:
    """Return what is answered here."""
    api = _Comments(account, shown, tickets, limits)
    comment = "tickets/{id}/comments/{comment_id}"
    return [
        ("GET", "tickets/{id}/comments", api.every),
        ("GET", "tickets/{id}/comments/count", api.count),
        ("PUT", f"{comment}/make_private", api.make_private),
        ("PUT", f"{comment}/redact", api.redact),
        ("PUT", f"{comment}/attachments/{{file_id}}/redact", api.redact_file),
        ("PUT", "comment_redactions/{comment_id}", api.redact_marked),
    ]


class _Comments:
    def __init__(self, account: Account, shown: Shown, tickets: Tickets, limits: Limits) -> None:
        self._account, self._shown, self._tickets, self._limits = account, shown, tickets, limits

    def every(self, call: Call) -> Any:
        ticket = self._account.ticket(call.id())
        newest_first = call.query.get("sort") == "-created_at" or call.query.get("sort_order") == "desc"
        inline = call.query.get("include_inline_images") == "true"
        page = paged(
            "comments",
            ticket.comments,
            lambda comment: self._shown.comment(comment, inline_images=inline),
            key=lambda comment: comment.id,
            url=call.url,
            query=call.query,
            descending=newest_first,
        )
        if "users" in call.query.get("include", "").split(","):
            ids = dict.fromkeys(comment["author_id"] for comment in page["comments"])
            page["users"] = [self._shown.user(self._account.users[id_]) for id_ in ids if id_ in self._account.users]
        return page

    def count(self, call: Call) -> Any:
        now = f"{self._account.now():%Y-%m-%dT%H:%M:%S+00:00}"
        return {"count": {"value": len(self._account.ticket(call.id()).comments), "refreshed_at": now}}

    def make_private(self, call: Call) -> Any:
        ticket, comment = self._found(call)
        self._tickets.make_private(ticket, comment, call.caller, Via.api())
        return Answer({})

    def redact(self, call: Call) -> Any:
        ticket, comment = self._found(call)
        if ticket.status == "closed":
            raise invalid("status", "Status: closed prevents ticket update")
        words = str(call.given().get("text") or "")
        self._tickets.redact(ticket, comment, redacted(comment.html, words), actor=call.caller, via=Via.api())
        return {"comment": self._shown.comment(comment)}

    def redact_marked(self, call: Call) -> Any:
        """Redact what stands in ``<redact>`` tags of the HTML that is given, closed tickets included."""
        given = fitted(call.given(), {"ticket_id": number, "html_body": text, "external_attachment_urls": words})
        ticket = self._account.ticket(given.get("ticket_id") or 0)
        comment = ticket.comment(call.id("comment_id"))
        if given.get("html_body"):
            html = _MARKED.sub(_blocks, given["html_body"])
            self._tickets.redact(ticket, comment, html, actor=call.caller, via=Via.api())
        for url in given.get("external_attachment_urls") or ():
            for file in [file for file in comment.attachments if file.token in url]:
                self._tickets.redact_file(ticket, comment, file, actor=call.caller, via=Via.api())
        return {"comment": self._shown.comment(comment)}

    def redact_file(self, call: Call) -> Any:
        ticket, comment = self._found(call)
        if ticket.status == "closed":
            raise invalid("status", "Status: closed prevents ticket update")
        found = [file for file in comment.attachments if file.id == call.id("file_id")]
        if not found:
            raise KeyError
        left = self._tickets.redact_file(ticket, comment, found[0], actor=call.caller, via=Via.api())
        return {"attachment": self._shown.attachment(left)}

    def _found(self, call: Call) -> tuple[Ticket, Comment]:
        ticket = self._account.ticket(call.id())
        comment = ticket.comment(call.id("comment_id"))
        call.headers |= self._limits.ticket_update(ticket.id, call.caller.id)
        return ticket, comment


def _blocks(found: re.Match[str]) -> str:
    """Replace the words between tags, and leave the tags."""
    return "".join(part if part.startswith("<") else BLOCK * len(part) for part in _TAGS.split(found[1]))
