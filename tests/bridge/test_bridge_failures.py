"""Failures by their class, and what no failure may cost, on the whole bridge (guarantee 5; F13, F21)."""

import logging

import pytest
import sqlalchemy as sa

from hitl_core import calls
from hitl_core.bridge import Owner
from hitl_core.bridge.store.letters import Letters
from hitl_core.bridge.store.tables import connections, handoffs, inputs, outbox
from hitl_core.errors import (
    AmbiguousOutcomeError,
    AuthenticationError,
    PermissionDeniedError,
    ProviderUnavailableError,
    StoreError,
)
from hitl_core.spec import hookimpl

from .world import BEA, JOINED, Account, Desk, told, world

pytestmark = pytest.mark.anyio

REFUSED = AuthenticationError("the token is refused; make a new one")


@pytest.fixture
async def w(store):
    async with world(store) as made:
        await made.start()
        yield made


async def account(w, key="default/memory"):
    """Return what is known of an account."""
    async with w.bridge.store.read() as conn:
        return (await conn.execute(sa.select(connections).where(connections.c.connection == key))).one()


async def change(store, table, values, **where):
    """Write into the database what only another version would."""
    async with store.write() as conn:
        chosen = [table.c[name] == value for name, value in where.items()]
        await conn.execute(table.update().where(*chosen).values(values))


# The account --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [REFUSED, PermissionDeniedError("the role may not write")])
async def test_refused_credentials_hold_all_of_the_account_and_burn_nothing_until_they_are_mended(w, error, caplog):
    await w.start("c2")
    w.desk.fail("before", error)
    await w.say("one", "c1")
    before = w.desk.calls.count("send_message")
    await w.say("two", "c2")
    await w.say("three", "c1")
    assert w.desk.calls.count("send_message") == before, "nothing else is tried on an account that refuses us"
    held = await account(w)
    assert (held.paused_at, error.message in held.paused_detail) == (w.clock.now(), True)
    assert "default/memory is held until it is mended" in caplog.text
    assert (await w.owner("c1"), w.texts.count(told("on_message_failed_message"))) == (Owner.QUEUE, 0)
    await w.pass_time(61, step=30)
    assert (w.sent("t1"), w.sent("t2")) == (["one", "three"], ["two"])
    assert (await account(w)).paused_at is None
    assert await w.letters() == []


async def test_an_account_that_stays_broken_is_tried_once_a_minute_for_as_long_as_it_takes(w):
    for _ in range(10):
        w.desk.fail("before", REFUSED)
    await w.say("one")
    await w.pass_time(5 * 60, step=20)
    assert w.desk.calls.count("send_message") in {5, 6}
    assert (await w.owner(), await w.letters(), w.sent()) == (Owner.QUEUE, [], [])
    w.desk.failures.clear()
    await w.pass_time(61, step=20)
    assert w.sent() == ["one"]


async def test_r13_an_account_that_is_held_holds_no_other_of_the_same_provider(store):
    desks = {"first": Desk(), "second": Desk()}
    async with world(store, desks=desks) as w:
        await w.start("c1", connection="first")
        await w.start("c2", connection="second")
        desks["first"].fail("before", REFUSED)
        await w.say("one", "c1")
        await w.say("two", "c2")
        assert [request.message.text for request in desks["second"].tickets["t1"].sent] == ["two"]


async def test_a_held_account_stays_held_over_a_restart_and_a_start_on_it_is_tried_all_the_same(w, store):
    w.desk.fail("before", REFUSED)
    await w.say("one")
    await w.bridge.aclose()
    async with world(store, desk=w.desk, chat=w.chat) as again:
        calls = w.desk.calls.count("send_message")
        await again.settle()
        assert w.desk.calls.count("send_message") == calls
        w.desk.fail("before", REFUSED)
        assert (await again.start("c2")).status == "not_allowed", "who asks for a human is answered at once"
        await again.pass_time(61, step=30)
        assert again.sent() == ["one"]


# What cannot be done ------------------------------------------------------------------------------------------------


class Buggy(Account):
    """A provider with a mistake, which quotes the customer."""

    @hookimpl(specname="send_message")
    async def add_message(self, request):
        if self._desk.buggy:
            raise KeyError(request.message.text)
        return await super().add_message(request)


async def test_a_mistake_of_a_providers_is_waited_for_and_its_words_are_told_to_nobody(store, caplog):
    async with world(store, provider=Buggy) as w:
        w.desk.buggy = True
        await w.start()
        await w.say("my card number is 4111")
        await w.say("two")
        await w.deliver(w.desk.reply("t1", "hello", BEA))
        assert (w.sent(), w.texts[-1]) == ([], "hello")
        w.desk.buggy = False
        await w.pass_time(120, step=30)
        assert w.sent() == ["my card number is 4111", "two"]
        assert "4111" not in caplog.text


