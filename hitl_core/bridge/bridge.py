"""The bridge: hands conversations over and back, and survives whatever happens meanwhile."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from hitl_core.bridge.engine.attempts import Attempts
from hitl_core.bridge.engine.desk_jobs import DeskJobs
from hitl_core.bridge.engine.directory import StoreDirectory
from hitl_core.bridge.engine.driver import Driver
from hitl_core.bridge.engine.host_jobs import HostJobs
from hitl_core.bridge.engine.intake import Intake
from hitl_core.bridge.engine.lookups import Lookups
from hitl_core.bridge.engine.waiters import Waiters
from hitl_core.bridge.engine.worker import Worker
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
from hitl_core.bridge.host import Handled, Host, Notice, Receipt, StartResult, StartStatus
from hitl_core.bridge.policy import Policy, Route, Routing
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.hints import Hints
from hitl_core.bridge.store.inbox import Inbox
from hitl_core.bridge.store.slots import Slots
from hitl_core.bridge.talking import Sender, Turn
from hitl_core.calls import AttachmentStream
from hitl_core.connection import Connection
from hitl_core.connection.given import end_user_of, history_of, reason_of, title_of
from hitl_core.errors import ConfigurationError, HitlError, InvalidRequestError
from hitl_core.events import AgentTyping, StopReason
from hitl_core.messages import AnyMessage, AttachmentRef
from hitl_core.people import Author, EndUser
from hitl_core.plans import as_message
from hitl_core.sessions import HistoryEntry

__all__ = ["Bridge"]

logger = logging.getLogger(__name__)

_COMMAND_SECONDS: Final = 5.0


class Bridge:
    """Keeps a bot's conversations and a helpdesk's sessions in step.

    Use it with ``async with``, inside that of its connections::

        async with hitl.connect("desk", ...) as desk, Bridge(desk, host, "sqlite:///hitl.db") as bridge:
            await bridge.start_hitl("conv-42", user, "Refund", history=history)

    Whatever a method has taken in is on disk when it returns. What is to be done about it is done afterwards, by this
    process or, on PostgreSQL, by any that runs a bridge on the same database.

    :param connections: open connections, alone or by the name they are called here; all of one tenant.
    :param host: the bot's side.
    :param store: where hand-offs are kept, or its URL.
    :param policy: texts and choices; each start may lay its own over them.
    :param routing: which connections a start tries; without a rule that fits, all of them in the order given.
    :param tenant: whose conversations these are; connections are of the same tenant.
    :param work: ``False`` only takes in and answers: another process does the work.
    :param drive: ``False`` leaves it to :meth:`settle` to do anything at all, for tests that decide when time passes.
    :param reconcile_seconds: how often open sessions are read, for deliveries that were lost; ``None`` for never.
    :param poll_seconds: how often to look for what nobody has told this process of.
    :param lease_seconds: after how long a worker that was not heard of is taken for dead; PostgreSQL only.
    :param start_patience: seconds a start is tried for before the next connection is tried, or the customer is told.
    :param concurrency: attempts at a time, for each connection and for the host.
    :raises ConfigurationError: no connection, or one of another tenant.
    """

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
        directory = StoreDirectory(self.store, self.tenant, worker)
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
        connection: str | Sequence[str] | None = None,
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
        :param connection: name of the connection, or several to try in order; the routes decide when left out.
        :param trigger_message_id: the customer's message that led here: asking again for the same one is a replay.
        :param attempt: another number makes another start out of the same trigger (behaviour F02).
        :param idempotency_key: overrides what is concluded from trigger and attempt.
        :param policy: fields laid over the bridge's policy for this hand-off (behaviour S043).
        :param wait: seconds to wait for the ticket; afterwards the answer is ``starting``.
        :raises ConfigurationError: no such connection, or a policy field is wrong.
        :raises InvalidRequestError: something that was given cannot be taken; nothing was begun.
        :raises StoreError: nothing was begun, or, when the database was lost in the act, ask again with the same
            ``idempotency_key``.
        """
        _named(conversation_id)
        known = end_user_of(user)
        if known is None:
            msg = "user is missing; give a hitl.EndUser, so that agents know whom they talk to"
            raise InvalidRequestError(msg)
        effective = self.policy.with_overrides(policy)
        handoff_id = uuid.uuid4().hex
        derived = f"{conversation_id}:{trigger_message_id}:{attempt}" if trigger_message_id else handoff_id
        given_options = dict(options or {})
        request = StartRequested(
            handoff_id=handoff_id,
            conversation_id=conversation_id,
            connections=self._chain(connection, known, title, given_options),
            key=idempotency_key or derived,
            user=known,
            title=title_of(title),
            description=description,
            history=history_of(history),
            options=given_options,
            relay=relay,
            policy=effective,
            off_hours=effective.is_off_hours(self.store.clock.now()),
            downstream=await self._lookups.is_session(conversation_id, self._by_key),
        )
        key = f"start:{conversation_id}:{request.key}:{handoff_id}"
        return await self._started(conversation_id, key, request, wait)

    async def _started(self, conversation_id: str, key: str, request: StartRequested, wait: float) -> StartResult:
        with self._waiters.watch(key) as watch:
            await self._inbox.accept(conversation_id, key, request, begins=True)
            self._touched([conversation_id])
            await self._driver.settle_if_undriven()
            outcome = await watch.outcome(wait, lambda: self._lookups.outcome(key))
            if outcome is None:
                return StartResult(status="starting")
            handoff_id = outcome.handoff_id
            handoff = await self._lookups.handoff(handoff_id) if handoff_id else None
            if handoff is not None and handoff.phase is Phase.STARTING and outcome.outcome != "already_active":
                handoff = await watch.handoff(handoff, wait, partial(self._lookups.handoff, handoff.id))
        return _result(outcome.outcome, handoff)

    def _chain(
        self, connection: str | Sequence[str] | None, user: EndUser, title: str, options: Mapping[str, Any]
    ) -> tuple[str, ...]:
        if connection is None:
            names = self._routing.choose(_Asked(user, title, options))
        else:
            names = (connection,) if isinstance(connection, str) else tuple(connection)
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
        _named(conversation_id)
        if not message_id:
            msg = "message_id is empty; give the id the host knows the message by, so that a repeat is known"
            raise InvalidRequestError(msg)
        said = UserMessage(
            message_id=message_id, message=as_message(message), author=author or Author.user(), user=user
        )
        taken = await self._inbox.accept_while_open(conversation_id, f"user:{conversation_id}:{message_id}", said)
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
    ) -> Turn:
        """Take one turn of the bot in which it cannot speak over a human; use it with ``async with``.

        :param send: shows the bot's own messages: called with the conversation's id and the message.
        """
        return Turn(self, conversation_id, message, author, message_id=message_id, send=send)

    async def silent(self, conversation_id: str) -> bool:
        """Whether the bot has to be silent; ask right before it speaks."""
        return await self._lookups.speaker(conversation_id) is not Owner.BOT

    async def owner(self, conversation_id: str) -> Owner:
        """Say who answers the customer now."""
        return await self._lookups.speaker(conversation_id)

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
        _named(conversation_id)
        if await self._lookups.current(conversation_id) is None:
            return
        key = f"command:{uuid.uuid4().hex}"
        with self._waiters.watch(key) as watch:
            await self._inbox.accept(conversation_id, key, command)
            self._touched([conversation_id])
            await self._driver.settle_if_undriven()
            await watch.outcome(_COMMAND_SECONDS, lambda: self._lookups.outcome(key))

    async def handoff(self, conversation_id: str) -> Handoff | None:
        """Return the latest hand-off of a conversation."""
        return await self._lookups.current(conversation_id)

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
        """Prove and keep a delivery, and say what to answer; the work is done afterwards (behaviour F21).

        :param connection: name or key of the connection.
        :param body: the raw bytes as received.
        """
        key = self._connection(connection).key
        return await self._intake.receive(key, headers=headers, body=body, method=method, path=path, query=query)

    async def reconcile(self) -> None:
        """Read all open sessions: what was lost on the way is found in the vendor's record (behaviour F13)."""
        await self._lookups.want_all(self.store.clock.now())
        self._intake.wake()
        await self._driver.settle_if_undriven()

    async def open_attachment(
        self, connection: str, ref: AttachmentRef, *, max_bytes: int = 25 * 1024 * 1024
    ) -> AttachmentStream:
        """Open a file the helpdesk holds; close the stream when done.

        :param connection: name or key of the connection; see :attr:`Handoff.connection`.
        """
        return await self._connection(connection).open_attachment(ref, max_bytes=max_bytes)

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


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a route looks at."""

    user: EndUser
    title: str
    options: Mapping[str, Any]


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


def _named(conversation_id: str) -> None:
    if not conversation_id:
        msg = "conversation_id is empty; give the id the host knows the conversation by"
        raise InvalidRequestError(msg)


_REFUSED: Final[dict[str, StartStatus]] = {
    "already_active": "already_active",
    "not_allowed": "not_allowed",
    "off_hours": "unavailable",
}


_FAILED: Final[dict[Failure | None, StartStatus]] = {
    Failure.NOT_ALLOWED: "not_allowed",
    Failure.UNAVAILABLE: "unavailable",
}


def _result(outcome: str, handoff: Handoff | None) -> StartResult:
    """Say what became of a start (behaviour F01)."""
    status: StartStatus
    detail: str | None = None
    if outcome in _REFUSED:
        status = _REFUSED[outcome]
    elif handoff is None:
        status = "failed"
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
