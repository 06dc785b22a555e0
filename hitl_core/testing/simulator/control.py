"""``/_sim``: act as the agent, read what was received, move the clock, break things. For 127.0.0.1 only."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hitl_core.discovery import near_miss
from hitl_core.people import Agent
from hitl_core.testing.simulator.asked import read_act, read_fault, read_webhook_fault, told
from hitl_core.testing.simulator.catalog import EVENTS, TEXT_NEEDED, VERBS, described, offered_events, offered_verbs
from hitl_core.testing.simulator.model import Act, NotOfferedError, SimSession
from hitl_core.testing.simulator.pages import page, page_part

if TYPE_CHECKING:
    from hitl_core.testing.simulator.base import Simulator

__all__ = ["control_application"]

_NO_TEXT = 'say a text: {"text": "Hello"}'
_ABOUT = "GET /_sim tells everything there is to ask"
_CONTENTS = {"messages": {"__all__": {"files": {"__all__": {"content"}}}}}


class _RefusedError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def control_application(simulator: Simulator) -> Starlette:
    """Return a simulator's control API."""
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
    routes = [Route(path, _answering(handler), methods=[method]) for method, path, handler in table]
    routes += [Route("/_sim/agent", page), Route("/_sim/agent/static/{name}", page_part)]
    return Starlette(routes=routes, exception_handlers={HTTPException: _refuse})


async def _refuse(request: Request, error: Exception) -> Response:
    """Put into JSON what has no route, and what the vendor's own side refuses to an agent."""
    assert isinstance(error, HTTPException)  # noqa: S101  registered for nothing else
    path = request.url.path
    fitting = [route for route in request.app.routes if route.path_regex.match(path)]
    allowed = ", ".join(sorted({method for route in fitting for method in route.methods} - {"HEAD"}))
    if error.status_code == 405:
        text = f"{path} is for {allowed}, not {request.method}; {_ABOUT}"
        return JSONResponse({"error": text}, 405, headers={"allow": allowed})
    if not fitting:
        return JSONResponse({"error": f"there is no {path}; {_ABOUT}"}, 404)
    return JSONResponse({"error": error.detail}, error.status_code)


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
            return 501, {"error": f"this vendor, or its simulator, has nothing of the kind; {_ABOUT}"}
        case KeyError():
            return 404, {"error": "there is no such thing"}
        case ValidationError():
            problems = error.errors(include_input=False, include_url=False, include_context=False)
            return 422, {"error": told(error), "problems": problems}
        case _RefusedError():
            return error.status, {"error": str(error)}
    return 422, {"error": "the body is not JSON"}


class _Control:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def describe(self, _: Request) -> Any:
        return described(self._simulator)

    async def sessions(self, request: Request) -> Any:
        without = _CONTENTS if request.query_params.get("contents") == "no" else None
        return [session.model_dump(mode="json", exclude=without) for session in await self._simulator.sessions()]

    async def session(self, request: Request) -> Any:
        return (await self._session(request.path_params["id"])).model_dump(mode="json")

    async def _session(self, session_id: str) -> SimSession:
        try:
            return await self._simulator.session(session_id)
        except KeyError:
            msg = f"no such session: {session_id!r}; GET /_sim/sessions lists them"
            raise _RefusedError(404, msg) from None

    def _agent(self, id: str | None) -> Agent:
        try:
            return self._simulator.agent(id)
        except KeyError:
            msg = f"no such agent: {id!r}; there are: {', '.join(agent.id or '' for agent in self._simulator.agents)}"
            raise _RefusedError(404, msg) from None

    async def users(self, _: Request) -> Any:
        return [user.model_dump(mode="json") for user in await self._simulator.users()]

    async def open_elsewhere(self, request: Request) -> Any:
        given = read_act(await request.body())
        if not given.text.strip():
            raise _RefusedError(422, _NO_TEXT)
        return {"id": await self._simulator.open_elsewhere(given.text)}

    async def act(self, request: Request) -> Any:
        verb, session_id = request.path_params["verb"], request.path_params["id"]
        offered = offered_verbs(self._simulator)
        if verb not in VERBS:
            msg = f"no verb {verb!r}{near_miss(verb, offered)}; there are: {', '.join(offered)}"
            raise _RefusedError(404, msg)
        if verb not in offered:
            raise NotOfferedError
        given = read_act(await request.body() or b"{}")
        method = getattr(self._simulator, verb)
        wanted = set(inspect.signature(method).parameters)
        _check_act(verb, given, wanted)
        arguments = {"agent": self._agent(given.agent), "text": given.text, "files": given.files}
        arguments["message_id"] = given.message_id
        try:
            await method(session_id, **{name: arguments[name] for name in wanted & set(arguments)})
        except KeyError:
            await self._session(session_id)  # says so if it is this that is missing
            if given.message_id is None:
                raise
            msg = f"no such message of an agent in this session: {given.message_id!r}"
            raise _RefusedError(404, msg) from None

    async def batch(self, request: Request) -> Any:
        texts = TypeAdapter(list[str]).validate_json(await request.body())
        if not texts or not all(text.strip() for text in texts):
            raise _RefusedError(422, 'say texts: ["One", "Two"]')
        session_id = request.path_params["id"]
        try:
            await self._simulator.emit_batch(session_id, texts, agent=self._simulator.agent())
        except KeyError:
            await self._session(session_id)  # says so if it is this that is missing
            raise

    async def event(self, request: Request) -> Any:
        event = request.path_params["event"]
        if event not in EVENTS:
            offered = offered_events(self._simulator)
            msg = f"no event {event!r}{near_miss(event, offered)}; there are: {', '.join(offered)}"
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
        self._simulator.faults.append(read_fault(await request.body()))

    async def clear_faults(self, _: Request) -> Any:
        self._simulator.faults.clear()

    async def add_webhook_fault(self, request: Request) -> Any:
        self._simulator.webhooks.faults.append(read_webhook_fault(await request.body()))

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


def _check_act(verb: str, given: Act, wanted: set[str]) -> None:
    """Refuse what would be lost on a verb, and what it cannot do without.

    :param wanted: the arguments the verb takes.
    """
    lost = [name for name in ("text", "files", "message_id") if name not in wanted and getattr(given, name)]
    if lost:
        msg = f"{verb} takes no {' and no '.join(lost)}; {_ABOUT}"
        raise _RefusedError(422, msg)
    if "message_id" in wanted and not given.message_id:
        raise _RefusedError(422, 'name the message: {"message_id": "..."}')
    if verb in TEXT_NEEDED and not given.text.strip():
        raise _RefusedError(422, _NO_TEXT)
    if verb == "attach" and not given.files:
        raise _RefusedError(422, 'give files: {"files": [{"name": "a.txt", "content": "SGVsbG8="}]}')


def _number(request: Request, name: str) -> int:
    value = request.query_params.get(name, "0")
    if not value.isdecimal():
        msg = f"{name} must be a number"
        raise _RefusedError(422, msg)
    return int(value)
