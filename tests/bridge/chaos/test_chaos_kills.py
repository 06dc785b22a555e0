"""Workers are killed while many talk: nothing is lost, doubled or out of order (F20-F22, guarantees 1 to 5)."""

import asyncio
import random
import time

import pytest

from .desk import Desk
from .storm import Storm, since, told

pytestmark = pytest.mark.anyio

KILLS = 20
COUNT, EACH = 200, 11  # 200 hand-offs, 5,000 inputs
STALLED = 5.0
SETTINGS = {"lease_seconds": 2.0, "poll_seconds": 0.5}


async def kill_while_it_lasts(storm, fleet, count, *, seed=0):
    """Kill a worker in the middle of each share of the work, and begin another one in its place."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    for number in range(count):
        storm.allow((number + 1.5) / (count + 1))
        await _progress(storm, storm.expected * (number + chance.uniform(0.5, 1.0)) / (count + 1))
        await fleet.kill(chance.choice(fleet.workers))
        await fleet.begin()
    storm.allow(1)


async def _progress(storm, goal):
    """Return once there have been so many effects, or none for a while: what is missing waits for a lease."""
    known, at = storm.done, time.monotonic()
    while known < goal and since(at) < STALLED:
        await asyncio.sleep(0.01)
        if storm.done > known:
            known, at = storm.done, time.monotonic()


async def through(storm, count, *, seed=0):
    """Let the storm pass, and return what came of it."""
    async with asyncio.TaskGroup() as group:
        group.create_task(storm.run())
        group.create_task(kill_while_it_lasts(storm, storm.fleet, count, seed=seed))
    await storm.settled()
    return await storm.tally()


async def test_5000_inputs_over_200_hand_offs_survive_20_kills(backend, database_url, stage, figures):
    async with stage(database_url, desk=Desk("keyed", trouble=0.01), **SETTINGS) as scene:
        for _ in range(1 if backend == "sqlite" else 2):
            await scene.fleet.begin()
        storm = Storm(scene, count=COUNT, each=EACH)
        tally = await through(storm, KILLS)
    figures(told(f"kill -9, {backend}, a helpdesk that knows keys", storm, tally))
    assert tally.clean, tally
    assert not storm.failed
    assert tally.accepted == storm.total
    assert not tally.letters
    assert not tally.given_back


@pytest.mark.parametrize("kind", ["findable", "blind"])
async def test_where_the_helpdesk_knows_no_keys_what_is_in_doubt_is_looked_up_or_left_to_people(
    kind, backend, database_url, stage, figures
):
    async with stage(database_url, desk=Desk(kind, trouble=0.01), **SETTINGS) as scene:
        for _ in range(1 if backend == "sqlite" else 2):
            await scene.fleet.begin()
        storm = Storm(scene, count=40)
        tally = await through(storm, 6)
    what = {"findable": "one that can only be searched", "blind": "one that neither knows keys nor can be searched"}
    figures(told(f"kill -9, {backend}, {what[kind]}", storm, tally))
    assert tally.clean, tally
    if kind == "findable":
        assert not tally.unresolved
        assert not tally.letters
    else:
        assert tally.unresolved == sum(tally.letters.values()), "a dead letter for each, and no other"
