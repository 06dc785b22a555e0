"""The same connection for code without an event loop: one portal thread runs it, nothing is written twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import update_wrapper
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar, cast

from hitl_core.connect import connect
from hitl_core.connection import Connection
from hitl_core.errors import HitlError

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

__all__ = ["SyncConnection", "connect_sync"]

P = ParamSpec("P")
R = TypeVar("R")


def _blocking(
    method: Callable[Concatenate[Connection, P], Awaitable[R]],
) -> Callable[Concatenate[SyncConnection, P], R]:
    """Turn a coroutine method of ``Connection`` into a method that waits for it, with the same signature."""

    def wait(self: SyncConnection, *args: P.args, **kwargs: P.kwargs) -> R:
        async def run() -> R:
            return await method(self.connection, *args, **kwargs)

        return self._run(run)

    return cast("Callable[Concatenate[SyncConnection, P], R]", update_wrapper(wait, method))


class SyncConnection:
    """A :class:`~hitl_core.connection.Connection` whose methods wait; use it with ``with``.

    Safe to use from several threads. What needs no I/O (``plan_start``, ``verify_webhook``, ``capabilities`` and the
    other facts) is reached through :attr:`connection`.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        """Start the portal thread and open the connection."""
        from anyio.from_thread import start_blocking_portal  # those with an event loop never need it

        self._portal = self._stack.enter_context(start_blocking_portal())
        try:
            self._portal.call(self.connection.open)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection and end the thread."""
        self.close()

    def close(self) -> None:
        """Close the connection and end the thread; a second call does nothing."""
        if self._portal is not None:
            try:
                self._portal.call(self.connection.close)
            finally:
                self._portal = None
                self._stack.close()

    def _run(self, function: Callable[[], Awaitable[R]]) -> R:
        if self._portal is None:
            msg = f"connection {self.connection.key!r} is not open; use it inside `with`"
            raise HitlError(msg)
        return self._portal.call(function)

    check = _blocking(Connection.check)
    identify = _blocking(Connection.identify)
    create_user = _blocking(Connection.create_user)
    begin = _blocking(Connection.begin)
    start_hitl = _blocking(Connection.start_hitl)
    execute = _blocking(Connection.execute)
    send_message = _blocking(Connection.send_message)
    stop_hitl = _blocking(Connection.stop_hitl)
    finish = _blocking(Connection.finish)
    send_typing = _blocking(Connection.send_typing)
    transfer = _blocking(Connection.transfer)
    get_availability = _blocking(Connection.get_availability)
    parse_delivery = _blocking(Connection.parse_delivery)
    parse_webhook = _blocking(Connection.parse_webhook)
    register_webhook = _blocking(Connection.register_webhook)
    refresh_registration = _blocking(Connection.refresh_registration)
    unregister_webhook = _blocking(Connection.unregister_webhook)
    find_session = _blocking(Connection.find_session)
    find_message = _blocking(Connection.find_message)
    list_events = _blocking(Connection.list_events)
    list_changes = _blocking(Connection.list_changes)


def connect_sync(name: str, /, **options: Any) -> SyncConnection:
    """Make a connection for code without an event loop; takes what :func:`hitl_core.connect` takes."""
    return SyncConnection(connect(name, **options))
