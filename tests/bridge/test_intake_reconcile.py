"""Comparing all that is open with the helpdesk: at the start, on a slow timer, on demand (behaviour F13)."""

from datetime import timedelta

import pytest

from hitl_core.bridge.store.intake_rows import ask_reconcile
from hitl_core.calls import ChangePage
from hitl_core.errors import AuthenticationError, InvalidRequestError, ProviderUnavailableError
from hitl_core.sessions import SessionRef

from .intake_scene import BEA, KEY, TENANT, provider, scene

pytestmark = pytest.mark.anyio

NO_CHANGES = provider(changes=False)


def moved(*ids, cursor, more=False):
    return ChangePage(sessions=tuple(SessionRef(connection=KEY, id=id_) for id_ in ids), cursor=cursor, more=more)


async def three_sessions(it):
    """Two with a hand-off that is open, and one whose hand-off is over."""
    it.desk.open("t1", "t2", "t3")
    await it.link("t1")
    await it.link("t2")
    await it.link("t3", open=False, handoff="ended")


def asked(it):
    ids = [request.session.id for request in it.desk.asked]
    it.desk.asked.clear()
    return sorted(ids)


async def test_f13_at_the_start_all_that_is_open_is_read_where_the_helpdesk_cannot_tell_what_moved(store):
    async with scene(store, NO_CHANGES) as it:
        await three_sessions(it)
        it.desk.reply("t1", "lost", BEA)
        await it.settle()
        assert asked(it) == ["t1", "t2"]
        assert await it.said() == ["lost"]
        assert (await it.owner()).reconciled_at == it.now
        await it.pass_time(1000, step=100)
        assert asked(it) == [], "no timer was asked for"


async def test_f13_on_a_slow_timer_it_is_done_again(store):
    async with scene(store, NO_CHANGES) as it:
        await three_sessions(it)
        intake = it.intake = it.worker("w1", reconcile_seconds=300)
        await it.settle()
        asked(it)
        await it.pass_time(299, step=23)
        assert asked(it) == []
        it.desk.reply("t2", "lost", BEA)
        await it.pass_time(1)
        assert asked(it) == ["t1", "t2"]
        assert await it.said() == ["lost"]
        await it.pass_time(301, step=301)
        assert asked(it) == ["t1", "t2"]
        await intake.aclose()


async def test_f13_a_worker_that_takes_over_does_it_at_once(store):
    async with scene(store, NO_CHANGES) as it:
        await three_sessions(it)
        await it.settle()
        asked(it)
        await it.intake.aclose()
        other = it.worker("w2")
        await it.settle(other)
        assert asked(it) == ["t1", "t2"]
        await other.aclose()


@pytest.mark.parametrize("connection", [KEY, None])
async def test_f13_on_demand_it_is_done_at_the_next_poll(store, connection):
    async with scene(store, NO_CHANGES) as it:
        await three_sessions(it)
        await it.settle()
        asked(it)
        async with store.write() as conn:
            assert await ask_reconcile(conn, TENANT, connection) == 1
            assert await ask_reconcile(conn, TENANT, "default/another") == 0
            assert await ask_reconcile(conn, "another", None) == 0
        await it.settle()
        assert asked(it) == ["t1", "t2"]


async def test_f13_many_sessions_are_read_over_time_so_that_peoples_messages_have_the_account_too(store):
    async with scene(store, NO_CHANGES) as it:
        intake = it.intake = it.worker("w1", reconcile_seconds=10)
        ids = [f"t{n:03}" for n in range(120)]
        it.desk.open(*ids, "new")
        for number, id_ in enumerate(ids):
            await it.link(id_, linked_at=it.now + timedelta(seconds=number), handoff=None)
        await it.settle()
        assert asked(it) == ids[-20:], "the newest first"
        await it.pass_time(10, step=1)
        assert asked(it) == ids[-70:-20]
        await it.pass_time(10, step=1)
        assert asked(it) == ids[:50], "and the next round does not begin in the middle of this one"
        await it.pass_time(9, step=1)
        assert asked(it) == []
        await it.pass_time(1)
        assert asked(it) == ids[-20:]
        await intake.aclose()


async def test_f13_of_what_can_be_told_to_have_moved_only_that_is_read(store):
    async with scene(store) as it:
        await three_sessions(it)
        intake = it.intake = it.worker("w1", reconcile_seconds=60)
        it.desk.moved = [moved(cursor="1"), moved("t2", "t9", cursor="2", more=True), moved("t3", cursor="3")]
        await it.settle()
        assert asked(it) == ["t1", "t2"], "what moved before the first page is in no page"
        assert (await it.owner()).changes_cursor == "1"
        await it.pass_time(60)
        assert asked(it) == ["t2", "t3"]
        owner = await it.owner()
        assert (owner.changes_cursor, owner.reconciled_at) == ("3", it.now)
        assert [(request.cursor, set(request.sessions)) for request in it.desk.changes] == [
            (None, {"t1", "t2"}),
            ("1", {"t1", "t2"}),
            ("2", {"t1", "t2"}),
        ]
        await intake.aclose()


async def test_f13_with_nothing_open_nothing_is_asked_and_the_next_record_begins_anew(store):
    async with scene(store) as it:
        it.desk.open("t1")
        intake = it.intake = it.worker("w1", reconcile_seconds=60)
        await it.settle()
        await it.pass_time(60)
        assert it.desk.changes == []
        assert (await it.owner()).reconciled_at == it.now
        await it.link("t1")
        await it.pass_time(60)
        assert asked(it) == ["t1"]
        assert [request.cursor for request in it.desk.changes] == [None]
        await intake.aclose()


async def test_f13_a_helpdesk_that_cannot_be_asked_now_is_asked_again_later(store):
    async with scene(store) as it:
        await three_sessions(it)
        it.desk.errors["changes"] = [ProviderUnavailableError("down"), AuthenticationError("no")]
        await it.settle()
        for _ in range(2):
            assert asked(it) == []
            await it.pass_time(59)
            assert asked(it) == []
            await it.pass_time(1)
        assert {"t1", "t2"} <= set(asked(it))


async def test_f13_a_cursor_the_helpdesk_does_not_know_any_more_is_forgotten_and_all_is_read(store):
    async with scene(store) as it:
        await three_sessions(it)
        intake = it.intake = it.worker("w1", reconcile_seconds=60)
        it.desk.moved = [moved(cursor="1")]
        await it.settle()
        asked(it)
        it.desk.errors["changes"] = [InvalidRequestError("unknown cursor")]
        await it.pass_time(60)
        assert asked(it) == ["t1", "t2"]
        assert (await it.owner()).changes_cursor is None
        await intake.aclose()


async def test_f13_pages_without_end_are_read_some_at_a_time(store):
    async with scene(store) as it:
        await three_sessions(it)
        it.desk.moved = [moved(cursor=f"{n}", more=True) for n in range(1, 120)] + [moved("t3", cursor="end")]
        await it.settle()
        assert (await it.owner()).changes_cursor == "end"
        assert "t3" in asked(it)


async def test_f13_a_connection_that_cannot_be_read_is_not_compared(store):
    async with scene(store, provider(pull=False)) as it:
        await three_sessions(it)
        intake = it.intake = it.worker("w1", reconcile_seconds=60)
        await it.pass_time(300, step=60)
        assert (asked(it), it.desk.changes) == ([], [])
        assert (await it.link_of("t1")).wanted_at is None
        await intake.aclose()
