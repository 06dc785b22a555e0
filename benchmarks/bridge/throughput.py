"""The whole path: accepted, decided, carried out, settled; the vendor and the host do nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.bridge.figures import Figure
from benchmarks.bridge.nothing import Counter
from benchmarks.bridge.scene import ENGINES, Engine, begin, bridged, databases, settled, talk

__all__ = ["AIMS", "Run", "figures", "measure"]

AIMS: Final[dict[Engine, float]] = {"sqlite": 1000.0, "postgresql": 600.0}


@dataclass(frozen=True)
class Run:
    """One load, from the first message on.

    :param per_second: messages, until the vendor has them all and every row is settled.
    :param cpu: seconds of this process for one message: less moved by what else the machine does.
    """

    per_second: float
    cpu: float


async def measure(url: str, *, conversations: int, messages: int, rounds: int) -> list[Run]:
    """Let all customers talk at once, several times over."""
    counter = Counter()
    runs = []
    async with bridged(url, counter) as bridge:
        names = await begin(bridge, conversations)
        await settled(bridge)
        total = conversations * messages
        for number in range(rounds):
            counter.expect(total)
            began, cpu = time.perf_counter(), time.process_time()
            await talk(bridge, names, messages, prefix=f"r{number}-")
            await counter.reached()
            await settled(bridge)
            seconds = time.perf_counter() - began
            runs.append(Run(total / seconds, (time.process_time() - cpu) / total))
        assert counter.sent == total * rounds
    return runs


def figures(*, conversations: int = 200, messages: int = 25, rounds: int = 5) -> Iterator[Figure]:
    """Measure one engine after the other."""
    for engine in ENGINES:
        with databases(engine) as fresh:
            runs = asyncio.run(measure(fresh(), conversations=conversations, messages=messages, rounds=rounds))
        speeds = sorted(run.per_second for run in runs)
        cpu = median(run.cpu for run in runs) * 1e3
        yield Figure(
            f"bridge: accept, decide, carry out on {engine}, one worker",
            median(speeds),
            "/s",
            AIMS[engine],
            detail=f"{speeds[0]:.0f}-{speeds[-1]:.0f} in {rounds} rounds of {conversations * messages} messages in "
            f"{conversations} conversations; {cpu:.2f} ms of CPU each",
        )
