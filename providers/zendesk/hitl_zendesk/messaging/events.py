"""From events and messages of Sunshine Conversations to the vocabulary: one reader for webhooks and for pull."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from pydantic_core import to_json

import hitl_core as hitl
from hitl_zendesk.messaging.incoming import message_of, moment
from hitl_zendesk.messaging.marks import Marks, metadata_of

__all__ = ["TRIGGERS", "Reader", "agent_of"]

TRIGGERS: Final = (
    "conversation:message",
    "conversation:remove",
    "switchboard:passControl",
    "switchboard:releaseControl",
)
"""What our webhook subscribes to."""

_AGENT: Final = "__zendesk_msg.agent.id"
_RELEASES: Final = {"transferToEmail": hitl.StopReason.TRANSFERRED}
"""Why control was released, where it is something else than an agent who ended the session."""
_KNOWN: Final = frozenset({
    *("client:add", "client:remove", "client:update", "user:merge", "user:update", "user:remove"),
    *("conversation:create", "conversation:join", "conversation:leave", "conversation:postback"),
    *("conversation:read", "conversation:referral", "conversation:typing"),
    *("conversation:message:delivery:channel", "conversation:message:delivery:failure"),
    *("conversation:message:delivery:user", "switchboard:offerControl", "switchboard:offerControl:failure"),
    *("switchboard:acceptControl:failure", "switchboard:passControl:failure"),
})  # fmt: skip


def agent_of(message: Mapping[str, Any]) -> hitl.Agent | None:
    """Return the human agent who wrote a message; ``None`` for everybody and everything else (behaviour S259).

    Triggers write under ids such as ``__trigger``.
    """
    author, id_ = message["author"], metadata_of(message).get(_AGENT)
    if author["type"] != "business" or not isinstance(id_, str | int) or isinstance(id_, bool):
        return None
    if not str(id_).strip() or str(id_).startswith("__"):
        return None
    name, picture = author.get("displayName"), author.get("avatarUrl")
    return hitl.Agent(
        id=str(id_),
        name=name if isinstance(name, str) and name.strip() else None,
        avatar_url=picture if isinstance(picture, str) and picture else None,
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads for one connection.

    :param connection: its key.
    """

    connection: str
    marks: Marks

    def session(self, id: str) -> hitl.SessionRef:
        """Return the reference of a conversation."""
        return hitl.SessionRef(connection=self.connection, id=id)

    # Webhooks -------------------------------------------------------------------------------------------------

    def event(self, event: Any, known: hitl.ParseWebhook, agent_id: str | None) -> tuple[hitl.Event, ...]:
        """Translate one event of a batch; one that cannot be read never costs its neighbours (behaviour F25).

        :param agent_id: who had the conversation before, where that is known.
        """
        try:
            return self._event(event, known, agent_id)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            kind = event.get("type") if isinstance(event, dict) else None
            named = kind if isinstance(kind, str) and kind in {*_KNOWN, *TRIGGERS} else "unreadable"
            return (hitl.UnknownEvent(kind=named, event_id=f"unreadable:{_digest(event)}", raw=event),)

    def _event(
        self, event: Mapping[str, Any], known: hitl.ParseWebhook, agent_id: str | None
    ) -> tuple[hitl.Event, ...]:
        kind, payload = event["type"], event["payload"]
        conversation = payload.get("conversation")
        id_ = event["id"]
        if not isinstance(id_, str) or not isinstance(kind, str):
            msg = "an event has no id, or no kind"
            raise TypeError(msg)
        common: dict[str, Any] = {
            "event_id": f"event:{id_}",
            "occurred_at": moment(event.get("createdAt")),
            "raw": event,
        }
        if conversation is None:
            if kind in _KNOWN:
                return (hitl.Ignored(reason=hitl.IgnoredReason.IRRELEVANT, **common),)
            return (hitl.UnknownEvent(kind=kind, **common),)
        session_id = conversation["id"]
        common["session"] = self.session(session_id)
        if self._is_anothers(conversation, known):
            if kind == "conversation:message":
                common["event_id"] = f"message:{payload['message']['id']}"
            return (hitl.Ignored(reason=hitl.IgnoredReason.NOT_OURS, **common),)
        if kind == "conversation:message":
            message = payload["message"]
            own = known.is_own_message(session_id, str(message["id"]))
            return self.message(message, session_id, own=own, agent_id=agent_id, raw=event)
        return (self._switch(kind, payload, conversation, common),)

    def _is_anothers(self, conversation: Mapping[str, Any], known: hitl.ParseWebhook) -> bool:
        if known.known is not None:
            return not known.is_ours(conversation["id"])
        return self.marks.is_anothers(metadata_of(conversation))

    def _switch(
        self, kind: str, payload: Mapping[str, Any], conversation: Mapping[str, Any], common: dict[str, Any]
    ) -> hitl.Event:
        if self.marks.ours(metadata_of(payload)):
            return hitl.Ignored(reason=hitl.IgnoredReason.ECHO, **common)
        match kind:
            case "switchboard:releaseControl":
                reason = payload.get("reason")
                found = _RELEASES.get(reason) if isinstance(reason, str) else None
                return hitl.SessionStopped(reason=found or hitl.StopReason.AGENT_CLOSED, **common)
            case "conversation:remove":
                return hitl.SessionStopped(reason=hitl.StopReason.DELETED, **common)
            case "switchboard:passControl" | "switchboard:acceptControl":
                return hitl.SessionChanged(**common)  # who has it now is read from the conversation
        if kind in _KNOWN:
            return hitl.Ignored(reason=hitl.IgnoredReason.IRRELEVANT, **common)
        return hitl.UnknownEvent(kind=kind, **common)

    # Messages -------------------------------------------------------------------------------------------------

    def message(
        self, message: Mapping[str, Any], session_id: str, *, own: bool, agent_id: str | None, raw: Any = None
    ) -> tuple[hitl.Event, ...]:
        """Translate one message.

        :param own: whether we are known to have sent it.
        :param agent_id: who had the conversation before: another agent who writes has it from now on. The first one has
            it by writing, which needs no event of its own (behaviour S261, R17).
        """
        id_ = message["id"]
        if not isinstance(id_, str) or not id_:
            msg = "a message has no id"
            raise TypeError(msg)
        common: dict[str, Any] = {
            "event_id": f"message:{id_}",
            "occurred_at": moment(message.get("received")),
            "raw": message if raw is None else raw,
            "session": self.session(session_id),
        }
        agent = None if own else agent_of(message)
        if agent is None:
            reason = hitl.IgnoredReason.ECHO if own else self._reason(message)
            return (hitl.Ignored(reason=reason, message_id=id_, **common),)
        if message.get("deleted") is True:
            deleted = {**common, "event_id": f"message:{id_}:deleted"}
            return (hitl.AgentMessageDeleted(message_id=id_, agent=agent, **deleted),)
        said = message_of(message, session_id)
        if said is None:
            return (hitl.Ignored(reason=hitl.IgnoredReason.EMPTY, message_id=id_, **common),)
        told = hitl.AgentMessage(message_id=id_, agent=agent, message=said, **common)
        if agent_id is None or agent.id == agent_id:
            return (told,)
        assigned = {**common, "event_id": f"message:{id_}:assigned"}
        return (hitl.AgentAssigned(agent=agent, **assigned), told)

    def listed(
        self, message: Mapping[str, Any], session_id: str, *, own: Collection[str], agent_id: str | None
    ) -> tuple[hitl.Event, ...]:
        """Translate one message of the vendor's record; one that cannot be read never costs its neighbours."""
        try:
            return self.message(message, session_id, own=message.get("id") in own, agent_id=agent_id)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            session, id_ = self.session(session_id), f"unreadable:{_digest(message)}"
            return (hitl.UnknownEvent(kind="conversation:message", event_id=id_, session=session, raw=message),)

    def _reason(self, message: Mapping[str, Any]) -> hitl.IgnoredReason:
        """Say why a message is no agent's."""
        author, source = message["author"], message.get("source")
        subtypes = author.get("subtypes")
        kind = source.get("type") if isinstance(source, dict) else None
        if self.marks.ours(metadata_of(message)):
            return hitl.IgnoredReason.ECHO
        if author["type"] == "user":
            return hitl.IgnoredReason.END_USER
        if kind == "zd:answerBot" or (isinstance(subtypes, list) and "AI" in subtypes):
            return hitl.IgnoredReason.BOT
        if kind == "zd:agentWorkspace" or message.get("activity") or (isinstance(subtypes, list) and subtypes):
            return hitl.IgnoredReason.SYSTEM
        if _AGENT in metadata_of(message):
            return hitl.IgnoredReason.SYSTEM
        return hitl.IgnoredReason.ECHO


def _digest(value: Any) -> str:
    try:
        return sha256(to_json(value, inf_nan_mode="strings")).hexdigest()
    except (ValueError, RecursionError):
        return sha256(repr(type(value)).encode()).hexdigest()
