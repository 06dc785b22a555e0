"""Webhooks: Zendesk's own events, and what the triggers we create send. Both are signed the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic_core import from_json

import hitl_core as hitl
from hitl_core.http import segment
from hitl_core.signatures import HmacScheme
from hitl_zendesk.api import Api
from hitl_zendesk.facts import ENDED, Facts, agent_of, customers_of, moment, number
from hitl_zendesk.record import Record
from hitl_zendesk.texts import words

__all__ = ["PREFIX", "SIGNATURE", "SUBSCRIPTIONS", "TEST_SECRET", "TRIGGER_KINDS", "Deliveries"]

SIGNATURE: Final = HmacScheme(
    "x-zendesk-webhook-signature",
    encoding="base64",
    template="{timestamp}{body}",
    timestamp_header="x-zendesk-webhook-signature-timestamp",
    timestamp_unit="iso",
)
"""Over time and raw body, with the secret's text as the key."""

TEST_SECRET: Final = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="  # noqa: S105 - published by Zendesk, never accepted
"""What Zendesk signs tests with before a webhook is saved; everybody knows it."""

PREFIX: Final = "zen:event-type:"
SUBSCRIPTIONS: Final = tuple(
    f"{PREFIX}ticket.{name}"
    for name in (
        "comment_added",
        "comment_made_private",
        "comment_redacted",
        "attachment_linked_to_comment",
        "attachment_redacted_from_comment",
        "agent_assignment_changed",
        "status_changed",
        "merged",
        "marked_as_spam",
        "soft_deleted",
        "permanently_deleted",
        "undeleted",
    )
)
"""What we subscribe to; Zendesk tells of every ticket of the account."""

TRIGGER_KINDS: Final = ("comment", "assignee", "status")

_ENDS: Final = {
    "merged": hitl.StopReason.MERGED,
    "marked_as_spam": hitl.StopReason.SPAM,
    "soft_deleted": hitl.StopReason.DELETED,
    "permanently_deleted": hitl.StopReason.DELETED,
}
_IRRELEVANT: Final = frozenset(
    {
        "brand_changed", "created", "custom_field_changed", "custom_status_changed", "description_changed",
        "email_ccs_changed", "external_id_changed", "followers_changed", "form_changed", "group_assignment_changed",
        "organization_changed", "priority_changed", "problem_link_changed", "requester_changed", "subject_changed",
        "submitter_changed", "tags_changed", "type_changed",
    }
)  # fmt: skip


