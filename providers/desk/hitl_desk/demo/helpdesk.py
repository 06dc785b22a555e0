"""What the demo needs of a helpdesk. There are two: a desk of its own, and any vendor's simulator."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.applications import Starlette

from hitl_core import Connection
from hitl_desk.demo.chat import Chat

__all__ = ["Account", "Helpdesk"]


@dataclass(frozen=True, slots=True)
class Account:
    """The bot's account at a helpdesk.

    :param settings: those of the provider, secrets included.
    :param hosts: ``host:port`` of this machine that its files may be downloaded from.
    """

    settings: Mapping[str, Any] = field(repr=False)
    hosts: frozenset[str] = frozenset()


class Helpdesk(Protocol):
    """Where agents work, from the demo's start to its end. Called in this order, each once."""

    @property
    def name(self) -> str:
        """Name of the provider, and of its connection in the bridge."""

    @property
    def app(self) -> Starlette:
        """What the demo's server serves; the chat is mounted in it."""

    async def prepare(self) -> None:
        """Try what could fail while the server starts, where a user's mistake would become a traceback.

        :raises ConfigurationError: it cannot be used.
        """

    def opened(self) -> AbstractAsyncContextManager[Account]:
        """Be there for the bot; the server answers already."""

    def attended(self, connection: Connection, chat: Chat, webhook_url: str) -> AbstractAsyncContextManager[None]:
        """Let the bot hear of what agents do.

        :param webhook_url: where the demo takes in webhooks.
        """

    async def agents_page(self) -> tuple[str, str]:
        """Return what to call the page agents work on, and its address."""

    async def close(self) -> None:
        """End what a server that is about to stop would wait for."""
