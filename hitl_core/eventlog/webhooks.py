"""Managing webhook endpoints, their secrets, and the delivery log with replay."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.database import begin_read, begin_write
from hitl_core.eventlog.log import EventLog
from hitl_core.eventlog.models import (
    Attempt,
    Delivery,
    DeliveryStatus,
    Endpoint,
    EndpointNotFoundError,
    EventLogError,
    InvalidEndpointError,
)
from hitl_core.eventlog.obligations import Obligations
from hitl_core.eventlog.signing import first_secret, rotated, secret_expiries
from hitl_core.netguard import AddressPolicy, BlockedAddressError
from hitl_core.standard_webhooks import SECRET_FORM, is_secret

__all__ = ["Webhooks"]

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_TYPE = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*", re.ASCII)


class Webhooks:
    """Endpoints of a log's streams, and what was delivered to them.

    Endpoint ids are unique within their stream, so a tenant sees and changes only its own. Methods with ``conn`` run in
    the caller's write transaction when one is given, else in their own.

    :param policy: refuses a URL at :meth:`put` that the sender would not post to; names are resolved only when sending.
    """

    def __init__(self, log: EventLog, *, policy: AddressPolicy | None = None) -> None:
        self._log = log
        self._policy = policy
        self._t = log.tables
        self._obligations = Obligations(log)

    async def put(
        self,
        stream: str,
        id: str,
        *,
        url: str,
        types: Collection[str] | None = None,
        description: str = "",
        secret: str | None = None,
        conn: AsyncConnection | None = None,
    ) -> tuple[Endpoint, str | None]:
        """Create an endpoint, or change its URL, types and description; it gets the events appended from now on.

        Changing leaves secret and status alone; deliveries under way go to the new URL.

        :param types: event types it wants; None or empty means all.
        :param secret: a new endpoint's, where the receiver has one already; ``whsec_…``, made here when left out.
        :returns: the endpoint, and its secret (``whsec_…``) when it was created: shown this once only.
        :raises InvalidEndpointError: for a URL that is not absolute http(s), or carries a user name or password;
            for one the policy refuses; for an id that is not 1 to 64 of ``A-Z a-z 0-9 _ . -``; for a bad type name;
            for a secret that is not 24 to 64 bytes.
        """
        _check(id, url, types)
        if secret is not None and not is_secret(secret):
            raise InvalidEndpointError(f"a webhook secret is {SECRET_FORM}")
        if self._policy is not None:
            try:
                self._policy.check_url(url)
            except BlockedAddressError as error:
                raise InvalidEndpointError(f"nothing may be sent to this webhook URL. {error}") from None
        t = self._t.endpoints
        values = {
            "url": url,
            "types": json.dumps(sorted(set(types))) if types else None,
            "description": description,
        }
        async with self._write(conn) as work:
            await self._log.lock_stream(work, stream)
            now = await self._log.now(work)
            changed = await work.execute(
                sa.update(t).where(t.c.stream == stream, t.c.id == id).values(**values, updated_at=now)
            )
            shown = None
            if not changed.rowcount:
                shown, stored = first_secret(secret)
                await work.execute(
                    sa.insert(t).values(
                        **values,
                        stream=stream,
                        id=id,
                        secrets=stored,
                        status="enabled",
                        created_at=now,
                        updated_at=now,
                    )
                )
            return await self._endpoint(work, stream, id), shown

    async def get(self, stream: str, id: str, *, conn: AsyncConnection | None = None) -> Endpoint:
        """Return one endpoint.

        :raises EndpointNotFoundError: when the stream has none of that id.
        """
        async with self._read(conn) as work:
            return await self._endpoint(work, stream, id)

    async def list(self, stream: str, *, conn: AsyncConnection | None = None) -> tuple[Endpoint, ...]:
        """Return the stream's endpoints, oldest first."""
        t = self._t.endpoints
        async with self._read(conn) as work:
            rows = await work.execute(sa.select(t).where(t.c.stream == stream).order_by(t.c.created_at, t.c.id))
            return tuple(_endpoint_of(row) for row in rows)

    async def delete(self, stream: str, id: str, *, conn: AsyncConnection | None = None) -> None:
        """Delete an endpoint with its delivery log; what is still to be delivered to it is not.

        :raises EndpointNotFoundError: when the stream has none of that id.
        """
        t = self._t.endpoints
        async with self._write(conn) as work:
            await self._log.lock_stream(work, stream)
            gone = await work.execute(sa.delete(t).where(t.c.stream == stream, t.c.id == id))
            if not gone.rowcount:
                raise _no_endpoint(id)

    async def disable(
        self, stream: str, id: str, reason: str = "manual", *, conn: AsyncConnection | None = None
    ) -> Endpoint:
        """Send nothing more; pending deliveries become ``discarded`` and new events create none.

        :param reason: shown as ``disabled_reason``.
        :raises EndpointNotFoundError: when the stream has none of that id.
        """
        async with self._write(conn) as work:
            await self._log.lock_stream(work, stream)
            await self._obligations.disable(work, stream, id, reason=reason, now=await self._log.now(work))
            return await self._endpoint(work, stream, id)

    async def enable(self, stream: str, id: str, *, conn: AsyncConnection | None = None) -> Endpoint:
        """Send again, the events appended from now on; :meth:`replay_since` brings what was missed.

        :raises EndpointNotFoundError: when the stream has none of that id.
        """
        t = self._t.endpoints
        async with self._write(conn) as work:
            await self._log.lock_stream(work, stream)
            await work.execute(
                sa.update(t)
                .where(t.c.stream == stream, t.c.id == id)
                .values(
                    status="enabled",
                    disabled_reason=None,
                    resume_at=None,
                    updated_at=await self._log.now(work),
                )
            )
            return await self._endpoint(work, stream, id)

    async def rotate_secret(
        self,
        stream: str,
        id: str,
        *,
        overlap: timedelta = timedelta(hours=24),
        conn: AsyncConnection | None = None,
    ) -> str:
        """Make a new secret and return it, this once; the one before signs as well until ``overlap`` is over.

        :param overlap: 0 or less ends the one before at once, for a secret that leaked.
        :raises EndpointNotFoundError: when the stream has none of that id.
        """
        t = self._t.endpoints
        async with self._write(conn) as work:
            await self._log.lock_stream(work, stream)
            now = await self._log.now(work)
            which = sa.and_(t.c.stream == stream, t.c.id == id)
            stored = (await work.execute(sa.select(t.c.secrets).where(which))).scalar_one_or_none()
            if stored is None:
                raise _no_endpoint(id)
            secret, stored = rotated(stored, now=now, until=now + overlap)
            await work.execute(sa.update(t).where(which).values(secrets=stored, updated_at=now))
            return secret

    async def send_test(self, stream: str, id: str) -> Delivery:
        """Append a ``webhook.test`` event that is posted to this endpoint only, whatever its types.

        :raises EndpointNotFoundError: when the stream has none of that id.
        :raises InvalidEndpointError: when the endpoint is disabled.
        """
        async with self._write(None) as work:
            await self._log.lock_stream(work, stream)
            (await self._endpoint(work, stream, id)).require_enabled()
            event = await self._log.append_for(work, stream=stream, endpoint_id=id, type="webhook.test")
            delivery = await self._delivery(work, stream, f"{event.id}.{id}")
        self._log.notify(stream)
        return delivery

    async def replay(self, stream: str, delivery_id: str) -> Delivery:
        """Send one delivery again, now, with the same ``webhook-id`` and body, and with a fresh retry schedule.

        :raises EndpointNotFoundError: when the stream has no such delivery.
        :raises InvalidEndpointError: when the endpoint is disabled.
        """
        async with self._write(None) as work:
            await self._log.lock_stream(work, stream)
            delivery = await self._delivery(work, stream, delivery_id)
            (await self._endpoint(work, stream, delivery.endpoint_id)).require_enabled()
            await self._obligations.again(work, self._t.deliveries.c.id == delivery_id)
            delivery = await self._delivery(work, stream, delivery_id)
        self._log.notify(stream)
        return delivery

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
        :raises EndpointNotFoundError: when the stream has none of that id.
        :raises InvalidEndpointError: when the endpoint is disabled.
        :raises InvalidCursorError: as for :meth:`EventLog.read`.
        """
        async with self._write(None) as work:
            await self._log.lock_stream(work, stream)
            endpoint = await self._endpoint(work, stream, id)
            endpoint.require_enabled()
            count = await self._obligations.since(work, endpoint, after, statuses)
        self._log.notify(stream)
        return count

    async def delivery(self, stream: str, delivery_id: str) -> Delivery:
        """Return one delivery.

        :raises EndpointNotFoundError: when the stream has no such delivery.
        """
        async with self._read(None) as work:
            return await self._delivery(work, stream, delivery_id)

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
        :raises EndpointNotFoundError: when the stream has no delivery ``before``.
        """
        d = self._t.deliveries
        query = self._joined().where(d.c.stream == stream).order_by(d.c.position.desc(), d.c.endpoint_id)
        if id is not None:
            query = query.where(d.c.endpoint_id == id)
        if statuses is not None:
            query = query.where(d.c.status.in_(statuses))
        async with self._read(None) as work:
            if before is not None:
                last = await self._delivery(work, stream, before)
                query = query.where(
                    sa.or_(
                        d.c.position < last.position,
                        sa.and_(d.c.position == last.position, d.c.endpoint_id > last.endpoint_id),
                    )
                )
            return tuple(_delivery_of(row) for row in await work.execute(query.limit(limit)))

    async def attempts(self, stream: str, delivery_id: str) -> tuple[Attempt, ...]:
        """Return the delivery log of one delivery, oldest attempt first.

        :raises EndpointNotFoundError: when the stream has no such delivery.
        """
        a = self._t.attempts
        async with self._read(None) as work:
            await self._delivery(work, stream, delivery_id)
            rows = await work.execute(sa.select(a).where(a.c.delivery_id == delivery_id).order_by(a.c.n))
            return tuple(Attempt(**row._asdict()) for row in rows)

    async def counts(self, stream: str | None = None) -> dict[DeliveryStatus, int]:
        """Count deliveries by status, of one stream or of all."""
        d = self._t.deliveries
        query = sa.select(d.c.status, sa.func.count().label("number")).group_by(d.c.status)
        if stream is not None:
            query = query.where(d.c.stream == stream)
        counts: dict[DeliveryStatus, int] = {"pending": 0, "delivered": 0, "failed": 0, "discarded": 0}
        async with self._read(None) as work:
            for row in await work.execute(query):
                counts[row.status] = row.number
        return counts

    def _joined(self) -> sa.Select[Any]:
        d, e = self._t.deliveries, self._t.events
        return sa.select(d, e.c.id.label("event_id"), e.c.type).join(e, e.c.seq == d.c.event_seq)

    async def _delivery(self, work: AsyncConnection, stream: str, delivery_id: str) -> Delivery:
        d = self._t.deliveries
        row = (await work.execute(self._joined().where(d.c.stream == stream, d.c.id == delivery_id))).one_or_none()
        if row is None:
            raise EndpointNotFoundError("no such delivery; the delivery log lists those there are")
        return _delivery_of(row)

    async def _endpoint(self, work: AsyncConnection, stream: str, id: str) -> Endpoint:
        t = self._t.endpoints
        row = (await work.execute(sa.select(t).where(t.c.stream == stream, t.c.id == id))).one_or_none()
        if row is None:
            raise _no_endpoint(id)
        return _endpoint_of(row)

    @asynccontextmanager
    async def _write(self, conn: AsyncConnection | None) -> AsyncIterator[AsyncConnection]:
        if conn is not None:
            yield conn
            return
        async with begin_write(self._log.engine) as own:
            yield own

    @asynccontextmanager
    async def _read(self, conn: AsyncConnection | None) -> AsyncIterator[AsyncConnection]:
        if conn is not None:
            yield conn
            return
        async with begin_read(self._log.engine) as own:
            yield own


