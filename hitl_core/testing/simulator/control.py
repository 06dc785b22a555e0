"""``/_sim``: act as the agent, read what was received, move the clock, break things. For 127.0.0.1 only."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hitl_core.testing.simulator.deliveries import WebhookFault
from hitl_core.testing.simulator.faults import Fault
from hitl_core.testing.simulator.model import Act, NotOfferedError

if TYPE_CHECKING:
    from hitl_core.testing.simulator.base import Simulator

__all__ = ["control_routes"]

_VERBS = (
    "reply",
    "note",
    "attach",
    "assign",
    "unassign",
    "solve",
    "close",
    "reopen",
    "edit",
    "delete",
    "read",
    "reply_and_assign",
    "reply_and_close",
    "customer_writes",
    "system_acts",
)
_EVENTS = ("ping", "emit_unknown", "expire_credentials", "agents_leave", "lose_endpoints", "change_endpoints")

_WEBHOOK_FAULT: TypeAdapter[WebhookFault] = TypeAdapter(WebhookFault)


class _RefusedError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def control_routes(simulator: Simulator) -> list[Route]:
    """Return the routes of a simulator's control API."""
    control = _Control(simulator)
    table: Sequence[tuple[str, str, Callable[[Request], Awaitable[Any]]]] = (
        ("GET", "/_sim", control.describe),
        ("GET", "/_sim/sessions", control.sessions),
        ("POST", "/_sim/sessions", control.open_elsewhere),
        ("GET", "/_sim/sessions/{id}", control.session),
        ("POST", "/_sim/sessions/{id}/batch", control.batch),
        ("POST", "/_sim/sessions/{id}/{verb}", control.act),
        ("GET", "/_sim/users", control.users),
        ("POST", "/_sim/events/{event}", control.event),
        ("GET", "/_sim/webhooks", control.webhooks),
        ("POST", "/_sim/webhooks/faults", control.add_webhook_fault),
        ("DELETE", "/_sim/webhooks/faults", control.clear_webhook_faults),
        ("GET", "/_sim/endpoints", control.endpoints),
        ("GET", "/_sim/requests", control.requests),
        ("POST", "/_sim/faults", control.add_fault),
        ("DELETE", "/_sim/faults", control.clear_faults),
        ("POST", "/_sim/clock", control.advance),
    )
    return [Route(path, _answering(handler), methods=[method]) for method, path, handler in table]


def _answering(handler: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        # A page of some other site can post forms and plain text to this machine, but no JSON without being asked.
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if request.method == "POST" and kind != "application/json":
            return JSONResponse({"error": "send JSON, with content-type: application/json"}, 415)
        try:
            result = await handler(request)
        except (NotOfferedError, KeyError, ValidationError, JSONDecodeError, _RefusedError) as error:
            status, told = _refusal(error)
            return JSONResponse(told, status)
        return Response(status_code=204) if result is None else JSONResponse(result)

    return answer


def _refusal(error: Exception) -> tuple[int, dict[str, Any]]:
    match error:
        case NotOfferedError():
            return 501, {"error": "this vendor, or its simulator, has nothing of the kind"}
        case KeyError():
            return 404, {"error": "no such session, message or agent"}
        case ValidationError():
            problems = error.errors(include_input=False, include_url=False, include_context=False)
            return 422, {"error": "not understood", "problems": problems}
        case _RefusedError():
            return error.status, {"error": str(error)}
    return 422, {"error": "the body is not JSON"}


class _Control:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def describe(self, _: Request) -> Any:
        simulator = self._simulator
        return {
            "title": simulator.title,
            "abilities": sorted(simulator.abilities),
            "agents": [agent.model_dump(mode="json") for agent in simulator.agents],
            "now": simulator.clock.now().isoformat(),
            "verbs": list(_VERBS),
            "events": list(_EVENTS),
        }

    async def sessions(self, _: Request) -> Any:
        return [session.model_dump(mode="json") for session in await self._simulator.sessions()]

    async def session(self, request: Request) -> Any:
        return (await self._simulator.session(request.path_params["id"])).model_dump(mode="json")

    async def users(self, _: Request) -> Any:
        return [user.model_dump(mode="json") for user in await self._simulator.users()]

    async def open_elsewhere(self, request: Request) -> Any:
        act = Act.model_validate_json(await request.body())
        return {"id": await self._simulator.open_elsewhere(act.text)}

    async def act(self, request: Request) -> Any:
        verb = request.path_params["verb"]
        if verb not in _VERBS:
            msg = f"no verb {verb!r}; there are: {', '.join(_VERBS)}, batch"
            raise _RefusedError(404, msg)
        given = Act.model_validate_json(await request.body() or b"{}")
        method = getattr(self._simulator, verb)
        offered = {"agent": self._simulator.agent(given.agent), "text": given.text, "files": given.files}
        offered["message_id"] = given.message_id
        wanted = set(inspect.signature(method).parameters)
        if "message_id" in wanted and not given.message_id:
            raise _RefusedError(422, "name the message: message_id")
        await method(request.path_params["id"], **{name: offered[name] for name in wanted & set(offered)})

    async def batch(self, request: Request) -> Any:
        texts = TypeAdapter(list[str]).validate_json(await request.body())
        await self._simulator.emit_batch(request.path_params["id"], texts, agent=self._simulator.agent())

    async def event(self, request: Request) -> Any:
        event = request.path_params["event"]
        if event not in _EVENTS:
            msg = f"no event {event!r}; there are: {', '.join(_EVENTS)}"
            raise _RefusedError(404, msg)
        await getattr(self._simulator, event)()

    async def webhooks(self, request: Request) -> Any:
        after, count = _number(request, "after"), _number(request, "count")
        seconds = min(_number(request, "wait"), 60)
        await self._simulator.pump()
        sent = await self._simulator.webhooks.wait(after, count, seconds)
        return [attempt.model_dump(mode="json") for attempt in sent]

    async def endpoints(self, _: Request) -> Any:
        return [endpoint.model_dump(mode="json") for endpoint in await self._simulator.endpoints()]

    async def requests(self, _: Request) -> Any:
        return self._simulator.requests

    async def add_fault(self, request: Request) -> Any:
        self._simulator.faults.append(Fault.model_validate_json(await request.body()))

    async def clear_faults(self, _: Request) -> Any:
        self._simulator.faults.clear()

    async def add_webhook_fault(self, request: Request) -> Any:
        self._simulator.webhooks.faults.append(_WEBHOOK_FAULT.validate_json(await request.body()))

    async def clear_webhook_faults(self, _: Request) -> Any:
        self._simulator.webhooks.faults.clear()

    async def advance(self, request: Request) -> Any:
        advance = getattr(self._simulator.clock, "advance", None)
        if advance is None:
            raise _RefusedError(409, "this simulator runs on the machine's own clock, which cannot be moved")
        body = await request.json()
        seconds = body.get("advance") if isinstance(body, dict) else None
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
            raise _RefusedError(422, 'say how many seconds, 0 or more: {"advance": 60}')
        advance(seconds)
        return {"now": self._simulator.clock.now().isoformat()}


def _number(request: Request, name: str) -> int:
    value = request.query_params.get(name, "0")
    if not value.isdecimal():
        msg = f"{name} must be a number"
        raise _RefusedError(422, msg)
    return int(value)
