"""Appending in the host's transaction and reading by cursor, on both engines."""

import asyncio

import pytest
import sqlalchemy as sa

from hitl_core.database import begin_read, begin_write
from hitl_core.eventlog import EventLog, InvalidCursorError, InvalidEventError

pytestmark = pytest.mark.anyio


async def read_all(log, stream="bot", limit=7):
    events, cursor = [], None
    while True:
        page = await log.read(stream, cursor, limit)
        events += page.events
        cursor = page.cursor
        if not page.more:
            return events


async def test_an_event_and_the_hosts_rows_commit_together_or_not_at_all(log, tables):
    async def change_of_mind():
        async with begin_write(log.engine) as conn:
            await log.append(conn, stream="bot", type="ticket.closed", data={"id": 1})
            raise RuntimeError("the host changed its mind")

    with pytest.raises(RuntimeError, match="the host changed its mind"):
        await change_of_mind()
    async with begin_write(log.engine) as conn:
        kept = await log.append(conn, stream="bot", type="ticket.closed", data={"id": 2})
    page = await log.read("bot")
    assert [event.id for event in page.events] == [kept.id]
    assert kept.position == 1, "a rollback gives its position back"


async def test_what_is_read_is_what_was_appended(log, append):
    appended = await append("ticket.closed", subject="t_1", text="Grüße 🙂\u2028\x00", broken="\ud800", n=1.5, no=None)
    (event,) = (await log.read("bot")).events
    assert event == appended
    assert event.data == {"text": "Grüße 🙂\u2028\x00", "broken": "\ud800", "n": 1.5, "no": None}
    assert event.to_dict() == {
        "type": "ticket.closed",
        "timestamp": "2026-03-01T12:00:00.000000Z",
        "data": event.data,
        "id": event.id,
        "subject": "t_1",
        "seq": 1,
    }


async def test_positions_count_per_stream_and_seq_per_subject(log, append):
    for subject in ("a", "b", "a", None, "a"):
        await append(subject=subject)
    await append(stream="other", subject="a")
    events = await read_all(log)
    assert [event.position for event in events] == [1, 2, 3, 4, 5]
    assert [event.subject_seq for event in events] == [1, 1, 2, None, 3]
    (other,) = await read_all(log, "other")
    assert (other.position, other.subject_seq) == (1, 1)


async def test_pages_follow_each_other_without_gap_or_repetition(log, append):
    appended = [await append(n=n) for n in range(10)]
    first = await log.read("bot", limit=4)
    assert first.more
    second = await log.read("bot", first.cursor, limit=4)
    third = await log.read("bot", second.cursor, limit=4)
    assert not third.more
    assert [*first.events, *second.events, *third.events] == appended
    assert (await log.read("bot", appended[6].cursor)).events == tuple(appended[7:])
    assert (await log.read("bot", await log.latest("bot"))).events == ()


async def test_a_filter_moves_the_cursor_past_what_it_hides(log, append):
    wanted = await append("ticket.closed")
    await append("message.created")
    page = await log.read("bot", types=["ticket.closed"])
    assert page.events == (wanted,)
    assert page.cursor == await log.latest("bot")
    nothing = await log.read("bot", page.cursor, types=["ticket.reopened"])
    assert (nothing.events, nothing.cursor, nothing.more) == ((), page.cursor, False)


@pytest.mark.parametrize(
    "cursor", ["", "0", "nonsense", "-1.abcdef", "1.ABCDEF", "ffffffffffffffff.abcdef", "\uff11.abcdef"]
)
async def test_a_malformed_cursor_is_refused(log, cursor):
    with pytest.raises(InvalidCursorError, match="not a cursor"):
        await log.read("bot", cursor)


async def test_a_cursor_of_another_stream_is_refused(log, append):
    event = await append(stream="other")
    with pytest.raises(InvalidCursorError, match="another stream"):
        await log.read("bot", event.cursor)