def _check(id: str, url: str, types: Collection[str] | None) -> None:
    if not _ID.fullmatch(id):
        raise InvalidEndpointError("an endpoint's id is 1 to 64 letters, digits, dots, dashes and underscores")
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        known = parts.username is not None or parts.password is not None
    except ValueError:
        good, known = False, False
    if not good or len(url) > 2048 or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidEndpointError(
            "a webhook URL is absolute, such as https://bot.example.com/webhooks, in ASCII, and at most 2048 long"
        )
    if known:
        raise InvalidEndpointError(
            "a webhook URL carries no user name or password; deliveries are authenticated by their signature"
        )
    for name in types or ():
        if not _TYPE.fullmatch(name):
            raise InvalidEndpointError("an event type is a dotted name, such as ticket.closed, without wildcards")


def _no_endpoint(id: str) -> EventLogError:
    shown = f"{id!r}" if _ID.fullmatch(id) else "of that id"
    return EndpointNotFoundError(f"there is no webhook endpoint {shown}; create it first")


def _endpoint_of(row: sa.Row[Any]) -> Endpoint:
    return Endpoint(
        stream=row.stream,
        id=row.id,
        url=row.url,
        types=None if row.types is None else tuple(json.loads(row.types)),
        description=row.description,
        status=row.status,
        disabled_reason=row.disabled_reason,
        resume_at=row.resume_at,
        secret_expiries=secret_expiries(row.secrets),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _delivery_of(row: sa.Row[Any]) -> Delivery:
    return Delivery(**{field.name: getattr(row, field.name) for field in fields(Delivery)})
