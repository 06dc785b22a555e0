"""What the simulated app holds: users, conversations and their messages, files, webhooks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hitl_core.people import Agent

__all__ = [
    "AGENT_ID",
    "APP_ID",
    "BOT",
    "OURS",
    "SWITCHBOARD_ID",
    "WORKSPACE",
    "Conversation",
    "Records",
    "StoredFile",
    "switchboard_integrations",
    "truncated",
]

APP_ID: Final = "5f1a5e0c0a2b3c4d5e6f7a8b"
SWITCHBOARD_ID: Final = "5f1a5e0c0a2b3c4d5e6f0001"
AGENT_ID: Final = "__zendesk_msg.agent.id"
OURS, WORKSPACE, BOT = "hitl-bot", "zd-agentWorkspace", "zd-answerBot"


def _integration(number: int, name: str, kind: str) -> dict[str, Any]:
    return {
        "id": f"5f1a5e0c0a2b3c4d5e6f10{number:02}",
        "name": name,
        "integrationId": f"5f1a5e0c0a2b3c4d5e6f20{number:02}",
        "integrationType": kind,
        "deliverStandbyEvents": False,
    }


def switchboard_integrations() -> dict[str, dict[str, Any]]:
    """Return who can have control, by name."""
    made = (
        _integration(1, BOT, "zd:answerBot"),
        _integration(2, OURS, "custom"),
        _integration(3, WORKSPACE, "zd:agentWorkspace"),
    )
    return {each["name"]: each for each in made}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An attachment."""

    name: str
    content_type: str
    content: bytes = field(repr=False)
    private: bool = False


@dataclass(slots=True)
class Conversation:
    """One conversation.

    :param active: name of the switchboard integration that has control.
    :param ticket: what agents see beside it, once there is a ticket: made when control reaches their workspace, with
        the fields of that one transfer.
    """

    id: str
    user_id: str
    created_at: datetime
    display_name: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    active: str | None = BOT
    pending: str | None = None
    ticket: dict[str, Any] | None = None
    agent: Agent | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)


class Records:
    """Everything, in memory. Ids look like the vendor's, and count up."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.conversations: dict[str, Conversation] = {}
        self.files: dict[str, StoredFile] = {}
        self.integrations = switchboard_integrations()
        self._count: Iterator[int] = itertools.count(1)

    def new_id(self, kind: int) -> str:
        """Return an id of 24 hexadecimal digits.

        :param kind: first digits, so that ids of different things differ.
        """
        return f"{kind:08x}{next(self._count):016x}"

    def user(self, id: str) -> dict[str, Any] | None:
        """Return a user by id or external id."""
        if id in self.users:
            return self.users[id]
        return next((user for user in self.users.values() if user.get("externalId") == id), None)

    def integration(self, name: str | None) -> dict[str, Any] | None:
        """Return a switchboard integration by name or id."""
        if name is None:
            return None
        return next((each for each in self.integrations.values() if name in {each["name"], each["id"]}), None)


def truncated(conversation: Conversation, records: Records) -> dict[str, Any]:
    """Return a conversation as webhooks show it."""
    shown: dict[str, Any] = {"id": conversation.id, "type": "personal"}
    if conversation.metadata:
        shown["metadata"] = dict(conversation.metadata)
    for name, holder in (("active", conversation.active), ("pending", conversation.pending)):
        if (found := records.integration(holder)) is not None:
            kept: Mapping[str, Any] = found
            shown[f"{name}SwitchboardIntegration"] = {
                key: kept[key] for key in ("id", "name", "integrationId", "integrationType")
            }
    return shown
