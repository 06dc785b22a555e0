"""From the made-up helpdesk's events to the vocabulary: one reader for webhooks and for pull."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic_core import from_json

import hitl_core as hitl
from hitl_core.signatures import HmacScheme

__all__ = ["SIGNATURE", "about", "facts_of", "state_of"]

SIGNATURE = HmacScheme(
    "x-reference-signature",
    template="{timestamp}.{id}.{body}",
    timestamp_header="x-reference-time",
    id_header="x-reference-id",
)
"""How the helpdesk signs webhooks."""


def facts_of(
    event: Mapping[str, Any],
    *,
    connection: str,
    me: str,
    known: hitl.ParseWebhook | None = None,
    own: Collection[str] = (),
) -> Sequence[hitl.Event]:
    """Translate one event, which may hold two facts: an agent took or ended the ticket by answering.

    :param me: our own id there: what we did comes back as an echo.
    :param known: the delivery it came in, which knows whose session is whose; every session is ours without it.
    :param own: ids of messages we sent, where there is no ``known``.
    """
    first = _translate(event, connection=connection, me=me, known=known, own=own)
    also = event.get("also")
    if also is None or not isinstance(first, hitl.AgentMessage):
        return [first]
    common = {"event_id": f"{event['id']}:{also}", "occurred_at": first.occurred_at, "raw": event}
    second = _EVENTS[also](event, {**common, "session": first.session})
    return [second, first] if also == "ticket.assigned" else [first, second]


def _translate(
    event: Mapping[str, Any], *, connection: str, me: str, known: hitl.ParseWebhook | None, own: Collection[str]
) -> hitl.Event:
    common: dict[str, Any] = {"event_id": event["id"], "occurred_at": event.get("at"), "raw": event}
    if event["type"] == "webhook.test":
        return hitl.Ignored(reason=hitl.IgnoredReason.TEST_PING, **common)
    ticket = event["ticket_id"]
    common["session"] = hitl.SessionRef(connection=connection, id=ticket)
    if known is not None and not known.is_ours(ticket):
        return hitl.Ignored(reason=hitl.IgnoredReason.NOT_OURS, **common)
    build = _EVENTS.get(event["type"])
    if build is None:
        return hitl.UnknownEvent(kind=event["type"], **common)
    message = _message_id(event)
    ours = message in own if known is None else message is not None and known.is_own_message(ticket, message)
    if event["type"] != "message.read" and (event["actor"]["id"] == me or ours):
        return hitl.Ignored(reason=hitl.IgnoredReason.ECHO, message_id=message, **common)
    return build(event, common)


def state_of(ticket: Mapping[str, Any]) -> hitl.SessionState:
    """Return how a ticket stands."""
    return hitl.SessionState(
        open=ticket["status"] == "open",
        agent=hitl.Agent.model_validate(ticket["assignee"]) if ticket["assignee"] else None,
        status=ticket["status"],
        updated_at=ticket["updated_at"],
    )


def about(body: bytes) -> tuple[str | None, list[str], list[str]]:
    """Return the account, the tickets and our ids a delivery names; whatever it is."""
    try:
        content = from_json(body)
        events = content["events"]
        tickets = {event["ticket_id"] for event in events if _is_id(event.get("ticket_id"))}
        external = {event["external_id"] for event in events if _is_id(event.get("external_id"))}
        return str(content["account"]), sorted(tickets), sorted(external)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, [], []


def _is_id(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _message_id(event: Mapping[str, Any]) -> str | None:
    message = event.get("message")
    return message["id"] if message else None


def _agent(event: Mapping[str, Any]) -> hitl.Agent:
    return hitl.Agent(id=event["actor"]["id"], name=event["actor"].get("name"))


def _message(event: Mapping[str, Any], common: dict[str, Any]) -> hitl.Event:
    message = event["message"]
    if event["actor"]["role"] == "user":
        return hitl.Ignored(reason=hitl.IgnoredReason.END_USER, message_id=message["id"], **common)
    if not message["public"]:
        return hitl.Ignored(reason=hitl.IgnoredReason.INTERNAL_NOTE, message_id=message["id"], **common)
    cls = hitl.AgentMessageUpdated if event["type"] == "message.updated" else hitl.AgentMessage
    return cls(message_id=message["id"], agent=_agent(event), message=_read(message), **common)


def _deleted(event: Mapping[str, Any], common: dict[str, Any]) -> hitl.Event:
    return hitl.AgentMessageDeleted(message_id=event["message"]["id"], agent=_agent(event), **common)


def _read(message: Mapping[str, Any]) -> hitl.Message:
    items: list[Any] = [hitl.Text(text=message["text"])] if message["text"] else []
    for file in message["files"]:
        ref = hitl.AttachmentRef(id=file["id"])
        kind = hitl.Image if file["type"].startswith("image/") else hitl.File
        items.append(kind(ref=ref, name=file["name"], content_type=file["type"]))
    return items[0] if len(items) == 1 else hitl.Bloc(items=tuple(items))


def _read_by_agent(event: Mapping[str, Any], common: dict[str, Any]) -> hitl.Event:
    return hitl.MessageStatus(message_id=event["message"]["id"], status=hitl.DeliveryStatus.READ, **common)


def _ignored(event: Mapping[str, Any], common: dict[str, Any]) -> hitl.Event:
    del event
    return hitl.Ignored(reason=hitl.IgnoredReason.SYSTEM, **common)


def _with_agent(cls: Callable[..., hitl.Event], event: Mapping[str, Any], common: dict[str, Any]) -> hitl.Event:
    return cls(agent=_agent(event), **common)


def _unassigned(_: Mapping[str, Any], common: dict[str, Any]) -> hitl.Event:
    return hitl.AgentUnassigned(**common)


_stopped = partial(_with_agent, partial(hitl.SessionStopped, reason=hitl.StopReason.AGENT_CLOSED))

_EVENTS: dict[str, Callable[[Mapping[str, Any], dict[str, Any]], hitl.Event]] = {
    "message.created": _message,
    "message.updated": _message,
    "message.deleted": _deleted,
    "message.read": _read_by_agent,
    "ticket.assigned": partial(_with_agent, hitl.AgentAssigned),
    "ticket.unassigned": _unassigned,
    "ticket.solved": _stopped,
    "ticket.closed": _stopped,
    "ticket.reopened": partial(_with_agent, hitl.SessionReopened),
    "ticket.tagged": _ignored,
}
