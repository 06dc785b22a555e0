"""What a host, or a provider, does to the task it runs in is its own failure; and what could not be done is said."""

import asyncio
import logging

import pytest
import sqlalchemy as sa

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import outbox
from hitl_core.errors import InvalidRequestError, ProviderUnavailableError
from hitl_core.spec import hookimpl

from .intake_scene import provider, scene
from .world import BEA, Account, Chat, Desk, world

pytestmark = pytest.mark.anyio

PUSH = provider(pull=False, changes=False)
WORDS = "the customer's own words"


async def cancelled_task():
    """Wait for a task of one's own that somebody else has cancelled."""
    task = asyncio.ensure_future(asyncio.Event().wait())
    task.cancel()
    await task


async def own_end():
    """Cancel whatever one runs in."""
    asyncio.current_task().cancel()
    await asyncio.sleep(0)


async def generator_exit():
    raise GeneratorExit(WORDS)


STRAYS = {"CancelledError": cancelled_task, "the task itself": own_end, "GeneratorExit": generator_exit}
stray = pytest.mark.parametrize("stray", STRAYS)


def kind_of(stray):
    return stray if stray.endswith(("Error", "Exit")) else "CancelledError"


def lines(caplog, text):
    return [record for record in caplog.records if text in record.getMessage()]


# Hosts ----------------------------------------------------------------------------------------------------------------


class Channel(Chat):
    """A host whose channel ends, so many times, the task it is called in."""

    def __init__(self, stray, times):
        super().__init__()
        self.stray, self.times, self.asked = STRAYS[stray], times, 0

    async def _new(self, key):
        self.asked += 1
        if self.times:
            self.times -= 1
            await self.stray()
        return await super()._new(key)


@stray
async def test_a_call_out_of_which_the_end_of_a_task_comes_is_repeated_with_the_same_key(store, caplog, stray):
    chat = Channel(stray, 2)
    async with world(store, chat=chat) as w:
        await w.start()
        await w.deliver(w.desk.reply("t1", "hello", BEA))
        await w.pass_time(5)
        assert (w.texts[-1], chat.asked - len(chat.calls), chat.times) == ("hello", 2, 0)
        assert lines(caplog, f"call 1, the host raised {kind_of(stray)}")
        assert WORDS not in caplog.text
        assert await w.letters() == []


@stray
async def test_a_host_that_always_ends_its_task_is_given_up_like_any_other_and_holds_up_no_other(store, stray):
    chat = Channel(stray, 0)
    async with world(store, chat=chat) as w:
        await w.start()
        chat.times = 10_000
        await w.deliver(w.desk.reply("t1", "hello", BEA))
        await w.say("one")
        assert w.sent() == ["one"]
        await w.pass_time(4_500, step=30)
        assert [(letter.kind, letter.failure) for letter in await w.letters()][:1] == [("tell_customer", "refused")]


class Leaving(Chat):
    """A host whose process is told to end, in a call."""

    async def _new(self, key):
        if self.broken:
            self.broken -= 1
            raise SystemExit(3)
        return await super()._new(key)


def test_the_end_of_the_process_is_let_through_and_the_next_one_makes_the_call_again(tmp_path, clock):
    chat, desk = Leaving(), Desk()

    async def serve():
        store = Store(f"sqlite:///{tmp_path / 'bridge.db'}", clock=clock)
        async with store, world(store, chat=chat, desk=desk) as w:
            if not desk.tickets:
                await w.start()
                chat.broken = 1
                await w.deliver(w.desk.reply("t1", "hello", BEA))
            await w.pass_time(5)

    with pytest.raises(SystemExit):
        asyncio.run(serve())
    assert "hello" not in chat.texts
    asyncio.run(serve())
    assert chat.texts[-1] == "hello"


