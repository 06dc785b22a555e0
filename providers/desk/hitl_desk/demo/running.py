"""The demo from start to end: one server with the chat in it, a helpdesk, and the bot that knows it by its provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse

from hitl_core import HitlError, connect
from hitl_core.bridge import Bridge, Store
from hitl_core.clock import SystemClock
from hitl_core.listening import listen, url_of
from hitl_core.netguard import AddressPolicy
from hitl_desk.demo.app import create_chat_app
from hitl_desk.demo.chat import POLICY, Chat
from hitl_desk.demo.helpdesk import Helpdesk
from hitl_desk.demo.store import Conversations
from hitl_desk.server.serving import Server

__all__ = ["run_demo"]


class _DemoServer(Server):
    """Ends the chat's streams together with the helpdesk's: the server waits for open answers before it stops."""

    def __init__(self, app: Any, chat: Chat, up: Callable[[], None]) -> None:
        super().__init__(app, up=up)
        self._chat = chat
        self.asked_to_stop = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take in a signal."""
        super().handle_exit(sig, frame)
        self.asked_to_stop = True
        asyncio.get_running_loop().call_soon_threadsafe(self._chat.close)

    async def end(self, helpdesk: Helpdesk) -> None:
        """Stop as by a signal."""
        self.should_exit = True
        self._chat.close()
        await helpdesk.close()


async def run_demo(
    host: str,
    port: int,
    data_dir: Path,
    make_helpdesk: Callable[[str], Helpdesk],
    announce: Callable[[str, tuple[str, str]], None],
    *,
    stop: asyncio.Event | None = None,
) -> None:
    """Run the demo until SIGINT or SIGTERM.

    :param port: 0 for any free one.
    :param data_dir: where the bridge keeps its data.
    :param make_helpdesk: given this server's URL.
    :param announce: called with the address of the chat, and name and address of the agents' page, once both are there.
    :param stop: set to end it without a signal.
    :raises ConfigurationError: when the address or the directory cannot be used.
    """
    with listen(host, port) as listener:
        base_url = url_of(listener, host)
        clock = SystemClock()
        chat = Chat(Conversations(clock), clock)
        helpdesk = make_helpdesk(base_url)
        # Before the server begins: an error here is one sentence, in its lifespan it would be a traceback.
        await helpdesk.prepare()
        app = helpdesk.app
        app.add_route("/chat", _to_chat)
        app.mount("/chat", create_chat_app(chat, base_url=lambda: base_url, connection=helpdesk.name))
        up = asyncio.Event()
        server = _DemoServer(app, chat, up.set)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await _first(up.wait(), serving)
            if not serving.done():
                async with _bot(helpdesk, chat, base_url, data_dir):
                    announce(f"{base_url}/chat/", await helpdesk.agents_page())
                    if stop is not None:
                        await _first(stop.wait(), serving)
                        await server.end(helpdesk)
                    await serving
        except HitlError:
            if not server.asked_to_stop:  # else it is the bot that no longer reaches a helpdesk which is closing
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
async def _bot(helpdesk: Helpdesk, chat: Chat, base_url: str, data_dir: Path) -> AsyncIterator[None]:
    """Connect the bot to the helpdesk by the provider's name, and let the bridge run."""
    name = helpdesk.name
    async with AsyncExitStack() as stack:
        account = await stack.enter_async_context(helpdesk.opened())
        store = await stack.enter_async_context(Store(f"sqlite:///{data_dir / 'bridge.db'}"))
        nearby = account.hosts | {base_url.removeprefix("http://")}
        connection = await stack.enter_async_context(
            connect(
                name,
                **store.account(name),
                **account.settings,
                waits="raise",
                downloads=AddressPolicy(allow=nearby),
            )
        )
        bridge = await stack.enter_async_context(
            Bridge({name: connection}, chat, store, POLICY, reconcile_seconds=30.0)
        )
        await stack.enter_async_context(helpdesk.attended(connection, chat, f"{base_url}/chat/webhooks/{name}"))
        chat.takes_reason = "reason" in connection.info.options.model_fields
        chat.bridge = bridge
        try:
            yield
        finally:
            chat.bridge = None
            await bridge.aclose(grace=0.2)
