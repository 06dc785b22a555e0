"""A store whose every statement is a step of its own, and which can die between any two.

The file, its transactions and its log are real. When the process dies its connections are closed, as the system would
close them: what was not committed is gone. One engine serves all files one after the other, so that each statement is
made once.
"""

import asyncio
import sqlite3

from sqlalchemy import event, exc
from sqlalchemy.util import await_only

from hitl_core.bridge.store.base import Store
from hitl_core.database import create_engine

KEY = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="


class Disk:
    """The disk of a machine that runs one process at a time.

    :ivar path: the file.
    :ivar dead: the process has died; nothing is read or written until the next one begins.
    :ivar skip: how many statements succeed before some fail.
    :ivar left: how many fail.
    :ivar unheard: whether the next commit takes effect although an error is told.
    """

    def __init__(self, directory):
        self.path = directory / "hitl.db"
        self.dead = False
        self.mend()
        self.engine = create_engine(f"sqlite:///{self.path}")
        self._connections = []
        engine = self.engine.sync_engine
        event.listen(engine, "connect", self._connect)
        event.listen(engine, "do_execute", self._statement)
        event.listen(engine, "do_executemany", self._statement)
        event.listen(engine, "commit", self._commit)

    def mend(self):
        """Let nothing fail any more."""
        self.skip = self.left = 0
        self.unheard = False

    def die(self):
        """Close every connection as it is."""
        self.dead = True
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def wipe(self):
        """Remove the file, with its log."""
        for path in self.path.parent.iterdir():
            path.unlink()

    # What happens to statements -------------------------------------------------------------------------------

    def _connect(self, connection, _):
        connection.execute("PRAGMA synchronous=OFF")  # no power is cut here, and waiting for a disk shows nothing
        self._connections.append(connection)
        if self.dead:
            self.die()

    def _statement(self, *_):
        await_only(asyncio.sleep(0))
        if not self.left:
            return
        if self.skip:
            self.skip -= 1
            return
        self.left -= 1
        raise sqlite3.OperationalError("database or disk is full")

    def _commit(self, connection):
        try:
            self._statement()
        except sqlite3.Error as error:
            connection.connection.dbapi_connection.rollback()  # as SQLite does when a commit fails
            raise exc.OperationalError("COMMIT", None, error) from error

    def committed(self):
        """Fail after a commit that took effect, if that is meant."""
        if self.unheard:
            self.unheard = False
            raise sqlite3.OperationalError("disk I/O error")


class DiskStore(Store):
    """The store of one process on a disk."""

    def __init__(self, disk, *, clock):
        super().__init__(f"sqlite:///{disk.path}", clock=clock, key=KEY)
        self.engine = disk.engine
        self.disk = disk

    @property
    def dead(self):
        """Whether its process has died."""
        return self.disk.dead
