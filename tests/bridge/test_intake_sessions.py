"""Reading sessions: what a webhook only hints at, or never said (behaviour F13)."""

import asyncio
from datetime import timedelta

import pytest

from hitl_core.bridge.store.intake_rows import want
from hitl_core.bridge.store.tables import inputs, links
from hitl_core.calls import EventPage, SessionState
from hitl_core.errors import (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    ProviderUnavailableError,
    SessionClosedError,
)
from hitl_core.events import AgentMessage, SessionChanged
from hitl_core.info import Limits
from hitl_core.messages import Text
from hitl_core.sessions import SessionRef
from hitl_core.testing.memory import Delivery
from hitl_core.webhooks import Parsed

from .intake_scene import BEA, KEY, TENANT, body_of, provider, scene, until, with_limits

pytestmark = pytest.mark.anyio

REF = SessionRef(connection=KEY, id="t1")


def message(id_, text, session="t1"):
    ref = SessionRef(connection=KEY, id=session)
    return AgentMessage(event_id=id_, session=ref, message_id=id_, agent=BEA, message=Text(text=text))


async def wish(it, session="t1", at=None):
    """What a turn does that wants a session read."""
    async with it.store.write() as conn:
        await want(conn, TENANT, KEY, session, at or it.now)
    it.intake.wake()


async def compared(it):
    """Get the comparison at the start over with."""
    await it.settle()
    it.desk.asked.clear()


async def reads(it):
    return [one for one in await it.inputs() if one.kind == "session_read"]


async def test_f13_a_wanted_session_is_read_and_how_it_stands_is_an_input_behind_its_events(store):
    async with scene(store) as it:
        await compared(it)
        it.desk.open("t1")
        await it.link("t1", cursor="1")
        await it.own_message("t1", "m1")
        for text in ("known", "lost one", "lost two"):
            it.desk.reply("t1", text, BEA)
        it.desk.tickets["t1"].agent = BEA
        began = it.now
        await wish(it)
        assert await it.intake.work()
        assert [one.kind for one in await it.inputs()] == ["agent_event", "agent_event", "session_read"]
        assert await it.said() == ["lost one", "lost two"]
        [read] = await reads(it)
        assert (read.session, read.state, read.began_at) == (REF, SessionState(open=True, agent=BEA), began)
        keys = [row.key for row in await it.rows(inputs)]
        assert keys == [f"event:{KEY}:t1-2", f"event:{KEY}:t1-3", f"read:{KEY}:t1:{began.isoformat()}"]
        [asked] = it.desk.asked
        assert (asked.cursor, asked.own_message_ids) == ("1", {"m1"})
        link = await it.link_of("t1")
        assert (link.cursor, link.wanted_at) == ("3", None)
        assert set(it.touched) == {"c-t1"}
        assert not await it.intake.work()


async def test_f13_a_hint_is_served_by_reading_the_session(store):
    async with scene(store) as it:
        await compared(it)
        it.desk.open("t1")
        await it.link("t1")
        it.desk.reply("t1", "behind the hint", BEA)
        it.desk.means["d1"] = Parsed(events=(SessionChanged(event_id="e1", session=REF),))
        await it.receive(Delivery({}, body_of({"ticket": "t1"})), id="d1")
        await it.intake.work()
        assert await it.said() == ["behind the hint"]
        assert await it.states() == {"d1": (1, "1 to read")}


async def test_f22_what_was_pushed_and_pulled_is_one_input(store):
    async with scene(store) as it:
        await compared(it)
        it.desk.open("t1")
        await it.link("t1")
        await it.says("t1", "Hello")
        await wish(it)
        await it.settle()
        assert await it.said() == ["Hello"]


async def test_many_wishes_are_served_by_one_reading(store):
    async with scene(store) as it:
        await compared(it)
        it.desk.open("t1")
        await it.link("t1")
        for _ in range(10):
            await wish(it)
        await it.settle()
        assert len(it.desk.asked) == 1


async def test_a_wish_that_comes_during_a_reading_is_served_by_one_more(store):
    async with scene(store) as it:
        await compared(it)
        it.desk.open("t1")
        await it.link("t1")
        it.desk.gates["t1"] = asyncio.Event()
        await wish(it)
        work = it.working()
        await until(lambda: it.desk.running)
        for _ in range(3):
            await wish(it)
        it.desk.reply("t1", "meanwhile", BEA)
        it.desk.gates["t1"].set()
        await work
        assert len(it.desk.asked) == 2
        assert it.desk.together.count(frozenset({"t1"})) == 2
        assert await it.said() == ["meanwhile"]
        assert (await it.link_of("t1")).wanted_at is None


async def test_f23_a_session_is_not_read_by_two_ways_at_the_same_time(store):
    async with scene(store) as it:
        await compared(it)
        it.desk.open("t1")
        await it.link("t1", cursor="0")
        it.desk.reply("t1", "lost", BEA)
        it.desk.gates["t1"] = asyncio.Event()
        await wish(it)
        work = it.working()
        await until(lambda: it.desk.running)
        await it.says("t1", "pushed", id="d1")
        await asyncio.sleep(0.05)
        assert it.desk.running == {"t1"}
        it.desk.gates["t1"].set()
        await work
        assert await it.said() == ["lost", "pushed"]


