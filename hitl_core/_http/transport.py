"""What carries a request: the contract, its two ways to fail, and the bound on what comes back."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, runtime_checkable

from hitl_core._http.messages import Headers, HttpRequest, HttpResponse, StreamedResponse

__all__ = ["AnswerRefused", "AsgiApp", "BoundedBody", "Transport", "TransportFailure", "bounded"]

_GZIP_MAGIC = 0x1F

AsgiApp = Callable[[Any, Any, Any], Awaitable[Any]]


class TransportFailure(Exception):  # noqa: N818 - it never reaches a user, and is half of a decision, not an error
    """There was no whole answer.

    :param sent: whether the helpdesk may have seen the request. ``False`` is a promise that it has not.
    :param reason: what happened, in a few words, without addresses or content.
    """

    def __init__(self, sent: bool, reason: str = "") -> None:
        super().__init__(reason)
        self.sent = sent
        self.reason = reason or ("the connection broke" if sent else "no connection")


class AnswerRefused(Exception):  # noqa: N818 - as above
    """An answer came, and its body is not taken: too large, or not to be decompressed."""

    def __init__(self, status: int, headers: Headers, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers
        self.reason = reason


@runtime_checkable
class Transport(Protocol):
    """Carries one request at a time, each once: no repeats, no redirects, no cookies."""

    async def send(
        self,
        request: HttpRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - the transport alone knows whether a time-out came before or after sending
        max_bytes: int,
    ) -> HttpResponse:
        """Exchange a request for its whole answer.

        :param timeout: seconds for everything.
        :param max_bytes: how large the decompressed body may be.
        :raises TransportFailure: there was no whole answer.
        :raises AnswerRefused: the body is larger, or cannot be decompressed.
        """
        ...

    def stream(
        self, request: HttpRequest, *, timeout: float, max_bytes: int
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """Exchange a request for status and headers, the body to be read piece by piece.

        :param timeout: seconds until the headers, and again for each piece.
        :raises TransportFailure: on opening, or while reading.
        :raises AnswerRefused: while reading.
        """
        ...

    async def aclose(self) -> None:
        """Let go of every connection; a second call does nothing."""
        ...


class BoundedBody:
    """Decompresses a body piece by piece and never holds more than it may (decompression bombs included).

    Only gzip is asked for, hence only gzip is understood.

    :raises AnswerRefused: see :class:`AnswerRefused`; the body is larger than ``max_bytes``, or broken.
    """

    __slots__ = ("_fed", "_headers", "_inflate", "_left", "_limit", "_status")

    def __init__(self, status: int, headers: Headers, max_bytes: int) -> None:
        self._status = status
        self._headers = headers
        self._limit = self._left = max_bytes
        self._fed = False
        self._inflate: Any = None
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding in {"gzip", "x-gzip"}:
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        elif encoding not in {"", "identity"}:
            raise self._refused("its content encoding was not asked for")

    def feed(self, data: bytes) -> bytes:
        """Take what came over the wire; return what it says."""
        if self._inflate is None:
            return self._counted(data)
        pieces = []
        self._fed = self._fed or bool(data)
        while data:
            if self._inflate.eof:  # a gzip file may have several members (RFC 1952, 2.2), or padding behind it
                if data[0] != _GZIP_MAGIC:
                    break
                self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                # One byte more than allowed tells "exactly full" from "too large".
                pieces.append(self._counted(self._inflate.decompress(data, self._left + 1)))
            except zlib.error:
                raise self._refused("its compression is broken") from None
            data = self._inflate.unused_data
        return b"".join(pieces)

    def finish(self) -> None:
        """Check that nothing is missing at the end."""
        if self._inflate is not None and self._fed and not self._inflate.eof:
            raise self._refused("its compression is broken")

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise self._refused(f"it is larger than {self._limit} bytes")
        return data

    def _refused(self, why: str) -> AnswerRefused:
        return AnswerRefused(self._status, self._headers, why)


async def bounded(body: BoundedBody, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass the pieces of a body through its bound, dropping the empty ones."""
    async for piece in pieces:
        if data := body.feed(piece):
            yield data
    body.finish()
