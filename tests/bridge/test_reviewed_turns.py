"""What turns keep in memory between them: little, and nothing that anything depends on."""

import pytest
import sqlalchemy as sa

from hitl_core.bridge.engine.turns.conversation import Conversation, GivenInput
from hitl_core.bridge.handoff.inputs import UserMessage
from hitl_core.bridge.policy import Policy
from hitl_core.bridge.store.tables import conversations, workers
from hitl_core.people import Author

from .scene import Scene
from .world import world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def w(store):
    async with world(store) as made:
        yield made


@pytest.fixture
def turns(w):
    return w.bridge._driver._worker._turns


async def test_conversations_that_are_at_work_need_not_be_in_memory_between_their_turns(w, turns):
    turns.keep_at_most = 2
    names = [f"c{number}" for number in range(1, 7)]
    for name in names:
        await w.start(name)
    gate = w.desk.hold("send_message")
    for text in ("one", "two"):
        for name in names:
            await w.say(text, name, id=f"{name}-{text}")
    assert len(turns._kept) == 2
    gate.open()
    await w.settle()
    assert [w.sent(ticket) for ticket in w.desk.tickets] == [["one", "two"]] * len(names)
    assert "find_message" not in w.desk.calls, "nothing had to be looked up"


async def test_of_a_long_conversation_only_what_is_going_on_is_kept_in_memory(w, turns):
    for number in range(5):
        await w.start(idempotency_key=f"k{number}")
        await w.bridge.stop_hitl("c1")
    await w.settle()
    assert len(turns._kept["c1"].handoffs) == 1


async def test_what_came_of_an_attempt_for_a_conversation_that_was_forgotten_is_forgotten_too(w, turns, store):
    await w.start()
    gate = w.desk.hold("send_message")
    await w.say("one")
    async with store.write() as conn:  # as when a customer is erased by force
        await conn.execute(sa.delete(conversations))
    gate.open()
    await w.settle()
    assert (w.bridge._driver._worker.next_at(), turns._under_way._came) == (None, {})


async def test_what_another_worker_has_taken_over_is_not_kept_in_memory(w, turns, store, clock):
    await w.start()
    w.desk.hold("send_message")
    await w.say("one")
    async with store.write() as conn:
        await conn.execute(sa.update(conversations).values(worker="another", fence=conversations.c.fence + 1))
    worker = w.bridge._driver._worker
    worker._alive |= {"another"}
    worker.touch(["c1"])
    if not store.is_sqlite:
        async with store.write() as conn:
            now = clock.now()
            await conn.execute(workers.insert(), {"id": "another", "started_at": now, "seen_at": now})
    await worker.work()
    assert turns._kept == {}


WORDS = "my card number is 4111"

# Words ----------------------------------------------------------------------------------------------------------------


class Surprise:
    """A message nobody is prepared for, which quotes the customer."""

    def __getattr__(self, name):
        raise ValueError(WORDS)


def test_what_deciding_stumbles_over_is_logged_without_its_words(caplog):
    scene = Scene()
    scene.start()
    handoff = scene.handoff
    conversation = Conversation("c1", 1, handoff.id, {handoff.id: handoff})
    said = UserMessage.model_construct(message_id="m1", message=Surprise(), author=Author.user(), user=None)
    conversation.take(GivenInput(1, "user:c1:m1", "user_message", said), Policy(), scene.now)
    [letter] = conversation.letters
    assert "ValueError" in letter.detail
    assert "user:c1:m1" in caplog.text
    assert "4111" not in caplog.text
