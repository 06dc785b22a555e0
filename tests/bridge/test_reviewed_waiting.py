"""Whoever waits hears what became of what was taken in; whoever does not wait is taken at their word, in order."""

import asyncio

import pytest

from hitl_core.bridge import EndReason, Owner

from .world import Chat, Desk, world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def front_and_back(store):
    """A process that only takes in, and the one that does the work."""
    desk, chat = Desk(), Chat()
    async with world(store, desk=desk, chat=chat, work=False) as front, world(store, desk=desk, chat=chat) as back:
        yield front, back


async def test_s101_what_is_asked_for_before_a_start_was_decided_on_follows_it(front_and_back):
    front, back = front_and_back
    assert (await front.start()).status == "starting"
    stopping = asyncio.ensure_future(front.bridge.stop_hitl("c1"))
    await asyncio.sleep(0)
    while not stopping.done():
        await back.settle()
    await back.settle()
    assert (await back.handoff()).end_reason is EndReason.STOP_REQUESTED
    assert await back.owner() is Owner.BOT
    assert not [ticket for ticket in back.desk.tickets.values() if ticket.open]


async def test_a_conversation_nobody_has_heard_of_is_not_waited_for(front_and_back):
    front, _ = front_and_back
    await front.bridge.stop_hitl("nobody")
    await front.bridge.pause("nobody")


async def test_a_start_that_was_taken_in_is_starting_though_the_database_goes_while_it_is_waited_for(
    front_and_back, store
):
    front, back = front_and_back

    async def lose(when):
        store.lost = when == "after"

    store.committing = lose
    result = await front.start()
    store.lost, store.committing = False, None
    assert result.status == "starting"
    await back.settle()
    assert (await back.handoff()).session.id == "t1"
