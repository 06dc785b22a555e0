"""What the inbox page asks of the desk: JSON for agents with a session. Not part of the protocol for bots."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response, UploadFile
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from starlette.responses import JSONResponse

from hitl_desk.server import answers, tables
from hitl_desk.server.api_files import file_answer, upload_limit
from hitl_desk.server.auth import AgentRoute, Session
from hitl_desk.server.bodies import MAX_ATTACHMENTS, Priority
from hitl_desk.server.content import MAX_TEXT
from hitl_desk.server.ids import iso
from hitl_desk.server.inbox_stream import inbox_stream
from hitl_desk.server.problems import not_found
from hitl_desk.server.reading import body_limit, clean_text
from hitl_desk.server.service import attachments, inbox, people
from hitl_desk.server.service.thread import Line, changing
from hitl_desk.server.unit import INBOX

__all__ = ["router"]

router = APIRouter(prefix="/inbox/api", route_class=AgentRoute, include_in_schema=False)


def _session(request: Request) -> Session:
    session: Session = request.state.session
    return session


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


_Me = Annotated[Session, Depends(_session)]
_Root = Annotated[str, Depends(_root)]


def _lens(session: _Me, root: _Root) -> inbox.Lens:
    return inbox.Lens(root, session.desk.receipts)


_Lens = Annotated[inbox.Lens, Depends(_lens)]
_Id = Annotated[str, Path(pattern="^[A-Za-z0-9_.-]{1,200}$")]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _Reply(_Body):
    kind: Literal["reply", "note"] = "reply"
    text: str = Field(default="", max_length=MAX_TEXT, repr=False)
    attachments: list[Annotated[str, Field(max_length=64)]] = Field(default=[], max_length=MAX_ATTACHMENTS)
    client_ref: str | None = Field(default=None, min_length=1, max_length=128)
    reopen: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> _Reply:
        if not self.text.strip() and not self.attachments:
            msg = "write something, or attach a file"
            raise ValueError(msg)
        return self


class _Edit(_Body):
    text: str = Field(min_length=1, max_length=MAX_TEXT, repr=False)


class _Assign(_Body):
    agent_id: Annotated[str, Field(max_length=64)] | None


class _Close(_Body):
    text: str | None = Field(default=None, max_length=MAX_TEXT, repr=False)
    reason: str = Field(default="agent_closed", pattern="^[a-z][a-z_]{0,63}$")


class _Prioritise(_Body):
    priority: Priority


class _Typing(_Body):
    typing: bool


class _Read(_Body):
    seq: int = Field(ge=0, le=2**31 - 1)


class _Switch(_Body):
    enabled: bool


@router.get("/me")
async def me(session: _Me) -> Response:
    """Say who is logged in, and who else works here."""
    async with session.desk.read() as conn:
        everybody = await people.agents(conn)
    return JSONResponse(
        {
            "agent": answers.dump(session.agent),
            "csrf": session.csrf,
            "agents": [{name: each[name] for name in ("id", "name", "avatar_url")} for each in everybody],
        }
    )


@router.get("/tickets")
async def list_tickets(
    session: _Me,
    *,
    view: inbox.View = "all",
    q: Annotated[str, Query(max_length=200), AfterValidator(clean_text)] = "",
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """List a view's tickets, with the counts of all views."""
    async with session.desk.read() as conn:
        found, following = await inbox.rows(conn, session.agent.id, view, search=q, cursor=cursor, limit=limit)
        counts = await inbox.counts(conn, session.agent.id)
    return JSONResponse({"tickets": found, "counts": counts, "cursor": following, "more": following is not None})


@router.get("/tickets/{ticket_id}")
async def get_ticket(session: _Me, lens: _Lens, ticket_id: _Id) -> Response:
    """Show a ticket with everything in it."""
    async with session.desk.read() as conn:
        return JSONResponse(await inbox.ticket(conn, session.agent.id, ticket_id, lens))


