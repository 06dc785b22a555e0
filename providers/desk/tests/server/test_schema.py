"""The schema the migrations make is the schema the code expects, and a desk starts only on it."""

import asyncio

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hitl_desk.server import ServerSettings, create_app, create_bot, migrate, tables
from hitl_desk.server.desk import Desk
from hitl_desk.server.migrate import VERSION_TABLE, upgrade

from hitl_core.database import begin_read, create_engine
from hitl_core.errors import ConfigurationError

pytestmark = pytest.mark.anyio


async def test_migrations_make_exactly_the_tables_the_code_uses(settings):
    def differences(connection):
        # Alembic cannot compare an empty default on SQLite; the migration is the same for both.
        exact = connection.dialect.name == "postgresql"
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": exact}
        return compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata)

    engine = create_engine(settings.database)
    async with engine.connect() as conn:
        assert await conn.run_sync(differences) == []
        names = await conn.run_sync(lambda connection: sa.inspect(connection).get_table_names())
    await engine.dispose()
    assert {name for name in names if name.startswith("desk_")} == {*tables.metadata.tables, VERSION_TABLE}


async def test_migrations_leave_a_hosts_own_tables_alone(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/host.db")
    async with engine.begin() as conn:
        await conn.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
        await conn.exec_driver_sql("CREATE TABLE host (id TEXT)")
    await upgrade(engine)
    await upgrade(engine)
    async with begin_read(engine) as conn:
        assert (await conn.exec_driver_sql("SELECT count(*) FROM alembic_version")).scalar() == 0
        assert (await conn.exec_driver_sql(f"SELECT count(*) FROM {VERSION_TABLE}")).scalar() == 1  # noqa: S608  ours
    await engine.dispose()


async def test_a_desk_on_sqlite_makes_its_schema_at_start_and_keeps_what_it_has(tmp_path, pages):
    settings = ServerSettings(data_dir=tmp_path / "new" / "desk")
    for expected in ([], ["Shop bot"]):
        app = create_app(settings, static=pages)
        async with app.state.desk as desk:
            async with desk.read() as conn:
                assert (await conn.execute(sa.select(tables.bots.c.name))).scalars().all() == expected
            await create_bot(desk, "Shop bot")
    assert (settings.data_dir / "secret").read_text() == (settings.data_dir / "secret").read_text().strip()


async def test_two_processes_may_start_on_a_new_file_at_once(tmp_path):
    desks = [Desk(ServerSettings(data_dir=tmp_path)) for _ in range(4)]

    async def start(desk):
        async with desk.storage():
            return await desk.ready()

    assert await asyncio.gather(*(start(desk) for desk in desks)) == [True] * 4


def test_a_desk_on_postgresql_says_that_it_must_be_migrated_first(postgres, tmp_path, run_sql):
    run_sql(postgres, "CREATE DATABASE fresh")
    settings = ServerSettings(data_dir=tmp_path, database_url=postgres.url("fresh"))

    async def start():
        async with Desk(settings).storage() as desk:
            return await desk.ready()

    with pytest.raises(ConfigurationError, match="hitl desk migrate"):
        asyncio.run(start())
    asyncio.run(migrate(settings))
    assert asyncio.run(start())


def test_a_database_that_is_away_is_one_sentence(postgres, tmp_path):
    async def start(url):
        async with Desk(ServerSettings(data_dir=tmp_path, database_url=url)).storage():
            pass

    for url in (postgres.url("nothing"), "postgresql://postgres:hunter2@127.0.0.1:1/x"):
        with pytest.raises(ConfigurationError, match="cannot be opened") as caught:
            asyncio.run(start(url))
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "sqlite://"])
async def test_a_database_that_cannot_be_used_is_refused(tmp_path, url):
    with pytest.raises(ConfigurationError):
        create_app(ServerSettings(data_dir=tmp_path, database_url=url))


async def test_a_data_directory_that_cannot_be_used_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="name another directory"):
        create_app(ServerSettings(data_dir=tmp_path / "file"))
    (tmp_path / "secret").write_text("short")
    with pytest.raises(ConfigurationError, match="damaged"):
        create_app(ServerSettings(data_dir=tmp_path))


async def test_settings_show_no_secret(tmp_path):
    settings = ServerSettings(data_dir=tmp_path, database_url="postgresql://u:hunter2@h/d", secret="s" * 40)
    assert "hunter2" not in repr(settings)
    assert "s" * 40 not in repr(settings)
