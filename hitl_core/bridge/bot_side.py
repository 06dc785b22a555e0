"""What the bot does: hand over, say what customers wrote, ask, take back."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from hitl_core.bridge.asking import (
    checked,
    customer_of,
    fields_of,
    id_of,
    named,
    names_of,
    patience_of,
    subject_of,
    within,
)
from hitl_core.bridge.base import BridgeBase
from hitl_core.bridge.handoff.inputs import (
    AnyInput,
    Failure,
    PauseRequested,
    ResumeRequested,
    StartRequested,
    StopRequested,
    UserMessage,
)
from hitl_core.bridge.handoff.records import EndReason, Handoff, Owner, Phase
from hitl_core.bridge.host import Handled, StartResult, StartStatus
from hitl_core.bridge.policy import Policy
from hitl_core.bridge.talking import Sender, Turn, message_of
from hitl_core.connection.given import end_user_of, history_of, reason_of
from hitl_core.errors import HitlError, InvalidRequestError, StoreError
from hitl_core.events import StopReason
from hitl_core.messages import AnyMessage
from hitl_core.people import Author, EndUser
from hitl_core.sessions import HistoryEntry

__all__ = ["BotSide"]

_COMMAND_SECONDS: Final = 5.0


class BotSide(BridgeBase):
    """The bot's side of a bridge."""

    async def start_hitl(
        self,
        conversation_id: str,
        user: EndUser,
        title: str,
        *,
        description: str | None = None,
        history: Iterable[HistoryEntry] = (),
        options: Mapping[str, Any] | None = None,
        relay: str = "transcript",
        connection: str | Sequence[str] | None = None,
        trigger_message_id: str | None = None,
        attempt: int = 1,
        idempotency_key: str | None = None,
        policy: Policy | Mapping[str, Any] | None = None,
        wait: float = 10.0,
    ) -> StartResult:
        """Hand a conversation over to a human. The bot must say nothing more in this turn (behaviour S130).

        The customer is told by the bridge, once the ticket exists.

        :param history: the conversation so far, oldest first.
        :param options: the provider's own options, such as ``priority``.
        :param relay: name of the strategy the history is handed over by.
        :param connection: name of the connection, or several to try in order; the routes decide when left out.
        :param trigger_message_id: the customer's message that led here: asking again for the same one is a replay.
        :param attempt: another number makes another start out of the same trigger (behaviour F02).
        :param idempotency_key: overrides what is concluded from trigger and attempt.
        :param policy: fields laid over the bridge's policy for this hand-off (behaviour S043), or a whole policy that
            stands in for the bridge's.
        :param wait: seconds to wait for the ticket; afterwards the answer is ``starting``.
        :raises ConfigurationError: no such connection, or a policy field is wrong.
        :raises InvalidRequestError: something that was given cannot be taken; nothing was begun.
        :raises StoreError: nothing was begun, or, when the database was lost in the act, ask again with the same
            ``idempotency_key``.
        :raises HitlError: the bridge is not open or is closed, as for every method that needs it.
        """
        self._driver.require_open()
        named(conversation_id)
        known = customer_of(end_user_of(user))
        if known is None:
            msg = "user is missing; give a hitl.EndUser, so that agents know whom they talk to"
            raise InvalidRequestError(msg)
        subject = subject_of(title)
        seconds = patience_of("wait", wait)
        effective = policy if isinstance(policy, Policy) else self.policy.with_overrides(fields_of("policy", policy))
        handoff_id = uuid.uuid4().hex
        given_options = fields_of("options", options)
        request = checked(
            StartRequested,
            handoff_id=handoff_id,
            conversation_id=conversation_id,
            connections=self._chain(connection, known, subject, given_options),
            key=_start_key(conversation_id, trigger_message_id, attempt, idempotency_key) or handoff_id,
            user=known,
            title=subject,
            description=description,
            history=history_of(history),
            options=given_options,
            relay=relay,
            policy=effective,
            off_hours=effective.is_off_hours(self.store.clock.now()),
            downstream=await self._lookups.is_session(conversation_id, self._by_key),
        )
        key = f"start:{handoff_id}"
        return await self._started(conversation_id, key, request, seconds)

    async def _started(self, conversation_id: str, key: str, request: StartRequested, wait: float) -> StartResult:
        with self._waiters.watch(conversation_id, key) as watch:
            await self._inbox.accept(conversation_id, key, request, begins=True)
            self._touched([conversation_id])
            await self._driver.settle_if_undriven()
            ends = asyncio.get_running_loop().time() + wait
            try:
                outcome = await watch.outcome(wait, lambda: self._lookups.outcome(key))
                if outcome is None:
                    return StartResult(status="starting")
                handoff_id = outcome.handoff_id
                handoff = await self._lookups.handoff(handoff_id) if handoff_id else None
                if handoff is not None and handoff.phase is Phase.STARTING and outcome.outcome != "already_active":
                    left = ends - asyncio.get_running_loop().time()
                    handoff = await watch.handoff(handoff, left, partial(self._lookups.handoff, handoff.id))
            except StoreError:  # it was taken in, and goes on when the database is back
                return StartResult(status="starting")
        return _result(outcome.outcome, handoff)

    def _chain(
        self, connection: str | Sequence[str] | None, user: EndUser, title: str, options: Mapping[str, Any]
    ) -> tuple[str, ...]:
        if connection is None:
            names = self._routing.choose(_Asked(user, title, options))
        else:
            names = names_of("connection", connection)
            if len(set(names)) < len(names):
                msg = "connection names one of them twice; each is tried once"
                raise InvalidRequestError(msg)
        return tuple(self._connection(name).key for name in names)

    async def handle_user_message(
        self,
        conversation_id: str,
        message: str | AnyMessage | Mapping[str, Any],
        author: Author | None = None,
        *,
        message_id: str,
        user: EndUser | None = None,
    ) -> Handled:
        """Take in what the customer wrote, and say whether the bot has to be silent.

        :param message_id: the host's id of the message; a repeat is taken in once.
        :param user: who wrote it, in conversations of several people.
        :raises InvalidRequestError: not a message.
        :raises StoreError: it was not taken in; hand it in again.
        """
        self._driver.require_open()
        named(conversation_id)
        said = checked(
            UserMessage,
            message_id=id_of("message_id", message_id, "the host knows the message by, so that a repeat is known"),
            message=message_of(message, "handle_user_message"),
            author=author or Author.user(),
            user=customer_of(user),
        )
        taken = await self._inbox.accept_while_open(conversation_id, _message_key(conversation_id, message_id), said)
        if taken:
            self._touched([conversation_id])
        return Handled(silence=taken)

    def turn(
        self,
        conversation_id: str,
        message: str | AnyMessage | Mapping[str, Any],
        author: Author | None = None,
        *,
        message_id: str,
        send: Sender,
        user: EndUser | None = None,
    ) -> Turn:
        """Take one turn of the bot in which it cannot speak over a human; use it with ``async with``.

        :param send: shows the bot's own messages: called with the conversation's id and the message.
        :param user: who wrote it, in conversations of several people.
        """
        return Turn(self, conversation_id, message, author, message_id=message_id, send=send, user=user)

    async def silent(self, conversation_id: str) -> bool:
        """Whether the bot has to be silent; ask right before it speaks."""
        self._driver.require_open()
        return await self._lookups.speaker(named(conversation_id)) is not Owner.BOT

    async def owner(self, conversation_id: str) -> Owner:
        """Say who answers the customer now."""
        self._driver.require_open()
        return await self._lookups.speaker(named(conversation_id))

    async def user_typing(self, conversation_id: str, *, typing: bool = True) -> None:
        """Show agents that the customer is typing, where the helpdesk can; best effort, never repeated."""
        handoff = await self.handoff(conversation_id)
        if handoff is None or not handoff.open or handoff.session is None or handoff.paused:
            return
        connection = self._by_key.get(handoff.connection)
        if connection is not None and connection.capabilities.typing:
            author = Author.user(handoff.external_user or handoff.user)
            try:
                await connection.send_typing(handoff.session, author=author, typing=typing)
            except HitlError:
                return  # whoever did not see it loses nothing

    async def stop_hitl(
        self,
        conversation_id: str,
        reason: StopReason | str = StopReason.BOT_RESOLVED,
        *,
        close: bool = True,
        tell: bool = False,
        flow: bool = False,
    ) -> None:
        """Take a conversation back; without an open hand-off this does nothing (behaviour S101).

        :param close: close the ticket too; otherwise it stays open and only the bot takes over.
        :param tell: tell the customer that it has ended.
        :param flow: let the bot go on by itself.
        :raises InvalidRequestError: the reason is unknown.
        """
        await self._command(conversation_id, StopRequested(reason=reason_of(reason), close=close, tell=tell, flow=flow))

    async def pause(self, conversation_id: str) -> None:
        """Let the bot have the conversation for a while; the ticket stays open and the hand-off goes on."""
        await self._command(conversation_id, PauseRequested())

    async def resume(self, conversation_id: str) -> None:
        """End a pause: the human, or the queue, has the conversation again."""
        await self._command(conversation_id, ResumeRequested())

    async def _command(self, conversation_id: str, command: AnyInput) -> None:
        """Take in a command and return once it is carried out here, or taken up by another process."""
        self._driver.require_open()
        named(conversation_id)
        if not await self._lookups.is_known(conversation_id):
            return
        key = f"command:{uuid.uuid4().hex}"
        with self._waiters.watch(conversation_id, key) as watch:
            await self._inbox.accept(conversation_id, key, command)
            self._touched([conversation_id])
            await self._driver.settle_if_undriven()
            with contextlib.suppress(StoreError):  # it was taken in, and is carried out when the database is back
                await watch.outcome(_COMMAND_SECONDS, lambda: self._lookups.outcome(key))

    async def handoff(self, conversation_id: str) -> Handoff | None:
        """Return the latest hand-off of a conversation."""
        self._driver.require_open()
        return await self._lookups.current(named(conversation_id))


