"""One hand-off from its start to the bot being back, on a real store."""

import pytest

from hitl_core.bridge.handoff.records import Owner
from hitl_core.people import Author
from hitl_core.sessions import HistoryEntry

from .world import BEA, world

pytestmark = pytest.mark.anyio


async def test_a_hand_off_from_the_start_to_the_bot_being_back(store):
    async with world(store) as w:
        history = (HistoryEntry.of(Author.user(name="Ada"), "Where is my parcel?"),)
        assert await w.bridge.owner("c1") is Owner.BOT
        assert not (await w.say("hello")).silence
        result = await w.start(history=history)
        assert result.status == "started"
        assert await w.bridge.owner("c1") is Owner.QUEUE
        assert (await w.say("Any news?")).silence
        assert w.sent() == ["Any news?"]
        receipt = await w.deliver(w.desk.assign("t1", BEA))
        assert receipt.accepted
        assert await w.bridge.owner("c1") is Owner.HUMAN
        await w.deliver(w.desk.reply("t1", "It is on its way.", BEA))
        await w.deliver(w.desk.close("t1", BEA))
        assert await w.bridge.owner("c1") is Owner.BOT
        assert not await w.bridge.silent("c1")
        (back,) = w.chat.handed_back
        assert [entry.message.text for entry in back.transcript] == ["Any news?", "It is on its way."]
        assert back.agent == BEA
        assert not back.pending
        assert [name for name, _ in w.chat.lines] == ["system", "system", "Bea", "system", "resume"]
