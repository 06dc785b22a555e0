"""How the desk's webhooks leave the simulator: signed by the desk, noted and hit by faults like any simulator's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pydantic_core import from_json

from hitl_core.eventlog import SendResult
from hitl_core.testing.simulator import Endpoint
from hitl_desk.events import session_id_of

if TYPE_CHECKING:
    from hitl_core.testing.simulator import Simulator

__all__ = ["NOTED_URL", "SimSender"]

NOTED_URL: Final = "https://simulator.example/webhooks"
"""Nothing is posted there: what the desk sends to it goes to the simulator's own endpoints."""


class SimSender:
    """Carries the desk's webhooks; the desk repeats those that fail, by its own policy.

    :param simulator: whose endpoints and faults they meet.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._received: dict[str, set[str]] = {}
        """Of deliveries that are not over: the simulator's endpoints that have them."""

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
        timeout: float,  # noqa: ASYNC109  the protocol's parameter
    ) -> SendResult:
        """Post to a registered URL, or to each of the simulator's endpoints that has not received it yet."""
        del timeout  # the simulator has its own
        if url == NOTED_URL:
            result = await self._to_simulators(headers, content)
        else:
            result = _result(await self._forward(Endpoint(url, url, ""), headers, content))
        await self._simulator.pump()
        return result

    async def _to_simulators(self, headers: Mapping[str, str], content: bytes) -> SendResult:
        id_ = headers["webhook-id"]
        received = self._received.setdefault(id_, set())
        failed: SendResult | None = None
        for endpoint in list(self._simulator.webhooks.endpoints.values()):
            if not endpoint.enabled or endpoint.id in received:
                continue
            result = _result(await self._forward(endpoint, headers, content))
            if result.status is not None and 200 <= result.status < 300:
                received.add(endpoint.id)
            elif endpoint.enabled:  # one that answered 410 hears nothing more, which is no failure
                failed = result
        if failed is None:
            del self._received[id_]
        return failed or SendResult(status=200)

    async def _forward(self, endpoint: Endpoint, headers: Mapping[str, str], content: bytes) -> int | None:
        id_ = headers["webhook-id"]
        self._attempts[id_, endpoint.id] += 1
        return await self._simulator.webhooks.forward(
            endpoint,
            headers,
            content,
            id=id_,
            session_id=session_id_of(from_json(content)),
            attempt=self._attempts[id_, endpoint.id],
        )


def _result(status: int | None) -> SendResult:
    return SendResult(status=status) if status is not None else SendResult(error="connect")
