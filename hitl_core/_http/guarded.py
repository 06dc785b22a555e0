"""Requests to URLs that strangers wrote: every connection goes to an address the policy has just checked.

The check sits where the socket is opened. The connection pool keeps thinking in host names, so the ``Host`` header,
the TLS server name and the certificate check are those of the URL, while the address connected to is one of those
:class:`~hitl_core.netguard.AddressPolicy` resolved and passed. There is no second resolution a name server could
answer differently, no proxy from the environment, and no redirect is followed here.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Final, NamedTuple, Self

import httpcore

from hitl_core._http.trust import public_trust
from hitl_core.errors import ConfigurationError, HitlError
from hitl_core.netguard import AddressPolicy, ParsedUrl

__all__ = [
    "GuardedClient",
    "GuardedResponse",
    "Reply",
    "ResponseTooLargeError",
    "TransferConnectError",
    "TransferError",
    "TransferTimeoutError",
]

# A body that is not wanted is read up to here, so that the connection can be used again; a longer one is cut off.
_DRAIN_BYTES: Final = 16_384
_DRAIN_SECONDS: Final = 1.0
# Ours to set: they decide where the request goes and where its body ends.
_RESERVED_HEADERS: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "upgrade", "trailer"}
)


class TransferError(HitlError):
    """The request failed, and not by an HTTP status; names the origin, never path, query or headers."""


class TransferTimeoutError(TransferError, TimeoutError):
    """The whole exchange did not end in the time allowed."""


class TransferConnectError(TransferError, ConnectionError):
    """No connection came about, or no TLS on it; nothing was sent."""


class ResponseTooLargeError(TransferError):
    """The body is, or claims to be, larger than allowed."""


class Reply(NamedTuple):
    """Status and headers (names in lower case) of an answer whose body nobody needs."""

    status: int
    headers: Mapping[str, str]


class GuardedResponse:
    """An answer whose body is still on its way; iterate to receive it, as sent and at most ``max_bytes`` of it."""

    def __init__(self, response: httpcore.Response, *, origin: str, max_bytes: int) -> None:
        self.status: int = response.status
        self.headers: Mapping[str, str] = _headers_of(response)
        self._response = response
        self._origin = origin
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces.

        :raises ResponseTooLargeError: before the first piece when the length is announced, else as soon as it shows.
        """
        announced = self.headers.get("content-length", "")
        received = int(announced) if announced.isascii() and announced.isdigit() else 0
        self._check(received)
        received = 0
        async for piece in self._response.aiter_stream():
            received += len(piece)
            self._check(received)
            yield piece

    def _check(self, received: int) -> None:
        if received > self._max_bytes:
            raise ResponseTooLargeError(f"The answer of {self._origin} is larger than {self._max_bytes} bytes.")


