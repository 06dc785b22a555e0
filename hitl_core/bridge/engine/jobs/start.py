"""Opening a session: the customer found or made, the steps of the opening, what it could not carry (behaviour F03)."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, Literal

from hitl_core.bridge.engine.classify import classify, describe
from hitl_core.bridge.engine.jobs.parts import PartWrite
from hitl_core.bridge.engine.jobs.users import Users
from hitl_core.bridge.engine.jobs.writes import Unwritten, Waiting, Write, Written, find_out, grown, take
from hitl_core.bridge.engine.progress import Advance, Directory, Progress
from hitl_core.bridge.handoff.effects import StartSession
from hitl_core.bridge.handoff.inputs import EffectDone, EffectFailed, Failure
from hitl_core.calls import Finding, Found, StartedSession, StartPlan
from hitl_core.clock import Clock
from hitl_core.connection import Connection
from hitl_core.errors import HitlError
from hitl_core.people import ExternalUser

__all__ = ["StartJob", "StartWrite"]

logger = logging.getLogger(__name__)


class StartWrite(Write[StartedSession]):
    """One step of an opening."""

    def __init__(
        self, connection: Connection, directory: Directory, plan: StartPlan, progress: Progress, *, patience: float
    ) -> None:
        super().__init__(connection, patience=patience, holds=False)
        self._directory = directory
        self._plan = plan
        self._resume: dict[str, Any] | None = progress.resume
        self._step = progress.step

    @property
    def findable(self) -> bool:
        """Whether the helpdesk can be searched for it."""
        return self.connection.capabilities.find_session

    @property
    def keyed(self) -> bool:
        """Whether the helpdesk honours its key."""
        return "start_hitl" in self.connection.capabilities.idempotent

    async def attempt(self) -> StartedSession:
        """Take the step."""
        return await self.connection.begin(self._plan, resume=self._resume, step=self._step)

    async def find(self, sent_after: datetime) -> Finding:
        """Look for it among the sessions that are not accounted for."""
        known = await self._directory.session_ids(self.connection.key)
        return await self.connection.find_session(
            self._plan, sent_after=sent_after, known_ids=known, resume=self._resume, step=self._step
        )

    def found(self, finding: Found) -> StartedSession | None:
        """Read it out of what was found."""
        started = finding.started
        return None if started is None or (started.session is None and started.resume is None) else started


class StartJob:
    """Carries out :class:`~hitl_core.bridge.handoff.effects.StartSession`.

    :param patience: seconds an opening is tried for, all its steps together.
    :param part_patience: seconds a piece of history is tried for once the session is open.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        directory: Directory,
        clock: Clock,
        users: Users,
        patience: float,
        part_patience: float,
    ) -> None:
        self._connection = connection
        self._directory = directory
        self._clock = clock
        self._users = users
        self._patience = patience
        self._part_patience = part_patience

    async def advance(self, effect: StartSession, progress: Progress, conversation_id: str, handoff_id: str) -> Advance:
        """Settle the customer and the plan, or take the next step, or send the next piece of history."""
        if progress.reported:
            return await self._follow_up(effect, progress)
        if progress.plan is None or progress.user is None:
            return await self._prepare(effect, progress, conversation_id)
        match await take(self._write(progress.plan, progress), progress, self._clock):
            case Written(started):
                return self._started(effect, progress, started, handoff_id)
            case Waiting(progress, wait, hold):
                return Advance(progress=progress, verdict="again", wait=wait, hold=hold)
            case Unwritten() as lost:
                return self._failed(effect, lost)

    async def resolve(self, effect: StartSession, progress: Progress, handoff_id: str) -> Advance:
        """Find out whether there is a session, however far its opening has come: it has to be closed."""
        if progress.reported:
            return Advance(progress=progress, verdict="done")
        if progress.session is None and progress.plan is not None:
            match await find_out(self._write(progress.plan, progress), progress, self._clock):
                case None:
                    progress = grown(progress, unclear_since=None)
                case Written(started):
                    self._warn(started, handoff_id)
                    progress = self._taken(progress, started)
                case Waiting(progress, wait, hold):
                    return Advance(progress=progress, verdict="again", wait=wait, hold=hold)
                case Unwritten() as lost:
                    return self._failed(effect, lost)
        if progress.session is None:
            return Advance(progress=progress, verdict="failed")
        progress = grown(progress, reported=True, plan=None, resume=None)
        return self._exists(effect, progress, "done")

    # Before it ------------------------------------------------------------------------------------------------

    async def _prepare(self, effect: StartSession, progress: Progress, conversation_id: str) -> Advance:
        came = await self._users.settle(effect.user, conversation_id, progress, patience=self._patience, holds=False)
        match came:
            case Written(user):
                pass
            case Waiting(progress, wait, hold):
                return Advance(progress=progress, verdict="again", wait=wait, hold=hold)
            case Unwritten() as lost:
                return self._failed(effect, lost)
        began_at = progress.began_at or self._clock.now()
        try:
            plan = self._plan(effect, user)
        except HitlError as error:
            # A wrong option or relay strategy; nothing is the matter with the account.
            failure = Failure.UNAVAILABLE if classify(error) is Failure.UNAVAILABLE else Failure.REFUSED
            return self._failed(effect, Unwritten(progress, failure, describe(error)))
        return Advance(progress=Progress(began_at=began_at, user=user, plan=plan), verdict="again")

    def _plan(self, effect: StartSession, user: ExternalUser) -> StartPlan:
        content = effect.content
        return self._connection.plan_start(
            user=user,
            title=content.title,
            description=content.description,
            history=content.history,
            options=content.options,
            relay=content.relay,
            external_id=effect.conversation_id,
            previous=content.previous,
            idempotency_key=effect.key,
        )

    # The session ----------------------------------------------------------------------------------------------

    def _write(self, plan: StartPlan, progress: Progress) -> StartWrite:
        return StartWrite(self._connection, self._directory, plan, progress, patience=self._patience)

    def _started(self, effect: StartSession, progress: Progress, started: StartedSession, handoff_id: str) -> Advance:
        self._warn(started, handoff_id)
        plan = progress.plan
        progress = self._taken(progress, started)
        if progress.resume is not None:
            return Advance(progress=progress, verdict="again", session=progress.session)
        assert plan is not None  # noqa: S101 - there was a step; it tells the type checker
        # What carried the opening is not needed any more, and may be long.
        progress = Progress(
            began_at=self._clock.now(),
            user=progress.user,
            session=progress.session,
            started=progress.started,
            parts=self._connection.follow_ups(plan, started),
            reported=True,
        )
        return self._exists(effect, progress, "again" if progress.parts else "done")

    def _taken(self, progress: Progress, started: StartedSession) -> Progress:
        """Note what a step gave, together with what the steps before it gave."""
        before = progress.started
        if before is not None:
            started = started.model_copy(
                update={"ids": (*before.ids, *started.ids), "cursor": started.cursor or before.cursor}
            )
        return grown(
            progress,
            failures=0,
            unclear_since=None,
            step=progress.step + 1,
            resume=started.resume,
            session=started.session or progress.session,
            started=started,
        )

    def _exists(self, effect: StartSession, progress: Progress, verdict: Literal["again", "done"]) -> Advance:
        started = progress.started
        return Advance(
            progress=progress,
            verdict=verdict,
            report=EffectDone(key=effect.key, session=progress.session, external_user=progress.user),
            session=progress.session,
            sent_ids=started.ids if started is not None else (),
            cursor=started.cursor if started is not None else None,
        )

    def _failed(self, effect: StartSession, lost: Unwritten) -> Advance:
        """Give up. A session that exists by then is an orphan, for the engine to close."""
        progress, failure = lost.progress, lost.failure
        if failure is Failure.CLOSED and progress.session is None:
            failure = Failure.REFUSED  # something it needs is missing; no session has ended
        report = EffectFailed(key=effect.key, failure=failure, detail=lost.detail)
        return Advance(progress=progress, verdict="failed", report=report, session=progress.session, hold=lost.hold)

    def _warn(self, started: StartedSession, handoff_id: str) -> None:
        for warning in started.warnings:
            logger.warning("hand-off %s: %s", handoff_id, warning)

    # After it -------------------------------------------------------------------------------------------------

    async def _follow_up(self, effect: StartSession, progress: Progress) -> Advance:
        """Send a piece of history; one that is refused does not stop what the customer has to say now."""
        if progress.sent >= len(progress.parts):
            return Advance(progress=progress, verdict="done")
        part = progress.parts[progress.sent]
        write = PartWrite(self._connection, self._directory, part, patience=self._part_patience)
        number = progress.sent + 1
        verdict: Literal["again", "done"] = "again" if number < len(progress.parts) else "done"
        following = grown(progress, sent=number, failures=0, unclear_since=None, began_at=self._clock.now())
        match await take(write, progress, self._clock):
            case Written(sent):
                return Advance(
                    progress=following,
                    verdict=verdict,
                    sent_ids=sent.ids,
                    session=progress.session,
                    state=sent.state,
                )
            case Waiting(progress, wait, hold):
                return Advance(progress=progress, verdict="again", wait=wait, hold=hold)
            case Unwritten(progress, Failure.CLOSED, detail):
                # Without a session: it is known, and nobody has to close it any more.
                report = EffectFailed(key=effect.key, failure=Failure.CLOSED, detail=detail)
                return Advance(progress=progress, verdict="failed", report=report)
            case Unwritten(_, failure, detail):
                dead = EffectFailed(key=part.key, failure=failure, detail=detail)
                return Advance(progress=following, verdict=verdict, dead=dead)
