"""Who makes a customer's record: one worker at a time, and another one when that one dies in the act (F05)."""

import asyncio

import pytest
import sqlalchemy as sa

from hitl_core.bridge.engine.directory import StoreDirectory
from hitl_core.bridge.engine.progress import Busy, UserClaim
from hitl_core.bridge.store.tables import workers

pytestmark = pytest.mark.anyio

ASKED = ("default/desk", "u1", "all that is known of them")
LEASE = 10.0


async def beat(store, worker):
    """Let a worker say that it lives."""
    now = store.clock.now()
    async with store.write() as conn:
        await conn.execute(sa.delete(workers).where(workers.c.id == worker))
        await conn.execute(workers.insert(), {"id": worker, "started_at": now, "seen_at": now})


async def test_f05_a_record_that_a_dead_worker_was_making_is_made_by_the_next_one(store, clock, backend):
    first, second = (StoreDirectory(store, "default", worker, lease=LEASE) for worker in ("w1", "w2"))
    await beat(store, "w1")
    assert isinstance(await first.claim_user(*ASKED), UserClaim)
    assert isinstance(await first.claim_user(*ASKED), Busy)
    if backend == "postgresql":
        clock.advance(LEASE - 1)
        await beat(store, "w2")
        assert isinstance(await second.claim_user(*ASKED), Busy), "it lives, as far as anybody knows"
        clock.advance(1)
    assert isinstance(await second.claim_user(*ASKED), UserClaim)


async def test_f05_a_worker_that_lives_keeps_its_claim_for_a_minute(store, clock):
    first = StoreDirectory(store, "default", "w1", lease=LEASE)
    assert isinstance(await first.claim_user(*ASKED), UserClaim)
    clock.advance(59)
    assert isinstance(await first.claim_user(*ASKED), Busy)
    clock.advance(1)
    assert isinstance(await first.claim_user(*ASKED), UserClaim)


async def test_f05_of_many_who_ask_for_a_new_customer_at_the_same_time_one_makes_them(store, backend):
    await beat(store, "w1")
    await beat(store, "w2")
    names = ("w1", "w1" if backend == "sqlite" else "w2") * 4  # there is one worker on SQLite
    directories = {name: StoreDirectory(store, "default", name, lease=LEASE) for name in names}
    answers = await asyncio.gather(*(directories[name].claim_user(*ASKED) for name in names))
    assert sorted(type(answer).__name__ for answer in answers) == ["Busy"] * 7 + ["UserClaim"]
