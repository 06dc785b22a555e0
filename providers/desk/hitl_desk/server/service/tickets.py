"""Tickets and messages as bots open and read them; each bot has only its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_desk.server import answers, tables
from hitl_desk.server.bodies import CreateTicket, PostMessage
from hitl_desk.server.content import attachment_ids, composed, preview, stored, words
from hitl_desk.server.ids import new_id
from hitl_desk.server.problems import not_found
from hitl_desk.server.service import attachments
from hitl_desk.server.service.customers import require_customer
from hitl_desk.server.service.thread import Line, changing, ticket_url
from hitl_desk.server.settings import ServerSettings
from hitl_desk.server.unit import Unit

__all__ = [
    "find_tickets",
    "message",
    "messages",
    "open_ticket",
    "posted",
    "read_ticket",
    "require_ticket",
    "transcript",
]

_t = tables.tickets
_m = tables.messages
_c = tables.customers
_a = tables.agents

_WITH_PEOPLE = (
    sa.select(
        _t,
        _c.c.external_id.label("customer_external_id"),
        _c.c.name.label("customer_name"),
        _a.c.name.label("assignee_name"),
        _a.c.email.label("assignee_email"),
        _a.c.avatar_url.label("assignee_avatar_url"),
    )
    .join(_c, _c.c.id == _t.c.customer_id)
    .join(_a, _a.c.id == _t.c.assignee_id, isouter=True)
)

# An agent's note is internal and never the bot's; lines of the desk itself are for agents.
_FOR_BOTS = sa.or_(
    _m.c.source == "bot", sa.and_(_m.c.source == "agent", _m.c.visibility == "public", _m.c.kind == "message")
)


def posted(body: PostMessage) -> Line:
    """Return what a bot posts as a line of the thread."""
    content = stored(body.message)
    return Line(
        source="bot",
        role=body.author.role,
        kind="system" if body.author.role == "system" else "note" if body.visibility == "internal" else "message",
        visibility=body.visibility,
        author=body.author.model_dump(include={"id", "name", "avatar_url"}),
        content=content,
        attached=[*body.attachments, *attachment_ids(content)],
        client_ref=body.client_ref,
    )


async def open_ticket(
    unit: Unit, settings: ServerSettings, bot_id: str, body: CreateTicket, *, key: str | None, cursor: str
) -> answers.TicketCreated:
    """Open a ticket with its transcript and first messages.

    :param key: the idempotency key it is opened with, noted on it.
    :param cursor: of the bot's event log, from before.
    """
    customer = await require_customer(unit.conn, bot_id, body.customer_id)
    entries = [entry.model_dump(mode="json", exclude_none=True) for entry in body.transcript]
    last = entries[-1] if entries else None
    ticket_id = new_id("tkt")
    await unit.conn.execute(
        sa.insert(_t).values(
            id=ticket_id,
            bot_id=bot_id,
            customer_id=customer.id,
            external_id=body.external_id,
            created_with_key=key,
            title=body.title or f"Conversation with {customer.name or 'a customer'}",
            description=body.description or "",
            reason=body.reason,
            priority=body.priority,
            category="triage",
            tags=list(dict.fromkeys(body.tags)),
            metadata=body.metadata,
            created_at=unit.now,
            updated_at=unit.now,
            waiting_since=unit.now,
            message_seq=0,
            last_text=preview(words(last["message"])) if last else preview(body.description or ""),
            last_role=_role(last["author"]["role"]) if last else "bot",
            last_kind="message",
            last_at=unit.now,
        )
    )
    if entries:
        await unit.conn.execute(sa.insert(tables.transcripts).values(ticket_id=ticket_id, entries=entries))
        named = [attachment for entry in entries for attachment in attachment_ids(entry["message"])]
        await attachments.link(unit, named, ticket_id=ticket_id, message_id=None, bot_id=bot_id)
    unit.tell_inbox(ticket_id)
    first = []
    if body.messages:
        async with changing(unit, settings, ticket_id, bot_id=bot_id) as thread:
            first = [await thread.post(posted(each)) for each in body.messages]
    ticket = await read_ticket(unit.conn, settings, bot_id, ticket_id)
    shown = [await message(unit.conn, settings, message_id) for message_id in first]
    return answers.TicketCreated(**dict(ticket), cursor=cursor, messages=shown)


def _role(role: str) -> str:
    return "customer" if role == "user" else role


async def require_ticket(conn: AsyncConnection, bot_id: str, ticket_id: str) -> sa.Row[Any]:
    """Return a bot's ticket.

    :raises Problem: 404 when it has none of that id.
    """
    row = (await conn.execute(_WITH_PEOPLE.where(_t.c.id == ticket_id, _t.c.bot_id == bot_id))).one_or_none()
    if row is None:
        raise not_found("ticket")
    return row


async def read_ticket(conn: AsyncConnection, settings: ServerSettings, bot_id: str, ticket_id: str) -> answers.Ticket:
    """Return a bot's ticket as it sees it.

    :raises Problem: 404 when it has none of that id.
    """
    return _ticket(settings, (await require_ticket(conn, bot_id, ticket_id))._asdict())


async def find_tickets(
    conn: AsyncConnection, settings: ServerSettings, bot_id: str, external_id: str, limit: int
) -> list[answers.Ticket]:
    """Return a bot's tickets of one conversation, newest first."""
    query = (
        _WITH_PEOPLE.where(_t.c.bot_id == bot_id, _t.c.external_id == external_id)
        .order_by(_t.c.number.desc())
        .limit(limit)
    )
    return [_ticket(settings, row._asdict()) for row in await conn.execute(query)]


