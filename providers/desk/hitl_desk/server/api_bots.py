"""The Desk Protocol: who the bot is, customers, tickets and messages."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import AfterValidator

from hitl_core.messages import MESSAGE_TYPES
from hitl_desk.server import answers, bodies
from hitl_desk.server.auth import BotRoute
from hitl_desk.server.content import MAX_TEXT
from hitl_desk.server.idempotency import once
from hitl_desk.server.params import Bot, Key, TicketId
from hitl_desk.server.problems import declared
from hitl_desk.server.reading import JSON_BYTES, body_limit, clean_text
from hitl_desk.server.service import customers, tickets
from hitl_desk.server.service.thread import Line, changing
from hitl_desk.server.settings import MIB
from hitl_desk.server.unit import INBOX, Unit

__all__ = ["router"]

TICKET_BYTES = 5 * MIB
"""Largest body of a new ticket, which carries the whole conversation."""

router = APIRouter(prefix="/v1", route_class=BotRoute)

_READ = declared(400, 401, 403, 422, 503)
_READ_ONE = declared(400, 401, 403, 404, 422, 503)
_WRITE = declared(400, 401, 403, 404, 409, 413, 422, 503)

_Stored = AfterValidator(clean_text)


@router.get("/bot", tags=["bot"], operation_id="getBot", responses=_READ)
async def get_bot(bot: Bot) -> answers.Bot:
    """Say who the token belongs to, what this desk can do, and which sizes it takes."""
    settings = bot.desk.settings
    return answers.Bot(
        id=bot.id,
        name=bot.name,
        software=f"hitl-desk/{version('hitl-desk')}",
        capabilities=answers.BotCapabilities(message_types=list(MESSAGE_TYPES)),
        limits=answers.BotLimits(
            title_characters=bodies.MAX_TITLE,
            text_characters=MAX_TEXT,
            transcript_entries=bodies.MAX_TRANSCRIPT,
            attachments_per_message=bodies.MAX_ATTACHMENTS,
            attachment_bytes=settings.max_attachment_bytes,
            attachment_types=list(settings.allowed_types),
            json_bytes=JSON_BYTES,
            ticket_bytes=TICKET_BYTES,
            wait_seconds=settings.max_wait,
        ),
    )


@router.get("/availability", tags=["bot"], operation_id="getAvailability", responses=_READ)
async def get_availability(bot: Bot) -> answers.Availability:
    """Say whether an agent is there to answer."""
    async with bot.desk.read() as conn:
        online = await bot.desk.presence.agents_online(conn)
    return answers.Availability(available=online > 0, agents_online=online)


@router.put(
    "/customers/{external_id:path}",
    tags=["customers"],
    operation_id="putCustomer",
    responses={
        201: {"model": answers.Customer, "description": "The customer is new."},
        **declared(400, 401, 403, 413, 422, 503),
    },
)
async def put_customer(
    bot: Bot,
    response: Response,
    external_id: Annotated[
        str,
        Path(
            min_length=1,
            max_length=255,
            description="The bot's own stable id of this person, percent-encoded.",
            examples=["u-17"],
        ),
        _Stored,
    ],
    body: bodies.CustomerFields,
    rename: Annotated[bool, Query(description="Whether a name the customer has already is replaced.")] = True,
) -> answers.Customer:
    """Write what is known of a customer. Fields left out stay as they are."""
    async with bot.desk.write() as unit:
        customer, created = await customers.put_customer(unit, bot.id, external_id, body, rename=rename)
    response.status_code = 201 if created else 200
    return customer


@router.post(
    "/tickets",
    tags=["tickets"],
    operation_id="createTicket",
    status_code=201,
    response_model=answers.TicketCreated,
    responses=declared(400, 401, 403, 409, 413, 422, 503),
)
@body_limit(TICKET_BYTES)
async def create_ticket(bot: Bot, request: Request, body: bodies.CreateTicket, key: Key = None) -> Response:
    """Hand a conversation over. Agents see its transcript first, with the reason, then what is said from now on."""
    cursor = await bot.desk.log.latest(bot.id)

    async def work(unit: Unit) -> answers.TicketCreated:
        return await tickets.open_ticket(unit, bot.desk.settings, bot.id, body, key=key, cursor=cursor)

    return await once(bot, request, key, work, status=201)


@router.get("/tickets", tags=["tickets"], operation_id="findTickets", responses=_READ)
async def find_tickets(
    bot: Bot,
    external_id: Annotated[
        str, Query(min_length=1, max_length=255, description="Your id of the conversation."), _Stored
    ],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> answers.TicketList:
    """Find the tickets of a conversation, newest first."""
    async with bot.desk.read() as conn:
        found = await tickets.find_tickets(conn, bot.desk.settings, bot.id, external_id, limit)
    return answers.TicketList(tickets=found)


@router.get("/tickets/{ticket_id}", tags=["tickets"], operation_id="getTicket", responses=_READ_ONE)
async def get_ticket(bot: Bot, ticket_id: TicketId) -> answers.Ticket:
    """Read a ticket as it stands."""
    async with bot.desk.read() as conn:
        return await tickets.read_ticket(conn, bot.desk.settings, bot.id, ticket_id)


@router.post(
    "/tickets/{ticket_id}/messages",
    tags=["tickets"],
    operation_id="postMessage",
    status_code=201,
    response_model=answers.Message,
    responses=_WRITE,
)
async def post_message(
    bot: Bot, request: Request, ticket_id: TicketId, body: bodies.PostMessage, key: Key = None
) -> Response:
    """Pass on what the customer said, what the bot says, or a line about what happened; none of it is echoed."""
    settings = bot.desk.settings

    async def work(unit: Unit) -> answers.Message:
        async with changing(unit, settings, ticket_id, bot_id=bot.id) as thread:
            message_id = await thread.post(tickets.posted(body), reopen=body.reopen)
        return await tickets.message(unit.conn, settings, message_id)

    return await once(bot, request, key, work, status=201)


@router.get("/tickets/{ticket_id}/messages", tags=["tickets"], operation_id="listMessages", responses=_READ_ONE)
async def list_messages(
    bot: Bot,
    ticket_id: TicketId,
    after: Annotated[
        str | None, Query(min_length=1, max_length=9, pattern="^[0-9]+$", description="Cursor of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    client_ref: Annotated[
        str | None, Query(min_length=1, max_length=255, description="Only your messages with this reference."), _Stored
    ] = None,
) -> answers.MessagePage:
    """Read the thread, oldest first: what customer and agents said to each other, and what this bot posted."""
    async with bot.desk.read() as conn:
        await tickets.require_ticket(conn, bot.id, ticket_id)
        return await tickets.messages(
            conn, bot.desk.settings, ticket_id, after=int(after or 0), limit=limit, client_ref=client_ref
        )


@router.post(
    "/tickets/{ticket_id}/close",
    tags=["tickets"],
    operation_id="closeTicket",
    response_model=answers.Ticket,
    responses=_WRITE,
)
async def close_ticket(
    bot: Bot,
    request: Request,
    ticket_id: TicketId,
    body: Annotated[bodies.CloseTicket, Body()] = bodies.CloseTicket(),  # noqa: B008  frozen
    key: Key = None,
) -> Response:
    """End the hand-off from the bot's side; a ticket that is closed stays as it is."""
    settings = bot.desk.settings

    async def work(unit: Unit) -> answers.Ticket:
        async with changing(unit, settings, ticket_id, bot_id=bot.id) as thread:
            if body.text and not thread.closed:
                content = {"type": "text", "text": body.text}
                await thread.post(Line(source="bot", role="system", kind="system", content=content))
            await thread.close(None, body.reason)
        return await tickets.read_ticket(unit.conn, settings, bot.id, ticket_id)

    return await once(bot, request, key, work, status=200)


@router.post(
    "/tickets/{ticket_id}/typing",
    tags=["tickets"],
    operation_id="setTyping",
    status_code=204,
    response_class=Response,
    responses=_WRITE,
)
async def set_typing(
    bot: Bot,
    ticket_id: TicketId,
    body: Annotated[bodies.Typing, Body()] = bodies.Typing(),  # noqa: B008  frozen
    key: Key = None,
) -> Response:
    """Show agents that the customer is typing, or no longer is. Nothing is kept, so a repeat does no harm."""
    async with bot.desk.read() as conn:
        await tickets.require_ticket(conn, bot.id, ticket_id)
    data = {"ticket_id": ticket_id, "who": "customer", "typing": body.typing}
    bot.desk.log.publish_transient(INBOX, "typing", data)
    return Response(status_code=204)