async def test_a_task_that_somebody_else_cancels_before_it_began_is_begun_again(store, caplog):
    async with world(store) as w:
        await w.start()
        await w.bridge.handle_user_message("c1", "one", message_id="m1")
        worker = w.bridge._driver._worker
        await worker.turn()
        [task] = worker._running
        task.cancel()
        await w.settle()
        await w.pass_time(5)
        assert w.sent() == ["one"]
        assert len(lines(caplog, "failed with CancelledError")) == 1
        assert worker.attempts._room["default/memory"] == 64, "its room is free again"


# Providers ------------------------------------------------------------------------------------------------------------


class Fickle(Account):
    """A provider that ends the task it is called in, in the calls that its desk names, before or after the call."""

    async def _stray(self, hook, when):
        if (hook, when) in self._desk.strays:
            self._desk.strays.remove((hook, when))
            await STRAYS[self._desk.stray]()

    @hookimpl
    async def create_user(self, request):
        await self._stray("create_user", "before")
        return await super().create_user(request)

    @hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        await self._stray("start_hitl", "before")
        started = await super().create_ticket(request)
        await self._stray("start_hitl", "after")
        return started

    @hookimpl(specname="send_message")
    async def add_message(self, request):
        await self._stray("send_message", "before")
        sent = await super().add_message(request)
        await self._stray("send_message", "after")
        return sent

    @hookimpl
    async def find_message(self, request):
        await self._stray("find_message", "before")
        return await super().find_message(request)

    @hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        await self._stray("stop_hitl", "before")
        await super().close_ticket(request)


def fickle(stray, *strays):
    desk = Desk()
    desk.stray, desk.strays = stray, list(strays)
    return desk


@pytest.mark.parametrize("when", ["before", "after"])
@stray
async def test_a_providers_call_that_ends_its_task_is_looked_up_and_neither_lost_nor_doubled(
    store, caplog, stray, when
):
    desk = fickle(stray, ("send_message", when), ("find_message", "before"))
    async with world(store, desk=desk, provider=Fickle) as w:
        await w.start()
        await w.say("one")
        await w.say("two")
        await w.pass_time(30)
        assert (w.sent(), desk.strays, await w.letters()) == (["one", "two"], [], [])
        assert kind_of(stray) in caplog.text
        assert WORDS not in caplog.text


@pytest.mark.parametrize("stray", ["CancelledError", "GeneratorExit"])
async def test_what_a_provider_raises_again_and_again_is_logged_once(store, caplog, stray):
    desk = fickle(stray, *[("send_message", "before")] * 3)
    async with world(store, desk=desk, provider=Fickle) as w:
        await w.start()
        await w.say("one")
        await w.pass_time(30)
        assert (w.sent(), desk.strays) == (["one"], [])
        assert len(lines(caplog, f"the provider raised {stray}")) == 1


@pytest.mark.parametrize("hook", ["create_user", "start_hitl"])
@pytest.mark.parametrize("stray", ["CancelledError", "GeneratorExit"])
async def test_an_opening_that_ends_its_task_is_tried_again_and_makes_one_ticket(store, stray, hook):
    desk = fickle(stray, (hook, "before"), ("start_hitl", "after"))
    async with world(store, desk=desk, provider=Fickle) as w:
        await w.start()
        await w.pass_time(20)
        assert (list(desk.tickets), desk.strays) == (["t1"], [])
        assert (await w.handoff()).session.id == "t1"


@stray
async def test_a_close_that_ends_its_task_is_made_again(store, stray):
    desk = fickle(stray, ("stop_hitl", "before"))
    async with world(store, desk=desk, provider=Fickle) as w:
        await w.start()
        await w.say("/end")
        await w.pass_time(20)
        assert (desk.tickets["t1"].open, desk.strays) == (False, [])


async def test_f21_a_reading_that_somebody_else_cancels_is_begun_anew(store):
    async with scene(store, PUSH) as it:
        await it.intake.poll()
        it.desk.open("t1")
        await it.link("t1")
        await it.says("t1", "one", id="a1")
        await it.intake.poll()
        working = it.working()
        while not it.intake._jobs:  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0)
        for job in it.intake._jobs:
            job.task.cancel()
        [ended] = await asyncio.gather(working, return_exceptions=True)
        assert "begun anew" in str(ended)
        await it.settle()
        assert await it.said() == ["one"]


