"""The client providers send with: one host, its credentials, and repeats only where they are safe."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

from hitl_core._http.auth import Auth
from hitl_core._http.budget import ACCOUNT, Budget, LimitsParser
from hitl_core._http.call import SAFE_METHODS, Call
from hitl_core._http.encoding import Files, encode_body, encode_key, header_value
from hitl_core._http.failures import Classify
from hitl_core._http.messages import HttpResponse, StreamedResponse
from hitl_core._http.parts import Binding, Core
from hitl_core._http.streaming import StreamCall
from hitl_core._http.transport import Transport
from hitl_core._http.urls import Base, Params
from hitl_core._http.waits import RetryPolicy
from hitl_core.clock import Clock, SystemClock
from hitl_core.errors import ConfigurationError
from hitl_core.logs import get_logger

__all__ = ["HttpClient", "RequestOptions"]

_DEFAULT_HEADERS = {"accept": "application/json", "accept-encoding": "gzip", "user-agent": "hitl-core"}
MIB = 1024 * 1024


class RequestOptions(TypedDict, total=False):
    """What :meth:`HttpClient.request` and its short forms take."""

    json: Any
    content: bytes | str | None
    content_type: str | None
    files: Files | None
    form: Params | None
    params: Params | None
    headers: Mapping[str, str] | None
    key: str | None
    repeatable: bool | None
    accept: Collection[int]
    timeout: float | None
    scopes: Sequence[str]
    cost: float


def _no_deadline() -> datetime | None:
    return None


class HttpClient:
    """HTTP for one connection, and with :meth:`bind` for one host.

    :param waits: ``"raise"`` never sleeps: what would have waited raises at once, with ``retry_after`` where known.
    :param budget: the account's allowance; none means that only the helpdesk's own refusals slow us down.
    :param timeout: seconds for each attempt, the answer's body included.
    :param deadline: time after which no write may start, aware; asked each time.
    """

    __slots__ = ("_core", "binding")

    def __init__(
        self,
        transport: Transport,
        *,
        clock: Clock | None = None,
        waits: Literal["sleep", "raise"] = "sleep",
        budget: Budget | None = None,
        retry: RetryPolicy | None = None,
        log: logging.LoggerAdapter[logging.Logger] | None = None,
        provider: str | None = None,
        connection: str | None = None,
        timeout: float = 30.0,
        deadline: Callable[[], datetime | None] = _no_deadline,
    ) -> None:
        if waits not in {"sleep", "raise"}:
            msg = f"waits is 'sleep' or 'raise', not {waits!r}"
            raise ConfigurationError(msg)
        if timeout <= 0:
            msg = "timeout must be more than 0 seconds"
            raise ConfigurationError(msg)
        self._core = Core(
            transport,
            clock or SystemClock(),
            waits,
            budget,
            retry or RetryPolicy(),
            log or get_logger(connection),
            provider,
            connection,
            timeout,
            deadline,
        )
        self.binding: Binding | None = None

    def __repr__(self) -> str:
        host = self.binding.base.host if self.binding else "no host yet"
        return f"<HttpClient of {self._core.connection or 'no connection'} for {host}>"

    def bind(
        self,
        *,
        base_url: str,
        auth: Auth | None = None,
        headers: Mapping[str, str] | None = None,
        key_header: str | None = "Idempotency-Key",
        classify: Classify | None = None,
        limits: LimitsParser | None = None,
        max_response_bytes: int = 10 * MIB,
        allow_http: bool = False,
    ) -> HttpClient:
        """Return a client for one host; credentials and headers go nowhere else.

        :param base_url: ``https://host[:port][/path]``. Plain ``http`` is taken for this machine only.
        :param headers: sent with every request.
        :param key_header: where the vendor takes idempotency keys; ``None`` when it has none, so that a key makes
            nothing repeatable.
        :param classify: reads refusals in the vendor's format; not asked about successes.
        :param limits: reads the vendor's rate-limit headers, such as :func:`~hitl_core._http.common_limits`.
        :param max_response_bytes: bound of each decompressed answer.
        :param allow_http: take plain ``http`` for any host, in a network you own.
        :raises ConfigurationError: ``base_url`` is not such an address, or a header cannot be sent.
        """
        client = copy(self)
        client.binding = Binding(
            Base(base_url, allow_http=allow_http),
            auth,
            {**_DEFAULT_HEADERS, **_checked(headers)},
            key_header.lower() if key_header else None,
            classify,
            limits,
            max_response_bytes,
        )
        return client

    async def request(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        json: Any = None,
        content: bytes | str | None = None,
        content_type: str | None = None,
        files: Files | None = None,
        form: Params | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
        repeatable: bool | None = None,
        accept: Collection[int] = (),
        timeout: float | None = None,  # noqa: ASYNC109 - of each attempt, not of the whole
        scopes: Sequence[str] = (),
        cost: float = 1,
    ) -> HttpResponse:
        """Send a request and return its answer; repeat it where its failure and its nature allow.

        Not sent, or refused (429; 503 with ``Retry-After``): repeated whatever it is. Possibly carried out (no answer,
        5xx, 408): repeated only when ``repeatable``. Repeats are the same to the byte, credentials aside. A 401 is
        repeated when ``auth`` has something newer, twice at most.

        :param path: below the base URL, its variable pieces made by :func:`segment`; or an absolute URL on the same
            origin, such as a link to the next page.
        :param operation: the hook or vendor call, for errors.
        :param json: JSON body; ``None`` is no body. One of ``json``, ``content``, and ``form`` with ``files``.
        :param key: idempotency key; the same for every repeat, here and later.
        :param repeatable: whether carrying it out twice does no harm. By default so are GET, HEAD and OPTIONS, and a
            write with a key the vendor honours; a PUT is not (behaviour F37).
        :param accept: statuses outside of 2xx to return rather than raise.
        :param timeout: seconds for each attempt, instead of the client's.
        :param scopes: further limits it counts in, the narrowest first, such as ``"ticket:17"`` (behaviour F38).
        :param cost: how much it counts.
        :raises ConfigurationError: the client is not bound to a host.
        :raises InvalidRequestError: refused (400, 422, …), or not fit to be sent.
        :raises AuthenticationError: 401. :raises PermissionDeniedError: 402, 403. :raises NotFoundError: 404, 410.
        :raises ConflictError: 409, 412, 423.
        :raises RateLimitedError: 429, or the budget, with a longer wait than allowed.
        :raises ProviderUnavailableError: not sent, refused by 503, or a repeatable request that kept failing.
        :raises AmbiguousOutcomeError: a write that may have been carried out. ``retryable`` if a key makes it safe.
        :raises ProviderError: a redirect, or an answer that is too large.
        """
        body, kind = encode_body(json=json, content=content, content_type=content_type, files=files, form=form)
        extra = _checked(headers)
        if kind is not None:
            extra["content-type"] = header_value("content-type", kind)
        facts = self._facts(
            method,
            path,
            operation=operation,
            params=params,
            headers=extra,
            timeout=timeout,
            key=key,
            repeatable=repeatable,
            accept=accept,
        )
        return await Call(**facts, body=body, scopes=(*scopes, ACCOUNT), cost=cost).run()

    async def get(self, path: str, *, operation: str, **options: Unpack[RequestOptions]) -> HttpResponse:
        """Read; see :meth:`request`."""
        return await self.request("GET", path, operation=operation, **options)

    async def post(self, path: str, *, operation: str, **options: Unpack[RequestOptions]) -> HttpResponse:
        """Create or act; see :meth:`request`."""
        return await self.request("POST", path, operation=operation, **options)

    async def put(self, path: str, *, operation: str, **options: Unpack[RequestOptions]) -> HttpResponse:
        """Set; say ``repeatable=True`` where a repeat does no harm, see :meth:`request`."""
        return await self.request("PUT", path, operation=operation, **options)

    async def patch(self, path: str, *, operation: str, **options: Unpack[RequestOptions]) -> HttpResponse:
        """Change; see :meth:`request`."""
        return await self.request("PATCH", path, operation=operation, **options)

    async def delete(self, path: str, *, operation: str, **options: Unpack[RequestOptions]) -> HttpResponse:
        """Remove; see :meth:`request`."""
        return await self.request("DELETE", path, operation=operation, **options)

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        operation: str,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
        max_bytes: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - for each piece, not for the whole
    ) -> AsyncIterator[StreamedResponse]:
        """Read something large piece by piece: ``async with client.stream(...) as answer: async for piece in …``.

        Repeated like any read until it opens; once pieces have come, a failure is an error.

        :param accept: statuses outside of 2xx to return rather than raise, such as a redirect to where the file lies.
        :param max_bytes: bound of the decompressed body; that of :meth:`bind` when left out.
        :param timeout: seconds until the answer begins, and again for each piece.
        :raises ProviderError: as :meth:`request`, on opening and while reading.
        """
        extra = {"accept": "*/*", **_checked(headers)}
        call = StreamCall(
            **self._facts(
                "GET", path, operation=operation, params=params, headers=extra, timeout=timeout, accept=accept
            )
        )
        call.max_bytes = call.max_bytes if max_bytes is None else max_bytes
        async with call.stack:
            yield await call.open()

    async def aclose(self) -> None:
        """Close the transport, for all clients that share it."""
        await self._core.transport.aclose()

    def _facts(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        params: Params | None,
        headers: dict[str, str],
        timeout: float | None,  # of each attempt
        key: str | None = None,
        repeatable: bool | None = None,
        accept: Collection[int] = (),
    ) -> _Facts:
        binding = self.binding
        if binding is None:
            msg = "this client has no host yet; use bind(base_url=..., auth=...) first"
            raise ConfigurationError(msg)
        method = method.upper()
        keyed = key is not None and binding.key_header is not None
        if key is not None and binding.key_header is not None:
            headers[binding.key_header] = encode_key(key)
        core = self._core
        return {
            "core": core,
            "binding": binding,
            "method": method,
            "url": binding.base.url(path, params),
            "headers": {**binding.headers, **headers},
            "operation": operation,
            "harmless": method in SAFE_METHODS if repeatable is None else repeatable,
            "keyed": keyed and repeatable is None,
            "accept": accept,
            "timeout": timeout or core.timeout,
            "max_bytes": binding.max_bytes,
            "started": core.clock.monotonic(),
        }


class _Facts(TypedDict):
    core: Core
    binding: Binding
    method: str
    url: str
    headers: Mapping[str, str]
    operation: str
    harmless: bool
    keyed: bool
    accept: Collection[int]
    timeout: float
    max_bytes: int
    started: float


def _checked(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): header_value(name, value) for name, value in headers.items()} if headers else {}
