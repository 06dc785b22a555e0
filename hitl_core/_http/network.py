"""The network as the other side: httpx, kept to carrying one request at a time."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx

from hitl_core._http.messages import Headers, HttpRequest, HttpResponse, StreamedResponse
from hitl_core._http.transport import BoundedBody, TransportFailure, bounded
from hitl_core._http.trust import public_trust
from hitl_core.logs import redacting

__all__ = ["NetworkTransport"]

# Look-up, connection and TLS each get this share of the time, so that together they end before the whole does: a
# time-out of the whole then always means that the request was on its way.
_SHARE_BEFORE_SENDING = 0.3

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "connecting took too long"),
    (httpx.PoolTimeout, "all connections were busy"),
    (httpx.ConnectError, "connecting failed"),
    (httpx.ReadTimeout, "the answer took too long"),
    (httpx.WriteTimeout, "sending took too long"),
    (httpx.RemoteProtocolError, "the connection was closed, or what came was not HTTP"),
    (httpx.NetworkError, "the connection broke"),
)

# At DEBUG, httpcore prints the headers of answers, cookies among them.
for _name in ("httpcore.connection", "httpcore.http11"):
    redacting(_name)


class NetworkTransport:
    """HTTP/1.1 over a pool of connections. Follows no redirect, keeps no cookie, reads no proxy from the environment.

    :param verify: certificates to trust instead of the usual ones, such as a company's own authority.
    :param connections: how many may be open at once.
    :param keepalive: seconds an idle connection is kept; less than the 5 s after which uvicorn and Node hang up,
        because a request written at that very moment has an unknown outcome.
    """

    def __init__(self, *, verify: ssl.SSLContext | None = None, connections: int = 100, keepalive: float = 4.0) -> None:
        self._verify = verify
        self._limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=keepalive
        )
        self._opened: httpx.AsyncHTTPTransport | None = None

    async def send(
        self,
        request: HttpRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - part of the contract, see Transport
        max_bytes: int,
    ) -> HttpResponse:
        """Exchange a request for its whole answer; see :meth:`Transport.send`."""
        early = timeout * _SHARE_BEFORE_SENDING
        message = _message(request, {"connect": early, "pool": early, "read": None, "write": None})
        try:
            async with asyncio.timeout(timeout):
                return await _exchange(self._pool(), message, request.url, max_bytes)
        except TimeoutError:
            raise TransportFailure(True, f"no whole answer within {timeout:g} s") from None
        except (httpx.HTTPError, OSError) as error:
            failure = _failure(error)
        raise failure  # outside of the handler: httpx's error may hold the request, credentials included

    @asynccontextmanager
    async def stream(
        self,
        request: HttpRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - as above
        max_bytes: int,
    ) -> AsyncIterator[StreamedResponse]:
        """Exchange a request for status, headers and pieces; see :meth:`Transport.stream`."""
        message = _message(request, dict.fromkeys(("connect", "pool", "read", "write"), timeout))
        response = await _open(self._pool(), message)
        headers = Headers(response.headers.raw)
        chunks = _chunks(response, headers, max_bytes)
        try:
            yield StreamedResponse(response.status_code, headers, chunks, request.url)
        finally:
            await chunks.aclose()
            await response.aclose()

    async def aclose(self) -> None:
        """Close every connection; a second call does nothing."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    def _pool(self) -> httpx.AsyncHTTPTransport:
        # Below httpx.AsyncClient, which logs whole URLs, keeps cookies and follows redirects.
        if self._opened is None:
            verify = self._verify or public_trust()
            self._opened = httpx.AsyncHTTPTransport(verify=verify, trust_env=False, limits=self._limits)
        return self._opened


def _message(request: HttpRequest, timeouts: Mapping[str, float | None]) -> httpx.Request:
    try:
        url = httpx.URL(request.url)
    except httpx.InvalidURL:
        raise TransportFailure(False, "the URL is not valid") from None
    headers = [(b"host", url.netloc)]
    headers += [(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers.items()]
    if request.body or request.method not in _WITHOUT_BODY:
        headers.append((b"content-length", b"%d" % len(request.body)))
    # Given a stream, httpx adds no header of its own: what is listed here is what is sent.
    return httpx.Request(
        request.method, url, headers=headers, stream=httpx.ByteStream(request.body), extensions={"timeout": timeouts}
    )


async def _exchange(pool: httpx.AsyncHTTPTransport, message: httpx.Request, url: str, max_bytes: int) -> HttpResponse:
    response = await pool.handle_async_request(message)
    try:
        headers = Headers(response.headers.raw)
        body = BoundedBody(response.status_code, headers, max_bytes)
        pieces = [body.feed(piece) async for piece in response.aiter_raw()]
        body.finish()
    finally:
        await response.aclose()
    return HttpResponse(response.status_code, headers, pieces[0] if len(pieces) == 1 else b"".join(pieces), url)


async def _open(pool: httpx.AsyncHTTPTransport, message: httpx.Request) -> httpx.Response:
    try:
        return await pool.handle_async_request(message)
    except (httpx.HTTPError, OSError) as error:
        failure = _failure(error)
    raise failure


async def _chunks(response: httpx.Response, headers: Headers, max_bytes: int) -> AsyncGenerator[bytes]:
    body = BoundedBody(response.status_code, headers, max_bytes)
    try:
        async for data in bounded(body, response.aiter_raw()):
            yield data
    except (httpx.HTTPError, OSError) as error:
        failure = _failure(error)
    else:
        return
    raise failure


def _failure(error: Exception) -> TransportFailure:
    sent = not isinstance(error, _NOT_SENT)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return TransportFailure(sent, "its certificate is not trusted")
        if isinstance(cause, socket.gaierror):
            return TransportFailure(sent, "its host name is not known")
        if isinstance(cause, ConnectionRefusedError):
            return TransportFailure(sent, "the connection was refused")
        cause = cause.__cause__ or cause.__context__
    reason = next((text for kind, text in _REASONS if isinstance(error, kind)), type(error).__name__)
    return TransportFailure(sent, reason)
