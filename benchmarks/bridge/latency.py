"""How long a message takes to the vendor while there is nothing else to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from statistics import quantiles
from typing import Final

from benchmarks.bridge.figures import Figure
from benchmarks.bridge.nothing import Counter
from benchmarks.bridge.scene import ENGINES, begin, bridged, databases, settled

__all__ = ["P50_MS", "P99_MS", "figures", "measure"]

P50_MS: Final = 10.0
P99_MS: Final = 40.0

_WARM_UP: Final = 10


async def measure(url: str, *, messages: int, pause: float, conversations: int = 20) -> list[float]:
    """Hand one message in at a time; return the seconds from each call until the vendor was called."""
    counter = Counter()
    taken = []
    async with bridged(url, counter) as bridge:
        names = await begin(bridge, conversations)
        await settled(bridge)
        for number in range(messages + _WARM_UP):
            arrived = asyncio.Event()
            at: list[float] = []

            def heard(_key: str, at: list[float] = at, arrived: asyncio.Event = arrived) -> None:
                at.append(time.perf_counter())
                arrived.set()

            counter.listener = heard
            began = time.perf_counter()
            name = names[number % conversations]
            await bridge.handle_user_message(name, "Any news of my lamp?", message_id=f"m{number}")
            await arrived.wait()
            if number >= _WARM_UP:
                taken.append(at[0] - began)
            await asyncio.sleep(max(0.0, pause - (time.perf_counter() - began)))
    return taken


def figures(*, messages: int = 400, pause: float = 0.05) -> Iterator[Figure]:
    """Measure one engine after the other."""
    for engine in ENGINES:
        with databases(engine) as fresh:
            taken = asyncio.run(measure(fresh(), messages=messages, pause=pause))
        hundredths = quantiles(taken, n=100, method="inclusive")
        detail = f"{messages} messages, one every {pause * 1e3:.0f} ms; at worst {max(taken) * 1e3:.1f} ms"
        for name, value, aim in (("p50", hundredths[49], P50_MS), ("p99", hundredths[98], P99_MS)):
            yield Figure(
                f"bridge: call to vendor on {engine}, unloaded, {name}", value * 1e3, " ms", aim, most=True,
                detail=detail,
            )  # fmt: skip
