"""From the bot to the helpdesk: users, and the hand-off itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from hitl_core import calls, plans
from hitl_core.connection import given
from hitl_core.connection.base import ConnectionBase, new_key
from hitl_core.errors import ProviderError, SessionClosedError
from hitl_core.events import StopReason
from hitl_core.info import StartOptions
from hitl_core.messages import AnyMessage
from hitl_core.people import Author, EndUser, ExternalUser
from hitl_core.relay import RelayStrategy, resolve_strategy
from hitl_core.rendering import sendable_text
from hitl_core.sessions import HistoryEntry, HitlSession, SessionRef

__all__ = ["Outgoing"]


class Outgoing(ConnectionBase):
    """What the bot's side does."""

    # Users ----------------------------------------------------------------------------------------------------

    async def create_user(
        self,
        user: EndUser | None = None,
        *,
        name: str | None = None,
        email: str | None = None,
        external_id: str | None = None,
        phone: str | None = None,
        avatar_url: str | None = None,
        locale: str | None = None,
        known: ExternalUser | None = None,
        idempotency_key: str | None = None,
    ) -> ExternalUser:
        """Find or create the customer in the helpdesk.

        :param user: all of it at once, instead of the fields.
        :param external_id: the bot's stable id of this person: what they are found by again.
        :param known: what an earlier call for them gave.
        """
        with self._asked("create_user"):
            user = given.end_user_of(user)
        facts = {"name": name, "email": email, "external_id": external_id, "phone": phone}
        facts |= {"avatar_url": avatar_url, "locale": locale}
        end_user = EndUser(**given.sound_facts(facts if user is None else dict(user)))
        request = calls.CreateUser(user=end_user, known=known, key=idempotency_key or new_key())
        return await self._call("create_user", request, ExternalUser)

    # A hand-off -----------------------------------------------------------------------------------------------

    def plan_start(
        self,
        *,
        user: ExternalUser,
        title: str,
        description: str | None = None,
        history: Iterable[HistoryEntry] = (),
        options: Mapping[str, Any] | StartOptions | None = None,
        relay: str | RelayStrategy = "transcript",
        external_id: str | None = None,
        previous: SessionRef | None = None,
        idempotency_key: str | None = None,
    ) -> calls.StartPlan:
        """Render and validate everything a start needs, without any I/O; store it, then :meth:`begin` it.

        :param title: what agents see in their list; cut with an ellipsis when too long.
        :param history: the conversation so far, oldest first.
        :param options: the provider's own options, see ``hitl providers show NAME``.
        :param relay: how the history is handed over: a strategy or its name.
        :param external_id: our id to write on the session, usually the conversation's.
        :param previous: the ended session this one follows, for vendors that link the two.
        :param idempotency_key: equal for repeats of the same start; a random one when left out.
        """
        with self._asked("start_hitl"):
            return plans.plan_start(
                self.info,
                self._capabilities,
                self._limits,
                user=given.user_of(user),
                title=given.title_of(title),
                description=description,
                history=given.history_of(history),
                relay=resolve_strategy(relay),
                options=options,
                external_id=external_id,
                previous=given.previous_of(previous),
                key=idempotency_key or new_key(),
            )

    async def begin(
        self,
        plan: calls.StartPlan,
        *,
        resume: dict[str, Any] | None = None,
        step: int = 0,
        deadline: datetime | None = None,
    ) -> calls.StartedSession:
        """Take one step of a planned start: one vendor write.

        :param resume: what the previous step handed back; store it between the steps.
        :param step: number of the step, from 0; each has a key of its own.
        """
        request = plans.start_step(plan, resume, step)
        started = await self._call("start_hitl", request, calls.StartedSession, deadline)
        if started.session is None and started.resume is None:
            msg = f"provider {self.info.name!r} started a session without saying which; report it to its author"
            raise ProviderError(msg, provider=self.info.name, connection=self.key, operation="start_hitl")
        return started

    def follow_ups(self, plan: calls.StartPlan, started: calls.StartedSession) -> tuple[calls.SendMessage, ...]:
        """Return the sends for the history the opening could not carry."""
        return plans.plan_follow_ups(plan, started, self._capabilities)

    async def start_hitl(
        self,
        *,
        user: ExternalUser,
        title: str,
        description: str | None = None,
        history: Iterable[HistoryEntry] = (),
        options: Mapping[str, Any] | StartOptions | None = None,
        relay: str | RelayStrategy = "transcript",
        external_id: str | None = None,
        previous: SessionRef | None = None,
        idempotency_key: str | None = None,
        deadline: datetime | None = None,
    ) -> HitlSession:
        """Hand the conversation over: plan, begin, and send what the opening could not carry.

        The parameters are those of :meth:`plan_start`. When a step after the opening fails, the error's ``session``
        names the session that exists by then, so that it can be used or stopped, and its ``resume`` the step to go on
        from.
        """
        plan = self.plan_start(
            user=user,
            title=title,
            description=description,
            history=history,
            options=options,
            relay=relay,
            external_id=external_id,
            previous=previous,
            idempotency_key=idempotency_key,
        )
        session: HitlSession | None = None
        resume: dict[str, Any] | None = None
        try:
            for step in itertools.count():
                started = await self.begin(plan, resume=resume, step=step, deadline=deadline)
                session, resume = started.session or session, started.resume
                if resume is None:
                    break
            for request in self.follow_ups(plan, started):
                await self.execute(request, deadline=deadline)
        except ProviderError as error:
            error.session, error.resume = session, resume
            raise
        assert session is not None  # noqa: S101 - begin() has made sure of it; this tells the type checker
        return session

    def plan_message(
        self,
        session: HitlSession | SessionRef,
        message: str | AnyMessage | Mapping[str, Any],
        *,
        author: Author | None = None,
        visibility: calls.Visibility = "public",
        reopen: bool = False,
        idempotency_key: str | None = None,
    ) -> tuple[calls.SendMessage, ...]:
        """Lower and split a message, without any I/O; store the parts, then :meth:`execute` each.

        :param message: a text, a message, or its JSON object.
        :param author: on whose behalf; the bot when left out.
        :param visibility: ``"internal"`` is for agents only.
        :param reopen: open the session again if it has ended.
        :param idempotency_key: equal for repeats of the same message; a random one when left out.
        """
        with self._asked("send_message"):
            return plans.plan_message(
                self.info,
                self._capabilities,
                self._limits,
                session=self._session(session),
                message=plans.as_message(message),
                author=given.author_of(author, Author.bot()),
                visibility=visibility,
                reopen=reopen,
                key=idempotency_key or new_key(),
            )

    async def execute(self, request: calls.SendMessage, *, deadline: datetime | None = None) -> calls.SentMessage:
        """Send one part of a plan: one vendor write."""
        return await self._call("send_message", request, calls.SentMessage, deadline)

    async def send_message(
        self,
        session: HitlSession | SessionRef,
        message: str | AnyMessage | Mapping[str, Any],
        *,
        author: Author | None = None,
        visibility: calls.Visibility = "public",
        reopen: bool = False,
        idempotency_key: str | None = None,
        deadline: datetime | None = None,
    ) -> calls.SentMessage:
        """Plan a message and send its parts in order; the parameters are those of :meth:`plan_message`."""
        parts = self.plan_message(
            session,
            message,
            author=author,
            visibility=visibility,
            reopen=reopen,
            idempotency_key=idempotency_key,
        )
        if len(parts) == 1:
            return await self.execute(parts[0], deadline=deadline)
        sent = [await self.execute(part, deadline=deadline) for part in parts]
        return calls.SentMessage(ids=tuple(id_ for one in sent for id_ in one.ids))

    async def stop_hitl(
        self,
        session: HitlSession | SessionRef,
        reason: StopReason | str = StopReason.USER_LEFT,
        *,
        message: str | None = None,
        idempotency_key: str | None = None,
        deadline: datetime | None = None,
    ) -> None:
        """End the session in the helpdesk; one that has ended already is fine.

        :param message: a last text for the agents.
        """
        before, request = self.plan_stop(session, reason, message=message, idempotency_key=idempotency_key)
        for part in before:
            with suppress(SessionClosedError):  # it has ended already: nobody waits for a last text
                await self.execute(part, deadline=deadline)
        await self.finish(request, deadline=deadline)

    def plan_stop(
        self,
        session: HitlSession | SessionRef,
        reason: StopReason | str = StopReason.USER_LEFT,
        *,
        message: str | None = None,
        idempotency_key: str | None = None,
    ) -> tuple[tuple[calls.SendMessage, ...], calls.StopHitl]:
        """Return what ends the session: sends for the last text, where the vendor's stop cannot carry it, and the stop.

        The last text is a note where the vendor has notes (behaviour F18). :meth:`execute` the sends, then
        :meth:`finish`.
        """
        key = idempotency_key or new_key()
        carried = message is None or self._capabilities.stop_message
        with self._asked("stop_hitl"):
            request = calls.StopHitl(
                session=self._session(session),
                reason=given.reason_of(reason),
                message=sendable_text(message) if carried and message else None,
                key=f"{key}/stop",
            )
        if carried or message is None:
            return (), request
        sends = self.plan_message(
            session,
            message,
            author=Author.system(),
            visibility="internal" if self._capabilities.internal_notes else "public",
            idempotency_key=key,
        )
        return sends, request

    async def finish(self, request: calls.StopHitl, *, deadline: datetime | None = None) -> None:
        """End the session: one vendor write."""
        await self._run("stop_hitl", request, deadline)

    async def send_typing(
        self, session: HitlSession | SessionRef, *, author: Author | None = None, typing: bool = True
    ) -> None:
        """Show agents that the customer is typing."""
        self._require("typing")
        with self._asked("send_typing"):
            request = calls.SendTyping(
                session=self._session(session), author=given.author_of(author, Author.user()), typing=typing
            )
        await self._run("send_typing", request)

    async def transfer(
        self,
        session: HitlSession | SessionRef,
        *,
        team: str | None = None,
        agent: str | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        """Move the session to a team, an agent, or back to the queue."""
        self._require("transfer")
        with self._asked("transfer"):
            session = self._session(session)
        request = calls.Transfer(session=session, team=team, agent=agent, key=idempotency_key or new_key())
        await self._run("transfer", request)

    async def get_availability(self) -> calls.Availability:
        """Say whether somebody is there."""
        self._require("availability")
        return await self._call("get_availability", calls.GetAvailability(), calls.Availability)
