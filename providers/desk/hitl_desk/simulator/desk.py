"""The simulator: what agents do goes through the desk's own service layer, what it tells through its own dispatcher."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from starlette.routing import BaseRoute, Mount

from hitl_core.people import Agent
from hitl_core.testing.simulator import SimEndpoint, SimFile, SimSession, Simulator, SimUser
from hitl_core.testing.simulator.base import ELSEWHERE
from hitl_desk.server import Desk, ServerSettings, answers, bodies, create_app, problems, tables
from hitl_desk.server.problems import Problem
from hitl_desk.server.service import attachments, customers, people, tickets
from hitl_desk.server.service.thread import Line, Thread, changing
from hitl_desk.simulator import seen
from hitl_desk.simulator.sending import NOTED_URL, SimSender

__all__ = ["SIM_TOKEN", "DeskSimulator"]

SIM_TOKEN: Final = "dbk_simulated-desk-not-a-real-token"  # noqa: S105  known to everybody, so worth nothing
"""The bot's token at every simulated desk."""

PUBLIC_URL: Final = "https://desk.example"
"""What the desk takes itself for: fixed, so that nothing it tells depends on the port."""

BOT_NAME: Final = "Simulated bot"
STRANGER: Final = "Somebody else"

_ENDPOINT: Final = "simulator"
_NEARBY: Final = ("localhost", "127.0.0.0/8", "::1")
_UNKNOWN: Final = "ticket.waved"
_STATUSES: Final = frozenset(HTTPStatus)
_CODES: Final = {
    401: "invalid_token",
    403: "bot_not_connected",
    422: "invalid_request",
    500: "internal_error",
    503: "database_unavailable",
}


