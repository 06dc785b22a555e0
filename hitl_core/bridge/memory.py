"""A bridge that keeps everything in memory: for one process, whose hand-offs end with it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from hitl_core.bridge.desk_side import DeadLetter
from hitl_core.bridge.host import Handled, Host, Receipt, StartResult, StartStatus
from hitl_core.bridge.inputs import Failure, StartRequested, StopRequested, UserMessage
from hitl_core.bridge.policy import Policy
from hitl_core.bridge.records import EndReason, Handoff, Owner, Phase
from hitl_core.bridge.turns import Turns
from hitl_core.calls import AttachmentStream
from hitl_core.clock import Clock, SystemClock
from hitl_core.connection import Connection
from hitl_core.connection.given import reason_of
from hitl_core.errors import ConfigurationError, HitlError
from hitl_core.events import StopReason
from hitl_core.messages import AnyMessage, AttachmentRef
from hitl_core.people import Author, EndUser
from hitl_core.plans import as_message
from hitl_core.sessions import HistoryEntry

__all__ = ["MemoryBridge"]

_FAILED: dict[Failure, StartStatus] = {Failure.NOT_ALLOWED: "not_allowed", Failure.UNAVAILABLE: "unavailable"}


class MemoryBridge:
    """Hands conversations over and back; use it with ``async with``, inside that of its connections.

    :param connections: open connections by the name they are called here.
    :param host: the bot's side.
    :param policy: texts and choices; each start may lay its own over them.
    :param reconcile_seconds: how often open sessions are read, for deliveries that were lost; ``None`` for never.
    :param start_patience: seconds a start is tried for before the customer is told that it failed.
    """

    def __init__(
        self,
        connections: Mapping[str, Connection],
        host: Host,
        policy: Policy | None = None,
        clock: Clock | None = None,
        *,
        reconcile_seconds: float | None = 60.0,
        start_patience: float = 30.0,
    ) -> None:
        self._connections = dict(connections)
        self._policy = policy or Policy()
        self._clock = clock or SystemClock()
        self._reconcile_seconds = reconcile_seconds
        self._turns = Turns(
            self._connections.values(), host, policy=self._policy, clock=self._clock, start_patience=start_patience
        )

    # Life -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Begin to read open sessions from time to time."""
        if self._reconcile_seconds is not None:
            self._turns.tasks.wait(self._reconcile_for_ever(self._reconcile_seconds))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        await self.aclose()

    async def aclose(self, *, grace: float = 1.0) -> None:
        """End all work, giving it ``grace`` seconds; what is not done by then is lost."""
        await self._turns.tasks.aclose(grace)

    async def settle(self) -> None:
        """Return once every effect and delivery has been dealt with; timers may still be running."""
        await self._turns.tasks.settle()

    # The bot's side -------------------------------------------------------------------------------------------

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
        connection: str | None = None,
        trigger_message_id: str | None = None,
        attempt: int = 1,
        idempotency_key: str | None = None,
        policy: Mapping[str, Any] | None = None,
        wait: float = 10.0,
    ) -> StartResult:
        """Hand a conversation over to a human. The bot must say nothing more in this turn (behaviour S130).

        The customer is told by the bridge, once the ticket exists.

        :param history: the conversation so far, oldest first.
        :param options: the provider's own options, such as ``priority``.
        :param relay: name of the strategy the history is handed over by.
        :param connection: name of the connection; needed when there are several.
        :param trigger_message_id: the customer's message that led here: asking again for the same one is a replay.
        :param attempt: another number makes another start out of the same trigger (behaviour F02).
        :param idempotency_key: overrides what is concluded from trigger and attempt.
        :param policy: fields laid over the bridge's policy for this hand-off (behaviour S043).
        :param wait: seconds to wait for the ticket; afterwards the answer is ``starting``.
        :raises ConfigurationError: no such connection, or a policy field is wrong.
        """
        if not conversation_id:
            msg = "conversation_id is empty; give the id the host knows the conversation by"
            raise HitlError(msg)
        handoff_id = uuid.uuid4().hex
        default_key = f"{conversation_id}:{trigger_message_id}:{attempt}" if trigger_message_id else handoff_id
        request = StartRequested(
            handoff_id=handoff_id,
            conversation_id=conversation_id,
            connection=self._connection(connection).key,
            key=idempotency_key or default_key,
            user=user,
            title=title,
            description=description,
            history=tuple(history),
            options=dict(options or {}),
            relay=relay,
            policy=self._policy.with_overrides(policy),
        )
        handoff, outcome = self._turns.start(request)
        if handoff.phase is Phase.STARTING and outcome != "already_active":
            await self._until_started(handoff.id, wait)
            handoff = self._turns.handoff(handoff.id) or handoff
        return self._start_result(handoff, outcome)

    async def _until_started(self, handoff_id: str, wait: float) -> None:
        started = asyncio.ensure_future(self._turns.started(handoff_id).wait())
        enough = asyncio.ensure_future(self._clock.sleep(wait))
        try:
            await asyncio.wait((started, enough), return_when=asyncio.FIRST_COMPLETED)
        finally:
            started.cancel()
            enough.cancel()

    def _start_result(self, handoff: Handoff, outcome: str) -> StartResult:
        failure, detail = self._turns.start_failure(handoff.id) or (None, None)
        status: StartStatus
        if outcome == "already_active":
            status = "already_active"
        elif failure is not None and handoff.end_reason is EndReason.START_FAILED:
            status = _FAILED.get(failure, "failed")
        elif outcome == "replay" and not handoff.open:
            status = "replay"
        elif handoff.session is None:
            status = "starting" if handoff.open else "failed"
            detail = detail if handoff.open else "it was ended before the ticket existed"
        else:
            status = "started"
        return StartResult(status=status, handoff=handoff, session=handoff.session, detail=detail)

    async def handle_user_message(
        self,
        conversation_id: str,
        message: str | AnyMessage | Mapping[str, Any],
        author: Author | None = None,
        *,
        message_id: str,
    ) -> Handled:
        """Take in what the customer wrote, and say whether the bot has to be silent.

        :param message_id: the host's id of the message; a repeat is taken in once.
        :raises InvalidRequestError: not a message.
        """
        content = as_message(message)
        handoff = self._turns.current(conversation_id)
        if handoff is None or not handoff.open:
            return Handled(silence=handoff is not None and self._turns.took_in(conversation_id, message_id))
        self._turns.apply(
            handoff.id, UserMessage(message_id=message_id, message=content, author=author or Author.user())
        )
        return Handled(silence=True)

    async def user_typing(self, conversation_id: str, *, typing: bool = True) -> None:
        """Show agents that the customer is typing, where the helpdesk can; best effort, never repeated."""
        handoff = self._turns.current(conversation_id)
        if handoff is None or not handoff.open or handoff.session is None:
            return
        connection = self._turns.connections[handoff.connection]
        if connection.capabilities.typing:
            author = Author.user(handoff.external_user or handoff.user)
            try:
                await connection.send_typing(handoff.session, author=author, typing=typing)
            except HitlError:
                return  # whoever did not see it loses nothing

    async def stop_hitl(self, conversation_id: str, reason: StopReason | str = StopReason.BOT_RESOLVED) -> None:
        """Take a conversation back; without an open hand-off this does nothing (behaviour S101).

        :raises InvalidRequestError: the reason is unknown.
        """
        known = reason_of(reason)
        handoff = self._turns.current(conversation_id)
        if handoff is not None:
            self._turns.apply(handoff.id, StopRequested(reason=known))

    def handoff(self, conversation_id: str) -> Handoff | None:
        """Return the latest hand-off of a conversation."""
        return self._turns.current(conversation_id)

    def owner(self, conversation_id: str) -> Owner:
        """Say who answers the customer now; ask right before the bot speaks."""
        handoff = self._turns.current(conversation_id)
        return Owner.BOT if handoff is None else handoff.owner

    # The helpdesk's side --------------------------------------------------------------------------------------

    async def receive_webhook(
        self,
        connection: str,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        body: bytes,
        method: str = "POST",
        path: str = "/",
        query: Mapping[str, str] | None = None,
    ) -> Receipt:
        """Prove and remember a delivery, and say what to answer; the work is done afterwards.

        :param body: the raw bytes as received.
        """
        intake = self._turns.intakes[self._connection(connection).key]
        return intake.receive(headers=headers, body=body, method=method, path=path, query=query)

    async def reconcile(self) -> None:
        """Read all open sessions: what was lost on the way is found in the vendor's record (behaviour F13)."""
        await self._turns.reconcile()

    async def _reconcile_for_ever(self, seconds: float) -> None:
        while True:
            await self._clock.sleep(seconds)
            await self.reconcile()

    async def open_attachment(
        self, connection: str, ref: AttachmentRef, *, max_bytes: int = 25 * 1024 * 1024
    ) -> AttachmentStream:
        """Open a file the helpdesk holds; close the stream when done.

        :param connection: name or key of the connection; see :attr:`Handoff.connection`.
        """
        return await self._connection(connection).open_attachment(ref, max_bytes=max_bytes)

    @property
    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """What did not take place and is not tried any more, oldest first; the last 1000."""
        return tuple(self._turns.dead_letters)

    def _connection(self, name: str | None) -> Connection:
        if name is None and len(self._connections) == 1:
            return next(iter(self._connections.values()))
        found = self._connections.get(name or "") or self._turns.connections.get(name or "")
        if found is None:
            known = ", ".join(self._connections) or "none"
            msg = f"unknown connection {name!r}; known: {known}" if name else f"say which connection; known: {known}"
            raise ConfigurationError(msg)
        return found
