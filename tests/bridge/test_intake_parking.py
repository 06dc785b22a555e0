"""A session nobody knows may be one that is being made just now: what is said of it waits (behaviour F04)."""

import asyncio
from datetime import timedelta

import pytest

from hitl_core.bridge.store.intake_rows import release_parked
from hitl_core.bridge.store.tables import deliveries, handoffs, inputs
from hitl_core.testing.memory import Delivery

from .intake_scene import BEA, KEY, TENANT, body_of, provider, scene, until

pytestmark = pytest.mark.anyio

PUSH = provider(pull=False, changes=False)


async def released(it):
    async with it.store.write() as conn:
        return await release_parked(conn, TENANT, KEY)


async def ended(it, conversation):
    await it.change(handoffs, handoffs.c.conversation_id == conversation, open=False, phase="ended")


async def started(it, conversation, session):
    """What the turn does that takes a session in: link it, and let go what waited for it."""
    await it.link(session, conversation, handoff=None)
    await it.change(handoffs, handoffs.c.conversation_id == conversation, phase="waiting", session_id=session)
    return await released(it)


async def test_f04_a_delivery_of_an_unknown_session_waits_while_a_start_is_under_way(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1")
        await it.handoff("c1")
        await it.says("t1", "early", id="d1")
        await it.settle()
        assert await it.states() == {"d1": (3, "waits for a start that is under way")}
        assert it.desk.parsed == []
        await it.says("t1", "second", id="d2")
        await it.settle()
        assert await started(it, "c1", "t1") == 1
        await it.says("t1", "third", id="d3")
        it.intake.wake()
        await it.intake.work()
        assert await it.said("c1") == ["early", "second", "third"]
        assert {state for state, _ in (await it.states()).values()} == {1}


async def test_f04_after_a_failed_start_it_is_read_as_nobodys(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t9")
        await it.handoff("c1")
        await it.says("t9", "to somebody else", id="d1")
        await it.settle()
        await ended(it, "c1")
        assert await released(it) == 1
        await it.settle()
        assert await it.states() == {"d1": (1, "ignored: 1 not_ours")}
        assert await it.rows(inputs) == []


async def test_f04_a_start_on_another_connection_lets_nothing_wait(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t9")
        await it.handoff("c1", connection="default/another")
        await it.says("t9", "to somebody else", id="d1")
        await it.settle()
        assert await it.state("d1") == 1


async def test_f04_sessions_that_are_known_do_not_wait_for_a_start(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1", "t9")
        await it.link("t1")
        await it.handoff("c9")
        await it.says("t9", "early", id="d1")
        await it.says("t1", "Hello", id="d2")
        await it.settle()
        assert await it.said() == ["Hello"]


async def test_f04_f25_of_a_batch_the_known_go_on_and_the_unknown_wait(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1", "t9")
        await it.link("t1")
        await it.handoff("c9")
        it.desk.reply("t1", "known", BEA)
        it.desk.reply("t9", "early", BEA)
        facts = [it.desk.tickets[id_].facts[-1] for id_ in ("t1", "t9")]
        await it.receive(Delivery({}, body_of(*facts)), id="d1")
        await it.says("t1", "next", id="d2")
        await it.settle()
        assert await it.said() == ["known", "next"]
        assert await it.state("d1") == 3
        await it.settle()
        assert [id_ for id_, _ in it.desk.parsed] == ["d1", "d2"], "it is not read again for nothing"
        await started(it, "c9", "t9")
        await it.settle()
        assert await it.said("c9") == ["early"]
        assert await it.said("c-t1") == ["known", "next"]
        assert await it.state("d1") == 1


async def test_f04_a_start_that_began_long_after_a_delivery_came_in_has_nothing_to_do_with_it(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t9")
        await it.handoff("c1")
        await it.says("t9", "to somebody else", id="d1")
        await it.settle()
        await it.handoff("c2", started_at=it.now + timedelta(seconds=61))
        await ended(it, "c1")
        await it.settle()
        assert await it.state("d1") == 1, "or on a busy account it would wait for ever"


async def test_f04_what_was_parked_a_moment_too_late_to_be_released_is_found_at_the_next_poll(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1")
        await it.handoff("c1")
        await it.handoff("c2")
        await it.says("t1", "early", id="d1")
        await it.settle()
        await started(it, "c1", "t1")
        # As if it had been parked by a transaction that was still open then; another start goes on.
        await it.change(deliveries, deliveries.c.id == "d1", state=3)
        await it.settle()
        assert await it.said("c1") == ["early"]


async def test_f04_a_start_that_ended_without_a_word_lets_nothing_wait_for_ever(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t9")
        await it.handoff("c1")
        await it.says("t9", "to somebody else", id="d1")
        await it.settle()
        await ended(it, "c1")
        await it.settle()
        assert await it.state("d1") == 1


async def test_f04_a_session_that_is_linked_while_it_is_read_as_nobodys_is_read_again(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1")
        it.desk.gates["d1"] = asyncio.Event()
        await it.says("t1", "early", id="d1")
        await it.intake.poll()
        work = it.working()
        await until(lambda: it.desk.running)
        await it.link("t1", "c1")
        it.desk.gates["d1"].set()
        await work
        assert await it.said("c1") == ["early"]
        assert it.desk.parsed == [("d1", []), ("d1", ["t1"])]


async def test_f04_f21_parked_deliveries_survive_the_worker_in_their_order(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1")
        await it.handoff("c1")
        for n in range(3):
            await it.says("t1", f"early {n}", id=f"d{n}")
        await it.settle()
        assert await it.states() | {"d0": None} == {"d0": None, "d1": (0, None), "d2": (0, None)}
        it.live = {"w2"}
        other = it.worker("w2")
        await it.settle(other)
        await started(it, "c1", "t1")
        await it.settle(other)
        assert await it.said("c1") == ["early 0", "early 1", "early 2"]
        await other.aclose()


async def test_f04_whoever_takes_over_finds_what_is_open_before_what_is_parked(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1", "t9")
        await it.link("t1")
        await it.handoff("c9")
        await it.says("t9", "early", id="d0")
        await it.settle()
        await it.says("t1", "one", id="d1")
        await it.says("t9", "early too", id="d2")
        await it.change(deliveries, deliveries.c.id == "d2", state=3)
        it.live = {"w2"}
        other = it.worker("w2")
        await other.poll()
        await other.work()
        assert await it.said() == ["one"]
        await started(it, "c9", "t9")
        other.wake()
        await other.work()
        assert await it.said("c9") == ["early", "early too"]
        await other.aclose()


async def test_f04_a_release_waits_for_nobody_and_counts_what_it_let_go(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1", "t2")
        await it.handoff("c1")
        await it.says("t1", "early", id="d1")
        await it.says("t2", "early", id="d2")
        await it.settle()
        if not store.is_sqlite:
            async with store.write() as conn:
                await conn.execute(deliveries.update().where(deliveries.c.id == "d1").values(detail="held"))
                assert await released(it) == 1, "the row somebody holds is left to the next poll"
        assert await released(it) == (2 if store.is_sqlite else 1)
        assert await released(it) == 0
