"""What the customer says, on its way to the agent, on the whole bridge (parts 8, 15 and 17)."""

import pytest

from hitl_core import calls
from hitl_core.bridge import Owner
from hitl_core.errors import AmbiguousOutcomeError, InvalidRequestError, RateLimitedError, SessionClosedError
from hitl_core.info import RateLimit
from hitl_core.messages import Image, Text
from hitl_core.people import Author, EndUser, Role
from hitl_core.spec import hookimpl

from .world import BEA, Account, Desk, told, world

pytestmark = pytest.mark.anyio

BOB = EndUser(external_id="u2", name="Bob")


@pytest.fixture
async def w(store):
    async with world(store) as made:
        await made.start()
        yield made


def given_back(w):
    return [[message.text for message in back.pending_messages] for back in w.chat.handed_back]


# In order, once -----------------------------------------------------------------------------------------------------


async def test_s087_s022_the_customer_speaks_in_their_own_name(w):
    handled = await w.say("one")
    [request] = w.desk.tickets["t1"].sent
    assert handled.silence
    assert (request.message.text, request.author.role, request.author.id) == ("one", Role.USER, "user-u1")


async def test_s088_what_the_bot_attached_for_itself_is_not_relayed(w):
    await w.say(Text(text="one", additional_data="secret of the bot"))
    assert w.desk.tickets["t1"].sent[0].message.additional_data is None


async def test_s084_a_conversation_without_a_hand_off_is_the_bots(store):
    async with world(store) as w:
        assert not (await w.say("hello")).silence
        assert (w.desk.calls, w.texts) == ([], [])


async def test_f22_a_message_handed_in_twice_is_relayed_once_and_silenced_even_after_the_end(w):
    assert (await w.say("one", id="m1")).silence
    assert (await w.say("one", id="m1")).silence
    await w.deliver(w.desk.close("t1"))
    assert (await w.say("one", id="m1")).silence, "its answer was somebody else's business"
    assert (w.sent(), given_back(w)) == (["one"], [[]])


async def test_f23_a_message_that_has_to_wait_keeps_the_order_and_does_not_hold_up_the_customers_lane(w):
    w.desk.fail("before", RateLimitedError("slow down", retry_after=30))
    await w.say("one")
    await w.say("two")
    await w.deliver(w.desk.reply("t1", "I am here", BEA))
    assert w.texts[-1] == "I am here", "a throttled helpdesk does not delay what the customer is told"
    await w.pass_time(29, step=29)
    assert w.sent() == []
    await w.pass_time(1)
    assert w.sent() == ["one", "two"]


async def test_f23_one_conversation_that_waits_holds_no_other_up(w):
    await w.start("c2")
    w.desk.fail("before", RateLimitedError("slow down", retry_after=30))
    await w.say("one", "c1")
    await w.say("two", "c2")
    assert (w.sent("t1"), w.sent("t2")) == ([], ["two"])


@pytest.mark.parametrize("when", ["before", "after"])
async def test_f37_an_unclear_message_is_looked_up_and_arrives_once(w, when):
    w.desk.fail(when, AmbiguousOutcomeError("reset"))
    await w.say("one")
    await w.say("two")
    await w.pass_time(5)
    assert w.sent() == ["one", "two"]
    assert (await w.handoff()).unrelayed == ()
    assert await w.letters() == []


class Searchless(Account):
    """Nobody can tell whether a message has arrived."""

    @hookimpl
    async def find_message(self, request):
        return calls.Inconclusive()


async def test_f37_a_message_nobody_can_tell_of_is_held_counted_and_told(store):
    async with world(store, provider=Searchless) as w:
        await w.start()
        w.desk.fail("after", AmbiguousOutcomeError("reset"))
        await w.say("one")
        await w.say("two")
        await w.pass_time(200, step=10)
        assert w.sent() == ["one", "two"], "never sent twice"
        assert w.texts == [told("on_handoff_message"), told("on_message_failed_message")]
        [letter] = await w.letters()
        assert (letter.kind, letter.failure, letter.source) == ("send_to_desk", "unresolved", "effect")


async def test_a_refused_message_is_told_to_the_customer_and_the_lane_goes_on(w):
    w.desk.fail("before", InvalidRequestError("too odd"))
    await w.say("one")
    await w.say("two")
    assert w.sent() == ["two"]
    assert w.texts[-1] == told("on_message_failed_message")
    [letter] = await w.letters()
    assert (letter.kind, letter.failure) == ("send_to_desk", "refused")
    assert "one" not in letter.detail


async def test_r16_a_long_message_is_sent_in_parts_that_follow_each_other(w):
    long = " ".join(f"word{number}" for number in range(300))
    w.desk.fail("before", RateLimitedError("slow down", retry_after=5))
    await w.say(long)
    await w.say("short")
    await w.pass_time(6)
    *parts, last = w.sent()
    assert (len(parts) > 1, " ".join(part.strip() for part in parts), last) == (True, long, "short")


# Kinds --------------------------------------------------------------------------------------------------------------


async def test_s084_a_kind_nobody_knows_is_told_to_the_customer_and_not_relayed(w):
    assert (await w.say({"type": "hologram", "depth": 3})).silence
    assert (w.sent(), w.texts[-1]) == ([], told("on_unsupported_user_message"))


async def test_r04_s097_a_picture_is_never_a_close_command(w):
    await w.say(Image(url="https://example.org/end.png", caption="/end"))
    assert (len(w.sent()), await w.owner()) == (1, Owner.QUEUE)


