"""The Desk Protocol: events by pull and stream, and the webhook endpoints they are posted to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from hitl_core.eventlog import Endpoint, Event, sse_response
from hitl_desk.server import answers, bodies
from hitl_desk.server.auth import BotRoute, still_connected
from hitl_desk.server.feed import EVENT_TYPES, pull, wanted_types
from hitl_desk.server.idempotency import once
from hitl_desk.server.params import After, Bot, EndpointId, Key
from hitl_desk.server.problems import declared
from hitl_desk.server.service import tickets
from hitl_desk.server.streams import GuardedStream, while_let_in
from hitl_desk.server.unit import Unit

__all__ = ["router"]

router = APIRouter(prefix="/v1", route_class=BotRoute)

_READ = declared(400, 401, 403, 404, 422, 503)
_WRITE = declared(400, 401, 403, 404, 409, 413, 422, 503)

_Types = Annotated[
    str | None,
    Query(
        max_length=400,
        pattern="^[a-z_.]+(,[a-z_.]+)*$",
        description=f"Only these types, with commas between them: {', '.join(EVENT_TYPES)}.",
    ),
]
_OneTicket = Annotated[
    str | None, Query(pattern="^[A-Za-z0-9_-]{1,64}$", description="Only what happened to this ticket.")
]


# Events ---------------------------------------------------------------------------------------------------------------


@router.get("/events", tags=["events"], operation_id="pullEvents", response_model=answers.EventPage, responses=_READ)
async def pull_events(
    bot: Bot,
    *,
    after: After = None,
    wait: Annotated[float, Query(ge=0, le=300, description="Seconds to wait for the first event.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    types: _Types = None,
    ticket: _OneTicket = None,
) -> Response:
    """Read what agents did, oldest first. With `wait` the answer comes with the first event, or empty at the end."""
    kinds = wanted_types(types)
    if ticket is not None:
        async with bot.desk.read() as conn:
            await tickets.require_ticket(conn, bot.id, ticket)
    page = await pull(
        bot.desk, bot.id, after, limit=limit, types=kinds, ticket=ticket, wait=min(wait, bot.desk.settings.max_wait)
    )
    return Response(page, media_type="application/json")


@router.get(
    "/stream",
    tags=["events"],
    operation_id="streamEvents",
    response_class=Response,
    responses={
        200: {
            "description": "Server-sent events: `id` is the cursor, `event` the type, `data` the event as JSON.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **_READ,
    },
)
async def stream_events(
    bot: Bot,
    types: _Types = None,
    ticket: _OneTicket = None,
    after: After = None,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=64)] = None,
) -> Response:
    """Follow what agents do, live, going on behind `Last-Event-ID`; without one, with what comes next.

    Here alone there is `agent.typing` too, without an id: `{type, timestamp, data: {ticket, agent, typing}}`.
    """
    kinds = wanted_types(types)
    if ticket is not None:
        async with bot.desk.read() as conn:
            await tickets.require_ticket(conn, bot.id, ticket)

    def select(event: Event) -> bool:
        shown = ticket is None or event.subject == ticket
        if shown:
            bot.desk.receipts.handed(bot.id, [event], whole=ticket is None and kinds is None)
        return shown

    stream = await sse_response(bot.desk.log, bot.id, last_event_id or after, types=kinds, select=select)
    stream.body_iterator = while_let_in(stream.body_iterator, bot.desk.clock, lambda: still_connected(bot))
    return GuardedStream(stream, bot.desk.presence, bot.id)


# Webhook endpoints ----------------------------------------------------------------------------------------------------


def _endpoint(endpoint: Endpoint, secret: str | None = None) -> answers.Endpoint:
    return answers.Endpoint(
        id=endpoint.id,
        url=endpoint.url,
        types=None if endpoint.types is None else list(endpoint.types),
        description=endpoint.description,
        status=endpoint.status,
        disabled_reason=endpoint.disabled_reason,
        secret=secret,
        secret_expiries=list(endpoint.secret_expiries),
        created_at=endpoint.created_at,
        updated_at=endpoint.updated_at,
    )


@router.get("/webhook-endpoints", tags=["webhooks"], operation_id="listEndpoints", responses=_READ)
async def list_endpoints(bot: Bot) -> answers.EndpointList:
    """List where events are posted."""
    found = await bot.desk.webhooks.list(bot.id)
    return answers.EndpointList(endpoints=[_endpoint(each) for each in found])


@router.put(
    "/webhook-endpoints/{endpoint_id}",
    tags=["webhooks"],
    operation_id="putEndpoint",
    responses={201: {"model": answers.Endpoint, "description": "The endpoint is new; its secret is shown."}, **_WRITE},
)
async def put_endpoint(
    bot: Bot, response: Response, endpoint_id: EndpointId, body: bodies.PutEndpoint
) -> answers.Endpoint:
    """Have events posted to a URL, from now on. The secret is shown when the endpoint is new, or is rotated.

    An endpoint that was disabled because it answered 410 is enabled again. Deliveries follow Standard Webhooks:
    retried for days, in order within a ticket, the same `webhook-id` each time.
    """
    hooks = bot.desk.webhooks
    async with bot.desk.write() as unit:
        endpoint, secret = await hooks.put(
            bot.id, endpoint_id, url=body.url, types=body.types, description=body.description, conn=unit.conn
        )
        created = secret is not None
        if body.rotate and not created:
            secret = await hooks.rotate_secret(bot.id, endpoint_id, conn=unit.conn)
        if endpoint.status == "disabled":
            await hooks.enable(bot.id, endpoint_id, conn=unit.conn)
        endpoint = await hooks.get(bot.id, endpoint_id, conn=unit.conn)
    response.status_code = 201 if created else 200
    return _endpoint(endpoint, secret)


@router.get("/webhook-endpoints/{endpoint_id}", tags=["webhooks"], operation_id="getEndpoint", responses=_READ)
async def get_endpoint(bot: Bot, endpoint_id: EndpointId) -> answers.Endpoint:
    """Read an endpoint; its secret is not shown again."""
    return _endpoint(await bot.desk.webhooks.get(bot.id, endpoint_id))


@router.delete(
    "/webhook-endpoints/{endpoint_id}",
    tags=["webhooks"],
    operation_id="deleteEndpoint",
    status_code=204,
    response_class=Response,
    responses=_READ,
)
async def delete_endpoint(bot: Bot, endpoint_id: EndpointId) -> Response:
    """Post nothing more there; what was not delivered yet can still be pulled."""
    await bot.desk.webhooks.delete(bot.id, endpoint_id)
    return Response(status_code=204)


@router.post(
    "/webhook-endpoints/{endpoint_id}/test",
    tags=["webhooks"],
    operation_id="testEndpoint",
    status_code=202,
    response_model=answers.TestDelivery,
    responses=_WRITE,
)
async def post_test(bot: Bot, request: Request, endpoint_id: EndpointId, key: Key = None) -> Response:
    """Post a `webhook.test` there, whatever types it wants."""
    desk = bot.desk

    async def work(unit: Unit) -> answers.TestDelivery:
        endpoint = await desk.webhooks.get(bot.id, endpoint_id, conn=unit.conn)
        endpoint.require_enabled()
        event = await desk.log.append_for(unit.conn, stream=bot.id, endpoint_id=endpoint_id, type="webhook.test")
        return answers.TestDelivery(event_id=event.id, delivery_id=f"{event.id}.{endpoint_id}")

    answer = await once(bot, request, key, work, status=202)
    desk.log.notify(bot.id)
    return answer
