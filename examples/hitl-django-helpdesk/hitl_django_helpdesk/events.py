"""From tickets and follow-ups to the vocabulary."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic_core import from_json

import hitl_core as hitl
from hitl_core.signatures import SharedSecretScheme, Verified

__all__ = ["URL_USER", "UrlSecretScheme", "event_of", "read_delivery", "state_of", "told_ticket"]

URL_USER = "hitl"  # user in the URL django-helpdesk is told to call: https://hitl:SECRET@bot.example/…


class UrlSecretScheme:
    """The password of a webhook's URL, which arrives as HTTP Basic: django-helpdesk signs nothing, nor adds headers."""

    _header = SharedSecretScheme("authorization")

    def sign(self, secret: str) -> dict[str, str]:
        """Return the header `requests` makes of ``https://hitl:SECRET@…``."""
        return self._header.sign(_basic(secret))

    def verify(
        self, secrets: Sequence[str], headers: Mapping[str, str], body: bytes = b"", *, now: datetime | float = 0
    ) -> Verified:
        """Check that the header holds one of the secrets."""
        return self._header.verify([_basic(secret) for secret in secrets], headers, body, now=now)


def _basic(secret: str) -> str:
    return f"Basic {base64.b64encode(f'{URL_USER}:{secret}'.encode()).decode()}"


def read_delivery(body: bytes) -> dict[str, Any] | None:
    """Return a delivery's object, ``None`` where it is something else."""
    try:
        found = from_json(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def told_ticket(told: Mapping[str, Any]) -> str | None:
    """Return the id of the ticket a delivery is about."""
    ticket = told.get("ticket")
    number = ticket.get("id") if isinstance(ticket, dict) else None
    return str(number) if isinstance(number, int) and not isinstance(number, bool) and number > 0 else None


def state_of(ticket: Mapping[str, Any], *, connection: str, open_statuses: frozenset[int]) -> hitl.SessionState:
    """Return how a ticket stands. Merged ones are closed as duplicates and name the ticket that goes on."""
    agent, merged = ticket["assigned_to"], ticket["merged_to"]
    return hitl.SessionState(
        open=ticket["status"] in open_statuses,
        agent=None if agent is None else hitl.Agent(id=str(agent)),
        status=str(ticket["status"]),
        moved_to=None if merged is None else hitl.SessionRef(connection=connection, id=str(merged)),
    )


def event_of(
    followup: Mapping[str, Any], session: hitl.SessionRef, *, me: frozenset[str], own: frozenset[str]
) -> hitl.Event:
    """Translate a follow-up: a message if an agent wrote words for the customer, else ignored with the reason.

    :param me: the numbers of users who are us.
    """
    id_, files = str(followup["id"]), sorted(followup["followupattachment_set"], key=lambda file: file["id"])
    common: dict[str, Any] = {"event_id": f"followup:{id_}", "session": session, "raw": dict(followup)}
    common["occurred_at"] = followup["date"]
    ignored = _reason(followup, me=me, own=own)
    if ignored is not None:
        return hitl.Ignored(reason=ignored, **common)
    parts: list[Any] = [hitl.Text(text=followup["comment"])] if (followup["comment"] or "").strip() else []
    parts += [_file(file, session) for file in files]
    message = parts[0] if len(parts) == 1 else hitl.Bloc(items=tuple(parts))
    return hitl.AgentMessage(message_id=id_, agent=hitl.Agent(id=str(followup["user"])), message=message, **common)


def _reason(followup: Mapping[str, Any], *, me: frozenset[str], own: frozenset[str]) -> hitl.IgnoredReason | None:
    user, said = followup["user"], bool((followup["comment"] or "").strip() or followup["followupattachment_set"])
    if str(user) in me or str(followup["id"]) in own:
        return hitl.IgnoredReason.ECHO
    if not followup["public"]:
        return hitl.IgnoredReason.INTERNAL_NOTE if said else hitl.IgnoredReason.SYSTEM
    if user is None or followup["message_id"]:
        # The helpdesk names staff alone; mail carries a message id, and nothing says whether an agent sent it.
        return hitl.IgnoredReason.END_USER if said else hitl.IgnoredReason.SYSTEM
    return None if said else hitl.IgnoredReason.EMPTY


def _file(file: Mapping[str, Any], session: hitl.SessionRef) -> hitl.Image | hitl.File:
    kind = hitl.Image if file["mime_type"].startswith("image/") else hitl.File
    ref = hitl.AttachmentRef(id=str(file["id"]), session=session.id)
    return kind(ref=ref, name=file["filename"] or None, content_type=file["mime_type"] or None, size=file["size"])
