"""The ready hosts: what the bot does not acknowledge comes again, in order, and a known key is shown once."""

import asyncio
import threading
from functools import partial

import pytest

from hitl_core.bridge.handoff.records import EndReason, HandBack
from hitl_core.bridge.host import Notice
from hitl_core.bridge.hosts import CallbackHost, HandedBack, Noticed, QueueHost, SeenKeys, ToCustomer
from hitl_core.errors import ConfigurationError, HitlError
from hitl_core.events import AgentTyping
from hitl_core.messages import Text
from hitl_core.people import Agent, Author
from hitl_core.sessions import SessionRef

pytestmark = pytest.mark.anyio

AGENT = Author.agent(Agent(id="a-1", name="Ada"))
BACK = HandBack(handoff_id="h-1", conversation_id="c-1", reason=EndReason.AGENT_CLOSED)
NOTICE = Notice(
    conversation_id="c-1",
    handoff_id="h-1",
    event=AgentTyping(
        event_id="e-1", session=SessionRef(connection="default/desk", id="t-1"), agent=Agent(id="a-1"), typing=True
    ),
)


async def turns(number=5):
    """Let every other task come to where it waits."""
    for _ in range(number):
        await asyncio.sleep(0)


def say(host, text, conversation_id="c-1", key=None):
    return asyncio.ensure_future(host.send(conversation_id, Text(text=text), AGENT, key=key or f"k-{text}"))


