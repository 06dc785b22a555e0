"""Accepting on SQLite against the same rows written raw, in the same transactions, on a file with the same settings.

Each round, many callers hand in one input each, then the next, while a recorder notes the rows of every transaction.
The same rows then go, transaction by transaction, into a file of their own by bare ``sqlite3``: no callers, no JSON to
make, nothing to look up, nobody to answer. That is what the disk and SQLite cost, and nothing less can be had.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from statistics import median
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import make_url

from benchmarks.bridge.figures import Figure
from benchmarks.bridge.scene import begin, bridged, databases, settled, talk
from benchmarks.pairs import Pairs
from hitl_core.bridge.bridge import Bridge

__all__ = ["AIM", "figures", "measure_messages", "measure_webhooks"]

AIM: Final = 0.7

_Batch = tuple[str, Sequence[Any]]
_EVENT: Final = json.dumps(
    {
        "type": "message.created",
        "ticket": {"id": "tkt_0192f0c1a2b37c5d8e9f", "number": 1815, "external_id": "c1", "category": "open"},
        "agent": {"id": "agt_0192f0c1", "name": "Bea", "avatar_url": None},
        "message": {"type": "text", "text": "Thank you for waiting. Your refund is on its way, it takes two days."},
    }
)


class Recorder:
    """Notes the ``INSERT`` statements of a bridge's transactions, with their rows."""

    def __init__(self, bridge: Bridge) -> None:
        self.batches: list[_Batch] = []
        self._engine = bridge.store.engine.sync_engine
        event.listen(self._engine, "before_cursor_execute", self._note)

    def _note(self, _conn: sa.Connection, _cursor: Any, statement: str, rows: Any, _context: Any, many: bool) -> None:
        if statement.startswith("INSERT"):
            self.batches.append((statement, list(rows) if many else [rows]))

    def take(self) -> list[_Batch]:
        """Return what was written since the last time."""
        batches, self.batches = self.batches, []
        return batches


class Raw:
    """A file with the same schema and settings, written by hand."""

    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(make_url(url).database or "", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA foreign_keys=ON")

    def write(self, batches: Sequence[_Batch]) -> None:
        """Write them, each in a transaction of its own."""
        for statement, rows in batches:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(statement, rows)
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


@asynccontextmanager
async def _accepting(url: str, callers: int) -> AsyncIterator[tuple[Bridge, list[str]]]:
    """Give a bridge that only accepts, and conversations that are handed over."""
    async with bridged(url) as bridge:
        names = await begin(bridge, callers)
        await settled(bridge)
    async with bridged(url, work=False) as bridge:
        yield bridge, names


async def _measure(
    bridge: Bridge, raw: Raw, load: Callable[[int], Awaitable[None]], rounds: int
) -> tuple[Pairs, float]:
    """Time both in turn; also return the rows of an average transaction."""
    recorder = Recorder(bridge)
    pairs = Pairs([], [])
    sizes: list[int] = []
    for number in range(rounds + 1):
        began = time.perf_counter()
        await load(number)
        ours = time.perf_counter() - began
        batches = recorder.take()
        began = time.perf_counter()
        raw.write(batches)
        if number:  # the first is to warm up
            pairs.ours.append(ours)
            pairs.base.append(time.perf_counter() - began)
            sizes += [len(rows) for _, rows in batches]
    return pairs, sum(sizes) / len(sizes)


async def measure_messages(url: str, raw: Raw, *, callers: int, each: int, rounds: int) -> tuple[Pairs, float]:
    """Let so many customers talk at the same time."""
    async with _accepting(url, callers) as (bridge, names):
        return await _measure(bridge, raw, lambda number: talk(bridge, names, each, prefix=f"r{number}-"), rounds)


async def measure_webhooks(url: str, raw: Raw, *, callers: int, each: int, rounds: int) -> tuple[Pairs, float]:
    """Let the helpdesk deliver over so many connections at the same time."""
    body = _EVENT.encode()

    async with bridged(url, work=False) as bridge:

        async def deliver(round_: int, caller: int) -> None:
            for number in range(each):
                headers = {
                    "webhook-id": f"r{round_}-{caller}-{number}",
                    "webhook-session": f"session-c{caller}",
                    "content-type": "application/json",
                    "user-agent": "helpdesk",
                }
                receipt = await bridge.receive_webhook("null", headers=headers, body=body)
                assert receipt.accepted

        async def load(number: int) -> None:
            await asyncio.gather(*(deliver(number, caller) for caller in range(callers)))

        return await _measure(bridge, raw, load, rounds)


def figures(*, callers: Sequence[int] = (16, 256), total: int = 4096, rounds: int = 9) -> Iterator[Figure]:
    """Measure with few callers and with many."""
    for what, measure in (("handle_user_message", measure_messages), ("receive_webhook", measure_webhooks)):
        for many in callers:
            with databases("sqlite") as fresh:
                raw = Raw(fresh())
                pairs, size = asyncio.run(measure(fresh(), raw, callers=many, each=total // many, rounds=rounds))
                raw.close()
            yield Figure(
                f"bridge: {what} on sqlite, {many} callers, over the same rows written raw",
                1 / pairs.ratio(),
                "x",
                AIM,
                detail=f"ours {total / median(pairs.ours):.0f}/s, raw {total / median(pairs.base):.0f}/s, "
                f"{size:.0f} rows a commit, {rounds} rounds",
            )
