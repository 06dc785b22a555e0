"""Tickets: one update after the other, each with its audit, and somebody who is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hitl_zendesk.simulator.account import BRAND_ID, CUSTOM_STATUSES, FORM_ID, Account
from hitl_zendesk.simulator.commenting import Draft, drafted
from hitl_zendesk.simulator.records import SYSTEM_ID, Attachment, Audit, Comment, Ticket, User, Via, stamp
from hitl_zendesk.simulator.refusals import UPDATE_CONFLICT, RefusedError, invalid
from hitl_zendesk.simulator.rules import OPEN_TO_CLOSED, checked_fields, checked_status
from hitl_zendesk.simulator.texts import plain_of

__all__ = ["Change", "Tickets"]

_TRACKED: Final = (
    "subject", "requester_id", "priority", "type", "status", "assignee_id", "group_id", "organization_id",
    "brand_id", "ticket_form_id", "external_id", "tags", "custom_fields", "due_at", "problem_id", "recipient",
    "collaborator_ids", "email_cc_ids", "follower_ids",
)  # fmt: skip
_AT_CREATION: Final = ("subject", "requester_id", "priority", "type", "status", "brand_id", "ticket_form_id")


@dataclass(slots=True)
class Change:
    """One update of a ticket, after it was made.

    :param before: what the fields that changed were.
    :param comments: what was written by it.
    :param more: events beside those that follow from fields and comments: type and ``event``.
    """

    ticket: Ticket
    audit: Audit
    created: bool = False
    before: dict[str, Any] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    more: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def actor_id(self) -> int:
        """Who made the update, whoever its comment is by."""
        return self.audit.author_id


class Tickets:
    """Makes and changes tickets."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.listeners: list[Callable[[Change], None]] = []
        """Called after each update, in order."""

    # Opening --------------------------------------------------------------------------------------------------

    def create(self, given: Mapping[str, Any], actor: User, via: Via, *, draft: Draft | None = None) -> Change:
        """Open a ticket.

        :param draft: its first comment, where that was not given as JSON.
        :raises RefusedError: it would not be valid.
        """
        account = self._account
        source = self._followed(given)
        requester = self._requester(given, actor, source)
        submitter = account.users.get(given.get("submitter_id") or requester.id)
        if submitter is None:
            raise invalid("submitter", "Submitter: is invalid", "InvalidValue")
        author = actor if source is not None else submitter
        comment = given.get("comment") or {"body": given.get("description") or ""}
        draft = draft or drafted(
            account, comment, author_id=author.id, actor_id=actor.id, public=True, may_name_author=False
        )
        if draft is None:
            raise invalid("base", "Description: cannot be blank", "BlankValue")
        now = account.now()
        ticket = Ticket(0, requester.id, submitter.id, via, now, now, brand_id=BRAND_ID, ticket_form_id=FORM_ID)
        fields = checked_fields(account, ticket, given)
        fields["requester_id"] = requester.id
        checked_status(account, ticket, given, fields, actor)
        ticket.id = account.ids.ticket()
        account.tickets[ticket.id] = ticket
        for name, value in fields.items():
            setattr(ticket, name, value)
        ticket.public_by_default = draft.public
        audit = self._audit(ticket, actor.id, via, given.get("metadata"))
        change = Change(ticket, audit, created=True)
        self._write(change, draft)
        ticket.description = ticket.comments[0].plain
        ticket.subject = ticket.subject or ticket.description[:80]
        for name in _AT_CREATION:
            self._event(audit, "Create", field_name=name, value=_shown(getattr(ticket, name)))
        for name in sorted(set(fields) - set(_AT_CREATION)):
            self._event(audit, "Create", field_name=name, value=_shown(getattr(ticket, name)))
        self._event(audit, "Create", field_name="custom_status_id", value=str(CUSTOM_STATUSES[ticket.status]))
        if source is not None:
            source.followup_ids.append(ticket.id)
            ticket.source = {
                "from": {"ticket_id": source.id, "subject": source.subject, "channel": source.via.channel},
                "to": {},
                "rel": "follow_up",
            }
        self.tell(change)
        return change

    def _followed(self, given: Mapping[str, Any]) -> Ticket | None:
        wanted = given.get("via_followup_source_id")
        if wanted is None:
            return None
        source = self._account.tickets.get(wanted)
        if source is None or source.status != "closed":
            raise invalid("base", "Followup source: is not a closed ticket", "InvalidValue")
        return source

    def _requester(self, given: Mapping[str, Any], actor: User, source: Ticket | None) -> User:
        account = self._account
        named = given.get("requester")
        if given.get("requester_id") is not None or not named:
            wanted = given.get("requester_id") or (source.requester_id if source else actor.id)
            user = account.users.get(wanted) if isinstance(wanted, int) else None
            if user is None:
                raise invalid("requester", "Requester: is invalid", "InvalidValue")
        else:
            email = named.get("email")
            user = account.by_email(email) if email else None
            if user is None:
                if not named.get("name"):
                    raise invalid("requester", "Requester: Name:  is too short (minimum is 1 character)")
                user = account.add_user(named["name"], email=email)
        if user.suspended:
            raise invalid("requester", f"Requester: {user.name} is suspended.")
        return user

    # Changing -------------------------------------------------------------------------------------------------

    def update(
        self,
        ticket: Ticket,
        given: Mapping[str, Any],
        actor: User | None,
        via: Via,
        *,
        draft: Draft | None = None,
        more: list[tuple[str, dict[str, Any]]] | None = None,
    ) -> Change:
        """Change a ticket; nothing of it happens when something of it cannot be.

        :param actor: ``None`` for the system.
        :param draft: a comment, where that was not given as JSON.
        :param more: see :class:`Change`.
        :raises RefusedError: the ticket would not be valid, or it changed meanwhile.
        """
        account = self._account
        actor_id = actor.id if actor else SYSTEM_ID
        self._check_stamp(ticket, given)
        if ticket.status == "closed" and (set(given) - OPEN_TO_CLOSED - {"metadata"} or draft):
            raise invalid("status", "Status: closed prevents ticket update")
        fields = checked_fields(account, ticket, given)
        if given.get("requester") and given.get("requester_id") is None and actor is not None:
            fields["requester_id"] = self._requester({"requester": given["requester"]}, actor, None).id
        checked_status(account, ticket, given, fields, actor)
        comment = given.get("comment")
        draft = draft or drafted(
            account, comment, author_id=actor_id, actor_id=actor_id, public=ticket.public_by_default
        )
        if draft is not None and len(ticket.comments) >= account.comments_per_ticket:
            most = account.comments_per_ticket
            raise invalid("base", f"Ticket: cannot have more than {most} comments", "TooManyComments")
        audit = self._audit(ticket, actor_id, via, given.get("metadata"))
        change = Change(ticket, audit, more=list(more or ()))
        if draft is not None:
            self._write(change, draft)
        for name in _TRACKED:
            previous = getattr(ticket, name)
            if name in fields and fields[name] != previous:
                change.before[name] = previous
                setattr(ticket, name, fields[name])
                self._changed(audit, name, previous, fields[name])
        ticket.updated_at = account.now()
        self.tell(change)
        return change

    def _check_stamp(self, ticket: Ticket, given: Mapping[str, Any]) -> None:
        """Compare times where the caller asks for it; ``false`` asks for it, too."""
        if "safe_update" not in given:
            return
        known = given.get("updated_stamp") or given.get("update_stamp")
        if known != stamp(ticket.updated_at):
            raise RefusedError(409, UPDATE_CONFLICT)

    def _write(self, change: Change, draft: Draft) -> None:
        audit = change.audit
        comment = draft.write(self._account, change.ticket, audit.id, audit.via, audit.metadata)
        audit.events.append({"id": comment.id, "type": "Comment"})
        change.comments.append(comment)
        _look_public(change.ticket)

    def _changed(self, audit: Audit, name: str, previous: Any, value: Any) -> None:
        if name == "custom_fields":
            for id_ in sorted(set(value) | set(previous)):
                if value.get(id_) != previous.get(id_):
                    self._changed(audit, str(id_), previous.get(id_), value.get(id_))
            return
        shown = {"value": _shown(value), "field_name": name, "previous_value": _shown(previous)}
        self._event(audit, "Change", **shown)
        if name == "status":
            ids = {"value": CUSTOM_STATUSES.get(value), "previous_value": CUSTOM_STATUSES.get(previous)}
            self._event(
                audit, "Change", field_name="custom_status_id", **{key: _shown(id_) for key, id_ in ids.items()}
            )

    # Audits ---------------------------------------------------------------------------------------------------

    def _audit(self, ticket: Ticket, author_id: int, via: Via, custom: Any) -> Audit:
        account = self._account
        system = {
            "client": "Simulated client",
            "ip_address": "192.0.2.10",
            "location": "Example City",
            "latitude": 0.0,
            "longitude": 0.0,
        }
        metadata = {"system": system, "custom": custom if isinstance(custom, dict) else {}}
        audit = Audit(account.ids.record(), ticket.id, author_id, via, account.now(), metadata)
        ticket.audits.append(audit)
        return audit

    def _event(self, audit: Audit, type_: str, **facts: Any) -> None:
        audit.events.append({"id": self._account.ids.record(), "type": type_, **facts})

    def note(self, ticket: Ticket, actor: User | None, via: Via, type_: str, **facts: Any) -> Change:
        """Write an audit of something that is no field of the ticket."""
        audit = self._audit(ticket, actor.id if actor else SYSTEM_ID, via, None)
        self._event(audit, type_, **facts)
        ticket.updated_at = self._account.now()
        return Change(ticket, audit)

    # Hiding ---------------------------------------------------------------------------------------------------

    def make_private(self, ticket: Ticket, comment: Comment, actor: User | None, via: Via) -> None:
        """Hide a comment from the requester for good."""
        comment.public = False
        _look_public(ticket)
        change = self.note(ticket, actor, via, "CommentPrivacyChange", comment_id=comment.id, public=False)
        change.more.append(("comment_made_private", {"comment": {"id": str(comment.id)}}))
        self.tell(change)

    def redact(self, ticket: Ticket, comment: Comment, html: str, *, actor: User | None, via: Via) -> None:
        """Write what is left of a comment over it."""
        comment.html, comment.plain = html, plain_of(html)
        if comment is ticket.comments[0]:
            ticket.description = comment.plain
        change = self.note(ticket, actor, via, "CommentRedactionEvent", comment_id=comment.id)
        change.more.append(("comment_redacted", {"comment": {"id": str(comment.id)}}))
        self.tell(change)

    def redact_file(
        self, ticket: Ticket, comment: Comment, file: Attachment, *, actor: User | None, via: Via
    ) -> Attachment:
        """Put an empty text in the place of a file; return that."""
        left = self._account.add_file("redacted.txt", "text/plain", b"")
        comment.attachments[comment.attachments.index(file)] = left
        self._account.attachments.pop(file.id, None)
        about = {"attachment_id": file.id, "comment_id": comment.id}
        change = self.note(ticket, actor, via, "AttachmentRedactionEvent", **about)
        told = {"comment": {"attachment": {"id": str(file.id)}, "id": str(comment.id)}}
        change.more.append(("attachment_redacted_from_comment", told))
        self.tell(change)
        return left

    def tell(self, change: Change) -> None:
        """Let everybody know of an update."""
        for listener in self.listeners:
            listener(change)


def _look_public(ticket: Ticket) -> None:
    """Say whether there is anything the requester can see."""
    ticket.is_public = any(comment.public for comment in ticket.comments)


def _shown(value: Any) -> Any:
    """Return a value as audits write it: ids as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
