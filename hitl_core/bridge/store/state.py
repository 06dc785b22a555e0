"""What connections keep, in the bridge's database: encrypted, and one for all replicas."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from uuid import uuid4

import sqlalchemy as sa
from pydantic import JsonValue

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.crypto import keys_of
from hitl_core.bridge.store.tables import connection_state, locks
from hitl_core.errors import StoreError
from hitl_core.state import Versioned

__all__ = ["StoreState"]

_log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 0.05  # seconds
_LONGEST_PAUSE: Final = 0.5


class StoreState:
    """The state of one connection (:class:`~hitl_core.state.ConnectionState`).

    :param connection: its whole key, ``"tenant/alias"``.
    :param lease: seconds after which the lock of a process that died is free. A living holder renews it; one that was
        stopped for longer may find itself inside together with another, and is told apart by ``put``.
    :raises ConfigurationError: the store has no key, or one that is none.
    """

    def __init__(self, store: Store, tenant: str, connection: str, *, lease: float = 30.0) -> None:
        self._store = store
        self._tenant = tenant
        self._connection = connection
        self._lease = timedelta(seconds=lease)
        self._keys = keys_of(store)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    # Values ---------------------------------------------------------------------------------------------------

    async def get(self, key: str) -> Versioned | None:
        """Return the value under ``key``, or ``None``.

        :raises StoreError: the database is lost, or the value is not encrypted with one of our keys.
        """
        table = connection_state
        async with self._store.read() as conn:
            row = (await conn.execute(sa.select(table.c.value, table.c.version).where(self._at(key)))).one_or_none()
        if row is None:
            return None
        return Versioned(json.loads(self._keys.decrypt(row.value, self._place(key))), row.version)

    async def put(self, key: str, value: JsonValue, expect: int | None) -> Versioned | None:
        """Replace the value if its version is still ``expect``.

        :raises StoreError: the database is lost.
        """
        table = connection_state
        version = (expect or 0) + 1
        new = {"version": version, "value": self._keys.encrypt(json.dumps(value).encode(), self._place(key))}
        statement: sa.Executable
        if expect is None:
            where = {"tenant": self._tenant, "connection": self._connection, "key": key}
            statement = (
                self._store.insert(table).values(where | new).on_conflict_do_nothing().returning(table.c.version)
            )
        else:
            statement = (
                sa.update(table).where(self._at(key), table.c.version == expect).values(new).returning(table.c.version)
            )
        async with self._store.write() as conn:
            stored = (await conn.execute(statement)).one_or_none()
        return Versioned(value, version) if stored is not None else None

    async def delete(self, key: str) -> None:
        """Forget ``key``.

        :raises StoreError: the database is lost.
        """
        async with self._store.write() as conn:
            await conn.execute(sa.delete(connection_state).where(self._at(key)))

    def _at(self, key: str) -> sa.ColumnElement[bool]:
        table = connection_state
        return sa.and_(table.c.tenant == self._tenant, table.c.connection == self._connection, table.c.key == key)

    def _place(self, key: str) -> tuple[str, ...]:
        return ("state", self._tenant, self._connection, key)

    # Locks ----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """Keep the other tasks and replicas out; the tasks of this process go in the order they came.

        :raises StoreError: the database is lost.
        """
        async with self._turns[name]:
            holder = uuid4().hex
            renewing: asyncio.Task[None] | None = None
            try:
                await self._acquire(name, holder)
                renewing = asyncio.create_task(self._renew(name, holder))
                yield
            finally:
                # However it ended, also by a cancellation between the commit and our knowing of it.
                await asyncio.shield(self._release(name, holder, renewing))

    async def _acquire(self, name: str, holder: str) -> None:
        pause = _FIRST_PAUSE
        while not await self._try(name, holder):
            await self._store.clock.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _try(self, name: str, holder: str) -> bool:
        async with self._store.write() as conn:
            now = await self._store.now(conn)
            mine = {"holder": holder, "until": now + self._lease}
            row = {"tenant": self._tenant, "connection": self._connection, "name": name}
            taken = await conn.execute(
                self._store.insert(locks)
                .values(row | mine)
                .on_conflict_do_update(index_elements=list(row), set_=mine, where=locks.c.until <= now)
                .returning(locks.c.holder)
            )
            return taken.one_or_none() is not None

    async def _renew(self, name: str, holder: str) -> None:
        while True:
            await self._store.clock.sleep(self._lease.total_seconds() / 3)
            try:
                async with self._store.write() as conn:
                    until = await self._store.now(conn) + self._lease
                    kept = await conn.execute(sa.update(locks).where(self._held(name, holder)).values(until=until))
            except StoreError as error:
                _log.warning("the lock %s of %s could not be renewed: %s", name, self._connection, error)
                continue
            if kept.rowcount == 0:
                # Stopping what is under way would lose its result, such as a token that has just been renewed.
                _log.warning("the lock %s of %s ran out while it was held", name, self._connection)
                return

    async def _release(self, name: str, holder: str, renewing: asyncio.Task[None] | None) -> None:
        if renewing is not None:
            renewing.cancel()
            await asyncio.wait([renewing])
        try:
            async with self._store.write() as conn:
                await conn.execute(sa.delete(locks).where(self._held(name, holder)))
        except StoreError as error:
            _log.warning("the lock %s of %s stays until it runs out: %s", name, self._connection, error)

    def _held(self, name: str, holder: str) -> sa.ColumnElement[bool]:
        return sa.and_(
            locks.c.tenant == self._tenant,
            locks.c.connection == self._connection,
            locks.c.name == name,
            locks.c.holder == holder,
        )
