"""Several processes on one database: conversations are shared out, and taken over from who has died (guarantee 3)."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from hitl_core.bridge import Owner, Policy
from hitl_core.bridge.bridge import Bridge
from hitl_core.bridge.store.base import Store
from hitl_core.connect import connect_class
from hitl_core.errors import AuthenticationError

from .conftest import KEY
from .world import ADA, BEA, JOINED, LEASE, Account, Chat, Desk, Gate, told, world

pytestmark = pytest.mark.anyio
on_postgres = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)


@pytest.fixture
async def two(database_url, clocked_store, clock):
    """Two processes with the same helpdesk, the same host and the same database, each with its own way to it."""
    desk, chat = Desk(), Chat()
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(2):
            store = await stack.enter_async_context(clocked_store(database_url, clock=clock, key=KEY))
            made.append(await stack.enter_async_context(world(store, desk=desk, chat=chat)))
        yield made


async def both(two, *, rounds=3):
    """Let both do what they can, in turns."""
    for _ in range(rounds):
        for each in two:
            await each.settle()


# Sharing ------------------------------------------------------------------------------------------------------------


@on_postgres
async def test_f23_what_one_accepts_is_done_in_order_by_the_one_who_has_the_conversation(two):
    a, b = two
    await a.start()
    gate = a.desk.hold("send_message")
    await a.say("one")
    assert (await b.say("two")).silence
    assert (await a.say("three")).silence
    assert a.sent() == []
    gate.open()
    await a.settle()
    assert a.sent() == ["one", "two", "three"]


@on_postgres
async def test_f22_both_may_accept_the_same_and_it_is_done_once(two):
    a, b = two
    await asyncio.gather(a.start(trigger_message_id="m0"), b.start(trigger_message_id="m0"))
    await both(two)
    first, second = [await each.start(trigger_message_id="m0") for each in two]
    assert (first.status, first.handoff.id) == (second.status, second.handoff.id) == ("started", first.handoff.id)
    await asyncio.gather(a.say("one", id="m1"), b.say("one", id="m1"))
    delivery = a.desk.reply("t1", "hello", BEA)
    await asyncio.gather(a.deliver(delivery), b.deliver(delivery))
    await both(two)
    assert (list(a.desk.tickets), a.sent()) == (["t1"], ["one"])
    assert a.texts == [told("on_handoff_message"), JOINED, "hello"]


@on_postgres
async def test_many_conversations_are_shared_and_each_keeps_its_order(two):
    names = [f"c{number}" for number in range(12)]
    for number, name in enumerate(names):
        await two[number % 2].start(name)
    for text in ("one", "two", "three"):
        for number, name in enumerate(names):
            await two[(number + len(text)) % 2].bridge.handle_user_message(name, text, message_id=f"{name}-{text}")
        await asyncio.gather(*(each.settle() for each in two))
    await both(two)
    texts = {
        ticket.start.external_id: [sent.message.text for sent in ticket.sent] for ticket in two[0].desk.tickets.values()
    }
    assert texts == {name: ["one", "two", "three"] for name in names}


@on_postgres
async def test_f21_deliveries_are_read_by_one_of_them_whoever_accepts_them(two):
    a, b = two
    await a.start()
    await b.deliver(a.desk.reply("t1", "one", BEA))
    assert "one" not in a.texts, "the other one reads this account"
    await a.settle()
    await b.deliver(a.desk.reply("t1", "two", BEA))
    await a.deliver(a.desk.reply("t1", "three", BEA))
    await both(two)
    assert a.texts[2:] == ["one", "two", "three"]


@on_postgres
async def test_f14_a_timer_that_both_see_fires_once(database_url, clocked_store, clock):
    desk, chat, policy = Desk(), Chat(), Policy(agent_assigned_timeout_seconds=60)
    async with (
        clocked_store(database_url, clock=clock, key=KEY) as one,
        clocked_store(database_url, clock=clock, key=KEY) as other,
        world(one, desk=desk, chat=chat, policy=policy) as a,
        world(other, desk=desk, chat=chat, policy=policy) as b,
    ):
        for number in range(8):
            await a.start(f"c{number}")
        clock.advance(60)
        await asyncio.gather(a.settle(), b.settle())
        await both((a, b))
        assert chat.texts.count("assignment_timeout") == 8
        assert chat.texts.count(told("on_agent_assigned_timeout_message")) == 8


@on_postgres
async def test_an_account_one_finds_broken_is_held_for_both(two):
    a, b = two
    await a.start("c1")
    await a.start("c2")
    a.desk.fail("before", AuthenticationError("the token is refused"))
    await a.say("one", "c1")
    tried = a.desk.calls.count("send_message")
    await b.say("two", "c2")
    assert a.desk.calls.count("send_message") == tried
    a.clock.advance(61)
    await both(two)
    assert (a.sent("t1"), a.sent("t2")) == (["one"], ["two"])


# Dying --------------------------------------------------------------------------------------------------------------


@on_postgres
@pytest.mark.parametrize("when", ["before", "after"])
async def test_f37_the_other_takes_over_from_a_dead_one_when_its_lease_is_over_and_doubles_nothing(two, when):
    a, b = two
    await a.start()
    gate = a.desk.hold("send_message", when)
    await a.say("one")
    await a.crash()
    gate.open()
    await b.say("two")
    assert b.sent() == ([] if when == "before" else ["one"]), "it may only be slow"
    await b.wake_after_a_crash()
    assert b.sent() == ["one", "two"]
    await b.deliver(b.desk.reply("t1", "hello", BEA))
    assert b.texts[-1] == "hello", "the account is its own now, too"


@on_postgres
async def test_one_that_ends_in_good_order_leaves_everything_to_the_other_at_once(two):
    a, b = two
    await a.start()
    a.desk.hold("send_message")
    await a.say("one")
    await a.bridge.aclose(grace=0)
    a.desk.hold("send_message").open()
    await b.deliver(b.desk.reply("t1", "hello", BEA))
    assert (b.sent(), b.texts[-1]) == (["one"], "hello")


# Paused -------------------------------------------------------------------------------------------------------------


@on_postgres
async def test_fence_what_a_paused_one_did_is_not_written_once_another_has_taken_over(two):
    a, b = two
    await a.start()
    gate = a.desk.hold("send_message", "after")
    await a.say("one")
    b.clock.advance(LEASE + 1)  # a says nothing meanwhile
    await b.settle()
    assert ((await b.handoff()).unrelayed, b.sent()) == ((), ["one"]), "found, not sent again"
    before = await b.handoff()
    gate.open()
    await both(two)
    assert (await b.handoff(), b.sent()) == (before, ["one"])
    await b.say("two")
    await a.say("three")
    await both(two)
    assert b.sent() == ["one", "two", "three"]


@on_postgres
async def test_fence_a_paused_one_begins_nothing_that_it_announced_before(two):
    a, b = two
    await a.start()
    await a.bridge.handle_user_message("c1", "one", message_id="m1")
    gate = Gate()

    async def pause(when):
        if when == "after":
            await gate()

    a.bridge.store.committing = pause
    going = a.begin(a.bridge.settle())
    await gate.reached.wait()  # its turn is committed: it is about to send
    b.clock.advance(LEASE + 1)
    await b.settle()
    assert b.sent() == ["one"]
    a.bridge.store.committing = None
    gate.open()
    await going
    await both(two)
    assert b.sent() == ["one"]


@on_postgres
async def test_fence_one_that_does_not_know_the_other_yet_takes_nothing_from_it(two):
    a, b = two
    await b.start()
    gate = b.desk.hold("send_message")
    await b.say("one")
    worker = a.bridge._driver._worker
    worker._alive = frozenset({worker.id})  # as it was before the other one began
    assert await a.bridge.handle_user_message("c1", "two", message_id="m2")
    await worker.work()
    assert worker.attempts._room == {}, "nothing was begun"
    gate.open()
    await b.settle()
    assert b.sent() == ["one", "two"]


@on_postgres
async def test_what_an_attempt_came_to_is_taken_in_though_the_other_looks_at_the_conversation_just_then(two):
    a, b = two
    await a.start()
    gate = a.desk.hold("send_message", "after")
    await a.say("one")
    looking = Gate()

    async def look(when):
        if when == "before":
            await looking()

    b.bridge.store.committing = look
    b.bridge._touched(["c1"])
    going = b.begin(b.bridge._driver._worker.work())
    await looking.reached.wait()  # it holds the conversation's row
    gate.open()
    await a.settle()
    looking.open()
    await going
    b.bridge.store.committing = None
    assert (await a.handoff()).unrelayed != ()
    await a.pass_time(1)
    assert (await a.handoff()).unrelayed == ()


# Beside a worker ----------------------------------------------------------------------------------------------------


async def test_a_process_that_only_takes_in_leaves_the_work_to_the_one_who_does_it(store):
    async with world(store) as w, world(store, desk=w.desk, chat=w.chat, work=False) as beside:
        result = await beside.start()
        assert (result.status, w.desk.tickets) == ("starting", {})
        await w.settle()
        handled = await beside.bridge.handle_user_message("c1", "one", message_id="m1")
        delivery = w.desk.reply("t1", "hello", BEA)
        receipt = await beside.bridge.receive_webhook("memory", headers=delivery.headers, body=delivery.body)
        assert (handled.silence, receipt.accepted, w.sent()) == (True, True, [])
        await w.settle()
        assert (w.sent(), w.texts) == (["one"], [told("on_handoff_message"), JOINED, "hello"])
        assert await beside.owner() is Owner.HUMAN


class Waited(Chat):
    """A host that can be waited for."""

    def __init__(self):
        super().__init__()
        self.changed = asyncio.Condition()

    async def _new(self, key):
        new = await super()._new(key)
        asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self._tell()))
        return new

    async def _tell(self):
        async with self.changed:
            self.changed.notify_all()

    async def until(self, condition):
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(condition)


async def test_bridges_that_go_by_themselves_take_a_hand_off_to_its_end(database_url, backend, hints):
    """In real time, and on PostgreSQL with two of them that take in for each other."""
    desk, chat = Desk(), Waited()

    async with AsyncExitStack() as stack:
        bridges = []
        for _ in range(2 if backend == "postgresql" else 1):
            connection = connect_class(Account, helpdesk=desk, webhook_secret=desk.secret)
            await stack.enter_async_context(connection)
            store = Store(database_url, key=KEY, hints=hints)
            stack.push_async_callback(store.close)
            bridges.append(await stack.enter_async_context(Bridge({"memory": connection}, chat, store)))
        first, last = bridges[0], bridges[-1]
        assert (await first.start_hitl("c1", ADA, "Parcel")).status == "started"
        await chat.until(lambda: chat.texts == [told("on_handoff_message")])
        assert (await last.handle_user_message("c1", "one", message_id="m1")).silence
        delivery = desk.reply("t1", "hello", BEA)
        assert (await last.receive_webhook("memory", headers=delivery.headers, body=delivery.body)).accepted
        await chat.until(lambda: chat.texts[-1] == "hello")
        assert await first.silent("c1")
        await last.stop_hitl("c1")
        await chat.until(lambda: chat.handed_back)
        assert not await first.silent("c1")
    assert [request.message.text for request in desk.tickets["t1"].sent] == ["one"]
    assert not desk.tickets["t1"].open
