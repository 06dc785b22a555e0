"""Ending live streams when the server is asked to stop."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

from hitl_core.eventlog.log import EventLog

__all__ = ["close_on_signals"]


@asynccontextmanager
async def close_on_signals(log: EventLog) -> AsyncIterator[None]:
    """Close the log as soon as SIGINT or SIGTERM arrives, and at the end of the block; wrap the app's lifespan in it.

    ASGI servers wait for open responses to end *before* they run the lifespan's shutdown, so a lifespan alone would
    leave Ctrl-C waiting for streams that never end. The handlers installed before, such as the server's, run as well.
    Outside the main thread, where Python allows no handlers, only the end of the block closes the log.

    Bound the server's patience as well (uvicorn: ``timeout_graceful_shutdown``): a client that stopped reading
    altogether keeps its connection half open until then.
    """
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def close() -> None:
        tasks.add(asyncio.create_task(log.close()))

    before: dict[int, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(close)
        earlier = before[number]
        if callable(earlier):
            earlier(number, frame)
        elif earlier is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    if threading.current_thread() is threading.main_thread():
        for caught in (signal.SIGINT, signal.SIGTERM):
            before[caught] = signal.signal(caught, handle)
    try:
        yield
    finally:
        for number, earlier in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, signal.SIG_DFL if earlier is None else earlier)
        await log.close()
