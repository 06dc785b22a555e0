"""A simulator on a port of this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from hitl_core._http import HttpRequest
from hitl_core._http.network import NetworkTransport
from hitl_core._http.transport import AnswerRefused, TransportFailure
from hitl_core.listening import listen, url_of

if TYPE_CHECKING:
    from hitl_core.testing.simulator.base import Simulator

__all__ = ["post_webhook", "serving"]


async def post_webhook(url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> int | None:
    """Deliver a webhook over the network; give the status, or ``None`` when there was no answer."""
    transport = NetworkTransport()
    try:
        lower = {name.lower(): value for name, value in headers.items()}
        answer = await transport.send(HttpRequest("POST", url, lower, body), timeout=seconds, max_bytes=1024 * 1024)
    except (TransportFailure, AnswerRefused):
        return None
    finally:
        await transport.aclose()
    return answer.status


def _dated(simulator: Simulator) -> Callable[..., Awaitable[None]]:
    """Let answers tell the simulator's own time, as they tell everything else by it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def dated(message: Any) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(simulator.clock.now(), usegmt=True).encode()
                message = {**message, "headers": [*message.get("headers", ()), (b"date", date)]}
            await send(message)

        await simulator(scope, receive, dated)

    return app


@asynccontextmanager
async def serving(
    simulator: Simulator, *, host: str = "127.0.0.1", port: int = 0, dispatching: bool = True
) -> AsyncIterator[str]:
    """Serve a simulator; give its base URL.

    :param port: 0 for any free one.
    :param dispatching: see :meth:`Simulator.running`.
    :raises ConfigurationError: the address cannot be used, see :func:`hitl_core.listening.listen`.
    """
    import uvicorn

    up, down = asyncio.Event(), asyncio.Event()

    class _Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if not self.should_exit:
                up.set()

        # The server's own loop and end take a tenth of a second each, whatever there is to wait for; test suites serve
        # hundreds of simulators.
        async def main_loop(self) -> None:
            ticking = asyncio.create_task(super().main_loop())
            await down.wait()
            ticking.cancel()
            await asyncio.wait((ticking,))

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            if self.server_state.connections or self.server_state.tasks:
                await super().shutdown(sockets=sockets)
            for server in self.servers:
                server.close()

        def capture_signals(self) -> Any:
            return nullcontext()  # whoever serves us decides what Ctrl-C means

    with listen(host, port) as listener:
        config = uvicorn.Config(
            _dated(simulator),
            log_config=None,
            access_log=False,
            lifespan="off",
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        async with simulator.running(dispatching=dispatching):
            task = asyncio.create_task(server.serve(sockets=[listener]))
            task.add_done_callback(lambda _: up.set())  # who waits must not wait for a server that has failed
            try:
                await up.wait()
                if task.done():
                    task.result()
                    msg = "the server of the simulator ended before it answered anything"
                    raise RuntimeError(msg)
                yield url_of(listener, host)
            finally:
                server.should_exit = True
                down.set()
                await task
