"""What happens when nobody does anything, on the whole bridge: timers, also over restarts (part 12, F14)."""

import pytest
import sqlalchemy as sa

from hitl_core.bridge import EndReason, Owner, Policy
from hitl_core.bridge.store.tables import inputs, timers
from hitl_core.errors import RateLimitedError
from hitl_core.events import StopReason

from .world import BEA, JOINED, told, world

pytestmark = pytest.mark.anyio


def after(**seconds):
    """Return a policy with these limits, such as ``after(agent_assigned=60)``."""
    return Policy(**{f"{name}_seconds": value for name, value in seconds.items()})


async def armed(w):
    """Return the names of the timers that run, in the database."""
    async with w.bridge.store.read() as conn:
        return sorted((await conn.execute(sa.select(timers.c.name))).scalars())


# Nobody takes it ----------------------------------------------------------------------------------------------------


async def test_s105_s108_s109_nobody_in_time_gives_the_conversation_back(store):
    async with world(store, policy=after(agent_assigned_timeout=60)) as w:
        await w.start()
        await w.pass_time(59, step=59)
        assert await w.owner() is Owner.QUEUE
        await w.pass_time(1)
        assert (await w.handoff()).end_reason is EndReason.ASSIGNMENT_TIMEOUT
        assert w.texts[-2:] == [told("on_agent_assigned_timeout_message"), "assignment_timeout"]
        [stop] = w.desk.stops
        assert (stop.reason, stop.message) == (StopReason.TIMEOUT, told("on_user_hitl_cancelled_message"))
        assert w.chat.handed_back[0].continue_flow


async def test_s105_without_a_limit_nobody_is_timed(store):
    async with world(store) as w:
        await w.start()
        assert await armed(w) == []
        await w.pass_time(100_000, step=50_000)
        assert await w.owner() is Owner.QUEUE


async def test_s107_an_agent_in_time_stops_the_timer(store):
    async with world(store, policy=after(agent_assigned_timeout=60)) as w:
        await w.start()
        await w.deliver(w.desk.assign("t1", BEA))
        assert await armed(w) == []
        await w.pass_time(1000, step=500)
        assert await w.owner() is Owner.HUMAN


async def test_f14_f26_an_unassigned_customer_waits_for_the_whole_time_again(store):
    async with world(store, policy=after(agent_assigned_timeout=60)) as w:
        await w.start()
        await w.deliver(w.desk.assign("t1", BEA))
        await w.pass_time(100, step=50)
        await w.deliver(w.desk.assign("t1", None))
        await w.pass_time(59, step=59)
        assert await w.owner() is Owner.QUEUE
        await w.pass_time(1)
        assert await w.owner() is Owner.BOT


async def test_s110_s113_f10_each_hand_off_has_its_own_timers(store):
    async with world(store, policy=after(agent_assigned_timeout=60)) as w:
        await w.start()
        await w.deliver(w.desk.reply("t1", "hi", BEA))
        await w.pass_time(50, step=50)
        await w.deliver(w.desk.close("t1"))
        await w.start()
        await w.pass_time(20, step=10)
        assert await w.owner() is Owner.QUEUE, "the first one's is over"
        await w.pass_time(40, step=20)
        assert (await w.handoff()).end_reason is EndReason.ASSIGNMENT_TIMEOUT, "the second one's runs all the same"


async def test_r03_s111_a_timer_never_reaches_the_bot(store):
    async with world(store, policy=after(agent_assigned_timeout=60)) as w:
        await w.start()
        await w.pass_time(60, step=60)
        assert w.chat.notices == []


# Nobody answers -----------------------------------------------------------------------------------------------------


async def test_f14_an_agent_who_takes_it_and_says_nothing_loses_it(store):
    async with world(store, policy=after(first_answer_timeout=60)) as w:
        await w.start()
        await w.pass_time(300, step=300)
        await w.deliver(w.desk.assign("t1", BEA))
        await w.say("anybody?")
        await w.pass_time(59, step=59)
        assert await w.owner() is Owner.HUMAN
        await w.pass_time(1)
        assert (await w.handoff()).end_reason is EndReason.FIRST_ANSWER_TIMEOUT
        assert w.texts[-2:] == [told("on_first_answer_timeout_message"), "first_answer_timeout"]


async def test_f14_a_customer_who_waits_for_the_next_answer_is_told_once_for_each_wait(store):
    async with world(store, policy=after(agent_silence_timeout=60)) as w:
        await w.start()
        await w.deliver(w.desk.reply("t1", "hi", BEA))
        await w.say("and my parcel?")
        await w.pass_time(30, step=30)
        await w.say("hello?")
        await w.pass_time(30, step=30)
        waiting = told("on_agent_silence_message")
        assert w.texts[-1] == waiting, "writing again does not begin the wait anew"
        await w.pass_time(600, step=300)
        assert w.texts.count(waiting) == 1
        await w.deliver(w.desk.reply("t1", "found it", BEA))
        await w.say("great, where?")
        await w.pass_time(60, step=60)
        assert (w.texts.count(waiting), await w.owner()) == (2, Owner.HUMAN)


