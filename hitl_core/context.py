"""What the core gives a provider. A provider touches nothing else: no retry loop, sleep, storage or log set-up."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from hitl_core.clock import Clock
from hitl_core.errors import WebhookVerificationError
from hitl_core.info import ProviderSettings
from hitl_core.people import BotIdentity
from hitl_core.state import ConnectionState
from hitl_core.webhooks import WebhookRequest

if TYPE_CHECKING:
    from hitl_core._http import HttpClient
    from hitl_core.download import Download
    from hitl_core.signatures import Verified

__all__ = ["Fetch", "ProviderContext", "SignatureScheme", "current_deadline", "deadline_of_call"]

SettingsT_co = TypeVar("SettingsT_co", bound=ProviderSettings, covariant=True)

_deadline: ContextVar[datetime | None] = ContextVar("hitl_deadline", default=None)


def current_deadline() -> datetime | None:
    """Return the time after which the call in progress must not start another write; ``None`` for no limit."""
    return _deadline.get()


@contextmanager
def deadline_of_call(deadline: datetime) -> Iterator[None]:
    """Set the deadline of the calls made inside."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


class SignatureScheme(Protocol):
    """What :mod:`hitl_core.signatures` offers; a provider may bring its own."""

    def verify(self, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, *, now: datetime) -> Verified:
        """Prove the request, or raise ``WebhookVerificationError``."""


class Fetch(Protocol):
    """Downloads what an agent attached, guarded against addresses inside our own network."""

    async def __call__(self, url: str, *, max_bytes: int | None = None) -> Download:
        """Fetch ``url`` without credentials."""


@dataclass(kw_only=True)
class ProviderContext(Generic[SettingsT_co]):
    """One account, as its provider sees it.

    :param provider: name the provider was selected by.
    :param alias: the integrator's name of this account.
    :param key: key of the connection, ``"tenant/alias"``; goes into every ``SessionRef``.
    :param settings: validated settings.
    :param http: the transport; ``http.bind(base_url=..., auth=...)`` gives a client for the account's host.
    :param clock: the only source of time.
    :param log: redacting logger.
    :param fetch: guarded downloader, without credentials.
    :param state: what must survive a restart.
    :param identity: who the credentials act as; asked once, then remembered.
    :param proof_headers: names of the headers that proved deliveries so far, in lower case.
    """

    provider: str
    alias: str
    key: str
    settings: SettingsT_co
    http: HttpClient
    clock: Clock
    log: logging.LoggerAdapter[logging.Logger]
    fetch: Fetch
    state: ConnectionState
    identity: Callable[[], Awaitable[BotIdentity]]
    registered_secrets: tuple[str, ...] = field(default=(), repr=False)
    proof_headers: set[str] = field(default_factory=set)

    @property
    def deadline(self) -> datetime | None:
        """Time after which no write may start; the transport keeps to it by itself."""
        return current_deadline()

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """Every secret a webhook may be signed with: those of the settings, then those a registration issued."""
        return tuple(s.get_secret_value() for s in self.settings.webhook_secret) + self.registered_secrets

    def verify_signature(self, scheme: SignatureScheme, request: WebhookRequest) -> Verified | None:
        """Prove a webhook by ``scheme`` (behaviour F20).

        :returns: what the signature covered, or ``None`` when the account allows unsigned webhooks.
        :raises WebhookVerificationError: not proven, or no secret is known.
        """
        header = getattr(scheme, "header", None)
        if header is not None and header not in self.proof_headers:
            self.proof_headers.add(header.lower())  # what proves a delivery must not be stored, whatever its name
        secrets = self.webhook_secrets
        if not secrets:
            if self.settings.allow_unsigned_webhooks:
                return None
            msg = (
                f"connection {self.key!r} has no webhook secret, so nothing can be proven; set webhook_secret, "
                "or allow_unsigned_webhooks=True to accept deliveries from anybody"
            )
            raise WebhookVerificationError(msg)
        return scheme.verify(secrets, request.headers, request.body, now=self.clock.now())
