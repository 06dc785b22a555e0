"""What one effect comes to costs no other one: neither its neighbours' place, nor the room they are carried out in."""

import asyncio

import pytest

from hitl_core.bridge.engine.jobs import HostJobs
from hitl_core.bridge.engine.turns import Attempts, Conversation, OpenEffect
from hitl_core.bridge.handoff.effects import TellCustomer
from hitl_core.errors import ProviderUnavailableError
from hitl_core.info import RateLimit
from hitl_core.messages import File, Text
from hitl_core.people import Author

from .world import Desk, told, world

pytestmark = pytest.mark.anyio

BIG = File(url="https://files.example/a", size=1_000)


async def test_f38_a_message_that_cannot_be_sent_costs_none_of_those_it_would_have_been_sent_with(store):
    desk = Desk().limited(updates=RateLimit(count=30, seconds=600), attachment_bytes=10)
    async with world(store, desk=desk) as w:
        await w.start()
        gate = desk.hold("send_message")
        await w.say("first")
        for message in ("one", BIG, "two", "three"):
            await w.say(message)
        gate.open()
        await w.settle()
        [first, one, together] = [request.message for request in desk.tickets["t1"].sent]
        assert (first.text, one.text, [item.text for item in together.items]) == ("first", "one", ["two", "three"])
        [letter] = await w.letters()
        assert "1000 bytes" in letter.detail
        assert w.texts.count(told("on_message_failed_message")) == 1


class Clumsy:
    """Jobs towards a helpdesk that stumble while they plan what says so."""

    def __init__(self, jobs):
        self._jobs = jobs

    def __getattr__(self, name):
        return getattr(self._jobs, name)

    def plan(self, effect):
        if getattr(effect, "message", None) is not None and effect.message.text.startswith("stumble"):
            raise TypeError(effect.message.text)
        return self._jobs.plan(effect)


async def test_a_message_nobody_can_plan_is_a_dead_letter_and_its_room_and_its_lane_are_free_again(store, caplog):
    async with world(store, concurrency=2) as w:
        desks = w.bridge._driver._worker.attempts._desks
        desks["default/memory"] = Clumsy(desks["default/memory"])
        await w.start()
        for number in range(3):
            await w.say(f"stumble {number}")
        await w.say("one")
        assert w.sent() == ["one"]
        assert [letter.kind for letter in await w.letters()] == ["send_to_desk"] * 3
        assert "TypeError" in caplog.text
        assert "stumble 0" not in caplog.text


class Full:
    """Slots of an account that other workers have all of."""

    async def acquire(self):
        await asyncio.Event().wait()

    async def aclose(self):
        pass


async def test_f37_what_waited_for_room_when_the_worker_ended_was_not_begun(store):
    desk = Desk().may(find_message=False, idempotent=frozenset())
    async with world(store, desk=desk) as w:
        await w.start()
        await w.settle()
        w.bridge._driver._worker.attempts._slots["default/memory"] = Full()
        await w.bridge.handle_user_message("c1", "one", message_id="m1")
        await w.bridge._driver._worker.work()
        await asyncio.sleep(0)
        await w.bridge.aclose(grace=0)
    async with world(store, desk=desk) as again:
        await again.settle()
        assert again.sent() == ["one"]
        assert await again.letters() == []


# Room -----------------------------------------------------------------------------------------------------------------


async def test_what_waits_for_room_when_its_time_has_come_lets_its_worker_rest_meanwhile(store):
    async with world(store, concurrency=1) as w:
        await w.start("c1")
        await w.start("c2")
        w.desk.fail("before", ProviderUnavailableError("down"))
        await w.say("two", "c2")
        gate = w.desk.hold("send_message")
        await w.say("one", "c1")
        async with asyncio.timeout(20):
            await w.pass_time(2)
        assert w.sent("t2") == []
        gate.open()
        await w.settle()
        assert (w.sent("t1"), w.sent("t2")) == (["one"], ["two"])


def test_room_that_becomes_free_is_offered_to_as_many_as_it_is_for_the_longest_waiting_first(clock):
    attempts = Attempts({}, HostJobs(None, directory=None, clock=clock), clock=clock, cap=2)
    tell = OpenEffect(TellCustomer(key="h:1", message=Text(text="hi"), sender=Author.bot()), "h")
    asking = [Conversation(f"c{number}", 1) for number in range(5)]
    assert [attempts.may(one, tell) for one in asking] == [True, True, False, False, False]
    assert attempts.woken() == []
    attempts.let_go(tell)
    assert attempts.woken() == ["c2"]
    attempts.let_go(tell)
    assert attempts.woken() == ["c3", "c4"], "the one before has not taken it"
    assert attempts.woken() == []
