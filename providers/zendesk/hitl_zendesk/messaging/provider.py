"""The provider: HITL's hooks in the words of Sunshine Conversations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from hashlib import sha256
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic_core import from_json

import hitl_core as hitl
from hitl_core.signatures import SharedSecretScheme
from hitl_zendesk.messaging.api import SunshineApi
from hitl_zendesk.messaging.checking import Checker
from hitl_zendesk.messaging.events import Reader
from hitl_zendesk.messaging.marks import EXTERNAL, Marks, metadata_of
from hitl_zendesk.messaging.opening import Opening
from hitl_zendesk.messaging.outgoing import MAX_FILE, MAX_TEXT, Poster, author_of
from hitl_zendesk.messaging.people import settle_user
from hitl_zendesk.messaging.record import Cursor, has_control, read_page
from hitl_zendesk.messaging.registration import Registrar
from hitl_zendesk.messaging.searching import Searcher
from hitl_zendesk.messaging.settings import ZendeskMessagingOptions, ZendeskMessagingSettings

__all__ = ["SECRET", "ZendeskMessagingProvider"]

SECRET: Final = SharedSecretScheme("x-api-key")
"""How deliveries are proven: the webhook's secret in a header."""

_STOPS: Final = 4
"""How often control is looked at on the way to its release: refused, accepted, released, and once more."""
_PAGES: Final = 300
"""How many pages of a hundred messages a conversation can have."""


