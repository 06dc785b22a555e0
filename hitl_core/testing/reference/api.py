"""The HTTP API of the made-up helpdesk: small, and strict about what it takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hitl_core import standard_webhooks
from hitl_core.testing.simulator import SimFile

if TYPE_CHECKING:
    from hitl_core.testing.reference.simulator import ReferenceSimulator, Ticket

__all__ = ["api_routes"]

MAX_TITLE, MAX_TEXT, MAX_OPENING, MAX_FILE = 100, 1000, 2000, 100_000
PRIORITIES = {"low", "medium", "high", "urgent"}
APP = {"id": "app-1", "name": "Bot app"}


class _RefusedError(Exception):
    def __init__(self, status: int, code: str, **more: Any) -> None:
        super().__init__(code)
        self.status, self.code, self.more = status, code, more


def api_routes(helpdesk: ReferenceSimulator) -> list[Route]:
    """Return the routes."""
    api = _Api(helpdesk)
    table: tuple[tuple[str, str, Callable[[Request], Awaitable[Any]]], ...] = (
        ("POST", "/oauth/token", api.token),
        ("GET", "/me", api.me),
        ("GET", "/availability", api.availability),
        ("GET", "/customers", api.find_customers),
        ("POST", "/customers", api.create_customer),
        ("PUT", "/customers/{id}", api.change_customer),
        ("GET", "/tickets", api.find_tickets),
        ("POST", "/tickets", api.create_ticket),
        ("GET", "/tickets/{id}", api.ticket),
        ("GET", "/tickets/{id}/messages", api.messages),
        ("POST", "/tickets/{id}/messages", api.add_message),
        ("POST", "/tickets/{id}/close", api.close),
        ("POST", "/tickets/{id}/typing", api.typing),
        ("PUT", "/tickets/{id}/assignee", api.transfer),
        ("GET", "/tickets/{id}/events", api.events),
        ("GET", "/changes", api.changes),
        ("POST", "/files", api.upload),
        ("GET", "/files/{id}", api.download),
        ("PUT", "/webhooks/{id}", api.put_webhook),
        ("DELETE", "/webhooks/{id}", api.delete_webhook),
    )
    return [Route(path, api.guarded(handler), methods=[method]) for method, path, handler in table]


class _Api:
    def __init__(self, helpdesk: ReferenceSimulator) -> None:
        self._desk = helpdesk

    def guarded(self, handler: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
        """Ask for the token, and turn refusals into answers."""

        async def answer(request: Request) -> Response:
            try:
                if request.url.path != "/oauth/token":
                    self._check_token(request)
                result = await handler(request)
            except _RefusedError as refused:
                return JSONResponse({"error": refused.code, **refused.more}, refused.status)
            except KeyError:
                return JSONResponse({"error": "not_found"}, 404)
            return result if isinstance(result, Response) else JSONResponse(result)

        return answer

    def _check_token(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self._desk.access_tokens:
            raise _RefusedError(401, "token_expired")

    async def token(self, request: Request) -> Any:
        """Give an access token for a refresh token, which is then used up."""
        given = await request.json()
        if given.get("client_secret") != "client-secret-of-the-reference-helpdesk":
            raise _RefusedError(401, "unknown_client")
        if given.get("refresh_token") != self._desk.refresh_token:
            raise _RefusedError(401, "refresh_token_used")
        access = self._desk.new_id("access-token-of-the-reference-helpdesk")
        self._desk.access_tokens.add(access)
        self._desk.refresh_token = self._desk.new_id("refresh-token-of-the-reference-helpdesk")
        return {"access_token": access, "refresh_token": self._desk.refresh_token}

    async def me(self, _: Request) -> Any:
        return {**APP, "account": "acct-1"}

    async def availability(self, _: Request) -> Any:
        online = len(self._desk.agents) if self._desk.staffed else 0
        return {"available": online > 0, "agents": online}

    # Customers ------------------------------------------------------------------------------------------------

    async def find_customers(self, request: Request) -> Any:
        return {"customers": [c for c in self._desk.customers.values() if _matches(c, request)]}

    async def create_customer(self, request: Request) -> Any:
        given = await _json(request, {"name", "email", "phone", "external_id", "locale"})
        for customer in self._desk.customers.values() if self._desk.one_customer_an_id else ():
            for field in ("external_id", "email"):
                if given.get(field) and customer.get(field) == given[field]:
                    raise _RefusedError(409, "customer_exists", id=customer["id"])
        if given.get("email") and any(agent.email == given["email"] for agent in self._desk.agents):
            raise _RefusedError(409, "agent_exists")
        customer = {"id": self._desk.new_id("cus"), **given}
        self._desk.customers[customer["id"]] = customer
        return JSONResponse(customer, 201)

    async def change_customer(self, request: Request) -> Any:
        """Change what is given, whoever it is: an agent is one no longer, as with real helpdesks."""
        given = await _json(request, {"name", "email", "phone", "external_id", "locale"})
        id_ = request.path_params["id"]
        if id_ not in self._desk.customers:
            self._desk.customers[id_] = {"id": id_, "name": self._desk.agent(id_).name}
        self._desk.customers[id_] |= given
        return self._desk.customers[id_]

    # Tickets --------------------------------------------------------------------------------------------------

    async def find_tickets(self, request: Request) -> Any:
        wanted = request.query_params.get("external_id")
        return {"tickets": [t.state() for t in self._desk.tickets.values() if t.external_id == wanted]}

    async def create_ticket(self, request: Request) -> Any:
        key = request.headers.get("idempotency-key")
        if key and key in self._desk.keys:
            return self._desk.tickets[self._desk.keys[key]].state()
        given = await _json(request, {"title", "text", "customer_id", "external_id", "priority", "tags", "transcript"})
        if not 0 < len(given.get("title", "")) <= MAX_TITLE:
            raise _RefusedError(422, "bad_title")
        if len(given.get("text") or "") > MAX_OPENING:
            raise _RefusedError(422, "text_too_long")
        if given.get("customer_id") not in self._desk.customers:
            raise _RefusedError(422, "unknown_customer")
        if given.get("priority", "medium") not in PRIORITIES:
            raise _RefusedError(422, "bad_priority")
        options = {name: given[name] for name in ("priority", "tags") if name in given}
        ticket = self._desk.create_ticket(
            given["title"], given["customer_id"], external_id=given.get("external_id"), options=options
        )
        if key:
            self._desk.keys[key] = ticket.id
        opening = []
        if given.get("text"):
            actor = {"role": "bot", **APP}
            opening.append(self._desk.write(ticket, given["text"], actor=actor)["message"]["id"])
        for entry in given.get("transcript", ()):
            actor = {"role": entry["role"], **APP}
            opening.append(self._desk.write(ticket, entry["text"], actor=actor)["message"]["id"])
        return JSONResponse({**ticket.state(), "messages": opening}, 201)

    async def ticket(self, request: Request) -> Any:
        return self._ticket(request).state()

    async def messages(self, request: Request) -> Any:
        return {"messages": self._ticket(request).messages}

    async def add_message(self, request: Request) -> Any:
        given = await _json(request, {"text", "role", "customer_id", "public", "files", "reopen", "name"})
        ticket = self._ticket(request)
        key = request.headers.get("idempotency-key")
        if key and key in self._desk.keys:
            return {"id": self._desk.keys[key], "ticket": ticket.state()}
        if len(given.get("text", "")) > MAX_TEXT:
            raise _RefusedError(422, "text_too_long")
        if not given.get("text") and not given.get("files"):
            raise _RefusedError(422, "empty_message")
        if ticket.status != "open":
            if not given.get("reopen") or ticket.id in self._desk.sealed:
                raise _RefusedError(409, "ticket_closed")
            self._desk.set_status(ticket, "open", actor={"role": "bot", **APP})
        actor = {"role": given.get("role", "bot"), **APP}
        if given.get("name"):
            actor["name"] = given["name"]
        event = self._desk.write(
            ticket, given.get("text", ""), actor=actor, public=given.get("public", True), files=given.get("files", ())
        )
        if key:
            self._desk.keys[key] = event["message"]["id"]
        return JSONResponse({"id": event["message"]["id"], "ticket": ticket.state()}, 201)

    async def close(self, request: Request) -> Any:
        given = await _json(request, {"text"})
        ticket = self._ticket(request)
        actor = {"role": "bot", **APP}
        if given.get("text") and ticket.status == "open":
            self._desk.write(ticket, given["text"], actor=actor, public=False)
        self._desk.set_status(ticket, "closed", actor=actor)
        return ticket.state()

    async def typing(self, request: Request) -> Any:
        self._desk.typing.append(self._ticket(request).id)
        return {}

    async def transfer(self, request: Request) -> Any:
        given = await _json(request, {"agent", "team"})
        ticket = self._ticket(request)
        ticket.agent = self._desk.agent(given["agent"]) if given.get("agent") else None
        ticket.options["team"] = given.get("team")
        return ticket.state()

    async def events(self, request: Request) -> Any:
        ticket = self._ticket(request)
        return {**_page(ticket.events, request), "ticket": ticket.state()}

    async def changes(self, request: Request) -> Any:
        return _page(self._desk.log, request)

    def _ticket(self, request: Request) -> Ticket:
        return self._desk.tickets[request.path_params["id"]]

    # Files and webhooks ---------------------------------------------------------------------------------------

    async def upload(self, request: Request) -> Any:
        async with request.form() as form:
            part = form["file"]
            if isinstance(part, str):
                raise _RefusedError(422, "no_file")
            file = SimFile(
                name=part.filename or "file", content_type=part.content_type or "", content=await part.read()
            )
        if len(file.content) > MAX_FILE:
            raise _RefusedError(413, "file_too_large")
        return JSONResponse({"id": self._desk.store(file)}, 201)

    async def download(self, request: Request) -> Any:
        file = self._desk.files[request.path_params["id"]]
        return Response(file.content, media_type=file.content_type)

    async def put_webhook(self, request: Request) -> Any:
        given = await _json(request, {"url"})
        id_ = request.path_params["id"]
        known = self._desk.webhooks.endpoints.get(id_)
        secret = known.secret if known else standard_webhooks.generate_secret()
        self._desk.webhooks.subscribe(id_, given["url"], secret)
        return {"id": id_, "secret": secret}

    async def delete_webhook(self, request: Request) -> Any:
        if not self._desk.webhooks.unsubscribe(request.path_params["id"]):
            raise KeyError
        return Response(status_code=204)


async def _json(request: Request, known: set[str]) -> dict[str, Any]:
    try:
        given = await request.json()
    except ValueError:
        raise _RefusedError(400, "not_json") from None
    if not isinstance(given, dict) or set(given) - known:
        raise _RefusedError(422, "unknown_field")
    return given


def _matches(customer: dict[str, Any], request: Request) -> bool:
    return all(customer.get(name) == value for name, value in request.query_params.items())


def _page(events: list[dict[str, Any]], request: Request) -> dict[str, Any]:
    after = int(request.query_params.get("after") or 0)
    limit = int(request.query_params.get("limit") or 100)
    end = min(after + limit, len(events))
    return {"events": events[after:end], "cursor": str(end), "more": end < len(events)}
