"""A request whose answer is read piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from hitl_core._http.call import Call
from hitl_core._http.messages import HttpRequest, HttpResponse, StreamedResponse
from hitl_core._http.transport import AnswerRefused, TransportFailure
from hitl_core.errors import ProviderError, ProviderUnavailableError

__all__ = ["StreamCall"]

_ERROR_BODY_BYTES = 64 * 1024


@dataclass(slots=True, eq=False)
class StreamCall(Call):
    """A request whose answer is left open: repeated like any other until the first success."""

    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    opened: StreamedResponse | None = None

    async def _exchange(self, request: HttpRequest) -> HttpResponse:
        await self.stack.aclose()
        streamed = await self.stack.enter_async_context(
            self.core.transport.stream(request, timeout=self.timeout, max_bytes=self.max_bytes)
        )
        if self._is_success(streamed.status):
            self.opened = streamed
            return HttpResponse(streamed.status, streamed.headers, b"", self.url)
        body = b""
        async for piece in streamed.chunks:
            body += piece
            if len(body) > _ERROR_BODY_BYTES:
                raise AnswerRefused(streamed.status, streamed.headers, "it is too large for an error")
        return HttpResponse(streamed.status, streamed.headers, body, self.url)

    async def open(self) -> StreamedResponse:
        """Bring the request to the beginning of an answer that counts as success."""
        await self.run()
        streamed = self.opened
        if streamed is None:  # run() ends with a success or an error
            raise self._error(ProviderError, "no answer was opened")
        return StreamedResponse(streamed.status, streamed.headers, self._pieces(streamed), streamed.url)

    async def _pieces(self, streamed: StreamedResponse) -> AsyncIterator[bytes]:
        try:
            async for piece in streamed.chunks:
                yield piece
        except TransportFailure as failure:
            error = self._error(ProviderUnavailableError, f"the answer broke off ({failure.reason}); read it again")
        except AnswerRefused as refused:
            error = self._error(ProviderError, f"the answer is not taken: {refused.reason}", status=refused.status)
        else:
            return
        raise error
