"""What two conversations are known by is never the same, whatever ids the host's world is made of."""

import pytest

from .world import world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def w(store):
    async with world(store) as made:
        yield made


async def test_a_message_is_not_taken_for_a_repeat_of_one_in_another_conversation(w):
    await w.start("a:b")
    await w.start("a")
    assert (await w.say("for the first", "a:b", id="c")).silence
    assert (await w.say("for the second", "a", id="b:c")).silence
    assert (w.sent("t1"), w.sent("t2")) == (["for the first"], ["for the second"])


async def test_f02_a_start_is_not_taken_for_one_of_another_conversation(w):
    await w.start("a:b", trigger_message_id="c")
    await w.start("a", trigger_message_id="b:c")
    assert list(w.desk.tickets) == ["t1", "t2"]
    assert (await w.handoff("a:b")).session != (await w.handoff("a")).session


async def test_f02_the_hosts_own_key_of_a_start_is_one_of_its_conversation(w):
    for conversation in ("c1", "c2"):
        assert (await w.start(conversation, idempotency_key="k")).status == "started"
        assert (await w.start(conversation, idempotency_key="k")).status == "started"
    assert list(w.desk.tickets) == ["t1", "t2"]
