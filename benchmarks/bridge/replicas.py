"""Two workers on PostgreSQL against one, on the same load, which a third process accepts; all share the machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from statistics import median
from typing import Final

from benchmarks.bridge.figures import Figure
from benchmarks.bridge.processes import child, work
from benchmarks.bridge.scene import begin, bridged, databases, settled, talk
from benchmarks.pairs import Pairs

__all__ = ["AIM", "figures", "measure"]

AIM: Final = 1.1


async def _load(url: str, workers: int, *, conversations: int, messages: int) -> float:
    """Return the seconds that so many workers take."""
    with ExitStack() as stack:
        others = [stack.enter_context(child(work, url)) for _ in range(workers)]
        for other in others:
            await other.hear()
        async with bridged(url, work=False) as bridge:
            names = await begin(bridge, conversations)
            await settled(bridge)
            began = time.perf_counter()
            await talk(bridge, names, messages)
            await settled(bridge)
            seconds = time.perf_counter() - began
        for other in others:
            other.tell("stop")
        sent = [await other.hear() for other in others]
    assert sum(sent) == conversations * messages, sent
    return seconds


def measure(fresh: Callable[[], str], *, conversations: int, messages: int, rounds: int) -> Pairs:
    """Time two workers and one in turn, changing which goes first."""
    pairs = Pairs([], [])
    for number in range(rounds):
        times = {}
        for workers in (2, 1) if number % 2 else (1, 2):
            times[workers] = asyncio.run(_load(fresh(), workers, conversations=conversations, messages=messages))
        pairs.ours.append(times[2])
        pairs.base.append(times[1])
    return pairs


def figures(*, conversations: int = 200, messages: int = 25, rounds: int = 5) -> Iterator[Figure]:
    """Measure on one server, each time in a new database."""
    with databases("postgresql") as fresh:
        pairs = measure(fresh, conversations=conversations, messages=messages, rounds=rounds)
    total = conversations * messages
    ratios = sorted(one / two for one, two in zip(pairs.base, pairs.ours, strict=True))
    yield Figure(
        "bridge: two workers over one on postgresql",
        1 / pairs.ratio(),
        "x",
        AIM,
        detail=f"{ratios[0]:.2f}-{ratios[-1]:.2f} in {rounds} pairs; two {total / median(pairs.ours):.0f}/s, "
        f"one {total / median(pairs.base):.0f}/s",
    )
