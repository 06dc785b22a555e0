"""Tickets and messages as agents see them: lists with counts, the whole thread, and what each has not read yet."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.database import UtcDateTime, insert
from hitl_core.eventlog import InvalidCursorError
from hitl_desk.server import tables
from hitl_desk.server.content import attachment_ids, media_for, with_urls
from hitl_desk.server.ids import iso
from hitl_desk.server.problems import not_found
from hitl_desk.server.service import attachments
from hitl_desk.server.service.tickets import transcript
from hitl_desk.server.unit import Unit

__all__ = ["Lens", "View", "attachment_json", "counts", "mark_read", "message", "messages", "row", "rows", "ticket"]

View: TypeAlias = Literal["mine", "unassigned", "all", "closed"]

_t = tables.tickets
_m = tables.messages
_c = tables.customers
_a = tables.agents
_b = tables.bots
_r = tables.read_marks


@dataclass(frozen=True, slots=True)
class Lens:
    """Through what an agent looks.

    :param root: path the desk is mounted at, for links to files.
    :param delivered: ids of messages known to have reached their bot, beyond what the database says.
    """

    root: str
    delivered: Container[str]


_FAR: Final = datetime(9999, 1, 1, tzinfo=UTC)


def _rows(agent_id: str) -> sa.Select[Any]:
    unread = (
        sa.select(sa.func.count())
        .where(
            _m.c.ticket_id == _t.c.id,
            _m.c.seq > sa.func.coalesce(_r.c.seq, 0),
            _m.c.source == "bot",
            _m.c.kind == "message",
            ~_m.c.deleted,
        )
        .correlate(_t, _r)
        .scalar_subquery()
    )
    return (
        sa.select(
            _t,
            _c.c.name.label("customer_name"),
            _a.c.name.label("assignee_name"),
            _b.c.name.label("bot_name"),
            _r.c.seq.label("read_seq"),
            unread.label("unread"),
        )
        .join(_c, _c.c.id == _t.c.customer_id)
        .join(_b, _b.c.id == _t.c.bot_id)
        .join(_a, _a.c.id == _t.c.assignee_id, isouter=True)
        .join(_r, sa.and_(_r.c.ticket_id == _t.c.id, _r.c.agent_id == agent_id), isouter=True)
    )


def _row(found: Mapping[str, Any]) -> dict[str, Any]:
    last = None
    if found["last_at"] is not None:
        last = {
            "text": found["last_text"],
            "author_role": found["last_role"],
            "at": iso(found["last_at"]),
            "kind": found["last_kind"],
        }
    # A ticket the agent never opened is news, also when nothing was said since it came.
    news = found["read_seq"] is None and found["category"] != "closed"
    return {
        "id": found["id"],
        "number": found["number"],
        "title": found["title"],
        "priority": found["priority"],
        "category": found["category"],
        "customer": {"id": found["customer_id"], "name": found["customer_name"]},
        "assignee": {"id": found["assignee_id"], "name": found["assignee_name"]} if found["assignee_id"] else None,
        "bot": {"id": found["bot_id"], "name": found["bot_name"]},
        "last": last,
        "waiting_since": iso(found["waiting_since"]),
        "unread": max(found["unread"], 1) if news else found["unread"],
        "updated_at": iso(found["updated_at"]),
        "created_at": iso(found["created_at"]),
    }


def _in_view(view: View, agent_id: str) -> sa.ColumnElement[bool]:
    match view:
        case "mine":
            return sa.and_(_t.c.category != "closed", _t.c.assignee_id == agent_id)
        case "unassigned":
            return sa.and_(_t.c.category != "closed", _t.c.assignee_id.is_(None))
        case "all":
            return _t.c.category != "closed"
        case "closed":
            return _t.c.category == "closed"


async def rows(
    conn: AsyncConnection, agent_id: str, view: View, *, search: str, cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of a view: open ones waiting longest first, closed ones newest first.

    :param search: words, looked for in titles, customers, numbers and messages.
    :returns: rows, and the cursor of the next page when there is one.
    :raises InvalidCursorError: when the cursor is none of ours.
    """
    query = _rows(agent_id).where(_in_view(view, agent_id))
    if search.strip():
        query = query.where(_matches(search.strip()))
    moment = sa.literal(_FAR, UtcDateTime())
    key = _t.c.closed_at if view == "closed" else sa.func.coalesce(_t.c.waiting_since, moment, type_=UtcDateTime())
    if cursor is not None:
        at, number = _decode(cursor)
        then = sa.literal(at, UtcDateTime())
        if view == "closed":
            query = query.where(sa.or_(key < then, sa.and_(key == then, _t.c.number < number)))
        else:
            query = query.where(sa.or_(key > then, sa.and_(key == then, _t.c.number > number)))
    order = (key.desc(), _t.c.number.desc()) if view == "closed" else (key, _t.c.number)
    found = (await conn.execute(query.order_by(*order).limit(limit + 1))).all()
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        following = _encode((last.closed_at if view == "closed" else last.waiting_since) or _FAR, last.number)
    return [_row(each._asdict()) for each in found[:limit]], following


