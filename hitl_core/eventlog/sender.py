"""The way out: how a signed delivery reaches the receiver's URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

from hitl_core._http.guarded import GuardedClient
from hitl_core._http.waits import parse_retry_after
from hitl_core.errors import HitlError
from hitl_core.netguard import AddressPolicy, BlockedAddressError, HostNotFoundError

__all__ = ["GuardedSender", "SendResult", "Sender"]


@dataclass(frozen=True, slots=True)
class SendResult:
    """What came of one attempt.

    :param status: HTTP status; None when there was no answer.
    :param retry_after: seconds the receiver asked to wait.
    :param error: class of a failure without an answer, such as ``timeout``, ``connect``, ``blocked_address``,
        ``host_not_found``, ``protocol``.
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


class GuardedSender:
    """Sends only to addresses a policy passes: a tenant's webhook URL must not reach into the host's own network.

        async with GuardedSender(AddressPolicy()) as sender, WebhookDispatcher(log, sender):
            ...

    :param policy: which addresses may be posted to; public ones over https when left out.
    :param client: a client to use instead of one made from the policy; it stays the caller's to close.
    """

    def __init__(self, policy: AddressPolicy | None = None, *, client: GuardedClient | None = None) -> None:
        self._client = client or GuardedClient(policy or AddressPolicy())
        self._own = client is None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close idle connections."""
        if self._own:
            await self._client.aclose()

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
        timeout: float,  # noqa: ASYNC109  the client bounds the whole exchange by it
    ) -> SendResult:
        """Post, and translate the client's answer or error."""
        try:
            reply = await self._client.post(url, headers=headers, content=content, timeout=timeout)
        except BlockedAddressError:
            return SendResult(error="blocked_address")
        except TimeoutError:
            return SendResult(error="timeout")
        except HostNotFoundError:
            return SendResult(error="host_not_found")
        except OSError:
            return SendResult(error="connect")
        except HitlError:
            return SendResult(error="protocol")
        return SendResult(reply.status, parse_retry_after(reply.headers.get("retry-after"), now=datetime.now(UTC)))
