"""How much memory a process goes on to take for each input, once its caches are full."""

from __future__ import annotations

import asyncio
import gc
import os
import tracemalloc
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Final

from benchmarks.bridge.figures import Figure
from benchmarks.bridge.nothing import Counter
from benchmarks.bridge.processes import child
from benchmarks.bridge.scene import ENGINES, begin, bridged, databases, settled, talk
from hitl_core.bridge.bridge import Bridge
from hitl_core.events import StopReason

__all__ = ["AIM", "figures", "live", "measure"]

AIM: Final = 50.0

_MESSAGES: Final = 8
_AT_ONCE: Final = 100


def live(url: str, points: tuple[int, int], renew: bool, pipe: Pipe) -> None:
    """Take inputs in; tell how many bytes are held after so many, and after so many."""
    if not renew:
        tracemalloc.start()
    pipe.send(asyncio.run(_live(url, points, renew)))


async def _live(url: str, points: tuple[int, int], renew: bool) -> list[int]:
    held = []
    taken = 0
    async with bridged(url, Counter()) as bridge:
        names = [] if renew else await begin(bridge, _AT_ONCE)
        for point in points:
            while taken < point:
                taken += await (_lives(bridge, f"at{taken}-") if renew else _goes_on(bridge, names, f"at{taken}-"))
            held.append(_held())
    return held


async def _lives(bridge: Bridge, prefix: str) -> int:
    """Begin hand-offs, talk, and end them; return how many inputs that was."""
    names = await begin(bridge, _AT_ONCE, prefix=prefix)
    await _goes_on(bridge, names, "m")
    await asyncio.gather(*(bridge.stop_hitl(name, StopReason.BOT_RESOLVED) for name in names))
    await settled(bridge)
    return len(names) * (_MESSAGES + 2)


async def _goes_on(bridge: Bridge, names: Sequence[str], prefix: str) -> int:
    await talk(bridge, names, _MESSAGES, prefix=prefix)
    await settled(bridge)
    return len(names) * _MESSAGES


def _held() -> int:
    """Return the bytes that are in use: by Python's objects when they are traced, else by the whole process."""
    gc.collect()
    if tracemalloc.is_tracing():
        return tracemalloc.get_traced_memory()[0]
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(url: str, points: tuple[int, int], *, renew: bool) -> tuple[int, int]:
    """Measure a process of its own.

    :param renew: one hand-off after the other, with caches that have to be full before the first point; look at the
        whole process. Otherwise the same hand-offs all the time, and Python's objects alone, which is exact and slow.
    """
    with child(live, url, points, renew) as process:
        early, late = process.hear_now()
    return early, late


def figures(*, points: tuple[int, int] = (20_000, 100_000), renew: bool = True) -> Iterator[Figure]:
    """Measure one engine after the other."""
    for engine in ENGINES:
        with databases(engine) as fresh:
            early, late = measure(fresh(), points, renew=renew)
        yield Figure(
            f"bridge: memory taken from {points[0]:,} to {points[1]:,} inputs on {engine}",
            (late - early) / (points[1] - points[0]),
            " bytes an input",
            AIM,
            most=True,
            detail=f"{early / 1e6:.1f} MB, {late / 1e6:.1f} MB",
        )
