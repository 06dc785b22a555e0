"""The first moments of a webhook: proven, kept, answered. Nothing is read here (behaviour F20, F21)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from hitl_core.bridge.engine.classify import describe
from hitl_core.bridge.host import Receipt
from hitl_core.bridge.store.inbox import Inbox
from hitl_core.clock import Clock
from hitl_core.connection import Connection
from hitl_core.errors import HitlError, StoreError, WebhookVerificationError
from hitl_core.info import ProviderInfo
from hitl_core.webhooks import WebhookDelivery, WebhookReply

__all__ = ["MAX_BYTES", "Acceptor"]

logger = logging.getLogger(__name__)

MAX_BYTES: Final = 2 * 1024 * 1024
_REFRESH_EVERY: Final = 60.0


class Acceptor:
    """Takes webhooks in.

    :param max_bytes: longest body.
    """

    def __init__(self, inbox: Inbox, clock: Clock, *, max_bytes: int = MAX_BYTES) -> None:
        self._inbox = inbox
        self._clock = clock
        self._max_bytes = max_bytes
        self._refreshed: dict[str, float] = {}

    async def receive(
        self,
        connection: Connection,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        body: bytes,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
    ) -> Receipt:
        """Prove and keep a delivery, and say what to answer."""
        info = connection.info
        if method.upper() in info.intake.probe_methods:
            return Receipt(accepted=False, reply=WebhookReply())
        if len(body) > self._max_bytes:
            logger.warning("connection %s: a webhook of %d bytes was refused", connection.key, len(body))
            return _refused(info, 413, 400)
        given = list(headers.items() if isinstance(headers, Mapping) else headers)
        verify = partial(connection.verify_webhook, headers=given, body=body, method=method, path=path, query=query)
        try:
            delivery = await self._verify(connection, verify)
            await self._inbox.deliver(connection.key, delivery)
        except WebhookVerificationError as error:
            logger.warning("connection %s: a webhook was refused: %s", connection.key, error)
            return _refused(info, 401, 403)
        except StoreError as error:
            logger.error("connection %s: a webhook cannot be kept now: %s", connection.key, error)
            return _busy(info)
        except ValueError:  # what a provider read out of it is no text a database could hold
            logger.error(
                "connection %s: a webhook names what cannot be stored; tell the provider's author", connection.key
            )
            return _busy(info)
        reply = delivery.reply or WebhookReply()
        if reply.status in info.intake.never:
            reply = WebhookReply(status=_allowed(info, 200, 204))
        return Receipt(accepted=True, reply=reply)

    async def _verify(self, connection: Connection, verify: Callable[[], WebhookDelivery]) -> WebhookDelivery:
        try:
            return verify()
        except WebhookVerificationError:
            if not await self._refresh(connection):
                raise
        return verify()

    async def _refresh(self, connection: Connection) -> bool:
        """Read secrets again that another process may have registered; at most once a minute, anybody can ask."""
        if not connection.capabilities.webhook_registration:
            return False
        now = self._clock.monotonic()
        if now - self._refreshed.get(connection.key, -_REFRESH_EVERY) < _REFRESH_EVERY:
            return False
        self._refreshed[connection.key] = now
        try:
            await connection.refresh_registration()
        except HitlError as error:
            logger.warning("connection %s: its webhook's secrets cannot be read: %s", connection.key, describe(error))
            return False
        return True


def _busy(info: ProviderInfo) -> Receipt:
    """Ask for the delivery to be repeated."""
    intake = info.intake
    headers = {} if intake.busy_retry_after is None else {"retry-after": str(intake.busy_retry_after)}
    status = _allowed(info, intake.busy_status, 503, 500, 429)
    return Receipt(accepted=False, reply=WebhookReply(status=status, headers=headers))


def _refused(info: ProviderInfo, *statuses: int) -> Receipt:
    return Receipt(accepted=False, reply=WebhookReply(status=_allowed(info, *statuses)))


def _allowed(info: ProviderInfo, *statuses: int) -> int:
    """Return the first of these that would not switch the webhook off."""
    return next((status for status in statuses if status not in info.intake.never), statuses[-1])
