"""The way out: how a signed delivery reaches the receiver's URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

__all__ = ["GuardedSender", "SendResult", "Sender", "parse_retry_after"]


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
    """Posts one delivery and follows no redirect. A failed attempt is a result, not an exception."""

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
        timeout: float,  # noqa: ASYNC109  a bound for the client as well; the dispatcher has its own
    ) -> SendResult:
        """Post, wait at most ``timeout`` seconds in all, and say what came of it."""
        ...


class _Client(Protocol):
    async def post(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes,
        timeout: float,  # noqa: ASYNC109  as above
    ) -> tuple[int, Mapping[str, str]]: ...


class GuardedSender:
    """Sends through the guarded client, which refuses private and reserved addresses unless its policy allows them."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
        timeout: float,  # noqa: ASYNC109  handed on
    ) -> SendResult:
        """Post and translate the client's answer or error."""
        try:
            status, answer = await self._client.post(url, headers=headers, content=content, timeout=timeout)
        except TimeoutError:
            return SendResult(error="timeout")
        except OSError:
            return SendResult(error="connect")
        except Exception as error:  # noqa: BLE001  every failure is a failed attempt
            return SendResult(error=type(error).__name__)
        return SendResult(status, parse_retry_after(answer.get("retry-after"), now=datetime.now(UTC)))


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """Read a ``Retry-After`` header, in seconds or as a date (RFC 9110, 10.2.3); None when it says nothing usable."""
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max((moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds(), 0.0)
