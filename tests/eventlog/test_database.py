"""The engines: durable settings, writers that wait, readers that do not, and errors that say what to do."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from hitl_core.database import UtcDateTime, begin_read, begin_write, create_engine, insert
from hitl_core.errors import ConfigurationError, StoreError

pytestmark = pytest.mark.anyio


@pytest.fixture
def table():
    return sa.Table(
        "things",
        sa.MetaData(),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("n", sa.Integer),
        sa.Column("at", UtcDateTime),
    )


@pytest.fixture
async def things(engine, table):
    async with begin_write(engine) as conn:
        await conn.run_sync(table.metadata.create_all)
    yield table
    async with begin_write(engine) as conn:
        await conn.run_sync(table.metadata.drop_all)


async def names(engine, table):
    async with begin_read(engine) as conn:
        return (await conn.execute(sa.select(table.c.name).order_by(table.c.name))).scalars().all()


@pytest.fixture
async def sqlite(tmp_path, table):
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}", busy_timeout=0.1)
    async with begin_write(engine) as conn:
        await conn.run_sync(table.metadata.create_all)
    yield engine
    await engine.dispose()


async def test_sqlite_keeps_a_write_ahead_log_in_full_sync_with_foreign_keys(sqlite):
    async with sqlite.connect() as conn:
        settings = [
            (await conn.execute(sa.text(f"pragma {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert settings == ["wal", 2, 1, 100]


async def test_postgresql_ends_transactions_whose_client_went_silent(postgres):
    engine = create_engine(postgres, idle_in_transaction_timeout=0.05)
    async with begin_read(engine) as conn:
        shown = (await conn.execute(sa.text("show idle_in_transaction_session_timeout"))).scalar_one()
        isolation = (await conn.execute(sa.text("show transaction_isolation"))).scalar_one()
        read_only = (await conn.execute(sa.text("show transaction_read_only"))).scalar_one()
    async with begin_write(engine) as conn:
        assert (await conn.execute(sa.text("show transaction_isolation"))).scalar_one() == "read committed"
    await engine.dispose()
    assert (shown, isolation, read_only) == ("50ms", "repeatable read", "on")


async def test_a_write_commits_and_an_exception_rolls_back(engine, things):
    async def fail():
        async with begin_write(engine) as conn:
            await conn.execute(sa.insert(things).values(name="lost"))
            raise RuntimeError

    async with begin_write(engine) as conn:
        await conn.execute(sa.insert(things).values(name="kept"))
    with pytest.raises(RuntimeError):
        await fail()
    assert await names(engine, things) == ["kept"]


async def test_writers_that_read_first_wait_for_each_other_instead_of_failing(engine, things):
    async with begin_write(engine) as conn:
        await conn.execute(sa.insert(things).values(name="counter", n=0))

    async def raise_it():
        async with begin_write(engine) as conn:
            query = sa.select(things.c.n).where(things.c.name == "counter").with_for_update()
            n = (await conn.execute(query)).scalar_one()
            await conn.execute(sa.update(things).values(n=n + 1))

    await asyncio.gather(*(raise_it() for _ in range(20)))
    async with begin_read(engine) as conn:
        assert (await conn.execute(sa.select(things.c.n))).scalar_one() == 20


async def test_a_second_process_waits_for_the_first_one_to_commit(sqlite, tmp_path, table):
    other = create_engine(f"sqlite:///{tmp_path / 'x.db'}", busy_timeout=10)
    begun = asyncio.Event()

    async def second():
        begun.set()
        async with begin_write(other) as conn:
            await conn.execute(sa.insert(table).values(name="second"))

    async with begin_write(sqlite) as conn:
        await conn.execute(sa.insert(table).values(name="first"))
        waiting = asyncio.create_task(second())
        await begun.wait()
        assert await names(sqlite, table) == []
    await waiting
    await other.dispose()
    assert await names(sqlite, table) == ["first", "second"]


async def test_a_writer_that_waited_too_long_says_so(sqlite, tmp_path):
    other = create_engine(f"sqlite:///{tmp_path / 'x.db'}", busy_timeout=0.05)

    async def enter(engine):
        async with begin_write(engine):
            pytest.fail("two writers at once")

    async with begin_write(sqlite):
        with pytest.raises(StoreError, match=r"more than 0\.05 s"):
            await enter(other)
        with pytest.raises(StoreError, match="long or nested write transaction"):
            await enter(sqlite)
    await other.dispose()
    async with begin_write(sqlite) as conn:
        assert (await conn.execute(sa.text("select 1"))).scalar_one() == 1


async def test_a_cancelled_writer_leaves_the_turn_to_the_next(sqlite, table):
    inside = asyncio.Event()

    async def hang():
        async with begin_write(sqlite) as conn:
            await conn.execute(sa.insert(table).values(name="cut off"))
            inside.set()
            await asyncio.Event().wait()

    writer = asyncio.create_task(hang())
    await inside.wait()
    writer.cancel()
    await asyncio.gather(writer, return_exceptions=True)
    async with begin_write(sqlite) as conn:
        await conn.execute(sa.insert(table).values(name="next"))
    assert await names(sqlite, table) == ["next"]


async def test_a_reader_sees_one_snapshot(engine, things):
    async with begin_read(engine) as conn:
        query = sa.select(sa.func.count()).select_from(things)
        before = (await conn.execute(query)).scalar_one()
        async with begin_write(engine) as writing:
            await writing.execute(sa.insert(things).values(name="new"))
        assert (await conn.execute(query)).scalar_one() == before
    assert await names(engine, things) == ["new"]


async def test_an_upsert_is_the_same_on_both_engines(engine, things):
    async with begin_write(engine) as conn:
        for n in (1, 2):
            upsert = insert(conn, things).values(name="a", n=n)
            upsert = upsert.on_conflict_do_update(index_elements=[things.c.name], set_={"n": upsert.excluded.n})
            assert (await conn.execute(upsert.returning(things.c.n))).scalar_one() == n


async def test_times_are_utc_aware_and_exact(engine, things):
    moment = datetime(2026, 3, 1, 13, 0, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    async with begin_write(engine) as conn:
        await conn.execute(sa.insert(things).values(name="a", at=moment))
        await conn.execute(sa.insert(things).values(name="b"))
        read = (await conn.execute(sa.select(things.c.at).order_by(things.c.name))).scalars().all()
    assert read == [moment, None]
    assert read[0].tzinfo is UTC


async def test_a_time_without_a_zone_is_refused(engine, things):
    async with begin_write(engine) as conn:
        with pytest.raises(sa.exc.StatementError, match="time without a zone"):
            await conn.execute(sa.insert(things).values(name="a", at=datetime(2026, 3, 1)))  # noqa: DTZ001  the mistake


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("mysql://localhost/x", "use sqlite:///file.db"),
        ("not a url", "cannot be read"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite:///file:x?mode=memory&uri=true", "name a file"),
    ],
)
def test_a_database_that_cannot_serve_is_refused_with_the_next_step(url, hint):
    with pytest.raises(ConfigurationError, match=hint):
        create_engine(url)


async def test_the_driver_does_not_log_parameters_even_at_debug(sqlite, table, caplog):
    caplog.set_level(logging.DEBUG)
    async with begin_write(sqlite) as conn:
        await conn.execute(sa.insert(table).values(name="my card is 4111"))
    assert "4111" not in caplog.text
