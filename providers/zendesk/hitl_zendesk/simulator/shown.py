"""Records as the API shows them: every key the real one was seen to answer with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hitl_zendesk.simulator.account import (
    BRAND_ID,
    CUSTOM_STATUSES,
    FIELDS,
    FORM_ID,
    GROUPS,
    ORGANIZATION_ID,
    Account,
)
from hitl_zendesk.simulator.records import Attachment, Audit, Comment, Hook, Ticket, Trigger, User, stamp
from hitl_zendesk.simulator.texts import plain_of, shown_html

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Shown"]

_SECRET_DATA = ("password", "token", "value")
_GROUP = next(iter(GROUPS))


class Shown:
    """Turns records into JSON."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def user(self, user: User) -> dict[str, Any]:
        """Return a user."""
        staff, facts = user.is_staff, user.facts
        return {
            "id": user.id,
            "url": self._account.link(f"api/v2/users/{user.id}.json"),
            "name": user.name,
            "email": user.email,
            "created_at": stamp(user.created_at),
            "updated_at": stamp(user.updated_at),
            "time_zone": facts.get("time_zone", "Europe/Stockholm"),
            "iana_time_zone": facts.get("time_zone", "Europe/Stockholm"),
            "phone": user.phone,
            "shared_phone_number": None if user.phone is None else False,
            "photo": self._photo(user),
            "locale_id": 1,
            "locale": "en-US",
            "organization_id": ORGANIZATION_ID if staff else facts.get("organization_id"),
            "role": user.role,
            "verified": user.verified,
            "external_id": user.external_id,
            "tags": facts.get("tags", []),
            "alias": facts.get("alias"),
            "active": True,
            "shared": False,
            "shared_agent": False,
            "last_login_at": stamp(user.updated_at) if staff else None,
            "two_factor_auth_enabled": False,
            "signature": facts.get("signature"),
            "details": facts.get("details"),
            "notes": facts.get("notes"),
            "role_type": 4 if staff else None,
            "custom_role_id": None,
            "moderator": staff,
            "ticket_restriction": None if staff else "requested",
            "only_private_comments": False,
            "restricted_agent": not staff,
            "suspended": user.suspended,
            "default_group_id": _GROUP if staff else None,
            "report_csv": staff,
            "user_fields": facts.get("user_fields", {}),
        }

    def _photo(self, user: User) -> dict[str, Any] | None:
        url = user.facts.get("remote_photo_url")
        if not url:
            return None
        return {"id": user.id + 1, "file_name": "photo.png", "content_url": url, "content_type": "image/png", "size": 0}

    def ticket(self, ticket: Ticket) -> dict[str, Any]:
        """Return a ticket."""
        own = {id_ for id_, (kind, _) in FIELDS.items() if kind in {"text", "tagger"}}
        fields = [
            {"id": id_, "value": ticket.custom_fields.get(id_)} for id_ in sorted(own | set(ticket.custom_fields))
        ]
        return {
            "url": self._account.link(f"api/v2/tickets/{ticket.id}.json"),
            "id": ticket.id,
            "external_id": ticket.external_id,
            "via": {"channel": ticket.via.channel, "source": ticket.source or {"from": {}, "to": {}, "rel": None}},
            "created_at": stamp(ticket.created_at),
            "updated_at": stamp(ticket.updated_at),
            "generated_timestamp": int(ticket.updated_at.timestamp()),
            "type": ticket.type,
            "subject": ticket.subject,
            "raw_subject": ticket.subject,
            "description": ticket.description,
            "priority": ticket.priority,
            "status": ticket.status,
            "recipient": ticket.recipient,
            "requester_id": ticket.requester_id,
            "submitter_id": ticket.submitter_id,
            "assignee_id": ticket.assignee_id,
            "organization_id": ticket.organization_id,
            "group_id": ticket.group_id,
            "collaborator_ids": ticket.collaborator_ids,
            "follower_ids": ticket.follower_ids,
            "email_cc_ids": ticket.email_cc_ids,
            "forum_topic_id": None,
            "problem_id": ticket.problem_id,
            "has_incidents": False,
            "is_public": ticket.is_public,
            "due_at": ticket.due_at,
            "tags": ticket.tags,
            "custom_fields": fields,
            "satisfaction_rating": None,
            "sharing_agreement_ids": [],
            "custom_status_id": CUSTOM_STATUSES.get(ticket.status),
            "fields": fields,
            "followup_ids": ticket.followup_ids,
            "ticket_form_id": ticket.ticket_form_id or FORM_ID,
            "brand_id": ticket.brand_id or BRAND_ID,
            "allow_channelback": False,
            "allow_attachments": True,
            "from_messaging_channel": False,
        }

    def attachment(self, file: Attachment) -> dict[str, Any]:
        """Return a file, without what is in it."""
        content_url = self.content_url(file)
        return {
            "url": self._account.link(f"api/v2/attachments/{file.id}.json"),
            "id": file.id,
            "file_name": file.name,
            "content_url": content_url,
            "mapped_content_url": content_url,
            "content_type": file.content_type,
            "size": len(file.content),
            "width": None,
            "height": None,
            "inline": file.inline,
            "deleted": False,
            "malware_access_override": False,
            "malware_scan_result": "not_scanned",
            "thumbnails": [],
        }

    def content_url(self, file: Attachment) -> str:
        """Return where a file is read."""
        return self._account.link(f"attachments/token/{file.token}/?name={quote(file.name)}")

    def comment(self, comment: Comment, *, inline_images: bool = False) -> dict[str, Any]:
        """Return a comment as lists of them show it."""
        return {
            **self._written(comment, inline_images=inline_images),
            "via": self._via(comment.via.channel, comment.author_id),
            "created_at": stamp(comment.created_at),
            "metadata": comment.metadata,
        }

    def comment_event(self, comment: Comment) -> dict[str, Any]:
        """Return a comment as audits show it."""
        return self._written(comment, inline_images=True)

    def _written(self, comment: Comment, *, inline_images: bool) -> dict[str, Any]:
        files = [file for file in comment.attachments if inline_images or not file.inline]
        return {
            "id": comment.id,
            "type": "Comment",
            "author_id": comment.author_id,
            "body": comment.plain,
            "html_body": shown_html(comment.html),
            "plain_body": plain_of(comment.html),
            "public": comment.public,
            "attachments": [self.attachment(file) for file in files],
            "audit_id": comment.audit_id,
        }

    def audit(self, audit: Audit) -> dict[str, Any]:
        """Return an update of a ticket."""
        ticket = self._account.tickets[audit.ticket_id]
        events = [
            self.comment_event(ticket.comment(event["id"])) if event["type"] == "Comment" else event
            for event in audit.events
        ]
        return {
            "id": audit.id,
            "ticket_id": audit.ticket_id,
            "created_at": stamp(audit.created_at),
            "author_id": audit.author_id,
            "metadata": audit.metadata,
            "events": events,
            "via": self._via(audit.via.channel, audit.author_id),
        }

    def _via(self, channel: str, user_id: int) -> dict[str, Any]:
        user = self._account.users.get(user_id)
        to = {} if user is None or user.is_staff else {"name": user.name, "address": user.email}
        return {"channel": channel, "source": {"from": {}, "to": to, "rel": None}}

    def hook(self, hook: Hook, *, new: bool = False) -> dict[str, Any]:
        """Return a webhook, without credentials.

        :param new: it was made just now: only then its time has a fraction.
        """
        given = hook.given
        answer: dict[str, Any] = {"id": hook.id, "name": given["name"]}
        if given.get("description") is not None:
            answer["description"] = given["description"]
        answer |= {"status": given["status"], "subscriptions": given["subscriptions"]}
        moment = f"{stamp(hook.created_at)[:-1]}.090047650Z" if new else stamp(hook.created_at)
        answer |= {"created_at": moment, "created_by": hook.created_by}
        if hook.updated_at is not None:
            answer |= {"updated_at": stamp(hook.updated_at), "updated_by": hook.updated_by}
        answer |= {name: given[name] for name in ("endpoint", "http_method", "request_format")}
        if given.get("custom_headers"):
            answer["custom_headers"] = given["custom_headers"]
        if given.get("authentication"):
            answer["authentication"] = _without_credentials(given["authentication"])
        return answer

    def trigger(self, trigger: Trigger) -> dict[str, Any]:
        """Return a trigger; its conditions nest, however they were given."""
        return {
            "url": self._account.link(f"api/v2/triggers/{trigger.id}.json"),
            "id": trigger.id,
            "title": trigger.title,
            "active": trigger.active,
            "updated_at": stamp(trigger.updated_at),
            "created_at": stamp(trigger.created_at),
            "default": False,
            "actions": trigger.actions,
            "conditions": {"all": trigger.all, "any": trigger.any},
            "description": trigger.description,
            "position": trigger.position,
            "raw_title": trigger.title,
            "category_id": trigger.category_id or "8447320467070",
        }


def _without_credentials(given: Mapping[str, Any]) -> dict[str, Any]:
    data = {name: value for name, value in (given.get("data") or {}).items() if name not in _SECRET_DATA}
    return {
        "type": given.get("type"),
        **({"data": data} if data else {}),
        "add_position": given.get("add_position", "header"),
    }
