"""One conversation in hand: its hand-offs, its open effects, and what a turn makes of them.

Everything here is synchronous and without I/O: a turn reads what is needed, lets this decide, and writes what has
changed, all in one transaction.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from hitl_core.bridge.engine.classify import frames
from hitl_core.bridge.engine.progress import Advance
from hitl_core.bridge.engine.turns.lanes import Lanes, OpenEffect
from hitl_core.bridge.handoff.decide import decide
from hitl_core.bridge.handoff.decision import Decision
from hitl_core.bridge.handoff.effects import AnyEffect, ReadSession, StartSession, TellCustomer, WatchStart
from hitl_core.bridge.handoff.inputs import (
    AgentEvent,
    AnyInput,
    EffectDone,
    EffectFailed,
    Failure,
    SessionRead,
    StartRequested,
    TimerFired,
)
from hitl_core.bridge.handoff.records import Handoff, Phase
from hitl_core.bridge.policy import Policy
from hitl_core.bridge.store.tables import EffectState, InputState
from hitl_core.events import SessionEvent
from hitl_core.sessions import HitlSession, SessionRef

__all__ = ["Conversation", "GivenInput", "Letter", "MessageLink", "Outcome", "SessionLink", "is_on"]

logger = logging.getLogger(__name__)

_NOT_FOR_DECIDING: Final = frozenset({"tell_customer", "notify_bot", "resume", "watch_start"})


@dataclass(frozen=True, slots=True)
class GivenInput:
    """An input as it was kept.

    :param input: ``None`` when it cannot be read by this version; ``detail`` says why.
    """

    position: int
    key: str
    kind: str
    input: AnyInput | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an input.

    :param outcome: what it started, why it was ignored, or ``"applied"``.
    """

    position: int
    key: str
    state: InputState
    handoff_id: str | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter to be written.

    :param position: of the input; effects are found by their key.
    """

    source: str
    key: str
    kind: str
    failure: Failure
    detail: str
    handoff_id: str | None = None
    connection: str | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class MessageLink:
    """A message on both sides."""

    session: SessionRef
    direction: str
    vendor_id: str
    key: str
    message_id: str | None = None


@dataclass(slots=True)
class SessionLink:
    """A session that belongs to this conversation."""

    session: HitlSession
    cursor: str | None = None


@dataclass(eq=False)
class Conversation:
    """A conversation whose turn is ours.

    :ivar fence: grows whenever the turn changes hands.
    :ivar current: id of its latest hand-off.
    :ivar handoffs: those that are needed: the latest, those with open effects, those an input is about.
    :ivar updates: when its sessions were written to of late, by id, where the helpdesk counts that.
    """

    id: str
    fence: int
    current: str | None = None
    handoffs: dict[str, Handoff] = field(default_factory=dict)
    lanes: Lanes = field(default_factory=Lanes)
    updates: dict[str, deque[datetime]] = field(default_factory=dict)
    # What the turn has to write:
    before: dict[str, Handoff | None] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    message_links: list[MessageLink] = field(default_factory=list)
    session_links: dict[tuple[str, str], SessionLink] = field(default_factory=dict)
    wanted: set[SessionRef] = field(default_factory=set)
    released: set[str] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Begin a turn: nothing is to be written yet."""
        self.before.clear()
        self.outcomes.clear()
        self.letters.clear()
        self.message_links.clear()
        self.session_links.clear()
        self.wanted.clear()
        self.released.clear()
        self.unreadable.clear()
        self.lanes.changed.clear()

    def forget_what_is_over(self) -> None:
        """Keep no hand-off in memory that is neither the latest nor has open effects."""
        needed = {self.current, *(effect.handoff_id for effect in self.lanes)}
        for id_ in self.handoffs.keys() - needed:
            del self.handoffs[id_]

    @property
    def handoff(self) -> Handoff | None:
        """The latest hand-off."""
        return self.handoffs.get(self.current) if self.current else None

    # Inputs ---------------------------------------------------------------------------------------------------

    def take(self, given: GivenInput, policy: Policy, now: datetime) -> None:
        """Decide on one input; an error in deciding costs this input alone (guarantee 5)."""
        if given.input is None:
            self._dead_input(given, None, given.detail)
            return
        handoff, asked = self._routed(given.input)
        try:
            if isinstance(asked, StartRequested) and (earlier := self._by_key(asked.key)) is not None:
                self._settle(given, earlier.id, "replay")
                return
            # Whoever found the timer due may have a clock a little ahead of ours.
            decision = decide(handoff, asked, policy, max(now, asked.due) if isinstance(asked, TimerFired) else now)
        except Exception as error:  # noqa: BLE001 - it costs this input alone
            _log(f"conversation {self.id}", given.key, error)
            self._dead_input(given, handoff.id if handoff else None, f"deciding raised {type(error).__name__}")
            return
        self.apply(decision)
        after = decision.handoff
        told = decision.start or (f"ignored: {decision.ignored}" if decision.ignored else "applied")
        self._settle(given, after.id if after is not None else None, told)

    def _routed(self, input: AnyInput) -> tuple[Handoff | None, AnyInput]:
        """Find the hand-off an input is about."""
        match input:
            case AgentEvent(event=event):
                session = event.session if isinstance(event, SessionEvent) else None
                handoff = self._by_session(session)
                return handoff, self._superseded(handoff, input)
            case SessionRead(session=session):
                handoff = self._by_session(session)
                return handoff, self._superseded(handoff, input)
            case TimerFired(handoff_id=handoff_id):
                return self.handoffs.get(handoff_id), input
            case _:
                return self.handoff, input

    def _superseded(self, handoff: Handoff | None, input: AgentEvent | SessionRead) -> AnyInput:
        if handoff is not None and handoff.id != self.current:
            return input.model_copy(update={"superseded": True})
        return input

    def _by_session(self, session: SessionRef | None) -> Handoff | None:
        """Return the open hand-off of a session, else its latest; before there is one, the one that is starting."""
        latest = self.handoff
        if session is None or (latest is not None and is_on(latest, session)):
            return latest
        of_it = [one for one in self.handoffs.values() if is_on(one, session)]
        starting = latest if latest is not None and latest.session is None else None
        return max(of_it, key=lambda one: (one.open, one.started_at), default=starting)

    def _by_key(self, key: str) -> Handoff | None:
        return next((one for one in self.handoffs.values() if one.key == key), None)

    def _settle(self, given: GivenInput, handoff_id: str | None, outcome: str) -> None:
        self.outcomes.append(Outcome(given.position, given.key, InputState.DONE, handoff_id, outcome))

    def _dead_input(self, given: GivenInput, handoff_id: str | None, detail: str) -> None:
        self.outcomes.append(Outcome(given.position, given.key, InputState.DEAD, handoff_id, "dead letter"))
        self.letters.append(
            Letter("input", given.key, given.kind, Failure.REFUSED, detail, handoff_id, position=given.position)
        )

    # Decisions ------------------------------------------------------------------------------------------------

    def apply(self, decision: Decision) -> None:
        """Take over what was decided."""
        after = decision.handoff
        if after is not None:
            known = self.handoffs.get(after.id)
            if known is not after:
                self.before.setdefault(after.id, known)
                self.handoffs[after.id] = after
                if after.session is not None and (known is None or known.session != after.session):
                    self._link(after.session)
            if known is None:
                self.current = after.id
            if known is not None and known.phase is Phase.STARTING and after.phase is not Phase.STARTING:
                self.released.add(after.connection)
        self.lanes.cancel(decision.cancelled)
        handoff_id = after.id if after is not None else (self.current or "")
        for effect in decision.effects:
            self._add(effect, handoff_id)

    def _add(self, effect: AnyEffect, handoff_id: str) -> None:
        if isinstance(effect, ReadSession):
            self.wanted.add(effect.session)
        else:
            # An effect belongs to the hand-off its key names: one decision may end one and begin another.
            owner = effect.key.partition(":")[0]
            self.lanes.add(OpenEffect(effect, owner if owner in self.handoffs else handoff_id))

    def _link(self, session: HitlSession, cursor: str | None = None) -> None:
        key = (session.ref.connection, session.ref.id)
        known = self.session_links.get(key)
        if known is None:
            self.session_links[key] = SessionLink(session, cursor)
            self.wanted.add(session.ref)
        elif cursor is not None:
            known.cursor = known.cursor or cursor

    # Attempts -------------------------------------------------------------------------------------------------

    def took(self, effect: OpenEffect, came: Advance, policy: Policy, now: datetime) -> None:
        """Take in what an attempt came to."""
        effect.progress = came.progress
        began_at = effect.attempting_at or now
        if came.session is not None and isinstance(effect.effect, StartSession | WatchStart):
            self._link(came.session, came.cursor)
        self._remember(effect, came)
        if came.dead is not None:
            self._letter(effect, came.dead)
        match came.verdict:
            case "again":
                effect.state = EffectState.WAITING
                effect.not_before = _later(now, came.wait)
                effect.attempts -= came.goes_on  # what follows is no other try
                if effect.unwanted and not effect.may_have_happened:
                    self._finish(effect, EffectState.CANCELLED)
                else:
                    self.lanes.touch(effect)
            case "done":
                self._finish(effect, EffectState.DONE)
            case "failed":
                self._fail(effect, came)
        report = came.report
        if report is not None and (effect.effect.kind not in _NOT_FOR_DECIDING or report.key != effect.key):
            self._report(effect, report, policy, now)
        if came.verdict == "failed" and came.session is not None and isinstance(effect.effect, StartSession):
            # It stopped half-way: what exists is an orphan, and the hand-off knows what to do with those (F03).
            orphan = EffectDone(key=effect.key, session=came.session, external_user=came.progress.user)
            self._tell(effect.handoff_id, orphan, policy, now)
        if came.state is not None and came.session is not None:
            read = SessionRead(session=came.session.ref, state=came.state, began_at=began_at)
            routed = self._by_session(came.session.ref)
            if routed is not None:
                self._decide(routed, read, policy, now)

    def _finish(self, effect: OpenEffect, state: EffectState) -> None:
        for member in effect.members:
            self.lanes.settle(member, state)
        self.lanes.settle(effect, state)

    def _fail(self, effect: OpenEffect, came: Advance) -> None:
        report = came.report
        if isinstance(report, EffectFailed):
            for one in (effect, *effect.members):
                one.failure, one.detail = report.failure.value, report.detail
            if report.failure is not Failure.CLOSED:
                self._letter(effect, report)
        elif effect.unwanted:
            self._finish(effect, EffectState.CANCELLED)  # it did not take place, and nobody wants it to
            return
        self._finish(effect, EffectState.FAILED)

    def _letter(self, effect: OpenEffect, failed: EffectFailed) -> None:
        self.letters.append(
            Letter(
                "effect",
                failed.key,
                effect.effect.kind,
                failed.failure,
                failed.detail,
                effect.handoff_id,
                effect.connection,
            )
        )

    def give_up_unreadable(self, policy: Policy, now: datetime) -> None:
        """Let hand-offs know of effects that this version cannot read, as if nobody could tell what came of them."""
        for key in self.unreadable:
            report = EffectFailed(key=key, failure=Failure.UNRESOLVED, detail="this version cannot read it")
            self._tell(key.partition(":")[0], report, policy, now)

    def _remember(self, effect: OpenEffect, came: Advance) -> None:
        """Note which messages are one on both sides (behaviour S006, F24)."""
        if came.sent_ids and came.session is not None:
            for id_ in came.sent_ids:
                self.message_links.append(MessageLink(came.session.ref, "out", id_, effect.key))
        what = effect.effect
        if isinstance(what, TellCustomer) and came.verdict == "done" and what.vendor_message_id is not None:
            handoff = self.handoffs.get(effect.handoff_id)
            if handoff is not None and handoff.session is not None:
                self.message_links.append(MessageLink(handoff.session.ref, "in", what.vendor_message_id, what.key))

    def _report(self, effect: OpenEffect, report: EffectDone | EffectFailed, policy: Policy, now: datetime) -> None:
        self._tell(effect.handoff_id, report, policy, now)
        for member in effect.members:
            self._tell(member.handoff_id, report.model_copy(update={"key": member.key}), policy, now)

    def _tell(self, handoff_id: str, report: EffectDone | EffectFailed, policy: Policy, now: datetime) -> None:
        handoff = self.handoffs.get(handoff_id)
        if handoff is not None:
            self._decide(handoff, report, policy, now)

    def _decide(self, handoff: Handoff, input: AnyInput, policy: Policy, now: datetime) -> None:
        asked = self._superseded(handoff, input) if isinstance(input, AgentEvent | SessionRead) else input
        try:
            self.apply(decide(handoff, asked, policy, now))
        except Exception as error:  # noqa: BLE001 - as in take()
            _log(f"hand-off {handoff.id}", input.kind, error)
            key = getattr(input, "key", handoff.id)
            detail = f"deciding raised {type(error).__name__}"
            self.letters.append(Letter("decision", key, input.kind, Failure.REFUSED, detail, handoff.id))

    # What comes next ------------------------------------------------------------------------------------------

    def ready(self, now: datetime, may: Callable[[Conversation, OpenEffect], bool]) -> Iterable[OpenEffect]:
        """Return what is to be attempted now.

        :param may: whether there is room for it, and its account is not paused; asked last, once for each.
        """
        for effect in self.lanes.waiting():
            if (effect.not_before is None or effect.not_before <= now) and may(self, effect):
                yield effect

    def wake_at(self, now: datetime) -> datetime | None:
        """Return when a waiting effect wants to be looked at, later than now.

        ``None`` when only inputs, attempts or room can change anything.
        """
        times = [effect.not_before for effect in self.lanes.waiting() if effect.not_before is not None]
        return min((time for time in times if time > now), default=None)


def is_on(handoff: Handoff, session: SessionRef) -> bool:
    """Whether a session is the hand-off's, or was merged into it."""
    return (handoff.session is not None and handoff.session.ref == session) or session in handoff.moved_from


def _log(what: str, about: str, error: Exception) -> None:
    """Log a mistake of ours without the error's own words: they may quote a customer."""
    logger.error("%s: deciding on %s failed with %s\n%s", what, about, type(error).__name__, frames(error))


def _later(now: datetime, wait: float) -> datetime | None:
    return now + timedelta(seconds=wait) if wait > 0 else None