# What is said ---------------------------------------------------------------------------------------------------------


def dead(caplog):
    return [record for record in caplog.records if "dead letter" in record.getMessage()]


async def test_a_message_that_is_refused_is_one_warning_that_names_what_and_where_without_its_words(store, caplog):
    caplog.set_level(logging.DEBUG, "hitl_core")
    async with world(store) as w:
        await w.start()
        w.desk.fail("before", InvalidRequestError("the field is locked"))
        await w.say(WORDS)
        await w.say("two")
        [line] = dead(caplog)
        assert line.levelno == logging.WARNING
        said, handoff = line.getMessage(), await w.handoff()
        for part in ("send_to_desk", "default/memory", handoff.id, "(refused)", "see: hitl deadletters list"):
            assert part in said
        assert "\n" not in said
        assert WORDS not in caplog.text


async def test_what_nobody_can_tell_about_is_one_warning(store, caplog):
    desk = fickle("CancelledError", ("send_message", "before")).may(find_message=False, idempotent=frozenset())
    async with world(store, desk=desk, provider=Fickle) as w:
        await w.start()
        await w.say("one")
        [line] = dead(caplog)
        assert "(unresolved)" in line.getMessage()


async def test_f21_a_delivery_that_cannot_be_read_is_one_warning_once_it_is_written(store, caplog):
    async with scene(store, PUSH) as it:
        await it.intake.poll()
        it.desk.open("t1")
        await it.link("t1")
        it.desk.errors["a1"] = [InvalidRequestError("no such form")]
        await it.says("t1", WORDS, id="a1")
        await it.settle()
        [line] = dead(caplog)
        assert line.levelno == logging.WARNING
        for part in ("delivery", it.connection.key, "(refused)", "no such form", "see: hitl deadletters list"):
            assert part in line.getMessage()


class Strict(Account):
    """A helpdesk that opens nothing."""

    @hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        raise InvalidRequestError("there is no queue 'nowhere'")


async def test_a_start_that_only_the_programmer_can_mend_is_a_warning_with_the_reason(store, caplog):
    async with world(store, provider=Strict) as w:
        await w.start()
        [line] = dead(caplog)
        assert line.levelno == logging.WARNING
        assert "start_session" in line.getMessage()
        assert "there is no queue 'nowhere'" in line.getMessage()


async def test_a_start_over_a_connection_that_is_not_open_is_a_warning_with_the_reason(store, caplog):
    async with world(store) as w:
        await w.connection.close()
        await w.start()
        [line] = dead(caplog)
        assert "closed" in line.getMessage()


async def test_a_start_that_tells_its_history_in_an_unknown_way_is_a_warning_with_the_reason(store, caplog):
    async with world(store) as w:
        await w.start(relay="nonsense")
        [line] = dead(caplog)
        assert "nonsense" in line.getMessage()


# Tries ----------------------------------------------------------------------------------------------------------------


async def tries(store, kind):
    async with store.read() as conn:
        return (await conn.execute(sa.select(outbox.c.attempts).where(outbox.c.kind == kind))).scalars().all()


async def test_a_start_that_goes_well_is_one_try_however_many_steps_it_takes(store):
    async with world(store) as w:
        await w.start()
        assert w.desk.calls[:2] == ["create_user", "start_hitl"]
        assert await tries(store, "start_session") == [1]
        await w.say("one")
        assert await tries(store, "send_to_desk") == [1]


async def test_what_failed_before_it_went_well_is_as_many_tries(store):
    async with world(store) as w:
        w.desk.fail("before", ProviderUnavailableError("down"))
        w.desk.fail("before", ProviderUnavailableError("down"))
        await w.start()
        await w.pass_time(10)
        assert list(w.desk.tickets) == ["t1"]
        assert await tries(store, "start_session") == [3]