def _message_key(conversation_id: str, message_id: str) -> str:
    """Return what a message is known by; no two have the same, whatever their ids are made of."""
    return f"user:{conversation_id.replace('%', '%25').replace(':', '%3A')}:{within(message_id)}"


def _start_key(conversation_id: str, trigger: str | None, attempt: int, given: str | None) -> str | None:
    """Return what a start of a conversation is known by, if a repeat of it can be known at all (behaviour F02)."""
    if given:
        return within(id_of("idempotency_key", given, "the host knows the start by"))
    if not trigger:
        return None
    return within(f"{conversation_id}:{id_of('trigger_message_id', trigger, 'of a message')}:{attempt}")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a route looks at."""

    user: EndUser
    title: str
    options: Mapping[str, Any]


_REFUSED: Final[dict[str, tuple[StartStatus, str]]] = {
    "not_allowed": ("not_allowed", "the conversation is itself a session of a helpdesk"),
    "off_hours": ("unavailable", "it is outside business hours, and the policy takes no message then"),
    "dead letter": ("failed", "it could not be decided on; see the dead letters"),
}
"""Nothing was made or found: what the conversation's last hand-off was is none of it."""


_FAILED: Final[dict[Failure | None, StartStatus]] = {
    Failure.NOT_ALLOWED: "not_allowed",
    Failure.UNAVAILABLE: "unavailable",
}


def _result(outcome: str, handoff: Handoff | None) -> StartResult:
    """Say what became of a start (behaviour F01)."""
    status: StartStatus
    detail: str | None = None
    if outcome in _REFUSED:
        status, detail = _REFUSED[outcome]
        return StartResult(status=status, detail=detail)
    if handoff is None:
        status = "failed"
    elif outcome == "already_active":
        status = "already_active"
    elif handoff.end_reason is EndReason.START_FAILED:
        status, detail = _FAILED.get(handoff.failure, "failed"), handoff.failed
    elif outcome == "replay" and not handoff.open:
        status = "replay"
    elif handoff.session is not None:
        status = "started"
    elif handoff.open:
        status = "starting"
    else:
        status, detail = "failed", "it was ended before the ticket existed"
    return StartResult(status=status, handoff=handoff, session=handoff.session if handoff else None, detail=detail)