async def test_f14_an_agents_silence_may_end_it(store):
    policy = Policy(agent_silence_timeout_seconds=60, on_agent_silence="end")
    async with world(store, policy=policy) as w:
        await w.start()
        await w.deliver(w.desk.reply("t1", "hi", BEA))
        await w.say("and my parcel?")
        await w.pass_time(60, step=60)
        assert (await w.handoff()).end_reason is EndReason.AGENT_SILENT
        assert w.texts[-2] == policy.text("on_agent_silence_message")


async def test_f14_a_silent_customer_is_asked_and_then_taken_to_have_left(store):
    async with world(store, policy=after(customer_silence_warning=60, customer_silence_timeout=90)) as w:
        await w.start()
        await w.deliver(w.desk.reply("t1", "Which parcel?", BEA))
        await w.pass_time(60, step=60)
        assert w.texts[-1] == told("on_customer_silence_warning_message")
        await w.say("the big one")
        await w.pass_time(300, step=100)
        assert await w.owner() is Owner.HUMAN, "the agent has not answered since"
        await w.deliver(w.desk.reply("t1", "It has left", BEA))
        await w.pass_time(90, step=30)
        assert w.texts[-3:] == [
            told("on_customer_silence_warning_message"),
            told("on_customer_silence_message"),
            "customer_silent",
        ]
        assert w.desk.stops[0].message == told("on_customer_left_note")


async def test_f14_however_much_is_said_it_ends_after_the_longest_time(store):
    async with world(store, policy=after(maximum_duration=100)) as w:
        await w.start()
        await w.deliver(w.desk.reply("t1", "hi", BEA))
        for _ in range(4):
            await w.pass_time(24, step=24)
            await w.say("still me")
        await w.pass_time(4)
        assert w.texts[-2:] == [told("on_maximum_duration_message"), "too_long"]


async def test_f14_the_longest_time_also_counts_while_the_ticket_is_made(store):
    async with world(store, policy=after(maximum_duration=10)) as w:
        w.desk.fail("before", RateLimitedError("slow down", retry_after=20))
        await w.start()
        await w.pass_time(10, step=5)
        assert w.texts == [told("on_maximum_duration_message"), "too_long"]
        await w.pass_time(60, step=20)
        assert w.desk.tickets == {}, "nobody wants it any more"


async def test_f14_nobody_is_timed_while_the_bot_has_paused_it_and_then_anew(store):
    async with world(store, policy=after(first_answer_timeout=60)) as w:
        await w.start()
        await w.deliver(w.desk.assign("t1", BEA))
        await w.bridge.pause("c1")
        await w.pass_time(300, step=100)
        assert (await w.handoff()).open
        await w.bridge.resume("c1")
        await w.pass_time(59, step=59)
        assert (await w.handoff()).open
        await w.pass_time(1)
        assert (await w.handoff()).end_reason is EndReason.FIRST_ANSWER_TIMEOUT


# Over restarts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dies", [False, True])
async def test_f14_a_timer_runs_on_over_a_restart_and_fires_once(store, dies):
    async with world(store, policy=after(agent_assigned_timeout=60)) as w:
        await w.start()
        await w.pass_time(30, step=30)
        if dies:
            await w.crash()
    async with world(store, desk=w.desk, chat=w.chat, policy=after(agent_assigned_timeout=5)) as again:
        await again.pass_time(29, step=29)
        assert await again.owner() is Owner.QUEUE, "the limit is the one of its start (S046)"
        await again.pass_time(1)
        assert await again.owner() is Owner.BOT
    async with world(store, desk=w.desk, chat=w.chat) as third:
        await third.pass_time(60, step=30)
    assert w.texts.count(told("on_agent_assigned_timeout_message")) == 1


async def test_f14_what_fell_due_while_nobody_was_there_is_done_at_the_next_start_of_the_process(store, clock):
    async with world(store, policy=after(agent_assigned_timeout=60)) as w:
        await w.start("c1")
        await w.start("c2")
        await w.deliver(w.desk.assign("t2", BEA))
    clock.advance(3600)
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.settle()
        assert (await again.owner("c1"), await again.owner("c2")) == (Owner.BOT, Owner.HUMAN)
        assert w.texts.count("assignment_timeout") == 1


async def test_f14_an_agent_who_came_before_the_timer_was_looked_at_is_in_time_when_taken_in_first(store, clock):
    async with world(store, policy=after(agent_assigned_timeout=60)) as w:
        await w.start()
        clock.advance(59)
        delivery = w.desk.reply("t1", "here I am", BEA)
        await w.bridge.receive_webhook("memory", headers=delivery.headers, body=delivery.body)
        await w.bridge._intake.work()  # it is read; nobody has decided on it yet
        clock.advance(1)
        await w.settle()
        assert (w.texts[-2:], await w.owner()) == ([JOINED, "here I am"], Owner.HUMAN)
        async with store.read() as conn:
            fired = sa.select(inputs.c.outcome).where(inputs.c.kind == "timer_fired")
            assert list((await conn.execute(fired)).scalars()) in ([], ["ignored: moved"])


async def test_f14_many_timers_due_at_once_fire_once_each(store, clock):
    async with world(store, policy=after(agent_assigned_timeout=60)) as w:
        for number in range(30):
            await w.start(f"c{number}")
        clock.advance(60)
        await w.settle()
        assert w.texts.count("assignment_timeout") == 30
        assert await armed(w) == []
        assert not any(ticket.open for ticket in w.desk.tickets.values())
