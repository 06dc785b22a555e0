"""Waiting for what becomes of an input: told at once in this process, looked up ever more seldom for others."""

import asyncio
from types import SimpleNamespace

import pytest

from hitl_core.bridge.engine.turns import Committed, Outcome
from hitl_core.bridge.engine.waiters import Waiters
from hitl_core.bridge.handoff.records import Phase
from hitl_core.bridge.store.tables import InputState

pytestmark = pytest.mark.anyio

TAKEN = Outcome(1, "start:c1", InputState.DONE, "h1", "started")


def handoff(conversation, phase=Phase.STARTING):
    return SimpleNamespace(id=f"h-{conversation}", conversation_id=conversation, phase=phase)


class Looks:
    """Counts the looks into the store, which finds nothing."""

    def __init__(self):
        self.count = 0

    async def __call__(self):
        self.count += 1


async def test_what_happens_in_other_conversations_costs_whoever_waits_nothing():
    waiters, look = Waiters(), Looks()
    with waiters.watch("c1", "start:c1") as watch:
        waiting = asyncio.create_task(watch.outcome(30, look))
        for number in range(100):
            waiters.committed(Committed(changed=[handoff(f"other{number}")]))
            await asyncio.sleep(0)
        assert look.count == 0
        waiters.committed(Committed(outcomes=[TAKEN]))
        assert await waiting is TAKEN
    assert look.count == 0


async def test_a_start_that_goes_on_here_is_told_without_a_look():
    waiters, look = Waiters(), Looks()
    with waiters.watch("c1", "start:c1") as watch:
        waiting = asyncio.create_task(watch.handoff(handoff("c1"), 30, look))
        for phase in (Phase.STARTING, Phase.WAITING):
            await asyncio.sleep(0)
            waiters.committed(Committed(changed=[last := handoff("c1", phase)]))
        assert await waiting is last
    assert look.count == 0


async def test_who_has_no_time_to_wait_looks_once():
    waiters, look = Waiters(), Looks()
    with waiters.watch("c1", "start:c1") as watch:
        assert await watch.outcome(0, look) is None
    assert look.count == 1
