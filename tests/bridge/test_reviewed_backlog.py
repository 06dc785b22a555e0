"""However much has piled up, and in whatever state, all of it is looked at."""

import asyncio

import pytest
import sqlalchemy as sa

from hitl_core.bridge import EndReason, Owner
from hitl_core.bridge.handoff.inputs import PauseRequested
from hitl_core.bridge.store.audit import Audit
from hitl_core.bridge.store.inbox import input_row
from hitl_core.bridge.store.tables import conversations, inputs, outbox
from hitl_core.errors import HitlError, StoreError

from .test_reviewed_driver import PATIENCE, driven
from .world import ADA, told, world

pytestmark = pytest.mark.anyio


async def test_a_backlog_of_many_conversations_is_taken_up_without_waiting_for_the_next_look(store, clock):
    names = [f"c{number}" for number in range(1_200)]
    async with store.write() as conn:
        await conn.execute(
            conversations.insert(), [{"tenant": "default", "id": id_, "speaker": "bot", "fence": 0} for id_ in names]
        )
        rows = [input_row("default", id_, f"command:{id_}", PauseRequested(), clock.now()) for id_ in names]
        await conn.execute(inputs.insert(), rows)

    async def left():
        async with store.read() as conn:
            open_ones = sa.select(sa.func.count()).select_from(inputs).where(inputs.c.state == 0)
            return (await conn.execute(open_ones)).scalar_one()

    async with driven(store, poll_seconds=3_600) as bridge:
        await bridge.start_hitl("another", ADA, "Parcel", wait=PATIENCE)
        async with asyncio.timeout(PATIENCE):
            while await left():  # noqa: ASYNC110 - the database says so, and it has no event
                await asyncio.sleep(0.01)


async def test_f03_a_start_of_a_newer_version_does_not_leave_its_customer_with_nobody(store):
    async with world(store) as w:
        gate = w.desk.hold("start_hitl")
        w.begin(w.start())
        await gate.reached.wait()
        await w.say("one")
        await w.crash()
    async with store.write() as conn:
        await conn.execute(outbox.update().values(payload='{"kind": "start_by_pigeon"}'))
    gate.open()
    async with world(store, desk=w.desk, chat=w.chat) as again:
        await again.wake_after_a_crash()
        assert (await again.handoff()).end_reason is EndReason.START_FAILED
        assert await again.owner() is Owner.BOT
        assert w.texts == [told("on_start_failed_message"), "start_failed"]
        [back] = w.chat.handed_back
        assert [message.text for message in back.pending_messages] == ["one"]
        [letter] = await again.letters()
        assert (letter.source, letter.kind) == ("effect", "start_session")


async def test_what_begins_and_ends_in_one_turn_is_in_the_trail_from_beginning_to_end(store):
    async with world(store, work=False) as front, world(store) as back:
        await front.start()
        stopping = front.begin(front.bridge.stop_hitl("c1"))
        while not stopping.done():
            await back.settle()
        trail = await Audit(store, "default").list(conversation_id="c1")
        assert [(entry.actor, entry.action) for entry in trail] == [("bot", "begun"), ("bot", "ended")]


async def test_a_bridge_that_found_no_database_may_be_opened_again_when_there_is_one(store):
    async with world(store) as w:
        await w.bridge.aclose()
        bridge = type(w.bridge)(dict(w.connections), w.chat, store, drive=False, reconcile_seconds=None)
        store.lost = True
        with pytest.raises(StoreError):
            await bridge.__aenter__()
        store.lost = False
        async with bridge:
            assert await bridge.owner("c1") is Owner.BOT
        with pytest.raises(HitlError, match="make another one"):
            await bridge.__aenter__()
