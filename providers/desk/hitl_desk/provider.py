"""The provider: HITL's hooks in the words of the Desk Protocol."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from hashlib import sha256
from typing import Any, ClassVar

from pydantic_core import from_json

import hitl_core as hitl
from hitl_core import standard_webhooks
from hitl_core.http import BearerAuth, FilePart, segment
from hitl_core.media import load_media
from hitl_core.rendering import shorten
from hitl_desk.events import REASONS_TO_DESK, agent_of, session_id_of, translate
from hitl_desk.fitting import MAX_NAME, MAX_TEXT, customer_fields, transcript
from hitl_desk.refusals import classify
from hitl_desk.settings import DeskOptions, DeskSettings

__all__ = ["DeskProvider"]

_MEDIA = (hitl.Image, hitl.Audio, hitl.Video, hitl.File)


class DeskProvider:
    """Tickets of the desk."""

    info: ClassVar[hitl.ProviderInfo] = hitl.ProviderInfo(
        name="desk",
        title="HITL Desk",
        settings=DeskSettings,
        options=DeskOptions,
        capabilities=hitl.Capabilities(
            webhook_registration=True,
            find_session=True,
            find_message=True,
            pull=True,
            changes=True,
            open_attachment=True,
            typing=True,
            availability=True,
            message_types=frozenset(hitl.MESSAGE_TYPES),
            attachments=True,
            internal_notes=True,
            structured_history=True,
            reopen="asked",
            stop_message=True,
            bot_author=True,
            idempotent=frozenset({"create_user", "start_hitl", "send_message", "stop_hitl"}),
            placeholders=(),
        ),
        limits=hitl.Limits(
            title=hitl.TextLimit(max=255),
            opening=MAX_TEXT,
            key_seconds=24 * 3600,
            text=MAX_TEXT,
            attachment_bytes=20 * 1024 * 1024,
            attachments_per_message=20,
        ),
        terminology=hitl.Terminology(
            session="ticket", user="customer", agent="agent", start="open a ticket", stop="close the ticket"
        ),
        intake=hitl.Intake(within_seconds=20, busy_status=503, busy_retry_after=5, retries=True),
        verified="live",
    )

    def __init__(self, ctx: hitl.ProviderContext[DeskSettings]) -> None:
        self._ctx = ctx
        self._http = ctx.http.bind(
            base_url=ctx.settings.base_url,
            auth=BearerAuth(ctx.settings.token),
            key_header="Idempotency-Key",
            classify=classify,
        )

    async def _call(self, method: str, path: str, **request: Any) -> Any:
        """Call the desk and read its JSON."""
        response = await self._http.request(method, path, **request)
        return response.json() if response.body else None

    # The account ----------------------------------------------------------------------------------------------

    @hitl.hookimpl
    async def check(self) -> list[hitl.CheckResult]:
        """Reach the desk and ask who we are."""
        try:
            bot = await self._call("GET", "v1/bot", operation="check")
        except hitl.NotConnectedError as error:
            return [
                hitl.CheckResult(name="connected", ok=False, detail="the desk does not know this bot", mend=str(error))
            ]
        except hitl.AuthenticationError:
            mend = "make a new token with `hitl desk create-bot` and set HITL_DESK_TOKEN"
            return [hitl.CheckResult(name="token", ok=False, detail="the desk refuses the token", mend=mend)]
        except hitl.ProviderError as error:
            mend = f"is the desk running at {self._ctx.settings.base_url}?"
            return [hitl.CheckResult(name="reachable", ok=False, detail=error.message, mend=mend)]
        secrets = bool(self._ctx.webhook_secrets)
        return [
            hitl.CheckResult(name="reachable", ok=True, detail=self._ctx.settings.base_url),
            hitl.CheckResult(name="connected", ok=True, detail=f"as {bot['name']}"),
            hitl.CheckResult(
                name="webhooks",
                ok=True,
                detail="can be proven" if secrets else "none registered yet; events can be read by pull",
            ),
        ]

    @hitl.hookimpl
    async def identify(self) -> hitl.BotIdentity:
        """Ask who we are."""
        bot = await self._call("GET", "v1/bot", operation="identify")
        return hitl.BotIdentity(id=bot["id"], name=bot["name"])

    @hitl.hookimpl
    async def get_availability(self) -> hitl.Availability:
        """Ask who is there."""
        there = await self._call("GET", "v1/availability", operation="get_availability")
        return hitl.Availability(available=there["available"], agents_online=there.get("agents_online"))

    # Customers and tickets ------------------------------------------------------------------------------------

    @hitl.hookimpl(specname="create_user")
    async def put_customer(self, request: hitl.CreateUser) -> hitl.ExternalUser:
        """Write what is known of the customer; a name, and what is not given, stays as it is (behaviour F35)."""
        user, known = request.user, request.known
        if known is not None and not (user.external_id or user.email):
            return known  # there is nothing else to find them by
        customer = await self._call(
            "PUT",
            f"v1/customers/{segment(user.external_id or _id_of_mail(user.email) or request.key)}",
            operation="create_user",
            params={"rename": False},
            json=customer_fields(user),
            repeatable=True,
        )
        return hitl.ExternalUser(id=customer["id"], name=customer.get("name"))

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request: hitl.StartHitl) -> hitl.StartedSession:
        """Open a ticket with the whole history in it."""
        options = DeskOptions.model_validate(request.options)
        body = {
            "title": request.title,
            "description": request.description,
            "priority": options.priority or "medium",
            "customer_id": request.user.id,
            "external_id": request.external_id,
            "tags": list(options.tags),
            "metadata": options.metadata,
            "reason": options.reason,
            "transcript": transcript(request.relay),
        }
        ticket = await self._call(
            "POST",
            "v1/tickets",
            operation="start_hitl",
            json={name: value for name, value in body.items() if value is not None},
            key=request.key,
        )
        return hitl.StartedSession(
            session=self._session(ticket), relayed=len(request.relay), cursor=ticket.get("cursor")
        )

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request: hitl.SendMessage) -> hitl.SentMessage:
        """Add a message; files are uploaded first, so that agents see them rather than links (behaviour F17)."""
        message = await self._with_uploads(request.message)
        name = request.author.name
        added = await self._call(
            "POST",
            f"v1/tickets/{segment(request.session.id)}/messages",
            operation="send_message",
            json={
                "author": {"role": _role(request.author), "name": shorten(name, MAX_NAME) if name else None},
                "message": message.model_dump(mode="json", exclude_none=True),
                "visibility": request.visibility,
                "reopen": request.reopen,
                "client_ref": request.key,
            },
            key=request.key,
        )
        return hitl.SentMessage(ids=(added["id"],))

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request: hitl.StopHitl) -> None:
        """Close the ticket."""
        body: dict[str, Any] = {"reason": REASONS_TO_DESK.get(request.reason, "bot_resolved")}
        if request.message:
            body["text"] = request.message
        await self._call(
            "POST",
            f"v1/tickets/{segment(request.session.id)}/close",
            operation="stop_hitl",
            json=body,
            key=request.key,
        )

    @hitl.hookimpl
    async def send_typing(self, request: hitl.SendTyping) -> None:
        """Show agents that the customer is typing."""
        path = f"v1/tickets/{segment(request.session.id)}/typing"
        await self._call("POST", path, operation="send_typing", json={"typing": request.typing}, repeatable=True)

    async def _with_uploads(self, message: Any) -> Any:
        if isinstance(message, hitl.Bloc):
            items = [await self._with_uploads(item) for item in message.items]
            return message.model_copy(update={"items": tuple(items)})
        if not isinstance(message, _MEDIA):
            return message
        try:
            loaded = await load_media(message, self._ctx.fetch, max_bytes=self.info.limits.attachment_bytes)
        except hitl.InvalidRequestError:
            raise
        except hitl.HitlError:
            return message  # the file cannot be read from here: agents get its link
        if loaded is None:
            return message
        attachment = await self._call(
            "POST",
            "v1/attachments",
            operation="send_message",
            files={"file": FilePart(loaded.name, loaded.content, loaded.content_type)},
            repeatable=True,
        )
        update = {"ref": hitl.AttachmentRef(id=attachment["id"]), "url": None, "size": attachment["size"]}
        return message.model_copy(update=update | {"name": loaded.name, "content_type": loaded.content_type})

    # Webhooks -------------------------------------------------------------------------------------------------

    @hitl.hookimpl
    def verify_webhook(self, request: hitl.WebhookRequest) -> hitl.WebhookDelivery:
        """Standard Webhooks."""
        verified = self._ctx.verify_signature(standard_webhooks.SCHEME, request)
        try:
            session_id = session_id_of(from_json(request.body))
        except ValueError:
            session_id = None
        return hitl.WebhookDelivery.of(
            request,
            id=(verified.id if verified else None) or request.headers.get("webhook-id") or "unsigned",
            session_ids=(session_id,) if session_id else (),
        )

    @hitl.hookimpl
    async def parse_webhook(self, request: hitl.ParseWebhook) -> hitl.Parsed:
        """Read one event; a delivery of the desk holds exactly one."""
        try:
            event = from_json(request.delivery.body)
            event.setdefault("id", request.delivery.id)
            session_id = session_id_of(event)
            ours = session_id is None or request.is_ours(session_id)
            return hitl.Parsed(events=(translate(event, connection=self._ctx.key, ours=ours),))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            msg = "the delivery is signed by the desk, but its body is no event of the Desk Protocol v1"
            raise hitl.WebhookParseError(msg) from error

    @hitl.hookimpl(specname="register_webhook")
    async def put_endpoint(self, request: hitl.RegisterWebhook) -> hitl.WebhookRegistration:
        """Write the endpoint; the desk shows its secret once, when it is new or rotated."""
        previous = request.previous
        endpoint_id = (previous.ids.get("endpoint") if previous else None) or f"hitl-{self._ctx.alias}"
        path = f"v1/webhook-endpoints/{segment(endpoint_id)}"
        known = previous.secrets if previous else ()
        body = {"url": request.url, "rotate": not known}
        endpoint = await self._call("PUT", path, operation="register_webhook", json=body, repeatable=True)
        secrets = (endpoint["secret"],) if endpoint.get("secret") else tuple(s.get_secret_value() for s in known)
        return hitl.WebhookRegistration.model_validate(
            {"url": request.url, "ids": {"endpoint": endpoint_id}, "secrets": secrets}
        )

    @hitl.hookimpl(specname="unregister_webhook")
    async def delete_endpoint(self, request: hitl.UnregisterWebhook) -> None:
        """Delete the endpoint."""
        path = f"v1/webhook-endpoints/{segment(request.previous.ids['endpoint'])}"
        try:
            await self._call("DELETE", path, operation="unregister_webhook", repeatable=True)
        except hitl.NotFoundError:
            return  # gone already

    # The desk's record ----------------------------------------------------------------------------------------

    @hitl.hookimpl
    async def find_session(self, request: hitl.FindSession) -> hitl.Finding:
        """Look the ticket up by our id of the conversation."""
        start = request.request
        if start.external_id is None:
            return hitl.Inconclusive()
        page = await self._call(
            "GET", "v1/tickets", operation="find_session", params={"external_id": start.external_id}
        )
        for ticket in page["tickets"]:
            if ticket["id"] not in request.known_ids and ticket.get("created_with_key") in {start.key, None}:
                session = self._session(ticket)
                return hitl.Found(started=hitl.StartedSession(session=session, relayed=len(start.relay)))
        return hitl.Absent()

    @hitl.hookimpl
    async def find_message(self, request: hitl.FindMessage) -> hitl.Finding:
        """Look the message up by our reference on it."""
        part = request.request
        page = await self._call(
            "GET",
            f"v1/tickets/{segment(part.session.id)}/messages",
            operation="find_message",
            params={"client_ref": part.key},
        )
        ids = tuple(message["id"] for message in page["messages"] if message.get("client_ref") == part.key)
        return hitl.Found(sent=hitl.SentMessage(ids=ids)) if ids else hitl.Absent()

    @hitl.hookimpl
    async def list_events(self, request: hitl.ListEvents) -> hitl.EventPage:
        """Read a ticket's events, then how it stands."""
        page = await self._events(request.cursor, request.limit, request.wait, "list_events", request.session.id)
        ticket = await self._call("GET", f"v1/tickets/{segment(request.session.id)}", operation="list_events")
        state = hitl.SessionState(
            open=ticket["category"] != "closed",
            agent=agent_of(ticket.get("assignee")),
            status=ticket["category"],
            updated_at=ticket.get("updated_at"),
        )
        events = tuple(translate(event, connection=self._ctx.key) for event in page["events"])
        return hitl.EventPage(events=events, state=state, cursor=page["cursor"], more=page["more"])

    @hitl.hookimpl
    async def list_changes(self, request: hitl.ListChanges) -> hitl.ChangePage:
        """Read the account's events and say which tickets they are about."""
        page = await self._events(request.cursor, request.limit, request.wait, "list_changes", None)
        moved = dict.fromkeys(found for event in page["events"] if (found := session_id_of(event)))
        refs = (hitl.SessionRef(connection=self._ctx.key, id=id_) for id_ in moved)
        wanted = tuple(ref for ref in refs if not request.sessions or ref.id in request.sessions)
        return hitl.ChangePage(sessions=wanted, cursor=page["cursor"], more=page["more"])

    async def _events(self, after: str | None, limit: int, wait: float, operation: str, ticket: str | None) -> Any:
        params = {"after": after, "limit": limit, "wait": wait or None, "ticket": ticket}
        return await self._call(
            "GET", "v1/events", operation=operation, params=params, timeout=self._ctx.settings.timeout + wait
        )

    @hitl.hookimpl
    async def open_attachment(self, request: hitl.OpenAttachment) -> hitl.AttachmentStream:
        """Open a file of the desk."""
        path = f"v1/attachments/{segment(request.ref.id)}"
        stack = AsyncExitStack()
        opened = self._http.stream(path, operation="open_attachment", max_bytes=request.max_bytes)
        answer = await stack.enter_async_context(opened)
        return hitl.AttachmentStream(
            chunks=answer.chunks, close=stack.aclose, content_type=answer.headers.get("content-type")
        )

    def _session(self, ticket: Mapping[str, Any]) -> hitl.HitlSession:
        return hitl.HitlSession(
            ref=hitl.SessionRef(connection=self._ctx.key, id=ticket["id"]),
            provider="desk",
            url=ticket.get("url"),
            user_id=ticket["customer"]["id"],
            external_id=ticket.get("external_id"),
            data={"number": ticket["number"]},
        )


def _id_of_mail(email: str | None) -> str | None:
    """Return an id for a customer of whom only the e-mail address is known; URLs are logged, so it is none itself."""
    return f"mail-{sha256(email.strip().lower().encode('utf-8', 'surrogatepass')).hexdigest()[:32]}" if email else None


def _role(author: hitl.Author) -> str:
    """Return the desk's word for the author."""
    return {"user": "customer", "agent": "system"}.get(author.role, author.role.value)
