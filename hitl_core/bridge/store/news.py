"""Whether another process may have written: asked often, since looking at everything costs far more."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.hints import Hints

__all__ = ["News"]


class News:
    """What is known about other processes on a store without looking at its tables.

    On SQLite the file itself tells (``PRAGMA data_version``); on PostgreSQL whoever writes gives a hint, and as long as
    hints arrive there is nothing else to be asked; what was told while they did not is news once they do again.
    """

    def __init__(self, store: Store, hints: Hints) -> None:
        self._store = store
        self._hints = hints
        self._connection: Any = None
        self._version: int | None = None
        self._session = 0

    async def any(self) -> bool:
        """Whether there may be something since the last time; ``True`` where nothing can be known."""
        if not self._store.is_sqlite:
            session, self._session = self._session, self._hints.session
            return not session or self._session != session
        try:
            version = await self._data_version()
        except (SQLAlchemyError, sqlite3.Error):
            self.close()
            return True
        known, self._version = self._version, version
        return version != known

    async def _data_version(self) -> int:
        # A connection of its own: what it has not written itself, ours or another's, changes the number it is told.
        if self._connection is None:
            pooled = await self._store.engine.raw_connection()
            self._connection = pooled.driver_connection
            pooled.detach()
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def close(self) -> None:
        """Give the connection back to the machine."""
        connection, self._connection, self._version = self._connection, None, None
        if connection is not None:
            connection.close()
