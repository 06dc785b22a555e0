"""The demo from start to end: one server, the desk and the chat in it, and the bot that knows the desk by its API."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import RedirectResponse

from hitl_core import Connection, HitlError, NotConnectedError, SessionRef, StopReason, connect
from hitl_core.bridge import Bridge, Notice, Store
from hitl_core.clock import SystemClock
from hitl_core.listening import listen, url_of
from hitl_core.netguard import AddressPolicy
from hitl_desk.demo.app import create_chat_app
from hitl_desk.demo.chat import BOT_NAME, POLICY, Chat
from hitl_desk.demo.store import Conversations
from hitl_desk.events import translate
from hitl_desk.server import Desk, ServerSettings, create_agent, create_app, create_bot, create_login_link, tables
from hitl_desk.server.service.people import bot_by_token
from hitl_desk.server.serving import Server

__all__ = ["run_demo"]

logger = logging.getLogger(__name__)

_AGENT: Final = {"email": "ada@example.com", "name": "Ada"}
_LEFT_OVER: Final = "(The demo was restarted, so this customer's chat is gone.)"
_MOST_LEFT_OVERS: Final = 200


class _DemoServer(Server):
    """Ends the chat's streams together with the desk's: the server waits for open answers before it stops."""

    def __init__(self, app: Any, chat: Chat, up: Callable[[], None]) -> None:
        super().__init__(app, up=up)
        self._chat = chat
        self.asked_to_stop = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take in a signal."""
        super().handle_exit(sig, frame)
        self.asked_to_stop = True
        asyncio.get_running_loop().call_soon_threadsafe(self._chat.close)

    async def end(self, desk: Desk) -> None:
        """Stop as by a signal."""
        self.should_exit = True
        self._chat.close()
        await desk.log.close()


async def run_demo(
    host: str,
    port: int,
    data_dir: Path,
    announce: Callable[[str, str], None],
    *,
    stop: asyncio.Event | None = None,
) -> None:
    """Run the demo until SIGINT or SIGTERM.

    :param port: 0 for any free one.
    :param data_dir: where the desk keeps its data; the same directory again finds everything again.
    :param announce: called with the addresses of the chat and of the inbox, once both are there.
    :param stop: set to end it without a signal.
    :raises ConfigurationError: when the address or the directory cannot be used.
    """
    with listen(host, port) as listener:
        base_url = url_of(listener, host)
        netloc = base_url.removeprefix("http://")
        settings = ServerSettings(data_dir=data_dir, public_url=base_url, allow_private_webhooks=(netloc,))
        clock = SystemClock()
        chat = Chat(Conversations(clock), clock)
        app = create_app(settings)
        desk: Desk = app.state.desk
        # Before the server begins: an error here is one sentence, in its lifespan it would be a traceback.
        async with desk.storage():
            pass
        app.add_route("/chat", _to_chat)
        app.mount("/chat", create_chat_app(chat, base_url=lambda: base_url))
        up = asyncio.Event()
        server = _DemoServer(app, chat, up.set)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await _first(up.wait(), serving)
            if not serving.done():
                async with _bot(desk, chat, base_url, netloc):
                    agent = await create_agent(desk, **_AGENT)
                    announce(f"{base_url}/chat/", await create_login_link(desk, agent["id"]))
                    if stop is not None:
                        await _first(stop.wait(), serving)
                        await server.end(desk)
                    await serving
        except HitlError:
            if not server.asked_to_stop:  # else it is the bot that no longer reaches a desk which is closing
                raise
        finally:
            if not serving.done():
                serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
    serving.result()
    if not up.is_set() and not server.asked_to_stop:
        msg = "the demo's server did not start; what is written above says why"
        raise HitlError(msg)


async def _to_chat(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/chat/", 307)


async def _first(awaited: Any, task: asyncio.Task[None]) -> None:
    """Return when either is done."""
    waiting = asyncio.ensure_future(awaited)
    try:
        await asyncio.wait((waiting, task), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


@asynccontextmanager
async def _bot(desk: Desk, chat: Chat, base_url: str, netloc: str) -> AsyncIterator[None]:
    """Connect the bot to the desk as any bot would be, over HTTP, and let the bridge run."""
    bot_id, token = await _credentials(desk)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store(f"sqlite:///{desk.settings.data_dir / 'bridge.db'}"))
        connection = await stack.enter_async_context(
            connect(
                "desk",
                **store.account("desk"),
                base_url=base_url,
                token=token,
                waits="raise",
                downloads=AddressPolicy(allow=frozenset({netloc})),
            )
        )
        bridge = await stack.enter_async_context(
            Bridge({"desk": connection}, chat, store, POLICY, reconcile_seconds=30.0)
        )
        try:
            await connection.register_webhook(f"{base_url}/chat/webhooks/desk")
            await _close_left_overs(desk, connection, bot_id)
        except NotConnectedError as error:
            logger.warning("%s (%s/inbox/bots)", error, base_url)
        chat.bridge = bridge
        watching = asyncio.create_task(_watch_typing(desk, chat, connection, bot_id))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            chat.bridge = None
            await bridge.aclose(grace=0.2)


async def _credentials(desk: Desk) -> tuple[str, str]:
    """Return the bot's id and token: those kept from the last time, while the desk knows them, else new ones."""
    path = desk.settings.data_dir / "demo-bot.json"
    try:
        token = str(json.loads(path.read_text())["token"])
    except (OSError, ValueError, KeyError, TypeError):
        token = ""
    async with desk.read() as conn:
        known = await bot_by_token(conn, token) if token else None
    if known is not None:
        return str(known.id), token
    bot, token = await create_bot(desk, BOT_NAME)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"id": bot["id"], "token": token}, file)
    return str(bot["id"]), token


async def _close_left_overs(desk: Desk, connection: Connection, bot_id: str) -> None:
    """Close the tickets of an earlier run: its conversations were in memory, so nobody is behind them any more."""
    t = tables.tickets
    query = sa.select(t.c.id).where(t.c.bot_id == bot_id, t.c.category != "closed").limit(_MOST_LEFT_OVERS)
    async with desk.read() as conn:
        found = [row.id for row in await conn.execute(query)]
    for ticket_id in found:
        session = SessionRef(connection=connection.key, id=ticket_id)
        try:
            await connection.stop_hitl(session, StopReason.ERROR, message=_LEFT_OVER)
        except HitlError as error:
            logger.warning("a ticket of an earlier run stays open: %s", error)


async def _watch_typing(desk: Desk, chat: Chat, connection: Connection, bot_id: str) -> None:
    """Show customers that an agent is typing.

    Typing is told on the desk's live stream only, never by webhook; this process has the stream's source at hand.
    """
    with desk.log.hub.subscribe(bot_id, buffer=64) as subscription:
        while not desk.log.closed:
            subscription.clear()
            while subscription.transients:
                event = json.loads(subscription.transients.popleft().json)
                if event.get("type") != "agent.typing":
                    continue
                conversation_id = event["data"]["ticket"].get("external_id") or ""
                handoff = await chat.bridge.handoff(conversation_id) if chat.bridge else None
                if handoff is None or handoff.session is None or not handoff.open:
                    continue
                typing = translate({"id": "typing", **event}, connection=connection.key)
                notice = Notice(conversation_id=conversation_id, handoff_id=handoff.id, event=typing)
                await chat.notify(notice, key="typing")
            await subscription.wait(30.0)