async def test_a_cursor_ahead_of_the_log_is_refused_instead_of_waiting_for_it(log, append, tables):
    event = await append()
    async with begin_write(log.engine) as conn:  # as after restoring a backup
        await conn.execute(sa.delete(tables.events))
        await conn.execute(sa.update(tables.streams).values(position=0))
    with pytest.raises(InvalidCursorError, match="ahead of the log"):
        await log.read("bot", event.cursor)


async def test_trimming_keeps_what_is_owed_and_refuses_cursors_behind_it(log, hooks, append, clock):
    old = [await append(n=n) for n in range(3)]
    await hooks.put("bot", "main", url="https://bot.example/hook")
    owed = await append(n=3)
    clock.advance(3600)
    new = await append(n=4)
    assert await log.trim("bot", before=clock.now()) == 3
    assert await read_all(log) == [owed, new]
    assert (await log.read("bot", old[2].cursor)).events == (owed, new)
    with pytest.raises(InvalidCursorError, match="trimmed"):
        await log.read("bot", old[1].cursor)
    assert (await append(n=5)).position == 6


async def test_trimming_everything_keeps_counting(log, append, clock):
    await append(subject="t")
    clock.advance(1)
    assert await log.trim("bot", before=clock.now()) == 1
    event = await append(subject="t")
    assert (event.position, event.subject_seq) == (2, 2)


@pytest.mark.parametrize(
    ("type", "data", "hint"),
    [
        ("", {}, "dotted name"),
        ("ticket closed", {}, "dotted name"),
        ("ticket..closed", {}, "dotted name"),
        ("t\nid: 1", {}, "dotted name"),
        ("ok", {"secret-word": float("nan")}, "must be JSON"),
        ("ok", {"secret-word": object()}, "must be JSON"),
        ("ok", ["secret-word"], "JSON object"),
        ("ok", {"secret-word": "x" * 300_000}, "link to it"),
    ],
)
async def test_an_event_that_cannot_be_stored_is_refused_without_showing_its_data(log, type, data, hint):
    async with begin_write(log.engine) as conn:
        with pytest.raises(InvalidEventError, match=hint) as caught:
            await log.append(conn, stream="bot", type=type, data=data)
    assert "secret-word" not in str(caught.value)
    assert (await log.read("bot")).events == ()


async def test_a_cursor_reader_misses_and_repeats_nothing_while_writers_commit_out_of_order(log, engine, append):
    writers, each = 6, 15
    done = asyncio.Event()

    async def write(writer):
        for n in range(each):
            async with begin_write(engine) as conn:
                await log.append(conn, stream="bot", type="e", data={"w": writer, "n": n}, subject=f"s{writer}")
                for _ in range((writer + n) % 5):  # transactions of different length overtake one another
                    await conn.execute(sa.text("select 1"))
                if (writer + n) % 7 == 0:
                    await conn.rollback()
            log.notify("bot")

    async def follow():
        seen, cursor = [], None
        while True:
            last = done.is_set()
            page = await log.read("bot", cursor, limit=5)
            seen += page.events
            cursor = page.cursor
            if last and not page.more:
                return seen

    async def write_all():
        await asyncio.gather(*(write(writer) for writer in range(writers)))
        done.set()

    results = await asyncio.gather(write_all(), follow(), follow())
    kept = sum((writer + n) % 7 != 0 for writer in range(writers) for n in range(each))
    for seen in results[1:]:
        assert [event.position for event in seen] == list(range(1, kept + 1))
        assert len({event.id for event in seen}) == kept
        for writer in range(writers):
            own = [event for event in seen if event.subject == f"s{writer}"]
            assert [event.subject_seq for event in own] == list(range(1, len(own) + 1))
            assert [event.data["n"] for event in own] == sorted(event.data["n"] for event in own)


async def test_a_reader_never_waits_for_an_open_writer(log, append):
    await append(n=1)
    async with begin_write(log.engine) as conn:
        await log.append(conn, stream="bot", type="e", data={})
        async with asyncio.timeout(5):
            page = await log.read("bot")
    assert len(page.events) == 1
    assert len((await log.read("bot", page.cursor)).events) == 1


