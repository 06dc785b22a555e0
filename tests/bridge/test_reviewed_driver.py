"""What makes a bridge go goes on whatever happens, keeps saying that it lives, and ends in good order."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa

from hitl_core.bridge.bridge import Bridge
from hitl_core.bridge.engine.driver import pause_after
from hitl_core.bridge.store.tables import workers
from hitl_core.connect import connect_class
from hitl_core.errors import HitlError

from .intake_scene import until
from .world import ADA, LEASE, Account, Chat, Desk, world

pytestmark = pytest.mark.anyio

PATIENCE = 20  # real seconds; what is waited for takes some hundredths
WORDS = "my card number is 4111"


@asynccontextmanager
async def driven(store, chat=None, desk=None, **more):
    """Open a bridge that goes by itself."""
    desk = desk or Desk()
    more = {"reconcile_seconds": None, "poll_seconds": 0.01, "lease_seconds": LEASE, **more}
    connection = connect_class(Account, alias="memory", helpdesk=desk, webhook_secret=desk.secret, waits="raise")
    async with connection, Bridge(connection, chat or Chat(), store, **more) as bridge:
        yield bridge


# It goes on -----------------------------------------------------------------------------------------------------------


class Stumbling:
    """An intake that nobody expects to fail, and that does, twice in each of its ways."""

    def __init__(self, intake):
        self._intake = intake
        self.left = {"poll": 2, "work": 2}

    def __getattr__(self, name):
        return getattr(self._intake, name)

    async def poll(self):
        self._stumble("poll")
        await self._intake.poll()

    async def work(self):
        self._stumble("work")
        return await self._intake.work()

    def _stumble(self, way):
        if self.left[way]:
            self.left[way] -= 1
            raise RuntimeError(WORDS)


async def test_what_nobody_expects_is_logged_once_without_its_words_and_tried_again(store, caplog):
    chat, desk = Chat(), Desk()
    async with driven(store, chat, desk) as bridge:
        worker, driver = bridge._driver._worker, bridge._driver
        worker.intake = driver._intake = stumbling = Stumbling(bridge._intake)
        driver._unseen = True
        worker.wake.set()
        await until(lambda: not any(stumbling.left.values()))
        await bridge.start_hitl("c1", ADA, "Parcel", wait=PATIENCE)
        delivery = desk.reply("t1", "hello")
        await bridge.receive_webhook("memory", headers=delivery.headers, body=delivery.body)
        await until(lambda: chat.texts[-1:] == ["hello"])
    assert caplog.text.count("stumbled over RuntimeError") == 2
    assert "4111" not in caplog.text


def test_however_long_the_database_is_away_it_is_asked_every_few_seconds():
    assert pause_after(1) < 1
    assert max(pause_after(failures) for failures in (1, 10, 1_000, 2_000, 10**6)) == 5.0


# It lives -------------------------------------------------------------------------------------------------------------


async def test_a_worker_that_never_has_nothing_to_do_says_that_it_lives_all_the_same(store, clock):
    async with driven(store) as bridge:
        await bridge.start_hitl("c1", ADA, "Parcel", wait=PATIENCE)

        async def more_and_more(when):
            if when == "after":
                clock.advance(0.25)
                bridge._touched(["c1"])

        store.committing = more_and_more
        try:
            await until(lambda: clock.monotonic() > 3 * LEASE)
        finally:
            store.committing = None
        async with store.read() as conn:
            seen_at = (await conn.execute(sa.select(workers.c.seen_at))).scalar_one()
        assert (clock.now() - seen_at).total_seconds() < LEASE


# It ends --------------------------------------------------------------------------------------------------------------


async def test_an_end_that_is_broken_off_leaves_nothing_going_when_the_next_worker_may_begin(store):
    desk = Desk()
    gate = desk.hold("send_message")
    async with driven(store, desk=desk) as bridge:
        await bridge.start_hitl("c1", ADA, "Parcel", wait=PATIENCE)
        await bridge.handle_user_message("c1", "one", message_id="m1")
        await gate.reached.wait()
        ending = asyncio.ensure_future(bridge.aclose(grace=PATIENCE))
        await until(lambda: bridge._driver._worker.attempts.closed)
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
        assert gate.waiting == 0
    desk._gates.clear()
    async with world(store, desk=desk) as again:
        await again.wake_after_a_crash()
        assert again.sent() == ["one"]


async def test_an_ending_bridge_begins_nothing_more(store):
    desk = Desk()
    gate = desk.hold("send_message")
    async with driven(store, desk=desk) as bridge:
        await bridge.start_hitl("c1", ADA, "Parcel", wait=PATIENCE)
        await bridge.handle_user_message("c1", "one", message_id="m1")
        await gate.reached.wait()
        await bridge.handle_user_message("c1", "two", message_id="m2")
        ending = asyncio.ensure_future(bridge.aclose(grace=PATIENCE))
        await until(lambda: bridge._driver._running is False)
        gate.open()
        await ending
    assert [request.message.text for request in desk.tickets["t1"].sent] == ["one"]


async def test_a_bridge_is_opened_once(store):
    async with world(store) as w:
        await w.bridge.aclose()
        with pytest.raises(HitlError, match="make another one"):
            await w.bridge.__aenter__()
