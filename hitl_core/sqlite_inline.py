"""SQLite for an event loop: statements run in place, only what waits for the disk or for another process leaves it.

A statement of SQLite's takes some microseconds, a hand-over to a thread and back a multiple of that; a transaction of
ten statements is mostly hand-overs. Here statements run where they are, ``COMMIT`` (which waits for the disk) and a
``BEGIN IMMEDIATE`` that finds the file locked (which waits for another process) run in a thread.

There is another gain: between ``BEGIN`` and ``COMMIT`` nothing gives way to the event loop, so that a task that is
cancelled cannot leave a transaction open in a thread that nobody waits for. A ``COMMIT`` under way is waited for.

Registered with SQLAlchemy as ``sqlite+inline``.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, Final

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.pool import AsyncAdaptedQueuePool, Pool
from sqlalchemy.util import await_only

__all__ = ["DRIVER", "InlineSQLite", "is_busy"]

DRIVER: Final = "sqlite+inline"

_THREADS: Final = 4
_BEGIN: Final = "BEGIN IMMEDIATE"


class _Cursor(sqlite3.Cursor):
    async def _async_soft_close(self) -> None:
        """Nothing: rows are fetched by the time anybody could wait for them."""


class _Connection(sqlite3.Connection):
    def cursor(self, *_: Any) -> _Cursor:  # type: ignore[override]  # SQLAlchemy asks for the plain one only
        return super().cursor(_Cursor)


class InlineSQLite(SQLiteDialect_pysqlite):
    """Python's own SQLite driver, behind SQLAlchemy's asyncio extension."""

    driver = "inline"
    is_async = True
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, url: URL) -> type[Pool]:
        """Return a pool that waits on the event loop."""
        del url
        return AsyncAdaptedQueuePool

    def create_connect_args(self, url: URL) -> Any:
        """Say how a connection is made."""
        args, options = super().create_connect_args(url)
        # Used by one task at a time, and by a thread only while that task waits for it.
        return args, {**options, "factory": _Connection, "check_same_thread": False}

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Run a statement."""
        del context
        if statement == _BEGIN:
            _begin(cursor)
        else:
            cursor.execute(statement, parameters)
        await_only(_nothing())

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Run a statement for each of some rows."""
        del context
        cursor.executemany(statement, parameters)
        await_only(_nothing())

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> None:
        """Run a statement that has no parameters."""
        self.do_execute(cursor, statement, (), context)

    def do_commit(self, dbapi_connection: Any) -> None:
        """Commit; whoever is cancelled meanwhile learns it afterwards."""
        if dbapi_connection.in_transaction:
            await_only(_in_thread(dbapi_connection.commit))


async def _nothing() -> None:
    """Satisfy SQLAlchemy, which takes a driver that never waits for one that is not made for this."""


def _begin(cursor: sqlite3.Cursor) -> None:
    """Begin to write: at once, or, when another process is writing, in a thread that waits for it."""
    (patience,) = cursor.execute("PRAGMA busy_timeout").fetchone()
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        cursor.execute(_BEGIN)
    except sqlite3.OperationalError as error:
        if not is_busy(error):
            raise
    else:
        return
    finally:
        cursor.execute(f"PRAGMA busy_timeout={int(patience)}")
    await_only(_in_thread(partial(cursor.execute, _BEGIN)))


def is_busy(error: sqlite3.OperationalError) -> bool:
    """Whether another connection has the file."""
    # The extended codes have the plain one in their lowest byte.
    return (error.sqlite_errorcode & 0xFF) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


async def _in_thread(work: Callable[[], object]) -> None:
    """Do what waits in a thread, to its end, even when this task is cancelled: nobody else may use the connection."""
    doing = asyncio.get_running_loop().run_in_executor(_threads(), work)
    cancelled: asyncio.CancelledError | None = None
    while not doing.done():
        try:
            await asyncio.shield(doing)
        except asyncio.CancelledError as error:
            cancelled = error
        except BaseException:  # noqa: BLE001 - raised below, once it is certain that nobody was cancelled
            break
    if cancelled is not None:
        raise cancelled
    doing.result()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="hitl-sqlite")


registry.register("sqlite.inline", __name__, InlineSQLite.__name__)
