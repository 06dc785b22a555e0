"""Restarts in the middle of everything: nothing lost, nothing doubled, nothing out of order (guarantees 1 to 3)."""

import asyncio
import itertools
from datetime import timedelta

import pytest
import sqlalchemy as sa

from hitl_core import calls
from hitl_core.bridge import Owner
from hitl_core.bridge.store.tables import deliveries, inputs, outbox
from hitl_core.errors import AmbiguousOutcomeError, ProviderUnavailableError, RateLimitedError, StoreError
from hitl_core.people import EndUser
from hitl_core.spec import hookimpl

from .world import BEA, JOINED, LEASE, Account, Chat, Desk, Gate, told, world

pytestmark = pytest.mark.anyio

WHOLE = [
    ("system", told("on_handoff_message")),
    ("system", JOINED),
    ("Bea", "hello"),
    ("system", told("on_hitl_stopped_message")),
    ("resume", "agent_closed"),
]


async def is_all_done(store):
    """Whether nothing waits any more, anywhere."""
    async with store.read() as conn:
        counts = [
            (await conn.execute(sa.select(sa.func.count()).select_from(table).where(waits))).scalar_one()
            for table, waits in (
                (inputs, inputs.c.state == 0),
                (outbox, outbox.c.state < 2),
                (deliveries, deliveries.c.state.in_((0, 3))),
            )
        ]
    return counts == [0, 0, 0]


# At every commit ----------------------------------------------------------------------------------------------------


class Trouble:
    """Something happens at the nth commit."""

    def __init__(self, number, when, *, dies):
        self.left, self.when, self.dies = number, when, dies
        self.gate = Gate()
        self.happened = False

    async def __call__(self, when):
        if when != self.when or self.happened:
            return
        self.left -= 1
        if self.left == 0:
            self.happened = True
            if self.dies:
                await self.gate()
            raise StoreError("the database cannot be reached")


def script(desk, conversation):
    """Return a whole hand-off, step by step; each can be taken again by whoever was not answered."""

    def ticket():
        return next(id_ for id_, one in desk.tickets.items() if one.start.external_id == conversation)

    def once(act):
        delivery = []

        async def deliver(w):
            if not delivery:
                delivery.append(act())
            receipt = await w.deliver(delivery[0])
            if not receipt.accepted:
                raise StoreError(str(receipt.reply.status))  # the helpdesk sends it again

        return deliver

    async def start(w):
        await w.start(conversation, EndUser(external_id=conversation), idempotency_key=conversation)
        await w.pass_time(5, step=5)

    async def one(w):
        assert (await w.say("one", conversation, id=f"{conversation}-1")).silence

    async def two(w):
        assert (await w.say("two", conversation, id=f"{conversation}-2")).silence

    async def wait(w):
        await w.pass_time(5, step=5)

    replied = once(lambda: desk.reply(ticket(), "hello", BEA))
    closed = once(lambda: desk.close(ticket(), BEA))
    return ticket, [start, one, replied, two, wait, closed, wait]


async def live_through(store, desk, conversation, trouble):
    """Have a hand-off with trouble in it; afterwards everything has to be as if there had been none."""
    chat = Chat()
    ticket, steps = script(desk, conversation)
    async with world(store, desk=desk, chat=chat) as w:
        store.committing = trouble
        while steps:
            going, troubled = w.begin(steps[0](w)), w.begin(trouble.gate.reached.wait())
            await asyncio.wait({going, troubled}, return_when=asyncio.FIRST_COMPLETED)
            if not going.done():
                await w.crash()
                break
            troubled.cancel()
            if going.exception() is None:
                steps.pop(0)
            else:
                assert isinstance(going.exception(), StoreError)  # whoever was told so does it again
        store.committing = None
    if steps:
        async with world(store, desk=desk, chat=chat) as again:
            await again.wake_after_a_crash()
            for step in steps:
                await step(again)
    assert [one.start.external_id for one in desk.tickets.values()].count(conversation) == 1
    assert [request.message.text for request in desk.tickets[ticket()].sent] == ["one", "two"]
    assert chat.lines == WHOLE
    [back] = chat.handed_back
    assert ([entry.message.text for entry in back.transcript], back.pending) == (["one", "hello", "two"], ())
    assert await is_all_done(store)


