"""Bringing a database to the schema this version needs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from hitl_core.database import begin_read, begin_write
from hitl_core.errors import ConfigurationError
from hitl_desk.server.tables import PREFIX

__all__ = ["VERSION_TABLE", "require_current", "upgrade"]

VERSION_TABLE: Final = f"{PREFIX}version"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


async def upgrade(engine: AsyncEngine) -> None:
    """Run the migrations a database lacks, all in one transaction; does nothing when it is up to date."""
    if await _is_current(engine):
        return
    async with begin_write(engine) as conn:
        await conn.run_sync(lambda connection: command.upgrade(_config(connection), "head"))


async def require_current(engine: AsyncEngine) -> None:
    """Check that nothing is to be migrated.

    :raises ConfigurationError: when something is.
    """
    if not await _is_current(engine):
        msg = (
            "the desk's database is not at this version's schema; run `hitl desk migrate`, "
            "or call hitl_desk.server.migrate(settings)"
        )
        raise ConfigurationError(msg)


async def _is_current(engine: AsyncEngine) -> bool:
    def heads(connection: Connection) -> bool:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return set(context.get_current_heads()) == set(ScriptDirectory.from_config(_config()).get_heads())

    async with begin_read(engine) as conn:
        return await conn.run_sync(heads)
