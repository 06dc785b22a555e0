"""The inbox, live: the event log's stream, with each event shown as the agent who reads it sees the ticket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.eventlog import sse_response
from hitl_desk.server.auth import Session, still_runs
from hitl_desk.server.problems import Problem
from hitl_desk.server.service import inbox
from hitl_desk.server.streams import GuardedStream, while_let_in
from hitl_desk.server.unit import INBOX

__all__ = ["inbox_stream"]


async def inbox_stream(session: Session, last_event_id: str | None, lens: inbox.Lens) -> Response:
    """Answer with `ticket`, `message`, `typing` and `counts` events; the agent is online while it is read.

    The log holds ids only. What they stand for is read when it is sent, so it is never stale, and a ticket that
    changed several times at once is sent once.

    :raises InvalidCursorError: when reading cannot go on behind ``last_event_id``.
    """
    stream = await sse_response(session.desk.log, INBOX, last_event_id)
    desk = session.desk
    frames = while_let_in(stream.body_iterator, desk.clock, lambda: still_runs(session))
    stream.body_iterator = _shown(session, frames, lens)
    return GuardedStream(stream, desk.presence, session.id, around=lambda: desk.presence.at_inbox(session.agent.id))


@dataclass(frozen=True, slots=True)
class _Block:
    """One block of the stream: an event when it has a type, else a comment, an id or a retry time."""

    text: str
    id: str | None
    type: str | None
    data: Any

    @property
    def ticket_id(self) -> str:
        """The ticket an event is about."""
        return str(self.data["data"]["ticket_id"])

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
            yield bytes(frame)
            continue
        async with session.desk.read() as conn:
            yield "".join([text async for text in _rendered(conn, session, blocks, lens)]).encode()


async def _rendered(
    conn: AsyncConnection, session: Session, blocks: list[_Block], lens: inbox.Lens
) -> AsyncIterator[str]:
    agent_id = session.agent.id
    # What is in the log has an id; a message shown again because it was delivered changes nothing in its ticket.
    newest = {block.ticket_id: block for block in blocks if block.id is not None and block.type is not None}
    for block in blocks:
        shown: list[tuple[str, dict[str, Any]]] = []
        if block.type == "typing" and block.data.get("agent_id") != agent_id:
            shown.append(("typing", {name: value for name, value in block.data.items() if name != "agent_id"}))
        with suppress(Problem):  # it is gone
            if block.type == "message":
                message = await inbox.message(conn, block.data["data"]["message_id"], lens)
                shown.append(("message", {"ticket_id": block.ticket_id, "message": message}))
            if block.id is not None and block.type is not None and newest[block.ticket_id] is block:
                shown.append(("ticket", {"ticket": await inbox.row(conn, agent_id, block.ticket_id)}))
        lines = [f"event: {kind}\ndata: {json.dumps(data)}\n" for kind, data in shown]
        if block.id is not None:
            # With the last line it stands for, so that a connection that breaks before loses none of them.
            lines[-1:] = [f"id: {block.id}\n{''.join(lines[-1:])}"]
        for line in lines:
            yield f"{line}\n"
    if newest:
        yield f"event: counts\ndata: {json.dumps(await inbox.counts(conn, agent_id))}\n\n"
