"""The SQL engines the framework runs on: SQLite embedded, PostgreSQL for many machines.

Both are opened the one way that keeps what was accepted:

* SQLite: write-ahead log, ``synchronous=FULL`` (a commit survives a power cut), foreign keys on, ``secure_delete``
  (what is deleted is overwritten: it may be what a customer wants forgotten), and every transaction that may write
  starts with ``BEGIN IMMEDIATE``. A transaction that begins reading and writes later fails at once when another
  writer was faster, whatever the busy timeout says; starting as a writer waits instead.
* PostgreSQL: ``idle_in_transaction_session_timeout``, so that a stopped process does not hold its row locks for ever.

Statements' parameters never appear in errors or logs: they are customers' words.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, DateTime, Dialect, Engine, Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.types import TypeDecorator
from sqlalchemy.util import await_only

from hitl_core.errors import ConfigurationError, StoreError
from hitl_core.sqlite_inline import DRIVER, is_busy

__all__ = ["UtcDateTime", "begin_read", "begin_write", "create_engine", "insert"]

_DRIVERS = {
    "sqlite": DRIVER,
    DRIVER: DRIVER,
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
_UNREADABLE = "the database URL cannot be read; write sqlite:///file.db or postgresql://user@host/name"
_BEGIN = "hitl_begin"
_OPTIONS = frozenset({
    "command_timeout", "database", "direct_tls", "gsslib", "host", "krbsrvname", "passfile", "password", "port",
    "prepared_statement_cache_size", "service", "servicefile", "ssl", "target_session_attrs", "user",
})  # fmt: skip
_PORTS = 65_536
_WAL_TRIES = 500
_WAL_PAUSE = 0.02  # seconds
_EXTRAS = {"sqlite": "bridge", "postgresql": "postgres"}

_busy_timeouts: WeakKeyDictionary[Engine, float] = WeakKeyDictionary()
_writers: WeakKeyDictionary[Engine, tuple[asyncio.AbstractEventLoop, asyncio.Lock]] = WeakKeyDictionary()


class UtcDateTime(TypeDecorator[datetime]):
    """An aware point in time, stored in UTC with microseconds and read back in UTC.

    SQLite has no time zones: there the column holds UTC text, which also sorts and compares as time.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Use the zone-aware column type where the database has one."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name != "sqlite"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware time into the stored form.

        :raises ValueError: for a naive time, whose meaning would depend on the machine.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored; use datetime.now(UTC)")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn the stored form into an aware time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def create_engine(
    url: str | URL,
    *,
    busy_timeout: float = 10.0,
    idle_in_transaction_timeout: float = 30.0,
    pool_size: int = 10,
) -> AsyncEngine:
    """Open an engine by URL: ``sqlite:///desk.db`` or ``postgresql://user@host/name``.

    :param busy_timeout: seconds a writer waits for another one before it gives up; SQLite only.
    :param idle_in_transaction_timeout: seconds after which PostgreSQL ends a transaction whose client went silent.
    :param pool_size: connections at a time, which are kept open.
    :raises ConfigurationError: for another database, a database in memory, or a driver that is not installed.
    """
    try:
        parsed = make_url(url)
        port = parsed.port
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise ConfigurationError(_UNREADABLE) from None
    if port is not None and not 0 < port < _PORTS:
        raise ConfigurationError(f"the database URL names port {port}, which cannot be; PostgreSQL's own is 5432")
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise ConfigurationError(
            f"no engine for {parsed.drivername!r}; use sqlite:///file.db or postgresql://user@host/name"
        )
    parsed = parsed.set(drivername=driver)
    backend = parsed.get_backend_name()
    # None beyond those: one that is opened for a moment and closed again costs more than waiting for another's.
    options: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 0, "hide_parameters": True}
    if backend == "sqlite":
        if parsed.database in {None, "", ":memory:"} or "mode" in parsed.query:
            raise ConfigurationError(
                "a SQLite database in memory cannot serve several tasks at once; name a file: sqlite:///file.db"
            )
        options["connect_args"] = {"timeout": busy_timeout}
    else:
        options["pool_pre_ping"] = True
        options["connect_args"] = {
            "server_settings": {
                "application_name": "hitl",
                "idle_in_transaction_session_timeout": str(round(idle_in_transaction_timeout * 1000)),
            }
        }
        parsed = _with_known_options(parsed)
    try:
        engine = create_async_engine(parsed, **options)
    except (ArgumentError, ValueError):  # an option of the URL's that is none
        raise ConfigurationError(_UNREADABLE) from None
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} is not installed; run: pip install 'hitl-core[{_EXTRAS[backend]}]'"
        ) from error
    if backend == "sqlite":
        _busy_timeouts[engine.sync_engine] = busy_timeout
        event.listen(engine.sync_engine, "connect", _open_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _with_known_options(url: URL) -> URL:
    """Return a URL of PostgreSQL's with its options as the driver calls them.

    :raises ConfigurationError: there is one that it does not know.
    """
    query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}
    if unknown := sorted(query.keys() - _OPTIONS):
        raise ConfigurationError(
            f"the database URL has an option {unknown[0]!r} that is not known; there are {', '.join(sorted(_OPTIONS))}"
        )
    return url.set(query=query)


