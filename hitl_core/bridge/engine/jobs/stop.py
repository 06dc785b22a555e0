"""Closing a session: a last text, where the close cannot carry it, and the close (behaviour S099, F12)."""

from __future__ import annotations

import logging

from hitl_core.bridge.engine.jobs.parts import PartWrite
from hitl_core.bridge.engine.jobs.writes import Unwritten, Waiting, Write, Written, grown, take
from hitl_core.bridge.engine.progress import Advance, Directory, Progress
from hitl_core.bridge.handoff.effects import StopSession
from hitl_core.bridge.handoff.inputs import EffectDone, EffectFailed, Failure
from hitl_core.calls import SendMessage, StopHitl
from hitl_core.clock import Clock
from hitl_core.connection import Connection
from hitl_core.errors import HitlError

__all__ = ["StopJob"]

logger = logging.getLogger(__name__)


class StopWrite(Write[None]):
    """Closing a session; closing a closed one is no error."""

    harmless = True
    in_session = True

    def __init__(self, connection: Connection, request: StopHitl, *, patience: float) -> None:
        super().__init__(connection, patience=patience, holds=True)
        self._request = request

    async def attempt(self) -> None:
        """Close it."""
        await self.connection.finish(self._request)


class StopJob:
    """Carries out :class:`~hitl_core.bridge.handoff.effects.StopSession`.

    :param patience: seconds the last text, and then the close, are tried for.
    """

    def __init__(self, connection: Connection, *, directory: Directory, clock: Clock, patience: float) -> None:
        self._connection = connection
        self._directory = directory
        self._clock = clock
        self._patience = patience

    def plan(self, effect: StopSession) -> Progress:
        """Plan the last text and the close; a text that cannot be sent does not keep the session open."""
        try:
            before, request = self._planned(effect, effect.message)
        except HitlError as error:
            if effect.message is None:
                raise
            logger.warning("effect %s: the session is closed without its last text: %s", effect.key, error)
            before, request = self._planned(effect, None)
        return Progress(parts=before, stop=request)

    async def advance(self, effect: StopSession, progress: Progress) -> Advance:
        """Send the next part of the last text, or close the session; one that has gone is closed."""
        if progress.stop is None:  # planned again: the same requests under the same keys
            planned = self.plan(effect)
            progress = grown(progress, parts=planned.parts, stop=planned.stop)
        if progress.sent < len(progress.parts):
            return await self._last_text(effect, progress)
        assert progress.stop is not None  # noqa: S101 - it was planned; this tells the type checker
        write = StopWrite(self._connection, progress.stop, patience=self._patience)
        match await take(write, progress, self._clock):
            case Written() | Unwritten(failure=Failure.CLOSED):
                return self._closed(effect, progress)
            case Waiting(progress, wait, hold):
                return Advance(progress=progress, verdict="again", wait=wait, hold=hold)
            case Unwritten(progress, failure, detail, hold):
                report = EffectFailed(key=effect.key, failure=failure, detail=detail)
                return Advance(progress=progress, verdict="failed", report=report, hold=hold)

    def _planned(self, effect: StopSession, message: str | None) -> tuple[tuple[SendMessage, ...], StopHitl]:
        return self._connection.plan_stop(effect.session, effect.reason, message=message, idempotency_key=effect.key)

    async def _last_text(self, effect: StopSession, progress: Progress) -> Advance:
        part = progress.parts[progress.sent]
        write = PartWrite(self._connection, self._directory, part, patience=self._patience)
        following = grown(progress, sent=progress.sent + 1, failures=0, unclear_since=None, began_at=self._clock.now())
        match await take(write, progress, self._clock):
            case Written(sent):
                # How the session stands is not told on: it is about to be closed.
                return Advance(progress=following, verdict="again", sent_ids=sent.ids, session=effect.session)
            case Waiting(progress, wait, hold):
                return Advance(progress=progress, verdict="again", wait=wait, hold=hold)
            case Unwritten(failure=Failure.CLOSED):
                return self._closed(effect, progress)
            case Unwritten(_, failure, detail):
                dead = EffectFailed(key=part.key, failure=failure, detail=detail)
                return Advance(progress=following, verdict="again", dead=dead)

    def _closed(self, effect: StopSession, progress: Progress) -> Advance:
        progress = grown(progress, failures=0, unclear_since=None)
        return Advance(progress=progress, verdict="done", report=EffectDone(key=effect.key))
