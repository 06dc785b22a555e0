"""Bringing a database to the schema this version needs.

Several processes may try at once, on a new database too. SQLite has one writer, so the second finds the work done. On
PostgreSQL the first statement of a first migration makes the version table, which only one transaction can: the others
wait for it inside the database and are then refused, look again, and find the work done. Later migrations take turns
by locking the version's row. Nothing here needs advisory locks, which not every database of that family has.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from hitl_core.bridge.store.tables import PREFIX
from hitl_core.database import begin_read, begin_write
from hitl_core.errors import ConfigurationError

__all__ = ["VERSION_TABLE", "require_current", "scripts", "upgrade"]

VERSION_TABLE: Final = f"{PREFIX}version"

_TRIES: Final = 20
_PAUSE: Final = 0.1  # seconds
# Somebody else was faster: unique violation (in PostgreSQL's own catalogue), table, column or index exists already,
# serialization failure, deadlock.
_OVERTAKEN: Final = frozenset({"23505", "42P07", "42701", "42710", "40001", "40P01"})


_alembic = threading.Lock()


class _Schema(Enum):
    MISSING = "missing"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


async def upgrade(engine: AsyncEngine) -> bool:
    """Run the migrations a database lacks, all in one transaction.

    Beside other processes that do the same it is done once, and each returns when it is done.

    :returns: whether anything was to be done here.
    :raises ConfigurationError: the database is of a newer version.
    """
    for left in reversed(range(_TRIES)):
        if await _look(engine) is _Schema.CURRENT:
            return False
        try:
            async with _alone(), begin_write(engine) as conn:
                return await conn.run_sync(_run)
        except DBAPIError as error:
            if not left or getattr(error.orig, "sqlstate", None) not in _OVERTAKEN:
                raise
        await asyncio.sleep(_PAUSE)
    raise AssertionError  # pragma: no cover - the last try returns or raises


async def require_current(engine: AsyncEngine) -> None:
    """Check that nothing is to be migrated.

    :raises ConfigurationError: something is, or the database is of a newer version.
    """
    schema = await _look(engine)
    if schema is _Schema.MISSING:
        msg = (
            f"there is no bridge in {engine.url.database or 'this database'}; name the database of yours, "
            "or make what a bridge needs in this one with `hitl db upgrade`"
        )
        raise ConfigurationError(msg)
    if schema is _Schema.OLDER:
        msg = (
            "the database is not at the schema this version of hitl-core needs; "
            "run `hitl db upgrade`, once for all processes that use it"
        )
        raise ConfigurationError(msg)


@cache
def scripts() -> ScriptDirectory:
    """Return the migrations there are; read once, since Alembic compiles each of them."""
    return ScriptDirectory.from_config(_config())


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, applied=[])
    return config


@asynccontextmanager
async def _alone() -> AsyncIterator[None]:
    """Keep other tasks of this process out: Alembic's ``op`` and ``context`` are one for all of them."""
    while not _alembic.acquire(blocking=False):  # noqa: ASYNC110 - an Event is one loop's, and others may be waiting
        await asyncio.sleep(_PAUSE)
    try:
        yield
    finally:
        _alembic.release()


async def _look(engine: AsyncEngine) -> _Schema:
    async with begin_read(engine) as conn:
        return await conn.run_sync(_compare)


def _compare(connection: sa.Connection) -> _Schema:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    found, ours = set(context.get_current_heads()), scripts()
    if found == set(ours.get_heads()):
        return _Schema.CURRENT
    if found - {script.revision for script in ours.walk_revisions()}:
        msg = (
            "the database was made by a newer version of hitl-core than this one; "
            "upgrade hitl-core, or point to another database"
        )
        raise ConfigurationError(msg)
    return _Schema.OLDER if found else _Schema.MISSING


def _run(connection: sa.Connection) -> bool:
    if sa.inspect(connection).has_table(VERSION_TABLE):
        # Whoever is migrating holds this row; once it is ours, the work may be done.
        connection.execute(sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE)).with_for_update())
    config = _config(connection)
    command.upgrade(config, "head")
    return bool(config.attributes["applied"])
