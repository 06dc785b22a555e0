"""A message on its way to the helpdesk: its writer made known, its parts sent one by one."""

from __future__ import annotations

from dataclasses import replace

from hitl_core.bridge.engine.jobs.parts import PartWrite
from hitl_core.bridge.engine.jobs.users import Users
from hitl_core.bridge.engine.jobs.writes import Unwritten, Waiting, Written, find_out, grown, take
from hitl_core.bridge.engine.progress import Advance, Directory, Progress
from hitl_core.bridge.handoff.effects import SendToDesk
from hitl_core.bridge.handoff.inputs import EffectDone, EffectFailed, Failure
from hitl_core.calls import SentMessage
from hitl_core.clock import Clock
from hitl_core.connection import Connection
from hitl_core.messages import AnyMessage
from hitl_core.people import Author, ExternalUser, Role

__all__ = ["SendJob"]


class SendJob:
    """Carries out :class:`~hitl_core.bridge.handoff.effects.SendToDesk`.

    :param patience: seconds one part is tried for.
    """

    def __init__(
        self, connection: Connection, *, directory: Directory, clock: Clock, users: Users, patience: float
    ) -> None:
        self._connection = connection
        self._directory = directory
        self._clock = clock
        self._users = users
        self._patience = patience

    def plan(self, effect: SendToDesk, message: AnyMessage | None = None, key: str | None = None) -> Progress:
        """Lower and split the message; what only agents should see is public where there are no notes.

        :param message: what to send instead, with ``key``: several messages as one.
        """
        internal = effect.internal and self._connection.capabilities.internal_notes
        parts = self._connection.plan_message(
            effect.session,
            effect.message if message is None else message,
            author=effect.author,
            visibility="internal" if internal else "public",
            idempotency_key=key or effect.key,
        )
        return Progress(parts=parts)

    async def advance(self, effect: SendToDesk, progress: Progress, conversation_id: str) -> Advance:
        """Make the writer known, or send the next part."""
        if not progress.parts:  # planned again: the same parts under the same keys
            progress = grown(progress, parts=self.plan(effect).parts)
        if effect.user is not None and progress.user is None and not progress.step:
            return await self._writer(effect, progress, conversation_id)
        if progress.sent >= len(progress.parts):
            return Advance(progress=progress, verdict="done", report=EffectDone(key=effect.key))
        write = PartWrite(self._connection, self._directory, progress.parts[progress.sent], patience=self._patience)
        match await take(write, progress, self._clock):
            case Written(sent):
                return self._sent(effect, progress, sent)
            case Waiting(progress, wait, hold):
                return Advance(progress=progress, verdict="again", wait=wait, hold=hold)
            case Unwritten(progress, failure, detail, hold):
                report = EffectFailed(key=effect.key, failure=failure, detail=detail)
                return Advance(progress=progress, verdict="failed", report=report, hold=hold)

    async def resolve(self, effect: SendToDesk, progress: Progress) -> Advance:
        """Find out whether the part in doubt arrived. A message that arrived in part has not arrived."""
        if not progress.parts or progress.unclear_since is None:
            return Advance(progress=progress, verdict="failed")
        if effect.user is not None and progress.user is None and not progress.step:
            return Advance(progress=progress, verdict="failed")
        write = PartWrite(self._connection, self._directory, progress.parts[progress.sent], patience=self._patience)
        match await find_out(write, progress, self._clock):
            case None:
                return Advance(progress=grown(progress, unclear_since=None), verdict="failed")
            case Written(sent):
                came = self._sent(effect, progress, sent)
                return came if came.verdict == "done" else replace(came, verdict="failed")
            case Waiting(progress, wait, hold):
                return Advance(progress=progress, verdict="again", wait=wait, hold=hold)
            case Unwritten(progress, failure, detail):
                report = EffectFailed(key=effect.key, failure=failure, detail=detail)
                return Advance(progress=progress, verdict="failed", report=report)

    def _sent(self, effect: SendToDesk, progress: Progress, sent: SentMessage) -> Advance:
        number = progress.sent + 1
        last = number == len(progress.parts)
        if last:
            progress = grown(progress, sent=number, failures=0, unclear_since=None)
        else:
            progress = grown(progress, sent=number, failures=0, unclear_since=None, began_at=self._clock.now())
        return Advance(
            progress=progress,
            verdict="done" if last else "again",
            report=EffectDone(key=effect.key) if last else None,
            sent_ids=sent.ids,
            session=effect.session,
            state=sent.state,
        )

    async def _writer(self, effect: SendToDesk, progress: Progress, conversation_id: str) -> Advance:
        """Find or make the record of a participant (behaviour F08); one who is refused writes without one."""
        assert effect.user is not None  # noqa: S101 - the caller has looked; it tells the type checker
        came = await self._users.settle(effect.user, conversation_id, progress, patience=self._patience, holds=True)
        began_at = progress.began_at or self._clock.now()
        match came:
            case Written(user):
                parts = tuple(
                    part.model_copy(update={"author": _as_author(effect.author, user)}) for part in progress.parts
                )
                progress = Progress(began_at=began_at, parts=parts, user=user)
                return Advance(progress=progress, verdict="again")
            case Waiting(progress, wait, hold):
                return Advance(progress=progress, verdict="again", wait=wait, hold=hold)
            case Unwritten(_, Failure.REFUSED, detail):
                progress = grown(progress, step=1, failures=0, unclear_since=None, began_at=began_at)
                refused = EffectFailed(key=f"{effect.key}/user", failure=Failure.REFUSED, detail=detail)
                return Advance(progress=progress, verdict="again", dead=refused)
            case Unwritten(progress, failure, detail, hold):
                report = EffectFailed(key=effect.key, failure=failure, detail=detail)
                return Advance(progress=progress, verdict="failed", report=report, hold=hold)


def _as_author(author: Author, user: ExternalUser) -> Author:
    """Let the helpdesk show a message as this person's own (behaviour S022)."""
    return author.model_copy(update={"role": Role.USER, "id": user.id, "name": author.name or user.name})