async def gone(*tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def words(items):
    return [item.message.text for item in items]


# Keys ---------------------------------------------------------------------------------------------------------------


def test_a_known_key_is_known_until_others_have_taken_its_place():
    seen = SeenKeys(limit=2)
    seen.add("a")
    seen.add("b")
    assert "a" in seen  # which keeps it in mind
    seen.add("c")
    assert ("a" in seen, "b" in seen, "c" in seen, len(seen)) == (True, False, True, 2)


def test_a_key_whose_showing_raised_is_not_known():
    seen = SeenKeys()

    def show():
        with seen.once("k") as first:
            assert first
            raise OSError("down")

    with pytest.raises(OSError, match="down"):
        show()
    with seen.once("k") as first:
        assert first
    with seen.once("k") as first:
        assert not first


def test_a_memory_of_no_keys_is_refused():
    with pytest.raises(ConfigurationError, match="limit is 0; give at least 1"):
        SeenKeys(limit=0)


# Functions ----------------------------------------------------------------------------------------------------------


async def test_n10_callbacks_get_what_the_bridge_gives_with_its_key():
    calls = []

    async def send(conversation, message, sender, *, key):
        calls.append(("send", conversation, message.text, sender.name, key))

    async def resume(conversation, hand_back, *, key):
        calls.append(("resume", conversation, hand_back.reason, key))

    async def notify(notice, *, key):
        calls.append(("notify", notice.event.kind, key))

    host = CallbackHost(send=send, resume=resume, notify=notify)
    await host.send("c-1", Text(text="hello"), AGENT, key="k-1")
    await host.resume("c-1", BACK, key="k-2")
    await host.notify(NOTICE, key="k-3")
    assert calls == [
        ("send", "c-1", "hello", "Ada", "k-1"),
        ("resume", "c-1", EndReason.AGENT_CLOSED, "k-2"),
        ("notify", "agent_typing", "k-3"),
    ]


async def test_plain_functions_run_in_a_thread_and_async_ones_on_the_loop():
    threads = {}

    def send(conversation_id, message, sender, *, key):
        threads[key] = threading.current_thread()

    class Resumes:
        async def __call__(self, conversation_id, hand_back, *, key):
            threads[key] = threading.current_thread()

    host = CallbackHost(send=send, resume=Resumes())
    await host.send("c-1", Text(text="x"), AGENT, key="send")
    await host.resume("c-1", BACK, key="resume")
    await host.notify(NOTICE, key="nobody wants it")
    assert threads["resume"] is threading.main_thread()
    assert threads["send"] is not threading.main_thread()


async def test_a_plain_function_that_returns_something_to_await_is_awaited():
    done = []

    async def later(conversation_id, message, sender, *, key):
        done.append(key)

    def send(*args, **kwargs):
        return later(*args, **kwargs)

    host = CallbackHost(send=send, resume=partial(later, sender=None))
    await host.send("c-1", Text(text="x"), AGENT, key="k-1")
    assert done == ["k-1"]


async def test_what_a_callback_raises_reaches_the_bridge_which_repeats_it():
    def send(conversation_id, message, sender, *, key):
        raise OSError("the channel is down")

    host = CallbackHost(send=send, resume=lambda conversation_id, hand_back, *, key: None)
    with pytest.raises(OSError, match="the channel is down"):
        await host.send("c-1", Text(text="x"), AGENT, key="k-1")


CALLED = "is called as send(conversation_id, message, sender, key=key)"


def takes_no_key(conversation_id, message, sender):
    pass


def takes_too_much(conversation_id, message, sender, channel, *, key):
    pass


async def yields(conversation_id, message, sender, *, key):
    yield


@pytest.mark.parametrize(
    ("send", "told"),
    [
        (takes_no_key, ["(conversation_id, message, sender), but " + CALLED, "unexpected keyword argument 'key'"]),
        (takes_too_much, ["missing a required argument: 'channel'"]),
        ("post", ["send is of type str", CALLED]),
        (yields, ["send is a generator, which nobody would run"]),
    ],
)
def test_a_function_that_cannot_be_called_is_refused_at_once_with_how_it_will_be_called(send, told):
    with pytest.raises(ConfigurationError) as raised:
        CallbackHost(send=send, resume=lambda conversation_id, hand_back, *, key: None)
    assert all(words in str(raised.value) for words in told)


def test_resume_and_notify_are_looked_at_too():
    def good(*args, key):
        pass

    with pytest.raises(ConfigurationError, match=r"is called as resume\(conversation_id, hand_back, key=key\)"):
        CallbackHost(send=good, resume=lambda conversation_id, *, key: None)
    with pytest.raises(ConfigurationError, match=r"is called as notify\(notice, key=key\)"):
        CallbackHost(send=good, resume=good, notify=lambda: None)


# A queue ------------------------------------------------------------------------------------------------------------


async def test_n10_items_tell_what_is_to_be_done_a_hand_back_as_the_bridge_made_it():
    host = QueueHost()
    calls = [
        say(host, "hello", key="k-1"),
        asyncio.ensure_future(host.resume("c-1", BACK, key="k-2")),
        asyncio.ensure_future(host.notify(NOTICE, key="k-3")),
    ]
    items = host.items()
    got = [await anext(items) for _ in calls]
    host.close()
    await items.aclose()
    await gone(*calls)
    assert got == [
        ToCustomer(conversation_id="c-1", message=Text(text="hello"), sender=AGENT, key="k-1"),
        HandedBack(conversation_id="c-1", hand_back=BACK, key="k-2"),
        Noticed(notice=NOTICE, key="k-3"),
    ]
    assert [item.conversation_id for item in got] == ["c-1"] * 3
    assert "hello" not in repr(got)
    assert "Ada" not in repr(got)


async def test_an_item_is_done_when_the_consumer_comes_back_and_not_before():
    host = QueueHost()
    call = say(host, "hello")
    items = host.items()
    await anext(items)
    await turns()
    assert not call.done()
    back = asyncio.ensure_future(anext(items))
    await turns()
    assert call.done()
    assert call.exception() is None
    assert len(host) == 0
    await gone(back)


async def test_an_item_can_be_said_to_be_done_before_the_consumer_comes_back():
    host = QueueHost()
    call = say(host, "hello")
    async for item in host:
        item.done()
        item.failed("only the first word counts")
        break
    await call


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (OSError("the channel is down"), OSError, "the channel is down"),
        ("not now", HitlError, "not now"),
        (asyncio.CancelledError(), HitlError, "CancelledError"),
        (StopIteration(), HitlError, "StopIteration"),
    ],
)
async def test_an_item_said_to_have_failed_raises_in_the_bridge_and_the_conversation_goes_on(error, kind, text):
    host = QueueHost()
    call, after = say(host, "one"), say(host, "two")
    items = host.items()
    (await anext(items)).failed(error)
    with pytest.raises(kind, match=text):
        await call
    assert (await anext(items)).message.text == "two"
    (await asyncio.wait_for(_first(host, items, after), 5)).done()
    await items.aclose()


