"""Calling the host, and knowing whether what runs now was called from there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from hitl_core.bridge.handoff.records import HandBack
from hitl_core.bridge.host import Host, Notice
from hitl_core.messages import AnyMessage
from hitl_core.people import Author

__all__ = ["HostCalls"]


class _Call:
    """One call.

    :ivar over: it has come to its end; tasks it has left behind go on without it.
    """

    __slots__ = ("of", "over")

    def __init__(self, of: HostCalls) -> None:
        self.of = of
        self.over = False


_calls: Final[ContextVar[tuple[_Call, ...]]] = ContextVar("hitl_host_calls", default=())
"""The calls that what runs now is part of, also in a thread or in a task that one of them has made."""


class HostCalls:
    """A host whose calls are known from inside.

    :param host: who is called.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def inside(self) -> bool:
        """Whether whoever asks runs inside of a call of this host, so that nobody may wait for its end."""
        return any(call.of is self and not call.over for call in _calls.get())

    async def send(self, conversation_id: str, message: AnyMessage, sender: Author, *, key: str) -> None:
        """Show a message to the customer."""
        with self._noted():
            await self._host.send(conversation_id, message, sender, key=key)

    async def resume(self, conversation_id: str, hand_back: HandBack, *, key: str) -> None:
        """Take the conversation back."""
        with self._noted():
            await self._host.resume(conversation_id, hand_back, key=key)

    async def notify(self, event: Notice, *, key: str) -> None:
        """Take note of an event."""
        with self._noted():
            await self._host.notify(event, key=key)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        call = _Call(self)
        token = _calls.set((*_calls.get(), call))
        try:
            yield
        finally:
            call.over = True
            _calls.reset(token)