class ZendeskMessagingProvider:
    """Conversations of Sunshine Conversations, passed to Zendesk's agent workspace."""

    info: ClassVar[hitl.ProviderInfo] = hitl.ProviderInfo(
        name="zendesk-messaging",
        title="Zendesk messaging",
        settings=ZendeskMessagingSettings,
        options=ZendeskMessagingOptions,
        capabilities=hitl.Capabilities(
            webhook_registration=True,
            find_session=True,
            find_message=True,
            pull=True,
            open_attachment=True,
            message_types=frozenset({"text", "markdown", "image", "audio", "video", "file"}),
            attachments=True,
            reopen="never",
            bot_author=True,
            placeholders=(),
        ),
        limits=hitl.Limits(opening=MAX_TEXT, text=MAX_TEXT, attachment_bytes=MAX_FILE, attachments_per_message=1),
        terminology=hitl.Terminology(
            session="conversation", user="user", agent="agent", start="pass control", stop="release control"
        ),
        # Five attempts in a quarter of an hour; 400, 401, 403, 404 and 406 are not repeated.
        intake=hitl.Intake(within_seconds=20, busy_status=503, never=frozenset()),
        verified="simulator",
        api_version="v2",
    )

    def __init__(self, ctx: hitl.ProviderContext[ZendeskMessagingSettings]) -> None:
        self._ctx = ctx
        self._settings = ctx.settings
        self._marks = Marks(ctx.key)
        self._api = SunshineApi(ctx)
        self._poster = Poster(self._api, ctx)
        self._opening = Opening(self._api, self._poster, self._marks, ctx)
        self._reader = Reader(ctx.key, self._marks)
        self._registrar = Registrar(self._api, ctx.settings)
        self._searcher = Searcher(self._api, self._opening, self._marks)

    # The account ----------------------------------------------------------------------------------------------

    @hitl.hookimpl
    async def open(self) -> hitl.AccountProfile:
        """Name the app, which deliveries name too; nothing is asked."""
        return hitl.AccountProfile(account=self._settings.app_id)

    @hitl.hookimpl
    async def check(self, request: hitl.CheckAccount) -> list[hitl.CheckResult]:
        """Look at key, app, switchboard and webhook."""
        secrets = bool(self._ctx.webhook_secrets)
        checker = Checker(self._api, self._registrar, self._settings, secrets=secrets)
        return await checker.check(request.webhook_url)

    @hitl.hookimpl
    async def identify(self) -> hitl.BotIdentity:
        """Prove the key; our messages are the business's, which has no id: they are known by their metadata."""
        try:
            app = await self._api.app("identify")
        except hitl.PermissionDeniedError:
            await self._registrar.listed("identify", "me")  # the key is the integration's own
            return hitl.BotIdentity(id=self._settings.integration)
        name = app.get("displayName")
        return hitl.BotIdentity(id=self._settings.integration, name=name if isinstance(name, str) else None)

    # Customers and conversations ------------------------------------------------------------------------------

    @hitl.hookimpl
    async def create_user(self, request: hitl.CreateUser) -> hitl.ExternalUser:
        """Find the customer by our id, else create them."""
        return await settle_user(self._api, request)

    @hitl.hookimpl(specname="start_hitl")
    async def pass_control(self, request: hitl.StartHitl) -> hitl.StartedSession:
        """Take one step of a start; see :mod:`hitl_zendesk.messaging.opening`."""
        return await self._opening.step(request)

    @hitl.hookimpl(specname="send_message")
    async def post_message(self, request: hitl.SendMessage) -> hitl.SentMessage:
        """Add a message, while agents have the conversation: later ones would go to whatever bot answers first."""
        operation, session = "send_message", request.session
        conversation = await self._api.conversation(operation, session.id)
        if not has_control(conversation, self._settings.agent_workspace):
            msg = "the agents do not have this conversation any more, and nothing gives it back; start a new hand-off"
            raise hitl.SessionClosedError(msg, operation=operation)
        user_id = await self._participant(request) if request.author.role == hitl.Role.USER else None
        ids = await self._poster.post(
            operation,
            session.id,
            author=author_of(request.author, user_id),
            message=request.message,
            metadata=self._marks.of(request.key),
        )
        return hitl.SentMessage(ids=ids)

    async def _participant(self, request: hitl.SendMessage) -> str | None:
        """Return the customer of a conversation: the one who can write in it."""
        if request.session.user_id is not None:
            return request.session.user_id
        for found in await self._api.participants("send_message", request.session.id):
            return str(found["userId"])
        return request.author.id

    @hitl.hookimpl(specname="stop_hitl")
    async def release_control(self, request: hitl.StopHitl) -> None:
        """Release control, if it is the agents' or ours; whoever else has it by now keeps it (behaviour S256, S257).

        A key of our integration may release only what our integration holds, so that it first takes up the offer made
        at the start. A refusal may be the answer to a repeat of what was done already: what counts is who has control.
        """
        operation, id_ = "stop_hitl", request.session.id
        metadata = {**self._marks.of(request.key), "hitlReason": request.reason.value}
        ours, refused = self._settings.integration, None
        for _ in range(_STOPS):
            conversation = await self._api.conversation(operation, id_)
            if not self._is_held(conversation):
                return
            accepts = refused is not None and not has_control(conversation, ours)
            if refused is not None and accepts and not has_control(conversation, ours, pending=True):
                raise refused
            try:
                action = "acceptControl" if accepts else "releaseControl"
                await self._api.control(operation, action, id_, metadata=metadata)
            except hitl.PermissionDeniedError as error:
                refused = error
                continue
            if not accepts:
                return
        if refused is not None:
            raise refused

    def _is_held(self, conversation: Mapping[str, Any]) -> bool:
        held = (self._settings.agent_workspace, self._settings.integration)
        return any(has_control(conversation, integration) for integration in held)

    # Webhooks -------------------------------------------------------------------------------------------------

    @hitl.hookimpl
    def verify_webhook(self, request: hitl.WebhookRequest) -> hitl.WebhookDelivery:
        """Compare the secret; name every conversation of the batch (behaviour F25)."""
        self._ctx.verify_signature(SECRET, request)
        body = _object(request.body)
        events = body.get("events")
        named = [found for event in events if (found := _about(event))] if isinstance(events, list) else []
        ids = [id_ for id_, _ in named]
        conversations = [conversation for _, conversation in named]
        app = body.get("app")
        account = app.get("id") if isinstance(app, dict) else None
        return hitl.WebhookDelivery.of(
            request,
            id=_joined(ids) if named and all(ids) else None,
            session_ids=_distinct(conversation.get("id") for conversation in conversations),
            external_ids=_distinct(
                metadata.get(EXTERNAL)
                for conversation in conversations
                if self._marks.ours(metadata := metadata_of(conversation))
            ),
            account=account if isinstance(account, str) and account else None,
        )

    @hitl.hookimpl
    async def parse_webhook(self, request: hitl.ParseWebhook) -> hitl.Parsed:
        """Read a batch, event by event; who has a conversation is remembered in its cursor (behaviour R17)."""
        events = _object(request.delivery.body).get("events")
        if not isinstance(events, list):
            msg = "the delivery holds the secret, but no list of events of Sunshine Conversations v2"
            raise hitl.WebhookParseError(msg)
        places = {id_: Cursor.read(entry.cursor) for id_, entry in (request.known or {}).items()}
        told: dict[str, hitl.Event] = {}
        moved: dict[str, str] = {}
        for event in events:
            about = _about(event)
            session_id = about[1].get("id") if about else None
            place = places.get(session_id) if isinstance(session_id, str) else None
            for fact in self._reader.event(event, request, place.agent if place else None):
                told.setdefault(fact.event_id, fact)
                if isinstance(fact, hitl.AgentMessage) and fact.agent and place and fact.agent.id != place.agent:
                    place = places[fact.session.id] = place._replace(agent=fact.agent.id)
                    moved[fact.session.id] = place.written() or ""
        return hitl.Parsed(events=tuple(told.values()), cursors=moved)

    @hitl.hookimpl
    async def register_webhook(self, request: hitl.RegisterWebhook) -> hitl.WebhookRegistration:
        """Write our webhook."""
        return await self._registrar.register(request)

    @hitl.hookimpl
    async def unregister_webhook(self, request: hitl.UnregisterWebhook) -> None:
        """Remove it."""
        await self._registrar.unregister(request)

    # The vendor's record --------------------------------------------------------------------------------------

    @hitl.hookimpl
    async def find_session(self, request: hitl.FindSession) -> hitl.Finding:
        """Look a start up, or a step of it."""
        return await self._searcher.session(request)

    @hitl.hookimpl
    async def find_message(self, request: hitl.FindMessage) -> hitl.Finding:
        """Look a message up."""
        return await self._searcher.message(request)

    @hitl.hookimpl
    async def list_events(self, request: hitl.ListEvents) -> hitl.EventPage:
        """Read how a conversation stands, then its messages: nothing said before the end is missed."""
        conversation = await self._api.conversation("list_events", request.session.id)
        events, place, more, gap = await read_page(self._api, self._reader, request, pages=_PAGES)
        is_open = has_control(conversation, self._settings.agent_workspace)
        active = conversation.get("activeSwitchboardIntegration")
        status = active.get("name") if isinstance(active, dict) else None
        state = hitl.SessionState(
            open=is_open,
            final=not is_open,
            agent=hitl.Agent(id=place.agent) if place.agent else None,
            status=status if isinstance(status, str) else None,
        )
        return hitl.EventPage(events=events, state=state, cursor=place.written(), more=more, gap=gap)

    @hitl.hookimpl
    async def open_attachment(self, request: hitl.OpenAttachment) -> hitl.AttachmentStream:
        """Open a file of a message: as anybody may, or, where attachments are private, with our key on our own host."""
        url = request.ref.data.get("url")
        if not isinstance(url, str):
            msg = "this reference does not hold the file's address; pass on the one of the message"
            raise hitl.InvalidRequestError(msg)
        try:
            download = await self._ctx.fetch(url, max_bytes=request.max_bytes)
        except hitl.HitlError as error:
            status = getattr(error, "status", None)
            if status in {404, 410}:
                msg = "Zendesk does not have this file any more"
                raise hitl.NotFoundError(msg, status=status) from error
            if getattr(error, "reason", None) == "too_large" or not self._is_own(url):
                raise
            return await self._open_privately(url, request.max_bytes)
        return hitl.AttachmentStream(
            chunks=_at_once(download.content),
            close=_nothing,
            content_type=download.content_type,
            name=download.filename,
            size=download.size,
        )

    async def _open_privately(self, url: str, max_bytes: int) -> hitl.AttachmentStream:
        stack = AsyncExitStack()
        opened = self._api.http.stream(url, operation="open_attachment", max_bytes=max_bytes)
        answer = await stack.enter_async_context(opened)
        return hitl.AttachmentStream(
            chunks=answer.chunks, close=stack.aclose, content_type=answer.headers.get("content-type")
        )

    def _is_own(self, url: str) -> bool:
        own, other = urlsplit(self._settings.root), urlsplit(url)
        return (own.scheme, own.netloc) == (other.scheme, other.netloc)


def _object(body: bytes) -> dict[str, Any]:
    """Read a JSON object; empty for anything else."""
    try:
        found = from_json(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _about(event: Any) -> tuple[str, Mapping[str, Any]] | None:
    """Return the id of an event, and the conversation it is about; ``None`` when it names neither."""
    if not isinstance(event, dict):
        return None
    id_, payload = event.get("id"), event.get("payload")
    conversation = payload.get("conversation") if isinstance(payload, dict) else None
    named = conversation if isinstance(conversation, dict) else {}
    return (id_ if isinstance(id_, str) else "", named)


def _joined(ids: list[str]) -> str:
    """Return one id for a batch, the same when it is sent again."""
    return sha256("\n".join(ids).encode("utf-8", "surrogatepass")).hexdigest()


def _distinct(values: Any) -> list[str]:
    return list(dict.fromkeys(value for value in values if isinstance(value, str) and value))


async def _at_once(content: bytes) -> AsyncIterator[bytes]:
    if content:
        yield content


async def _nothing() -> None:
    """There is nothing to be closed: the file was read whole."""
