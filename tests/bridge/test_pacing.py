"""No session is updated more often than its helpdesk allows, and nobody waits longer than that takes (F38)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_core.bridge.engine.turns.pacing import Pace
from hitl_core.info import RateLimit

from .world import Desk, world

START = datetime(2026, 3, 1, tzinfo=UTC)
LIMITS = st.builds(RateLimit, count=st.integers(2, 60), seconds=st.integers(1, 900).map(float))


def made(pace, wishes):
    """Make updates when they are wished for, or as soon as they may be."""
    times, now = [], START
    for wait in wishes:
        now = max(now + timedelta(seconds=wait), pace.next_at(times) or now)
        times.append(now)
    return times


@given(LIMITS, st.lists(st.floats(0, 120), max_size=120))
def test_f38_no_window_holds_more_updates_than_allowed(limit, wishes):
    times = made(Pace(limit), wishes)
    for number, first in enumerate(times):
        within = sum(1 for moment in times[number:] if moment < first + timedelta(seconds=limit.seconds))
        assert within <= limit.count


@given(LIMITS, st.integers(1, 20))
def test_f38_a_third_goes_at_once(limit, count):
    pace = Pace(limit)
    at_once = min(count, pace.burst)
    assert made(pace, [0.0] * at_once) == [START] * at_once


def test_f38_the_first_is_never_kept_waiting():
    assert Pace(RateLimit(count=1, seconds=60)).next_at([]) is None


def counting_desk():
    """Return a helpdesk that takes 30 updates of a ticket in ten minutes."""
    return Desk().limited(updates=RateLimit(count=30, seconds=600))


@pytest.mark.anyio
async def test_f38_150_messages_in_ten_minutes_stay_under_30_updates_complete_and_in_order(store):
    async with world(store, desk=counting_desk()) as w:
        await w.start()
        ticket, times, texts = w.desk.tickets["t1"], [], []
        for number in range(150):
            before = len(ticket.sent)
            await w.say(f"line {number}")
            times += [w.clock.now()] * (len(ticket.sent) - before)
            w.clock.advance(4)
        before = len(ticket.sent)
        await w.pass_time(120, step=10)
        times += [w.clock.now()] * (len(ticket.sent) - before)
        for request in ticket.sent:
            items = request.message.items if request.message.type == "bloc" else [request.message]
            texts += [item.text for item in items]
        assert texts == [f"line {number}" for number in range(150)]
        for first in times:
            assert sum(first <= moment < first + timedelta(seconds=600) for moment in times) <= 30


@pytest.mark.anyio
async def test_f38_a_worker_that_takes_over_knows_how_often_a_ticket_was_updated(store):
    desk = counting_desk()
    async with world(store, desk=desk) as w:
        await w.start()
        for number in range(10):
            await w.say(f"line {number}")
        assert len(desk.tickets["t1"].sent) == 10
    async with world(store, desk=desk) as w:
        for number in range(10, 15):
            await w.say(f"line {number}", id=f"late-{number}")
        assert len(desk.tickets["t1"].sent) == 10, "the burst was used up before"
        await w.pass_time(60, step=5)
        assert len(desk.tickets["t1"].sent) <= 13
