"""What another process has written is noticed; while nobody writes, nothing is looked at."""

import asyncio

import pytest
import sqlalchemy as sa

from hitl_core.bridge.handoff.inputs import PauseRequested, StopRequested
from hitl_core.bridge.store.hints import Hints
from hitl_core.bridge.store.inbox import Inbox
from hitl_core.bridge.store.news import News

from .intake_scene import until
from .test_reviewed_driver import PATIENCE, driven
from .world import ADA

pytestmark = pytest.mark.anyio


@pytest.fixture
async def news(store):
    made = News(store, Hints(store))
    yield made
    made.close()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_on_sqlite_there_is_news_after_each_write_and_none_otherwise(news, store, backend):
    assert await news.any(), "what was before is not known"
    assert not await news.any()
    await Inbox(store, "default").accept("c1", "k1", PauseRequested())
    assert await news.any()
    assert not await news.any()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_on_postgresql_nothing_is_known_unless_hints_arrive(news, store, backend):
    assert await news.any()
    assert await news.any()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_on_postgresql_there_is_no_news_between_two_looks_if_every_hint_between_them_arrived(
    store, clock, backend
):
    if not store.hints:
        pytest.skip("hints are switched off")

    async def at_once(seconds):
        await asyncio.sleep(0)

    hints = Hints(store, sleep=at_once)
    news = News(store, hints)
    await hints.start(lambda tenant: None)
    try:
        await until(lambda: hints.listening)
        assert await news.any()
        assert await news.any(), "others may not know yet that somebody listens"
        clock.advance(60)
        assert await news.any(), "what came before they did is not known"
        assert not await news.any()
        assert not await news.any()
        async with store.write() as conn:
            others = "pg_stat_activity WHERE datname = current_database() AND application_name = 'hitl listener'"
            await conn.execute(sa.text(f"SELECT pg_terminate_backend(pid) FROM {others}"))  # noqa: S608 - a constant
        await until(lambda: hints.listening and not hints.session)
        clock.advance(60)
        assert await news.any(), "what was told meanwhile was not heard"
        assert not await news.any()
    finally:
        await hints.stop()
        news.close()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_where_it_cannot_be_asked_there_is_news(news, store, backend):
    await news.any()
    news._connection.close()
    assert await news.any(), "whoever looks is told what is wrong"


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_worker_takes_up_what_a_command_wrote_beside_it(store, backend):
    async with driven(store, poll_seconds=0.01) as bridge:
        await bridge.start_hitl("c1", ADA, "Parcel", wait=PATIENCE)
        await Inbox(store, "default").accept("c1", "k1", StopRequested())
        async with asyncio.timeout(PATIENCE):
            while await bridge.silent("c1"):  # noqa: ASYNC110 - as a bot would ask
                await asyncio.sleep(0.01)
