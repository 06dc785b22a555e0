"""Native events: what happened to any ticket of the account, for each webhook that wants to know."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from hitl_zendesk.simulator.account import ACCOUNT_ID, BRAND_ID, CUSTOM_STATUSES, FORM_ID, Account
from hitl_zendesk.simulator.records import SYSTEM_ID, Attachment, Comment, stamp
from hitl_zendesk.simulator.shown import Shown
from hitl_zendesk.simulator.texts import shown_html
from hitl_zendesk.simulator.tickets import Change

__all__ = ["BY_DEFAULT", "CONDITIONAL", "PREFIX", "Telling"]

PREFIX: Final = "zen:event-type:ticket."
CONDITIONAL: Final = "conditional_ticket_events"
"""The subscription of webhooks that triggers call."""

BY_DEFAULT: Final = frozenset(
    PREFIX + name
    for name in (
        "comment_added", "comment_made_private", "comment_redacted", "attachment_linked_to_comment",
        "attachment_redacted_from_comment", "agent_assignment_changed", "status_changed", "merged", "marked_as_spam",
        "soft_deleted", "permanently_deleted", "undeleted",
    )
)  # fmt: skip
"""What is told as long as no webhook was made."""

_CHANGES: Final = {
    "status": "status_changed",
    "assignee_id": "agent_assignment_changed",
    "group_id": "group_assignment_changed",
    "subject": "subject_changed",
    "priority": "priority_changed",
    "type": "type_changed",
    "external_id": "external_id_changed",
    "requester_id": "requester_changed",
    "organization_id": "organization_changed",
    "brand_id": "brand_changed",
    "ticket_form_id": "form_changed",
    "problem_id": "problem_link_changed",
}
_BEFORE_COMMENTS: Final = frozenset({"assignee_id", "group_id"})
_BARE: Final = frozenset({"agent_assignment_changed", "status_changed"})
"""Events that were seen without ``meta``."""
_IN_CAPITALS: Final = frozenset({"status", "priority", "type"})

Tell = Callable[[str, bytes, str], None]
"""``tell(type, body, ticket_id)`` passes an event on to whom it concerns."""


class Telling:
    """Makes events of updates.

    :param tell: see :data:`Tell`.
    """

    def __init__(self, account: Account, shown: Shown, tell: Tell) -> None:
        self._account, self._shown, self._send = account, shown, tell
        self.reversed = False
        """Whether events of one update leave in the reverse order; no order is promised."""
        self.first_comments = True
        """Whether the first comment of a ticket is told of."""
        self.pretty = False
        """Whether bodies are indented by three blanks and end with a line break, as they were seen to be."""

    def tell(self, change: Change) -> None:
        """Tell of an update."""
        events = list(self._events(change))
        sequence = self._account.ids.sequence()
        told = []
        for position, (name, event) in enumerate(events, 1):
            meta = {} if name in _BARE else {"meta": {"sequence": {"id": sequence, "position": position}}}
            told.append((PREFIX + name, self.body(change, name, event | meta)))
        for type_, body in reversed(told) if self.reversed else told:
            self._send(type_, body, str(change.ticket.id))

    def body(self, change: Change, name: str, event: Mapping[str, Any]) -> bytes:
        """Return one event as it is sent."""
        now, count = self._account.clock.now(), self._account.ids.next("told")
        envelope = {
            "account_id": ACCOUNT_ID,
            "detail": self._detail(change),
            "event": event,
            "id": self._account.ids.event(),
            "subject": f"zen:ticket:{change.ticket.id}",
            "time": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond:06d}{count % 1000:03d}Z",
            "type": PREFIX + name,
            "zendesk_event_version": "2022-11-06",
        }
        if self.pretty:
            return json.dumps(envelope, ensure_ascii=False, indent=3).encode() + b"\n"
        return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()

    def _detail(self, change: Change) -> dict[str, Any]:
        ticket = change.ticket
        return {
            "actor_id": str(change.actor_id),
            "assignee_id": _id(ticket.assignee_id),
            "brand_id": _id(ticket.brand_id or BRAND_ID),
            "created_at": stamp(ticket.created_at),
            "custom_status": _id(CUSTOM_STATUSES.get(ticket.status)),
            "description": ticket.description,
            "external_id": ticket.external_id,
            "form_id": _id(ticket.ticket_form_id or FORM_ID),
            "group_id": _id(ticket.group_id),
            "id": str(ticket.id),
            "is_public": ticket.is_public,
            "organization_id": _id(ticket.organization_id),
            "priority": _capitals(ticket.priority),
            "requester_id": _id(ticket.requester_id),
            "status": _capitals(ticket.status),
            "subject": ticket.subject,
            "submitter_id": _id(ticket.submitter_id),
            "tags": ticket.tags,
            "type": _capitals(ticket.type),
            "updated_at": stamp(ticket.updated_at),
            "via": {"channel": ticket.via.told},
        }

    def _events(self, change: Change) -> Iterator[tuple[str, dict[str, Any]]]:
        if change.created:
            yield "created", {}
        fields = {} if change.created else change.before
        # Who takes a ticket by answering has it before the answer; who solves it by answering, after.
        yield from self._of_fields(change, [name for name in fields if name in _BEFORE_COMMENTS])
        if not change.created or self.first_comments:
            for comment in change.comments:
                yield from self._of_comment(comment)
        yield from self._of_fields(change, [name for name in fields if name not in _BEFORE_COMMENTS])
        yield from change.more

    def _of_fields(self, change: Change, names: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        for name in names:
            current, previous = getattr(change.ticket, name), change.before[name]
            if name == "tags":
                added = [tag for tag in current if tag not in previous]
                removed = [tag for tag in previous if tag not in current]
                yield "tags_changed", {"tags_added": {"tags": added}, "tags_removed": {"tags": removed}}
            elif name == "custom_fields":
                for id_ in sorted(set(current) | set(previous)):
                    if current.get(id_) != previous.get(id_):
                        field = {"id": str(id_), "type": "text"}
                        change_ = {"previous": previous.get(id_), "current": current.get(id_)}
                        yield "custom_field_changed", {"field": field, **change_}
            elif name in _CHANGES:
                kept = _capitals if name in _IN_CAPITALS else _id
                yield _CHANGES[name], {"previous": kept(previous), "current": kept(current)}
                if name == "status":
                    ids = {"previous": CUSTOM_STATUSES.get(previous), "current": CUSTOM_STATUSES.get(current)}
                    yield "custom_status_changed", {key: _id(id_) for key, id_ in ids.items()}

    def _of_comment(self, comment: Comment) -> Iterator[tuple[str, dict[str, Any]]]:
        author = self._account.users.get(comment.author_id)
        system = comment.author_id == SYSTEM_ID
        told = {
            "author": {
                "id": str(comment.author_id),
                "is_staff": system or (author is not None and author.is_staff),
                "name": author.name if author else "System",
            },
            "body": comment.plain,
            "html_body": shown_html(comment.html),
            "id": str(comment.id),
            "is_public": comment.public,
        }
        yield "comment_added", {"comment": told}
        for file in comment.attachments:
            yield (
                "attachment_linked_to_comment",
                {"comment": {"attachment": self._file(file, comment), "id": str(comment.id)}},
            )

    def _file(self, file: Attachment, comment: Comment) -> dict[str, Any]:
        return {
            "content_type": file.content_type,
            "content_url": self._shown.content_url(file),
            "filename": file.name,
            "id": str(file.id),
            "is_public": comment.public,
        }


def _id(value: Any) -> str | None:
    return None if value is None else str(value)


def _capitals(value: str | None) -> str | None:
    return None if value is None else value.upper()
