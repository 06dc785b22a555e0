"""The provider ``zendesk``: HITL's hooks on Support tickets. Each hook is at home in a module of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import ClassVar, Final

import hitl_core as hitl
from hitl_core.http import segment
from hitl_zendesk.api import Api
from hitl_zendesk.checking import Checkup
from hitl_zendesk.comments import MAX_FILE, Comments
from hitl_zendesk.deliveries import Deliveries
from hitl_zendesk.record import Record
from hitl_zendesk.registration import Registration
from hitl_zendesk.settings import ZendeskOptions, ZendeskSettings
from hitl_zendesk.texts import MAX_TEXT
from hitl_zendesk.tickets import Tickets
from hitl_zendesk.users import Customers

__all__ = ["ZendeskProvider"]

_WITHHELD: Final = "Zendesk does not hand this file out to the agent these credentials act as"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class ZendeskProvider:
    """Tickets of Zendesk Support."""

    info: ClassVar[hitl.ProviderInfo] = hitl.ProviderInfo(
        name="zendesk",
        title="Zendesk",
        settings=ZendeskSettings,
        options=ZendeskOptions,
        capabilities=hitl.Capabilities(
            webhook_registration=True,
            find_session=True,
            find_message=True,
            pull=True,
            changes=True,
            open_attachment=True,
            transfer=True,
            message_types=frozenset({"text", "image", "audio", "video", "file", "bloc"}),
            attachments=True,
            internal_notes=True,
            reopen="asked",
            stop_message=True,
            bot_author=True,
            idempotent=frozenset({"start_hitl"}),
            placeholders=("{{", "{%"),
        ),
        limits=hitl.Limits(
            title=hitl.TextLimit(max=150),
            opening=MAX_TEXT,
            text=MAX_TEXT,
            attachment_bytes=MAX_FILE,
            updates=hitl.RateLimit(count=30, seconds=600),
            key_seconds=2 * 3600,
            settle_seconds=90,  # the export of what moved leaves out the newest minute
        ),
        terminology=hitl.Terminology(session="ticket", user="requester", start="create ticket", stop="solve"),
        intake=hitl.Intake(within_seconds=12, busy_status=503, busy_retry_after=10, retries=True),
        verified="simulator",
        api_version="v2",
    )

    def __init__(self, ctx: hitl.ProviderContext[ZendeskSettings]) -> None:
        self._ctx = ctx
        self._api = Api(ctx)
        self._customers = Customers(self._api)
        self._tickets = Tickets(self._api, self._customers)
        self._comments = Comments(self._api)
        self._record = Record(self._api)
        self._deliveries = Deliveries(self._api, self._record)
        self._registration = Registration(self._api)

    # The account ----------------------------------------------------------------------------------------------

    @hitl.hookimpl
    async def check(self, request: hitl.CheckAccount) -> list[hitl.CheckResult]:
        """Look at all that a hand-off needs."""
        return await Checkup(self._api, self._registration).run(request)

    @hitl.hookimpl
    async def identify(self) -> hitl.BotIdentity:
        """Ask who we are."""
        me = await self._api.me("identify")
        return hitl.BotIdentity(id=str(me["id"]), name=me.get("name"), data={"role": me["role"]})

    # Towards Zendesk ------------------------------------------------------------------------------------------

    @hitl.hookimpl
    async def create_user(self, request: hitl.CreateUser) -> hitl.ExternalUser:
        """Find or make the end user."""
        return await self._customers.put(request)

    @hitl.hookimpl(specname="start_hitl")
    async def open_ticket(self, request: hitl.StartHitl) -> hitl.StartedSession:
        """Open a ticket."""
        return await self._tickets.open(request)

    @hitl.hookimpl(specname="send_message")
    async def add_comment(self, request: hitl.SendMessage) -> hitl.SentMessage:
        """Add a comment."""
        return await self._comments.add(request)

    @hitl.hookimpl(specname="stop_hitl")
    async def solve_ticket(self, request: hitl.StopHitl) -> None:
        """Solve the ticket."""
        await self._tickets.end(request)

    @hitl.hookimpl
    async def transfer(self, request: hitl.Transfer) -> None:
        """Give the ticket to a group, an agent, or nobody."""
        await self._tickets.transfer(request)

    # Webhooks -------------------------------------------------------------------------------------------------

    @hitl.hookimpl
    def verify_webhook(self, request: hitl.WebhookRequest) -> hitl.WebhookDelivery:
        """Prove a delivery."""
        return self._deliveries.verify(request)

    @hitl.hookimpl
    async def parse_webhook(self, request: hitl.ParseWebhook) -> hitl.Parsed:
        """Say what a delivery means."""
        return await self._deliveries.parse(request)

    @hitl.hookimpl
    async def register_webhook(self, request: hitl.RegisterWebhook) -> hitl.WebhookRegistration:
        """Make the webhook, and triggers where they are to send."""
        return await self._registration.make(request)

    @hitl.hookimpl
    async def unregister_webhook(self, request: hitl.UnregisterWebhook) -> None:
        """Remove what registering made."""
        await self._registration.unmake(request)

    # The record -----------------------------------------------------------------------------------------------

    @hitl.hookimpl
    async def find_session(self, request: hitl.FindSession) -> hitl.Finding:
        """Look for the ticket of a start."""
        return await self._tickets.find(request)

    @hitl.hookimpl
    async def find_message(self, request: hitl.FindMessage) -> hitl.Finding:
        """Look for a comment."""
        return await self._comments.find(request)

    @hitl.hookimpl
    async def list_events(self, request: hitl.ListEvents) -> hitl.EventPage:
        """Read a ticket."""
        return await self._record.events(request)

    @hitl.hookimpl
    async def list_changes(self, request: hitl.ListChanges) -> hitl.ChangePage:
        """Say which tickets moved."""
        return await self._record.changes(request)

    @hitl.hookimpl
    async def open_attachment(self, request: hitl.OpenAttachment) -> hitl.AttachmentStream:
        """Open a file: where it lies on the account's own host with our credentials, elsewhere without."""
        path = f"attachments/{segment(request.ref.id)}"
        file = (await self._api.call("open_attachment", "GET", path))["attachment"]
        stack = AsyncExitStack()
        if file.get("malware_scan_result") == "malware_found":
            msg = "Zendesk found something harmful in this file and does not hand it out"
            raise hitl.PermissionDeniedError(msg, operation="open_attachment")
        url = str(file["content_url"])
        name, kind = file.get("file_name"), file.get("content_type")
        own = self._api.own_path(url)
        if own is not None:
            opened = self._api.site.stream(
                own, operation="open_attachment", max_bytes=request.max_bytes, accept=_REDIRECTS
            )
            answer = await stack.enter_async_context(opened)
            if answer.status not in _REDIRECTS:
                if _is_page(answer.headers.get("content-type"), kind):
                    await stack.aclose()
                    raise hitl.PermissionDeniedError(_WITHHELD, operation="open_attachment")
                return hitl.AttachmentStream(chunks=answer.chunks, close=stack.aclose, content_type=kind, name=name)
            await stack.aclose()
            url = answer.headers.get("location", "")
            if not url.startswith("https://") or self._api.own_path(url) is not None:  # such as the page to sign in
                raise hitl.PermissionDeniedError(_WITHHELD, operation="open_attachment")
        got = await self._ctx.fetch(url, max_bytes=request.max_bytes)
        if _is_page(got.content_type, kind):
            raise hitl.PermissionDeniedError(_WITHHELD, operation="open_attachment")
        return hitl.AttachmentStream(
            chunks=_once(got.content), close=stack.aclose, content_type=kind, name=name, size=len(got.content)
        )


def _is_page(found: str | None, kind: object) -> bool:
    """Whether a page came instead of a file: to sign in at, as on another brand's host or the company's own."""
    page = "text/html"
    return (found or "").lower().startswith(page) and not str(kind).lower().startswith(page)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
