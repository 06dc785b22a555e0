"""A tap on the shoulder between processes on PostgreSQL: there is something to do, do not wait for your next look.

``LISTEN``/``NOTIFY`` is only ever a hint. Whoever listens also looks by itself from time to time, so that a hint that
is lost, late or switched off costs a moment and nothing else; on SQLite there are none. Hence nothing here raises,
waits for a database that is away, or retries what it could not send.

A ``NOTIFY`` makes the commit it is in wait for a lock that all of them share, so it is never part of a turn's or an
intake's own transaction: it is sent after the commit, over a connection of its own, for all that was committed within
a few milliseconds at once, and only while another process listens.

What is sent is the tenant's name: neither ids of people nor of conversations.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Protocol, cast

from sqlalchemy.exc import SQLAlchemyError

from hitl_core.bridge.store.base import Store

__all__ = ["Hints"]

logger = logging.getLogger(__name__)

_TOGETHER: Final = 0.005  # seconds; a process sends at most once in each
_LOOK_EVERY: Final = 5.0  # seconds for which it is remembered whether somebody else listens
_PROBE_EVERY: Final = 30.0  # seconds: a server that went without a word is found out then
_PATIENCE: Final = 5.0  # seconds a statement of ours may take
_LONGEST_WAIT: Final = 10.0  # seconds between tries to connect
_LONGEST_NAME: Final = 1000  # bytes; PostgreSQL takes up to 8000
_MARK: Final = 63  # bytes of an application's name that PostgreSQL keeps

_OTHERS: Final = """
    SELECT EXISTS (SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid())
"""


class _Connection(Protocol):
    """What is needed of asyncpg's, which comes without types."""

    def add_termination_listener(self, lost: Callable[[Any], None]) -> None: ...

    async def add_listener(self, channel: str, heard: Callable[[Any, int, str, object], None]) -> None: ...

    async def execute(self, query: str, *args: object, timeout: float) -> str: ...  # noqa: ASYNC109 - theirs

    async def fetchval(self, query: str, *args: object, timeout: float) -> Any: ...  # noqa: ASYNC109 - theirs

    def get_server_pid(self) -> int: ...

    def is_closed(self) -> bool: ...

    def terminate(self) -> None: ...


class Hints:
    """Hints to and from the other processes on a store.

    :param channel: processes on the same channel hear each other.
    :param sleep: waits between tries to connect, and between hints.
    """

    def __init__(
        self, store: Store, channel: str = "hitl", *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._store = store
        self._channel = channel
        self._mark = f"{channel} listener".encode()[:_MARK].decode(errors="ignore")
        self._sleep = sleep
        self._heard: Callable[[str], None] = _nothing
        self._connection: _Connection | None = None
        self._times, self._since = 0, float("-inf")
        self._one_by_one = asyncio.Lock()
        self._listening: asyncio.Task[None] | None = None
        self._sending: asyncio.Task[None] | None = None
        self._tenants: set[str] = set()
        self._others = False
        self._looked_at = float("-inf")

    @property
    def listening(self) -> bool:
        """Whether hints arrive at present."""
        return self._connection is not None

    @property
    def session(self) -> int:
        """Since when every hint arrives, as a number that changes with each connection; 0 while some may be missed.

        They may also be missed in its first seconds: others do not know of a newcomer at once.
        """
        since = self._store.clock.monotonic() - self._since
        return self._times if self._connection is not None and since > _LOOK_EVERY + _PATIENCE else 0

    async def start(self, heard: Callable[[str], None]) -> None:
        """Begin to listen; does nothing on SQLite, where hints are switched off, and the second time.

        It does not wait for the database: it goes on trying to reach it until :meth:`stop`.

        :param heard: called on the event loop with a tenant for which another process has committed something. It
            should return at once, such as by setting an event.
        """
        if not self._store.hints or self._listening is not None:
            return
        self._heard = heard
        self._listening = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """End it; hints that wait to be sent are dropped."""
        tasks = [task for task in (self._sending, self._listening) if task is not None]
        self._sending = self._listening = None
        self._tenants.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def notify(self, tenant: str) -> None:
        """Let the others know that something was committed for a tenant; call it after the commit.

        It returns at once: what is told within a few milliseconds is sent as one.
        """
        if self._connection is None or len(tenant.encode(errors="replace")) > _LONGEST_NAME:
            return
        self._tenants.add(tenant)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())

    # Sending --------------------------------------------------------------------------------------------------

    async def _send(self) -> None:
        """Send what there is at once, and what comes meanwhile a moment later; ends when nothing comes."""
        try:
            while self._tenants:
                tenants, self._tenants = sorted(self._tenants), set()
                await self._send_now(tenants)
                await self._sleep(_TOGETHER)
        finally:
            if self._sending is asyncio.current_task():
                self._sending = None

    async def _send_now(self, tenants: list[str]) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            async with self._one_by_one:
                if await self._others_listen(connection):
                    await connection.execute(
                        "SELECT pg_notify($1, name) FROM unnest($2::text[]) AS name",
                        self._channel,
                        tenants,
                        timeout=_PATIENCE,
                    )
        except Exception as error:  # noqa: BLE001 - a hint is not worth an error, whatever the driver raises
            logger.debug("a hint was not sent (%s)", type(error).__name__)
            connection.terminate()  # which the listener notices

    async def _others_listen(self, connection: _Connection) -> bool:
        now = self._store.clock.monotonic()
        if now - self._looked_at >= _LOOK_EVERY:
            self._others = bool(await connection.fetchval(_OTHERS, self._mark, timeout=_PATIENCE))
            self._looked_at = now
        return self._others

    # Listening ------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen_once()
                failures = 0
            except Exception as error:  # noqa: BLE001 - as above; the drivers raise a whole zoo
                if not failures:
                    logger.info("hints are off until the database can be reached (%s)", type(error).__name__)
                failures += 1
            await self._sleep(min(_LONGEST_WAIT, 0.1 * 2.0 ** min(failures, 10)))

    async def _listen_once(self) -> None:
        """Listen until the connection is lost.

        :raises Exception: there is none to be had.
        """
        connection = await self._connect()
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.execute("SELECT set_config('application_name', $1, false)", self._mark, timeout=_PATIENCE)
            await connection.add_listener(self._channel, self._hear)
            self._connection, self._looked_at = connection, float("-inf")
            self._times, self._since = self._times + 1, self._store.clock.monotonic()
            logger.debug("hints are on")
            while not lost.is_set() and not connection.is_closed():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PROBE_EVERY):
                        await lost.wait()
                if not lost.is_set():
                    async with self._one_by_one:
                        await connection.execute("SELECT 1", timeout=_PATIENCE)
        finally:
            self._connection = None
            connection.terminate()

    async def _connect(self) -> _Connection:
        """Open a connection the way the store does, which is in nobody's pool."""
        pooled = await self._store.engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        if connection is None:
            msg = "the connection was lost again"
            raise SQLAlchemyError(msg)
        return cast("_Connection", connection)

    def _hear(self, connection: _Connection, pid: int, channel: str, tenant: object) -> None:
        if pid == connection.get_server_pid():  # our own
            return
        try:
            self._heard(str(tenant))
        except Exception as error:  # noqa: BLE001 - the driver would only print it
            logger.warning("a hint could not be acted upon (%s)", type(error).__name__)


def _nothing(_tenant: str) -> None:
    """Hear nothing."""
