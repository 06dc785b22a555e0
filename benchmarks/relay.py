"""Handing over 500 messages of history: how many requests, and how long the rendering takes."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import hitl_core as hitl

MESSAGES = 500
RUNS = 15


class CountingDesk:
    """An ASGI application that answers every request like the desk and counts them."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, int]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Read the body, answer with a ticket."""
        size, more = 0, True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        self.requests.append((scope["method"], scope["path"], size))
        ticket = {"id": "tkt_1", "number": 1, "customer": {"id": "cus_1"}, "external_id": None, "url": None}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(ticket).encode()})


def history() -> list[hitl.HistoryEntry]:
    """Make 500 messages of a real length."""
    start = datetime(2026, 11, 21, 8, tzinfo=UTC)
    speakers = (hitl.Author.user(name="Ada"), hitl.Author.bot("Robin"))
    return [
        hitl.HistoryEntry.of(
            speakers[number % 2],
            f"Message {number}: I ordered a lamp two weeks ago and it is still not here. What now?",
            start + timedelta(seconds=20 * number),
        )
        for number in range(MESSAGES)
    ]


async def measure() -> tuple[int, int, list[float]]:
    """Start once over a counted transport; plan several times with the clock running."""
    desk = CountingDesk()
    entries = history()
    times = []
    async with hitl.connect("desk", base_url="https://desk.test", token="dbk_benchmark", transport=desk) as helpdesk:
        user = hitl.ExternalUser(id="cus_1")
        await helpdesk.start_hitl(user=user, title="Lamp", history=entries)
        for _ in range(RUNS):
            start = time.perf_counter()
            helpdesk.plan_start(user=user, title="Lamp", history=entries)
            times.append(time.perf_counter() - start)
    return len(desk.requests), desk.requests[0][2], times


def main() -> None:
    """Print the number of requests."""
    requests, size, times = asyncio.run(measure())
    print(
        f"relay: {MESSAGES} messages by `transcript` in {requests} request(s) of {size} bytes; planned in "
        f"{median(times) * 1000:.1f} ms (aim 1 request: {'met' if requests == 1 else 'missed'})"
    )


if __name__ == "__main__":
    main()
