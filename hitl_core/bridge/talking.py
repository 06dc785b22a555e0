"""A bot's turn: what it says to one message, and never over an agent.

    async with bridge.turn("conv-42", "Any news?", message_id="m-7", send=channel.post) as turn:
        if turn.silent:
            return                                       # a human has it; the bridge has passed the message on
        answer = await model.answer("Any news?")         # takes its time; an agent may come meanwhile
        if answer is None:
            await turn.hand_over(user, "Needs a human")  # and not a word more in this turn
        else:
            await turn.say(answer)                       # asks once more, right before it speaks

What can happen meanwhile (the customer presses a button that calls a human, another process hands the conversation
over) is looked up in the store right before every word, not remembered from the beginning of the turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

from hitl_core.bridge.callback_host import call_anyhow
from hitl_core.bridge.host import Handled, StartResult
from hitl_core.errors import ConfigurationError, HitlError, InvalidRequestError
from hitl_core.messages import AnyMessage
from hitl_core.people import Author, EndUser
from hitl_core.plans import as_message

__all__ = ["Sender", "Talks", "Turn", "answering", "message_of"]

Sender: TypeAlias = Callable[[str, AnyMessage], object]
"""Shows a message of the bot to a customer: called with the conversation's id and the message. An ``async def``, or a
plain function, which runs in a thread."""


class Talks(Protocol):
    """What a turn needs of a bridge."""

    async def handle_user_message(
        self,
        conversation_id: str,
        message: str | AnyMessage | Mapping[str, Any],
        author: Author | None = None,
        *,
        message_id: str,
        user: EndUser | None = None,
    ) -> Handled:
        """Take in what the customer wrote, and say whether the bot has to be silent."""
        ...

    async def silent(self, conversation_id: str) -> bool:
        """Say whether the bot has to be silent now."""
        ...

    async def start_hitl(
        self, conversation_id: str, user: EndUser, title: str, *more: Any, **start: Any
    ) -> StartResult:
        """Hand the conversation over; ``start`` has at least ``trigger_message_id``."""
        ...


class Turn:
    """What the bot does about one message of a customer; use it with ``async with``.

    Entering it hands the message to the bridge. If a human or the queue has the conversation then, the message is
    theirs and the bot is silent for the whole turn, whatever happens meanwhile (behaviour S121, S124); should nobody
    get it, the bridge gives it back to the host.

    What the block raises passes through.

    :param message_id: the host's id of the message; a repeat is taken in once.
    :param send: shows the bot's own messages.
    :param user: who wrote it, in conversations of several people.
    :raises ConfigurationError: ``send`` is no function.
    """

    def __init__(
        self,
        bridge: Talks,
        conversation_id: str,
        message: str | AnyMessage | Mapping[str, Any],
        author: Author | None = None,
        *,
        message_id: str,
        send: Sender,
        user: EndUser | None = None,
    ) -> None:
        self.conversation_id = conversation_id
        self.message_id = message_id
        self.message: AnyMessage = as_message(message)
        self.author = author
        self.handed_over: StartResult | None = None
        """What became of :meth:`hand_over`, once it was called."""
        self._user = user
        self._bridge = bridge
        self._send = _checked(send)
        self._silent: bool | None = None
        self._over = False
        self._one_by_one = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Hand the message to the bridge.

        :raises HitlError: the turn was entered before.
        :raises StoreError: it could not be taken in; nothing was done, and the host may hand it in again.
        """
        if self._silent is not None:
            msg = "a turn is about one message and is entered once; make another one for the next message"
            raise HitlError(msg)
        handled = await self._bridge.handle_user_message(
            self.conversation_id, self.message, self.author, message_id=self.message_id, user=self._user
        )
        self._silent = handled.silence
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the turn: nothing more is said in it."""
        self._over = True

    @property
    def silent(self) -> bool:
        """Whether the bot has to be silent, as far as this turn has seen; :meth:`may_speak` looks again."""
        return self._silent is not False

    async def may_speak(self) -> bool:
        """Look again whether the bot has the conversation; worth it before work that costs something.

        Once it was silent in a turn it stays so: what the customer wrote is somebody else's by now.
        """
        if not self.silent and not self._over and await self._bridge.silent(self.conversation_id):
            self._silent = True
        return not self.silent and not self._over

    async def say(self, message: str | AnyMessage | Mapping[str, Any]) -> bool:
        """Show a message of the bot to the customer, if the bot still has the conversation right before.

        Several are shown in the order they were asked for, one after the other, also from several tasks.

        :returns: whether it was shown. ``False`` when a human or the queue has the conversation by now, after
            :meth:`hand_over` (behaviour S130), and once the turn is over; then nothing was done.
        :raises InvalidRequestError: not a message.
        """
        content = message_of(message, "say")
        async with self._one_by_one:
            if not await self.may_speak():
                return False
            await call_anyhow(self._send, self.conversation_id, content)
            return True

    async def hand_over(self, user: EndUser, title: str, **start: Any) -> StartResult:
        """Hand the conversation over to a human; from here on the bot is silent in this turn (behaviour S130).

        The bridge tells the customer, also when it comes to nothing, and gives the conversation back then. Only when
        this raises a :class:`~hitl_core.errors.HitlError`, such as for a connection that does not exist, may the bot
        still speak.

        :param start: what else :meth:`Bridge.start_hitl <hitl_core.bridge.Bridge.start_hitl>` takes.
        :raises HitlError: the turn was not entered, or is over.
        """
        async with self._one_by_one:
            if self._silent is None or self._over:
                msg = "hand_over belongs inside the turn's block; outside of it, call bridge.start_hitl"
                raise HitlError(msg)
            before, self._silent = self._silent, True
            start.setdefault("trigger_message_id", self.message_id)
            try:
                result = await self._bridge.start_hitl(self.conversation_id, user, title, **start)
            except HitlError:
                self._silent = before
                raise
            self.handed_over = result
            return result


def answering(
    bridge: Talks, *, send: Sender
) -> Callable[[Callable[[Turn], Awaitable[None]]], Callable[..., Awaitable[Turn]]]:
    """Make a bot's answer out of a function that is called only while the bot has the conversation::

        @answering(bridge, send=channel.post)
        async def answer(turn):
            await turn.say("Hello")

        await answer("conv-42", "Hi", message_id="m-1")

    The result takes what :class:`Turn` takes, and returns the turn, which is over.
    """

    def decorate(answer: Callable[[Turn], Awaitable[None]]) -> Callable[..., Awaitable[Turn]]:
        @wraps(answer)
        async def handle(
            conversation_id: str,
            message: str | AnyMessage | Mapping[str, Any],
            author: Author | None = None,
            *,
            message_id: str,
            user: EndUser | None = None,
        ) -> Turn:
            turn = Turn(bridge, conversation_id, message, author, message_id=message_id, send=send, user=user)
            async with turn:
                if not turn.silent:
                    await answer(turn)
            return turn

        return handle

    return decorate


def message_of(given: str | AnyMessage | Mapping[str, Any], asked: str) -> AnyMessage:
    """Take a message as text, object or JSON object.

    :param asked: the method it was given to, for the error.
    :raises InvalidRequestError: it is none.
    """
    try:
        return as_message(given)
    except InvalidRequestError as error:
        raise InvalidRequestError(error.message, operation=asked) from None


def _checked(send: Any) -> Sender:
    if not callable(send):
        msg = f"send is of type {type(send).__name__}; give a function that is called as send(conversation_id, message)"
        raise ConfigurationError(msg)
    return send  # type: ignore[no-any-return]  # known to be callable