async def transcript(conn: AsyncConnection, ticket_id: str) -> list[Any]:
    """Return the conversation before the hand-off."""
    found = tables.transcripts
    entries = (await conn.execute(sa.select(found.c.entries).where(found.c.ticket_id == ticket_id))).scalar()
    return list(entries or ())


def _ticket(settings: ServerSettings, row: Mapping[str, Any]) -> answers.Ticket:
    assignee = None
    if row["assignee_id"] is not None:
        assignee = answers.Agent(
            id=row["assignee_id"],
            name=row["assignee_name"],
            email=row["assignee_email"],
            avatar_url=row["assignee_avatar_url"],
        )
    closed = None
    if row["closed_at"] is not None:
        closed = answers.TicketClosing(by=row["closed_by"], reason=row["close_reason"], at=row["closed_at"])
    customer = answers.TicketCustomer(
        id=row["customer_id"], external_id=row["customer_external_id"], name=row["customer_name"]
    )
    return answers.Ticket.model_validate(
        {
            **row,
            "customer": customer,
            "assignee": assignee,
            "closed": closed,
            "url": ticket_url(settings, row["id"]),
        }
    )


async def message(conn: AsyncConnection, settings: ServerSettings, message_id: str) -> answers.Message:
    """Return one message as bots see it."""
    row = (await conn.execute(sa.select(_m).where(_m.c.id == message_id))).one()
    files = await attachments.of_messages(conn, [message_id])
    return _message(settings, row._asdict(), files[message_id])


async def messages(
    conn: AsyncConnection,
    settings: ServerSettings,
    ticket_id: str,
    *,
    after: int,
    limit: int,
    client_ref: str | None,
) -> answers.MessagePage:
    """Return what a bot may see of a thread: public messages, and its own.

    :param after: place in the thread to start behind.
    :param client_ref: only those posted with it.
    """
    query = sa.select(_m).where(_m.c.ticket_id == ticket_id, _m.c.seq > after, _FOR_BOTS)
    if client_ref is not None:
        query = query.where(_m.c.client_ref == client_ref, _m.c.source == "bot")
    rows = (await conn.execute(query.order_by(_m.c.seq).limit(limit + 1))).all()
    shown = rows[:limit]
    files = await attachments.of_messages(conn, [row.id for row in shown])
    return answers.MessagePage(
        messages=[_message(settings, row._asdict(), files[row.id]) for row in shown],
        cursor=str(shown[-1].seq if shown else after),
        more=len(rows) > limit,
    )


def _message(settings: ServerSettings, row: Mapping[str, Any], attached: list[Mapping[str, Any]]) -> answers.Message:
    content = row["content"]
    if row["source"] == "agent" and not row["deleted"]:
        # As its event told it, files included.
        content = composed(row["content"], attached)
    author = answers.MessageAuthor(
        role=row["role"], id=row["author_id"], name=row["author_name"], avatar_url=row["author_avatar_url"]
    )
    return answers.Message.model_validate(
        {
            **row,
            "author": author,
            "client_ref": row["client_ref"] if row["source"] == "bot" else None,
            "message": content,
            "attachments": [] if row["deleted"] else [attachments.answer(settings, each) for each in attached],
        }
    )
