"""Looking for the session of a start nobody can tell about: one that shows up late would be an orphan (F03)."""

from __future__ import annotations

import logging
from typing import Final

from hitl_core.bridge.engine.classify import describe, of_provider
from hitl_core.bridge.engine.jobs.start import StartWrite
from hitl_core.bridge.engine.jobs.writes import grown, since
from hitl_core.bridge.engine.progress import Advance, Directory, Progress
from hitl_core.bridge.handoff.effects import WatchStart
from hitl_core.bridge.handoff.inputs import EffectDone
from hitl_core.calls import Found, StartedSession
from hitl_core.clock import Clock
from hitl_core.connection import Connection

__all__ = ["WatchJob"]

logger = logging.getLogger(__name__)

_LOOKS: Final = (5.0, 15.0, 60.0, 300.0, 900.0)
"""Seconds after its beginning at which a watch looks."""


class WatchJob:
    """Carries out :class:`~hitl_core.bridge.handoff.effects.WatchStart`."""

    def __init__(self, connection: Connection, *, directory: Directory, clock: Clock) -> None:
        self._connection = connection
        self._directory = directory
        self._clock = clock

    async def advance(self, effect: WatchStart, progress: Progress) -> Advance:
        """Look once, when it is time to.

        A search that found nothing does not end the watch: what the helpdesk accepted and was slow to do is not there
        yet, and a few more looks cost less than a ticket nobody answers.
        """
        now = self._clock.now()
        progress = grown(progress, began_at=progress.began_at or now, unclear_since=None)
        elapsed = since(now, progress.began_at)
        if not self._connection.capabilities.find_session:
            return Advance(progress=progress, verdict="done")
        if progress.step < len(_LOOKS) and (early := _LOOKS[progress.step] - elapsed) > 0:
            return Advance(progress=progress, verdict="again", wait=early)
        start = await self._directory.start_progress(effect.start)
        if start is None or start.plan is None:
            return Advance(progress=progress, verdict="done")  # it is known, or nothing of it can exist
        late = await self._look(effect, start)
        if late is not None:
            return self._found(effect, progress, start, late)
        step = next((number for number, at in enumerate(_LOOKS) if at > elapsed), None)
        if step is None:
            return Advance(progress=progress, verdict="done")
        return Advance(progress=grown(progress, step=step), verdict="again", wait=_LOOKS[step] - elapsed)

    def _found(self, effect: WatchStart, progress: Progress, start: Progress, late: StartedSession) -> Advance:
        return Advance(
            progress=progress,
            verdict="done",
            report=EffectDone(key=effect.start, session=late.session, external_user=start.user),
            session=late.session,
            sent_ids=late.ids,
            cursor=late.cursor,
        )

    async def _look(self, effect: WatchStart, start: Progress) -> StartedSession | None:
        sent_after = start.unclear_since or start.began_at
        if start.plan is None or sent_after is None:
            return None
        write = StartWrite(self._connection, self._directory, start.plan, start, patience=0.0)
        try:
            finding = await of_provider(write.find(sent_after))
        except Exception as error:  # noqa: BLE001 - a provider is somebody else's code; there may be another look
            logger.info("looking for the session of %s failed: %s", effect.start, describe(error))
            return None
        started = write.found(finding) if isinstance(finding, Found) else None
        return None if started is None or started.session is None else started