class DeskSimulator(Simulator):
    """A desk with one bot, two agents and nothing else.

    :param data_dir: where it keeps its data, beginning with what an earlier simulator has left there, its webhook
        secret included; a temporary directory when left out.
    :param options: those of :class:`~hitl_core.testing.simulator.Simulator`. The clock must run by itself, as the
        machine's does: the desk has timers, and would race through them on one that jumps whenever somebody sleeps.
    """

    title: ClassVar[str] = "HITL Desk"
    made_up_names: ClassVar[tuple[str, ...]] = (BOT_NAME, STRANGER)

    def __init__(self, *, data_dir: Path | None = None, **options: Any) -> None:
        self._data_dir = data_dir
        self._app: Any = None
        self.bot_id = ""
        """The desk's id of the bot, once it runs."""
        self._inboxes = AsyncExitStack()
        self._elsewhere = itertools.count(1)
        super().__init__(**options)

    @property
    def desk(self) -> Desk:
        """The desk at work.

        :raises RuntimeError: the simulator is not running.
        """
        if self._app is None:
            msg = "the simulator is not running; enter `async with simulator.running():` first"
            raise RuntimeError(msg)
        desk: Desk = self._app.state.desk
        return desk

    def routes(self) -> Sequence[BaseRoute]:
        """Return the desk's application, which is made anew each time the simulator starts."""

        async def answer(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            await self._app(scope, receive, send)

        return [Mount("/", app=answer)]

    def settings(self, base_url: str) -> dict[str, Any]:
        """Return an account's settings."""
        return {"base_url": base_url, "token": SIM_TOKEN, "webhook_secret": self.secret}

    def serve_at(self, url: str) -> None:
        """Let links of tickets and files lead to this desk."""
        self.desk.settings = self.desk.settings.model_copy(update={"public_url": url})

    def error(self, status: int) -> tuple[dict[str, str], bytes]:
        """Return a problem document."""
        if status not in _STATUSES:
            return super().error(status)
        code = _CODES.get(status, HTTPStatus(status).name.lower())
        answer = problems.problem_response(status, code, "The simulator was told to answer this.")
        return {"content-type": problems.MEDIA_TYPE}, bytes(answer.body)

    def unknown_body(self) -> bytes:
        """Return an event of a type that does not exist."""
        event = {"id": "evt_new", "type": _UNKNOWN, "timestamp": "2026-01-05T12:00:00Z", "data": {}}
        return json.dumps(event, separators=(",", ":")).encode()

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Open the desk, with a bot, an endpoint for its webhooks, and agents at their inboxes."""
        async with AsyncExitStack() as stack:
            folder = self._data_dir or Path(stack.enter_context(TemporaryDirectory(prefix="hitl-desk-")))
            settings = ServerSettings(data_dir=folder, public_url=PUBLIC_URL, allow_private_webhooks=_NEARBY)
            app = create_app(settings, clock=self.clock, sender=SimSender(self))
            sa.event.listen(app.state.desk.engine.sync_engine, "connect", _in_haste)
            desk = await stack.enter_async_context(app.state.desk)
            self.bot_id = await self._set_up(desk)
            await stack.enter_async_context(self._inboxes)
            for agent in self.agents:
                await self._inboxes.enter_async_context(desk.presence.at_inbox(agent.id))
            # At the end nobody leaves one by one: the desk is closed under them.
            stack.push_async_callback(desk.log.close)
            self._app = app
            try:
                yield
            finally:
                self._app = None

    async def _set_up(self, desk: Desk) -> str:
        async with desk.read() as conn:
            known = await people.bot_by_token(conn, SIM_TOKEN)
        if known is not None:
            return str(known.id)
        async with desk.write() as unit:
            for agent in self.agents:
                email, name = agent.email or f"{agent.id}@desk.example", agent.name or agent.id
                await people.add_agent(unit, id=agent.id, email=email, name=name, avatar_url=agent.avatar_url)
            bot, _ = await people.add_bot(unit, BOT_NAME, token=SIM_TOKEN)
            await desk.webhooks.put(bot["id"], _ENDPOINT, url=NOTED_URL, secret=self.secret, conn=unit.conn)
        return str(bot["id"])

    # Seen by agents -------------------------------------------------------------------------------------------

    async def session(self, session_id: str) -> SimSession:
        """Return a ticket."""
        try:
            return await seen.session(self.desk, session_id, self.agents)
        except Problem as problem:
            raise KeyError(session_id) from problem

    async def sessions(self) -> list[SimSession]:
        """Return every ticket."""
        async with self.desk.read() as conn:
            ids = list(await conn.scalars(sa.select(tables.tickets.c.id).order_by(tables.tickets.c.number)))
        return [await self.session(ticket_id) for ticket_id in ids]

    async def users(self) -> list[SimUser]:
        """Return every customer."""
        return await seen.users(self.desk)

    async def endpoints(self) -> list[SimEndpoint]:
        """Return where the bot wants its webhooks."""
        return [
            SimEndpoint(id=each.id, url=each.url, enabled=each.status == "enabled")
            for each in await self.desk.webhooks.list(self.bot_id)
            if each.id != _ENDPOINT
        ]

    # Done by agents -------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _changing(self, session_id: str) -> AsyncIterator[Thread]:
        """Lock a ticket for changes.

        :raises KeyError: there is no such ticket, or message.
        :raises Problem: an agent could not do this at the desk either.
        """
        desk = self.desk
        try:
            async with desk.write() as unit, changing(unit, desk.settings, session_id) as thread:
                yield thread
        except Problem as problem:
            if problem.status_code == 404:
                raise KeyError(session_id) from problem
            raise

    async def reply(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Answer; an unassigned ticket becomes the agent's."""
        async with self._changing(session_id) as thread:
            await thread.reply(_answered(agent), _line(agent, text))

    async def attach(self, session_id: str, text: str, files: Sequence[SimFile], *, agent: Agent) -> None:
        """Answer with files."""
        ids = [await self._upload(file, agent) for file in files]
        async with self._changing(session_id) as thread:
            await thread.reply(_answered(agent), _line(agent, text, attached=ids))

    async def _upload(self, file: SimFile, agent: Agent) -> str:
        desk = self.desk
        upload = attachments.Upload(file.name, file.content_type, io.BytesIO(file.content))
        attachment_id, size, _ = await attachments.keep(desk.settings, upload)
        async with desk.write() as unit:
            await attachments.record(unit, attachment_id, upload, size, agent_id=agent.id)
        return attachment_id

    async def note(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Write a note."""
        async with self._changing(session_id) as thread:
            await thread.note(_line(agent, text, kind="note", visibility="internal"))

    async def assign(self, session_id: str, *, agent: Agent) -> None:
        """Take it."""
        async with self._changing(session_id) as thread:
            await thread.assign(_answered(agent), by=_answered(agent))

    async def unassign(self, session_id: str, *, agent: Agent) -> None:
        """Give it back."""
        async with self._changing(session_id) as thread:
            await thread.assign(None, by=_answered(agent))

    async def close(self, session_id: str, *, agent: Agent) -> None:
        """Close it; it can be reopened."""
        async with self._changing(session_id) as thread:
            await thread.close(_answered(agent), "agent_closed")

    async def reopen(self, session_id: str, *, agent: Agent) -> None:
        """Open it again."""
        async with self._changing(session_id) as thread:
            await thread.reopen(_answered(agent))

    async def edit(self, session_id: str, message_id: str, text: str, *, agent: Agent) -> None:
        """Change a message, which must be the agent's own."""
        async with self._changing(session_id) as thread:
            await thread.edit(_answered(agent), message_id, text)

    async def delete(self, session_id: str, message_id: str, *, agent: Agent) -> None:
        """Take a message back, which must be the agent's own."""
        async with self._changing(session_id) as thread:
            await thread.edit(_answered(agent), message_id, None)

    async def reply_and_close(self, session_id: str, text: str, *, agent: Agent) -> None:
        """Close it with a last word."""
        async with self._changing(session_id) as thread:
            await thread.reply(_answered(agent), _line(agent, text))
            await thread.close(_answered(agent), "agent_closed")

    async def agents_leave(self) -> None:
        """Let every agent close the inbox."""
        await self._inboxes.aclose()

    # Done by others -------------------------------------------------------------------------------------------

    async def open_elsewhere(self, text: str) -> str:
        """Open a ticket as another program does that has the same bot's token."""
        desk = self.desk
        author = bodies.PostedBy(role="customer", name=STRANGER)
        first = {"author": author, "message": {"type": "text", "text": text}}
        async with desk.write() as unit:
            customer, _ = await customers.put_customer(
                unit, self.bot_id, f"elsewhere-{next(self._elsewhere)}", bodies.CustomerFields(name=author.name)
            )
            body = bodies.CreateTicket.model_validate({"customer_id": customer.id, "messages": [first]})
            ticket = await tickets.open_ticket(unit, desk.settings, self.bot_id, body, key=None, cursor="")
        return ticket.id

    async def lose_endpoints(self) -> None:
        """Let another program with the bot's token delete them."""
        for endpoint in await self.endpoints():
            await self.desk.webhooks.delete(self.bot_id, endpoint.id)

    async def change_endpoints(self) -> None:
        """Let another program with the bot's token point them elsewhere."""
        for endpoint in await self.endpoints():
            await self.desk.webhooks.put(self.bot_id, endpoint.id, url=ELSEWHERE)

    async def ping(self) -> None:
        """Send the desk's test delivery."""
        await self.desk.webhooks.send_test(self.bot_id, _ENDPOINT)

    async def emit_unknown(self) -> None:
        """Tell of an event whose type does not exist."""
        desk = self.desk
        async with desk.write() as unit:
            await desk.log.append(unit.conn, stream=self.bot_id, type=_UNKNOWN, data={})
        desk.log.notify(self.bot_id)


def _in_haste(connection: Any, _: Any) -> None:
    """Wait for no disk: nothing here has to survive a power cut."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()


def _answered(agent: Agent) -> answers.Agent:
    return answers.Agent.model_validate(agent.model_dump())


def _line(agent: Agent, text: str, **more: Any) -> Line:
    content = {"type": "text", "text": text} if text.strip() else None
    return Line(source="agent", role="agent", author=agent.model_dump(), content=content, **more)