@pytest.mark.parametrize(
    ("when", "dies"), [("before", True), ("after", True), ("after", False)], ids=["undone", "done", "untold"]
)
async def test_f22_f23_f37_trouble_at_any_commit_neither_loses_nor_doubles_nor_swaps_anything(store, when, dies):
    """The process dies before or after a commit, or is told that a commit failed which did not."""
    desk = Desk()
    for number in itertools.count(1 if store.is_sqlite else 2, 3):  # the engines share the work
        trouble = Trouble(number, when, dies=dies)
        await live_through(store, desk, f"c{number}", trouble)
        if not trouble.happened:
            break
    assert number > 12, "a whole hand-off takes more commits than that"


# At every call ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
async def test_f03_dying_while_the_ticket_is_made_makes_one_ticket(store, when):
    async with world(store) as w:
        gate = w.desk.hold("start_hitl", when)
        w.begin(w.start())
        await gate.reached.wait()
        assert (await w.say("one")).silence
        await w.crash()
    gate.open()
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.wake_after_a_crash()
        assert (list(w.desk.tickets), again.sent()) == (["t1"], ["one"])
        assert w.texts == [told("on_handoff_message")]
        assert (await again.handoff()).session.id == "t1"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_f37_dying_while_a_message_is_sent_sends_it_once_and_the_next_behind_it(store, when):
    async with world(store) as w:
        await w.start()
        gate = w.desk.hold("send_message", when)
        await w.say("one")
        await w.say("two")
        await w.crash()
    gate.open()
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.wake_after_a_crash()
        assert again.sent() == ["one", "two"]
        assert ((await again.handoff()).unrelayed, await again.letters()) == ((), [])


@pytest.mark.parametrize("when", ["before", "after"])
async def test_f12_dying_while_the_ticket_is_closed_closes_it(store, when):
    async with world(store) as w:
        await w.start()
        gate = w.desk.hold("stop_hitl", when)
        await w.say("/end")
        await w.crash()
    gate.open()
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.wake_after_a_crash()
        assert not w.desk.tickets["t1"].open
        assert w.texts.count("user_closed") == 1


async def test_dying_while_the_host_shows_something_shows_it_once_under_its_key(store):
    async with world(store) as w:
        await w.start()
        w.chat.gate = Gate()
        await w.deliver(w.desk.reply("t1", "hello", BEA))
        await w.crash()
        w.chat.gate = None
    assert "hello" not in w.texts
    shown = list(w.chat.calls)
    w.chat.lines.append(("system", JOINED))  # the channel has shown it; nobody was told
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.wake_after_a_crash()
        assert w.texts == [told("on_handoff_message"), JOINED, "hello"]
        assert w.chat.calls.count(shown[-1]) == 2, "it was asked for again, with the same key"


@pytest.mark.parametrize("hook", ["parse_webhook", "list_events"])
async def test_f21_dying_while_a_delivery_or_a_ticket_is_read_reads_it_again(store, hook):
    async with world(store) as w:
        await w.start()
        delivery = w.desk.reply("t1", "hello", BEA)
        gate = w.desk.hold(hook, "before" if hook == "parse_webhook" else "after")
        w.begin(w.deliver(delivery) if hook == "parse_webhook" else w.bridge.reconcile())
        await gate.reached.wait()
        await w.crash()
    gate.open()
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.wake_after_a_crash()
        assert w.texts == [told("on_handoff_message"), JOINED, "hello"]


async def test_f04_what_waits_for_a_start_waits_also_over_a_crash(store):
    async with world(store) as w:
        gate = w.desk.hold("start_hitl", "after")
        w.begin(w.start())
        await gate.reached.wait()
        await w.deliver(w.desk.reply("t1", "quick answer", BEA))
        await w.crash()
    gate.open()
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.wake_after_a_crash()
        assert w.texts == [told("on_handoff_message"), JOINED, "quick answer"]


async def test_f03_an_end_during_the_start_and_a_crash_leave_no_ticket_open(store):
    async with world(store) as w:
        gate = w.desk.hold("start_hitl", "after")
        w.begin(w.start())
        await gate.reached.wait()
        await w.say("/end")
        await w.crash()
    gate.open()
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.wake_after_a_crash()
        assert (w.desk.tickets["t1"].open, await again.owner()) == (False, Owner.BOT)
        assert w.texts == [told("on_user_hitl_close_message"), "user_closed"]


