"""What every part of a bridge stands on: what it is made of, and its life."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self

from hitl_core.bridge.engine.directory import StoreDirectory
from hitl_core.bridge.engine.driver import Driver
from hitl_core.bridge.engine.intake import Intake
from hitl_core.bridge.engine.jobs import DeskJobs, HostJobs
from hitl_core.bridge.engine.lookups import Lookups
from hitl_core.bridge.engine.turns import Attempts
from hitl_core.bridge.engine.waiters import Waiters
from hitl_core.bridge.engine.worker import Worker
from hitl_core.bridge.host import Host, Notice
from hitl_core.bridge.policy import Policy, Route, Routing
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.hints import Hints
from hitl_core.bridge.store.inbox import Inbox
from hitl_core.bridge.store.slots import Slots
from hitl_core.connection import Connection
from hitl_core.errors import ConfigurationError
from hitl_core.events import AgentTyping

__all__ = ["BridgeBase"]

logger = logging.getLogger(__name__)


class BridgeBase:
    """The parts of a bridge; see :class:`~hitl_core.bridge.Bridge`."""

    def __init__(
        self,
        connections: Connection | Mapping[str, Connection],
        host: Host,
        store: Store | str,
        policy: Policy | None = None,
        *,
        routing: Routing | Sequence[Route] = (),
        tenant: str = "default",
        work: bool = True,
        drive: bool = True,
        reconcile_seconds: float | None = 300.0,
        poll_seconds: float = 1.0,
        lease_seconds: float = 10.0,
        start_patience: float = 30.0,
        concurrency: int = 64,
    ) -> None:
        named = {connections.alias: connections} if isinstance(connections, Connection) else dict(connections)
        self._connections = _of_tenant(named, tenant)
        self._names = {connection.key: name for name, connection in self._connections.items()}
        self._by_key = {connection.key: connection for connection in self._connections.values()}
        self._host = host
        self._own_store = isinstance(store, str)
        self.store = Store(store) if isinstance(store, str) else store
        self.policy = policy or Policy()
        self.tenant = tenant
        self._routing = _routing(routing, tuple(self._connections))
        self._waiters = Waiters()
        self._inbox = Inbox(self.store, tenant)
        self._lookups = Lookups(self.store, tenant)
        worker = Worker(
            self.store,
            tenant,
            attempts_of=partial(
                self._attempts,
                concurrency=concurrency,
                start_patience=start_patience,
                lease_seconds=lease_seconds,
            ),
            policy=self.policy,
            lease=lease_seconds,
            listener=self._waiters.committed,
        )
        self._intake = Intake(
            self.store,
            self._inbox,
            tenant,
            self._by_key,
            worker=worker.id,
            live=worker.live,
            touched=self._touched,
            typing=self._typing,
            reconcile_seconds=reconcile_seconds,
        )
        worker.intake = self._intake
        self._driver = Driver(
            self.store,
            tenant,
            worker=worker,
            intake=self._intake,
            inbox=self._inbox,
            hints=Hints(self.store),
            work=work,
            drive=drive,
            poll_seconds=poll_seconds,
        )

    def _touched(self, ids: Iterable[str]) -> None:
        self._driver.touched(ids)

    def _attempts(
        self,
        worker: str,
        lease_ends: Callable[[], datetime | None],
        *,
        concurrency: int,
        start_patience: float,
        lease_seconds: float,
    ) -> Attempts:
        directory = StoreDirectory(self.store, self.tenant, worker, lease=lease_seconds)
        clock = self.store.clock
        desks = {
            key: DeskJobs(connection, directory=directory, clock=clock, start_patience=start_patience)
            for key, connection in self._by_key.items()
        }
        host = HostJobs(self._host, directory=directory, clock=clock)
        # On SQLite there is one worker, which keeps to the cap by itself.
        shared = () if self.store.is_sqlite else self._by_key
        slots = {key: Slots(self.store, self.tenant, key, concurrency, worker, lease=lease_seconds) for key in shared}
        return Attempts(desks, host, clock=clock, cap=concurrency, slots=slots, lease_ends=lease_ends)

    # Life -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open the store and go on with what is to be done, whoever began it.

        :raises StoreError: the database cannot be reached, or another server works on this SQLite file.
        :raises ConfigurationError: its schema is of another version.
        """
        try:
            await self.store.open()
            await self._driver.start()
        except BaseException:
            if self._own_store:
                await self.store.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it; what is not done by then is done by whoever opens the store next."""
        await self.aclose()

    async def aclose(self, *, grace: float = 5.0) -> None:
        """Take nothing new up, give what is under way ``grace`` seconds, and leave the rest for the next worker."""
        await self._driver.stop(grace)
        if self._own_store:
            await self.store.close()

    async def settle(self) -> None:
        """Do all that can be done now, and return; what waits for its time goes on waiting. For tests.

        :raises StoreError: the database is lost.
        """
        await self._driver.settle()

    async def _typing(self, conversation_id: str, handoff_id: str, event: AgentTyping) -> None:
        """Show an agent's typing, past all lanes; best effort."""
        notice = Notice(conversation_id=conversation_id, handoff_id=handoff_id, event=event)
        try:
            await self._host.notify(notice, key=event.event_id)
        except Exception as error:  # noqa: BLE001 - the host is somebody else's code
            logger.debug("the host did not take a typing event (%s)", type(error).__name__)

    def _connection(self, name: str) -> Connection:
        found = self._connections.get(name) or self._by_key.get(name)
        if found is None:
            known = ", ".join(self._connections)
            msg = f"unknown connection {name!r}; known: {known}"
            raise ConfigurationError(msg)
        return found


def _of_tenant(named: Mapping[str, Connection], tenant: str) -> dict[str, Connection]:
    if not named:
        msg = "a bridge needs at least one connection; make one with hitl_core.connect(...)"
        raise ConfigurationError(msg)
    keys = [connection.key for connection in named.values()]
    if len(set(keys)) != len(keys):
        msg = "two connections have the same alias; give each its own: hitl_core.connect(..., alias=...)"
        raise ConfigurationError(msg)
    for name, connection in named.items():
        if connection.key.partition("/")[0] != tenant:
            msg = (
                f"connection {name!r} ({connection.key}) is not of tenant {tenant!r}; "
                "give both the same: connect(..., tenant=...) and Bridge(..., tenant=...)"
            )
            raise ConfigurationError(msg)
    return dict(named)


def _routing(given: Routing | Sequence[Route], names: tuple[str, ...]) -> Routing:
    routing = given if isinstance(given, Routing) else Routing.read({"routes": list(given), "default": names})
    routing.check(names)
    return routing
