"""The provider of the made-up helpdesk: every hook, and credentials that rotate."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, ClassVar

from pydantic_core import from_json

import hitl_core as hitl
from hitl_core.http import FilePart, HttpResponse, VendorError, segment
from hitl_core.media import load_media
from hitl_core.relay import compose_opening
from hitl_core.rendering import message_lines
from hitl_core.testing.reference.auth import RotatingToken
from hitl_core.testing.reference.events import SIGNATURE, about, facts_of, state_of
from hitl_core.testing.reference.settings import ReferenceOptions, ReferenceSettings

__all__ = ["ReferenceProvider"]

_SHOWN = frozenset({"text", "image", "file"})


def _classify(response: HttpResponse) -> VendorError | None:
    try:
        code = response.json().get("error")
    except (hitl.ProviderError, AttributeError):
        return None
    if code == "ticket_closed":
        message = "the ticket is closed; send with reopen=True or start a new hand-off"
        return VendorError(code=code, message=message, error=hitl.SessionClosedError)
    return VendorError(code=code if isinstance(code, str) else None)


class ReferenceProvider:
    """Tickets of the made-up helpdesk."""

    info: ClassVar[hitl.ProviderInfo] = hitl.ProviderInfo(
        name="reference",
        title="Reference Helpdesk",
        settings=ReferenceSettings,
        options=ReferenceOptions,
        capabilities=hitl.Capabilities(
            webhook_registration=True,
            find_session=True,
            find_message=True,
            pull=True,
            changes=True,
            open_attachment=True,
            typing=True,
            availability=True,
            transfer=True,
            message_types=_SHOWN,
            attachments=True,
            internal_notes=True,
            reopen="asked",
            stop_message=True,
            bot_author=True,
            read_receipts=True,
            idempotent=frozenset({"start_hitl"}),
        ),
        limits=hitl.Limits(
            title=hitl.TextLimit(max=100),
            opening=hitl.TextLimit(max=2000),
            text=hitl.TextLimit(max=1000),
            attachment_bytes=100_000,
        ),
        terminology=hitl.Terminology(session="ticket", user="customer"),
        verified="simulator",
    )

    def __init__(self, ctx: hitl.ProviderContext[ReferenceSettings]) -> None:
        self._ctx = ctx
        base_url = ctx.settings.base_url
        token = RotatingToken(ctx, ctx.http.bind(base_url=base_url, classify=_classify))
        self._http = ctx.http.bind(base_url=base_url, auth=token, classify=_classify)

    async def _call(self, operation: str, method: str, path: str, **request: Any) -> Any:
        response = await self._http.request(method, path, operation=operation, **request)
        return response.json() if response.body else None

    # The account ----------------------------------------------------------------------------------------------

    @hitl.hookimpl
    async def open(self) -> hitl.AccountProfile:
        """Learn which account this is."""
        me = await self._call("open", "GET", "me")
        return hitl.AccountProfile(account=me["account"])

    @hitl.hookimpl
    async def check(self) -> list[hitl.CheckResult]:
        """Ask who we are."""
        try:
            me = await self._call("check", "GET", "me")
        except hitl.ProviderError as error:
            mend = "make a new refresh token and set it again"
            return [hitl.CheckResult(name="credentials", ok=False, detail=error.message, mend=mend)]
        return [hitl.CheckResult(name="credentials", ok=True, detail=f"as {me['name']}")]

    @hitl.hookimpl
    async def identify(self) -> hitl.BotIdentity:
        """Ask who we are."""
        me = await self._call("identify", "GET", "me")
        return hitl.BotIdentity(id=me["id"], name=me["name"])

    @hitl.hookimpl
    async def get_availability(self) -> hitl.Availability:
        """Ask who is there."""
        there = await self._call("get_availability", "GET", "availability")
        return hitl.Availability(available=there["available"], agents_online=there["agents"])

    # Customers and tickets ------------------------------------------------------------------------------------

    @hitl.hookimpl
    async def create_user(self, request: hitl.CreateUser) -> hitl.ExternalUser:
        """Find the customer by our id, else create them; whom somebody else has created meanwhile is taken as is."""
        user = request.user
        operation = "create_user"
        identity = user.external_id or (None if user.email else request.key)
        by = {"external_id": identity} if identity else {"email": user.email}
        found = (await self._call(operation, "GET", "customers", params=by))["customers"]
        if found:
            return _customer(found[0])
        fields = {"external_id": identity, "name": user.name, "email": user.email, "phone": user.phone}
        fields["locale"] = user.locale
        body = {name: value for name, value in fields.items() if value is not None}
        # Not repeatable as such, but searched for by its id before every try: a second try finds the first one's work.
        # A 409 names the customer somebody else has created meanwhile; none when the address is an agent's.
        made = await self._http.post("customers", operation=operation, json=body, accept={409}, repeatable=True)
        if made.status == 409 and "id" not in made.json():
            body = {name: value for name, value in body.items() if name != "email"}
            body["external_id"] = identity or request.key
            made = await self._http.post("customers", operation=operation, json=body, repeatable=True)
        return hitl.ExternalUser(id=made.json()["id"], name=user.name)

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request: hitl.StartHitl) -> hitl.StartedSession:
        """Open a ticket with as much of the history as its first message takes."""
        text, relayed = compose_opening(request.description, request.relay, self.info.limits.opening)
        body = {
            "title": request.title,
            "text": text or None,
            "customer_id": request.user.id,
            "external_id": request.external_id,
            **request.options,
        }
        ticket = await self._call(
            "start_hitl",
            "POST",
            "tickets",
            json={name: value for name, value in body.items() if value is not None},
            key=request.key,
        )
        return hitl.StartedSession(
            session=self._session(ticket), relayed=relayed, ids=tuple(ticket.get("messages", ())), cursor="0"
        )

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request: hitl.SendMessage) -> hitl.SentMessage:
        """Add a message; files are uploaded first."""
        body: dict[str, Any] = {
            "role": _role(request.author),
            "public": request.visibility == "public",
            "reopen": request.reopen,
        }
        if request.author.name:
            body["name"] = request.author.name
        body |= await self._content(request.message)
        path = f"tickets/{segment(request.session.id)}/messages"
        # The vendor knows no keys here, so the transport repeats this only where nothing can have been done.
        added = await self._call("send_message", "POST", path, json=body)
        return hitl.SentMessage(ids=(added["id"],), state=state_of(added["ticket"]))

    async def _content(self, message: hitl.Message) -> dict[str, Any]:
        if isinstance(message, hitl.Text):
            return {"text": message.text}
        if not isinstance(message, hitl.Image | hitl.File):
            msg = f"a {message.type} was planned, though it is not declared"
            raise hitl.UnsupportedError(msg)
        try:
            loaded = await load_media(message, self._ctx.fetch, max_bytes=self.info.limits.attachment_bytes)
        except hitl.InvalidRequestError:
            raise
        except hitl.HitlError:
            loaded = None  # it cannot be had from here: agents get its link
        if loaded is None:
            return {"text": "\n".join(message_lines(message))}
        part = FilePart(loaded.name, loaded.content, loaded.content_type)
        stored = await self._call("send_message", "POST", "files", files={"file": part}, repeatable=True)
        return {"text": message.title or "", "files": [stored["id"]]}

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request: hitl.StopHitl) -> None:
        """Close the ticket; closing twice changes nothing."""
        body = {"text": request.message} if request.message else {}
        path = f"tickets/{segment(request.session.id)}/close"
        await self._call("stop_hitl", "POST", path, json=body, repeatable=True)

    @hitl.hookimpl
    async def send_typing(self, request: hitl.SendTyping) -> None:
        """Show that the customer types."""
        path = f"tickets/{segment(request.session.id)}/typing"
        await self._call("send_typing", "POST", path, json={}, repeatable=True)

    @hitl.hookimpl
    async def transfer(self, request: hitl.Transfer) -> None:
        """Hand the ticket to somebody else."""
        path = f"tickets/{segment(request.session.id)}/assignee"
        body = {"agent": request.agent, "team": request.team}
        await self._call("transfer", "PUT", path, json=body, repeatable=True)

    # Webhooks -------------------------------------------------------------------------------------------------

    @hitl.hookimpl
    def verify_webhook(self, request: hitl.WebhookRequest) -> hitl.WebhookDelivery:
        """Check the signature over time, id and body."""
        verified = self._ctx.verify_signature(SIGNATURE, request)
        account, tickets, external = about(request.body)
        return hitl.WebhookDelivery.of(
            request,
            id=verified.id if verified else None,
            session_ids=tickets,
            external_ids=external,
            account=account,
        )

    @hitl.hookimpl
    async def parse_webhook(self, request: hitl.ParseWebhook) -> hitl.Parsed:
        """Read the events of a delivery."""
        me = (await self._ctx.identity()).id
        try:
            events = from_json(request.delivery.body)["events"]
            return hitl.Parsed(
                events=tuple(
                    fact for event in events for fact in facts_of(event, connection=self._ctx.key, me=me, known=request)
                )
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            msg = "the delivery is signed by the helpdesk, but holds no list of events"
            raise hitl.WebhookParseError(msg) from error

    @hitl.hookimpl
    async def register_webhook(self, request: hitl.RegisterWebhook) -> hitl.WebhookRegistration:
        """Write our webhook; the same one each time."""
        id_ = f"hitl-{self._ctx.alias}"
        path = f"webhooks/{segment(id_)}"
        made = await self._call("register_webhook", "PUT", path, json={"url": request.url}, repeatable=True)
        return hitl.WebhookRegistration.model_validate(
            {"url": request.url, "ids": {"webhook": id_}, "secrets": [made["secret"]]}
        )

    @hitl.hookimpl
    async def unregister_webhook(self, request: hitl.UnregisterWebhook) -> None:
        """Remove it."""
        path = f"webhooks/{segment(request.previous.ids['webhook'])}"
        try:
            await self._call("unregister_webhook", "DELETE", path, repeatable=True)
        except hitl.NotFoundError:
            return  # gone already

    # The helpdesk's record ------------------------------------------------------------------------------------

    @hitl.hookimpl
    async def find_session(self, request: hitl.FindSession) -> hitl.Finding:
        """Look for a ticket with our id that was opened since and is not accounted for."""
        start = request.request
        if start.external_id is None:
            return hitl.Inconclusive()
        found = await self._call("find_session", "GET", "tickets", params={"external_id": start.external_id})
        for ticket in found["tickets"]:
            recent = datetime.fromisoformat(ticket["created_at"]) >= request.sent_after
            if recent and ticket["id"] not in request.known_ids:
                relayed = compose_opening(start.description, start.relay, self.info.limits.opening)[1]
                return hitl.Found(
                    started=hitl.StartedSession(session=self._session(ticket), relayed=relayed, cursor="0")
                )
        return hitl.Absent()

    @hitl.hookimpl
    async def find_message(self, request: hitl.FindMessage) -> hitl.Finding:
        """Look for a message of ours with that text which is not accounted for."""
        part = request.request
        path = f"tickets/{segment(part.session.id)}/messages"
        found = await self._call("find_message", "GET", path)
        me = (await self._ctx.identity()).id
        wanted = part.message.text if isinstance(part.message, hitl.Text) else None
        if wanted is None:
            return hitl.Inconclusive()
        for message in found["messages"]:
            if message["id"] in request.known_ids or message["actor"]["id"] != me or message["text"] != wanted:
                continue
            if datetime.fromisoformat(message["at"]) >= request.sent_after:
                return hitl.Found(sent=hitl.SentMessage(ids=(message["id"],)))
        return hitl.Absent()

    @hitl.hookimpl
    async def list_events(self, request: hitl.ListEvents) -> hitl.EventPage:
        """Read a ticket's events and how it stands."""
        me = (await self._ctx.identity()).id
        path = f"tickets/{segment(request.session.id)}/events"
        params = {"after": request.cursor, "limit": request.limit}
        page = await self._call("list_events", "GET", path, params=params)
        own = request.own_message_ids
        events = tuple(
            fact for event in page["events"] for fact in facts_of(event, connection=self._ctx.key, me=me, own=own)
        )
        return hitl.EventPage(events=events, state=state_of(page["ticket"]), cursor=page["cursor"], more=page["more"])

    @hitl.hookimpl
    async def list_changes(self, request: hitl.ListChanges) -> hitl.ChangePage:
        """Read which tickets moved."""
        params = {"after": request.cursor, "limit": request.limit}
        page = await self._call("list_changes", "GET", "changes", params=params)
        moved = dict.fromkeys(event["ticket_id"] for event in page["events"])
        wanted = (id_ for id_ in moved if not request.sessions or id_ in request.sessions)
        refs = tuple(hitl.SessionRef(connection=self._ctx.key, id=id_) for id_ in wanted)
        return hitl.ChangePage(sessions=refs, cursor=page["cursor"], more=page["more"])

    @hitl.hookimpl
    async def open_attachment(self, request: hitl.OpenAttachment) -> hitl.AttachmentStream:
        """Open a file."""
        stack = AsyncExitStack()
        path = f"files/{segment(request.ref.id)}"
        opened = self._http.stream(path, operation="open_attachment", max_bytes=request.max_bytes)
        answer = await stack.enter_async_context(opened)
        return hitl.AttachmentStream(
            chunks=answer.chunks, close=stack.aclose, content_type=answer.headers.get("content-type")
        )

    def _session(self, ticket: Mapping[str, Any]) -> hitl.HitlSession:
        return hitl.HitlSession(
            ref=hitl.SessionRef(connection=self._ctx.key, id=ticket["id"]),
            provider=self.info.name,
            user_id=ticket["customer_id"],
            external_id=ticket["external_id"],
        )


def _customer(customer: Mapping[str, Any]) -> hitl.ExternalUser:
    return hitl.ExternalUser(id=customer["id"], name=customer.get("name"))


def _role(author: hitl.Author) -> str:
    return {"agent": "system"}.get(author.role, author.role.value)
