"""The simulator: Django answers the provider, and agents act by django-helpdesk's own functions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar
from unittest.mock import patch

from asgiref.sync import sync_to_async
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount
from starlette.types import Message, Receive, Scope, Send

from hitl_core import Agent
from hitl_core.testing.simulator import SimFile, SimSession, Simulator, SimUser
from hitl_django_helpdesk.events import UrlSecretScheme
from hitl_django_helpdesk.simulator import site
from hitl_django_helpdesk.simulator.staff import Office

__all__ = ["DjangoHelpdeskSimulator"]

_T = TypeVar("_T")


class DjangoHelpdeskSimulator(Simulator):
    """One django-helpdesk of this process; a new simulator begins with an empty one."""

    title: ClassVar[str] = "django-helpdesk"
    keeps_customers: ClassVar[bool] = False
    agents: ClassVar[tuple[Agent, ...]] = (Agent(id="2"), Agent(id="3"))
    teams: ClassVar[tuple[str, ...]] = ("1", "2")
    signs_body: ClassVar[bool] = False
    signs_time: ClassVar[bool] = False
    names_deliveries: ClassVar[bool] = False

    def __init__(self, **options: Any) -> None:
        self.office = Office()
        self._site = self.office.asgi()
        self._running: set[asyncio.Task[None]] = set()
        super().__init__(**options)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Empty the helpdesk, and give it our clock and our way of delivering."""
        import requests

        poster = SimpleNamespace(exceptions=requests.exceptions, post=self._post)
        with patch("django.utils.timezone.now", self.clock.now), patch("helpdesk.webhooks.requests", poster):
            await self._do(self.office.empty)
            yield
            await asyncio.gather(*self._running, return_exceptions=True)

    def _post(self, url: str, *, json: Mapping[str, Any], timeout: float) -> None:
        # What `requests` would send, to where the kit listens.
        self.webhooks.emit(_plain(json), session_id=str(json["ticket"]["id"]))

    def routes(self) -> Sequence[BaseRoute]:
        """Give every path to Django."""
        return [Mount("", self._django)]

    async def _django(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let Django answer to the end, also where the caller has gone: it tells so by errors in tasks of its own."""
        body = await Request(scope, receive).body()
        given = iter([{"type": "http.request", "body": body}])

        async def once() -> Message:
            for message in given:
                return message
            await asyncio.Event().wait()
            raise AssertionError

        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        task = asyncio.create_task(self._site(scope, once, keep))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.shield(task)
        for message in answer:
            await send(message)

    def settings(self, base_url: str) -> dict[str, Any]:
        """Return the bot's account."""
        return {"base_url": base_url, **site.BOT, "user_id": 1, "webhook_secret": self.secret}

    def sign(self, secret: str, body: bytes, *, id: str, at: datetime) -> Mapping[str, str]:
        """Return what the URL's secret becomes on the way."""
        return UrlSecretScheme().sign(secret)

    def unknown_body(self) -> bytes:
        """Return a delivery without a ticket: the helpdesk sends none such today."""
        return b'{"queue_slug": "support", "levitated": true}'

    async def _do(self, what: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        done: _T = await sync_to_async(self.office.call)(what, *args, **kwargs)
        return done

    # What can be seen

    async def session(self, session_id: str) -> SimSession:
        """Return a ticket."""
        return await self._do(self.office.session, session_id)

    async def sessions(self) -> list[SimSession]:
        """Return every ticket."""
        return await self._do(self.office.sessions)

    async def users(self) -> list[SimUser]:
        """Return whom tickets name."""
        return await self._do(self.office.users)

    # What agents do

    async def reply(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Write a public follow-up."""
        await self._do(self.office.update, session_id, agent.id, comment=text, public=True)

    async def note(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Write a private follow-up."""
        await self._do(self.office.update, session_id, agent.id, comment=text, public=False)

    async def attach(self, session_id: str, text: str, files: Sequence[SimFile], *, agent: Agent) -> None:
        """Write a public follow-up with files."""
        await self._do(self.office.update, session_id, agent.id, comment=text, public=True, uploads=files)

    async def assign(self, session_id: str, *, agent: Agent) -> None:
        """Make the agent the ticket's owner."""
        await self._do(self.office.update, session_id, agent.id, owner=int(agent.id))

    async def unassign(self, session_id: str, *, agent: Agent) -> None:
        """Take the owner away."""
        await self._do(self.office.update, session_id, agent.id, owner=0)

    async def close(self, session_id: str, *, agent: Agent) -> None:
        """Close the ticket."""
        await self._do(self.office.update, session_id, agent.id, new_status=4)

    async def reopen(self, session_id: str, *, agent: Agent) -> None:
        """Reopen the ticket."""
        await self._do(self.office.update, session_id, agent.id, new_status=2)

    async def reply_and_assign(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Do both by one form, which makes one follow-up."""
        await self._do(self.office.update, session_id, agent.id, comment=text, public=True, owner=int(agent.id))

    async def reply_and_close(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Do both by one form, which makes one follow-up."""
        await self._do(self.office.update, session_id, agent.id, comment=text, public=True, new_status=4)

    async def customer_writes(self, session_id: str, text: str) -> None:
        """Write by the public page of the ticket."""
        await self._do(self.office.update, session_id, None, comment=text, public=True)

    async def system_acts(self, session_id: str) -> None:
        """Let the escalation run."""
        await self._do(self.office.escalate, session_id)

    async def open_elsewhere(self, text: str) -> str:
        """Submit the public form."""
        return await self._do(self.office.submit, text)

    # What the kit does not ask for

    async def act(self, session_id: str, agent_id: str, **changes: Any) -> None:
        """Fill the form of a ticket's page with anything."""
        await self._do(self.office.update, session_id, agent_id, **changes)

    async def merge(self, session_id: str, into: str) -> None:
        """Merge a ticket into another."""
        await self._do(self.office.merge, session_id, into)

    async def drop_custom_fields(self) -> None:
        """Be a helpdesk nobody has set up for HITL."""
        await self._do(self.office.drop_custom_fields)


def _plain(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(value))
    return plain
