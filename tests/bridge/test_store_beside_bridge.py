"""What people do to the store while a bridge works on it: dead letters, purging, forgetting a customer."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from hitl_core.bridge import Owner
from hitl_core.bridge.store.letters import Letters, explain
from hitl_core.bridge.store.retention import Retention
from hitl_core.bridge.store.tables import conversations
from hitl_core.errors import InvalidRequestError, PermissionDeniedError, StoreError

from .world import Chat, Desk, world

pytestmark = pytest.mark.anyio

DAY = 86_400


@pytest.fixture
async def w(store):
    async with world(store) as made:
        await made.start()
        await made.settle()
        yield made


@pytest.fixture
def retention(store):
    return Retention(store, "default", grace=0)


async def test_f21_what_was_refused_arrives_once_after_it_was_mended_and_replayed(w, store):
    w.desk.fail("before", InvalidRequestError("the field is closed"))
    await w.say("one")
    await w.say("two")
    letters = Letters(store, "default")
    [letter] = await letters.list()
    assert "the field is closed" in explain(letter)
    assert "one" not in explain(letter).replace("someone", "")
    assert w.sent() == ["two"]
    await letters.replay(letter.position)
    await w.settle()
    assert w.sent() == ["two", "one"]
    await w.pass_time(60, step=20)
    assert (w.sent(), await letters.count()) == (["two", "one"], 0)


async def test_what_is_refused_again_is_a_new_letter(w, store):
    letters = Letters(store, "default")
    w.desk.fail("before", InvalidRequestError("no"))
    await w.say("one")
    w.desk.fail("before", InvalidRequestError("still no"))
    await letters.replay((await letters.list())[0].position)
    await w.settle()
    [again] = await letters.list()
    assert "still no" in again.detail
    await letters.replay(again.position)
    await w.settle()
    assert w.sent() == ["one"]


async def test_the_letter_of_a_start_that_failed_starts_nothing_behind_everybodys_back(store):
    async with world(store) as w:
        w.desk.fail("before", PermissionDeniedError("no right"))
        await w.start()
        await w.settle()
        assert await w.owner() is Owner.BOT
        for letter in await Letters(store, "default").list():
            with pytest.raises(StoreError, match="start a new one"):
                await Letters(store, "default").replay(letter.position)
        await w.settle()
        assert not w.desk.tickets


async def test_a_conversation_goes_on_after_its_past_was_purged(w, store, retention):
    await w.say("/end")
    await w.pass_time(40 * DAY, step=20 * DAY)
    gone = await retention.purge(timedelta(days=30))
    assert (gone["handoffs"], gone["conversations"]) == (1, 1)
    assert await w.owner() is Owner.BOT
    await w.start(idempotency_key="again")
    await w.say("hello")
    assert w.sent("t2") == ["hello"]


async def test_purging_leaves_an_open_hand_off_working(w, retention):
    await w.say("before")
    await w.pass_time(40 * DAY, step=20 * DAY)
    await retention.purge(timedelta(days=30))
    await w.say("after")
    assert w.sent() == ["before", "after"]


async def test_two_workers_agree_on_a_conversation_whose_past_was_purged(store, retention, backend):
    if backend == "sqlite":
        pytest.skip("one worker at a time")
    desk, chat = Desk(), Chat()
    async with world(store, desk=desk, chat=chat) as one, world(store, desk=desk, chat=chat) as two:
        await one.start()
        await one.settle()
        await one.say("/end")
        await one.pass_time(40 * DAY, step=20 * DAY)
        assert (await retention.purge(timedelta(days=30)))["conversations"] == 1
        await two.settle()
        await two.start(idempotency_key="again")
        await two.settle()
        fence = one.bridge._driver._worker._turns._kept["c1"].fence
        async with store.write() as conn:  # the numbers began anew, and happen to have come as far as before
            await conn.execute(sa.update(conversations).values(fence=fence))
        await one.settle()
        await one.say("hello")
        assert one.sent("t2") == ["hello"]


async def test_a_customer_is_forgotten_in_the_midst_of_a_hand_off(w, store, retention):
    await w.say("my name is Ada")
    with pytest.raises(StoreError, match="end it first"):
        await retention.erase_customer("u1")
    gone = await retention.erase_customer("u1", force=True)
    assert gone["handoffs"] == 1
    assert not (await w.say("hello?")).silence
    await w.start(idempotency_key="again")
    await w.say("a new one")
    assert w.sent("t2") == ["a new one"]
