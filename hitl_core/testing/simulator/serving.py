"""A simulator on a port of this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from hitl_core._http import HttpRequest
from hitl_core._http.network import NetworkTransport
from hitl_core._http.transport import AnswerRefused, TransportFailure
from hitl_core.errors import ConfigurationError

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


@asynccontextmanager
async def serving(
    simulator: Simulator, *, host: str = "127.0.0.1", port: int = 0, dispatching: bool = True
) -> AsyncIterator[str]:
    """Serve a simulator; give its base URL.

    :param port: 0 for any free one.
    :param dispatching: see :meth:`Simulator.running`.
    :raises ConfigurationError: the address is taken.
    """
    import uvicorn

    up, down = asyncio.Event(), asyncio.Event()

    class _Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
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

    with _bound(host, port) as listener:
        config = uvicorn.Config(
            simulator, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        server = _Server(config)
        async with simulator.running(dispatching=dispatching):
            task = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                await up.wait()
                shown = f"[{host}]" if ":" in host else host
                yield f"http://{shown}:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True
                down.set()
                await task


@contextmanager
def _bound(host: str, port: int) -> Any:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small answers at once only on sockets that name their protocol.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
        except OSError as error:
            msg = f"cannot listen on {host} port {port} ({error.strerror or error}); name another with --host or --port"
            raise ConfigurationError(msg) from error
        yield listener
