"""Deliveries by Zendesk's rules: to one webhook, signed with its secret, and seldom repeated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from hitl_core.signatures import HmacScheme
from hitl_core.testing.simulator.deliveries import Endpoint, Post, WebhookDispatcher, WebhookRetries
from hitl_zendesk.simulator.account import ACCOUNT_ID
from hitl_zendesk.simulator.ids import ulid_of

__all__ = ["DEFAULT_ENDPOINT", "RETRIES", "HookDispatcher", "delivery_headers"]

DEFAULT_ENDPOINT: Final = "default"

SIGNATURE: Final = HmacScheme(
    "x-zendesk-webhook-signature",
    encoding="base64",
    template="{timestamp}{body}",
    timestamp_header="x-zendesk-webhook-signature-timestamp",
    timestamp_unit="iso",
)

_AFTER: Final[Mapping[int | None, int]] = {None: 5, 409: 3, 429: 5, 503: 5}
"""How often it is tried again after which answer, ``None`` being none within 12 seconds; after all others, never."""

RETRIES: Final = WebhookRetries(delays=(10, 20, 40, 80, 160), timeout=12, disabling=frozenset())
_LONGEST_WAIT: Final = 60


def delivery_headers(
    secret: str, body: bytes, *, hook_id: str, invocation_id: str, at: datetime, extra: Mapping[str, str]
) -> dict[str, str]:
    """Return the headers of one attempt.

    :param at: of the attempt, not of what it tells of.
    :param extra: credentials and custom headers the webhook was set up with.
    """
    return {
        **{name.lower(): value for name, value in extra.items()},
        "content-type": "application/json; charset=utf-8",
        "user-agent": "Zendesk Webhook",
        "x-zendesk-account-id": str(ACCOUNT_ID),
        "x-zendesk-webhook-id": hook_id,
        "x-zendesk-webhook-invocation-id": invocation_id,
        **SIGNATURE.sign(secret, body, timestamp=at.replace(microsecond=0)),
    }


class HookDispatcher(WebhookDispatcher):
    """Knows who gets what, and when it is tried again."""

    def __init__(self, clock: Any, sign: Any, post: Post) -> None:
        super().__init__(clock, sign, RETRIES, post)
        self.retry_after: float | None = 10
        """Seconds a receiver asks for along with 429 and 503; with 60 and more, or ``None``, the event is lost."""

    def emit_to(
        self, endpoint_id: str, body: bytes | Mapping[str, Any] | list[Any], *, session_id: str | None = None
    ) -> None:
        """Queue a delivery for one endpoint."""
        every = self.endpoints
        self.endpoints = {endpoint_id: every[endpoint_id]}
        try:
            self.emit(body, session_id=session_id)
        finally:
            self.endpoints = every

    def by_secret(self, secret: str) -> Endpoint | None:
        """Return the endpoint whose deliveries are signed with a secret."""
        return next((endpoint for endpoint in self.endpoints.values() if endpoint.secret == secret), None)

    def _is_over(self, due: Any, status: int | None) -> bool:
        if super()._is_over(due, status) or status not in _AFTER:
            return True
        if status in {429, 503} and (self.retry_after is None or self.retry_after >= _LONGEST_WAIT):
            return True
        return bool(due.attempt > _AFTER[status])


def invocation_of(delivery_id: str) -> str:
    """Return the invocation's id for one of the dispatcher's ids, and others as they are."""
    return ulid_of(delivery_id) if delivery_id.startswith("dlv-") else delivery_id
