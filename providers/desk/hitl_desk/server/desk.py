"""A desk at work: its database, its event log, and what runs beside the requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Self
from weakref import WeakValueDictionary

import sqlalchemy as sa
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hitl_core.clock import Clock, SystemClock
from hitl_core.database import begin_read, begin_write, create_engine
from hitl_core.errors import ConfigurationError, HitlError
from hitl_core.eventlog import (
    DeliveryPolicy,
    EventLog,
    GuardedSender,
    Sender,
    WebhookDispatcher,
    Webhooks,
    close_on_signals,
)
from hitl_core.netguard import AddressPolicy
from hitl_desk.server import housekeeping, tables
from hitl_desk.server.limiter import RateLimiter
from hitl_desk.server.migrate import require_current, upgrade
from hitl_desk.server.passwords import Passwords
from hitl_desk.server.presence import Presence
from hitl_desk.server.receipts import Receipts
from hitl_desk.server.settings import ServerSettings
from hitl_desk.server.unit import Unit

__all__ = ["Desk"]

logger = logging.getLogger(__name__)


class Desk:
    """Everything one desk holds; the application's routes find it at ``app.state.desk``.

        async with desk:            # the whole service: deliveries, housekeeping, streams
            ...
        async with desk.storage():  # the database alone, for the command line
            ...

    :param clock: time for everything, to be injected in tests.
    :param sender: carries webhooks; one that refuses private addresses unless the settings allow them, when left out.
    :param policy: how often and how long deliveries are tried.
    :param passwords: hashes them, at another cost than the recommended one.
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        clock: Clock | None = None,
        sender: Sender | None = None,
        policy: DeliveryPolicy | None = None,
        passwords: Passwords | None = None,
    ) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        addresses = AddressPolicy(allow=frozenset(settings.allow_private_webhooks))
        secret = settings.prepare()
        self.cookies = URLSafeTimedSerializer(secret, salt="hitl-desk.cookie")
        self.engine: AsyncEngine = create_engine(settings.database)
        # Without a clock given, PostgreSQL's own judges leases, so that machines agree.
        self.log = EventLog(self.engine, tables.events, clock=clock, max_data_bytes=1024 * 1024)
        self.webhooks = Webhooks(self.log, policy=addresses)
        self.receipts = Receipts(self.log)
        self.presence = Presence(self)
        self.passwords = passwords or Passwords()
        self.logins_by_email = RateLimiter(self.clock, settings.login_attempts_per_email, settings.login_window)
        self.logins_by_address = RateLimiter(self.clock, settings.login_attempts_per_address, settings.login_window)
        self.turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        """Locks of the idempotency keys with a request under way in this process; gone when nobody holds them."""
        self._sender = sender
        self._addresses = addresses
        self._policy = policy
        self._stack: AsyncExitStack | None = None

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Unit]:
        """Open a unit of work; what it tells is in the log when it commits, and whoever waits is woken then."""
        async with begin_write(self.engine) as conn:
            unit = Unit(conn, self.log, self.clock.now())
            yield unit
            streams = await unit.finish()
        if streams:
            self.log.notify(*streams)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that only reads."""
        async with begin_read(self.engine) as conn:
            yield conn

    @asynccontextmanager
    async def storage(self) -> AsyncIterator[Self]:
        """Open the database, brought up to date on SQLite, and close it at the end.

        :raises ConfigurationError: when it cannot be opened, or is on PostgreSQL and not up to date;
            :func:`~hitl_desk.server.admin.migrate` brings it there.
        """
        try:
            await self._open()
            yield self
        finally:
            await self.engine.dispose()

    async def _open(self) -> None:
        try:
            if self.engine.dialect.name == "sqlite":
                await upgrade(self.engine)
            else:
                await require_current(self.engine)
        except HitlError:
            raise
        except Exception as error:  # each driver has its own ways to fail
            reason = getattr(error, "orig", None) or error
            msg = f"the desk's database cannot be opened ({type(reason).__name__}: {reason}); is the URL right?"
            raise ConfigurationError(msg) from error

    async def ready(self) -> bool:
        """Whether the database answers."""
        try:
            async with self.read() as conn:
                await conn.execute(sa.select(1))
        except (SQLAlchemyError, HitlError, OSError):
            return False
        return True

    async def __aenter__(self) -> Self:
        """Open the database and start delivering; streams end as soon as the process is asked to stop."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.storage())
            sender = self._sender
            if sender is None:
                sender = await stack.enter_async_context(GuardedSender(self._addresses))
            dispatcher = WebhookDispatcher(self.log, self.receipts.noting(sender), policy=self._policy)
            await stack.enter_async_context(dispatcher)
            await stack.enter_async_context(self._housekeeping())
            await stack.enter_async_context(close_on_signals(self.log))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop: streams first, then deliveries, then the database."""
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()

    @asynccontextmanager
    async def _housekeeping(self) -> AsyncIterator[None]:
        async def keep() -> None:
            while True:
                await self.clock.sleep(600)
                try:
                    await housekeeping.sweep(self)
                except (SQLAlchemyError, HitlError, OSError) as error:
                    logger.warning("housekeeping failed (%s); trying again later", type(error).__name__)

        task = asyncio.create_task(keep())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
