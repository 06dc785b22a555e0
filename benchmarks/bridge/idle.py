"""What a worker with nothing to do takes of a core."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection as Pipe
from typing import Final

from benchmarks.bridge.figures import Figure
from benchmarks.bridge.processes import child
from benchmarks.bridge.scene import ENGINES, begin, bridged, databases, settled

__all__ = ["AIM", "figures", "idle", "measure", "shares"]

AIM: Final = 1.0

_SETTLING: Final = 2.0  # seconds


def idle(url: str, seconds: float, pipe: Pipe) -> None:
    """Have hand-offs open and nothing to do for so many seconds, then tell the shares of a core, in per cent.

    The second is that of the same process without a bridge, which only wakes up once a second: where that alone costs
    something, as on a machine whose caches others use meanwhile, nothing can cost less.
    """
    pipe.send(asyncio.run(_idle(url, seconds)))


async def _idle(url: str, seconds: float) -> tuple[float, float]:
    async with bridged(url) as bridge:
        await begin(bridge, 100)
        await settled(bridge)
        await asyncio.sleep(_SETTLING)
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(seconds)
        ours = 100 * (time.process_time() - cpu) / (time.perf_counter() - began)
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:  # noqa: ASYNC110 - that is what is measured
        await asyncio.sleep(1)
    return ours, 100 * (time.process_time() - cpu) / (time.perf_counter() - began)


def measure(url: str, *, seconds: float) -> tuple[float, float]:
    """Measure a process of its own."""
    with child(idle, url, seconds) as process:
        ours, least = process.hear_now()
    return ours, least


def shares(*, seconds: float = 20.0) -> Iterator[tuple[Figure, float]]:
    """Measure one engine after the other; also give what waking up once a second takes here, in per cent."""
    for engine in ENGINES:
        with databases(engine) as fresh:
            share, least = measure(fresh(), seconds=seconds)
        detail = f"over {seconds:g} s; waking up once a second takes {least:.2f} % here"
        yield Figure(f"bridge: idle worker on {engine}", share, " % of a core", AIM, most=True, detail=detail), least


def figures(*, seconds: float = 20.0) -> Iterator[Figure]:
    """Measure one engine after the other."""
    for figure, _ in shares(seconds=seconds):
        yield figure
