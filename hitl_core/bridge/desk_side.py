"""Towards the helpdesk: carrying out the effects of the desk lane over a connection."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from hitl_core.bridge.effects import DeskEffect, SendToDesk, StartSession, StopSession
from hitl_core.bridge.inputs import EffectDone, EffectFailed, Failure
from hitl_core.bridge.links import Link, Links
from hitl_core.bridge.writing import NotWantedError, Write, WriteFailedError, classify, describe
from hitl_core.calls import Found, SendMessage, SentMessage, StartedSession, StartPlan
from hitl_core.clock import Clock
from hitl_core.connection import Connection
from hitl_core.errors import HitlError
from hitl_core.people import ExternalUser
from hitl_core.sessions import HitlSession

__all__ = ["DeadLetter", "DeskSide"]

logger = logging.getLogger(__name__)

_WATCH_SECONDS: Final = (5.0, 15.0, 60.0, 300.0, 900.0)
_PATIENCE: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that will not take place, for a person to look at.

    :param key: key of the effect, or id of the delivery.
    :param detail: why, without secrets or customers' words.
    """

    handoff_id: str | None
    kind: str
    key: str
    failure: Failure
    detail: str


class DeskSide:
    """One connection's part of every hand-off.

    :param report: takes what became of an effect.
    :param dead: takes what will not take place.
    :param start_patience: seconds a start is tried for.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock,
        links: Links,
        report: Callable[[str, EffectDone | EffectFailed], None],
        dead: Callable[[DeadLetter], None],
        start_patience: float,
    ) -> None:
        self.connection = connection
        self._clock = clock
        self._links = links
        self._report = report
        self._dead = dead
        self._start_patience = start_patience

    async def run(self, handoff_id: str, wanted: Callable[[], bool], effect: DeskEffect) -> None:
        """Carry one effect out and report what became of it."""
        try:
            match effect:
                case StartSession():
                    await self._start(handoff_id, wanted, effect)
                case SendToDesk():
                    await self._send(handoff_id, wanted, effect)
                    self._report(handoff_id, EffectDone(key=effect.key))
                case StopSession():
                    await self._stop(effect)
                    self._report(handoff_id, EffectDone(key=effect.key))
        except NotWantedError:
            logger.debug("effect %s is not wanted any more", effect.key)
        except WriteFailedError as error:
            self._failed(handoff_id, effect, error.failure, error.detail)
        except HitlError as error:  # refused before anything was sent
            self._failed(handoff_id, effect, classify(error), describe(error))

    def _failed(self, handoff_id: str, effect: DeskEffect, failure: Failure, detail: str) -> None:
        if failure is not Failure.CLOSED or isinstance(effect, StartSession):
            self._dead(DeadLetter(handoff_id, effect.kind, effect.key, failure, detail))
        self._report(handoff_id, EffectFailed(key=effect.key, failure=failure))

    # Start ----------------------------------------------------------------------------------------------------

    async def _start(self, handoff_id: str, wanted: Callable[[], bool], effect: StartSession) -> None:
        connection = self.connection
        user = await Write(
            attempt=partial(connection.create_user, effect.user, idempotency_key=f"{effect.start_key}/user"),
            clock=self._clock,
            harmless=True,  # it finds who exists
            patience=self._start_patience,
            wanted=wanted,
        ).run()
        plan = connection.plan_start(
            user=user,
            title=effect.title,
            description=effect.description,
            history=effect.history,
            options=effect.options,
            relay=effect.relay,
            external_id=effect.conversation_id,
            idempotency_key=effect.start_key,
        )
        session: HitlSession | None = None
        write: Write[StartedSession] | None = None
        try:
            write = self._begin(plan, None, wanted)
            started = await write.run()
            session = started.session
            while started.resume is not None:
                write = self._begin(plan, started, wanted)
                started = await write.run()
                session = started.session or session
        except (NotWantedError, WriteFailedError) as error:
            if session is not None:
                self._link(handoff_id, effect, session, user, None)
            if isinstance(error, WriteFailedError):
                self._failed(handoff_id, effect, error.failure, error.detail)
                if write is not None and write.unclear_since is not None:
                    await self._watch(handoff_id, effect, write, user)
            return
        if session is None:
            return
        link = self._link(handoff_id, effect, session, user, started.cursor)
        for part in connection.follow_ups(plan, started):
            await self._follow_up(handoff_id, wanted, link, part)

    def _begin(
        self, plan: StartPlan, so_far: StartedSession | None, wanted: Callable[[], bool]
    ) -> Write[StartedSession]:
        connection = self.connection
        capabilities = connection.capabilities
        known = self._links.ids(connection.key)
        resume = so_far.resume if so_far else None

        def found(finding: Found) -> StartedSession | None:
            return finding.started

        return Write(
            attempt=partial(connection.begin, plan, resume=resume),
            clock=self._clock,
            find=(lambda since: connection.find_session(plan, sent_after=since, known_ids=known))
            if capabilities.find_session
            else None,
            found=found,
            harmless="start_hitl" in capabilities.idempotent,
            resend=capabilities.unresolved == "resend",
            settle=connection.limits.settle_seconds,
            patience=self._start_patience,
            wanted=wanted,
        )

    def _link(
        self, handoff_id: str, effect: StartSession, session: HitlSession, user: ExternalUser, cursor: str | None
    ) -> Link:
        link = self._links.add(session, handoff_id)
        link.cursor = link.cursor or cursor
        self._report(handoff_id, EffectDone(key=effect.key, session=session, external_user=user))
        return link

    async def _watch(
        self, handoff_id: str, effect: StartSession, write: Write[StartedSession], user: ExternalUser
    ) -> None:
        """Look for a ticket that shows up after the start was given up; it would be an orphan (F03)."""
        for seconds in _WATCH_SECONDS:
            await self._clock.sleep(seconds)
            late = await write.look_up()
            if late is not None and late.session is not None:
                self._link(handoff_id, effect, late.session, user, late.cursor)
            if late is not None or write.unclear_since is None:
                return

    # Messages -------------------------------------------------------------------------------------------------

    async def _follow_up(self, handoff_id: str, wanted: Callable[[], bool], link: Link, part: SendMessage) -> None:
        """Send a piece of history; one that is refused does not stop what the customer has to say now."""
        try:
            await self._part(link, part, wanted, hold=False)
        except NotWantedError:
            return
        except WriteFailedError as error:
            if error.failure is Failure.CLOSED:
                self._report(handoff_id, EffectFailed(key=part.key, failure=error.failure))
            else:
                self._dead(DeadLetter(handoff_id, "history", part.key, error.failure, error.detail))

    async def _send(self, handoff_id: str, wanted: Callable[[], bool], effect: SendToDesk) -> None:
        link = self._links.add(effect.session, handoff_id)
        parts = self.connection.plan_message(
            effect.session, effect.message, author=effect.author, idempotency_key=effect.key
        )
        for part in parts:
            await self._part(link, part, wanted, hold=True)

    async def _part(self, link: Link, part: SendMessage, wanted: Callable[[], bool], *, hold: bool) -> None:
        connection = self.connection
        capabilities = connection.capabilities

        def found(finding: Found) -> SentMessage | None:
            return finding.sent

        sent = await Write(
            attempt=partial(connection.execute, part),
            clock=self._clock,
            find=(lambda since: connection.find_message(part, sent_after=since, known_ids=link.own_message_ids))
            if capabilities.find_message
            else None,
            found=found,
            harmless="send_message" in capabilities.idempotent,
            resend=capabilities.unresolved == "resend",
            settle=connection.limits.settle_seconds,
            patience=_PATIENCE,
            hold_when_refused=hold,
            wanted=wanted,
        ).run()
        link.own_message_ids.update(sent.ids)

    async def _stop(self, effect: StopSession) -> None:
        try:
            await Write(
                attempt=partial(
                    self.connection.stop_hitl,
                    effect.session,
                    effect.reason,
                    message=effect.message,
                    idempotency_key=effect.key,
                ),
                clock=self._clock,
                harmless=True,  # ending an ended session is no error
                patience=_PATIENCE,
                hold_when_refused=True,
            ).run()
        except WriteFailedError as error:
            if error.failure is not Failure.CLOSED:
                raise