def _matches(search: str) -> sa.ColumnElement[bool]:
    pattern = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"

    def like(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        return column.ilike(pattern, escape="\\")

    said = sa.exists().where(_m.c.ticket_id == _t.c.id, ~_m.c.deleted, like(_m.c.text))
    anywhere = [like(_t.c.title), like(_c.c.name), like(_c.c.email), like(_c.c.external_id), said]
    number = search.removeprefix("#")
    if number.isascii() and number.isdecimal() and len(number) < 16:
        anywhere.append(_t.c.number == int(number))
    return sa.or_(*anywhere)


def _encode(at: datetime, number: int) -> str:
    return base64.urlsafe_b64encode(f"{at.astimezone(UTC).isoformat()}|{number}".encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, int]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        at, _, number = text.partition("|")
        moment, count = datetime.fromisoformat(at), int(number[:18])
    except (ValueError, binascii.Error):
        moment, count = None, 0
    if moment is None or moment.tzinfo is None:
        raise InvalidCursorError("this is not a cursor of the inbox; reload the list") from None
    return moment, count


async def counts(conn: AsyncConnection, agent_id: str) -> dict[str, int]:
    """Count the tickets of each view."""
    views: tuple[View, ...] = ("mine", "unassigned", "all", "closed")
    columns = [sa.func.count(sa.case((_in_view(view, agent_id), 1))).label(view) for view in views]
    found = (await conn.execute(sa.select(*columns))).one()
    return dict(found._asdict())


async def row(conn: AsyncConnection, agent_id: str, ticket_id: str) -> dict[str, Any]:
    """Return one ticket as a row of the list.

    :raises Problem: 404 when there is none.
    """
    return _row(await _one(conn, agent_id, ticket_id))


async def _one(conn: AsyncConnection, agent_id: str, ticket_id: str) -> Mapping[str, Any]:
    found = (await conn.execute(_rows(agent_id).where(_t.c.id == ticket_id))).one_or_none()
    if found is None:
        raise not_found("ticket")
    return dict(found._asdict())


async def ticket(conn: AsyncConnection, agent_id: str, ticket_id: str, lens: Lens) -> dict[str, Any]:
    """Return everything agents see of a ticket.

    :raises Problem: 404 when there is none.
    """
    found = await _one(conn, agent_id, ticket_id)
    customer = (await conn.execute(sa.select(_c).where(_c.c.id == found["customer_id"]))).one()
    earlier = await conn.execute(
        sa.select(_t.c.id, _t.c.number, _t.c.title, _t.c.category, _t.c.closed_at)
        .where(_t.c.customer_id == customer.id, _t.c.id != ticket_id)
        .order_by(_t.c.number.desc())
        .limit(20)
    )
    more = ("description", "reason", "tags", "metadata", "external_id", "close_reason", "closed_by")
    entries = await transcript(conn, ticket_id)
    names = {"customer": customer.name, "bot": found["bot_name"]}
    return {
        "ticket": _row(found) | {name: found[name] for name in more} | {"closed_at": iso(found["closed_at"])},
        "customer": {
            **{name: getattr(customer, name) for name in ("id", "external_id", "name", "email", "phone")},
            **{name: getattr(customer, name) for name in ("avatar_url", "locale", "data")},
            "earlier": [{**each._asdict(), "closed_at": iso(each.closed_at)} for each in earlier],
        },
        "transcript": [_entry(entry, lens.root, names) for entry in entries],
        "messages": await messages(conn, ticket_id, lens),
    }


def _entry(entry: Mapping[str, Any], root: str, names: Mapping[str, str | None]) -> dict[str, Any]:
    author = entry["author"]
    role = "customer" if author["role"] == "user" else author["role"]
    return {
        "author": {"role": role, "name": author.get("name") or names.get(role)},
        "message": with_urls(entry["message"], _urls(attachment_ids(entry["message"]), root)),
        "sent_at": entry.get("sent_at"),
    }


def _urls(ids: Collection[str], root: str) -> dict[str, str]:
    return {attachment_id: f"{root}/inbox/api/attachments/{attachment_id}" for attachment_id in ids}


async def messages(
    conn: AsyncConnection, ticket_id: str, lens: Lens, *, only: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """Return the thread, or some messages of it, with notes and the desk's own lines."""
    query = sa.select(_m, _b.c.reached, _b.c.name.label("bot_name"), _c.c.name.label("customer_name"))
    query = query.join(_t, _t.c.id == _m.c.ticket_id).join(_b, _b.c.id == _t.c.bot_id)
    query = query.join(_c, _c.c.id == _t.c.customer_id)
    query = query.where(_m.c.ticket_id == ticket_id)
    if only is not None:
        query = query.where(_m.c.id.in_(only))
    found = (await conn.execute(query.order_by(_m.c.seq))).all()
    files = await attachments.of_messages(conn, [each.id for each in found])
    states = await _deliveries(conn, [each.event_id for each in found if each.event_id])
    return [_message(each._asdict(), files[each.id], states.get(each.event_id), lens) for each in found]


async def message(conn: AsyncConnection, message_id: str, lens: Lens) -> dict[str, Any]:
    """Return one message.

    :raises Problem: 404 when there is none.
    """
    ticket_id = (await conn.execute(sa.select(_m.c.ticket_id).where(_m.c.id == message_id))).scalar()
    found = await messages(conn, ticket_id, lens, only=[message_id]) if ticket_id else []
    if not found:
        raise not_found("message")
    return found[0]


async def _deliveries(conn: AsyncConnection, event_ids: Collection[str]) -> dict[str, str]:
    """Return how far the events of messages have come by webhook, for those that have an endpoint at all."""
    if not event_ids:
        return {}
    e, d = tables.events.events, tables.events.deliveries
    query = sa.select(e.c.id, d.c.status).join(d, d.c.event_seq == e.c.seq).where(e.c.id.in_(event_ids))
    found: dict[str, set[str]] = {}
    for each in await conn.execute(query):
        found.setdefault(each.id, set()).add(each.status)
    return {
        event_id: "delivered" if "delivered" in states else "recorded" if "pending" in states else "failed"
        for event_id, states in found.items()
    }


def _message(
    found: Mapping[str, Any], attached: list[Mapping[str, Any]], pushed: str | None, lens: Lens
) -> dict[str, Any]:
    content = found["content"]
    if content is None and attached and not found["deleted"]:
        content = media_for(attached[0])
    named = attachment_ids(content)
    names = {"customer": found["customer_name"], "bot": found["bot_name"]}
    delivery = None
    if found["source"] == "agent" and found["visibility"] == "public":
        pulled = found["event_position"] is not None and found["event_position"] <= found["reached"]
        delivery = "delivered" if pulled or found["id"] in lens.delivered else pushed or "recorded"
    return {
        "id": found["id"],
        "seq": found["seq"],
        "kind": found["kind"],
        "author": {
            "role": found["role"],
            "id": found["author_id"],
            "name": found["author_name"] or names.get(found["role"]),
            "avatar_url": found["author_avatar_url"],
        },
        "message": with_urls(content, _urls(named, lens.root)) if content else None,
        "attachments": [
            attachment_json(each, lens.root) for each in attached if each["id"] not in named and not found["deleted"]
        ],
        "created_at": iso(found["created_at"]),
        "edited_at": iso(found["edited_at"]),
        "deleted": found["deleted"],
        "client_ref": found["client_ref"],
        "delivery": delivery,
    }


def attachment_json(found: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Return a file as agents see it."""
    return {name: found[name] for name in ("id", "name", "content_type", "size")} | {
        "url": f"{root}/inbox/api/attachments/{found['id']}"
    }


async def mark_read(unit: Unit, agent_id: str, ticket_id: str, seq: int) -> None:
    """Note how far an agent has read; it never goes back.

    :raises Problem: 404 when there is no such ticket.
    """
    known = (await unit.conn.execute(sa.select(_t.c.message_seq).where(_t.c.id == ticket_id))).one_or_none()
    if known is None:
        raise not_found("ticket")
    statement = insert(unit.conn, _r).values(agent_id=agent_id, ticket_id=ticket_id, seq=min(seq, known.message_seq))
    await unit.conn.execute(
        statement.on_conflict_do_update(
            index_elements=[_r.c.agent_id, _r.c.ticket_id],
            set_={"seq": sa.case((_r.c.seq > statement.excluded.seq, _r.c.seq), else_=statement.excluded.seq)},
        )
    )
