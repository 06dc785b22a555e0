"""Reading what was kept: each event once, in order, to the hand-off it belongs to (behaviour F22, F23, F25)."""

import asyncio

import pytest

from hitl_core.bridge.store.tables import deliveries, inputs
from hitl_core.events import (
    AgentMessage,
    AgentTyping,
    Ignored,
    IgnoredReason,
    MessageStatus,
    SessionChanged,
    UnknownEvent,
)
from hitl_core.messages import Text
from hitl_core.sessions import SessionRef
from hitl_core.testing.memory import Delivery
from hitl_core.webhooks import Parsed

from .intake_scene import BEA, KEY, body_of, provider, scene, until

pytestmark = pytest.mark.anyio

PUSH = provider(pull=False, changes=False)
REF = SessionRef(connection=KEY, id="t1")


def message(id_, text, session="t1", connection=KEY):
    ref = SessionRef(connection=connection, id=session)
    return AgentMessage(event_id=id_, session=ref, message_id=id_, agent=BEA, message=Text(text=text))


# Each fact once ---------------------------------------------------------------------------------------------------


async def test_f22_one_fact_in_two_deliveries_is_one_input(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1")
        await it.link("t1")
        delivery = it.desk.reply("t1", "Hello")
        await it.receive(delivery, id="d1")
        await it.receive(delivery, id="d2")
        await it.settle()
        await it.receive(delivery, id="d3")
        await it.settle()
        assert await it.said() == ["Hello"]
        assert {state for state, _ in (await it.states()).values()} == {1}


async def test_f22_assignments_and_endings_are_known_by_their_ids_too(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1")
        await it.link("t1")
        for delivery in (it.desk.assign("t1", BEA), it.desk.close("t1", BEA)):
            await it.receive(delivery)
            await it.receive(delivery)
        await it.settle()
        kinds = [row.key for row in await it.rows(inputs)]
        assert kinds == [f"event:{KEY}:t1-1", f"event:{KEY}:t1-2"]


async def test_f22_two_workers_that_read_the_same_delivery_keep_it_once(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1")
        await it.link("t1")
        await it.says("t1", "Hello", id="d1")
        await it.intake.poll()
        it.desk.gates["d1"] = asyncio.Event()
        work = it.working()
        await until(lambda: it.desk.running)
        del it.desk.gates["d1"]
        it.live = {"w2"}  # the first is taken for dead, and is not
        other = it.worker("w2")
        await it.settle(other)
        assert await it.said() == ["Hello"]
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await other.aclose()


# Order ------------------------------------------------------------------------------------------------------------


async def test_f23_deliveries_of_one_session_are_read_one_after_the_other_and_others_meanwhile(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1", "t2")
        await it.link("t1")
        await it.link("t2")
        it.desk.gates["a1"] = asyncio.Event()
        await it.says("t1", "one", id="a1")
        await it.says("t1", "two", id="a2")
        await it.says("t2", "other", id="b1")
        await it.intake.poll()
        work = it.working()
        await until(lambda: "a1" in it.desk.running and "b1" not in it.desk.running and it.touched)
        assert await it.said() == ["other"]
        assert [id_ for id_, _ in it.desk.parsed] == ["a1", "b1"]
        it.desk.gates["a1"].set()
        await work
        assert await it.said("c-t1") == ["one", "two"]
        assert not any({"a1", "a2"} <= together for together in it.desk.together)


async def test_f23_what_comes_in_while_something_slow_is_read_does_not_wait_for_it(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1", "t2")
        await it.link("t1")
        await it.link("t2")
        it.desk.gates["a1"] = asyncio.Event()
        await it.says("t1", "slow", id="a1")
        await it.intake.poll()
        work = it.working()
        await until(lambda: it.desk.running)
        await it.says("t2", "quick", id="b1")
        await until(lambda: it.touched)
        assert await it.said() == ["quick"]
        it.desk.gates["a1"].set()
        await work
        assert await it.said() == ["quick", "slow"]


async def test_f23_a_delivery_of_several_sessions_waits_for_all_of_them_and_they_for_it(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1", "t2")
        await it.link("t1")
        await it.link("t2")
        it.desk.gates["a1"] = asyncio.Event()
        await it.says("t1", "a1", id="a1")
        both = [it.desk._fact("t1", "message", agent=BEA, message={"type": "text", "text": "both-1"})]
        both += [it.desk._fact("t2", "message", agent=BEA, message={"type": "text", "text": "both-2"})]
        facts = [it.desk.tickets[id_].facts[-1] for id_ in ("t1", "t2")]
        await it.receive(Delivery({}, body_of(*facts)), id="ab")
        await it.says("t2", "b2", id="b2")
        await it.intake.poll()
        work = it.working()
        await until(lambda: it.desk.running == {"a1"})
        it.desk.gates["a1"].set()
        await work
        assert [id_ for id_, _ in it.desk.parsed] == ["a1", "ab", "b2"]
        assert await it.said("c-t1") == ["a1", "both-1"]
        assert await it.said("c-t2") == ["both-2", "b2"]


async def test_f23_the_events_of_one_delivery_keep_their_order(store):
    async with scene(store, PUSH) as it:
        await it.link("t1")
        it.desk.means["d1"] = Parsed(events=tuple(message(f"e{9 - n}", f"text {n}") for n in range(9)))
        await it.receive(Delivery({}, body_of({"ticket": "t1"})), id="d1")
        await it.settle()
        assert await it.said() == [f"text {n}" for n in range(9)]
        assert await it.states() == {"d1": (1, "9 events")}


async def test_no_more_deliveries_of_a_connection_are_read_at_a_time_than_allowed(store):
    async with scene(store, PUSH) as it:
        intake = it.worker("w1", concurrency=3)
        sessions = [f"t{n}" for n in range(12)]
        it.desk.open(*sessions)
        gate = asyncio.Event()
        for session in sessions:
            await it.link(session)
            it.desk.gates[f"d-{session}"] = gate
            await it.says(session, session, id=f"d-{session}")
        await intake.poll()
        work = it.working(intake)
        await until(lambda: len(it.desk.running) == 3)
        gate.set()
        await work
        assert max(len(together) for together in it.desk.together) == 3
        assert sorted(await it.said()) == sorted(sessions)
        await intake.aclose()


async def test_a_long_line_of_one_session_does_not_keep_others_from_being_read(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1", "t2")
        await it.link("t1")
        await it.link("t2")
        it.desk.gates["a0"] = asyncio.Event()
        for n in range(150):
            await it.says("t1", f"a{n}", id=f"a{n}")
        await it.says("t2", "other", id="b")
        await it.intake.poll()
        work = it.working()
        await until(lambda: it.touched)
        assert await it.said() == ["other"]
        it.desk.gates["a0"].set()
        await work
        assert await it.said("c-t1") == [f"a{n}" for n in range(150)]


async def test_f23_a_delivery_committed_late_by_another_process_is_found_at_the_next_poll(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1", "t2")
        await it.link("t1")
        await it.link("t2")
        await it.says("t1", "late", id="late")
        [row] = await it.rows(deliveries)
        # As if its transaction were still open while one with a higher number was committed.
        await it.change(deliveries, deliveries.c.id == "late", state=9)
        await it.says("t2", "other", id="other")
        await it.settle()
        assert await it.said() == ["other"]
        await it.change(deliveries, deliveries.c.id == "late", state=0)
        await it.settle()
        assert await it.said() == ["other", "late"]
        assert row.position == 1


# Whose ------------------------------------------------------------------------------------------------------------


async def test_f25_every_event_of_a_batch_goes_where_it_belongs(store):
    async with scene(store, PUSH) as it:
        for session in ("t1", "t2"):
            await it.link(session)
        events = (message("e1", "one"), message("e2", "two", "t2"), message("e3", "three"))
        it.desk.means["d1"] = Parsed(events=events)
        await it.receive(Delivery({}, body_of({"ticket": "t1"}, {"ticket": "t2"})), id="d1")
        await it.settle()
        assert await it.said("c-t1") == ["one", "three"]
        assert await it.said("c-t2") == ["two"]


async def test_f25_an_event_of_an_unknown_session_costs_only_itself(store):
    async with scene(store, PUSH) as it:
        await it.link("t1")
        events = (
            message("e1", "one"),
            message("e2", "whose?", "t9"),
            message("e3", "foreign", connection="default/another"),
            message("e4", "four"),
        )
        it.desk.means["d1"] = Parsed(events=events)
        await it.receive(Delivery({}, body_of({"ticket": "t1"}, {"ticket": "t9"})), id="d1")
        await it.settle()
        assert await it.said() == ["one", "four"]
        assert await it.states() == {"d1": (1, "2 events; ignored: 1 not_ours, 1 of another account")}


async def test_f25_an_event_of_a_session_the_delivery_did_not_name_is_routed_all_the_same(store):
    async with scene(store, PUSH) as it:
        await it.link("t1")
        await it.link("t2")
        it.desk.means["d1"] = Parsed(events=(message("e1", "other", "t2"),))
        await it.receive(Delivery({}, body_of({"ticket": "t1"})), id="d1")
        await it.settle()
        assert await it.said("c-t2") == ["other"]


async def test_f25_a_delivery_of_another_helpdesks_sessions_is_done_with_a_reason(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t9")
        await it.says("t9", "not for us", id="d1")
        await it.settle()
        assert await it.states() == {"d1": (1, "ignored: 1 not_ours")}
        assert await it.rows(inputs) == []
        assert it.touched == []


# What is no input -------------------------------------------------------------------------------------------------


async def test_what_is_ignored_is_told_and_its_id_used_up(store):
    async with scene(store, PUSH) as it:
        await it.link("t1")
        note = Ignored(event_id="e1", session=REF, reason=IgnoredReason.INTERNAL_NOTE, raw={"text": "between us"})
        it.desk.means["d1"] = Parsed(events=(note,))
        it.desk.means["d2"] = Parsed(events=(message("e1", "between us"),))
        for id_ in ("d1", "d2"):
            await it.receive(Delivery({}, body_of({"ticket": "t1"})), id=id_)
        await it.settle()
        assert await it.said() == []
        [row] = await it.rows(inputs)
        assert (row.state, row.outcome) == (1, "ignored: internal_note")
        assert "between us" not in row.payload
        assert (await it.states())["d1"] == (1, "ignored: 1 internal_note")


async def test_what_is_not_ours_does_not_use_up_the_id_of_the_event(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1")
        delivery = it.desk.reply("t1", "Hello", BEA)
        await it.receive(delivery, id="d1")
        await it.settle()
        assert await it.states() == {"d1": (1, "ignored: 1 not_ours")}
        await it.link("t1")
        await it.receive(delivery, id="d2")
        await it.settle()
        assert await it.said() == ["Hello"]


async def test_f24_a_provider_is_told_which_messages_are_our_own(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1", "t2")
        await it.link("t1", cursor="7")
        await it.link("t2")
        await it.own_message("t1", "m1")
        await it.own_message("t1", "m2")
        await it.own_message("t2", "m3")
        await it.says("t1", "Hello", id="d1")
        await it.settle()
        known = it.desk.last_known
        assert list(known) == ["t1"]
        assert known["t1"].own_message_ids == {"m1", "m2"}
        assert known["t1"].cursor == "7"
        assert known["t1"].session.ref == REF


async def test_f24_the_last_two_thousand_of_our_messages_are_known(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1")
        await it.link("t1")
        async with store.write() as conn:
            from hitl_core.bridge.store.tables import message_links

            fixed = {"tenant": "default", "connection": KEY, "session_id": "t1", "direction": "out", "message_id": None}
            await conn.execute(
                message_links.insert(),
                [
                    {**fixed, "vendor_id": f"m{n}", "key": "k", "linked_at": it.now.replace(microsecond=n)}
                    for n in range(2010)
                ],
            )
        await it.says("t1", "Hello", id="d1")
        await it.settle()
        own = it.desk.last_known["t1"].own_message_ids
        assert len(own) == 2000
        assert "m2009" in own
        assert "m9" not in own


async def test_an_unknown_kind_of_event_is_named_without_words_of_the_helpdesk(store):
    async with scene(store, PUSH) as it:
        await it.link("t1")
        it.desk.means["d1"] = Parsed(events=(UnknownEvent(event_id="e1", kind="csat <b>great</b>", session=REF),))
        await it.receive(Delivery({}, body_of({"ticket": "t1"})), id="d1")
        await it.settle()
        assert await it.states() == {"d1": (1, "ignored: 1 unknown csat_b_great_b_")}
        assert await it.rows(inputs) == []


async def test_how_far_a_message_of_ours_came_is_an_input(store):
    async with scene(store, PUSH) as it:
        await it.link("t1")
        it.desk.means["d1"] = Parsed(
            events=(MessageStatus(event_id="e1", session=REF, message_id="m1", status="failed"),)
        )
        await it.receive(Delivery({}, body_of({"ticket": "t1"})), id="d1")
        await it.settle()
        assert [one.event.kind for one in await it.inputs()] == ["message_status"]


async def test_typing_goes_past_the_store_to_whoever_shows_it(store):
    async with scene(store, PUSH) as it:
        await it.link("t1")
        await it.link("t2", handoff="ended")
        typing = [AgentTyping(event_id=f"e-{id_}", session=SessionRef(connection=KEY, id=id_)) for id_ in ("t1", "t2")]
        it.desk.means["d1"] = Parsed(events=tuple(typing))
        await it.receive(Delivery({}, body_of({"ticket": "t1"}, {"ticket": "t2"})), id="d1")
        await it.settle()
        assert it.typed == [("c-t1", "h-c-t1", True)]
        assert await it.rows(inputs) == []
        assert it.touched == []


async def test_typing_of_long_ago_is_not_shown(store):
    async with scene(store, PUSH) as it:
        await it.link("t1")
        it.desk.means["d1"] = Parsed(events=(AgentTyping(event_id="e1", session=REF),))
        await it.receive(Delivery({}, body_of({"ticket": "t1"})), id="d1")
        it.clock.advance(31)
        await it.settle()
        assert await it.state("d1") == 1
        assert it.typed == []


async def test_whoever_shows_typing_neither_holds_up_nor_breaks_anything(store, caplog):
    async with scene(store, PUSH) as it:
        await it.link("t1")
        hang = asyncio.Event()
        shown = []

        async def slow(*args):
            shown.append(args)
            if len(shown) == 1:
                raise ValueError("the host's own words")
            await hang.wait()

        it.take_typing = slow
        intake = it.worker("w1")
        for n in range(3):
            it.desk.means[f"d{n}"] = Parsed(events=(AgentTyping(event_id=f"e{n}", session=REF),))
            await it.receive(Delivery({}, body_of({"ticket": "t1"})), id=f"d{n}")
        it.desk.means["d9"] = Parsed(events=(message("e9", "Hello"),))
        await it.receive(Delivery({}, body_of({"ticket": "t1"})), id="d9")
        await intake.poll()
        work = it.working(intake)
        await until(lambda: it.touched and len(shown) == 3)
        assert await it.said() == ["Hello"]
        assert "ValueError" in caplog.text
        assert "own words" not in caplog.text
        hang.set()
        await work
        await intake.aclose()


async def test_a_hint_where_nothing_can_be_read_is_told(store):
    async with scene(store, PUSH) as it:
        await it.link("t1")
        it.desk.means["d1"] = Parsed(events=(SessionChanged(event_id="e1", session=REF),))
        await it.receive(Delivery({}, body_of({"ticket": "t1"})), id="d1")
        await it.settle()
        assert await it.states() == {"d1": (1, "ignored: 1 cannot be read")}
        assert (await it.link_of("t1")).wanted_at is None


# Cursors ----------------------------------------------------------------------------------------------------------


async def test_a_cursor_that_a_provider_read_on_the_way_is_kept_unless_somebody_moved_it_meanwhile(store):
    async with scene(store, PUSH) as it:
        from hitl_core.bridge.store.tables import links

        await it.link("t1", cursor="3")
        await it.link("t2")
        it.desk.gates["d1"] = asyncio.Event()
        it.desk.means["d1"] = Parsed(cursors={"t1": "5", "t2": "5", "t9": "5"})
        await it.receive(Delivery({}, body_of({"ticket": "t1"}, {"ticket": "t2"})), id="d1")
        await it.intake.poll()
        work = it.working()
        await until(lambda: it.desk.running)
        await it.change(links, links.c.session_id == "t1", cursor="8")
        it.desk.gates["d1"].set()
        await work
        assert (await it.link_of("t1")).cursor == "8"
        assert (await it.link_of("t2")).cursor == "5"
        assert await it.states() == {"d1": (1, "nothing in it")}


async def test_work_that_ends_while_other_work_is_written_is_not_overlooked(store):
    async with scene(store, PUSH) as it:
        it.desk.open("t1", "t2")
        await it.link("t1")
        await it.link("t2")
        it.desk.gates["b1"] = asyncio.Event()
        # The other delivery is read to its end inside the transaction of the first.
        commit = it.intake._committer.commit

        async def slow(brought):
            written = await commit(brought)
            it.desk.gates["b1"].set()
            await until(lambda: len(it.intake._finished) == (0 if done else 1))
            done.append(brought)
            return written

        done = []
        it.intake._committer.commit = slow
        await it.says("t1", "one", id="a1")
        await it.says("t2", "two", id="b1")
        await it.intake.poll()
        async with asyncio.timeout(10):
            await it.intake.work()
        assert await it.said() == ["one", "two"]
