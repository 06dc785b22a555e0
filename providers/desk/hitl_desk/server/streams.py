"""Streams that end when whoever reads them is no longer let in."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Final

from fastapi import Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from hitl_core.clock import Clock
from hitl_desk.server.presence import Presence

__all__ = ["GuardedStream", "while_let_in"]

_CHECK_EVERY: Final = 15.0
"""As often as a silent stream sends a sign of life."""


async def while_let_in(
    frames: AsyncIterable[Any], clock: Clock, let_in: Callable[[], Awaitable[bool]]
) -> AsyncIterator[Any]:
    """Pass frames on, asking now and then whether the reader is still let in; another process may have decided.

    :param let_in: whether they are.
    """
    asked = clock.monotonic()
    async for frame in frames:
        if clock.monotonic() - asked >= _CHECK_EVERY:
            if not await let_in():
                return
            asked = clock.monotonic()
        yield frame


class GuardedStream(Response):
    """Serves a stream until its owner is shut out in this process, at once.

    :param owner: whom :meth:`Presence.end` names: a bot, or a session.
    :param around: what holds while the stream is read.
    """

    def __init__(
        self,
        stream: StreamingResponse,
        presence: Presence,
        owner: str,
        *,
        around: Callable[[], AbstractAsyncContextManager[object]] | None = None,
    ) -> None:
        super().__init__()
        self._stream = stream
        self._presence = presence
        self._owner = owner
        self._around = around

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""
        async with AsyncExitStack() as stack:
            until = await stack.enter_async_context(self._presence.ending(self._owner, receive))
            if self._around is not None:
                await stack.enter_async_context(self._around())
            await self._stream(scope, until, send)
