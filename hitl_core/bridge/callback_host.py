"""A host made of functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from anyio import to_thread

from hitl_core.bridge.handoff.records import HandBack
from hitl_core.bridge.host import Notice
from hitl_core.errors import ConfigurationError
from hitl_core.messages import AnyMessage
from hitl_core.people import Author

__all__ = ["CallbackHost", "NotifyCallback", "ResumeCallback", "SendCallback", "call_anyhow"]


class SendCallback(Protocol):
    """Shows a message to the customer; may be an ``async def`` or a plain function."""

    def __call__(self, conversation_id: str, message: AnyMessage, sender: Author, /, *, key: str) -> object:
        """Show it."""
        ...


class ResumeCallback(Protocol):
    """Takes the conversation back; may be an ``async def`` or a plain function."""

    def __call__(self, conversation_id: str, hand_back: HandBack, /, *, key: str) -> object:
        """Take it back."""
        ...


class NotifyCallback(Protocol):
    """Takes note of an event; may be an ``async def`` or a plain function."""

    def __call__(self, notice: Notice, /, *, key: str) -> object:
        """Take note."""
        ...


_CALLS: Final[dict[str, tuple[str, ...]]] = {
    "send": ("conversation_id", "message", "sender"),
    "resume": ("conversation_id", "hand_back"),
    "notify": ("notice",),
}


class CallbackHost:
    """A host made of functions.

    An ``async def`` runs on the event loop. A plain function runs in a thread, so that one that waits for a network
    stops nobody else: calls for one conversation still come one after the other, those for several conversations
    at once.

    Closing the bridge gives calls that are under way its grace period (see :meth:`Bridge.aclose`; 5 seconds) and breaks
    off what takes longer. A thread cannot be interrupted: a plain function then runs on behind the closed bridge, and
    the program does not exit before it returns. Such a call does not count as made; it is repeated when the bridge is
    next opened.

    What a function raises is not lost: the call is repeated with the same ``key``.

    :param send: called as ``send(conversation_id, message, sender, key=key)``.
    :param resume: called as ``resume(conversation_id, hand_back, key=key)``.
    :param notify: called as ``notify(notice, key=key)``; without it, notices are dropped.
    :raises ConfigurationError: one of them cannot be called that way.
    """

    def __init__(self, *, send: SendCallback, resume: ResumeCallback, notify: NotifyCallback | None = None) -> None:
        self._send = _checked("send", send)
        self._resume = _checked("resume", resume)
        self._notify = None if notify is None else _checked("notify", notify)

    async def send(self, conversation_id: str, message: AnyMessage, sender: Author, *, key: str) -> None:
        """Show a message to the customer."""
        await call_anyhow(self._send, conversation_id, message, sender, key=key)

    async def resume(self, conversation_id: str, hand_back: HandBack, *, key: str) -> None:
        """Take the conversation back."""
        await call_anyhow(self._resume, conversation_id, hand_back, key=key)

    async def notify(self, event: Notice, *, key: str) -> None:
        """Take note of an event."""
        if self._notify is not None:
            await call_anyhow(self._notify, event, key=key)


async def call_anyhow(function: Callable[..., object], *args: object, **kwargs: object) -> None:
    """Call an ``async def`` on the event loop, and anything else in a thread."""
    if _is_async(function):
        result = function(*args, **kwargs)
    else:
        result = await to_thread.run_sync(partial(function, *args, **kwargs))
    if inspect.isawaitable(result):
        await result


def _is_async(function: Callable[..., object]) -> bool:
    method = getattr(function, "__call__", None)  # noqa: B004 - it is looked at, not asked for
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(method)


def _checked(name: str, function: Any) -> Callable[..., object]:
    """Return a function that can be called as promised.

    :raises ConfigurationError: it cannot.
    """
    call = f"{name}({', '.join(_CALLS[name])}, key=key)"
    if not callable(function):
        msg = f"{name} is of type {type(function).__name__}; give a function that is called as {call}"
        raise ConfigurationError(msg)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        msg = f"{name} is a generator, which nobody would run; give a function without yield, called as {call}"
        raise ConfigurationError(msg)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none; then the first call will tell
        return function  # type: ignore[no-any-return]  # known to be callable
    try:
        signature.bind(*_CALLS[name], key="")
    except TypeError as error:
        msg = f"{name} has the parameters {signature}, but is called as {call}: {error}"
        raise ConfigurationError(msg) from None
    return function  # type: ignore[no-any-return]  # known to be callable
