"""Everything mended, everybody patient: what a bridge has to come to in the end."""

import asyncio
from datetime import UTC, datetime

_ROUNDS = 300


def heal(world, *, lost):
    """Mend everything, answer everybody, and let the bridge come to rest.

    :param lost: webhooks that are still on their way never arrive.
    """
    for desk in world.desks.values():
        desk.down = False
        desk.sim.faults.clear()
    world.channel.troubles.clear()
    world.disk.mend()
    _begin(world)
    _answer_everybody(world)
    _arrive(world, lost=lost)
    _rest(world)
    world.command(world.bridge.reconcile())
    _rest(world)
    _arrive(world, lost=lost)
    _rest(world)


def _begin(world):
    for _ in range(3):
        world.begin()
        world.loop.finish(_all([world.process.opening], failing=True))
        world.go(None)
        if world.bridge is not None:
            return
    raise AssertionError(f"a process cannot begin: {world.process.opening}")


def _answer_everybody(world):
    world.loop.finish(_all(world.process.calls))
    world.go(None)
    for said in world.book.unanswered:
        world.hand_in(said)
    for start in world.book.starts:
        if not start.results:
            world.start(start)
    world.loop.finish(_all(world.process.calls))
    world.go(None)
    assert not world.book.unanswered
    assert all(start.results for start in world.book.starts)


async def _all(tasks, *, failing=False):
    await asyncio.gather(*tasks, return_exceptions=failing)


def _arrive(world, *, lost):
    world.collect()
    if lost:
        world.on_the_way.clear()
    for delivery in list(world.on_the_way):
        world.deliver(delivery)
    world.loop.finish(_all(world.process.calls))
    world.go(None)
    assert not world.on_the_way


def _rest(world):
    """Let time pass until nothing is to be done any more."""
    for _ in range(_ROUNDS):
        world.go(None)
        wait = _pending(world)
        if wait is None:
            return
        world.loop.jump(wait)
    raise AssertionError(f"it never comes to rest: {_open_rows(world)}")


def _pending(world):
    """Return in how many seconds something is to be done; ``None`` for never."""
    if not any(_open_rows(world).values()):
        return None
    now = world.clock.now()
    times = [
        row["at"]
        for row in world.rows(
            "SELECT not_before AS at FROM hitl_outbox WHERE state < 2"
            " UNION ALL SELECT not_before FROM hitl_deliveries WHERE state = 0"
            " UNION ALL SELECT wanted_at FROM hitl_links"
        )
        if row["at"]
    ]
    waits = [(datetime.fromisoformat(at).replace(tzinfo=UTC) - now).total_seconds() for at in times]
    return max(min((wait for wait in waits if wait > 0), default=5.0), 0.1)


def _open_rows(world):
    """Return what is not done."""
    return {
        name: [tuple(row) for row in world.rows(query)]
        for name, query in {
            "inputs": "SELECT key, kind FROM hitl_inputs WHERE state = 0",
            "effects": "SELECT key, kind, state, attempts, not_before FROM hitl_outbox WHERE state < 2",
            "deliveries": "SELECT id, state, attempts, not_before, detail FROM hitl_deliveries WHERE state IN (0, 3)",
            "sessions": "SELECT session_id, wanted_at FROM hitl_links WHERE wanted_at IS NOT NULL",
        }.items()
    }
