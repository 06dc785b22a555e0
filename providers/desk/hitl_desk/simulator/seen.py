"""What agents see at the desk, in the words of simulators."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.people import Agent
from hitl_core.testing.simulator import SimFile, SimMessage, SimSession, SimUser
from hitl_desk.server import Desk, tables
from hitl_desk.server.content import attachment_ids, words
from hitl_desk.server.service import inbox

__all__ = ["session", "users"]

_Role: TypeAlias = Literal["user", "bot", "agent", "system"]
_ROLES: Final[Mapping[str, _Role]] = {"customer": "user", "bot": "bot", "agent": "agent", "system": "system"}
_FACTS: Final = ("number", "category", "priority", "reason", "tags", "metadata", "close_reason")
_LINKS: Final = ("url", "image_url", "value")


async def session(desk: Desk, ticket_id: str, agents: Sequence[Agent]) -> SimSession:
    """Return a ticket as the inbox shows it: what it is about, the conversation before the hand-off, then the thread.

    :param agents: those that work here; the first one looks.
    :raises Problem: 404 when there is none.
    """
    async with desk.read() as conn:
        shown = await inbox.ticket(conn, agents[0].id, ticket_id, inbox.Lens("", desk.receipts))
        files = await _files(conn, desk, ticket_id)
    ticket, assignee = shown["ticket"], shown["ticket"]["assignee"]
    return SimSession(
        id=ticket["id"],
        title=ticket["title"],
        open=ticket["category"] != "closed",
        agent=next((agent for agent in agents if assignee and agent.id == assignee["id"]), None),
        user_id=ticket["customer"]["id"],
        external_id=ticket["external_id"],
        messages=(
            *_description(ticket),
            *(_entry(number, entry, files) for number, entry in enumerate(shown["transcript"])),
            *(_message(message, files) for message in shown["messages"] if not message["deleted"]),
        ),
        facts={name: ticket[name] for name in _FACTS if ticket[name] is not None},
    )


async def users(desk: Desk) -> list[SimUser]:
    """Return every customer, the oldest first."""
    c = tables.customers
    query = sa.select(c.c.id, c.c.external_id, c.c.name, c.c.email, c.c.phone).order_by(c.c.created_at, c.c.id)
    async with desk.read() as conn:
        return [SimUser.model_validate(row._asdict()) for row in await conn.execute(query)]


async def _files(conn: AsyncConnection, desk: Desk, ticket_id: str) -> dict[str, SimFile]:
    a = tables.attachments
    found = {}
    for row in await conn.execute(sa.select(a).where(a.c.ticket_id == ticket_id)):
        content = await asyncio.to_thread((desk.settings.attachments_dir / row.id).read_bytes)
        found[row.id] = SimFile(name=row.name, content_type=row.content_type, content=content)
    return found


# What a ticket is opened with is for agents; the desk hands it to nobody else.
def _description(ticket: Mapping[str, Any]) -> Iterator[SimMessage]:
    if text := ticket["description"]:
        yield SimMessage(id="description", role="bot", author=ticket["bot"]["name"], text=text, public=False)


def _entry(number: int, entry: Mapping[str, Any], files: Mapping[str, SimFile]) -> SimMessage:
    return SimMessage(
        id=f"transcript-{number}",
        role=_ROLES[entry["author"]["role"]],
        author=entry["author"]["name"],
        text=_text(entry["message"]),
        public=False,
        files=tuple(files[id_] for id_ in attachment_ids(entry["message"]) if id_ in files),
        at=entry["sent_at"],
    )


def _message(message: Mapping[str, Any], files: Mapping[str, SimFile]) -> SimMessage:
    ids = [*attachment_ids(message["message"]), *(each["id"] for each in message["attachments"])]
    return SimMessage(
        id=message["id"],
        role=_ROLES[message["author"]["role"]],
        author=message["author"]["name"],
        text=_text(message["message"]),
        public=message["kind"] == "message",
        files=tuple(files[id_] for id_ in ids if id_ in files),
        at=message["created_at"],
    )


def _text(content: Mapping[str, Any] | None) -> str:
    return "\n".join([words(content), *_links(content)]) if content else ""


def _links(value: Any) -> Iterator[str]:
    """Find where pictures, files and buttons lead: agents see them as such."""
    if isinstance(value, Mapping):
        links = (value.get(name) for name in _LINKS)
        yield from (link for link in links if isinstance(link, str) and link.startswith("http"))
        for each in value.values():
            yield from _links(each)
    elif isinstance(value, list):
        for each in value:
            yield from _links(each)
