"""A helpdesk that answers what it is told to."""

from __future__ import annotations

import json as json_module
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import Any, TypeAlias

from hitl_core._http.messages import HttpRequest, HttpResponse, StreamedResponse, place
from hitl_core._http.transport import BoundedBody, TransportFailure

__all__ = ["Answer", "ScriptedTransport", "ambiguous", "not_sent", "reply"]

Answer: TypeAlias = HttpResponse | int | BaseException
"""An answer, a bare status, or something to raise, such as :func:`not_sent`."""


def reply(
    status: int = 200,
    *,
    json: Any = None,
    body: bytes | str = b"",
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Make an answer; ``json`` sets body and content type."""
    fields = dict(headers or {})
    if json is not None:
        body = json_module.dumps(json)
        fields.setdefault("content-type", "application/json")
    return HttpResponse(status, fields, body.encode() if isinstance(body, str) else body)


def not_sent(reason: str = "the connection was refused") -> TransportFailure:
    """Make a failure before anything was sent: a repeat is safe."""
    return TransportFailure(False, reason)


def ambiguous(reason: str = "the connection broke") -> TransportFailure:
    """Make a failure after sending: the helpdesk may have carried the request out."""
    return TransportFailure(True, reason)


class ScriptedTransport:
    """A transport that answers from a list, or by a function, and remembers what it was asked.

    :param script: the answers in order; or a function of the request, async or not, that gives one.
    """

    def __init__(self, script: Iterable[Answer] | Callable[[HttpRequest], Answer | Awaitable[Answer]] = ()) -> None:
        self._function = script if callable(script) else None
        self._answers: list[Answer] = [] if callable(script) else list(script)
        self.requests: list[HttpRequest] = []
        """Every request, in order, repeats included."""
        self.timeouts: list[float] = []
        """Seconds each was given."""
        self.closed = False

    async def send(
        self,
        request: HttpRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - part of the contract, see Transport
        max_bytes: int,
    ) -> HttpResponse:
        """Give the next answer.

        :raises AssertionError: the script has no more.
        """
        self.requests.append(request)
        self.timeouts.append(timeout)
        answer = await self._next(request)
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, int):
            answer = HttpResponse(answer, {})
        body = BoundedBody(answer.status, answer.headers, max_bytes)
        whole = body.feed(answer.body)
        body.finish()
        return HttpResponse(answer.status, answer.headers, whole, request.url)

    @asynccontextmanager
    async def stream(
        self,
        request: HttpRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - as above
        max_bytes: int,
    ) -> AsyncIterator[StreamedResponse]:
        """Give the next answer, its body as one piece."""
        answer = await self.send(request, timeout=timeout, max_bytes=max_bytes)

        async def pieces() -> AsyncIterator[bytes]:
            yield answer.body

        yield StreamedResponse(answer.status, answer.headers, pieces(), request.url)

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    async def _next(self, request: HttpRequest) -> Answer:
        if self._function is not None:
            answer = self._function(request)
            return await answer if isawaitable(answer) else answer
        if not self._answers:
            msg = f"the script has no answer for request {len(self.requests)}: {request.method} {place(request.url)}"
            raise AssertionError(msg)
        return self._answers.pop(0)