def _open_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own habit of opening transactions late is what BEGIN IMMEDIATE replaces.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        for _ in range(_WAL_TRIES):
            if _uses_wal(cursor):
                break
            await_only(asyncio.sleep(_WAL_PAUSE))
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA secure_delete=ON")
    finally:
        cursor.close()


def _uses_wal(cursor: Any) -> bool:
    """Switch a new file to write-ahead logging; ``False`` when somebody else has it open for the same purpose.

    Unlike a transaction, the switch does not wait for the file by itself.
    """
    cursor.execute("PRAGMA journal_mode")
    if cursor.fetchone() == ("wal",):
        return True
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if not is_busy(error):
            raise
        return False
    return True


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN IMMEDIATE"))


@asynccontextmanager
async def begin_write(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that may write; it commits at the end of the block and rolls back on an exception.

    On SQLite the process's writers take turns here, so that they wait in order instead of polling for the file's
    lock. Do not open a second one inside the block: SQLite has one writer, and the second would wait for itself.

    :raises StoreError: when another writer held the database longer than the engine's busy timeout.
    """
    if engine.dialect.name != "sqlite":
        async with engine.begin() as connection:
            yield connection
        return
    lock = _writer_lock(engine)
    patience = _busy_timeouts.get(engine.sync_engine, 10.0)
    try:
        async with asyncio.timeout(patience):
            await lock.acquire()
    except TimeoutError:
        raise _locked(patience) from None
    try:
        async with engine.connect() as connection:
            try:
                await connection.begin()
            except OperationalError as error:
                if "locked" in str(error.orig):
                    raise _locked(patience) from None
                raise
            yield connection
            await connection.commit()
    finally:
        lock.release()


def _writer_lock(engine: AsyncEngine) -> asyncio.Lock:
    """Return the lock of an engine's writers; another event loop has one of its own, since a lock is one loop's."""
    loop = asyncio.get_running_loop()
    known = _writers.get(engine.sync_engine)
    if known is None or known[0] is not loop:
        known = _writers[engine.sync_engine] = (loop, asyncio.Lock())
    return known[1]


def _locked(patience: float) -> StoreError:
    return StoreError(
        f"another writer held the SQLite database for more than {patience:g} s; "
        "look for a long or nested write transaction, or move to PostgreSQL"
    )


@asynccontextmanager
async def begin_read(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that only reads, from one consistent snapshot, and waits for no writer."""
    async with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            reading = await connection.execution_options(**{_BEGIN: "BEGIN"})
        else:
            reading = await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        await reading.begin()
        yield reading
        await reading.rollback()  # there is nothing to commit, which on SQLite would go through a thread


def insert(connection: AsyncConnection | AsyncEngine, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an ``INSERT`` of the connection's dialect, which has ``on_conflict_do_update`` and ``_nothing``."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