async def _first(host, items, after):
    """Have a repeat come in while the one after it is out: it comes in its turn."""
    again = say(host, "one")
    item = await anext(items)
    assert after.done()
    item.done()
    await asyncio.wait_for(again, 5)
    return item


@pytest.mark.parametrize("way", ["exception", "break", "cancelled"])
async def test_a_consumer_that_ends_with_an_item_in_its_hands_has_not_acknowledged_it(way):
    host = QueueHost()
    call = say(host, "hello")

    async def consume():
        async for _ in host:
            if way == "exception":
                raise ZeroDivisionError
            if way == "break":
                break
            await asyncio.Event().wait()

    consumer = asyncio.ensure_future(consume())
    await turns()
    await gone(consumer)
    with pytest.raises(HitlError, match="the consumer ended before it had acknowledged the item"):
        await asyncio.wait_for(call, 5)
    assert len(host) == 0


async def test_what_a_dead_process_had_not_acknowledged_comes_again_with_its_key_and_is_shown_once():
    """The bridge's part is played by a list: what a call has not returned for is done again after a restart."""
    outbox, shown, seen = ["one", "two", "three"], [], SeenKeys()

    async def bridge(host):
        while outbox:
            await host.send("c-1", Text(text=outbox[0]), AGENT, key=outbox[0])
            outbox.pop(0)

    async def consumer(host, at_most):
        async for item in host:
            with seen.once(item.key) as first:
                if first:
                    shown.append(item.message.text)
            if len(shown) == at_most:
                await asyncio.Event().wait()  # killed here: shown, and never acknowledged

    before = QueueHost()
    tasks = [asyncio.ensure_future(bridge(before)), asyncio.ensure_future(consumer(before, 2))]
    await turns(20)
    await gone(*tasks)
    assert (outbox, shown) == (["two", "three"], ["one", "two"])

    after = QueueHost()
    tasks = [asyncio.ensure_future(bridge(after)), asyncio.ensure_future(consumer(after, 4))]
    await asyncio.wait_for(tasks[0], 5)
    await gone(tasks[1])
    assert (outbox, shown) == ([], ["one", "two", "three"])


async def test_several_consumers_share_the_work_and_a_conversation_keeps_its_order():
    host = QueueHost()
    calls = [say(host, f"{number}", f"c-{number % 3}") for number in range(30)]
    got, at_work = {}, set()

    async def consume():
        async for item in host:
            assert item.conversation_id not in at_work, "two consumers at work on one conversation"
            at_work.add(item.conversation_id)
            await turns(int(item.message.text) % 4)
            got.setdefault(item.conversation_id, []).append(int(item.message.text))
            at_work.discard(item.conversation_id)

    consumers = [asyncio.ensure_future(consume()) for _ in range(3)]
    await asyncio.wait_for(asyncio.gather(*calls), 5)
    host.close()
    await asyncio.wait_for(asyncio.gather(*consumers), 5)
    assert got == {f"c-{rest}": list(range(rest, 30, 3)) for rest in range(3)}


async def test_one_conversation_that_takes_long_does_not_hold_another_one_up():
    host = QueueHost()
    slow, behind, other = say(host, "slow"), say(host, "behind"), say(host, "other", "c-2")
    first, second = host.items(), host.items()
    assert (await anext(first)).message.text == "slow"
    assert (await anext(second)).message.text == "other"
    waiting = asyncio.ensure_future(anext(second))
    await turns()
    assert other.done()
    assert not waiting.done(), "what is behind the slow one waits for it"
    await gone(waiting, slow, behind)
    await first.aclose()


