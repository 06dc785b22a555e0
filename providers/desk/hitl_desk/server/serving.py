"""Serving a desk by uvicorn, from start to a clean end."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import uvicorn

from hitl_core.eventlog import DeliveryPolicy
from hitl_core.listening import listen, url_of
from hitl_desk.server.app import create_app
from hitl_desk.server.desk import Desk
from hitl_desk.server.settings import ServerSettings

__all__ = ["Server", "serve", "serving"]

_IMPATIENT: Final = 4.0
"""Seconds after which being asked again means: at once."""


class Server(uvicorn.Server):
    """A uvicorn server that says when it is up, and ends as any program that was asked to: quietly.

    :param app: the ASGI application.
    :param up: called once requests are answered.
    :param down: called first when the server ends, to end streams: uvicorn waits for them before the lifespan ends.
    """

    def __init__(
        self,
        app: Any,
        *,
        up: Callable[[], None] | None = None,
        down: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                # No access log: one-time links are in URLs.
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=2,
                lifespan="on",
            )
        )
        self._up = up
        self._asked_at: float | None = None
        self._down = down

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets=sockets)
        if self._up is not None and not self.should_exit:
            self._up()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams, then everything else."""
        if self._down is not None:
            await self._down()
        await super().shutdown(sockets=sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End; asked again soon after, go on ending: who starts us may pass on a Ctrl-C we had already ourselves."""
        now = time.monotonic()
        if self._asked_at is None or now - self._asked_at > _IMPATIENT:
            self._asked_at = now if self._asked_at is None else self._asked_at
            super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGINT and SIGTERM; uvicorn would raise them again at the end, and so exit with an error."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


async def serving(
    settings: ServerSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    up: Callable[[str, Desk], None] | None = None,
    policy: DeliveryPolicy | None = None,
) -> None:
    """Serve a desk until SIGINT or SIGTERM; open streams end at once, requests under way within two seconds.

    :param port: 0 for any free one.
    :param up: called with the desk's URL, and the desk, once it answers.
    :raises ConfigurationError: when the address, the data directory or the database cannot be used.
    """
    with listen(host, port) as listener:
        if settings.public_url is None:
            settings = settings.model_copy(update={"public_url": url_of(listener, host)})
        app = create_app(settings, policy=policy)
        desk: Desk = app.state.desk
        # Once before the server: an error here is one sentence, in its lifespan a traceback.
        async with desk.storage():
            pass

        def tell() -> None:
            if up is not None:
                up(settings.url, desk)

        await Server(app, up=tell, down=desk.log.close).serve(sockets=[listener])


def serve(
    settings: ServerSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    up: Callable[[str, Desk], None] | None = None,
    policy: DeliveryPolicy | None = None,
) -> None:
    """Serve a desk and block, as :func:`serving` does; Ctrl-C ends it and returns."""
    asyncio.run(serving(settings, host=host, port=port, up=up, policy=policy))
