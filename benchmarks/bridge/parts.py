"""The parts, in the order they are printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final
from unittest import SkipTest

from benchmarks.bridge import accept, growth, idle, latency, memory, replicas, throughput
from benchmarks.bridge.figures import Figure

__all__ = ["PARTS", "run"]

PARTS: Final[dict[str, Callable[[], Iterator[Figure]]]] = {
    "accept": accept.figures,
    "throughput": throughput.figures,
    "replicas": replicas.figures,
    "latency": latency.figures,
    "idle": idle.figures,
    "growth": growth.figures,  # fills databases for a good while
    "memory": memory.figures,
}


def run(names: list[str]) -> None:
    """Measure these parts, and print each figure as soon as it is known."""
    for name in names:
        try:
            for figure in PARTS[name]():
                print(figure.line, flush=True)
        except SkipTest as missing:
            print(f"bridge: {name} is left out: {missing}", flush=True)