async def test_a_long_poll_wakes_when_the_host_notifies(log, append, tools, clock):
    reading = asyncio.create_task(log.read("bot", wait=30))
    await tools.eventually(lambda: 30 in clock.sleeping())
    event = await append()
    assert (await reading).events == (event,)
    assert clock.monotonic() == 0, "it did not have to wait for the poll"


async def test_a_long_poll_notices_what_another_process_appended(log, engine, tables, tools, clock):
    other = EventLog(engine, tables, clock=clock)
    reading = asyncio.create_task(log.read("bot", wait=30))
    await tools.eventually(lambda: clock.sleeping() == [1, 30])
    clock.advance(1)  # a first look, with nothing new
    await tools.eventually(lambda: clock.sleeping() == [1, 29])
    async with begin_write(engine) as conn:
        event = await other.append(conn, stream="bot", type="e", data={})
    other.notify("bot")
    clock.advance(1)
    assert (await reading).events == (event,)


async def test_a_long_poll_ends_empty_when_its_time_is_over(log, append, tools, clock):
    event = await append()
    reading = asyncio.create_task(log.read("bot", event.cursor, wait=5))
    await tools.eventually(lambda: 5 in clock.sleeping())
    clock.advance(5)
    page = await reading
    assert (page.events, page.cursor, page.more) == ((), event.cursor, False)


async def test_a_long_poll_with_a_filter_sleeps_on_through_what_it_hides(log, append, tools, clock):
    reading = asyncio.create_task(log.read("bot", types=["ticket.closed"], wait=30))
    await tools.eventually(lambda: 30 in clock.sleeping())
    await append("message.created")
    clock.advance(0.5)
    await tools.eventually(lambda: 29.5 in clock.sleeping())
    wanted = await append("ticket.closed")
    assert (await reading).events == (wanted,)


async def test_closing_ends_long_polls_at_once(log, tools, clock):
    reading = asyncio.create_task(log.read("bot", wait=30))
    await tools.eventually(lambda: 30 in clock.sleeping())
    await log.close()
    assert (await reading).events == ()
    assert (await log.read("bot", wait=30)).events == ()
    assert clock.sleeping() == []


async def test_the_look_for_other_processes_survives_a_broken_database_and_stops_with_its_readers(
    log, engine, tables, tools, clock
):
    reading = asyncio.create_task(log.read("bot", wait=30))
    await tools.eventually(lambda: clock.sleeping() == [1, 30])
    async with begin_write(engine) as conn:
        await conn.execute(sa.text(f"alter table {tables.streams.name} rename to hidden_{tables.streams.name}"))
    clock.advance(1)
    await tools.eventually(lambda: clock.sleeping() == [1, 29])
    async with begin_write(engine) as conn:
        await conn.execute(sa.text(f"alter table hidden_{tables.streams.name} rename to {tables.streams.name}"))
        event = await log.append(conn, stream="bot", type="e", data={})
    clock.advance(1)
    assert (await reading).events == (event,)
    clock.advance(1)
    await tools.eventually(lambda: clock.sleeping() == [])


async def test_customers_words_show_in_no_repr_and_no_database_error(log, append, engine, tables):
    event = await append(text="my card is 4111")
    assert "4111" not in repr(event)
    with pytest.raises(sa.exc.SQLAlchemyError) as caught:
        async with begin_write(engine) as conn:
            await conn.execute(sa.insert(tables.subjects).values(stream="card 4111", subject="s", seq=None))
    assert "4111" not in str(caught.value).split("DETAIL")[0]


async def test_without_an_injected_clock_postgresql_judges_time_and_sqlite_asks_the_machine(engine, tables):
    log = EventLog(engine, tables)
    asked = []
    async with begin_read(engine) as conn:
        sa.event.listen(engine.sync_engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
        now = await log.now(conn)
    assert abs((log.clock.now() - now).total_seconds()) < 5
    assert [text for text in asked if "clock_timestamp" in text] == (
        ["SELECT clock_timestamp() AS clock_timestamp_1"] if engine.dialect.name == "postgresql" else []
    )
