"""Server-sent events: the live reader, with replay after ``Last-Event-ID``.

Source of the format: the HTML standard, section "Server-sent events".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import AsyncExitStack

from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from hitl_core.errors import HitlError
from hitl_core.eventlog.log import EventLog
from hitl_core.eventlog.models import Event

__all__ = ["EventStreamResponse", "sse_response"]

logger = logging.getLogger(__name__)


async def sse_response(
    log: EventLog,
    stream: str,
    last_event_id: str | None = None,
    *,
    types: Collection[str] | None = None,
    transient: bool = True,
    select: Callable[[Event], bool] | None = None,
    heartbeat: float = 15.0,
    retry: float = 2.0,
    write_timeout: float = 20.0,
    buffer: int = 64,
) -> StreamingResponse:
    """Answer with the stream's events, live: ``id:`` cursor, ``event:`` type, ``data:`` :meth:`Event.to_dict`.

    Await it before anything is answered: a bad cursor raises here, so it can become a 400. The stream first tells the
    browser where it begins, so a connection that breaks before the first event loses nothing either.

    :param last_event_id: the ``Last-Event-ID`` header, or a cursor; None begins with what comes next.
    :param types: only these types; None or empty means all. Transient messages are not filtered.
    :param transient: also show :meth:`EventLog.publish_transient` messages: ``data:`` as published, and no ``id:``.
    :param select: a further filter, such as the reader's rights.
    :param heartbeat: seconds of silence after which a comment keeps proxies from closing the connection.
    :param retry: seconds the browser waits before it reconnects.
    :param write_timeout: seconds a reader may block a write before it is cut off; it comes back with its cursor.
    :param buffer: transient messages kept for a reader who is behind; the oldest are dropped.
    :raises InvalidCursorError: when the cursor cannot be honoured without skipping events.
    """
    if last_event_id:
        await log.check_cursor(stream, last_event_id)
        cursor = last_event_id
    else:
        cursor = await log.latest(stream)
    frames = _frames(
        log,
        stream,
        cursor,
        types=types,
        select=select,
        heartbeat=heartbeat,
        retry=retry,
        buffer=buffer if transient else 0,
    )
    return EventStreamResponse(frames, write_timeout)


async def _frames(
    log: EventLog,
    stream: str,
    cursor: str,
    *,
    types: Collection[str] | None,
    select: Callable[[Event], bool] | None,
    heartbeat: float,
    retry: float,
    buffer: int,
) -> AsyncGenerator[bytes]:
    # An id without data moves the browser's Last-Event-ID and dispatches nothing.
    yield f"retry: {round(retry * 1000)}\nid: {cursor}\n\n".encode()
    clock = log.clock
    with log.hub.subscribe(stream, buffer=buffer) as subscription:
        quiet_since = clock.monotonic()
        while True:
            subscription.clear()
            passing = list(subscription.transients)
            subscription.transients.clear()
            page = await log.read(stream, cursor, types=types)
            cursor = page.cursor
            shown = [event for event in page.events if select is None or select(event)]
            lines = [f"event: {message.type}\ndata: {message.json}\n\n" for message in passing]
            lines += [f"id: {event.cursor}\nevent: {event.type}\ndata: {event.to_json()}\n\n" for event in shown]
            if not lines and clock.monotonic() - quiet_since >= heartbeat:
                lines.append(f": keep-alive\nid: {cursor}\n\n")
            if lines:
                yield "".join(lines).encode()
                quiet_since = clock.monotonic()
            if log.closed:
                return
            if not page.more:
                await subscription.wait(max(heartbeat - (clock.monotonic() - quiet_since), 0.0))


class EventStreamResponse(StreamingResponse):
    """A stream that ends with its client, its server, or a reader too slow to follow.

    A host may put a generator of its own around ``body_iterator``.

    :param frames: the stream, in pieces that end where a message ends.
    :param write_timeout: seconds one write may take.
    """

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes], write_timeout: float) -> None:
        super().__init__(
            frames,
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )
        self._frames = frames
        self._write_timeout = write_timeout

    async def stream_response(self, send: Send) -> None:
        """Send the frames; return early when the reader does not take them."""

        async def push(message: Message) -> None:
            try:
                async with asyncio.timeout(self._write_timeout):
                    await send(message)
            except TimeoutError:
                raise _SlowReaderError from None

        try:
            async with AsyncExitStack() as closing:
                for frames in (self._frames, self.body_iterator):
                    if isinstance(frames, AsyncGenerator):
                        closing.push_async_callback(frames.aclose)
                await super().stream_response(push)
        except _SlowReaderError:
            logger.info("an event stream was closed: its reader did not take it for %g s", self._write_timeout)
        except (SQLAlchemyError, HitlError, OSError) as error:
            # The reader comes back by itself, with the cursor of the last event it got.
            logger.info("an event stream ended (%s)", type(error).__name__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream, listening for the client's leaving whatever the server's ASGI version."""
        work = asyncio.create_task(self.stream_response(send))
        left = asyncio.create_task(self.listen_for_disconnect(receive))
        try:
            await asyncio.wait((work, left), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, left):
                task.cancel()
            await asyncio.gather(work, left, return_exceptions=True)
        if work.done() and not work.cancelled():
            work.result()


class _SlowReaderError(Exception):
    """A write took too long."""