async def test_sessions_that_are_slow_to_read_do_not_hold_up_deliveries(store):
    async with scene(store) as it:
        await compared(it)
        sessions = [f"t{n}" for n in range(8)]
        it.desk.open(*sessions, "other")
        gate = asyncio.Event()
        await it.link("other")
        for session in sessions:
            await it.link(session)
            it.desk.gates[session] = gate
            await wish(it, session)
        work = it.working()
        await until(lambda: len(it.desk.running) == 4)
        await it.says("other", "quick")
        await until(lambda: it.touched)
        assert await it.said() == ["quick"]
        gate.set()
        await work
        assert len(await reads(it)) == 8
        assert max(len(together & set(sessions)) for together in it.desk.together) == 4


async def test_several_pages_are_read_in_one_go_and_the_state_comes_with_the_last(store):
    async with scene(store) as it:
        await compared(it)
        await it.link("t1", cursor="a")
        it.desk.pages["t1"] = [
            EventPage(events=(message("e1", "one"),), cursor="b", more=True, state=SessionState(open=True)),
            EventPage(events=(message("e2", "two"),), cursor="c", state=SessionState(open=False)),
        ]
        await wish(it)
        await it.intake.work()
        assert await it.said() == ["one", "two"]
        assert [asked.cursor for asked in it.desk.asked] == ["a", "b"]
        [read] = await reads(it)
        assert read.state == SessionState(open=False)
        assert (await it.link_of("t1")).cursor == "c"


async def test_a_session_without_end_is_read_some_pages_at_a_time(store):
    async with scene(store) as it:
        await compared(it)
        await it.link("t1")
        it.desk.pages["t1"] = [
            EventPage(events=(message(f"e{n}", f"{n}"),), cursor=f"{n}", more=n < 44, state=SessionState(open=True))
            for n in range(45)
        ]
        await wish(it)
        await it.intake.work()
        assert await it.said() == [f"{n}" for n in range(45)]
        assert len(await reads(it)) == 1
        assert (await it.link_of("t1")).wanted_at is None


async def test_a_provider_that_promises_more_and_does_not_move_on_is_not_asked_for_ever(store):
    async with scene(store) as it:
        await compared(it)
        await it.link("t1")
        page = EventPage(events=(message("e1", "one"),), cursor="b", more=True, state=SessionState(open=True))
        it.desk.pages["t1"] = [page] * 5
        await wish(it)
        await it.settle()
        assert len(it.desk.asked) == 2
        assert await it.said() == ["one"]


async def test_a_helpdesk_that_tells_no_state_makes_no_reading_of_it(store):
    async with scene(store) as it:
        await compared(it)
        await it.link("t1")
        it.desk.pages["t1"] = [EventPage(events=(message("e1", "one"),), cursor="b")]
        await wish(it)
        await it.settle()
        assert await it.said() == ["one"]
        assert await reads(it) == []


async def test_f13_a_session_the_helpdesk_does_not_know_any_more_is_read_as_gone(store):
    async with scene(store) as it:
        await compared(it)
        await it.link("t1")
        await wish(it)
        await it.settle()
        [read] = await reads(it)
        assert read.state is None
        assert (await it.link_of("t1")).wanted_at is None


async def test_f13_one_that_is_closed_for_reading_too_is_read_as_closed(store):
    async with scene(store) as it:
        await compared(it)
        it.desk.open("t1")
        await it.link("t1")
        it.desk.errors["t1"] = [SessionClosedError("it has ended")]
        await wish(it)
        await it.settle()
        [read] = await reads(it)
        assert read.state == SessionState(open=False)


async def test_f13_what_is_missing_so_soon_after_it_was_made_is_read_again_where_reads_lag(store):
    async with scene(store, with_limits(Limits(settle_seconds=10))) as it:
        await compared(it)
        await it.link("t1")
        await wish(it)
        await it.settle()
        assert await reads(it) == []
        await it.pass_time(15, step=1)
        [read] = await reads(it)
        assert read.state is None


async def test_f13_something_else_that_is_missing_ends_nothing(store):
    async with scene(store) as it:
        await compared(it)
        it.desk.open("t1")
        await it.link("t1")
        it.desk.errors["t1"] = [NotFoundError("no such agent", subject="agent")]
        await wish(it)
        await it.settle()
        assert await reads(it) == []
        await it.pass_time(1)
        [read] = await reads(it)
        assert read.state is not None


@pytest.mark.parametrize("error", [ProviderUnavailableError, InvalidRequestError, ValueError, asyncio.CancelledError])
async def test_a_session_that_cannot_be_read_now_is_read_later_ever_more_slowly(store, error):
    async with scene(store) as it:
        await compared(it)
        it.desk.open("t1")
        await it.link("t1")
        it.desk.errors["t1"] = [error("no") for _ in range(4)]
        await wish(it)
        await it.settle()
        waits = []
        for _ in range(4):
            waits.append(((await it.link_of("t1")).wanted_at - it.now).total_seconds())
            await it.pass_time(waits[-1])
        assert waits == [1, 2, 4, 8]
        assert len(await reads(it)) == 1
        it.desk.errors["t1"] = [error("no")]
        await wish(it)
        await it.settle()
        assert (await it.link_of("t1")).wanted_at == it.now + timedelta(seconds=1), "counted from the start again"


