"""What an input costs on a store that has seen many hand-offs, against one that has seen few; loads in turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from statistics import median
from typing import Final

from benchmarks.bridge.figures import Figure
from benchmarks.bridge.filling import fill
from benchmarks.bridge.nothing import Counter
from benchmarks.bridge.scene import ENGINES, begin, bridged, databases, settled, talk
from benchmarks.pairs import Pairs
from hitl_core.bridge.bridge import Bridge

__all__ = ["AIM", "figures", "measure"]

AIM: Final = 1.2


async def measure(large: str, small: str, *, conversations: int, messages: int, rounds: int) -> Pairs:
    """Time the same load on two stores, changing which goes first; seconds for one input."""
    pairs = Pairs([], [])
    async with AsyncExitStack() as stack:
        bridges, counters = {}, {}
        for url in (large, small):
            counters[url] = Counter()
            bridges[url] = await stack.enter_async_context(bridged(url, counters[url]))
            await begin(bridges[url], conversations)

        async def load(url: str, number: int) -> float:
            began = time.perf_counter()
            await _talk(bridges[url], counters[url], conversations, messages, f"r{number}-")
            return (time.perf_counter() - began) / (conversations * messages)

        for number in range(rounds + 1):
            times = {}
            for url in (large, small) if number % 2 else (small, large):
                times[url] = await load(url, number)
            if number:  # the first is to warm up
                pairs.ours.append(times[large])
                pairs.base.append(times[small])
    return pairs


async def _talk(bridge: Bridge, counter: Counter, conversations: int, messages: int, prefix: str) -> None:
    counter.expect(conversations * messages)
    await talk(bridge, [f"c{number}" for number in range(conversations)], messages, prefix=prefix)
    await counter.reached()
    await settled(bridge)


def figures(
    *, many: int = 1_000_000, few: int = 1_000, conversations: int = 100, messages: int = 10, rounds: int = 15
) -> Iterator[Figure]:
    """Measure one engine after the other."""
    for engine in ENGINES:
        with databases(engine) as fresh:
            large, small = fresh(), fresh()
            fill(large, many)
            fill(small, few)
            pairs = asyncio.run(
                measure(large, small, conversations=conversations, messages=messages, rounds=rounds)
            )  # fmt: skip
        low, high = pairs.spread()
        yield Figure(
            f"bridge: an input among {many:,} stored hand-offs over one among {few:,} on {engine}",
            pairs.ratio(),
            "x",
            AIM,
            most=True,
            detail=f"quartiles {low:.2f}-{high:.2f} of {rounds} pairs; {median(pairs.ours) * 1e6:.0f} us, "
            f"{median(pairs.base) * 1e6:.0f} us",
        )
