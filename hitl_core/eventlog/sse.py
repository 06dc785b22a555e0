"""Server-sent events: the live reader, with replay after ``Last-Event-ID``."""

from __future__ import annotations

from collections.abc import Callable, Collection

from starlette.responses import StreamingResponse

from hitl_core.eventlog.log import EventLog
from hitl_core.eventlog.models import Event

__all__ = ["sse_response"]


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

    Call it before anything is answered: a bad cursor raises here, so it can become a 400.

    :param last_event_id: the ``Last-Event-ID`` header, or a cursor; None begins with what comes next.
    :param types: only these types.
    :param transient: also show :meth:`EventLog.publish_transient` messages; they have no ``id:``.
    :param select: a further filter, such as the reader's rights.
    :param heartbeat: seconds of silence after which a comment keeps proxies from closing the connection.
    :param retry: seconds the browser waits before it reconnects.
    :param write_timeout: seconds a reader may block a write before it is cut off; it comes back with its cursor.
    :param buffer: transient messages kept for a reader who is behind; the oldest are dropped.
    :raises InvalidCursorError: when the cursor cannot be honoured without skipping events.
    """
