"""The demo's own desk: in the demo's server, with the bot as one of its bots and Ada as its agent."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from starlette.applications import Starlette

from hitl_core import Connection, HitlError, NotConnectedError, SessionRef, StopReason
from hitl_core.bridge import Notice
from hitl_desk.demo.chat import BOT_NAME, Chat
from hitl_desk.demo.helpdesk import Account
from hitl_desk.events import translate
from hitl_desk.server import Desk, ServerSettings, create_agent, create_app, create_bot, create_login_link, tables
from hitl_desk.server.service.people import bot_by_token

__all__ = ["OwnDesk"]

logger = logging.getLogger(__name__)

_AGENT: Final = {"email": "ada@example.com", "name": "Ada"}
_LEFT_OVER: Final = "(The demo was restarted, so this customer's chat is gone.)"
_MOST_LEFT_OVERS: Final = 200


class OwnDesk:
    """A desk that keeps its data in a directory.

    :param base_url: where the demo's server is reached.
    :param data_dir: the same directory again finds everything again.
    """

    name = "desk"

    def __init__(self, base_url: str, data_dir: Path) -> None:
        self._base_url = base_url
        self._netloc = base_url.removeprefix("http://")
        settings = ServerSettings(data_dir=data_dir, public_url=base_url, allow_private_webhooks=(self._netloc,))
        self.app: Starlette = create_app(settings)
        self._desk: Desk = self.app.state.desk
        self._bot_id = ""

    async def prepare(self) -> None:
        """Open the database once."""
        async with self._desk.storage():
            pass

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Account]:
        """Connect the bot to the desk as any bot would be, over HTTP."""
        self._bot_id, token = await self._credentials()
        yield Account({"base_url": self._base_url, "token": token}, frozenset({self._netloc}))

    @asynccontextmanager
    async def attended(self, connection: Connection, chat: Chat, webhook_url: str) -> AsyncIterator[None]:
        """Register the webhook, and watch who is typing."""
        try:
            await connection.register_webhook(webhook_url)
            await self._close_left_overs(connection)
        except NotConnectedError as error:
            logger.warning("%s (%s/inbox/bots)", error, self._base_url)
        watching = asyncio.create_task(self._watch_typing(chat, connection))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def agents_page(self) -> tuple[str, str]:
        """Return a link to the inbox that signs in once."""
        agent = await create_agent(self._desk, **_AGENT)
        return "Agent inbox", await create_login_link(self._desk, agent["id"])

    async def close(self) -> None:
        """End the inbox's streams."""
        await self._desk.log.close()

    async def _credentials(self) -> tuple[str, str]:
        """Return the bot's id and token: those kept from the last time, while the desk knows them, else new ones."""
        path = self._desk.settings.data_dir / "demo-bot.json"
        try:
            token = str(json.loads(path.read_text())["token"])
        except (OSError, ValueError, KeyError, TypeError):
            token = ""
        async with self._desk.read() as conn:
            known = await bot_by_token(conn, token) if token else None
        if known is not None:
            return str(known.id), token
        bot, token = await create_bot(self._desk, BOT_NAME)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"id": bot["id"], "token": token}, file)
        return str(bot["id"]), token

    async def _close_left_overs(self, connection: Connection) -> None:
        """Close the tickets of an earlier run: its conversations were in memory, so nobody is behind them any more."""
        t = tables.tickets
        mine = sa.select(t.c.id).where(t.c.bot_id == self._bot_id, t.c.category != "closed").limit(_MOST_LEFT_OVERS)
        async with self._desk.read() as conn:
            found = [row.id for row in await conn.execute(mine)]
        for ticket_id in found:
            session = SessionRef(connection=connection.key, id=ticket_id)
            try:
                await connection.stop_hitl(session, StopReason.ERROR, message=_LEFT_OVER)
            except HitlError as error:
                logger.warning("a ticket of an earlier run stays open: %s", error)

    async def _watch_typing(self, chat: Chat, connection: Connection) -> None:
        """Show customers that an agent is typing.

        Typing is told on the desk's live stream only, never by webhook; this process has the stream's source at hand.
        """
        desk = self._desk
        with desk.log.hub.subscribe(self._bot_id, buffer=64) as subscription:
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
