"""What every part of a bridge stands on: what it is made of, and its life."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

from hitl_core.bridge.calling import HostCalls
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
from hitl_core.bridge.settings import (
    connections_of,
    count_of,
    host_of,
    policy_of,
    routing_of,
    seconds_of,
    store_of,
)
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.hints import Hints
from hitl_core.bridge.store.inbox import Inbox
from hitl_core.bridge.store.slots import Slots
from hitl_core.connection import Connection
from hitl_core.errors import ConfigurationError, HitlError
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
        policy: Policy | Mapping[str, Any] | None = None,
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
        self._connections = connections_of(connections, tenant)
        self._names = {connection.key: name for name, connection in self._connections.items()}
        self._by_key = {connection.key: connection for connection in self._connections.values()}
        self._host = HostCalls(host_of(host))
        self.policy = policy_of(policy)
        self.tenant = tenant
        self._routing = routing_of(routing, tuple(self._connections))
        concurrency = count_of("concurrency", concurrency)
        poll_seconds = seconds_of("poll_seconds", poll_seconds)
        lease_seconds = seconds_of("lease_seconds", lease_seconds)
        start_patience = seconds_of("start_patience", start_patience, least="0 or more")
        if reconcile_seconds is not None:
            reconcile_seconds = seconds_of("reconcile_seconds", reconcile_seconds)
        self._own_store = isinstance(store, str)
        self.store = store_of(store)
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
        """Take nothing new up, give what is under way ``grace`` seconds, and leave the rest for the next worker.

        :raises HitlError: it was called by what the host does in a call of the bridge, which this would wait for.
        """
        if self._host.inside:
            msg = "this call of the host is waited for at the end; close the bridge from outside of a host's call"
            raise HitlError(msg)
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