class Deliveries:
    """The account's webhooks."""

    def __init__(self, api: Api, record: Record) -> None:
        self._api = api
        self._record = record

    # Proving --------------------------------------------------------------------------------------------------

    def verify(self, request: hitl.WebhookRequest) -> hitl.WebhookDelivery:
        """Prove a delivery. What names it is in the signed body; Zendesk's header with an id is not signed."""
        if TEST_SECRET in self._api.ctx.webhook_secrets:
            msg = "webhook_secret is the one Zendesk tests with, which everybody knows; set the webhook's own"
            raise hitl.WebhookVerificationError(msg)
        self._api.ctx.verify_signature(SIGNATURE, request)
        told = _told(request.body)
        kind = told.get("type")
        native = isinstance(kind, str) and kind.startswith(PREFIX)
        # Events of other families have ids of their own, such as a user's.
        detail = _mapping(told.get("detail")) if native and str(kind).startswith(f"{PREFIX}ticket.") else {}
        ticket = number(detail.get("id") if native else told.get("ticket_id", told.get("ticketId")))
        external, account = detail.get("external_id"), number(told.get("account_id"))
        name = told.get("id")
        return hitl.WebhookDelivery.of(
            request,
            id=name if isinstance(name, str) and name else None,
            session_ids=(ticket,) if ticket else (),
            external_ids=(external,) if isinstance(external, str) and external else (),
            account=account if native else None,
        )

    # Reading --------------------------------------------------------------------------------------------------

    async def parse(self, request: hitl.ParseWebhook) -> hitl.Parsed:
        """Say what a delivery means.

        :raises WebhookParseError: it is neither an event of Zendesk's nor from a trigger of ours.
        """
        told = _told(request.delivery.body)
        kind = told.get("type")
        try:
            if isinstance(kind, str) and kind.startswith(PREFIX):
                return hitl.Parsed(events=tuple(await self._event(kind.removeprefix(PREFIX), told, request)))
            ticket = number(told.get("ticket_id", told.get("ticketId")))
            if ticket is not None:
                return hitl.Parsed(events=(self._hint(ticket, told, request),))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            msg = "the delivery is signed by Zendesk, but its event is not in the documented form"
            raise hitl.WebhookParseError(msg) from error
        msg = "the delivery is signed by Zendesk, but holds neither one of its events nor the id of a ticket"
        raise hitl.WebhookParseError(msg)

    def _hint(self, ticket: str, told: Mapping[str, Any], request: hitl.ParseWebhook) -> Any:
        """Take a trigger's word for the ticket alone: what it could quote is for people, and may break its own JSON."""
        session = hitl.SessionRef(connection=self._api.ctx.key, id=ticket)
        event_id = f"changed:{request.delivery.id}"
        if not request.is_ours(ticket):
            return hitl.Ignored(event_id=event_id, reason=hitl.IgnoredReason.NOT_OURS, session=session, raw=dict(told))
        return hitl.SessionChanged(event_id=event_id, session=session, raw=dict(told))

    async def _event(self, kind: str, told: Mapping[str, Any], request: hitl.ParseWebhook) -> list[Any]:
        family, _, name = kind.partition(".")
        detail = _mapping(told.get("detail"))
        event_id = f"event:{told.get('id') or request.delivery.id}"
        at = moment(told.get("time"))
        ticket = number(detail.get("id")) if family == "ticket" else None
        if ticket is None:
            return [hitl.UnknownEvent(kind=kind, event_id=event_id, occurred_at=at, raw=told)]
        session = hitl.SessionRef(connection=self._api.ctx.key, id=ticket)
        common = {"event_id": event_id, "occurred_at": at, "session": session, "raw": told}
        if not request.is_ours(ticket):
            return [hitl.Ignored(reason=hitl.IgnoredReason.NOT_OURS, **common)]
        known = (request.known or {}).get(ticket)
        own = known.own_message_ids if known else frozenset()
        customers = customers_of(detail, known.session if known else None)
        facts = Facts(self._api.ctx.key, ticket, await self._api.my_id(), own, customers=customers)
        if name in _ENDS:
            said = await self._until_now(facts, known) if name == "merged" else []
            return [*said, hitl.SessionStopped(reason=_ENDS[name], **common)]
        if name in _IRRELEVANT or (name == "undeleted" and str(detail.get("status")).lower() in ENDED):
            return [hitl.Ignored(reason=hitl.IgnoredReason.IRRELEVANT, **common)]
        if name == "undeleted":
            return [hitl.SessionReopened(**common)]
        found = await self._fact(name, told, facts, known, event_id)
        return [hitl.UnknownEvent(kind=kind, **common)] if found is None else found

    async def _fact(
        self, name: str, told: Mapping[str, Any], facts: Facts, known: hitl.KnownSession | None, event_id: str
    ) -> list[Any] | None:
        """Return what an event means; ``None`` when it is of a kind we do not know."""
        detail, event, at = _mapping(told.get("detail")), _mapping(told.get("event")), moment(told.get("time"))
        updated = moment(detail.get("updated_at"))
        found: list[Any] | None = None
        match name:
            case "comment_added":
                found = await self._comment(facts, event["comment"], detail, updated or at, event_id)
            case "attachment_linked_to_comment":
                found = await self._file(facts, event["comment"], detail, updated or at, event_id)
            case "comment_made_private" | "comment_redacted" | "attachment_redacted_from_comment":
                found = [await self._taken_back(facts, name, event["comment"], told, event_id)]
            case "agent_assignment_changed":
                found = [await self._assigned(facts, event, detail)]
            case "status_changed":
                found = await self._status(facts, event, detail, known)
        return found

    async def _comment(
        self, facts: Facts, comment: Mapping[str, Any], detail: Mapping[str, Any], at: Any, event_id: str
    ) -> list[Any]:
        """The event has all of a comment but its files, and of its author the name; the rest is read once for each."""
        id_, author, public = str(comment["id"]), comment["author"], comment.get("is_public")
        if facts.ignored(id_, author, public=public is not False) is None:
            if number(detail.get("actor_id")) == facts.me:  # ours whoever is shown as the author
                facts = replace(facts, own=facts.own | {id_})
            elif not isinstance(public, bool):
                return [_to_read(facts, event_id, at)]
            else:
                author = {**author, **await self._person(number(author.get("id")))}
        return list(facts.comment(comment, author=author, at=at))

    async def _person(self, id_: str | None) -> Mapping[str, Any]:
        try:
            people = await self._api.people("parse_webhook", {id_} if id_ else ())
        except hitl.PermissionDeniedError:
            return {}  # what somebody said does not wait for the right to read more of them than their name
        return people.get(id_ or "", {})

    async def _file(
        self, facts: Facts, comment: Mapping[str, Any], detail: Mapping[str, Any], at: Any, event_id: str
    ) -> list[Any]:
        """A file comes without its comment's author; who made the update is all that is told."""
        id_, file = str(comment["id"]), comment["attachment"]
        actor = number(detail.get("actor_id"))
        common = {"occurred_at": at, "session": facts.session, "raw": comment}
        public = file.get("is_public", comment.get("is_public"))
        # The update is ours whoever is shown as the author, as when a customer's file was relayed by us.
        author: Mapping[str, Any] = {"id": actor}
        reason = facts.ignored(id_, author, public=public is not False)
        if reason is None and not isinstance(public, bool):
            return [_to_read(facts, event_id, at)]
        if reason is None:
            author = {"id": actor, **await self._person(actor)}
            reason = facts.ignored(id_, author)
        if reason is None:
            # The event says neither how large the file is nor whether it is harmful.
            path = f"attachments/{segment(str(file['id']))}"
            try:
                file = (await self._api.call("parse_webhook", "GET", path))["attachment"]
            except hitl.PermissionDeniedError:
                pass  # opening it will tell
            except hitl.NotFoundError:
                reason = hitl.IgnoredReason.IRRELEVANT  # taken out again
        if reason is not None:
            name = f"attachment:{file['id']}"
            return [hitl.Ignored(event_id=name, reason=reason, message_id=id_, **common)]
        return [facts.file(file, id_, agent_of(author), common)]

    async def _taken_back(
        self, facts: Facts, name: str, comment: Mapping[str, Any], told: Mapping[str, Any], event_id: str
    ) -> Any:
        """An agent made a comment private, or took words or files out of it."""
        id_ = str(comment["id"])
        private = name == "comment_made_private"
        common = {
            "event_id": f"comment:{id_}:private" if private else event_id,
            "occurred_at": moment(told.get("time")),
            "session": facts.session,
            "raw": told,
        }
        if id_ in facts.own:
            return hitl.Ignored(reason=hitl.IgnoredReason.ECHO, message_id=id_, **common)
        left = None if private else await self._record.comment(facts.ticket, id_)
        said = words(left.get("html_body") or "", left.get("plain_body") or "") if left else None
        if left is None or said is None:
            return hitl.AgentMessageDeleted(message_id=id_, **common)
        # Notes and customers' words are redacted like answers, and what is left of them is not the customer's to see.
        author: Mapping[str, Any] = {"id": number(left.get("author_id"))}
        public = bool(left.get("public", True))
        reason = facts.ignored(id_, author, public=public)
        if reason is None:
            author = {**author, **await self._person(author["id"])}
            reason = facts.ignored(id_, author, public=public)
        if reason is not None:
            return hitl.Ignored(reason=reason, message_id=id_, **common)
        return hitl.AgentMessageUpdated(message_id=id_, message=said, **common)

    async def _assigned(self, facts: Facts, event: Mapping[str, Any], detail: Mapping[str, Any]) -> Any:
        current = number(event.get("current"))
        updated = moment(detail.get("updated_at"))
        if current is None or current == facts.me:
            return facts.assigned(None if current is None else {"id": current}, updated=updated, raw=event)
        assignee = {"id": current, **await self._person(current)}
        return facts.assigned(assignee, updated=updated, raw=event)

    async def _status(
        self, facts: Facts, event: Mapping[str, Any], detail: Mapping[str, Any], known: hitl.KnownSession | None
    ) -> list[Any]:
        """An answer that also solves comes as two deliveries in any order, so what was said is read first (S236)."""
        told = facts.status(
            str(event["current"]),
            before=event.get("previous"),
            actor=number(detail.get("actor_id")),
            updated=moment(detail.get("updated_at")),
            raw=event,
        )
        said = await self._until_now(facts, known) if told.kind == "session_stopped" else []
        return [*said, told]

    async def _until_now(self, facts: Facts, known: hitl.KnownSession | None) -> list[Any]:
        try:
            return await self._record.told_until_now(facts, known.cursor if known else None)
        except hitl.NotFoundError:
            return []  # gone with all that was in it


def _to_read(facts: Facts, event_id: str, at: Any) -> Any:
    """Return that the ticket is to be read: the event does not say whether customers may see what it tells."""
    return hitl.SessionChanged(event_id=event_id, occurred_at=at, session=facts.session)


def _told(body: bytes) -> dict[str, Any]:
    try:
        found = from_json(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
