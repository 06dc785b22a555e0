"""The way out: how a signed delivery reaches the receiver's URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

__all__ = ["GuardedSender", "SendResult", "Sender"]


@dataclass(frozen=True, slots=True)
class SendResult:
    """What came of one attempt.

    :param status: HTTP status; None when there was no answer.
    :param retry_after: seconds the receiver asked to wait.
    :param error: class of a failure without an answer, such as ``timeout``, ``connect``, ``blocked_address``.
    """

    status: int | None = None
    retry_after: float | None = None
    error: str | None = None


class Sender(Protocol):
    """Posts one delivery. It never raises for a failed attempt and follows no redirect."""

    async def post(self, url: str, headers: Mapping[str, str], content: bytes, timeout: float) -> SendResult:
        """Post and say what came of it."""
        ...


class GuardedSender:
    """Sends through the guarded client, which refuses private and reserved addresses unless its policy allows them."""
