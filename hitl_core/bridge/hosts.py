"""Two ready hosts: one calls your functions, the other is a queue you read with ``async for``.

Both are asked **at least once**: what the bridge cannot know to have worked, because a call raised, a consumer ended
or the process was killed, it does again, with the same ``key``. So show what carries a known key once:

* best, store the key with what you show, in the same transaction and under a unique index, or give it to the channel
  as its idempotency key: this also holds across a restart;
* else keep the last keys in memory with :class:`SeenKeys`: what is left is the moment between the channel's answer
  and the bridge's own commit in a process that is killed.

    seen = SeenKeys()

    async def send(conversation_id, message, sender, *, key):
        with seen.once(key) as first:
            if first:
                await channel.post(conversation_id, message, sender.name)

    bridge = Bridge(..., CallbackHost(send=send, resume=resume), ...)
"""

from __future__ import annotations

import asyncio
import inspect
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from anyio import to_thread

from hitl_core.bridge.handoff.records import HandBack
from hitl_core.bridge.host import Notice
from hitl_core.errors import ConfigurationError, HitlError
from hitl_core.messages import AnyMessage
from hitl_core.people import Author

__all__ = [
    "CallbackHost",
    "HandedBack",
    "Noticed",
    "NotifyCallback",
    "QueueHost",
    "QueueItem",
    "ResumeCallback",
    "SeenKeys",
    "SendCallback",
    "ToCustomer",
]


class SeenKeys:
    """The last keys that were dealt with, so that what comes again is shown once.

    It lives in one process's memory; a restart forgets it.

    :param limit: how many are remembered; the one that was used longest ago goes first.
    """

    def __init__(self, limit: int = 10_000) -> None:
        _require_at_least_one("limit", limit)
        self._limit = limit
        self._keys: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        """Whether it was dealt with; asking keeps it in mind."""
        if key not in self._keys:
            return False
        self._keys.move_to_end(key)
        return True

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._keys)

    def add(self, key: str) -> None:
        """Remember a key, once what carries it was shown."""
        self._keys[key] = None
        self._keys.move_to_end(key)
        if len(self._keys) > self._limit:
            self._keys.popitem(last=False)

    @contextmanager
    def once(self, key: str) -> Iterator[bool]:
        """Tell whether a key is new, and remember it if the block does not raise."""
        if key in self:
            yield False
            return
        yield True
        self.add(key)


# Functions ----------------------------------------------------------------------------------------------------------


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
    at once. A thread cannot be interrupted: closing the bridge waits for calls that are under way.

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


# A queue ------------------------------------------------------------------------------------------------------------


