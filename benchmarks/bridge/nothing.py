"""A helpdesk and a host that do nothing at once: what is measured is what stands between them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from hitl_core import calls
from hitl_core.bridge.handoff.records import HandBack
from hitl_core.bridge.host import Notice
from hitl_core.connect import connect_class
from hitl_core.connection import Connection
from hitl_core.context import ProviderContext
from hitl_core.info import Capabilities, ProviderInfo, ProviderSettings
from hitl_core.messages import AnyMessage
from hitl_core.people import Author, BotIdentity, ExternalUser
from hitl_core.sessions import HitlSession, SessionRef
from hitl_core.spec import hookimpl
from hitl_core.webhooks import Parsed, ParseWebhook, WebhookDelivery, WebhookRequest

__all__ = ["Counter", "NullHost", "NullProvider", "connect_null"]


class Counter:
    """Counts what arrives at the vendor."""

    def __init__(self) -> None:
        self.sent = 0
        self.listener: Callable[[str], None] | None = None
        """Called with the key of each message."""
        self._target = 0
        self._reached = asyncio.Event()

    def count(self, key: str) -> None:
        """Take in one message."""
        self.sent += 1
        if self.listener is not None:
            self.listener(key)
        if self.sent == self._target:
            self._reached.set()

    def expect(self, more: int) -> None:
        """Begin to wait for so many more messages."""
        self._target = self.sent + more
        self._reached.clear()

    async def reached(self) -> None:
        """Return once they have arrived."""
        await self._reached.wait()


class NullSettings(ProviderSettings):
    """Who counts."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    counter: Counter = Field(repr=False)


class NullProvider:
    """Every required hook; none of them does anything."""

    info: ClassVar[ProviderInfo] = ProviderInfo(
        name="null",
        title="Null",
        settings=NullSettings,
        # Without placeholders and limits there is nothing to look for in a text.
        capabilities=Capabilities(idempotent=frozenset({"send_message"}), placeholders=()),
        verified="simulator",
    )

    def __init__(self, ctx: ProviderContext[NullSettings]) -> None:
        self._key = ctx.key
        self._counter = ctx.settings.counter
        self._numbers = itertools.count(1)

    @hookimpl
    async def check(self) -> list[calls.CheckResult]:
        """Nothing can be wrong."""
        return []

    @hookimpl
    async def identify(self) -> BotIdentity:
        """We are the bot."""
        return BotIdentity(id="bot")

    @hookimpl
    async def create_user(self, request: calls.CreateUser) -> ExternalUser:
        """Everybody is known."""
        return ExternalUser(id=f"user-{request.user.external_id}", name=request.user.name)

    @hookimpl
    async def start_hitl(self, request: calls.StartHitl) -> calls.StartedSession:
        """Name a session after its conversation."""
        session = SessionRef(connection=self._key, id=f"session-{request.external_id}")
        return calls.StartedSession(
            session=HitlSession(ref=session, provider="null", user_id=request.user.id, external_id=request.external_id),
            relayed=len(request.relay),
        )

    @hookimpl
    async def send_message(self, request: calls.SendMessage) -> calls.SentMessage:
        """Count it."""
        self._counter.count(request.key)
        return calls.SentMessage(ids=(f"message-{next(self._numbers)}",))

    @hookimpl
    async def stop_hitl(self, request: calls.StopHitl) -> None:
        """It is gone."""

    @hookimpl
    def verify_webhook(self, request: WebhookRequest) -> WebhookDelivery:
        """Believe it: what a signature costs is another figure."""
        headers = request.headers
        return WebhookDelivery.of(request, id=headers["webhook-id"], session_ids=(headers["webhook-session"],))

    @hookimpl
    async def parse_webhook(self, request: ParseWebhook) -> Parsed:
        """Nothing is said."""
        return Parsed(events=())


class NullHost:
    """The bot's side."""

    async def send(self, conversation_id: str, message: AnyMessage, sender: Author, *, key: str) -> None:
        """Show nothing."""

    async def resume(self, conversation_id: str, hand_back: HandBack, *, key: str) -> None:
        """Go on without a bot."""

    async def notify(self, event: Notice, *, key: str) -> None:
        """Hear nothing."""


def connect_null(counter: Counter, **more: Any) -> Connection:
    """Return a connection to nothing."""
    return connect_class(NullProvider, counter=counter, webhook_secret="whsec_none", **more)