async def test_an_input_of_a_newer_version_is_kept_as_a_dead_letter_and_the_next_is_taken_in(w, store):
    await w.bridge.handle_user_message("c1", "one", message_id="odd")
    await change(store, inputs, {"payload": '{"kind": "telepathy"}'}, key="user:c1:odd")
    await w.say("two")
    assert w.sent() == ["two"]
    [letter] = await w.letters()
    assert (letter.source, letter.conversation_id, letter.key) == ("input", "c1", "user:c1:odd")
    assert "newer version" in letter.detail


async def test_an_effect_of_a_newer_version_is_kept_as_a_dead_letter_and_the_lane_goes_on(w, store):
    w.desk.fail("before", REFUSED)
    await w.say("one")
    await w.say("two")
    await w.crash()
    await change(store, outbox, {"payload": '{"kind": "send_by_pigeon"}'}, kind="send_to_desk", attempts=1)
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.wake_after_a_crash()
        await again.pass_time(61, step=30)
        assert again.sent() == ["two"]
        [letter] = await again.letters()
        assert (letter.source, letter.kind) == ("effect", "send_to_desk")


async def test_a_record_nobody_can_read_costs_its_own_conversation_alone(w, store, caplog):
    await w.start("c2")
    await w.crash()
    await change(store, handoffs, {"record": '{"phase": "dreaming"}'}, conversation_id="c1")
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.bridge.handle_user_message("c1", "one", message_id="m1")
        await again.bridge.handle_user_message("c2", "two", message_id="m2")
        await again.wake_after_a_crash()
        assert (again.sent("t1"), again.sent("t2")) == ([], ["two"])
        assert "conversation c1" in caplog.text
        await again.pass_time(5)
        caplog.clear()
        await again.pass_time(5)
        assert "conversation c1" not in caplog.text, "it is said from time to time, not at every look"


# The host -----------------------------------------------------------------------------------------------------------


async def test_r02_a_host_that_fails_is_asked_again_with_the_same_key_and_in_order(store):
    async with world(store) as w:
        w.chat.broken = 2
        await w.start()
        await w.deliver(w.desk.reply("t1", "hello", BEA))
        assert w.texts == []
        await w.pass_time(5)
        assert w.texts == [told("on_handoff_message"), JOINED, "hello"]
        assert len(set(w.chat.calls)) == len(w.chat.calls)


async def test_what_a_host_keeps_refusing_is_listed_and_the_lane_goes_on(store):
    async with world(store) as w:
        w.chat.broken = 1_000
        await w.start()
        await w.pass_time(3700, step=31)
        w.chat.broken = 0
        await w.deliver(w.desk.reply("t1", "hello", BEA))
        assert w.texts == [JOINED, "hello"]
        [letter] = await w.letters()
        assert (letter.kind, letter.source) == ("tell_customer", "effect")


async def test_s129_f13_a_host_that_cannot_take_it_back_is_asked_until_it_can(w):
    await w.say("/end")
    w.chat.broken = 5
    await w.start()
    await w.bridge.stop_hitl("c1")
    assert (len(w.chat.handed_back), await w.owner()) == (1, Owner.BOT)
    await w.pass_time(20)
    assert [back.reason.value for back in w.chat.handed_back] == ["user_closed", "stop_requested"]


# Letters ------------------------------------------------------------------------------------------------------------


class Searchless(Account):
    """Nobody can tell whether a message has arrived, while its desk says so."""

    @hookimpl
    async def find_message(self, request):
        return calls.Inconclusive() if self._desk.blind else await super().find_message(request)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_f21_f37_an_unresolved_message_is_looked_up_when_it_is_replayed_and_doubled_in_no_case(store, when):
    async with world(store, provider=Searchless) as w:
        w.desk.blind = True
        await w.start()
        w.desk.fail(when, AmbiguousOutcomeError("reset"))
        await w.say("one")
        await w.pass_time(200, step=20)
        [letter] = await w.letters()
        assert letter.failure == "unresolved"
        w.desk.blind = False
        await Letters(store, "default").replay(letter.position)
        await w.pass_time(5)
        assert (w.sent(), await w.letters()) == (["one"], [])


class Unreadable(Account):
    """Deliveries cannot be read while its desk says so."""

    @hookimpl
    async def parse_webhook(self, request):
        if self._desk.broken:
            raise KeyError("what is this?")
        return await super().parse_webhook(request)


