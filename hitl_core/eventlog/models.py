"""What the log hands out: events, pages, endpoints, deliveries, attempts; and what it raises."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from hitl_core.errors import HitlError

__all__ = [
    "Attempt",
    "Delivery",
    "DeliveryStatus",
    "Endpoint",
    "EndpointNotFoundError",
    "EndpointStatus",
    "Event",
    "EventLogError",
    "EventPage",
    "InvalidCursorError",
    "InvalidEndpointError",
    "InvalidEventError",
]

DeliveryStatus = Literal["pending", "delivered", "failed", "discarded"]
EndpointStatus = Literal["enabled", "disabled"]


class EventLogError(HitlError):
    """The event log refuses what it was asked."""


class InvalidCursorError(EventLogError, ValueError):
    """The cursor is malformed, of another stream, trimmed away, or ahead of the log. Answer 400."""


class InvalidEventError(EventLogError, ValueError):
    """The event cannot be stored: its type name, its size, or data that is not JSON."""


class InvalidEndpointError(EventLogError, ValueError):
    """The endpoint's URL, id, types or secret cannot be used. Answer 422."""


class EndpointNotFoundError(EventLogError, LookupError):
    """No endpoint or delivery of that id belongs to the stream. Answer 404."""


def timestamp(moment: datetime) -> str:
    """Write a moment as ISO 8601 in UTC with microseconds, always of the same length."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a stream.

    Webhook bodies, pulled pages and the SSE stream all show it in one shape, :meth:`to_dict`.
    """

    id: str
    """Unique, ``evt_…``; also the ``webhook-id`` of each of its deliveries, so a receiver dedupes across readers."""
    stream: str
    position: int
    """Place in the stream: 1, 2, 3, … without gaps, in the order of commits."""
    type: str
    subject: str | None
    """What the event is about, such as a ticket id; webhooks keep the order within it."""
    subject_seq: int | None
    """Place among the events of its subject: 1, 2, 3, …; None without a subject."""
    created_at: datetime
    json: str = field(repr=False)
    """``data`` exactly as stored."""
    cursor: str
    """Position as an opaque string: pulling after it, or ``Last-Event-ID``, goes on behind this event."""

    @property
    def data(self) -> dict[str, Any]:
        """What the host appended."""
        value: dict[str, Any] = json.loads(self.json)
        return value

    def to_dict(self) -> dict[str, Any]:
        """Return ``{type, timestamp, data, id, subject, seq}``, the shape every reader sees."""
        return {
            "type": self.type,
            "timestamp": timestamp(self.created_at),
            "data": self.data,
            "id": self.id,
            "subject": self.subject,
            "seq": self.subject_seq,
        }

    def to_json(self) -> str:
        """Return :meth:`to_dict` as JSON on one line, the same characters each time."""
        head = json.dumps({"type": self.type, "timestamp": timestamp(self.created_at)}, separators=(",", ":"))
        tail = json.dumps({"id": self.id, "subject": self.subject, "seq": self.subject_seq}, separators=(",", ":"))
        return f'{head[:-1]},"data":{self.json},{tail[1:]}'

    def body(self) -> bytes:
        """Return the body of its webhook, byte-identical for each endpoint and each attempt."""
        return self.to_json().encode()


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events of a stream, oldest first."""

    events: tuple[Event, ...]
    cursor: str
    """Where to go on; also set, and further on, when a type filter let nothing through."""
    more: bool
    """Whether the next page already has events, so that asking again need not wait."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place a stream's events are posted to. Secrets are never part of it."""

    stream: str
    id: str
    url: str = field(repr=False)
    types: tuple[str, ...] | None
    """Event types it wants; None means all."""
    description: str = field(repr=False)
    status: EndpointStatus
    disabled_reason: str | None
    """``gone`` (the receiver answered 410) or what :meth:`Webhooks.disable` was given."""
    resume_at: datetime | None
    """Nothing is sent before it, because the receiver asked for that with ``Retry-After``."""
    secret_expiries: tuple[datetime | None, ...]
    """When each of its secrets stops signing, the current one (None) first."""
    created_at: datetime
    updated_at: datetime

    def require_enabled(self) -> None:
        """Refuse to go on with an endpoint nothing is sent to.

        :raises InvalidEndpointError: when it is disabled.
        """
        if self.status != "enabled":
            raise InvalidEndpointError(
                f"the webhook endpoint is disabled ({self.disabled_reason}); enable it first, then send again"
            )


@dataclass(frozen=True, slots=True)
class Delivery:
    """The obligation to bring one event to one endpoint."""

    id: str
    stream: str
    endpoint_id: str
    event_id: str
    type: str
    subject: str | None
    position: int
    status: DeliveryStatus
    attempts: int
    """How often it was sent, replays included; the number of its last entry in the delivery log."""
    failures: int
    """How far it is in the retry schedule."""
    next_attempt_at: datetime | None
    """Earliest next attempt while pending; an earlier event of its subject may hold it longer."""
    last_status: int | None
    """HTTP status of the last answer."""
    last_error: str | None
    """Class of the last failure: ``timeout``, ``connect``, ``blocked_address``, ``http_500``, …"""
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of the delivery log."""

    delivery_id: str
    n: int
    started_at: datetime
    duration_ms: int | None
    """None while it runs, and for ever when the process died meanwhile."""
    status: int | None
    error: str | None