@router.post("/tickets/{ticket_id}/messages")
async def post_message(session: _Me, lens: _Lens, ticket_id: _Id, body: _Reply) -> Response:
    """Answer the customer, or leave a note. A repeat with the same `client_ref` finds what the first one wrote."""
    agent, m = session.agent, tables.messages
    line = Line(
        source="agent",
        role="agent",
        kind="note" if body.kind == "note" else "message",
        visibility="internal" if body.kind == "note" else "public",
        author=answers.dump(agent),
        content={"type": "text", "text": body.text} if body.text.strip() else None,
        attached=body.attachments,
        client_ref=body.client_ref,
    )
    async with session.desk.write() as unit:
        async with changing(unit, session.desk.settings, ticket_id) as thread:
            query = sa.select(m.c.id).where(
                m.c.ticket_id == ticket_id, m.c.dedupe_key == f"{agent.id}:{body.client_ref}"
            )
            message_id = (await unit.conn.execute(query)).scalar() if body.client_ref else None
            if message_id is None and body.kind == "note":
                message_id = await thread.note(line)
            elif message_id is None:
                message_id = await thread.reply(agent, line, reopen=body.reopen)
        shown = await inbox.message(unit.conn, message_id, lens)
        await inbox.mark_read(unit, agent.id, ticket_id, shown["seq"])
    return JSONResponse(shown, 201)


async def _edit(session: Session, lens: inbox.Lens, message_id: str, text: str | None) -> dict[str, Any]:
    m = tables.messages
    async with session.desk.write() as unit:
        ticket_id = (await unit.conn.execute(sa.select(m.c.ticket_id).where(m.c.id == message_id))).scalar()
        if ticket_id is None:
            raise not_found("message")
        async with changing(unit, session.desk.settings, ticket_id) as thread:
            await thread.edit(session.agent, message_id, text)
        return await inbox.message(unit.conn, message_id, lens)


@router.patch("/messages/{message_id}")
async def edit_message(session: _Me, lens: _Lens, message_id: _Id, body: _Edit) -> Response:
    """Change one's own message; the customer's side is told."""
    return JSONResponse(await _edit(session, lens, message_id, body.text))


@router.delete("/messages/{message_id}")
async def delete_message(session: _Me, lens: _Lens, message_id: _Id) -> Response:
    """Take one's own message back; the customer's side is told."""
    await _edit(session, lens, message_id, None)
    return Response(status_code=204)


@router.post("/tickets/{ticket_id}/assign")
async def assign(session: _Me, ticket_id: _Id, body: _Assign) -> Response:
    """Give the ticket to somebody, to oneself (`me`), or back to the queue (null)."""
    async with session.desk.write() as unit:
        agent = None
        if body.agent_id == "me":
            agent = session.agent
        elif body.agent_id is not None:
            agent = people.agent_answer(await people.active_agent(unit.conn, body.agent_id))
        async with changing(unit, session.desk.settings, ticket_id) as thread:
            await thread.assign(agent, by=session.agent)
        return JSONResponse(await inbox.row(unit.conn, session.agent.id, ticket_id))


@router.post("/tickets/{ticket_id}/close")
async def close(session: _Me, ticket_id: _Id, body: _Close) -> Response:
    """Close the ticket, after a last message to the customer when there is one."""
    async with session.desk.write() as unit:
        async with changing(unit, session.desk.settings, ticket_id) as thread:
            if body.text and body.text.strip() and not thread.closed:
                content = {"type": "text", "text": body.text}
                author = answers.dump(session.agent)
                await thread.reply(session.agent, Line(source="agent", role="agent", author=author, content=content))
            await thread.close(session.agent, body.reason)
        return JSONResponse(await inbox.row(unit.conn, session.agent.id, ticket_id))


@router.post("/tickets/{ticket_id}/reopen")
async def reopen(session: _Me, ticket_id: _Id) -> Response:
    """Open a closed ticket again."""
    async with session.desk.write() as unit:
        async with changing(unit, session.desk.settings, ticket_id) as thread:
            await thread.reopen(session.agent)
        return JSONResponse(await inbox.row(unit.conn, session.agent.id, ticket_id))


@router.post("/tickets/{ticket_id}/priority")
async def prioritise(session: _Me, ticket_id: _Id, body: _Prioritise) -> Response:
    """Set the priority."""
    async with session.desk.write() as unit:
        async with changing(unit, session.desk.settings, ticket_id) as thread:
            thread.prioritise(body.priority)
        return JSONResponse(await inbox.row(unit.conn, session.agent.id, ticket_id))


