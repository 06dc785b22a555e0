"""Making attempts: what may begin, what it is made of, and carrying it out."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from hitl_core.bridge.engine.classify import classify, describe, frames
from hitl_core.bridge.engine.jobs import DeskJobs, HostJobs
from hitl_core.bridge.engine.progress import Advance, Hold, Progress
from hitl_core.bridge.engine.turns.conversation import Conversation
from hitl_core.bridge.engine.turns.lanes import OpenEffect
from hitl_core.bridge.engine.turns.pacing import Pace
from hitl_core.bridge.handoff.effects import SendToDesk, StartSession, StopSession
from hitl_core.bridge.handoff.inputs import EffectFailed, Failure
from hitl_core.bridge.store.slots import Slots
from hitl_core.bridge.store.tables import EffectState
from hitl_core.clock import Clock
from hitl_core.context import deadline_of_call
from hitl_core.errors import HitlError, StoreError

__all__ = ["Attempts"]

logger = logging.getLogger(__name__)

_HOST: Final = ""
_UNKNOWN_WAIT: Final = 60.0
_HOLD: Final = 60.0


class Attempts:
    """The attempts of one worker.

    :param desks: towards the helpdesks, by connection.
    :param host: towards the bot.
    :param cap: attempts at a time, for each connection and for the host.
    :param slots: by connection: where several workers share the cap, what holds it for all of them.
    :param lease_ends: when this worker has to be taken for dead; nothing begins after that. ``None`` for never.
    """

    def __init__(
        self,
        desks: Mapping[str, DeskJobs],
        host: HostJobs,
        *,
        clock: Clock,
        cap: int = 64,
        slots: Mapping[str, Slots] | None = None,
        lease_ends: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        self._desks = desks
        self._host = host
        self._clock = clock
        self._cap = cap
        self._slots = dict(slots or {})
        self._paces = {
            key: Pace(desk.connection.limits.updates)
            for key, desk in self._desks.items()
            if desk.connection.limits.updates is not None
        }
        self._lease_ends = lease_ends
        self._room: defaultdict[str, int] = defaultdict(lambda: cap)
        self.paused: dict[str, datetime] = {}
        """Accounts that have to be mended, and when they are tried again."""
        self._starved: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """By connection: conversations that wait for room, the longest waiting first."""
        self.closed = False
        """Nothing begins any more."""

    # What may begin -------------------------------------------------------------------------------------------

    def may(self, conversation: Conversation, effect: OpenEffect) -> bool:
        """Whether an effect may begin now; if so, room is taken for it."""
        if self.closed:
            return False
        connection = effect.connection or _HOST
        until = self.paused.get(connection)
        if until is not None and until > self._clock.now() and not isinstance(effect.effect, StartSession):
            effect.not_before = until
            return False
        if self._room[connection] <= 0:
            self._starved[connection][conversation.id] = None
            return False
        if not self._in_pace(conversation, effect):
            return False
        self._room[connection] -= 1
        return True

    def _in_pace(self, conversation: Conversation, effect: OpenEffect) -> bool:
        """Whether a session may be updated now, as far as its helpdesk counts that; if so, it is counted."""
        what = effect.effect
        pace = self._paces.get(effect.connection or "")
        if pace is None or not isinstance(what, SendToDesk | StopSession):
            return True
        now = self._clock.now()
        updates = conversation.updates.setdefault(what.session.id, deque())
        while updates and updates[0] <= now - pace.window:
            updates.popleft()
        next_at = pace.next_at(updates)
        if next_at is not None and next_at > now and isinstance(what, SendToDesk):  # an end is not kept waiting
            effect.not_before = next_at
            return False
        updates.append(now)
        return True

    @property
    def paced(self) -> Mapping[str, Pace]:
        """The connections whose helpdesk counts the updates of a session."""
        return self._paces

    def let_go(self, effect: OpenEffect) -> None:
        """Give the room of an effect back."""
        self._room[effect.connection or _HOST] += 1

    def woken(self) -> list[str]:
        """Return conversations that waited for room that is there now: as many as it is for, in their order.

        One that does not take it leaves it to the next, so ask again after its turn.
        """
        found: list[str] = []
        for connection, waiting in self._starved.items():
            for id_ in list(islice(waiting, max(0, self._room[connection]))):
                del waiting[id_]
                found.append(id_)
        return found

    def prepare(self, conversation: Conversation, effect: OpenEffect, now: datetime) -> None:
        """Plan an effect that has not been begun, with those that are sent together with it.

        :raises HitlError: it cannot be carried out at all.
        """
        progress = effect.progress
        if progress is None:
            progress = self._plan(conversation, effect)
        if progress.began_at is None:
            progress = progress.model_copy(update={"began_at": now})
        effect.progress = progress

    def _plan(self, conversation: Conversation, effect: OpenEffect) -> Progress:
        connection = effect.connection
        if connection is None:
            return self._host.plan(effect.effect)
        desk = self._desks.get(connection)
        if desk is None:
            return Progress()
        what = effect.effect
        if isinstance(what, SendToDesk) and desk.merges and desk.mergeable(what):
            merged = self._merge(conversation, effect, what, desk)
            if merged is not None:
                return merged
        return desk.plan(what)

    @staticmethod
    def _merge(conversation: Conversation, leader: OpenEffect, first: SendToDesk, desk: DeskJobs) -> Progress | None:
        """Send quick messages of a customer as one, where the helpdesk's limits ask for it (behaviour F38).

        :returns: ``None`` when there is nothing to merge, or one of them would keep all of them from being sent.
        """
        behind = list(conversation.lanes.followers(leader))
        sends = [first]
        for effect in behind:
            if not isinstance(effect.effect, SendToDesk) or not desk.may_join(first, effect.effect):
                break
            sends.append(effect.effect)
        joined = desk.merge_count(sends) - 1
        if not joined:
            return None
        try:
            progress = desk.plan_merged(sends[: joined + 1])
        except HitlError:
            return None
        for effect in behind[:joined]:
            effect.merged_into = leader
            leader.members.append(effect)
            conversation.lanes.touch(effect)
        return progress

    def interrupt(self, effect: OpenEffect, now: datetime) -> None:
        """Go on with an effect whose attempt was begun and never ended, as its process died."""
        jobs = self._desks.get(effect.connection) if effect.connection is not None else self._host
        progress = effect.progress or Progress()
        began = effect.attempting_at or now
        if jobs is None:
            came = Advance(progress=progress.model_copy(update={"unclear_since": began}), verdict="again")
        else:
            came = jobs.interrupted(progress, began)
        effect.progress = came.progress
        effect.state = EffectState.WAITING
        effect.not_before = now + timedelta(seconds=came.wait) if came.wait > 0 else None

    def refusal(self, effect: OpenEffect, error: Exception) -> Advance:
        """Return what an effect came to that cannot be carried out at all."""
        if not isinstance(error, HitlError):  # without its own words: they may quote a customer
            logger.error("effect %s cannot be planned: %s\n%s", effect.key, type(error).__name__, frames(error))
        failed = EffectFailed(key=effect.key, failure=classify(error), detail=describe(error))
        return Advance(progress=effect.progress or Progress(), verdict="failed", report=failed)

    # Carrying out ---------------------------------------------------------------------------------------------

    async def make(self, conversation_id: str, effect: OpenEffect) -> Advance:
        """Take one step of an effect whose attempt was announced."""
        slots = self._slots.get(effect.connection or "")
        if slots is None:
            return await self._make(conversation_id, effect)
        try:
            await slots.acquire()
        except (StoreError, asyncio.CancelledError):  # this worker is about to end: nothing was begun
            return Advance(progress=effect.progress or Progress(), verdict="again")
        try:
            return await self._make(conversation_id, effect)
        finally:
            slots.release()

    def broken_off(self, effect: OpenEffect, error: BaseException) -> Advance:
        """Say where an effect stands whose attempt was ended by an error that nobody asked for.

        Whoever carries out deals with all that can be expected; this is what somebody else did to the task.
        """
        progress = effect.progress or Progress()
        if effect.connection is None:
            return self._host.failed(effect.effect, progress, error)
        desk = self._desks.get(effect.connection)
        if desk is None:
            return Advance(progress=progress, verdict="again", wait=_UNKNOWN_WAIT)
        return desk.stumbled(effect.effect, progress, error, effect.attempting_at or self._clock.now())

    async def aclose(self) -> None:
        """Give all slots back; those that cannot be given back are free when our lease is over."""
        for slots in self._slots.values():
            try:
                await slots.aclose()
            except StoreError as error:
                logger.debug("slots could not be given back: %s", error)

    async def _make(self, conversation_id: str, effect: OpenEffect) -> Advance:
        progress = effect.progress or Progress()
        ends = self._lease_ends()
        if ends is not None and self._clock.now() >= ends:
            # Others may have taken over: they must find it as it is.
            return Advance(progress=progress, verdict="again", wait=1.0)
        connection = effect.connection
        desk = self._desks.get(connection) if connection is not None else None
        if connection is not None and desk is None:
            name = connection.partition("/")[2]
            detail = f"connection {name!r} is not configured here; configure it again, or end the hand-off"
            return Advance(progress=progress, verdict="again", wait=_UNKNOWN_WAIT, hold=Hold(detail))
        context: Any = {"conversation_id": conversation_id, "handoff_id": effect.handoff_id}
        with deadline_of_call(ends) if ends is not None else nullcontext():
            try:
                if desk is None:
                    return await self._host.advance(effect.effect, progress, **context)
                if effect.unwanted:
                    return await desk.resolve(effect.effect, progress, **context)
                return await desk.advance(effect.effect, progress, **context)
            except Exception as error:  # noqa: BLE001 - nothing may stop a lane for good
                # Whoever carries out has dealt with all that can be expected.
                logger.error("effect %s failed with %s\n%s", effect.key, type(error).__name__, frames(error))
                detail = f"unexpected {type(error).__name__}"
                failed = EffectFailed(key=effect.key, failure=Failure.UNRESOLVED, detail=detail)
                return Advance(progress=progress, verdict="failed", report=failed)

    def hold(self, connection: str) -> None:
        """Try nothing on an account for a while: it has to be mended first (guarantee 5)."""
        self.paused[connection] = self._clock.now() + timedelta(seconds=_HOLD)