# Several people -----------------------------------------------------------------------------------------------------


async def test_s085_f08_somebody_new_in_the_conversation_is_made_known_and_speaks_in_their_own_name(w):
    await w.say("mine", author=Author.user(BOB), user=BOB)
    await w.say("Ada again")
    await w.say("mine too", author=Author.user(BOB), user=BOB)
    writers = [(request.message.text, request.author.id) for request in w.desk.tickets["t1"].sent]
    assert writers == [("mine", "user-u2"), ("Ada again", "user-u1"), ("mine too", "user-u2")]
    assert w.desk.calls.count("create_user") == 2
    assert await w.owner() is Owner.QUEUE


# Several quick ones as one ------------------------------------------------------------------------------------------


def counting():
    """Return a helpdesk that counts updates."""
    return Desk().limited(updates=RateLimit(count=30, seconds=600))


def read(request):
    message = request.message
    return [item.text for item in message.items] if message.type == "bloc" else message.text


async def test_f38_what_a_customer_says_while_a_message_is_on_its_way_follows_as_one(store):
    async with world(store, desk=counting()) as w:
        await w.start()
        gate = w.desk.hold("send_message")
        for text in ("one", "two", "three"):
            await w.say(text)
        await w.say("mine", author=Author.user(BOB), user=BOB)
        gate.open()
        await w.settle()
        assert [read(request) for request in w.desk.tickets["t1"].sent] == ["one", ["two", "three"], "mine"]
        assert (await w.handoff()).unrelayed == ()


async def test_f38_messages_are_sent_one_by_one_where_updates_are_not_counted(w):
    gate = w.desk.hold("send_message")
    for text in ("one", "two", "three"):
        await w.say(text)
    gate.open()
    await w.settle()
    assert w.sent() == ["one", "two", "three"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_f38_dying_while_several_are_sent_as_one_neither_loses_nor_doubles_any(store, when):
    async with world(store, desk=counting()) as w:
        await w.start()
        first = w.desk.hold("send_message")
        for text in ("one", "two", "three"):
            await w.say(text)
        second = w.desk.hold("send_message", when, after=1 if when == "after" else 0)
        first.open()
        await w.settle()
        assert second.waiting == 1
        await w.say("four")
        await w.crash()
    second.open()
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.wake_after_a_crash()
        sent = [read(request) for request in again.desk.tickets["t1"].sent]
        assert sent == ["one", ["two", "three"], "four"], "who belongs together was settled before it was sent"
        assert (await again.handoff()).unrelayed == ()
        assert await again.letters() == []


@pytest.mark.parametrize("when", ["before", "after"])
async def test_f38_several_sent_as_one_are_looked_up_as_one_when_it_is_unclear(store, when):
    async with world(store, desk=counting()) as w:
        await w.start()
        gate = w.desk.hold("send_message", "after")
        for text in ("one", "two", "three"):
            await w.say(text)
        w.desk.fail(when, AmbiguousOutcomeError("reset"))
        gate.open()
        await w.settle()
        await w.say("four")
        await w.pass_time(5)
        assert [read(request) for request in w.desk.tickets["t1"].sent] == ["one", ["two", "three"], "four"]
        assert (await w.handoff()).unrelayed == ()


async def test_f38_several_sent_as_one_that_are_refused_are_told_one_by_one(store):
    async with world(store, desk=counting()) as w:
        await w.start()
        gate = w.desk.hold("send_message", "after")
        for text in ("one", "two", "three"):
            await w.say(text)
        w.desk.fail("before", InvalidRequestError("too odd"))
        gate.open()
        await w.settle()
        assert w.sent() == ["one"]
        assert w.texts.count(told("on_message_failed_message")) == 2
        assert (await w.handoff()).unrelayed == ()


# At the end ---------------------------------------------------------------------------------------------------------


async def test_f13_a_ticket_closed_behind_our_back_gives_the_message_back_to_the_bot(w):
    w.desk.fail("before", SessionClosedError("closed"))
    await w.say("still there?")
    assert w.texts[-2:] == [told("on_hitl_stopped_message"), "session_gone"]
    assert (given_back(w), await w.owner()) == ([["still there?"]], Owner.BOT)


async def test_messages_still_waiting_at_the_end_are_given_back_and_never_sent(w):
    w.desk.fail("before", RateLimitedError("slow down", retry_after=30))
    await w.say("one")
    await w.say("two")
    await w.say("/end")
    assert given_back(w) == [["one", "two"]]
    await w.pass_time(120, step=30)
    assert w.sent() == []
    assert not w.desk.tickets["t1"].open


async def test_a_message_accepted_just_before_the_end_is_given_back(w):
    await w.bridge.handle_user_message("c1", "/end", message_id="m1")
    assert (await w.bridge.handle_user_message("c1", "one more thing", message_id="m2")).silence
    await w.settle()
    assert (given_back(w), w.sent()) == ([[], ["one more thing"]], [])


# Typing -------------------------------------------------------------------------------------------------------------


async def test_typing_is_shown_to_agents_and_never_waits(store):
    async with world(store) as w:
        await w.bridge.user_typing("c1")
        assert w.desk.typing == []
        await w.start()
        await w.bridge.user_typing("c1")
        await w.bridge.user_typing("c1", typing=False)
        assert [request.typing for request in w.desk.typing] == [True, False]
