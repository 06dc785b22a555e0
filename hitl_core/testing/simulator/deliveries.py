"""Webhooks as a vendor sends them: signed, repeated by its own rules, and, when told to, lost, doubled or late."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from hitl_core.clock import Clock
from hitl_core.testing.simulator.model import SimWebhook

__all__ = ["Endpoint", "Post", "Sign", "WebhookDispatcher", "WebhookFault", "WebhookFaultKind", "WebhookRetries"]

Sign: TypeAlias = Callable[..., Mapping[str, str]]
"""``sign(secret, body, id=..., at=...)`` gives the headers that prove a delivery."""

Post: TypeAlias = Callable[[str, Mapping[str, str], bytes, float], Awaitable[int | None]]
"""Delivers to a URL within some seconds; gives the status, or ``None`` when there was no answer."""

WebhookFaultKind: TypeAlias = Literal["lose", "duplicate", "delay", "reorder"]


@dataclass(frozen=True, slots=True)
class WebhookRetries:
    """A vendor's policy.

    :param delays: seconds between attempts; their number is that of the repeats.
    :param timeout: seconds a receiver has.
    :param final: statuses after which it is not tried again, beside 2xx.
    :param disabling: statuses that switch the endpoint off.
    """

    delays: tuple[float, ...] = (5, 60, 600)
    timeout: float = 10
    final: frozenset[int] = frozenset()
    disabling: frozenset[int] = frozenset({410})


@dataclass(slots=True)
class Endpoint:
    """Where deliveries go.

    :param url: ``None`` notes them only, as if somebody answered 200.
    :param secret: what they are signed with.
    :param enabled: nothing more is sent where it is not.
    """

    id: str
    url: str | None
    secret: str = field(repr=False)
    enabled: bool = True


@dataclass(slots=True)
class WebhookFault:
    """What happens to the next deliveries.

    :param count: how many; with ``reorder``, how many are held and then sent in reverse.
    :param seconds: how late, with ``delay``.
    """

    kind: WebhookFaultKind
    count: int = 1
    seconds: float = 60


@dataclass(slots=True)
class _Due:
    id: str
    endpoint: Endpoint
    body: bytes
    session_id: str | None
    at: datetime
    attempt: int = 1
    signed: Mapping[str, str] | None = None
    """Headers of the vendor's own dispatcher, which repeats by itself; otherwise we sign, and repeat."""


class WebhookDispatcher:
    """Sends what happened to every endpoint.

    Nothing is sent before :meth:`pump`, which the simulator calls after each request, or as time passes.

    :param sign: see :data:`Sign`.
    :param post: see :data:`Post`.
    """

    def __init__(self, clock: Clock, sign: Sign, retries: WebhookRetries, post: Post) -> None:
        self._clock = clock
        self._sign = sign
        self._retries = retries
        self.post = post
        """Delivers one attempt; may be replaced, so that nothing leaves this process."""
        self._due: list[_Due] = []
        self._held: list[_Due] = []
        self._count = 0
        self.endpoints: dict[str, Endpoint] = {}
        self.sent: list[SimWebhook] = []
        """Every attempt, in order."""
        self.faults: list[WebhookFault] = []
        self.changed = asyncio.Condition()

    def subscribe(self, id: str, url: str | None, secret: str) -> Endpoint:
        """Add an endpoint, or change it."""
        endpoint = self.endpoints[id] = Endpoint(id, url, secret)
        return endpoint

    def unsubscribe(self, id: str) -> bool:
        """Remove an endpoint and forget what was still to go there; say whether there was one."""
        found = self.endpoints.pop(id, None)
        self._due = [due for due in self._due if due.endpoint is not found]
        return found is not None

    def emit(self, body: bytes | Mapping[str, Any] | list[Any], *, session_id: str | None = None) -> None:
        """Queue a delivery for every endpoint; an object is sent as compact JSON."""
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        for endpoint in list(self.endpoints.values()):
            if endpoint.enabled:
                self._count += 1
                due = _Due(f"dlv-{self._count}", endpoint, body, session_id, self._clock.now())
                self._queue(due)

    async def forward(
        self,
        endpoint: Endpoint,
        headers: Mapping[str, str],
        body: bytes,
        *,
        id: str,
        session_id: str | None = None,
        attempt: int = 1,
    ) -> int | None:
        """Send once what the vendor's own code has signed and would repeat; note it as any other attempt.

        Where a fault is waiting, the delivery is queued with that fault, to go at the next :meth:`pump`.

        :returns: what the receiver answered, ``None`` when it did not; 200 with a fault, which no vendor notices.
        """
        self._count += 1
        due = _Due(id, endpoint, body, session_id, self._clock.now(), attempt, dict(headers))
        if self.faults:
            self._queue(due)
            return 200
        return await self._attempt(due)

    def _queue(self, due: _Due) -> None:
        fault = self.faults[0] if self.faults else None
        if fault is None:
            self._due.append(due)
            return
        fault.count -= 1
        match fault.kind:
            case "duplicate":
                self._due += [due, due]
            case "delay":
                due.at += timedelta(seconds=fault.seconds)
                self._due.append(due)
            case "reorder":
                self._held.insert(0, due)
        if fault.count <= 0:
            self.faults.pop(0)
            self._due += self._held
            self._held = []

    def next_at(self) -> datetime | None:
        """Return when something is due next."""
        return min((due.at for due in self._due), default=None)

    async def pump(self) -> None:
        """Send everything that is due."""
        # One by one, since another pump may run while an attempt is under way.
        while due := next((due for due in self._due if due.at <= self._clock.now()), None):
            self._due.remove(due)
            await self._attempt(due)

    async def _attempt(self, due: _Due) -> int | None:
        endpoint = due.endpoint
        now = self._clock.now()
        headers = due.signed or {
            "content-type": "application/json",
            **self._sign(endpoint.secret, due.body, id=due.id, at=now),
        }
        status: int | None = 200
        if endpoint.url is not None:
            status = await self.post(endpoint.url, headers, due.body, self._retries.timeout)
        async with self.changed:
            self.sent.append(
                SimWebhook(
                    number=len(self.sent) + 1,
                    id=due.id,
                    url=endpoint.url,
                    session_id=due.session_id,
                    attempt=due.attempt,
                    headers=dict(headers),
                    body=due.body,
                    sent_at=now,
                    status=status,
                )
            )
            self.changed.notify_all()
        if status in self._retries.disabling:
            endpoint.enabled = False
        elif not self._is_over(due, status):
            self._again(due)
        return status

    def _is_over(self, due: _Due, status: int | None) -> bool:
        received = status is not None and 200 <= status < 300
        final = status in self._retries.final or due.attempt > len(self._retries.delays)
        return received or final or due.signed is not None

    def _again(self, due: _Due) -> None:
        delay = self._retries.delays[due.attempt - 1]
        again = _Due(due.id, due.endpoint, due.body, due.session_id, due.at, due.attempt + 1)
        again.at = self._clock.now() + timedelta(seconds=delay)
        self._due.append(again)

    async def wait(self, after: int, count: int, seconds: float) -> list[SimWebhook]:
        """Return the attempts after number ``after``, once there are ``count`` of them or the time is over."""
        try:
            async with asyncio.timeout(seconds), self.changed:
                await self.changed.wait_for(lambda: len(self.sent) - after >= count)
        except TimeoutError:
            pass
        return self.sent[after:]
