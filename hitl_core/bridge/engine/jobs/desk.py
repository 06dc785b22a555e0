"""Towards the helpdesk: carrying out the effects of the desk lane over one connection, one write a call.

Each call of :meth:`DeskJobs.advance` takes one step and says what it came to; the caller commits that, waits as long
as it is asked to, and calls again. Nothing is kept here between two calls.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeAlias

from hitl_core.bridge.engine.classify import describe, frames, is_stray
from hitl_core.bridge.engine.jobs.merging import may_join, merge_count, mergeable, merged_key, merged_message
from hitl_core.bridge.engine.jobs.send import SendJob
from hitl_core.bridge.engine.jobs.start import StartJob
from hitl_core.bridge.engine.jobs.stop import StopJob
from hitl_core.bridge.engine.jobs.users import Users
from hitl_core.bridge.engine.jobs.watch import WatchJob
from hitl_core.bridge.engine.jobs.writes import back_off, grown, since
from hitl_core.bridge.engine.progress import Advance, Directory, Progress
from hitl_core.bridge.handoff.effects import AnyEffect, SendToDesk, StartSession, StopSession, WatchStart
from hitl_core.bridge.handoff.inputs import EffectFailed, Failure
from hitl_core.clock import Clock
from hitl_core.connection import Connection
from hitl_core.errors import HitlError

__all__ = ["DeskJobs"]

logger = logging.getLogger(__name__)

_DeskJob: TypeAlias = StartSession | SendToDesk | StopSession | WatchStart
_PATIENCE: Final = 24 * 3600.0


class DeskJobs:
    """One connection's part of every hand-off.

    :param connection: to be open before, and until after, every call: one that is closed refuses.
    :param start_patience: seconds an opening is tried for.
    :param send_patience: seconds a message or a close is tried for.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        directory: Directory,
        clock: Clock,
        start_patience: float = 30.0,
        send_patience: float = _PATIENCE,
    ) -> None:
        self.connection = connection
        self._clock = clock
        self._patience = send_patience
        users = Users(connection, directory=directory, clock=clock)
        self._sends = SendJob(connection, directory=directory, clock=clock, users=users, patience=send_patience)
        self._stops = StopJob(connection, directory=directory, clock=clock, patience=send_patience)
        self._watches = WatchJob(connection, directory=directory, clock=clock)
        self._starts = StartJob(
            connection,
            directory=directory,
            clock=clock,
            users=users,
            patience=start_patience,
            part_patience=send_patience,
        )

    def plan(self, effect: AnyEffect) -> Progress:
        """Say what an effect consists of, without I/O.

        Planning again gives the same requests under the same keys, so that :meth:`advance` takes a message or a close
        without a plan as well.

        :raises HitlError: it cannot be carried out at all, such as a message that is refused by our own checks.
        """
        match self._ours(effect):
            case SendToDesk() as send:
                return self._sends.plan(send)
            case StopSession() as stop:
                return self._stops.plan(stop)
            case _:
                return Progress()

    # Several messages as one (behaviour F38) ------------------------------------------------------------------

    @property
    def merges(self) -> bool:
        """Whether the account counts updates, so that quick messages should be sent as one."""
        return self.connection.limits.updates is not None

    def mergeable(self, effect: SendToDesk) -> bool:
        """Whether a message may be sent as one with its neighbours."""
        return mergeable(effect)

    def may_join(self, first: SendToDesk, other: SendToDesk) -> bool:
        """Whether a message may be sent as one with ``first``, as far as the two are concerned."""
        return may_join(first, other)

    def merge_count(self, effects: Sequence[SendToDesk]) -> int:
        """Return how many of these, from the first one on, fit into one message of this account: at least 1.

        :raises ValueError: there is none.
        """
        return merge_count(effects, self.connection.limits)

    def plan_merged(self, effects: Sequence[SendToDesk]) -> Progress:
        """Plan several messages as one, to be advanced as the first of them; what it reports is true of all of them.

        Commit who belongs to it before the first attempt, and merge only what was never attempted.

        :raises ValueError: they cannot be sent as one.
        :raises HitlError: as for :meth:`plan`.
        """
        if len(effects) == 1:
            return self._sends.plan(effects[0])
        return self._sends.plan(effects[0], merged_message(effects), merged_key(effects))

    # Carrying out ---------------------------------------------------------------------------------------------

    async def advance(self, effect: AnyEffect, progress: Progress, *, conversation_id: str, handoff_id: str) -> Advance:
        """Take one step: at most one write, and before it one look-up when an earlier one may have taken effect."""
        began = self._clock.now()
        try:
            match self._ours(effect):
                case SendToDesk() as send:
                    return await self._sends.advance(send, progress, conversation_id)
                case StartSession() as start:
                    return await self._starts.advance(start, progress, conversation_id, handoff_id)
                case StopSession() as stop:
                    return await self._stops.advance(stop, progress)
                case WatchStart() as watch:
                    return await self._watches.advance(watch, progress)
        except BaseException as error:  # see stumbled()
            if not isinstance(error, Exception) and not is_stray(error):
                raise
            return self.stumbled(effect, progress, error, began)

    async def resolve(self, effect: AnyEffect, progress: Progress, *, conversation_id: str, handoff_id: str) -> Advance:
        """Find out whether an effect nobody wants any more took place, without writing anything.

        For an effect that was cancelled after its first attempt had begun; call it until the verdict is not ``again``.
        ``done``, with the report: it took place (a session that exists, however far its opening came, is reported so
        that it is closed). ``failed`` without a report: it did not. ``failed`` with one: nobody can tell, after two
        minutes of asking.
        """
        del conversation_id
        began = self._clock.now()
        try:
            match self._ours(effect):
                case SendToDesk() as send:
                    return await self._sends.resolve(send, progress)
                case StartSession() as start:
                    return await self._starts.resolve(start, progress, handoff_id)
                case _:  # a close has nothing to be found, and a watch writes nothing
                    return Advance(progress=progress, verdict="failed")
        except BaseException as error:  # see stumbled()
            if not isinstance(error, Exception) and not is_stray(error):
                raise
            return self.stumbled(effect, progress, error, began)

    def interrupted(self, progress: Progress, attempted_at: datetime) -> Advance:
        """Say where an effect stands whose attempt was begun at that time and never ended, as its process died.

        Its ``wait`` leaves the helpdesk time to show what it may have taken; what needs no look-up ignores it.
        """
        unclear = min(progress.unclear_since or attempted_at, attempted_at)
        progress = grown(progress, began_at=progress.began_at or attempted_at, unclear_since=unclear)
        return Advance(progress=progress, verdict="again", wait=self.connection.limits.settle_seconds)

    def _ours(self, effect: AnyEffect) -> _DeskJob:
        match effect:
            case SendToDesk() | StopSession():
                return effect  # the connection checks the session
            case StartSession() | WatchStart() if effect.connection == self.connection.key:
                return effect
            case StartSession() | WatchStart():
                msg = f"effect {effect.key} is for connection {effect.connection!r}, not for {self.connection.key!r}"
                raise HitlError(msg)
            case _:
                msg = f"{effect.kind!r} is not carried out over a connection"
                raise TypeError(msg)

    def stumbled(self, effect: AnyEffect, progress: Progress, error: BaseException, began: datetime) -> Advance:
        """Go on after what should not have happened: our own database, or a mistake of ours.

        What the helpdesk does is dealt with where it is asked. This is taken as if the process had died instead.

        :param began: when the attempt began that raised the error.
        """
        if isinstance(error, HitlError):
            logger.warning("effect %s: %s", effect.key, error)
        else:
            logger.error("effect %s failed with %s\n%s", effect.key, type(error).__name__, frames(error))
        failures, began_at = progress.failures, progress.began_at or began
        unclear = progress.unclear_since or began
        progress = grown(progress, failures=failures + 1, began_at=began_at, unclear_since=unclear)
        wait = back_off(failures)
        if since(began, began_at) + wait <= self._patience:
            return Advance(progress=progress, verdict="again", wait=wait)
        report = EffectFailed(key=effect.key, failure=Failure.UNRESOLVED, detail=describe(error))
        return Advance(progress=progress, verdict="failed", report=report)
