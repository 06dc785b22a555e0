"""Whose turn it is: records in memory, inputs in, effects out to the lanes.

A turn is one synchronous call: nothing else runs between reading a record and writing it back, and every effect of a
turn is in its lane before anybody can see the new record.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hitl_core.bridge.desk_side import DeadLetter, DeskSide
from hitl_core.bridge.effects import CustomerEffect, DeskEffect, Effect, NotifyBot, Resume, StartSession, TellCustomer
from hitl_core.bridge.host import Host, Notice
from hitl_core.bridge.host_side import HostSide
from hitl_core.bridge.inputs import AgentEvent, EffectDone, EffectFailed, Failure, Input, StartRequested, TimerFired
from hitl_core.bridge.intake import Intake
from hitl_core.bridge.lanes import Lane, Tasks
from hitl_core.bridge.links import Link, Links
from hitl_core.bridge.machine import Decision, StartOutcome, decide, state_events
from hitl_core.bridge.policy import Policy
from hitl_core.bridge.records import Handoff, Phase
from hitl_core.calls import SessionState
from hitl_core.clock import Clock
from hitl_core.connection import Connection
from hitl_core.events import AgentTyping, AnyEvent

__all__ = ["Turns"]

logger = logging.getLogger(__name__)

_ENDED_KEPT: Final = 1000
_DEAD_KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class _DeskJob:
    handoff_id: str
    effect: DeskEffect

    @property
    def key(self) -> str:
        return self.effect.key


@dataclass(frozen=True, slots=True)
class _CustomerJob:
    conversation_id: str
    handoff_id: str
    effect: CustomerEffect

    @property
    def key(self) -> str:
        return self.effect.key


@dataclass
class _Conversation:
    """A conversation: its hand-offs by start key, the latest of them, and the lane towards its customer."""

    lane: Lane[_CustomerJob]
    current: str | None = None
    keys: dict[str, str] = field(default_factory=dict)


@dataclass
class _Running:
    """What belongs to a hand-off besides its record."""

    lane: Lane[_DeskJob]
    started: asyncio.Event = field(default_factory=asyncio.Event)
    timers: dict[str, tuple[datetime, asyncio.Task[None] | None]] = field(default_factory=dict)
    start_failure: tuple[Failure, str] | None = None


class Turns:
    """The records of all hand-offs, and everything that acts on them."""

    def __init__(
        self, connections: Iterable[Connection], host: Host, *, policy: Policy, clock: Clock, start_patience: float
    ) -> None:
        self.connections = {connection.key: connection for connection in connections}
        self.tasks = Tasks()
        self.dead_letters: deque[DeadLetter] = deque(maxlen=_DEAD_KEPT)
        self._host = host
        self._policy = policy
        self._clock = clock
        self._links = Links()
        self._handoffs: dict[str, Handoff] = {}
        self._running: dict[str, _Running] = {}
        self._conversations: dict[str, _Conversation] = {}
        self._ended: deque[str] = deque()
        self._starting: dict[str, str] = {}
        self._unsettled: dict[str, asyncio.Event] = {}
        self._host_side = HostSide(host, clock=clock, may_resume=self._may_resume, dead=self._dead)
        self._desk_sides = {
            key: DeskSide(
                connection,
                clock=clock,
                links=self._links,
                report=self._report,
                compare=self._compare,
                dead=self._dead,
                start_patience=start_patience,
            )
            for key, connection in self.connections.items()
        }
        self.intakes = {
            key: Intake(
                connection,
                clock=clock,
                links=self._links,
                tasks=self.tasks,
                take=self._take,
                compare=self._compare,
                starting=lambda key=key: key in self._starting.values(),  # type: ignore[misc]  # a default binds it
                dead=self._dead,
            )
            for key, connection in self.connections.items()
        }

    # Reading --------------------------------------------------------------------------------------------------

    def handoff(self, handoff_id: str) -> Handoff | None:
        """Return a hand-off."""
        return self._handoffs.get(handoff_id)

    def current(self, conversation_id: str) -> Handoff | None:
        """Return the latest hand-off of a conversation."""
        conversation = self._conversations.get(conversation_id)
        return self._handoffs.get(conversation.current) if conversation and conversation.current else None

    def took_in(self, conversation_id: str, message_id: str) -> bool:
        """Whether a customer's message was taken in by a hand-off, so that a repeat of it is not the bot's either."""
        handoff = self.current(conversation_id)
        return handoff is not None and f"user:{message_id}" in handoff.seen

    def started(self, handoff_id: str) -> asyncio.Event:
        """Return what is set once a hand-off is not starting any more."""
        return self._running[handoff_id].started

    def start_failure(self, handoff_id: str) -> tuple[Failure, str] | None:
        """Say why a start failed."""
        running = self._running.get(handoff_id)
        return running.start_failure if running else None

    def _may_resume(self, conversation_id: str) -> bool:
        handoff = self.current(conversation_id)
        return handoff is None or not handoff.open

    # Turns ----------------------------------------------------------------------------------------------------

    def start(self, request: StartRequested) -> tuple[Handoff, StartOutcome]:
        """Take in a start; say which hand-off it made or found."""
        conversation = self._conversations.get(request.conversation_id)
        earlier = self._handoffs.get(conversation.keys.get(request.key, "")) if conversation else None
        if earlier is not None:
            return earlier, "replay"
        decision = decide(self.current(request.conversation_id), request, self._policy, self._clock.now())
        assert decision.handoff is not None and decision.start is not None  # noqa: S101, PT018 - for the type checker
        if decision.start == "starting":
            self._starting[decision.handoff.id] = decision.handoff.connection
            self._commit(decision.handoff, decision)
        return decision.handoff, decision.start

    def apply(self, handoff_id: str, input: Input) -> None:
        """Take in anything else that happens to a hand-off."""
        handoff = self._handoffs.get(handoff_id)
        if handoff is None:
            return
        try:
            decision = decide(handoff, input, self._policy, self._clock.now())
        except Exception as error:
            kind = type(error).__name__
            logger.exception("hand-off %s: deciding on %s failed", handoff_id, input.kind)
            self._dead(DeadLetter(handoff_id, input.kind, handoff_id, Failure.REFUSED, f"decide raised {kind}"))
            return
        if decision.handoff is not None:
            self._commit(decision.handoff, decision)

    def _commit(self, handoff: Handoff, decision: Decision) -> None:
        before = self._handoffs.get(handoff.id)
        self._handoffs[handoff.id] = handoff
        running = self._running.get(handoff.id)
        conversation = self._conversation(handoff.conversation_id)
        if running is None:
            running = self._running[handoff.id] = _Running(Lane(self._run_desk, self.tasks))
            conversation.current = handoff.id
            conversation.keys[handoff.key] = handoff.id
            if handoff.session is not None:
                self._links.add(handoff.session, handoff.id)
        for key in running.lane.cancel(decision.cancelled):
            self._settled(key)
        self._enqueue(handoff, running, conversation, decision.effects)
        if handoff.phase is not Phase.STARTING:
            running.started.set()
        self._arm(handoff, running)
        if not handoff.open and (before is None or before.open):
            self._forget_oldest(handoff.id)

    def _enqueue(
        self, handoff: Handoff, running: _Running, conversation: _Conversation, effects: Iterable[Effect]
    ) -> None:
        for effect in effects:
            self._unsettled[effect.key] = asyncio.Event()
            match effect:
                case TellCustomer() | NotifyBot() | Resume():
                    conversation.lane.put([_CustomerJob(handoff.conversation_id, handoff.id, effect)])
                case _:
                    running.lane.put([_DeskJob(handoff.id, effect)])

    def _conversation(self, conversation_id: str) -> _Conversation:
        found = self._conversations.get(conversation_id)
        if found is None:
            found = self._conversations[conversation_id] = _Conversation(Lane(self._run_customer, self.tasks))
        return found

    def _forget_oldest(self, handoff_id: str) -> None:
        """Keep a bounded number of ended hand-offs: late messages are rare and need only the last ones."""
        self._ended.append(handoff_id)
        while len(self._ended) > _ENDED_KEPT:
            oldest = self._ended.popleft()
            handoff = self._handoffs.pop(oldest)
            self._running.pop(oldest)
            if handoff.session is not None:
                self._links.forget(handoff.session, oldest)
            conversation = self._conversations[handoff.conversation_id]
            conversation.keys.pop(handoff.key, None)
            if conversation.current == oldest and conversation.lane.idle:
                del self._conversations[handoff.conversation_id]

    # Lanes ----------------------------------------------------------------------------------------------------

    async def _run_desk(self, job: _DeskJob) -> None:
        handoff = self._handoffs.get(job.handoff_id)
        running = self._running.get(job.handoff_id)
        if handoff is None or running is None:
            return
        effect = job.effect

        def wanted() -> bool:
            if isinstance(effect, StartSession):
                now = self._handoffs.get(job.handoff_id)
                return now is not None and now.open
            return not running.lane.is_cancelled(effect.key)

        try:
            await self._after(effect)
            await self._desk_sides[handoff.connection].run(job.handoff_id, wanted, effect)
        finally:
            self._settled(effect.key)
            if isinstance(effect, StartSession):
                self._start_is_over(job.handoff_id)

    async def _run_customer(self, job: _CustomerJob) -> None:
        try:
            await self._after(job.effect)
            await self._host_side.run(job.conversation_id, job.handoff_id, job.effect)
        finally:
            self._settled(job.effect.key)

    async def _after(self, effect: Effect) -> None:
        for key in effect.after:
            if key in self._unsettled:
                await self._unsettled[key].wait()

    def _settled(self, key: str) -> None:
        event = self._unsettled.pop(key, None)
        if event is not None:
            event.set()

    def _report(self, handoff_id: str, outcome: EffectDone | EffectFailed) -> None:
        """Take in what became of an effect."""
        self._settled(outcome.key)
        before = self._handoffs.get(handoff_id)
        self.apply(handoff_id, outcome)
        after = self._handoffs.get(handoff_id)
        if before is not None and before.session is None and after is not None and after.session is not None:
            self._start_is_over(handoff_id)
            link = self._links.get(after.session.ref)
            if link is not None:
                self.intakes[after.connection].pull(link)  # what happened before the link was made

    def _start_is_over(self, handoff_id: str) -> None:
        connection = self._starting.pop(handoff_id, None)
        if connection is not None:
            self.intakes[connection].release()

    def _dead(self, letter: DeadLetter) -> None:
        logger.error("%s %s was given up (%s): %s", letter.kind, letter.key, letter.failure, letter.detail)
        self.dead_letters.append(letter)
        running = self._running.get(letter.handoff_id or "")
        if letter.kind == "start_session" and running is not None:
            running.start_failure = (letter.failure, letter.detail)

    # Timers ---------------------------------------------------------------------------------------------------

    def _arm(self, handoff: Handoff, running: _Running) -> None:
        for name, (due, task) in list(running.timers.items()):
            if handoff.timers.get(name) != due:
                del running.timers[name]
                if task is not None and task is not asyncio.current_task():
                    task.cancel()
        for name, due in handoff.timers.items():
            if name not in running.timers:
                running.timers[name] = (due, self.tasks.wait(self._timer(handoff.id, name, due)))

    async def _timer(self, handoff_id: str, name: str, due: datetime) -> None:
        while (left := (due - self._clock.now()).total_seconds()) > 0:
            await self._clock.sleep(left)
        self.apply(handoff_id, TimerFired(name=name, due=due))

    # Helpdesk -------------------------------------------------------------------------------------------------

    def _owning(self, link: Link) -> Handoff | None:
        """Return the open hand-off of a session, else its latest."""
        all_of_it = [found for id_ in link.handoff_ids if (found := self._handoffs.get(id_)) is not None]
        return next((one for one in all_of_it if one.open), all_of_it[-1] if all_of_it else None)

    def _take(self, link: Link, event: AnyEvent) -> None:
        handoff = self._owning(link)
        if handoff is None:
            return
        latest = self.current(handoff.conversation_id)
        superseded = latest is not None and latest.id != handoff.id
        if isinstance(event, AgentTyping):
            if handoff.open:
                self.tasks.work(self._typing(handoff, event))
            return
        self.apply(handoff.id, AgentEvent(event=event, superseded=superseded))

    async def _typing(self, handoff: Handoff, event: AgentTyping) -> None:
        """Show an agent's typing, past all lanes; best effort."""
        notice = Notice(conversation_id=handoff.conversation_id, handoff_id=handoff.id, event=event)
        try:
            await self._host.notify(notice, key=event.event_id)
        except Exception as error:  # noqa: BLE001 - the host is somebody else's code
            logger.debug("the host did not take a typing event (%s)", type(error).__name__)

    def _compare(self, link: Link, state: SessionState) -> None:
        handoff = self._owning(link)
        for event in state_events(handoff, state) if handoff is not None else ():
            self._take(link, event)

    async def reconcile(self) -> None:
        """Read all open sessions."""
        for handoff in [one for one in self._handoffs.values() if one.open and one.session is not None]:
            link = self._links.get(handoff.session.ref) if handoff.session is not None else None
            intake = self.intakes[handoff.connection]
            if link is not None and intake.connection.capabilities.pull:
                await intake.read(link)
