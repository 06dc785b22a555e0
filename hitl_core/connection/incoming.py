"""From the helpdesk to the bot: webhooks, and reading the vendor's own record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from hitl_core import calls, plans
from hitl_core.connection.base import ConnectionBase
from hitl_core.connection.registration import load_registration, save_registration
from hitl_core.errors import InvalidRequestError, WebhookVerificationError
from hitl_core.events import AnyEvent
from hitl_core.messages import AttachmentRef
from hitl_core.sessions import HitlSession, SessionRef
from hitl_core.webhooks import KnownSession, Parsed, ParseWebhook, WebhookDelivery, WebhookRequest

__all__ = ["Incoming"]


class Incoming(ConnectionBase):
    """What comes from the helpdesk's side."""

    # Webhooks -------------------------------------------------------------------------------------------------

    def verify_webhook(
        self,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        body: bytes,
        method: str = "POST",
        path: str = "/",
        query: Mapping[str, str] | None = None,
    ) -> WebhookDelivery:
        """Prove a delivery; store the result, answer the vendor, and :meth:`parse_delivery` it afterwards.

        :param body: the raw bytes as received.
        :raises WebhookVerificationError: not proven: answer 401.
        """
        now = self._context.clock.now()
        delivery = self._hooks.verify(
            WebhookRequest.of(headers, body, received_at=now, method=method, path=path, query=query)
        )
        if delivery.account is not None and self.account is not None and delivery.account != self.account:
            msg = (
                f"the delivery is from account {delivery.account!r}, but connection {self.key!r} is for "
                f"{self.account!r}; send it to that account's connection"
            )
            raise WebhookVerificationError(msg)
        proof = self._context.proof_headers
        if not proof.isdisjoint(delivery.headers):
            kept = {name: value for name, value in delivery.headers.items() if name not in proof}
            delivery = delivery.model_copy(update={"headers": kept})
        return delivery

    async def parse_delivery(
        self,
        delivery: WebhookDelivery,
        known: Mapping[str, KnownSession] | None = None,
        *,
        deadline: datetime | None = None,
    ) -> Parsed:
        """Read a verified delivery.

        :param known: our sessions among ``delivery.session_ids``; ``None`` takes every session for ours.
        :raises WebhookParseError: not in a form the provider understands.
        """
        request = ParseWebhook(delivery=delivery, known=None if known is None else dict(known))
        return await self._call("parse_webhook", request, Parsed, deadline)

    async def parse_webhook(
        self,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        body: bytes,
        method: str = "POST",
        path: str = "/",
        query: Mapping[str, str] | None = None,
        known: Mapping[str, KnownSession] | None = None,
    ) -> tuple[AnyEvent, ...]:
        """Prove and read a delivery in one go, for callers that keep nothing in between.

        Some vendors only say that something changed: read a :class:`~hitl_core.events.SessionChanged` with
        :meth:`list_events`.
        """
        delivery = self.verify_webhook(headers=headers, body=body, method=method, path=path, query=query)
        return (await self.parse_delivery(delivery, known)).events

    async def register_webhook(self, url: str) -> calls.WebhookRegistration:
        """Make the vendor call ``url``, and remember what that made, secrets included.

        :raises InvalidRequestError: it is no web address.
        """
        self._require("webhook_registration")
        _check_address(url)
        async with self._context.state.lock("webhook"):
            previous = await load_registration(self._context.state)
            request = calls.RegisterWebhook(url=url, previous=previous)
            registration = await self._call("register_webhook", request, calls.WebhookRegistration)
            await save_registration(self._context.state, registration)
        self._adopt_secrets(registration)
        return registration

    async def refresh_registration(self) -> None:
        """Read the registered secrets again: another process may have registered since this one opened.

        Worth a try after a delivery failed verification; at most once a minute, since anybody can send such.
        """
        registration = await load_registration(self._context.state)
        if registration is not None:
            self._adopt_secrets(registration)

    async def unregister_webhook(self) -> None:
        """Remove everything registering made; without a registration this does nothing."""
        self._require("webhook_registration")
        async with self._context.state.lock("webhook"):
            previous = await load_registration(self._context.state)
            if previous is None:
                return
            await self._run("unregister_webhook", calls.UnregisterWebhook(previous=previous))
            await save_registration(self._context.state, None)
        self._context.registered_secrets = ()

    # The vendor's record --------------------------------------------------------------------------------------

    async def find_session(
        self,
        plan: calls.StartPlan,
        *,
        sent_after: datetime,
        known_ids: Iterable[str] = (),
        resume: dict[str, Any] | None = None,
        step: int = 0,
    ) -> calls.Finding:
        """Tell whether an ambiguous start, or the step of it that is named, took effect."""
        self._require("find_session")
        sought = plans.start_step(plan, resume, step)
        request = calls.FindSession(request=sought, sent_after=sent_after, known_ids=frozenset(known_ids))
        return await self._call("find_session", request, calls.Finding)

    async def find_message(
        self, part: calls.SendMessage, *, sent_after: datetime, known_ids: Iterable[str] = ()
    ) -> calls.Finding:
        """Tell whether an ambiguous send took effect."""
        self._require("find_message")
        request = calls.FindMessage(request=part, sent_after=sent_after, known_ids=frozenset(known_ids))
        return await self._call("find_message", request, calls.Finding)

    async def list_events(
        self,
        session: HitlSession | SessionRef,
        *,
        cursor: str | None = None,
        own_message_ids: Iterable[str] = (),
        limit: int = 100,
        wait: float = 0,
    ) -> calls.EventPage:
        """Read a session's events and state from ``cursor`` on."""
        self._require("pull")
        with self._asked("list_events"):
            session = self._session(session)
        request = calls.ListEvents(
            session=session,
            cursor=cursor,
            own_message_ids=frozenset(own_message_ids),
            limit=limit,
            wait=wait,
        )
        return await self._call("list_events", request, calls.EventPage)

    async def list_changes(
        self, *, cursor: str | None = None, sessions: Sequence[str] = (), limit: int = 100, wait: float = 0
    ) -> calls.ChangePage:
        """Say which sessions moved in the account since ``cursor``."""
        self._require("changes")
        request = calls.ListChanges(cursor=cursor, sessions=tuple(sessions), limit=limit, wait=wait)
        return await self._call("list_changes", request, calls.ChangePage)

    async def open_attachment(self, ref: AttachmentRef, *, max_bytes: int = 25 * 1024 * 1024) -> calls.AttachmentStream:
        """Open a file the helpdesk holds; close the stream when done."""
        self._require("open_attachment")
        request = calls.OpenAttachment(ref=ref, max_bytes=max_bytes)
        return await self._call("open_attachment", request, calls.AttachmentStream)


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except (ValueError, AttributeError, TypeError):
        fine = False
    if not fine:
        msg = "give the whole address the helpdesk is to call, such as https://bot.example.com/webhooks/helpdesk"
        raise InvalidRequestError(msg, operation="register_webhook")