class GuardedClient:
    """Sends to addresses the policy passes, and to no other.

    :param policy: decides on every URL and every address.
    :param keep_alive: idle connections kept for the next request to the same host; 0 closes each after use, and
        then there is nothing to close at the end.
    :param ssl_context: trust anchors; the same public ones as the rest of the transport when left out.
    :param backend: opens the sockets; for tests.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        keep_alive: int = 10,
        ssl_context: ssl.SSLContext | None = None,
        backend: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._policy = policy
        self._keep_alive = keep_alive
        self._ssl_context = ssl_context
        self._backend = _GuardedBackend(policy, backend or httpcore.AnyIOBackend())
        self._opened: httpcore.AsyncConnectionPool | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close idle connections; the client may be used again."""
        if self._opened is not None:
            pool, self._opened = self._opened, None
            await pool.aclose()

    async def post(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes,
        timeout: float = 15.0,  # noqa: ASYNC109  one bound over name, connection, sending and answer
    ) -> Reply:
        """Post a body and return status and headers of the answer; a redirect is an answer like any other.

        :param timeout: seconds for everything together.
        :raises BlockedAddressError: when the policy refuses the URL or its address.
        :raises HostNotFoundError: when the name does not resolve.
        :raises TransferError: in one of its forms, when there was no answer.
        :raises ConfigurationError: when HTTP does not allow one of the headers.
        """
        reply: Reply | None = None
        try:
            async with self._exchange("POST", url, headers, content, timeout) as (response, _):
                reply = Reply(response.status, _headers_of(response))
                await _drain(response)
        except TransferError:
            if reply is None:  # otherwise the answer is known, and nothing that happens to its body changes it
                raise
        return reply

    @asynccontextmanager
    async def stream_get(
        self,
        url: str,
        *,
        max_bytes: int,
        timeout: float = 30.0,  # noqa: ASYNC109  one bound over everything, the reading included
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[GuardedResponse]:
        """Get a URL and hand over the answer while its body arrives; undecoded, redirects not followed.

        :param max_bytes: of the body.
        :param timeout: seconds for everything together, the body of the ``async with`` included.
        :raises BlockedAddressError: when the policy refuses the URL or its address.
        :raises HostNotFoundError: when the name does not resolve.
        :raises TransferError: in one of its forms; also while the body is read.
        :raises ConfigurationError: when HTTP does not allow one of the headers.
        """
        async with self._exchange("GET", url, headers, None, timeout) as (response, parsed):
            yield GuardedResponse(response, origin=parsed.origin, max_bytes=max_bytes)

    @asynccontextmanager
    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        content: bytes | None,
        seconds: float,
    ) -> AsyncIterator[tuple[httpcore.Response, ParsedUrl]]:
        parsed = self._policy.check_url(url)
        sent = _headers_for(parsed, headers or {}, content)
        phases = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
        target = httpcore.URL(scheme=parsed.scheme, host=parsed.host, port=parsed.port, target=parsed.target)
        bound = asyncio.timeout(seconds)
        try:
            async with (
                bound,
                self._pool().stream(
                    method, target, headers=sent, content=content, extensions={"timeout": phases}
                ) as response,
            ):
                yield response, parsed
        except TimeoutError as error:
            if not bound.expired():
                raise
            raise TransferTimeoutError(f"{parsed.origin} did not finish within {seconds:g} s.") from error
        except httpcore.TimeoutException as error:
            raise TransferTimeoutError(f"{parsed.origin} did not finish within {seconds:g} s.") from error
        except httpcore.ConnectError as error:
            raise TransferConnectError(_why_unconnected(parsed.origin, error)) from error
        except httpcore.LocalProtocolError:  # its text quotes the header, which may be a credential
            raise ConfigurationError(f"The request to {parsed.origin} has a header that HTTP does not allow.") from None
        except (httpcore.ProtocolError, httpcore.NetworkError):  # its text may quote what the other side sent
            raise TransferError(f"{parsed.origin} broke off, or does not speak HTTP.") from None

    def _pool(self) -> httpcore.AsyncConnectionPool:
        if self._opened is None:
            self._opened = httpcore.AsyncConnectionPool(
                ssl_context=self._ssl_context or public_trust(),
                max_connections=None,
                max_keepalive_connections=self._keep_alive,
                keepalive_expiry=15.0,
                network_backend=self._backend,
            )
        return self._opened


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens a connection to the host's checked addresses, one after the other."""

    def __init__(self, policy: AddressPolicy, inner: httpcore.AsyncNetworkBackend) -> None:
        self._policy = policy
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  the signature of the base class
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._policy.resolve_host(host, port)
        share = timeout / len(addresses) if timeout is not None else None
        failure: Exception | None = None
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError


def _headers_for(parsed: ParsedUrl, headers: Mapping[str, str], content: bytes | None) -> list[tuple[bytes, bytes]]:
    sent = {"host": parsed.netloc, "accept": "*/*", "accept-encoding": "identity", "user-agent": "hitl-core"}
    if content is not None:
        sent["content-length"] = str(len(content))
    sent |= {name.lower(): value for name, value in headers.items() if name.lower() not in _RESERVED_HEADERS}
    try:
        return [(name.encode("ascii"), value.encode("ascii")) for name, value in sent.items()]
    except UnicodeEncodeError:
        raise ConfigurationError(f"The request to {parsed.origin} has a header that is not ASCII.") from None


def _headers_of(response: httpcore.Response) -> Mapping[str, str]:
    received: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        received[name] = f"{received[name]}, {value}" if name in received else value
    return received


async def _drain(response: httpcore.Response) -> None:
    received = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for piece in response.aiter_stream():
                received += len(piece)
                if received > _DRAIN_BYTES:
                    return


def _why_unconnected(origin: str, error: httpcore.ConnectError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"The certificate of {origin} does not hold: {cause.verify_message}."
        if isinstance(cause, ssl.SSLError):
            return f"{origin} does not speak TLS as expected; check the scheme and the port."
        cause = cause.__cause__ or cause.__context__
    return f"No connection to {origin}; check that it is up and reachable from here."