@router.post("/tickets/{ticket_id}/typing")
async def typing(session: _Me, ticket_id: _Id, body: _Typing) -> Response:
    """Show the customer, and other agents, that one is typing."""
    desk, agent, t = session.desk, session.agent, tables.tickets
    async with desk.read() as conn:
        query = sa.select(t.c.bot_id, t.c.external_id).where(t.c.id == ticket_id, t.c.category != "closed")
        ticket = (await conn.execute(query)).one_or_none()
    if ticket is not None:
        data = {
            "ticket": {"id": ticket_id, "external_id": ticket.external_id},
            "agent": answers.dump(agent),
            "typing": body.typing,
        }
        event = {"type": "agent.typing", "timestamp": iso(desk.clock.now()), "data": data}
        desk.log.publish_transient(ticket.bot_id, "agent.typing", event)
        told = {"ticket_id": ticket_id, "who": agent.name, "typing": body.typing, "agent_id": agent.id}
        desk.log.publish_transient(INBOX, "typing", told)
    return Response(status_code=204)


@router.post("/tickets/{ticket_id}/read")
async def read(session: _Me, ticket_id: _Id, body: _Read) -> Response:
    """Note how far one has read."""
    async with session.desk.write() as unit:
        await inbox.mark_read(unit, session.agent.id, ticket_id, body.seq)
    return Response(status_code=204)


@router.post("/attachments")
@body_limit(upload_limit)
async def upload(session: _Me, root: _Root, file: UploadFile) -> Response:
    """Upload a file for a message to come."""
    settings = session.desk.settings
    incoming = attachments.Upload(file.filename, file.content_type, file.file)
    attachment_id, size, _ = await attachments.keep(settings, incoming)
    async with session.desk.write() as unit:
        row = await attachments.record(unit, attachment_id, incoming, size, agent_id=session.agent.id)
    return JSONResponse(inbox.attachment_json(row._asdict(), root), 201)


@router.get("/attachments/{attachment_id}")
async def open_attachment(session: _Me, attachment_id: _Id, download: bool = False) -> Response:
    """Open a file: plain pictures in place, anything else as a download."""
    async with session.desk.read() as conn:
        row = await attachments.for_agent(conn, session.agent.id, attachment_id)
    return file_answer(session.desk.settings, row._asdict(), download=download)


@router.get("/stream")
async def stream(
    session: _Me, lens: _Lens, last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=64)] = None
) -> Response:
    """Follow everything that happens, live."""
    return await inbox_stream(session, last_event_id, lens)


@router.get("/bots")
async def list_bots(session: _Me) -> Response:
    """List the bots that were given a token."""
    async with session.desk.read() as conn:
        found = await people.bots(conn)
    return JSONResponse([_bot(each) for each in found])


def _bot(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "enabled": row["enabled"],
        "created_at": iso(row["created_at"]),
        "last_seen_at": iso(row["last_seen_at"]),
    }


@router.post("/bots/{bot_id}")
async def switch_bot(session: _Me, bot_id: _Id, body: _Switch) -> Response:
    """Connect a bot, or keep it out: its calls are refused, its streams end, nothing is posted to it."""
    async with session.desk.write() as unit:
        row = await people.switch_bot(unit, session.desk.webhooks, bot_id, enabled=body.enabled)
    if not body.enabled:
        session.desk.presence.end(bot_id)
    return JSONResponse(_bot(row))


@router.get("/endpoints/{bot_id}/deliveries")
async def list_deliveries(session: _Me, bot_id: _Id) -> Response:
    """List a bot's newest webhook deliveries."""
    found = await session.desk.webhooks.deliveries(bot_id, limit=100)
    return JSONResponse(
        [
            {
                "id": each.id,
                "type": each.type,
                "endpoint": each.endpoint_id,
                "ticket_id": each.subject,
                "status": each.status,
                "attempts": each.attempts,
                "last_status": each.last_status,
                "last_error": each.last_error,
                "created_at": iso(each.created_at),
            }
            for each in found
        ]
    )


@router.post("/deliveries/{delivery_id}/replay")
async def replay(session: _Me, delivery_id: _Id) -> Response:
    """Post a delivery again, now."""
    d = tables.events.deliveries
    async with session.desk.read() as conn:
        bot_id = (await conn.execute(sa.select(d.c.stream).where(d.c.id == delivery_id))).scalar()
    if bot_id is None:
        raise not_found("delivery")
    delivery = await session.desk.webhooks.replay(bot_id, delivery_id)
    return JSONResponse({"id": delivery.id, "status": delivery.status, "attempts": delivery.attempts})
