"""Push: deliver the log's events as Standard Webhooks, again and again until the schedule ends."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from hitl_core.eventlog.log import EventLog
from hitl_core.eventlog.sender import Sender

__all__ = ["DeliveryPolicy", "WebhookDispatcher"]

MINUTE = 60.0
HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """How often, how long and how many at once; all times in seconds."""

    schedule: tuple[float, ...] = (
        0.0,
        5.0,
        5 * MINUTE,
        30 * MINUTE,
        2 * HOUR,
        5 * HOUR,
        10 * HOUR,
        14 * HOUR,
        20 * HOUR,
        24 * HOUR,
    )
    """Wait before each attempt."""
    jitter: float = 0.1
    """Share of a wait added at random, so that a receiver coming back is not hit by all at once."""
    timeout: float = 20.0
    lease: float = 30.0
    """How long an attempt belongs to its dispatcher; another one takes over afterwards."""
    concurrency: int = 32
    endpoint_concurrency: int = 8
    poll: float = 1.0
    """Seconds between looks for deliveries that other processes appended."""


class WebhookDispatcher:
    """Delivers what the log owes.

    async with WebhookDispatcher(log, sender):
        ...          # delivers in the background
    """

    def __init__(
        self,
        log: EventLog,
        sender: Sender,
        *,
        policy: DeliveryPolicy | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None: ...

    async def run(self) -> None:
        """Deliver until :meth:`stop` or cancellation."""

    async def run_once(self) -> int:
        """Deliver what is due now, wait for it, and return how many attempts were made."""

    async def stop(self, grace: float = 5.0) -> None:
        """Take on nothing more, give attempts under way ``grace`` seconds, then release the rest for the next start."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
