"""One busy conversation on Zendesk, whose tickets take thirty updates in ten minutes (behaviour F38).

A customer writes 300 messages in ten minutes while an agent answers. Bridge, provider and transport are the real ones;
the simulator enforces the limits of a plan; time is made, so ten minutes take a few seconds.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hitl_zendesk import ZendeskProvider
from hitl_zendesk.simulator import ZendeskSimulator

import hitl_core as hitl
from benchmarks.bridge.figures import Figure
from hitl_core.bridge import Bridge, CallbackHost
from hitl_core.bridge.store.base import Store
from hitl_core.connect import connect_class
from hitl_core.testing import VirtualClock

__all__ = ["Busy", "figures", "main", "measure"]

WINDOW = timedelta(minutes=10)
ALLOWED = 30


@dataclass
class Busy:
    """What became of it.

    :ivar updates: when Zendesk was asked to update the ticket.
    :ivar refused: how often it answered 429.
    :ivar delays: seconds each message of the customer waited.
    """

    sent: list[str]
    arrived: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    updates: list[datetime] = field(default_factory=list)
    refused: int = 0
    delays: list[float] = field(default_factory=list)

    @property
    def most(self) -> int:
        """Most updates in any ten minutes."""
        return max((sum(first <= at < first + WINDOW for at in self.updates) for first in self.updates), default=0)

    @property
    def lost(self) -> int:
        """How many messages of either side did not arrive."""
        return len(set(self.sent) - set(self.arrived)) + len(set(self.said) - set(self.heard))

    @property
    def doubled(self) -> int:
        """How many arrived more than once."""
        return sum(count - 1 for found in (self.arrived, self.heard) for count in Counter(found).values())

    @property
    def ordered(self) -> bool:
        """Whether both sides read what was said in the order in which it was."""
        return self.arrived == self.sent and self.heard == self.said


async def measure(folder: Path, *, messages: int = 300, seconds: float = 600, plan: str = "professional") -> Busy:
    """Let it happen, in made time."""
    clock = VirtualClock()
    simulator = ZendeskSimulator(clock=clock, plan=plan)
    url = f"sqlite:///{folder / 'busy.db'}"
    busy = Busy(sent=[f"line {number} of many" for number in range(messages)])
    heard = busy.heard

    async def shown(_conversation: str, message: Any, sender: hitl.Author, *, key: str) -> None:
        del key
        if sender.role == "agent":
            heard.append(message.text)

    async def note(*_: object, **__: object) -> None:
        return None

    connection = connect_class(
        ZendeskProvider, transport=simulator, clock=clock, waits="raise", **simulator.settings("http://127.0.0.1")
    )
    store = Store(url, clock=clock)
    await store.open(migrate=True)
    async with (
        simulator.running(),
        connection,
        Bridge(
            connection,
            CallbackHost(send=shown, resume=note, notify=note),
            store,
            drive=False,
            reconcile_seconds=None,
        ) as bridge,
    ):
        await _talk(bridge, simulator, clock, busy, pause=seconds / messages)
    await store.close()
    return busy


async def _talk(bridge: Bridge, simulator: ZendeskSimulator, clock: VirtualClock, busy: Busy, *, pause: float) -> None:
    ada = hitl.EndUser(external_id="u1", name="Ada")
    await asyncio.gather(bridge.start_hitl("c1", ada, "A lamp", wait=0), bridge.settle())
    (ticket,) = await simulator.sessions()
    agent = simulator.agent()
    await simulator.assign(ticket.id, agent=agent)
    said_at: dict[str, datetime] = {}
    told = 0

    async def look() -> None:
        nonlocal told
        await simulator.webhooks.pump()
        for delivery in simulator.webhooks.sent[told:]:
            told += 1
            await bridge.receive_webhook("zendesk", headers=delivery.headers, body=delivery.body)
        await bridge.settle()
        thread = await simulator.session(ticket.id)
        known = len(busy.arrived)
        lines = [line for m in thread.messages if m.role == "user" for line in m.text.splitlines() if line.strip()]
        if len(lines) > known:
            busy.updates.append(clock.now())
            busy.delays += [(clock.now() - said_at[line]).total_seconds() for line in lines[known:]]
            busy.arrived = lines

    for number, text in enumerate(busy.sent):
        said_at[text] = clock.now()
        await bridge.handle_user_message("c1", text, message_id=f"m{number}")
        if number % 30 == 15:
            busy.said.append(f"answer {number}")
            await simulator.reply(ticket.id, busy.said[-1], agent=agent)
        await look()
        clock.advance(pause)
    for _ in range(120):
        if busy.lost == 0:
            break
        clock.advance(5)
        await look()
    busy.refused = sum(request["status"] == 429 for request in simulator.requests)


def figures(*, messages: int = 300, seconds: float = 600) -> Iterator[Figure]:
    """Measure, and say what it took."""
    with tempfile.TemporaryDirectory() as folder:
        busy = asyncio.run(measure(Path(folder), messages=messages, seconds=seconds))
    delays = sorted(busy.delays)
    detail = (
        f"{messages} messages in {seconds:.0f} s took {len(busy.updates)} updates and {busy.refused} refusals; "
        f"{busy.lost} lost, {busy.doubled} doubled, {'in order' if busy.ordered else 'OUT OF ORDER'}; "
        f"they waited {delays[len(delays) // 2]:.0f} s (median), {delays[-1]:.0f} s at most"
    )
    yield Figure("zendesk: updates of a ticket in ten minutes", busy.most, "", ALLOWED, most=True, detail=detail)


def main() -> None:
    """Measure and print."""
    for figure in figures():
        print(figure.line)
