"""A webhook on its way in: what arrived, what was proven of it, what it meant."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Self

from pydantic import AwareDatetime, Field

from hitl_core._model import Model
from hitl_core.events import Event
from hitl_core.sessions import HitlSession

__all__ = [
    "KnownSession",
    "ParseWebhook",
    "Parsed",
    "WebhookDelivery",
    "WebhookReply",
    "WebhookRequest",
    "may_be_credential",
]

_CREDENTIAL_WORDS = ("authorization", "cookie", "secret", "signature", "token", "api-key", "apikey", "password")


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What arrived over HTTP, before anything is known about it.

    :param headers: names in lower case; use :meth:`of` when they are not.
    :param body: the raw bytes, exactly as received: signatures cover them.
    :param path: path of the URL, without query.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    method: str = "POST"
    path: str = "/"
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def of(
        cls,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        body: bytes,
        *,
        received_at: datetime,
        method: str = "POST",
        path: str = "/",
        query: Mapping[str, str] | None = None,
    ) -> Self:
        """Take headers as any server gives them."""
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        return cls({name.lower(): value for name, value in pairs}, body, method, path, query or {}, received_at)


class WebhookReply(Model):
    """What the vendor wants to hear at once, when it is not an empty 200."""

    status: int = Field(default=200, ge=200, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    body: bytes = Field(default=b"", repr=False)


class WebhookDelivery(Model):
    """A delivery that is provably from the helpdesk, in the form it is stored.

    It holds no header that could be a credential; :meth:`of` sees to that.

    :param id: the vendor's delivery id, equal for a repeat of the same delivery. Where the vendor has none, :meth:`of`
        makes one from the body and the time of arrival: bodies that only say "look at ticket 7" are equal for two
        different replies, and the second must not pass for a repeat of the first. Events dedupe by their own ids.
    :param session_ids: the vendor's ids of the sessions it may concern; the caller looks them up.
    :param external_ids: our ids on those sessions, where the delivery names them: they tell whose a session is whose
        start never came to an end.
    :param account: which of the vendor's accounts it says it is from.
    :param reply: what to answer, when not an empty 200.
    :param method: of the HTTP request.
    :param headers: of the HTTP request, in lower case and without those that could be credentials.
    :param body: the raw bytes, exactly as received.
    :param received_at: when it arrived.
    """

    id: str = Field(min_length=1)
    session_ids: tuple[str, ...] = ()
    external_ids: tuple[str, ...] = ()
    account: str | None = None
    reply: WebhookReply | None = None
    method: str = "POST"
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    body: bytes = Field(default=b"", repr=False)
    received_at: AwareDatetime | None = None

    @classmethod
    def of(
        cls,
        request: WebhookRequest,
        *,
        id: str | None = None,
        session_ids: Iterable[str] = (),
        external_ids: Iterable[str] = (),
        account: str | None = None,
        reply: WebhookReply | None = None,
    ) -> Self:
        """Turn a verified request into what may be stored: no credential, and no path, which may hold one."""
        return cls(
            id=id or _identity(request),
            session_ids=tuple(session_ids),
            external_ids=tuple(external_ids),
            account=account,
            reply=reply,
            method=request.method,
            headers={name: value for name, value in request.headers.items() if not may_be_credential(name)},
            body=request.body,
            received_at=request.received_at,
        )


@lru_cache(maxsize=512)
def may_be_credential(header: str) -> bool:
    """Whether a header may prove who sent it, by its name in lower case."""
    return any(word in header for word in _CREDENTIAL_WORDS)


def _identity(request: WebhookRequest) -> str:
    return hashlib.sha256(request.received_at.isoformat().encode() + b"\0" + request.body).hexdigest()


class KnownSession(Model):
    """What the caller knows of a session a delivery names.

    :param cursor: where the last read of it ended, if it was ever read.
    :param own_message_ids: the vendor's ids of messages we sent: echoes of these are ignored.
    """

    session: HitlSession
    cursor: str | None = None
    own_message_ids: frozenset[str] = frozenset()


class ParseWebhook(Model):
    """Read a delivery.

    :param delivery: what ``verify_webhook`` gave.
    :param known: the sessions that are ours, by the vendor's id; ``None`` when the caller keeps no record and
        takes every session for ours.
    """

    delivery: WebhookDelivery
    known: dict[str, KnownSession] | None = None

    def is_ours(self, session_id: str) -> bool:
        """Whether the caller has a hand-off on that session."""
        return self.known is None or session_id in self.known

    def is_own_message(self, session_id: str, message_id: str) -> bool:
        """Whether we sent that message ourselves."""
        entry = None if self.known is None else self.known.get(session_id)
        return entry is not None and message_id in entry.own_message_ids


class Parsed(Model):
    """What a delivery meant.

    :param events: what happened, oldest first; one for each fact.
    :param cursors: where a read of the vendor made on the way ended, by session id.
    """

    events: tuple[Event, ...] = ()
    cursors: dict[str, str] = Field(default_factory=dict)
