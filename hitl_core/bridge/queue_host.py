"""A host that is read from: a queue with ``async for``, whose items count as done once they are acknowledged."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from hitl_core.bridge.handoff.records import HandBack
from hitl_core.bridge.host import Notice
from hitl_core.bridge.seen_keys import SeenKeys, require_at_least_one
from hitl_core.errors import HitlError
from hitl_core.messages import AnyMessage
from hitl_core.people import Author

__all__ = ["HandedBack", "Noticed", "QueueHost", "QueueItem", "ToCustomer"]


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

    __slots__ = ("item", "leave", "out", "outcome", "settled")

    def __init__(self, leave: Callable[[_Place, BaseException | None], None]) -> None:
        self.leave = leave
        self.item: QueueItem
        self.out = False
        self.settled = False
        self.outcome: asyncio.Future[None]
        self.watch()

    @property
    def unwatched(self) -> bool:
        """Whether nobody waits for it any more: the bridge has lost its patience, and will ask again."""
        return self.outcome.done()

    def watch(self) -> None:
        """Let somebody wait for it again."""
        self.outcome = asyncio.get_running_loop().create_future()

    def settle(self, error: BaseException | None) -> None:
        """Let go of it, and tell whoever waits for it."""
        if self.settled:
            return
        self.settled = True
        self.leave(self, error)
        if self.unwatched:
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

    It goes on until :meth:`close`, which closing the bridge does not call: call it after the bridge's block, or whoever
    reads waits for ever.

    Coming back for the next item acknowledges the one before; ``item.done()`` does so at once, ``item.failed(error)``
    has it come again. Until then the bridge does not count it as done. A consumer that ends with an item in its hands,
    by an exception, ``break`` or cancellation, has not acknowledged it: it comes again, with the same ``key``, to
    whoever reads then, also after a restart. So each item comes at least once; see :class:`SeenKeys`. One whose
    consumer takes longer than the bridge waits is not given to another one: the bridge asks again, and is told then.

    Any number of consumers may read at the same time. Items of one conversation are given in order, the next one only
    when the one before was settled.

    :param limit: how many items may be waiting or in consumers' hands; the bridge waits with further ones, which are
        safe in its store.
    """

    def __init__(self, *, limit: int = 100) -> None:
        require_at_least_one("limit", limit)
        self._room = asyncio.Semaphore(limit)
        self._lines: dict[str, deque[_Place]] = {}
        self._ready: deque[_Place] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        self._done_late = SeenKeys(1_000)

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
            if place.item.key in self._done_late:
                return
            place = self._in_line(place)
            try:
                await place.outcome
            finally:
                if not place.out:  # else the consumer goes on with it, and its conversation waits for that
                    place.settle(None)

    def _in_line(self, place: _Place) -> _Place:
        """Give a place, or the one the item has already: a consumer is still at work on it."""
        line = self._lines.setdefault(place.item.conversation_id, deque())
        for other in line:
            if other.item.key == place.item.key and other.unwatched:
                other.watch()
                return other
        line.append(place)
        if len(line) == 1:
            self._make_ready(place)
        return place

    def _make_ready(self, place: _Place) -> None:
        self._ready.append(place)
        self._wake.set()

    def _leave(self, place: _Place, error: BaseException | None) -> None:
        """Take a settled item out of its line, and let the next one of its conversation come."""
        if error is None and place.out and place.unwatched:
            self._done_late.add(place.item.key)
        conversation_id = place.item.conversation_id
        line = self._lines[conversation_id]
        was_first = line[0] is place
        line.remove(place)
        if not place.out:
            with suppress(ValueError):  # it may be behind another one
                self._ready.remove(place)
        if not line:
            del self._lines[conversation_id]
        elif was_first and not self._closed:
            self._make_ready(line[0])


def _closed() -> HitlError:
    return HitlError("the queue of the host is closed; what was not acknowledged comes again after a restart")
