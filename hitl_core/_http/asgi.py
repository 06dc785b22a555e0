"""An ASGI application as the other side: simulators and tests, without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from hitl_core._http.messages import Headers, HttpRequest, HttpResponse, StreamedResponse
from hitl_core._http.transport import AnswerRefused, AsgiApp, BoundedBody, TransportFailure, bounded
from hitl_core.logs import redacting

__all__ = ["AsgiTransport"]

_log = redacting("hitl.asgi")

# One piece is handed over, one may wait: an endless event stream must not fill the memory.
_PIECES_AHEAD = 1


class AsgiTransport:
    """Calls an ASGI application in this process, as a server would.

    An exception inside the application is logged and answered with 500, so that a crash of a simulator looks like a
    crash of the helpdesk. Start-up and shutdown (the lifespan) belong to whoever made the application.
    """

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def send(
        self,
        request: HttpRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - part of the contract, see Transport
        max_bytes: int,
    ) -> HttpResponse:
        """Call the application and collect its answer; see :meth:`Transport.send`."""
        exchange = _Exchange(self._app, request, max_bytes)
        try:
            async with asyncio.timeout(timeout):
                await exchange.run(exchange.collect)
        except TimeoutError:
            raise TransportFailure(True, f"no whole answer within {timeout:g} s") from None
        exchange.check()
        return HttpResponse(exchange.status, exchange.headers, b"".join(exchange.pieces), request.url)

    @asynccontextmanager
    async def stream(
        self,
        request: HttpRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - as above
        max_bytes: int,
    ) -> AsyncIterator[StreamedResponse]:
        """Call the application and hand its answer on piece by piece; see :meth:`Transport.stream`."""
        exchange = _Exchange(self._app, request, max_bytes)
        task = asyncio.create_task(exchange.run(exchange.queue.put))
        chunks = exchange.read(timeout)
        try:
            try:
                async with asyncio.timeout(timeout):
                    await exchange.started.wait()
            except TimeoutError:
                raise TransportFailure(True, f"no answer within {timeout:g} s") from None
            yield StreamedResponse(exchange.status, exchange.headers, chunks, request.url)
        finally:
            await chunks.aclose()
            exchange.gone.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def aclose(self) -> None:
        """Nothing is held; the application lives on."""


class _Exchange:
    """One request to the application and what it answers."""

    def __init__(self, app: AsgiApp, request: HttpRequest, max_bytes: int) -> None:
        self._app = app
        self._request = request
        self._max_bytes = max_bytes
        self._body: BoundedBody | None = None
        self._asked = self._complete = self._cut = False
        self.status = 500
        self.headers = Headers()
        self.pieces: list[bytes] = []
        self.refused: AnswerRefused | None = None
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(_PIECES_AHEAD)
        self.started = asyncio.Event()
        self.gone = asyncio.Event()

    async def run(self, emit: Any) -> None:
        """Call the application; every piece of the body goes to ``emit``, ``None`` at the end."""

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = Headers(message.get("headers", ()))
                self.started.set()
            elif message["type"] == "http.response.body" and not self._complete:
                if self._request.method != "HEAD":
                    await emit(message.get("body", b""))
                if not message.get("more_body", False):
                    self._complete = True
                    self.gone.set()
                    await emit(None)

        try:
            await self._app(self._scope(), self._receive, send)
        except _ClientLeft:
            return
        except Exception:  # noqa: BLE001 - the application is the other side: whatever it raises is its own failure
            _log.exception("the application behind %r failed", self._request)
        if not self._complete:
            # A server that has begun to answer cuts the connection here; one that has not answers 500.
            self._cut = self.started.is_set()
            self.started.set()
            self.gone.set()
            await emit(None)

    def check(self) -> None:
        """Raise what became of the answer, unless it is whole."""
        if self.refused is not None:
            raise self.refused
        if self._cut:
            raise TransportFailure(True, "the application failed in the middle of its answer")

    async def collect(self, piece: bytes | None) -> None:
        """Keep a piece for :meth:`AsgiTransport.send`."""
        try:
            if self._body is None:
                self._body = BoundedBody(self.status, self.headers, self._max_bytes)
            if piece is None:
                if not self._cut:
                    self._body.finish()
            else:
                self.pieces.append(self._body.feed(piece))
        except AnswerRefused as refused:
            self.refused = refused
            self.gone.set()
            raise _ClientLeft from None

    async def read(self, timeout: float) -> AsyncGenerator[bytes]:  # noqa: ASYNC109 - for each piece, see Transport
        """Yield the pieces put into the queue."""

        async def arriving() -> AsyncIterator[bytes]:
            while True:
                try:
                    async with asyncio.timeout(timeout):
                        piece = await self.queue.get()
                except TimeoutError:
                    raise TransportFailure(True, f"nothing more came within {timeout:g} s") from None
                if piece is None:
                    self.check()
                    return
                yield piece

        async for data in bounded(BoundedBody(self.status, self.headers, self._max_bytes), arriving()):
            yield data

    async def _receive(self) -> MutableMapping[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    def _scope(self) -> dict[str, Any]:
        request, parts = self._request, urlsplit(self._request.url)
        host = parts.netloc.rpartition("@")[2].encode()
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": parts.scheme,
            "path": unquote(parts.path) or "/",
            "raw_path": parts.path.encode("ascii") or b"/",
            "root_path": "",
            "query_string": parts.query.encode("ascii"),
            "headers": [
                (b"host", host),
                (b"content-length", str(len(request.body)).encode()),
                *((name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers.items()),
            ],
            "server": (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)),
            "client": ("127.0.0.1", 0),
        }


class _ClientLeft(OSError):  # noqa: N818 - an end, not an error
    """Told to an application that writes to somebody who has gone; frameworks take an OSError for that."""
