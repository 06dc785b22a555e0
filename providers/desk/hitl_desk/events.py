"""From the desk's events to the vocabulary: one reader for webhooks, pull and stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import hitl_core as hitl

__all__ = ["Translate", "agent_of", "session_id_of", "translate"]

Translate = Callable[[Mapping[str, Any]], hitl.Event]

_STOP_REASONS = {
    "agent_closed": hitl.StopReason.AGENT_CLOSED,
    "customer_left": hitl.StopReason.USER_LEFT,
    "bot_resolved": hitl.StopReason.BOT_RESOLVED,
    "timeout": hitl.StopReason.TIMEOUT,
    "error": hitl.StopReason.ERROR,
}
REASONS_TO_DESK = {reason: word for word, reason in _STOP_REASONS.items() if word != "agent_closed"}
"""Our reasons in the desk's words; any other is ``bot_resolved``."""


def session_id_of(event: Any) -> str | None:
    """Return the ticket an event is about, whatever shape it has."""
    data = event.get("data") if isinstance(event, dict) else None
    ticket = data.get("ticket") if isinstance(data, dict) else None
    found = ticket.get("id") if isinstance(ticket, dict) else None
    return found if isinstance(found, str) and found else None


def agent_of(data: Mapping[str, Any] | None) -> hitl.Agent | None:
    """Return the agent, when there is one."""
    return hitl.Agent.model_validate(data) if data else None


def translate(event: Mapping[str, Any], *, connection: str, ours: bool = True) -> hitl.Event:
    """Translate one event of the desk.

    :param ours: whether the caller has a hand-off on that ticket.
    :raises KeyError: the event lacks a field the protocol promises.
    """
    data: Mapping[str, Any] = event.get("data") or {}
    session_id = session_id_of(event)
    common: dict[str, Any] = {"event_id": event["id"], "occurred_at": event.get("timestamp"), "raw": event}
    if event["type"] == "webhook.test":
        return hitl.Ignored(reason=hitl.IgnoredReason.TEST_PING, **common)
    if session_id is None:
        return hitl.UnknownEvent(kind=event["type"], **common)
    common["session"] = hitl.SessionRef(connection=connection, id=session_id)
    if not ours:
        return hitl.Ignored(reason=hitl.IgnoredReason.NOT_OURS, **common)
    build = _BUILDERS.get(event["type"])
    if build is None:
        return hitl.UnknownEvent(kind=event["type"], **common)
    return build(data, common)


def _message(cls: type[hitl.AgentMessage | hitl.AgentMessageUpdated], data: Any, common: dict[str, Any]) -> hitl.Event:
    message = data["message"]
    return cls(
        message_id=message["id"],
        agent=agent_of(message.get("agent") or data.get("agent")),
        message=hitl.parse_message(message["message"]),
        **common,
    )


def _deleted(data: Any, common: dict[str, Any]) -> hitl.Event:
    return hitl.AgentMessageDeleted(message_id=data["message"]["id"], agent=agent_of(data.get("agent")), **common)


def _assigned(data: Any, common: dict[str, Any]) -> hitl.Event:
    return hitl.AgentAssigned(agent=hitl.Agent.model_validate(data["agent"]), **common)


def _unassigned(_: Any, common: dict[str, Any]) -> hitl.Event:
    return hitl.AgentUnassigned(**common)


def _closed(data: Any, common: dict[str, Any]) -> hitl.Event:
    if data.get("by") == "bot":
        return hitl.Ignored(reason=hitl.IgnoredReason.ECHO, **common)
    reason = _STOP_REASONS.get(data.get("reason") or "", hitl.StopReason.AGENT_CLOSED)
    return hitl.SessionStopped(reason=reason, agent=agent_of(data.get("agent")), **common)


def _reopened(data: Any, common: dict[str, Any]) -> hitl.Event:
    if data.get("by") == "bot":
        return hitl.Ignored(reason=hitl.IgnoredReason.ECHO, **common)
    return hitl.SessionReopened(agent=agent_of(data.get("agent")), **common)


def _typing(data: Any, common: dict[str, Any]) -> hitl.Event:
    return hitl.AgentTyping(agent=agent_of(data.get("agent")), typing=data.get("typing", True), **common)


def _status(_: Any, common: dict[str, Any]) -> hitl.Event:
    # Between open and closed the desk's categories say how busy agents are; customers are not told.
    return hitl.Ignored(reason=hitl.IgnoredReason.IRRELEVANT, **common)


_BUILDERS: dict[str, Callable[[Any, dict[str, Any]], hitl.Event]] = {
    "message.created": partial(_message, hitl.AgentMessage),
    "message.updated": partial(_message, hitl.AgentMessageUpdated),
    "message.deleted": _deleted,
    "ticket.assigned": _assigned,
    "ticket.unassigned": _unassigned,
    "ticket.closed": _closed,
    "ticket.reopened": _reopened,
    "ticket.status_changed": _status,
    "agent.typing": _typing,
}
