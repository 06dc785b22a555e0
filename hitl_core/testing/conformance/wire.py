"""The wire between provider and helpdesk, with a pair of scissors: works over memory, sockets and cassettes alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from hitl_core._http.messages import HttpRequest, HttpResponse, StreamedResponse
from hitl_core._http.transport import BoundedBody, Transport, TransportFailure

__all__ = ["Cut", "CutKind", "Wire", "is_write"]

CutKind: TypeAlias = Literal["refuse", "lose_request", "lose_answer", "answer", "answer_after", "hold"]


def is_write(request: HttpRequest) -> bool:
    """Whether a request may change something."""
    return request.method not in {"GET", "HEAD", "OPTIONS"}


@dataclass(slots=True)
class Cut:
    """What happens to the next requests that match.

    ``refuse``: no connection, nothing was sent. ``lose_request``: sent, never arrived, no answer. ``lose_answer``:
    carried out, no answer. ``answer``: answered so, nothing was done. ``answer_after``: carried out, yet answered so.
    ``hold``: carried out, and the answer held back until :attr:`released` is set.

    :param times: how many requests; ``None`` for all from now on.
    :param spare: how many matching requests pass unharmed first.
    :param held: how many answers have been held back so far.
    """

    kind: CutKind
    times: int | None = 1
    matches: Callable[[HttpRequest], bool] = is_write
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    spare: int = 0
    held: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a request has come to a ``hold``."""
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def hold(self) -> None:
        """Keep an answer back."""
        self.held += 1
        self.reached.set()
        await self.released.wait()


class Wire:
    """A transport in front of another one.

    :ivar requests: every request that was tried, in order, repeats included.
    :ivar streaming: how many answers are open, to be read piece by piece.
    """

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self._cuts: list[Cut] = []
        self._made: list[Cut] = []
        self.requests: list[HttpRequest] = []
        self.streaming = 0

    def cut(self, kind: CutKind, **how: object) -> Cut:
        """Let the next matching requests go wrong; see :class:`Cut`."""
        cut = Cut(kind, **how)  # type: ignore[arg-type]  # the fields of Cut, checked by it
        self._cuts.append(cut)
        self._made.append(cut)
        return cut

    def mend(self) -> None:
        """Let nothing go wrong any more, and let go what is held."""
        for cut in self._made:
            cut.released.set()
        self._cuts.clear()
        self._made.clear()

    def writes(self) -> list[HttpRequest]:
        """Return the requests that may have changed something."""
        return [request for request in self.requests if is_write(request)]

    async def send(
        self,
        request: HttpRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - part of the contract, see Transport
        max_bytes: int,
    ) -> HttpResponse:
        """Carry one request, or not."""
        self.requests.append(request)
        cut = self._next(request)
        await asyncio.sleep(0)  # calls at the same time take turns, in memory as on a network
        if cut is not None and cut.kind == "refuse":
            raise TransportFailure(False, "the connection was refused")
        if cut is not None and cut.kind == "lose_request":
            raise TransportFailure(True, f"no whole answer within {timeout:g} s")
        if cut is not None and cut.kind == "answer":
            return self._answer(cut, request, max_bytes)
        response = await self._inner.send(request, timeout=timeout, max_bytes=max_bytes)
        if cut is not None and cut.kind == "lose_answer":
            raise TransportFailure(True, f"no whole answer within {timeout:g} s")
        if cut is not None and cut.kind == "hold":
            await cut.hold()
            return response
        return response if cut is None else self._answer(cut, request, max_bytes)

    @asynccontextmanager
    async def stream(
        self,
        request: HttpRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - as above
        max_bytes: int,
    ) -> AsyncIterator[StreamedResponse]:
        """Carry a request whose answer is read piece by piece."""
        self.requests.append(request)
        cut = self._next(request)
        if cut is not None and cut.kind == "refuse":
            raise TransportFailure(False, "the connection was refused")
        if cut is not None and cut.kind.startswith("lose"):
            raise TransportFailure(True, f"no answer within {timeout:g} s")
        if cut is not None and cut.kind.startswith("answer"):
            answer = self._answer(cut, request, max_bytes)

            async def pieces() -> AsyncIterator[bytes]:
                yield answer.body

            yield StreamedResponse(answer.status, answer.headers, pieces(), request.url)
            return
        async with self._inner.stream(request, timeout=timeout, max_bytes=max_bytes) as response:
            if cut is not None:
                await cut.hold()
            self.streaming += 1
            try:
                yield response
            finally:
                self.streaming -= 1

    async def aclose(self) -> None:
        """Nothing is held; whoever made the inner transport closes it."""

    def _next(self, request: HttpRequest) -> Cut | None:
        for cut in self._cuts:
            if not cut.matches(request):
                continue
            if cut.spare:
                cut.spare -= 1
                continue
            if cut.times is not None:
                cut.times -= 1
                if cut.times <= 0:
                    self._cuts.remove(cut)
            return cut
        return None

    def _answer(self, cut: Cut, request: HttpRequest, max_bytes: int) -> HttpResponse:
        response = HttpResponse(cut.status, cut.headers, cut.body, request.url)
        body = BoundedBody(cut.status, response.headers, max_bytes)
        whole = body.feed(cut.body)
        body.finish()
        return HttpResponse(cut.status, response.headers, whole, request.url)
