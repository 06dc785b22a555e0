"""How a test reaches the helpdesk: the simulator in memory, the simulator on a port, or a recording."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from hitl_core._http import as_transport
from hitl_core.testing.simulator import Simulator, SimulatorControl, serving
from hitl_core.testing.simulator.deliveries import Post

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hitl_core._http import Transport
    from hitl_core.clock import Clock

__all__ = ["Level", "Way", "in_memory", "noted_only", "on_a_port"]

Level: TypeAlias = Literal["offline", "served", "recorded"]
"""``offline``: the simulator in memory. ``served``: the simulator on a port. ``recorded``: cassettes."""

_BASE_URL: Final = "https://helpdesk.test"


@dataclass
class Way:
    """What a room is made from.

    :param agent: a :class:`SimulatorControl`, or what acts like one at a real account.
    """

    settings: dict[str, Any] = field(repr=False)
    transport: Transport
    agent: Any
    clock: Clock


@asynccontextmanager
async def in_memory(simulator: Simulator, clock: Clock) -> AsyncIterator[Way]:
    """Call the simulator in this process."""
    async with simulator.running():
        transport = as_transport(simulator)
        yield Way(simulator.settings(_BASE_URL), transport, SimulatorControl(transport, _BASE_URL), clock)


@asynccontextmanager
async def on_a_port(simulator: Simulator, clock: Clock) -> AsyncIterator[Way]:
    """Serve the simulator on this machine."""
    async with serving(simulator) as url:
        transport = as_transport(None)
        try:
            yield Way(simulator.settings(url), transport, SimulatorControl(transport, url), clock)
        finally:
            await transport.aclose()


def noted_only(post: Post) -> Post:
    """Let deliveries to hosts in ``.test``, which are reserved for this, be answered with 200 and go nowhere."""

    async def inside(url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> int | None:
        if (urlsplit(url).hostname or "").endswith(".test"):
            return 200
        return await post(url, headers, body, seconds)

    return inside