async def test_f21_a_delivery_that_could_not_be_read_is_read_when_it_is_replayed(store):
    async with world(store, provider=Unreadable, desk=Desk().may(pull=False)) as w:
        w.desk.broken = True
        await w.start()
        await w.deliver(w.desk.reply("t1", "hello", BEA))
        [letter] = await w.letters()
        assert "hello" not in w.texts
        w.desk.broken = False
        await Letters(store, "default").replay(letter.position)
        await w.settle()
        assert w.texts[-2:] == [JOINED, "hello"]


async def test_f21_what_a_newer_version_left_is_done_when_it_is_replayed_by_that_version(w, store):
    await w.bridge.handle_user_message("c1", "one", message_id="odd")
    async with store.read() as conn:
        payload = (await conn.execute(sa.select(inputs.c.payload).where(inputs.c.key == "user:c1:odd"))).scalar_one()
    await change(store, inputs, {"payload": '{"kind": "telepathy"}'}, key="user:c1:odd")
    await w.say("two")
    [letter] = await w.letters()
    await change(store, inputs, {"payload": payload}, key="user:c1:odd")
    await Letters(store, "default").replay(letter.position)
    await w.settle()
    assert w.sent() == ["two", "one"]


# The database -------------------------------------------------------------------------------------------------------


async def test_f21_nothing_is_accepted_without_its_database_and_nothing_is_lost_when_it_is_back(w, store):
    delivery = w.desk.reply("t1", "hello", BEA)
    store.lost = True
    receipt = await w.bridge.receive_webhook("memory", headers=delivery.headers, body=delivery.body)
    assert (receipt.accepted, receipt.reply.status, receipt.reply.headers) == (False, 503, {"retry-after": "10"})
    with pytest.raises(StoreError, match="cannot be reached"):
        await w.say("one", id="m1")
    with pytest.raises(StoreError):
        await w.start("c2", idempotency_key="k")
    with pytest.raises(StoreError):
        await w.bridge.silent("c1")
    store.lost = False
    assert (await w.deliver(delivery)).accepted
    assert (await w.say("one", id="m1")).silence
    assert (await w.start("c2", idempotency_key="k")).status == "started"
    assert (w.texts[1:3], w.sent(), list(w.desk.tickets)) == ([JOINED, "hello"], ["one"], ["t1", "t2"])


async def test_f37_what_the_helpdesk_answered_while_the_database_was_away_is_kept_until_it_is_back(w, store):
    gate = w.desk.hold("send_message", "after")
    await w.say("one")
    store.lost = True
    gate.open()
    with pytest.raises(StoreError):
        await w.bridge.settle()
    store.lost = False
    await w.settle()
    assert (w.sent(), (await w.handoff()).unrelayed) == (["one"], ())
    assert "find_message" not in w.desk.calls


async def test_what_a_turn_has_announced_is_done_though_the_database_goes_right_after_it(w, store):
    await w.start("c2")
    gate = w.desk.hold("send_message")
    await w.say("one", "c1")
    w.desk.fail("before", REFUSED)
    gate.open()
    await w.bridge._driver._worker.attempted()  # what it came to is taken in by the turn that ends the other hand-off
    await w.bridge.handle_user_message("c2", "/end", message_id="end")

    async def lose(when):
        store.lost = when == "after"

    store.committing = lose
    with pytest.raises(StoreError):
        await w.bridge.settle()
    store.lost, store.committing = False, None
    await w.settle()
    assert w.texts[-2:] == [told("on_user_hitl_close_message"), "user_closed"]
    await w.pass_time(61, step=30)
    assert w.sent("t1") == ["one"]
    assert not w.desk.tickets["t2"].open


# Words --------------------------------------------------------------------------------------------------------------


async def test_neither_secrets_nor_words_are_in_the_log_however_much_goes_wrong(store, caplog):
    caplog.set_level(logging.DEBUG, "hitl_core")
    async with world(store) as w:
        await w.start()
        w.desk.fail("before", ProviderUnavailableError("down"))
        w.chat.broken = 2
        await w.say("my card number is 4111")
        await w.deliver(w.desk.reply("t1", "your PIN is 7777", BEA))
        await w.deliver(w.desk.deliver([{"id": "x", "ticket": "t1", "words": "4111"}]))
        await w.pass_time(30, step=5)
        await w.say("/end")
        assert len(w.sent()) == 1
    for secret in ("4111", "7777", w.desk.secret):
        assert secret not in caplog.text
