"""What one effect comes to costs no other one: neither its neighbours' place, nor the room they are carried out in."""

import asyncio

import pytest

from hitl_core.info import RateLimit
from hitl_core.messages import File

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
