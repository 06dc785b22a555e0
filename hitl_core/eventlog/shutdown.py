"""Ending live streams when the server is asked to stop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hitl_core.eventlog.log import EventLog

__all__ = ["close_on_signals"]


@asynccontextmanager
async def close_on_signals(log: EventLog) -> AsyncIterator[None]:
    """Close the log as soon as SIGINT or SIGTERM arrives, for the time of the block; wrap the app's lifespan in it.

    ASGI servers wait for open responses to end *before* they run the lifespan's shutdown, so a lifespan alone
    would leave Ctrl-C waiting for streams that never end. The server's own handlers still run.
    """
    yield