class Lagging(Account):
    """What was written is not found at once."""

    @hookimpl
    async def find_message(self, request):
        now = self._desk.clock.now()
        if now < self._desk.shown_at:
            return calls.Absent()
        return await super().find_message(request)


async def test_f37_a_helpdesk_that_shows_writes_late_is_given_the_time_before_it_is_asked(store, clock):
    desk = Desk().limited(settle_seconds=30)
    desk.clock = clock
    async with world(store, desk=desk, provider=Lagging) as w:
        await w.start()
        gate = desk.hold("send_message", "after")
        await w.say("one")
        desk.shown_at = clock.now() + timedelta(seconds=29)
        await w.crash()
    gate.open()
    async with world(store, desk=desk, chat=w.chat, provider=Lagging) as again:
        await again.wake_after_a_crash()
        await again.pass_time(60, step=5)
        assert again.sent() == ["one"]
        assert (await again.handoff()).unrelayed == ()


# In good order, and the rest ----------------------------------------------------------------------------------------


async def test_what_was_not_done_at_the_end_is_done_by_the_next_at_once_and_in_its_time(store):
    async with world(store) as w:
        await w.start("c1")
        await w.start("c2")
        w.desk.fail("before", RateLimitedError("slow down", retry_after=30))
        await w.say("one", "c1")
        await w.bridge.handle_user_message("c2", "two", message_id="m2")
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.settle()
        assert (again.sent("t1"), again.sent("t2")) == ([], ["two"]), "the pause that was asked for is kept"
        await again.pass_time(30, step=30)
        assert again.sent("t1") == ["one"]


async def test_an_ending_bridge_lets_what_is_under_way_come_to_its_end(store):
    async with world(store) as w:
        await w.start()
        gate = w.desk.hold("send_message", "after")
        await w.say("one")
        ending = w.begin(w.bridge.aclose())
        gate.open()
        await ending
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.settle()
        assert again.sent() == ["one"]
        assert "find_message" not in w.desk.calls, "its result was taken in"


async def test_after_a_crash_work_goes_on_when_the_lease_is_over_and_on_sqlite_at_once(store, clock):
    async with world(store) as w:
        await w.start()
        gate = w.desk.hold("send_message")
        await w.say("one")
        await w.crash()
    gate.open()
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.settle()
        assert again.sent() == (["one"] if store.is_sqlite else [])
        await again.pass_time(LEASE + 1, step=LEASE + 1)
        assert again.sent() == ["one"]


async def test_f13_what_happened_while_nobody_was_there_is_read_at_the_start(store):
    async with world(store) as w:
        await w.start()
    w.desk.reply("t1", "hello", BEA)
    w.desk.close("t1", BEA)
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.settle()
        assert w.chat.lines == WHOLE
        assert await again.owner() is Owner.BOT


class Blind(Account):
    """A helpdesk that cannot be searched for tickets while its desk says so."""

    @hookimpl
    async def find_session(self, request):
        return calls.Inconclusive() if self._desk.blind else await super().find_session(request)


async def test_f03_a_ticket_that_may_show_up_late_is_watched_for_also_by_the_next_process(store):
    async with world(store, provider=Blind) as w:
        w.desk.blind = True
        w.desk.fail("after", AmbiguousOutcomeError("time-out"))
        await w.start()
        await w.pass_time(40, step=5)
        assert w.texts[-1] == "start_failed"
        await w.crash()
    w.desk.blind = False
    async with world(store, provider=Blind, desk=w.desk, chat=w.chat) as again:
        await again.wake_after_a_crash()
        await again.pass_time(120, step=20)
        assert not w.desk.tickets["t1"].open


async def test_a_connection_that_is_missing_after_a_restart_holds_its_messages_until_it_is_back(store, caplog):
    desks = {"old": Desk(), "new": Desk()}
    async with world(store, desks=desks) as w:
        await w.start(connection="old")
        desks["old"].fail("before", ProviderUnavailableError("down"))
        await w.say("one")
    async with world(store, desks={"new": desks["new"]}, chat=w.chat) as again:
        await again.pass_time(10, step=5)
        assert "connection 'old' is not configured here" in caplog.text
        assert (await again.say("two")).silence
        assert (await again.start("c2")).session.ref.connection == "default/new"
    async with world(store, desks=desks, chat=w.chat) as third:
        await third.pass_time(120, step=30)
        assert third.sent() == ["one", "two"]
