"""The store: one database, opened the one way that keeps what was accepted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hitl_core.bridge.store.telling import is_lost, told, trouble
from hitl_core.clock import Clock, SystemClock
from hitl_core.database import UtcDateTime, begin_read, begin_write, create_engine, insert
from hitl_core.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from hitl_core.bridge.store.budget import StoreBudget
    from hitl_core.bridge.store.state import StoreState

__all__ = ["Account", "RefusedError", "Store"]

_SCRUB_TRIES: Final = 10
_SCRUB_PAUSE: Final = 0.05  # seconds


class RefusedError(StoreError):
    """The database is there, and refuses what it was given: it may well take something else."""


class Account(TypedDict):
    """What a connection keeps in a store: arguments of :func:`hitl_core.connect`."""

    alias: str
    tenant: str
    state: StoreState
    budget: StoreBudget


class Store:
    """A database of hand-offs; use it with ``async with``, or let :class:`~hitl_core.bridge.Bridge` open it.

    :param url: ``sqlite:///hitl.db`` or ``postgresql://user@host/name``. SQLite needs no set-up and serves one server
        at a time, with commands beside it; PostgreSQL serves many.
    :param key: base64 text, or several of them while rotating, that what connections keep is encrypted with. For
        SQLite one is made beside the file when left out.
    :param clock: the source of time.
    :param hints: use ``LISTEN``/``NOTIFY`` on PostgreSQL to be quicker; everything works without.
    :param idle_in_transaction_timeout: seconds after which PostgreSQL ends a transaction whose process was stopped in
        it: until then its conversations wait.
    :raises ConfigurationError: for another database, or a driver that is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | tuple[str, ...] | None = None,
        clock: Clock | None = None,
        hints: bool = True,
        pool_size: int = 8,
        idle_in_transaction_timeout: float = 5.0,
    ) -> None:
        self.engine: AsyncEngine = create_engine(
            url, pool_size=pool_size, idle_in_transaction_timeout=idle_in_transaction_timeout
        )
        self.clock: Clock = clock or SystemClock()
        self.hints = hints and self.engine.dialect.name != "sqlite"
        self.keys: tuple[str, ...] = (key,) if isinstance(key, str) else tuple(key or ())
        self._opened = False

    def __repr__(self) -> str:
        return f"<Store on {self.engine.url.get_backend_name()}>"  # the URL may hold a password

    # Life -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open it."""
        try:
            await self.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    async def open(self, *, migrate: bool | None = None) -> None:
        """Make sure of the schema; a second call does nothing.

        :param migrate: bring the schema up to date; left out, SQLite is migrated and PostgreSQL is only checked, since
            there other replicas of another version may be at work.
        :raises StoreError: the database cannot be reached.
        :raises ConfigurationError: its schema is of another version, or its file cannot be one.
        """
        from hitl_core.bridge.store.migrate import require_current, upgrade  # Alembic takes its time

        if self._opened:
            return
        if self.path is not None and (wrong := trouble(self.path)):
            raise ConfigurationError(wrong)
        try:
            async with self._errors():
                if migrate if migrate is not None else self.is_sqlite:
                    await upgrade(self.engine)
                await require_current(self.engine)
        except RefusedError as error:  # what was given it was ours: nobody can give it something else
            raise StoreError(str(error)) from error.__cause__
        self._opened = True

    async def close(self) -> None:
        """Let its connections go."""
        self._opened = False
        await self.engine.dispose()

    # Facts ----------------------------------------------------------------------------------------------------

    @property
    def is_sqlite(self) -> bool:
        """Whether it is one file, with one worker at a time."""
        return self.engine.dialect.name == "sqlite"

    @property
    def path(self) -> Path | None:
        """The file, on SQLite."""
        database = make_url(self.engine.url).database
        return Path(database) if self.is_sqlite and database else None

    def account(self, alias: str, *, tenant: str = "default") -> Account:
        """Return what a connection keeps here, for :func:`hitl_core.connect`.

            hitl.connect("zendesk", **store.account("zendesk"), subdomain=...)

        Tokens that rotate and secrets that were issued are kept encrypted, and the account's rate limit is shared with
        all who use the store.

        :raises ConfigurationError: PostgreSQL, and no key to encrypt with.
        """
        from hitl_core.bridge.store.budget import StoreBudget
        from hitl_core.bridge.store.state import StoreState

        key = f"{tenant}/{alias}"
        return Account(
            alias=alias, tenant=tenant, state=StoreState(self, tenant, key), budget=StoreBudget(self, tenant, key)
        )

    def insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """Return an ``INSERT`` that knows what to do on a conflict."""
        return insert(self.engine, table)

    async def now(self, conn: AsyncConnection) -> datetime:
        """Return the time by the clock that judges leases: the database's own, where several machines share it."""
        if self.is_sqlite:
            return self.clock.now()
        moment: datetime = (
            await conn.execute(sa.select(sa.type_coerce(sa.func.clock_timestamp(), UtcDateTime())))
        ).scalar_one()
        return moment

    # Transactions ---------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that may write; it commits at the end of the block, or not at all.

        :raises StoreError: the database is lost, full, locked or read-only; nothing was written, or, when it was lost
            in the act of committing, it cannot be told: every write of ours may be repeated.
        """
        async with self._errors(), begin_write(self.engine) as conn:
            yield conn

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that only reads.

        :raises StoreError: the database is lost.
        """
        async with self._errors(), begin_read(self.engine) as conn:
            yield conn

    async def scrub(self) -> bool:
        """Empty SQLite's write-ahead log, where what was deleted stays until it is written over.

        :returns: whether it is empty; it is not when somebody else reads or writes all the time.
        :raises StoreError: the database is lost.
        """
        if not self.is_sqlite:
            return True
        async with self._errors(), self.engine.connect() as conn:
            driver: Any = (await conn.get_raw_connection()).driver_connection  # a checkpoint is none of a transaction's
            (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
            driver.execute("PRAGMA busy_timeout=0")  # it would be waited for in the event loop
            try:
                for left in reversed(range(_SCRUB_TRIES)):
                    (busy, _, _) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                    if not busy:
                        return True
                    if left:
                        await asyncio.sleep(_SCRUB_PAUSE)
            finally:
                driver.execute(f"PRAGMA busy_timeout={int(patience)}")
        return False

    @asynccontextmanager
    async def _errors(self) -> AsyncIterator[None]:
        try:
            yield
        except (TimeoutError, OSError, SQLAlchemyError) as error:
            cls = StoreError if is_lost(error, sqlite=self.is_sqlite) else RefusedError
            raise cls(told(error, self.engine.url)) from error
