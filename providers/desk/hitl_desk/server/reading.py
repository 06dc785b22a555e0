"""Reading requests with bounds: how large, how deep, and which characters and numbers a body may have."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from hitl_desk.server.problems import Problem, too_large
from hitl_desk.server.settings import MIB

__all__ = ["JSON_BYTES", "BoundedRoute", "body_limit", "clean_text", "read_json"]

JSON_BYTES: Final = MIB
"""Largest JSON body, where nothing else is said."""

_MAX_DEPTH: Final = 64
_MAX_INT: Final = 2**63 - 1
_LIMIT: Final = "desk_body_limit"

EndpointT = TypeVar("EndpointT", bound=Callable[..., Any])


def body_limit(limit: int | Callable[[Request], int]) -> Callable[[EndpointT], EndpointT]:
    """Let an endpoint take bodies up to so many bytes instead of :data:`JSON_BYTES`."""

    def mark(endpoint: EndpointT) -> EndpointT:
        setattr(endpoint, _LIMIT, limit)
        return endpoint

    return mark


class BoundedRoute(APIRoute):
    """A route that lets a request in only after :meth:`admit`, and reads its body within bounds.

    Both come before FastAPI reads anything: a stranger's upload is refused without being received.
    """

    async def admit(self, request: Request) -> None:
        """Refuse strangers; subclasses say who is one."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()
        limit = getattr(self.endpoint, _LIMIT, JSON_BYTES)

        async def admitted(request: Request) -> Response:
            await self.admit(request)
            most = limit(request) if callable(limit) else limit
            announced = request.headers.get("content-length", "")
            if announced.isascii() and announced.isdecimal() and int(announced[:20]) > most:
                raise too_large(most)
            return await handle(_StrictRequest(request.scope, _bounded(request.receive, most)))

        return admitted


class _StrictRequest(Request):
    async def json(self) -> Any:
        """Return the body as JSON that can be stored and sent on."""
        if not hasattr(self, "_json"):
            self._json = read_json(await self.body())
        return self._json


def _bounded(receive: Receive, limit: int) -> Receive:
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise too_large(limit)
        return message

    return bounded


def read_json(raw: bytes) -> Any:
    """Read JSON, refusing what PostgreSQL cannot store or JSON cannot express.

    :raises Problem: 400 when it is no JSON; 422 for NUL characters, half surrogate pairs, numbers that are not finite
        or beyond 64 bits, and nesting deeper than 64.
    """
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_number, parse_float=_float, parse_int=_int)
    except RecursionError:
        raise _refused(f"is nested deeper than {_MAX_DEPTH}") from None
    except ValueError:  # UnicodeDecodeError and JSONDecodeError among them
        raise Problem(400, "malformed_json", "The body is not JSON in UTF-8.") from None
    _check(value, escapes=b"\\u" in raw)
    return value


def clean_text(text: str) -> str:
    """Return a text that can be stored.

    :raises ValueError: for NUL characters and half surrogate pairs.
    """
    if "\x00" in text:
        msg = "contains a NUL character"
        raise ValueError(msg)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        msg = "contains half a surrogate pair"
        raise ValueError(msg) from None
    return text


def _check(value: Any, *, escapes: bool) -> None:
    """Walk without recursion; a NUL or a half pair can only come from an escape, so most bodies skip the strings."""
    layer = [value]
    for _ in range(_MAX_DEPTH + 1):
        below: list[Any] = []
        for each in layer:
            if isinstance(each, dict):
                below.extend(each.values())
                if escapes:
                    below.extend(each)
            elif isinstance(each, list):
                below.extend(each)
            elif escapes and isinstance(each, str):
                try:
                    clean_text(each)
                except ValueError as error:
                    raise _refused(f"has a string that {error}") from None
        if not below:
            return
        layer = below
    raise _refused(f"is nested deeper than {_MAX_DEPTH}")


def _refused(why: str) -> Problem:
    return Problem(422, "invalid_request", f"The body {why}.", errors=[{"location": "body", "message": why}])


def _refuse_number(_: str) -> NoReturn:
    raise _refused("has a number that is not finite")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _refuse_number(text)
    return value


def _int(text: str) -> int:
    if len(text) > 20 or abs(value := int(text)) > _MAX_INT:
        raise _refused("has a whole number beyond 64 bits")
    return value