def _nobody_waits(error: BaseException | None) -> None:
    """Settle an item that is in no queue, such as one made by a test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """Something for the bot to do.

    :param key: the same whenever it comes again.
    """

    key: str
    _settle: Callable[[BaseException | None], None] = field(default=_nobody_waits, repr=False, compare=False)

    def done(self) -> None:
        """Say that it is done; only the first word counts. To be called on the event loop's thread."""
        self._settle(None)

    def failed(self, error: BaseException | str) -> None:
        """Say that it is not done: it comes again, after a while."""
        # A stop of an iteration or a cancellation would mean something else to whoever waits.
        usual = isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration)
        text = error if isinstance(error, str) else f"the consumer failed ({type(error).__name__})"
        self._settle(error if usual and isinstance(error, BaseException) else HitlError(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToCustomer(_Item):
    """Show this to the customer.

    :param sender: an agent, or ``system`` for the bridge's own texts.
    """

    conversation_id: str
    message: AnyMessage
    sender: Author


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedBack(_Item):
    """The conversation is the bot's again."""

    conversation_id: str
    hand_back: HandBack


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed(_Item):
    """Take note of this; the bot itself must not answer it (behaviour R03)."""

    notice: Notice

    @property
    def conversation_id(self) -> str:
        """Where it happened."""
        return self.notice.conversation_id


QueueItem: TypeAlias = ToCustomer | HandedBack | Noticed
"""Everything a :class:`QueueHost` gives, for ``match``."""


class _Place:
    """A place in the queue.

    :ivar out: a consumer has it.
    """

    __slots__ = ("conversation_id", "item", "leave", "out", "outcome", "settled")

    def __init__(self, leave: Callable[[_Place], None]) -> None:
        self.leave = leave
        self.item: QueueItem
        self.conversation_id = ""
        self.out = False
        self.settled = False
        self.outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self, error: BaseException | None) -> None:
        """Let go of it, and tell whoever waits for it."""
        if self.settled:
            return
        self.settled = True
        self.leave(self)
        if self.outcome.done():  # nobody waits any more
            return
        if error is None:
            self.outcome.set_result(None)
        else:
            self.outcome.set_exception(error)
            self.outcome.exception()  # who waits may be cancelled just now; that is no error to complain of


class QueueHost:
    """A host to be read from::

        host = QueueHost()
        async for item in host:
            match item:
                case ToCustomer():
                    await channel.post(item.conversation_id, item.message)
                case HandedBack():
                    await bot.resume(item.conversation_id, item.hand_back)
                case Noticed():
                    pass

    Coming back for the next item acknowledges the one before; ``item.done()`` does so at once, ``item.failed(error)``
    has it come again. Until then the bridge does not count it as done. A consumer that ends with an item in its hands,
    by an exception, ``break`` or cancellation, has not acknowledged it: it comes again, with the same ``key``, to
    whoever reads then, also after a restart. So each item comes at least once; see :class:`SeenKeys`.

    Any number of consumers may read at the same time. Items of one conversation are given in order, the next one only
    when the one before was settled.

    :param limit: how many items may be waiting or in consumers' hands; the bridge waits with further ones, which are
        safe in its store.
    """

    def __init__(self, *, limit: int = 100) -> None:
        _require_at_least_one("limit", limit)
        self._room = asyncio.Semaphore(limit)
        self._lines: dict[str, deque[_Place]] = {}
        self._ready: deque[_Place] = deque()
        self._wake = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        """How many items are waiting or in consumers' hands."""
        return sum(len(line) for line in self._lines.values())

    def close(self) -> None:
        """End every iteration; what no consumer has is left to the bridge, which gives it again after a restart."""
        self._closed = True
        self._wake.set()
        for place in [place for line in self._lines.values() for place in line if not place.out]:
            place.settle(_closed())

    # The bot reads --------------------------------------------------------------------------------------------

    def __aiter__(self) -> AsyncIterator[QueueItem]:
        """Read with ``async for``; see :meth:`items`."""
        return self.items()

    async def items(self, *, acknowledge: bool = True) -> AsyncGenerator[QueueItem, None]:
        """Give item after item until :meth:`close`.

        :param acknowledge: coming back for more acknowledges the item before. Without it, each needs its ``done()`` or
            ``failed()``, which lets a consumer give them to tasks of its own and come back at once.
        """
        held: list[_Place] = []
        try:
            while (place := await self._take()) is not None:
                held = [other for other in held if not other.settled]
                held.append(place)
                yield place.item
                if acknowledge:
                    place.settle(None)
        except BaseException:  # also a `break`, which arrives as GeneratorExit
            for place in held:
                place.settle(HitlError("the consumer ended before it had acknowledged the item"))
            raise

    async def _take(self) -> _Place | None:
        while not self._closed:
            if self._ready:
                place = self._ready.popleft()
                place.out = True
                return place
            self._wake.clear()
            await self._wake.wait()
        return None

    # The bridge writes ----------------------------------------------------------------------------------------

    async def send(self, conversation_id: str, message: AnyMessage, sender: Author, *, key: str) -> None:
        """Have a message shown to the customer; returns once it was acknowledged."""
        await self._settled(
            lambda settle: ToCustomer(
                conversation_id=conversation_id, message=message, sender=sender, key=key, _settle=settle
            )
        )

    async def resume(self, conversation_id: str, hand_back: HandBack, *, key: str) -> None:
        """Have the conversation taken back; returns once it was acknowledged."""
        await self._settled(
            lambda settle: HandedBack(conversation_id=conversation_id, hand_back=hand_back, key=key, _settle=settle)
        )

    async def notify(self, event: Notice, *, key: str) -> None:
        """Have note taken of an event; returns once it was acknowledged."""
        await self._settled(lambda settle: Noticed(notice=event, key=key, _settle=settle))

    async def _settled(self, make: Callable[[Callable[[BaseException | None], None]], QueueItem]) -> None:
        async with self._room:
            if self._closed:
                raise _closed()
            place = _Place(self._leave)
            place.item = make(place.settle)
            place.conversation_id = place.item.conversation_id
            line = self._lines.setdefault(place.conversation_id, deque())
            line.append(place)
            if len(line) == 1:
                self._make_ready(place)
            try:
                await place.outcome
            finally:
                if not place.out:  # else the consumer goes on with it, and its conversation waits for that
                    place.settle(None)

    def _make_ready(self, place: _Place) -> None:
        self._ready.append(place)
        self._wake.set()

    def _leave(self, place: _Place) -> None:
        """Take a settled item out of its line, and let the next one of its conversation come."""
        line = self._lines[place.conversation_id]
        was_first = line[0] is place
        line.remove(place)
        if not place.out:
            with suppress(ValueError):  # it may be behind another one
                self._ready.remove(place)
        if not line:
            del self._lines[place.conversation_id]
        elif was_first and not self._closed:
            self._make_ready(line[0])


def _closed() -> HitlError:
    return HitlError("the queue of the host is closed; what was not acknowledged comes again after a restart")


def _require_at_least_one(name: str, number: int) -> None:
    if number < 1:
        msg = f"{name} is {number}; give at least 1"
        raise ConfigurationError(msg)
