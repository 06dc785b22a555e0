"""Towards the helpdesk: carrying out the effects of the desk lane over a connection."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from hitl_core.bridge.effects import DeskEffect, SendToDesk, StartSession, StopSession
from hitl_core.bridge.inputs import EffectDone, EffectFailed, Failure
from hitl_core.bridge.links import Link, Links
from hitl_core.bridge.writing import NotWantedError, Write, WriteFailedError, classify, describe
from hitl_core.calls import Found, SendMessage, SentMessage, SessionState, StartedSession, StartPlan
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
    :param compare: takes a session's state, where an answer tells it.
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
        compare: Callable[[Link, SessionState], None],
        dead: Callable[[DeadLetter], None],
        start_patience: float,
    ) -> None:
        self.connection = connection
        self._clock = clock
        self._links = links
        self._report = report
        self._compare = compare
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
                    await self._stop(handoff_id, effect)
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
            previous=effect.previous,
            idempotency_key=effect.start_key,
        )
        session: HitlSession | None = None
        resume: dict[str, Any] | None = None
        for step in itertools.count():
            write = self._begin(plan, resume, step, wanted)
            try:
                started = await write.run()
            except NotWantedError:
                if session is not None:
                    self._link(handoff_id, effect, session, user)
                return
            except WriteFailedError as error:
                self._failed(handoff_id, effect, error.failure, error.detail)
                if session is not None:
                    self._link(handoff_id, effect, session, user)  # so that it can be closed
                elif write.unclear_since is not None:
                    await self._watch(handoff_id, effect, write, user)
                return
            session, resume = started.session or session, started.resume
            for warning in started.warnings:
                logger.warning("hand-off %s: %s", handoff_id, warning)
            if resume is None:
                break
        if session is None:
            return
        link = self._link(handoff_id, effect, session, user, started)
        for part in connection.follow_ups(plan, started):
            await self._follow_up(handoff_id, wanted, link, part)

    def _begin(
        self, plan: StartPlan, resume: dict[str, Any] | None, step: int, wanted: Callable[[], bool]
    ) -> Write[StartedSession]:
        connection = self.connection
        capabilities = connection.capabilities
        known = self._links.ids(connection.key)

        def found(finding: Found) -> StartedSession | None:
            return finding.started

        return Write(
            attempt=partial(connection.begin, plan, resume=resume, step=step),
            clock=self._clock,
            find=(
                lambda since: connection.find_session(plan, sent_after=since, known_ids=known, resume=resume, step=step)
            )
            if capabilities.find_session
            else None,
            found=found,
            harmless="start_hitl" in capabilities.idempotent,
            harmless_seconds=connection.limits.key_seconds,
            resend=capabilities.unresolved == "resend",
            settle=connection.limits.settle_seconds,
            patience=self._start_patience,
            wanted=wanted,
        )

    def _link(
        self,
        handoff_id: str,
        effect: StartSession,
        session: HitlSession,
        user: ExternalUser,
        started: StartedSession | None = None,
    ) -> Link:
        link = self._links.add(session, handoff_id)
        if started is not None:
            link.cursor = link.cursor or started.cursor
            link.own_message_ids.update(started.ids)
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
                self._link(handoff_id, effect, late.session, user, late)
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
            harmless_seconds=connection.limits.key_seconds,
            resend=capabilities.unresolved == "resend",
            settle=connection.limits.settle_seconds,
            patience=_PATIENCE,
            hold_when_refused=hold,
            wanted=wanted,
        ).run()
        link.own_message_ids.update(sent.ids)
        if sent.state is not None:
            self._compare(link, sent.state)

    async def _stop(self, handoff_id: str, effect: StopSession) -> None:
        """Say the last text, where the stop cannot carry it, and end the session; it may be gone already."""
        connection = self.connection
        link = self._links.add(effect.session, handoff_id)
        before, request = connection.plan_stop(
            effect.session, effect.reason, message=effect.message, idempotency_key=effect.key
        )
        write = Write(
            attempt=partial(connection.finish, request),
            clock=self._clock,
            harmless=True,  # ending an ended session is no error
            patience=_PATIENCE,
            hold_when_refused=True,
        )
        try:
            for part in before:
                try:
                    await self._part(link, part, _always, hold=True)
                except WriteFailedError as error:
                    if error.failure is Failure.CLOSED:
                        raise
                    self._dead(DeadLetter(handoff_id, "last_text", part.key, error.failure, error.detail))
            await write.run()
        except WriteFailedError as error:
            if error.failure is not Failure.CLOSED:
                raise


def _always() -> bool:
    return True
