"""The schema the migrations make is the schema the code uses, and nothing runs on another one."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.migrate import VERSION_TABLE, require_current, scripts, upgrade
from hitl_core.bridge.store.tables import metadata
from hitl_core.database import begin_read, begin_write, create_engine
from hitl_core.errors import ConfigurationError

pytestmark = pytest.mark.anyio

SCHEMAS = Path(__file__).with_name("schemas")
REVISIONS = [script.revision for script in scripts().walk_revisions()]


@pytest.fixture
async def engine(blank_url):
    engine = create_engine(blank_url)
    yield engine
    await engine.dispose()


def differences(connection):
    options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
    return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


def definitions(connection):
    """Return how the database itself describes tables and indexes, conditions of partial ones included."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {name: " ".join(re.sub(r'[,()"]', " ", sql).split()) for name, sql in rows if name != VERSION_TABLE}
    rows = connection.exec_driver_sql("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'")
    return {name: definition for name, definition in rows if not name.startswith(VERSION_TABLE)}


async def test_migrations_make_exactly_the_tables_the_code_uses(engine):
    await upgrade(engine)
    async with begin_write(engine) as conn:
        assert await conn.run_sync(differences) == []
        migrated = await conn.run_sync(definitions)
        for table in reversed(metadata.sorted_tables):
            await conn.execute(sa.schema.DropTable(table))
        await conn.run_sync(metadata.create_all)
        assert await conn.run_sync(definitions) == migrated


async def test_only_the_first_upgrade_has_something_to_do(engine):
    with pytest.raises(ConfigurationError, match="hitl db upgrade"):
        await require_current(engine)
    assert await upgrade(engine) is True
    assert await upgrade(engine) is False
    await require_current(engine)


async def test_many_tasks_of_a_process_may_make_the_first_schema_at_once(blank_url):
    engines = [create_engine(blank_url) for _ in range(4)]
    done = await asyncio.gather(*(upgrade(engine) for engine in engines))
    assert sorted(done) == [False] * 3 + [True]
    for engine in engines:
        await require_current(engine)
        await engine.dispose()


PROGRAM = """
import asyncio, sys
from hitl_core.bridge.store.migrate import require_current, upgrade
from hitl_core.database import create_engine

async def run(url):
    engine = create_engine(url)
    print(await upgrade(engine))
    await require_current(engine)
    await engine.dispose()

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(run(sys.argv[1]))
"""


def test_many_processes_may_make_the_first_schema_at_once(blank_url):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", PROGRAM, blank_url], **pipes) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    done = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * 3
    assert sorted(done) == ["False"] * 2 + ["True"]


async def test_a_schema_that_cannot_be_made_is_no_endless_attempt_and_leaves_nothing_behind(engine):
    async with begin_write(engine) as conn:
        await conn.exec_driver_sql("CREATE VIEW hitl_budgets AS SELECT 1 AS one")
    with pytest.raises(sa.exc.DBAPIError):
        await upgrade(engine)
    async with begin_read(engine) as conn:
        assert await conn.run_sync(lambda connection: sa.inspect(connection).get_table_names()) == []


async def test_a_hosts_own_tables_are_left_alone(engine):
    async with begin_write(engine) as conn:
        await conn.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
        await conn.exec_driver_sql("CREATE TABLE host (id TEXT)")
    await upgrade(engine)
    async with begin_read(engine) as conn:
        assert (await conn.exec_driver_sql("SELECT count(*) FROM alembic_version")).scalar() == 0
        names = await conn.run_sync(lambda connection: sa.inspect(connection).get_table_names())
    assert set(names) == {*metadata.tables, VERSION_TABLE, "host", "alembic_version"}


async def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(engine, blank_url):
    await upgrade(engine)
    async with begin_write(engine) as conn:
        await conn.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")  # noqa: S608  ours
    for attempt in (upgrade(engine), require_current(engine), Store(blank_url).__aenter__()):
        with pytest.raises(ConfigurationError, match="upgrade hitl-core, or point to another database"):
            await attempt
    async with begin_read(engine) as conn:
        found = await conn.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608  ours
        assert found.scalars().all() == ["9999"]


async def test_sqlite_is_migrated_at_start_and_postgresql_by_command(blank_url, backend):
    store = Store(blank_url)
    if backend == "postgresql":
        with pytest.raises(ConfigurationError, match="hitl db upgrade"):
            await store.open()
    await store.open(migrate=None if backend == "sqlite" else True)
    await store.close()


async def content(engine):
    """Return every row of every table, as the columns' text."""
    async with begin_read(engine) as conn:
        names = await conn.run_sync(lambda connection: sa.inspect(connection).get_table_names())
        return {
            name: [
                {column: str(value) for column, value in row._mapping.items()}
                for row in await conn.execute(sa.text(f"SELECT * FROM {name} ORDER BY 1, 2"))  # noqa: S608  ours
            ]
            for name in names
            if name != VERSION_TABLE
        }


@pytest.mark.parametrize("revision", REVISIONS)
async def test_every_released_schema_is_brought_to_the_newest_with_its_rows(engine, backend, revision):
    async with begin_write(engine) as conn:
        for statement in (SCHEMAS / f"{revision}.{backend}.sql").read_text().split(";\n"):
            if statement:
                await conn.exec_driver_sql(statement)
    before = await content(engine)
    assert await upgrade(engine) is (revision != scripts().get_current_head())
    async with begin_read(engine) as conn:
        assert await conn.run_sync(differences) == []
    after = await content(engine)
    for name, rows in before.items():
        assert len(rows) == 2
        for old, new in zip(rows, after[name], strict=True):
            assert {column: value for column, value in old.items() if column in new} == {
                column: new[column] for column in old if column in new
            }
