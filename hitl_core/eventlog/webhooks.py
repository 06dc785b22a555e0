"""Managing webhook endpoints, their secrets, and the delivery log with replay."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.eventlog.log import EventLog
from hitl_core.eventlog.models import Attempt, Delivery, DeliveryStatus, Endpoint

__all__ = ["Webhooks"]


class Webhooks:
    """Endpoints of a log's streams, and what was delivered to them.

    Endpoint ids are unique within their stream, so a tenant sees and changes only its own. Methods with ``conn`` run in
    the caller's write transaction when one is given, else in their own.
    """

    def __init__(self, log: EventLog) -> None: ...

    async def put(
        self,
        stream: str,
        id: str,
        *,
        url: str,
        types: Collection[str] | None = None,
        description: str = "",
        conn: AsyncConnection | None = None,
    ) -> tuple[Endpoint, str | None]:
        """Create an endpoint, or change its URL, types and description; it gets the events appended from now on.

        Changing leaves secret and status alone; deliveries under way go to the new URL.

        :returns: the endpoint, and its secret (``whsec_…``) when it was created: shown this once only.
        :raises InvalidEndpointError: for a URL that is not absolute http(s), or carries a user name or password.
        """

    async def get(self, stream: str, id: str, *, conn: AsyncConnection | None = None) -> Endpoint:
        """Return one endpoint.

        :raises EndpointNotFoundError: when the stream has none of that id.
        """

    async def list(self, stream: str, *, conn: AsyncConnection | None = None) -> tuple[Endpoint, ...]:
        """Return the stream's endpoints, oldest first."""

    async def delete(self, stream: str, id: str, *, conn: AsyncConnection | None = None) -> None:
        """Delete an endpoint with its delivery log; what is still to be delivered to it is not.

        :raises EndpointNotFoundError: when the stream has none of that id.
        """

    async def disable(
        self, stream: str, id: str, reason: str = "manual", *, conn: AsyncConnection | None = None
    ) -> Endpoint:
        """Send nothing more; pending deliveries become ``discarded`` and new events create none."""

    async def enable(self, stream: str, id: str, *, conn: AsyncConnection | None = None) -> Endpoint:
        """Send again, the events appended from now on; :meth:`replay_since` brings what was missed."""

    async def rotate_secret(
        self,
        stream: str,
        id: str,
        *,
        overlap: timedelta = timedelta(hours=24),
        conn: AsyncConnection | None = None,
    ) -> str:
        """Make a new secret and return it, this once; the one before signs as well until ``overlap`` is over."""

    async def send_test(self, stream: str, id: str) -> Delivery:
        """Append a ``webhook.test`` event that is posted to this endpoint only, whatever its types.

        :raises InvalidEndpointError: when the endpoint is disabled.
        """

    async def replay(self, stream: str, delivery_id: str) -> Delivery:
        """Send one delivery again, now, with the same ``webhook-id`` and body, and with a fresh retry schedule.

        :raises EndpointNotFoundError: when the stream has no such delivery.
        :raises InvalidEndpointError: when the endpoint is disabled.
        """

    async def replay_since(
        self,
        stream: str,
        id: str,
        after: str | None = None,
        *,
        statuses: Collection[DeliveryStatus] | None = None,
    ) -> int:
        """Send all events behind a cursor again, also those appended while the endpoint was away.

        :param after: cursor to start behind; None means from the oldest event kept.
        :param statuses: only existing deliveries in these states, such as ``{"failed", "discarded"}``.
        :returns: how many will be sent.
        """

    async def delivery(self, stream: str, delivery_id: str) -> Delivery:
        """Return one delivery."""

    async def deliveries(
        self,
        stream: str,
        id: str | None = None,
        *,
        statuses: Collection[DeliveryStatus] | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> tuple[Delivery, ...]:
        """Return deliveries, newest event first.

        :param id: of one endpoint; None means all of the stream.
        :param before: id of the last delivery of the page before.
        """

    async def attempts(self, stream: str, delivery_id: str) -> tuple[Attempt, ...]:
        """Return the delivery log of one delivery, oldest attempt first."""

    async def counts(self, stream: str | None = None) -> dict[DeliveryStatus, int]:
        """Count deliveries by status, of one stream or of all."""
