"""Ways a ticket ends beside being solved: deleted, taken for spam, merged into another."""

from __future__ import annotations

from hitl_zendesk.simulator.account import Account
from hitl_zendesk.simulator.commenting import Draft
from hitl_zendesk.simulator.records import CLOSED, Ticket, User, Via
from hitl_zendesk.simulator.refusals import invalid
from hitl_zendesk.simulator.texts import html_of_lines
from hitl_zendesk.simulator.tickets import Tickets

__all__ = ["Endings"]


class Endings:
    """Ends tickets, and brings back what can be brought back."""

    def __init__(self, account: Account, tickets: Tickets) -> None:
        self._account, self._tickets = account, tickets

    def delete(self, ticket: Ticket, actor: User, via: Via) -> None:
        """Put a ticket where it can be restored from for a while."""
        self._go(ticket, actor, via, "soft_deleted")

    def spam(self, ticket: Ticket, actor: User, via: Via) -> None:
        """Delete a ticket and suspend its requester."""
        self._account.users[ticket.requester_id].suspended = True
        self._go(ticket, actor, via, "marked_as_spam")

    def _go(self, ticket: Ticket, actor: User, via: Via, event: str) -> None:
        ticket.status_before, ticket.status = ticket.status, "deleted"
        change = self._tickets.note(
            ticket, actor, via, "Change", field_name="status", value="deleted", previous_value=ticket.status_before
        )
        change.more.append((event, {}))
        self._tickets.tell(change)

    def restore(self, ticket: Ticket, actor: User, via: Via) -> None:
        """Bring a deleted ticket back as it was."""
        ticket.status = ticket.status_before or "open"
        change = self._tickets.note(
            ticket, actor, via, "Change", field_name="status", value=ticket.status, previous_value="deleted"
        )
        change.more.append(("undeleted", {}))
        self._tickets.tell(change)

    def delete_for_good(self, ticket: Ticket, actor: User, via: Via) -> None:
        """Keep nothing of a deleted ticket but its number."""
        ticket.gone = True
        change = self._tickets.note(ticket, actor, via, "Change", field_name="status", value="scrubbed")
        change.more.append(("permanently_deleted", {}))
        self._tickets.tell(change)

    def merge(
        self,
        source: Ticket,
        target: Ticket,
        actor: User,
        via: Via,
        texts: tuple[str | None, str | None] = (None, None),
        *,
        public: tuple[bool, bool] = (False, False),
    ) -> None:
        """Close a ticket in favour of another; both say so, to agents only unless told otherwise.

        :param texts: what the source and the target say.
        :raises RefusedError: one of them is closed already.
        """
        if source is target or {source.status, target.status} & CLOSED:
            raise invalid("base", "Merge: closed tickets cannot be merged", "InvalidValue")
        there = texts[1] or f'Request #{source.id} "{source.subject}" was closed and merged into this request.'
        here = texts[0] or f'This request was closed and merged into request #{target.id} "{target.subject}".'
        target_draft = Draft(actor.id, actor.id, public[1], html_of_lines(there), is_html=True)
        self._tickets.update(target, {}, actor, via, draft=target_draft)
        source_draft = Draft(actor.id, actor.id, public[0], html_of_lines(here), is_html=True)
        given = {"status": "closed", "additional_tags": ["closed_by_merge"]}
        more = [("merged", {"target_ticket_id": str(target.id)})]
        self._tickets.update(source, given, actor, via, draft=source_draft, more=more)
