"""The provider of a helpdesk that is in another process, and the host whose channel is a file."""

import asyncio
import json
import os
import random
import time
from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from hitl_core import AccountProfile, calls, standard_webhooks
from hitl_core.connect import connect_class
from hitl_core.errors import AmbiguousOutcomeError, ProviderUnavailableError
from hitl_core.events import AgentAssigned, AgentMessage, SessionStopped, StopReason
from hitl_core.info import Capabilities, Limits, ProviderInfo, ProviderSettings
from hitl_core.messages import Text
from hitl_core.people import Agent, BotIdentity, ExternalUser
from hitl_core.sessions import HitlSession, SessionRef
from hitl_core.spec import hookimpl
from hitl_core.webhooks import Parsed, WebhookDelivery

SECRET = "whsec_" + "c2VjcmV0" * 4
BEA = Agent(id="a1", name="Bea")
SETTLED = 0.5
"""Seconds after which a look-up in the helpdesk shows what was written before."""

_NO_SEARCH = {"find_session": False, "find_message": False}
_NO_KEYS = {"idempotent": frozenset()}
_PLANS = {"keyed": _NO_SEARCH, "findable": _NO_KEYS, "blind": {**_NO_SEARCH, **_NO_KEYS}}


class ChaosSettings(ProviderSettings):
    """Which helpdesk, and what its plan includes."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    desk: Any = Field(repr=False)
    kind: str


class ChaosProvider:
    """Asks the helpdesk over a socket; a question without an answer may have taken effect."""

    info: ClassVar[ProviderInfo] = ProviderInfo(
        name="chaos",
        title="Chaos",
        settings=ChaosSettings,
        capabilities=Capabilities(
            find_session=True,
            find_message=True,
            idempotent=frozenset({"start_hitl", "send_message"}),
            placeholders=(),
        ),
        limits=Limits(settle_seconds=SETTLED),
        verified="simulator",
    )

    def __init__(self, ctx):
        self._ctx = ctx
        self._desk = ctx.settings.desk

    @hookimpl
    async def open(self):
        given = self.info.capabilities.model_copy(update=_PLANS[self._ctx.settings.kind])
        return AccountProfile(account="chaos", capabilities=given)

    @hookimpl
    async def check(self):
        return []

    @hookimpl
    async def identify(self):
        return BotIdentity(id="bot")

    @hookimpl
    async def create_user(self, request):
        return ExternalUser(id=f"user-{request.user.external_id}", name=request.user.name)

    @hookimpl
    async def start_hitl(self, request):
        ticket = await self._write("start", key=request.key, conversation=request.external_id)
        return self._started(ticket, request)

    @hookimpl
    async def send_message(self, request):
        ticket, text = request.session.ref.id, request.message.text
        return calls.SentMessage(ids=(await self._write("send", key=request.key, ticket=ticket, text=text),))

    @hookimpl
    async def stop_hitl(self, request):
        await self._write("stop", key=request.key, ticket=request.session.ref.id)

    @hookimpl
    async def find_session(self, request):
        ticket = await self._ask("find", key=request.request.key)
        return calls.Found(started=self._started(ticket, request.request)) if ticket else calls.Absent()

    @hookimpl
    async def find_message(self, request):
        id_ = await self._ask("find", key=request.request.key)
        return calls.Found(sent=calls.SentMessage(ids=(id_,))) if id_ else calls.Absent()

    @hookimpl
    def verify_webhook(self, request):
        verified = self._ctx.verify_signature(standard_webhooks.SCHEME, request)
        ticket = request.headers["x-ticket"]
        return WebhookDelivery.of(request, id=verified.id, session_ids=[ticket])

    @hookimpl
    async def parse_webhook(self, request):
        fact = json.loads(request.delivery.body)
        common = {
            "event_id": fact["id"],
            "session": SessionRef(connection=self._ctx.key, id=fact["ticket"]),
            "occurred_at": fact["at"],
            "agent": BEA,
        }
        match fact["kind"]:
            case "assigned":
                return Parsed(events=(AgentAssigned(**common),))
            case "message":
                message = Text(text=fact["text"])
                return Parsed(events=(AgentMessage(message_id=fact["id"], message=message, **common),))
            case _:
                return Parsed(events=(SessionStopped(reason=StopReason.AGENT_CLOSED, **common),))

    def _started(self, ticket, request):
        ref = SessionRef(connection=self._ctx.key, id=ticket)
        session = HitlSession(ref=ref, provider="chaos", user_id=request.user.id, external_id=request.external_id)
        return calls.StartedSession(session=session, relayed=len(request.relay))

    async def _write(self, what, **arguments):
        try:
            return await self._ask(what, **arguments)
        except ConnectionError:
            msg = "the helpdesk hung up"
            raise AmbiguousOutcomeError(msg) from None

    async def _ask(self, what, **arguments):
        answer = await self._desk.ask(what, by=os.getpid(), **arguments)
        match answer:
            case {"trouble": "before"}:
                msg = "the helpdesk is busy"
                raise ProviderUnavailableError(msg, status=503)
            case {"trouble": "after"}:
                msg = "the helpdesk stumbled"
                raise AmbiguousOutcomeError(msg, status=502)
            case {"id": id_}:
                return id_


def connect(desk, kind):
    """Return a connection to the helpdesk.

    :param desk: a client of its socket.
    :param kind: ``keyed``: it remembers keys; ``findable``: it can be searched; ``blind``: neither.
    """
    return connect_class(ChaosProvider, alias="chaos", desk=desk, kind=kind, webhook_secret=SECRET)


class FileHost:
    """Writes each call into a file, and takes a moment before and after it."""

    def __init__(self, path, longest=0.004):
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._longest = longest

    def close(self):
        """Close the file."""
        os.close(self._file)

    async def send(self, conversation_id, message, sender, *, key):
        await self._note(key, conversation_id, "send", message.text)

    async def resume(self, conversation_id, hand_back, *, key):
        said = [[entry.author.role, entry.message.text] for entry in hand_back.transcript]
        pending = [one.message_id for one in hand_back.pending]
        await self._note(key, conversation_id, "resume", hand_back.reason, transcript=said, pending=pending)

    async def notify(self, event, *, key):
        await self._note(key, event.conversation_id, "notify", event.event.kind)

    async def _note(self, key, conversation, kind, text, **more):
        await self._moment()
        row = {"key": key, "conversation": conversation, "kind": kind, "text": text, "at": time.time(), **more}
        # One write, so that rows of several processes do not mix; a row that was torn by a kill ends with the next.
        os.write(self._file, b"\n" + json.dumps({**row, "by": os.getpid()}).encode())
        await self._moment()

    async def _moment(self):
        if self._longest:
            await asyncio.sleep(random.uniform(0, self._longest))  # noqa: S311 - no secret
