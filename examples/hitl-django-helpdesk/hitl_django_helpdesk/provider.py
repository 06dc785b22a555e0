"""The provider: what HITL asks for, in the words of django-helpdesk's API."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

import hitl_core as hitl
from hitl_core.http import BasicAuth, HttpResponse, VendorError, segment
from hitl_core.relay import compose_opening
from hitl_django_helpdesk.events import UrlSecretScheme, event_of, read_delivery, state_of, told_ticket
from hitl_django_helpdesk.settings import DjangoHelpdeskOptions, DjangoHelpdeskSettings
from hitl_django_helpdesk.texts import as_template, signed

__all__ = ["CUSTOM_FIELDS", "DjangoHelpdeskProvider"]

# Custom fields an administrator adds, all of them short texts that are not required: nothing else holds our ids.
CUSTOM_FIELDS = ("hitl_customer", "hitl_conversation", "hitl_start")

_PRIORITIES = {"low": 4, "medium": 3, "high": 2, "urgent": 1}
_SECRET = UrlSecretScheme()
_PAGES, _PAGE = 4, 25  # how far back a lost start is looked for; a page of tickets holds all their follow-ups


def _classify(response: HttpResponse) -> VendorError | None:
    """Name the fields Django REST framework refuses; its sentences quote people, and are in any language."""
    try:
        refused = response.json()
    except hitl.ProviderError:
        return None
    if response.status != 400 or not isinstance(refused, dict):
        return None
    known = {"queue", "title", "description", "submitter_email", "priority", "comment", "ticket", "assigned_to"}
    fields = ", ".join(sorted(known & refused.keys())) or "a field"
    return VendorError(code="invalid", message=f"the helpdesk refused {fields}; check the setting `queue`")


class DjangoHelpdeskProvider:
    """Tickets of a django-helpdesk: follow-ups out, follow-ups in."""

    info: ClassVar[hitl.ProviderInfo] = hitl.ProviderInfo(
        name="django-helpdesk",
        title="django-helpdesk",
        settings=DjangoHelpdeskSettings,
        options=DjangoHelpdeskOptions,
        capabilities=hitl.Capabilities(
            pull=True,
            find_session=True,
            find_message=True,
            open_attachment=True,
            internal_notes=True,
            transfer=True,
            bot_author=True,
            reopen="asked",
            placeholders=(),  # `as_template` keeps what people wrote to the letter
        ),
        limits=hitl.Limits(title=hitl.TextLimit(max=200), text=hitl.TextLimit(max=10_000)),
        terminology=hitl.Terminology(session="ticket", user="submitter", agent="staff member"),
        intake=hitl.Intake(within_seconds=3, retries=False),
        verified="live",
        api_version="2.6",
        docs="https://django-helpdesk.readthedocs.io/en/stable/api.html",
    )

    def __init__(self, ctx: hitl.ProviderContext[DjangoHelpdeskSettings]) -> None:
        self._ctx = ctx
        auth = BasicAuth(ctx.settings.username, ctx.settings.password)
        self._http = ctx.http.bind(base_url=ctx.settings.base_url, auth=auth, key_header=None, classify=_classify)

    # The account

    @hitl.hookimpl
    async def identify(self) -> hitl.BotIdentity:
        """Try the credentials; no call of the API tells whose they are, so the number is a setting."""
        answer = (await self._http.get("api/tickets/", operation="identify", params={"page_size": 1})).json()
        if not isinstance(answer, dict) or "results" not in answer:
            raise hitl.ProviderError("what answers is no django-helpdesk; check base_url")
        return hitl.BotIdentity(id=str(self._ctx.settings.user_id), name=self._ctx.settings.username)

    @hitl.hookimpl
    async def check(self) -> list[hitl.CheckResult]:
        """Try the credentials, and look for the custom fields and a webhook secret."""
        try:
            described = (await self._http.request("OPTIONS", "api/tickets/", operation="check")).json()
        except hitl.ProviderError as error:
            mend = "check base_url, username and password, make the user staff, and leave HELPDESK_API_ENABLED on"
            return [hitl.CheckResult(name="credentials", ok=False, detail=error.message, mend=mend)]
        results = [hitl.CheckResult(name="credentials", ok=True, detail=f"as {self._ctx.settings.username}")]
        there = described.get("actions", {}).get("POST", {}) if isinstance(described, dict) else {}
        missing = [name for name in CUSTOM_FIELDS if f"custom_{name}" not in there]
        add = f"add custom fields of type varchar, not required: {', '.join(missing)}" if missing else None
        results.append(hitl.CheckResult(name="custom fields", ok=not missing, mend=add))
        secret = bool(self._ctx.webhook_secrets)
        mend = "set webhook_secret, and HELPDESK_FOLLOWUP_WEBHOOK_URLS=https://hitl:SECRET@…; or read by pull alone"
        return [*results, hitl.CheckResult(name="webhook secret", ok=secret, mend=None if secret else mend)]

    # Customers

    @hitl.hookimpl
    async def create_user(self, request: hitl.CreateUser) -> hitl.ExternalUser:
        """Name the customer; the helpdesk keeps no customers, only an address on each ticket."""
        user = request.user
        id_ = user.external_id or (_digest(user.email) if user.email else request.key)
        return hitl.ExternalUser(id=id_, name=user.name, data={"email": user.email} if user.email else {})

    # Hand-offs

    @hitl.hookimpl
    async def start_hitl(self, request: hitl.StartHitl) -> hitl.StartedSession:
        """Open a ticket; its description, which it cannot do without, is its first follow-up."""
        options = DjangoHelpdeskOptions.model_validate(request.options)
        text, relayed = compose_opening(request.description, request.relay, self.info.limits.text)
        body = {
            "queue": options.queue or self._ctx.settings.queue,
            "title": request.title,
            "description": text or request.title,
            "submitter_email": request.user.data.get("email"),
            "priority": _PRIORITIES[options.priority or "medium"],
            "custom_hitl_customer": request.user.id,
            "custom_hitl_conversation": request.external_id,
            "custom_hitl_start": request.key,
        }
        given = {name: value for name, value in body.items() if value is not None}
        ticket = (await self._http.post("api/tickets/", operation="start_hitl", json=given)).json()
        return self._started(ticket, request, relayed)

    def _started(self, ticket: Mapping[str, Any], request: hitl.StartHitl, relayed: int) -> hitl.StartedSession:
        id_, followups = str(ticket["id"]), _in_order(ticket)
        base, warnings = self._ctx.settings.base_url, []
        writer = str(followups[0]["user"]) if followups else str(self._ctx.settings.user_id)
        if writer != str(self._ctx.settings.user_id):
            warnings.append(f"the helpdesk says that we are user {writer}; set user_id to it")
        if ticket.get("custom_hitl_start") is None:
            warnings.append("the custom fields of HITL are missing: a lost start cannot be looked up; see `hitl check`")
        session = hitl.HitlSession(
            ref=hitl.SessionRef(connection=self._ctx.key, id=id_),
            provider=self.info.name,
            url=f"{base.rstrip('/')}/tickets/{id_}/" if base.startswith("https://") else None,
            user_id=request.user.id,
            external_id=request.external_id,
            data={"writer": writer},  # who we are there, whatever user_id says: else we would answer ourselves
        )
        ids = tuple(str(followup["id"]) for followup in followups[:1])
        cursor = ids[0] if ids else None
        return hitl.StartedSession(session=session, relayed=relayed, ids=ids, cursor=cursor, warnings=tuple(warnings))

    async def _ticket(self, operation: str, id_: str) -> dict[str, Any]:
        ticket: dict[str, Any] = (await self._http.get(f"api/tickets/{segment(id_)}/", operation=operation)).json()
        return ticket

    async def _us(self, session: hitl.HitlSession) -> frozenset[str]:
        return frozenset({(await self._ctx.identity()).id, str(session.data.get("writer"))})

    @hitl.hookimpl
    async def stop_hitl(self, request: hitl.StopHitl) -> None:
        """Close the ticket if it is open: what an agent has resolved stays resolved."""
        ticket = await self._ticket("stop_hitl", request.session.id)
        if ticket["status"] in self._ctx.settings.open_statuses:
            await self._change("stop_hitl", request.session.id, status=self._ctx.settings.closed_status)

    async def _change(self, operation: str, id_: str, **fields: Any) -> None:
        # Setting a field twice does no harm; a PATCH tells no webhook, mails nobody and leaves no follow-up.
        await self._http.patch(f"api/tickets/{segment(id_)}/", operation=operation, json=fields, repeatable=True)

    @hitl.hookimpl
    async def transfer(self, request: hitl.Transfer) -> None:
        """Set queue and owner; nobody named means nobody has it."""
        fields: dict[str, Any] = {"assigned_to": int(request.agent) if request.agent else None}
        if request.team:
            fields["queue"] = int(request.team)
        await self._change("transfer", request.session.id, **fields)

    # Messages

    @hitl.hookimpl
    async def send_message(self, request: hitl.SendMessage) -> hitl.SentMessage:
        """Add a follow-up; the helpdesk would take one on a closed ticket, where nobody looks any more."""
        ticket = await self._ticket("send_message", request.session.id)
        is_open = ticket["status"] in self._ctx.settings.open_statuses
        if not is_open and not request.reopen:
            raise hitl.SessionClosedError("the ticket is closed; start a new hand-off, or send with reopen=True")
        body = {
            "ticket": ticket["id"],
            "title": "",  # any other would become the ticket's
            "comment": as_template(_comment(request)),
            "public": request.visibility == "public",
            "new_status": None if is_open else self._ctx.settings.reopened_status,
        }
        given = {name: value for name, value in body.items() if value is not None}
        added = (await self._http.post("api/followups/", operation="send_message", json=given)).json()
        return hitl.SentMessage(ids=(str(added["id"]),))

    # What comes back

    @hitl.hookimpl
    def verify_webhook(self, request: hitl.WebhookRequest) -> hitl.WebhookDelivery:
        """Prove the secret of the URL; only then look which ticket it is about."""
        self._ctx.verify_signature(_SECRET, request)
        ticket = told_ticket(read_delivery(request.body) or {})
        return hitl.WebhookDelivery.of(request, session_ids=[ticket] if ticket else [])

    @hitl.hookimpl
    async def parse_webhook(self, request: hitl.ParseWebhook) -> hitl.Parsed:
        """Take a delivery for a hint to look: a secret in a URL proves the sender, and nothing of the body."""
        told = read_delivery(request.delivery.body)
        if told is None:
            raise hitl.WebhookParseError("a delivery of the helpdesk is a JSON object, and this is none")
        common: dict[str, Any] = {"event_id": f"changed:{request.delivery.id}", "raw": told}
        ticket = told_ticket(told)
        if ticket is None:
            return hitl.Parsed(events=(hitl.UnknownEvent(kind="without a ticket", **common),))
        common["session"] = hitl.SessionRef(connection=self._ctx.key, id=ticket)
        if not request.is_ours(ticket):
            return hitl.Parsed(events=(hitl.Ignored(reason=hitl.IgnoredReason.NOT_OURS, **common),))
        return hitl.Parsed(events=(hitl.SessionChanged(**common),))

    @hitl.hookimpl
    async def list_events(self, request: hitl.ListEvents) -> hitl.EventPage:
        """Read the ticket, which comes with all its follow-ups: a cursor is the number of the last one seen."""
        ticket = await self._ticket("list_events", request.session.id)
        own, ref = frozenset(request.own_message_ids), request.session.ref
        me = await self._us(request.session)
        seen = int(request.cursor or 0)
        new = [followup for followup in _in_order(ticket) if followup["id"] > seen]
        page = new[: request.limit]
        return hitl.EventPage(
            events=tuple(event_of(followup, ref, me=me, own=own) for followup in page),
            state=state_of(ticket, connection=self._ctx.key, open_statuses=self._ctx.settings.open_statuses),
            cursor=str(page[-1]["id"]) if page else request.cursor,
            more=len(new) > len(page),
        )

    @hitl.hookimpl
    async def open_attachment(self, request: hitl.OpenAttachment) -> hitl.AttachmentStream:
        """Open a file; the API tells its address, which needs no credentials where the media are public."""
        path = f"api/followups-attachments/{segment(request.ref.id)}/"
        file = (await self._http.get(path, operation="open_attachment")).json()
        stack = AsyncExitStack()
        stream = self._http.stream(file["file"], operation="open_attachment", max_bytes=request.max_bytes)
        answer = await stack.enter_async_context(stream)
        return hitl.AttachmentStream(
            chunks=answer.chunks,
            close=stack.aclose,
            name=file["filename"] or None,
            content_type=file["mime_type"] or None,
            size=file["size"],
        )

    # Looking up what got no answer

    @hitl.hookimpl
    async def find_message(self, request: hitl.FindMessage) -> hitl.Finding:
        """Look for a follow-up of ours with these words that is not accounted for."""
        send, me = request.request, await self._us(request.request.session)
        ticket = await self._ticket("find_message", send.session.id)
        for followup in _in_order(ticket):
            same = (followup["comment"] or "").strip() == _comment(send).strip()
            ours = str(followup["user"]) in me and followup["public"] == (send.visibility == "public")
            if same and ours and _since(followup, request.sent_after) and str(followup["id"]) not in request.known_ids:
                return hitl.Found(sent=hitl.SentMessage(ids=(str(followup["id"]),)))
        return hitl.Absent()

    @hitl.hookimpl
    async def find_session(self, request: hitl.FindSession) -> hitl.Finding:
        """Look through the newest tickets for the key of the start; without the custom field it cannot be told."""
        start, page = request.request, "last"
        for earlier in range(1, _PAGES + 1):
            params: dict[str, str | int] = {"page": page, "page_size": _PAGE}
            found = (await self._http.get("api/tickets/", operation="find_session", params=params)).json()
            for ticket in reversed(found["results"]):
                if "custom_hitl_start" not in ticket:
                    return hitl.Inconclusive()
                first = _in_order(ticket)[:1]
                if first and not _since(first[0], request.sent_after):
                    return hitl.Absent()
                if ticket["custom_hitl_start"] == start.key and str(ticket["id"]) not in request.known_ids:
                    relayed = compose_opening(start.description, start.relay, self.info.limits.text)[1]
                    return hitl.Found(started=self._started(ticket, start, relayed))
            if found["previous"] is None:
                return hitl.Absent()
            page = str(-(-found["count"] // _PAGE) - earlier)
        return hitl.Inconclusive()


def _digest(email: str) -> str:
    # Ids are logged, addresses must not be.
    return f"mail-{sha256(email.strip().lower().encode()).hexdigest()[:20]}"


def _comment(request: hitl.SendMessage) -> str:
    assert isinstance(request.message, hitl.Text)  # noqa: S101 - the only type declared: the core lowers the others
    return signed(request.message.text, request.author)


def _in_order(ticket: Mapping[str, Any]) -> list[dict[str, Any]]:
    # By number, not by date as they come: a cursor must not be overtaken.
    return sorted(ticket["followup_set"], key=lambda followup: followup["id"])


def _since(followup: Mapping[str, Any], moment: datetime) -> bool:
    return datetime.fromisoformat(followup["date"]) >= moment