async def test_by_hand_a_consumer_can_have_several_conversations_under_way():
    host = QueueHost()
    calls = [say(host, "a", "c-1"), say(host, "b", "c-2"), say(host, "c", "c-1")]
    items = host.items(acknowledge=False)
    a, b = await anext(items), await anext(items)
    await turns()
    assert not any(call.done() for call in calls), "coming back acknowledges nothing"
    b.done()
    a.done()
    assert (await anext(items)).message.text == "c"
    await turns()
    assert [call.done() for call in calls] == [True, True, False]
    await items.aclose()
    with pytest.raises(HitlError, match="before it had acknowledged"):
        await calls[2]


async def test_the_queue_is_bounded_and_the_bridge_waits_for_room():
    host = QueueHost(limit=2)
    calls = [say(host, f"{number}", f"c-{number}") for number in range(5)]
    await turns()
    assert len(host) == 2
    items = host.items()
    got = [await asyncio.wait_for(anext(items), 5) for _ in range(5)]
    assert words(got) == ["0", "1", "2", "3", "4"]
    await items.aclose()
    await asyncio.gather(*calls, return_exceptions=True)
    with pytest.raises(ConfigurationError, match="limit is 0"):
        QueueHost(limit=0)


async def test_closing_ends_the_iteration_and_leaves_to_the_bridge_what_nobody_has():
    host = QueueHost(limit=3)
    calls = [say(host, f"{number}") for number in range(5)]
    items = host.items()
    await anext(items)
    idle = asyncio.ensure_future(anext(host.items(), "ended"))
    await turns()
    host.close()
    assert await asyncio.wait_for(idle, 5) == "ended"
    with pytest.raises(StopAsyncIteration):
        await anext(items)
    outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)
    assert outcomes[0] is None, "the one that was out is acknowledged by coming back"
    assert all("is closed" in str(error) for error in outcomes[1:])
    with pytest.raises(HitlError, match="is closed"):
        await host.send("c-1", Text(text="late"), AGENT, key="k")
    assert [item async for item in host] == []


async def test_a_call_the_bridge_gives_up_is_not_given_to_a_consumer():
    host = QueueHost()
    first, second = say(host, "one"), say(host, "two")
    await turns()
    await gone(first)
    items = host.items()
    assert (await anext(items)).message.text == "two"
    second.cancel()
    third = say(host, "three")
    waiting = asyncio.ensure_future(anext(host.items()))
    await turns()
    assert not waiting.done(), "a consumer is still at work on the conversation"
    await items.aclose()
    assert (await asyncio.wait_for(waiting, 5)).message.text == "three"
    await gone(third, waiting)


async def test_an_item_whose_consumer_takes_longer_than_the_bridge_waits_is_given_once():
    host = QueueHost()
    first = say(host, "slow")
    items = host.items()
    item = await anext(items)
    await gone(first)  # the bridge has lost its patience, and asks again with the same key
    again, behind = say(host, "slow"), say(host, "behind")
    other = asyncio.ensure_future(anext(host.items()))
    await turns()
    assert not again.done()
    assert not other.done()
    item.done()
    await asyncio.wait_for(again, 5)
    assert (await other).message.text == "behind"
    await gone(behind)
    await items.aclose()


async def test_an_item_that_is_done_while_the_bridge_is_not_waiting_is_not_given_again():
    host = QueueHost()
    items = host.items()
    for how in ("done", "failed"):
        call = say(host, how)
        item = await anext(items)
        await gone(call)
        item.done() if how == "done" else item.failed("no")
    await asyncio.wait_for(say(host, "done"), 5)
    assert len(host) == 0
    again = say(host, "failed")
    assert (await anext(items)).message.text == "failed"
    await items.aclose()
    await gone(again)


async def test_an_item_made_by_hand_can_be_settled_too():
    item = ToCustomer(conversation_id="c-1", message=Text(text="x"), sender=AGENT, key="k")
    item.done()
    item.failed("no")
