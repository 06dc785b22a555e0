"""Accepting on SQLite against the same rows written raw, on a file with the same settings.

Each round, many callers hand in one input each, then the next, while a recorder notes the rows of every transaction.
The same rows then go into a file of their own by bare ``sqlite3``, with neither JSON to make nor anything to look up,
in two ways:

* with group commit: as many callers, each waiting until its row is on the disk before it hands in the next;
* in bulk: transaction by transaction as ours were, with nobody who waits. That is what the disk and SQLite cost.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
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
        self._connection = sqlite3.connect(make_url(url).database or "", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA foreign_keys=ON")

    def write(self, batches: Sequence[_Batch]) -> None:
        """Write them, each in a transaction of its own."""
        for statement, rows in batches:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(statement, rows)
            self._connection.execute("COMMIT")

    async def group(self, batches: Sequence[_Batch], callers: int) -> None:
        """Write them for so many callers, each of which waits for its row; one commit for all that wait."""
        rows = [(statement, row) for statement, many in batches for row in many]
        waiting: list[tuple[str, Any, asyncio.Future[None]]] = []
        arrived = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def call(mine: Sequence[tuple[str, Any]]) -> None:
            for statement, row in mine:
                done = loop.create_future()
                waiting.append((statement, row, done))
                arrived.set()
                await done

        async def commit() -> None:
            left = len(rows)
            while left:
                await arrived.wait()
                arrived.clear()
                batch, waiting[:] = waiting[:], []
                if not batch:
                    continue
                self._connection.execute("BEGIN IMMEDIATE")
                for statement in dict.fromkeys(statement for statement, _, _ in batch):
                    self._connection.executemany(statement, [row for asked, row, _ in batch if asked == statement])
                await asyncio.to_thread(self._connection.execute, "COMMIT")  # the event loop goes on meanwhile
                for _, _, done in batch:
                    done.set_result(None)
                left -= len(batch)

        await asyncio.gather(commit(), *(call(rows[number::callers]) for number in range(callers)))

    def empty(self) -> None:
        """Delete all rows, so that the same may be written again."""
        for table in ("hitl_inputs", "hitl_deliveries"):
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are above

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


@dataclass
class Measured:
    """Seconds of each round, and how many rows a transaction of ours had."""

    pairs: Pairs = field(default_factory=lambda: Pairs([], []))
    bulk: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


async def _measure(
    bridge: Bridge, raw: Raw, load: Callable[[int], Awaitable[None]], callers: int, rounds: int
) -> Measured:
    """Time all three in turn."""
    recorder = Recorder(bridge)
    measured = Measured()
    for number in range(rounds + 1):
        began = time.perf_counter()
        await load(number)
        ours = time.perf_counter() - began
        batches = recorder.take()
        began = time.perf_counter()
        await raw.group(batches, callers)
        grouped = time.perf_counter() - began
        raw.empty()
        began = time.perf_counter()
        raw.write(batches)
        bulk = time.perf_counter() - began
        if number:  # the first is to warm up
            measured.pairs.ours.append(ours)
            measured.pairs.base.append(grouped)
            measured.bulk.append(bulk)
            measured.sizes += [len(rows) for _, rows in batches]
    return measured


async def measure_messages(url: str, raw: Raw, *, callers: int, each: int, rounds: int) -> Measured:
    """Let so many customers talk at the same time."""
    async with _accepting(url, callers) as (bridge, names):
        return await _measure(
            bridge, raw, lambda number: talk(bridge, names, each, prefix=f"r{number}-"), callers, rounds
        )


async def measure_webhooks(url: str, raw: Raw, *, callers: int, each: int, rounds: int) -> Measured:
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

        return await _measure(bridge, raw, load, callers, rounds)


def figures(*, callers: Sequence[int] = (16, 256), total: int = 4096, rounds: int = 9) -> Iterator[Figure]:
    """Measure with few callers and with many."""
    for what, measure in (("handle_user_message", measure_messages), ("receive_webhook", measure_webhooks)):
        for many in callers:
            with databases("sqlite") as fresh:
                raw = Raw(fresh())
                measured = asyncio.run(measure(fresh(), raw, callers=many, each=total // many, rounds=rounds))
                raw.close()
            pairs, sizes = measured.pairs, measured.sizes
            yield Figure(
                f"bridge: {what} on sqlite, {many} callers, over the same rows written raw with group commit",
                1 / pairs.ratio(),
                "x",
                AIM,
                detail=f"ours {total / median(pairs.ours):.0f}/s, raw {total / median(pairs.base):.0f}/s, "
                f"raw in bulk {total / median(measured.bulk):.0f}/s, {sum(sizes) / len(sizes):.0f} rows a commit, "
                f"{rounds} rounds",
            )
