"""The inbox, live: the event log's stream, with each event shown as the agent who reads it sees the ticket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.types import Receive, Scope, Send

from hitl_core.eventlog import sse_response
from hitl_desk.server.auth import Session, still_runs
from hitl_desk.server.problems import Problem
from hitl_desk.server.service import inbox
from hitl_desk.server.unit import INBOX

__all__ = ["inbox_stream"]


async def inbox_stream(session: Session, last_event_id: str | None, lens: inbox.Lens) -> Response:
    """Answer with `ticket`, `message`, `typing` and `counts` events; the agent is online while it is read.

    The log holds ids only. What they stand for is read when it is sent, so it is never stale, and a ticket that
    changed several times at once is sent once.

    :raises InvalidCursorError: when reading cannot go on behind ``last_event_id``.
    """
    stream = await sse_response(session.desk.log, INBOX, last_event_id)
    stream.body_iterator = _shown(session, stream.body_iterator, lens)
    return _InboxStream(session, stream)


class _InboxStream(Response):
    """A stream that ends with its session."""

    def __init__(self, session: Session, stream: Response) -> None:
        super().__init__()
        self._session = session
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        presence = self._session.desk.presence
        async with presence.ending(self._session.id, receive) as until, presence.at_inbox(self._session.agent.id):
            await self._stream(scope, until, send)


@dataclass(frozen=True, slots=True)
class _Block:
    """One block of the stream: an event when it has a type, else a comment, an id or a retry time."""

    text: str
    id: str | None
    type: str | None
    data: Any

    @classmethod
    def read(cls, text: str) -> _Block:
        fields = {
            name: value.removeprefix(" ") for name, _, value in (line.partition(":") for line in text.split("\n"))
        }
        data = json.loads(fields["data"]) if "data" in fields else None
        return cls(text, fields.get("id"), fields.get("event"), data)


async def _shown(session: Session, frames: AsyncIterable[Any], lens: inbox.Lens) -> AsyncIterator[bytes]:
    async for frame in frames:
        blocks = [_Block.read(text) for text in bytes(frame).decode().split("\n\n")[:-1]]
        if all(block.type is None for block in blocks):
            # Nothing for 15 seconds: time to see whether the session still runs.
            if blocks and blocks[0].text.startswith(":") and not await still_runs(session):
                return
            yield bytes(frame)
            continue
        async with session.desk.read() as conn:
            yield "".join([text async for text in _rendered(conn, session, blocks, lens)]).encode()


async def _rendered(
    conn: AsyncConnection, session: Session, blocks: list[_Block], lens: inbox.Lens
) -> AsyncIterator[str]:
    agent_id = session.agent.id
    newest = {block.data["data"]["ticket_id"]: block for block in blocks if block.type == "ticket"}
    for block in blocks:
        data: dict[str, Any] | None = None
        if block.type == "ticket":
            ticket_id = block.data["data"]["ticket_id"]
            if newest[ticket_id] is block:
                with suppress(Problem):  # the ticket is gone
                    data = {"ticket": await inbox.row(conn, agent_id, ticket_id)}
        elif block.type == "message":
            told = block.data["data"]
            with suppress(Problem):  # the message is gone
                message = await inbox.message(conn, told["message_id"], lens)
                data = {"ticket_id": told["ticket_id"], "message": message}
        elif block.type == "typing" and block.data.get("agent_id") != agent_id:
            data = {name: value for name, value in block.data.items() if name != "agent_id"}
        if data is not None:
            place = "" if block.id is None else f"id: {block.id}\n"
            yield f"{place}event: {block.type}\ndata: {json.dumps(data)}\n\n"
        elif block.id is not None:
            yield f"id: {block.id}\n\n"
    if newest:
        yield f"event: counts\ndata: {json.dumps(await inbox.counts(conn, agent_id))}\n\n"
