"""An append-only log of events with three readers: signed webhooks, cursor pull with long poll, and SSE.

The log lives in the host's database. The host appends in its own transaction (a transactional outbox): what the
transaction decides, the events that tell of it and every obligation to deliver them commit together or not at all.

    tables = define_tables(metadata)
    engine = create_engine("sqlite:///desk.db")
    log = EventLog(engine, tables)

    async with begin_write(engine) as conn:
        ...                                             # the host's own rows
        await log.append(conn, stream="bot_1", type="ticket.closed", data={...}, subject="t_7")
    log.notify("bot_1")                                 # after the commit

    page = await log.read("bot_1", after=cursor, wait=30)          # pull
    return await sse_response(log, "bot_1", last_event_id)         # live
    async with GuardedSender(policy) as sender, WebhookDispatcher(log, sender): ...   # push
"""

from hitl_core.eventlog.dispatcher import DeliveryPolicy, WebhookDispatcher
from hitl_core.eventlog.log import EventLog
from hitl_core.eventlog.models import (
    Attempt,
    Delivery,
    DeliveryStatus,
    Endpoint,
    EndpointNotFoundError,
    EndpointStatus,
    Event,
    EventLogError,
    EventPage,
    InvalidCursorError,
    InvalidEndpointError,
    InvalidEventError,
)
from hitl_core.eventlog.sender import GuardedSender, Sender, SendResult
from hitl_core.eventlog.shutdown import close_on_signals
from hitl_core.eventlog.sse import EventStreamResponse, sse_response
from hitl_core.eventlog.tables import EventTables, define_tables
from hitl_core.eventlog.webhooks import Webhooks

__all__ = [
    "Attempt",
    "Delivery",
    "DeliveryPolicy",
    "DeliveryStatus",
    "Endpoint",
    "EndpointNotFoundError",
    "EndpointStatus",
    "Event",
    "EventLog",
    "EventLogError",
    "EventPage",
    "EventStreamResponse",
    "EventTables",
    "GuardedSender",
    "InvalidCursorError",
    "InvalidEndpointError",
    "InvalidEventError",
    "SendResult",
    "Sender",
    "WebhookDispatcher",
    "Webhooks",
    "close_on_signals",
    "define_tables",
    "sse_response",
]
