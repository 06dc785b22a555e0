"""Any other helpdesk: its provider as it is installed, and its simulator in the vendor's place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from hitl_core import Connection
from hitl_core.testing.simulator import Simulator, serving
from hitl_desk.demo.chat import Chat
from hitl_desk.demo.helpdesk import Account

__all__ = ["SimulatedHelpdesk"]


class SimulatedHelpdesk:
    """A simulator on a free port of this machine, and of this machine alone: whoever reaches it can do anything.

    :param name: of an installed provider.
    :param simulator: what stands in for its vendor; on the machine's own clock, as everything else here is.
    """

    def __init__(self, name: str, simulator: Simulator) -> None:
        self.name = name
        self._simulator = simulator
        self._url = ""
        self.app = Starlette(routes=[Route("/", _to_chat)])

    async def prepare(self) -> None:
        """Do nothing: whatever fails does so in :meth:`opened`."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Account]:
        """Serve the simulator."""
        async with serving(self._simulator) as self._url:
            self._simulator.serve_at(self._url)
            yield Account(self._simulator.settings(self._url), frozenset({urlsplit(self._url).netloc}))

    @asynccontextmanager
    async def attended(self, connection: Connection, chat: Chat, webhook_url: str) -> AsyncIterator[None]:
        """Register the webhook; where that is done by hand at the vendor, do what the hand would."""
        del chat
        if connection.info.capabilities.webhook_registration:
            await connection.register_webhook(webhook_url)
        else:
            self._simulator.webhooks.subscribe("default", webhook_url, self._simulator.secret)
        yield

    async def agents_page(self) -> tuple[str, str]:
        """Return the page every simulator has."""
        return "Agent page", f"{self._url}/_sim/agent"

    async def close(self) -> None:
        """Do nothing: the simulator has a server of its own, which ends with :meth:`opened`."""


async def _to_chat(request: Request) -> RedirectResponse:
    """Lead to the only page on the demo's own port."""
    del request
    return RedirectResponse("chat/", 307)
