"""One request after the other: who asks, whether they may, what they sent, and the answer in the usual headers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from hitl_zendesk.simulator.records import User
from hitl_zendesk.simulator.refusals import NO_PERMISSION, RefusedError, not_found

if TYPE_CHECKING:
    from hitl_zendesk.simulator.account import Account
    from hitl_zendesk.simulator.limits import Limits
    from hitl_zendesk.simulator.oauth import OAuth

__all__ = ["Answer", "Api", "Call", "Handler", "Row"]

_JSON: Final = "application/json; charset=utf-8"


@dataclass(slots=True)
class Answer:
    """An answer to come.

    :param body: JSON; ``None`` for nothing at all; bytes as they are.
    """

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """One request.

    :param raw: its body.
    :param url: its address without a query, as the account is known to the world.
    """

    request: Request
    caller: User
    raw: bytes
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    """What the answer will carry beside its own."""

    @property
    def query(self) -> Mapping[str, str]:
        """The query; the last one counts where a name is there twice."""
        return self.request.query_params

    def id(self, name: str = "id") -> int:
        """Return an id from the path.

        :raises RefusedError: it is no number, so there is no such record.
        """
        value = self.request.path_params[name]
        if not str(value).isdecimal():
            raise not_found()
        return int(value)

    def ids(self, name: str = "ids") -> list[int]:
        """Return ids from the query.

        :raises RefusedError: there are more than 100.
        """
        values = [value for value in self.query.get(name, "").split(",") if value.strip().isdecimal()]
        _check_count(values)
        return [int(value) for value in values]

    def given(self, root: str | None = None) -> dict[str, Any]:
        """Return the body as an object, or what stands below ``root`` in it.

        :raises RefusedError: it is none.
        """
        try:
            found = json.loads(self.raw or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise RefusedError(400, {"error": "Unprocessable", "message": "Server could not parse JSON"})
        if root is None:
            return found
        below = found.get(root)
        if not isinstance(below, dict):
            raise RefusedError(
                400, {"error": {"title": "Invalid attribute", "message": f"Parameter {root} is required"}}
            )
        return below

    def warn_of(self, root: str, action: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
        """Name keys that were dropped, in a header, as the real API does."""
        unknown = sorted(set(given) - set(known))
        if unknown:
            keys = ", ".join(json.dumps(f"{root}.{key}") for key in unknown)
            self.headers["x-zendesk-api-warn"] = (
                f'{{:allowed_parameters=>{{:controller=>"{root}s", :action=>"{action}", '
                f":unpermitted_keys=>[{keys}], :invalid_values=>[]}}}}"
            )

    def check_admin(self) -> None:
        """Let nobody but admins pass.

        :raises RefusedError: the caller is none.
        """
        if self.caller.role != "admin":
            raise RefusedError(403, NO_PERMISSION)


Handler: TypeAlias = Callable[[Call], Any]
Row: TypeAlias = tuple[str, str, Handler]
"""Method, path and what answers it, which may be a coroutine function or not."""


def _check_count(values: list[str]) -> None:
    if len(values) > 100:
        description = "Parameter  cannot specify more than 100 values"
        raise RefusedError(400, {"error": "TooManyValues", "description": description, "max_count": 100})


class Api:
    """The account's HTTP side.

    :param rows: below ``/api/v2``.
    """

    def __init__(self, account: Account, oauth: OAuth, limits: Limits, rows: Iterable[Row]) -> None:
        self._account, self._oauth, self._limits = account, oauth, limits
        self._requests = 0
        routes = [
            Route(f"/api/v2/{path}", self._answering(handler), methods=[method]) for method, path, handler in rows
        ]
        routes.append(Route("/oauth/tokens", self._token, methods=["POST"]))
        routes.append(Route("/attachments/token/{token}/", self._content))
        self._router = Router(routes, redirect_slashes=False)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer, with or without ``.json`` at the end of the path."""
        path = scope["path"]
        if path.startswith("/api/v2/") and path.endswith(".json"):
            scope = {**scope, "path": path.removesuffix(".json")}
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            body = {"error": "InvalidEndpoint", "description": "Not found"}
            await self._response(Answer(body, error.status_code))(scope, receive, send)

    def _answering(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            raw = await request.body()
            headers: dict[str, str] = {}
            try:
                headers = self._limits.request()
                grant = self._oauth.who(request.headers.get("authorization", ""))
                self._check(grant.allows(request.method, request.url.path), request.method)
                if not grant.user.is_staff:
                    raise RefusedError(403, NO_PERMISSION)
                call = Call(request, grant.user, raw, self._account.link(request.scope["path"].lstrip("/")))
                result = handler(call)
                if isinstance(result, Awaitable):
                    result = await result
                made = result if isinstance(result, Answer) else Answer(result)
                made.headers = {**headers, **call.headers, **made.headers}
                return self._response(made)
            except KeyError:
                refused = not_found()
            except RefusedError as error:
                refused = error
            return self._response(Answer(refused.body, refused.status, {**headers, **refused.headers}))

        return answer

    def _check(self, allowed: bool, method: str) -> None:
        if not allowed:
            scope = "read" if method == "GET" else "write"
            description = f"You are missing the following required scopes: {scope}"
            raise RefusedError(403, {"error": "Forbidden", "description": description})

    def _response(self, answer: Answer) -> Response:
        self._requests += 1
        headers = {
            "x-zendesk-api-version": "v2",
            "x-request-id": f"{self._requests:016x}-SIM",
            **answer.headers,
        }
        if answer.body is None:
            return Response(status_code=answer.status, headers=headers)
        if isinstance(answer.body, bytes | str):
            headers.setdefault("content-type", "text/plain; charset=utf-8")
            return Response(answer.body, answer.status, headers)
        headers.setdefault("content-type", _JSON)
        return Response(json.dumps(answer.body, ensure_ascii=False).encode(), answer.status, headers)

    async def _token(self, request: Request) -> Response:
        raw = await request.body()
        try:
            given = json.loads(raw or b"{}")
        except ValueError:
            given = {}
        try:
            return self._response(Answer(self._oauth.token(given if isinstance(given, dict) else {}), 201))
        except RefusedError as refused:
            return self._response(Answer(refused.body, refused.status, refused.headers))

    async def _content(self, request: Request) -> Response:
        """Give a file to whoever knows its address, as accounts without private attachments do."""
        token = request.path_params["token"]
        for file in self._account.attachments.values():
            if file.token == token:
                disposition = (
                    f"attachment; filename=\"{_ascii(file.name)}\"; filename*=UTF-8''{quote(file.name, safe='')}"
                )
                headers = {"content-type": file.content_type, "content-disposition": disposition}
                return self._response(Answer(file.content, 200, headers))
        return self._response(Answer("Not found", 404))


def _ascii(name: str) -> str:
    return "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\' else "_" for letter in name
    )