async def test_an_account_that_is_refused_is_not_asked_more_than_once_a_minute(store):
    async with scene(store) as it:
        await compared(it)
        it.desk.open("t1")
        await it.link("t1")
        it.desk.errors["t1"] = [AuthenticationError("key revoked")]
        await wish(it)
        await it.settle()
        assert (await it.link_of("t1")).wanted_at == it.now + timedelta(seconds=60)


async def test_what_nobody_needs_any_more_is_given_up(store):
    async with scene(store) as it:
        await compared(it)
        await it.link("t1", open=False)
        it.desk.errors["t1"] = [InvalidRequestError("archived") for _ in range(100)]
        await wish(it)
        await it.pass_time(3600, step=10)
        assert len(it.desk.asked) == 6
        assert (await it.link_of("t1")).wanted_at is None


async def test_what_was_read_before_an_error_is_kept(store):
    async with scene(store) as it:
        await compared(it)
        it.desk.open("t1")
        await it.link("t1")

        def fail():
            raise ProviderUnavailableError("down")

        it.desk.pages["t1"] = [EventPage(events=(message("e1", "one"),), cursor="b", more=True), fail]
        await wish(it)
        await it.settle()
        assert await it.said() == ["one"]
        link = await it.link_of("t1")
        assert (link.cursor, link.wanted_at) == ("b", it.now + timedelta(seconds=1))
        assert await reads(it) == []


async def test_people_are_told_when_the_helpdesk_no_longer_shows_everything(store, caplog):
    async with scene(store) as it:
        await compared(it)
        await it.link("t1", cursor="old")
        it.desk.pages["t1"] = [
            EventPage(events=(message("e9", "new"),), cursor="n", gap=True, state=SessionState(open=True))
        ]
        await wish(it)
        await it.settle()
        assert await it.said() == ["new"]
        [note] = await it.notes()
        assert (note.actor, note.action, note.conversation_id) == ("worker", "gap", "c-t1")
        assert "session t1" in note.detail
        assert "no longer shows all" in caplog.text


async def test_an_event_no_database_can_hold_does_not_keep_a_session_from_being_read(store):
    async with scene(store) as it:
        await compared(it)
        await it.link("t1")
        bad = AgentMessage(event_id="e1", session=REF, message_id="1", message=Text(text="x"), raw=object())
        it.desk.pages["t1"] = [EventPage(events=(bad, message("e2", "two")), cursor="n", state=SessionState(open=True))]
        await wish(it)
        await it.settle()
        assert await it.said() == ["two"]
        assert [note.action for note in await it.notes()] == ["unreadable"]
        assert (await it.link_of("t1")).wanted_at is None


async def test_a_cursor_that_was_moved_during_a_reading_stays(store):
    async with scene(store) as it:
        await compared(it)
        it.desk.open("t1")
        await it.link("t1")
        it.desk.reply("t1", "Hello", BEA)
        it.desk.gates["t1"] = asyncio.Event()
        await wish(it)
        work = it.working()
        await until(lambda: it.desk.running)
        await it.change(links, links.c.session_id == "t1", cursor="7")
        it.desk.gates["t1"].set()
        await work
        assert (await it.link_of("t1")).cursor == "7"
        assert await it.said() == ["Hello"]


async def test_an_earlier_wish_stays_and_a_session_without_a_link_is_nobodys(store):
    async with scene(store, provider(pull=False, changes=False)) as it:
        await it.link("t1")
        for seconds in (20, 5, 10):
            await wish(it, at=it.now + timedelta(seconds=seconds))
        await wish(it, "t9")
        assert (await it.link_of("t1")).wanted_at == it.now + timedelta(seconds=5)
        await it.pass_time(10)
        assert it.desk.asked == [], "what cannot be read is not tried"


async def test_f21_a_delivery_that_is_given_up_lets_its_sessions_be_read(store):
    async with scene(store) as it:
        await compared(it)
        it.desk.open("t1")
        await it.link("t1")
        it.desk.errors["d1"] = [InvalidRequestError("not understood")]
        await it.says("t1", "Hello", id="d1")
        await it.settle()
        assert await it.state("d1") == 2
        assert await it.said() == ["Hello"], "the helpdesk's record tells what the webhook did not"


async def test_a_reading_that_its_worker_did_not_live_to_write_is_repeated(store):
    async with scene(store) as it:
        await compared(it)
        it.desk.open("t1")
        await it.link("t1")
        it.desk.reply("t1", "Hello", BEA)
        it.desk.gates["t1"] = asyncio.Event()
        await wish(it)
        work = it.working()
        await until(lambda: it.desk.running)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        it.desk.gates.clear()
        await it.pass_time(59)
        assert await it.said() == []
        await it.pass_time(1)
        assert await it.said() == ["Hello"]
