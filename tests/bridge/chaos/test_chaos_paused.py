"""A worker that stands still past its lease has lost its turns, and writes nothing when it goes on (fencing)."""

import asyncio
import time

import pytest
import sqlalchemy as sa

from hitl_core.bridge.store.tables import conversations, handoffs, inputs, outbox, timers, workers

from .desk import Desk
from .fleet import eventually
from .storm import Storm, open_work, since, told

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("backend", ["postgresql"], indirect=True)]

LEASE = 2.0
ROUNDS = 2


async def written(store):
    """Return all that a worker could have written, but for its heartbeat and turns in which there is nothing to do."""
    async with store.read() as conn:
        return {
            (table.name, *(value for name, value in row._mapping.items() if name != "fence"))
            for table in (conversations, handoffs, inputs, outbox, timers)
            for row in await conn.execute(sa.select(table))
        }


async def beats(store):
    """Return when each worker was heard of."""
    async with store.read() as conn:
        return {row.id: row.seen_at for row in await conn.execute(sa.select(workers.c.id, workers.c.seen_at))}


async def paused(storm, scene, victim):
    """Let a worker stand still until others have done all there is, and go on; return how long it took the others."""
    scene.fleet.stop(victim)
    began = time.monotonic()

    async def taken_over():
        return storm.held_back and not await open_work(scene.store)

    await eventually(taken_over, every=0.1, patience=90, what="others take over")
    took = since(began)
    before, seen = await written(scene.store), await beats(scene.store)
    shown, sent = scene.channel.read(), scene.desk.written[victim.pid]
    scene.fleet.go_on(victim)

    async def lives():
        # Two rounds of its own: whatever it was about to do, it has done.
        now = await beats(scene.store)
        late = min(seen, key=seen.get)
        return now[late] is not None and (now[late] - max(seen.values())).total_seconds() > LEASE

    await eventually(lives, every=0.1, what="it lives again")
    changed = await written(scene.store) ^ before
    assert not changed, f"it wrote after it had lost its turn: {changed}"
    assert scene.channel.read() == shown, "it told a customer something of its own"
    assert scene.desk.written[victim.pid] == sent, "it wrote into the helpdesk what no key absorbed"
    return took


async def test_a_worker_paused_past_its_lease_writes_nothing_when_it_goes_on(database_url, stage, figures):
    settings = {"lease_seconds": LEASE, "poll_seconds": 0.5}
    async with stage(database_url, desk=Desk("keyed"), **settings) as scene:
        for _ in range(2):
            await scene.fleet.begin()
        storm = Storm(scene, count=40, at_once=40, patience=2.0)
        took = []
        async with asyncio.TaskGroup() as group:
            group.create_task(storm.run())
            for number in range(ROUNDS):
                storm.allow((number + 1) / (ROUNDS + 1))
                goal = storm.expected * (number + 0.5) / (ROUNDS + 1)
                await eventually(lambda goal=goal: storm.done >= goal, what="half of what may be done")
                took.append(await paused(storm, scene, scene.fleet.workers[number % 2]))
            storm.allow(1)
        await storm.settled()
        tally = await storm.tally()
    seconds = ", ".join(f"{one:.1f}" for one in took)
    figures(
        told(f"SIGSTOP past the lease of {LEASE:g} s, SIGCONT", storm, tally) + f"; others were through in {seconds} s"
    )
    assert tally.clean, tally
    assert not tally.letters
