"""Zendesk's record in HITL's vocabulary: one translation for deliveries and for reading, with the same ids.

A comment is ``comment:{id}``, each of its files ``attachment:{id}``. A change of status or assignee has no id that both
ways show; it is named by ticket, new value and the second of the update.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import hitl_core as hitl
from hitl_zendesk.texts import words

__all__ = ["ENDED", "SYSTEM", "Facts", "agent_of", "customers_of", "file_of", "mark_of", "moment", "number"]

SYSTEM: Final = "-1"
"""Zendesk itself: triggers, automations."""

ENDED: Final = {
    "solved": hitl.StopReason.AGENT_CLOSED,
    "closed": hitl.StopReason.AGENT_CLOSED,
    "deleted": hitl.StopReason.DELETED,
    "scrubbed": hitl.StopReason.DELETED,
    "archived": hitl.StopReason.AGENT_CLOSED,
}
"""Statuses of tickets nobody works on any more."""


_NUMBER: Final = re.compile(r"-?[1-9][0-9]{0,19}")

_REDACTED: Final = "redacted.txt"
"""Name of what takes the place of a file that was redacted."""

_FAMILIES: Final[Mapping[str, type[hitl.Image | hitl.Audio | hitl.Video]]] = {
    "image": hitl.Image,
    "audio": hitl.Audio,
    "video": hitl.Video,
}


def number(value: object) -> str | None:
    """Return an id as text, whether it came as number or as text; ``None`` for nothing."""
    if isinstance(value, bool) or value is None:
        return None
    text = str(value).strip()
    return text if _NUMBER.fullmatch(text) else None


def moment(value: object) -> datetime | None:
    """Read a time of Zendesk's, which may have nine digits after the second."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _second(at: datetime | None) -> str:
    return "" if at is None else str(int(at.timestamp()))


def agent_of(user: Mapping[str, Any]) -> hitl.Agent:
    """Return an agent, from a user record or from what a delivery says of an author.

    Where agents have an alias, it is the name Zendesk shows to customers.
    """
    photo = user.get("photo")
    return hitl.Agent(
        id=str(user["id"]),
        name=user.get("alias") or user.get("name"),
        email=user.get("email"),
        avatar_url=photo.get("content_url") if isinstance(photo, Mapping) else None,
    )


def customers_of(ticket: Mapping[str, Any], session: hitl.HitlSession | None) -> frozenset[str]:
    """Return who has asked: the ticket's requester, and who it was for us, since agents can change the one."""
    found = (number(ticket.get("requester_id")), number(session.user_id) if session else None)
    return frozenset(id_ for id_ in found if id_)


def mark_of(comment: Mapping[str, Any]) -> str | None:
    """Return our key, which the update that made a comment of ours carries; ``None`` where Zendesk shows none."""
    metadata = comment.get("metadata")
    custom = metadata.get("custom") if isinstance(metadata, Mapping) else None
    mark = custom.get("hitl") if isinstance(custom, Mapping) else None
    return mark if isinstance(mark, str) else None


def file_of(attachment: Mapping[str, Any], ticket: str) -> hitl.Message:
    """Return a file of an agent's; it is opened through the provider, since its link may need a login."""
    kind = attachment.get("content_type") or "application/octet-stream"
    family = kind.partition("/")[0]
    made: type[hitl.Image | hitl.Audio | hitl.Video | hitl.File]
    made = _FAMILIES.get(family, hitl.File)
    size = attachment.get("size")
    return made(
        ref=hitl.AttachmentRef(id=str(attachment["id"]), session=ticket),
        name=attachment.get("file_name") or attachment.get("filename"),
        content_type=kind,
        size=size if isinstance(size, int) and size >= 0 else None,
    )


@dataclass(frozen=True)
class Facts:
    """What happened to one ticket.

    :param me: id of the user we act as.
    :param own: ids of comments we wrote.
    :param customers: ids of who has asked; they may be staff, such as in a helpdesk for colleagues.
    """

    connection: str
    ticket: str
    me: str
    own: frozenset[str] = frozenset()
    users: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    customers: frozenset[str] = frozenset()

    @property
    def session(self) -> hitl.SessionRef:
        """The ticket."""
        return hitl.SessionRef(connection=self.connection, id=self.ticket)

    # Comments -------------------------------------------------------------------------------------------------

    def comment(self, comment: Mapping[str, Any], *, author: Mapping[str, Any], at: datetime | None) -> Iterator[Any]:
        """Give the facts of a comment: its words, then its files.

        :param author: user record or a delivery's ``author``.
        """
        id_ = str(comment["id"])
        common = {"occurred_at": at, "session": self.session, "raw": comment}
        reason = self.ignored(id_, author, public=bool(comment.get("public", comment.get("is_public", True))))
        if mark_of(comment) is not None:  # which shows before the answer to our update does
            reason = hitl.IgnoredReason.ECHO
        files = comment.get("attachments") or []
        if reason is not None:
            yield hitl.Ignored(event_id=f"comment:{id_}", reason=reason, message_id=id_, **common)
            for file in files:
                yield hitl.Ignored(event_id=f"attachment:{file['id']}", reason=reason, message_id=id_, **common)
            return
        said = words(comment.get("html_body") or "", comment.get("plain_body") or comment.get("body") or "")
        agent = agent_of(author)
        if said is not None:
            yield hitl.AgentMessage(event_id=f"comment:{id_}", message_id=id_, agent=agent, message=said, **common)
        elif not files:
            reason = hitl.IgnoredReason.EMPTY
            yield hitl.Ignored(event_id=f"comment:{id_}", reason=reason, message_id=id_, **common)
        for file in files:
            yield self.file(file, id_, agent, common)

    def file(
        self, file: Mapping[str, Any], comment_id: str, agent: hitl.Agent | None, common: Mapping[str, Any]
    ) -> Any:
        """Return the fact of one file; what was found to be harmful, deleted or redacted is not passed on."""
        event_id = f"attachment:{file['id']}"
        gone = file.get("deleted") or (file.get("file_name") or file.get("filename")) == _REDACTED
        if file.get("malware_scan_result") == "malware_found" or gone:
            reason = hitl.IgnoredReason.IRRELEVANT
            return hitl.Ignored(event_id=event_id, reason=reason, message_id=comment_id, **common)
        message = file_of(file, self.ticket)
        return hitl.AgentMessage(event_id=event_id, message_id=comment_id, agent=agent, message=message, **common)

    def ignored(self, comment_id: str, author: Mapping[str, Any], *, public: bool = True) -> hitl.IgnoredReason | None:
        """Return why a comment is not for the customer, or ``None`` (behaviours F24, F30)."""
        author_id = number(author.get("id"))
        if comment_id in self.own or author_id == self.me:
            return hitl.IgnoredReason.ECHO
        if author_id in {SYSTEM, None}:
            return hitl.IgnoredReason.SYSTEM
        if not public:
            return hitl.IgnoredReason.INTERNAL_NOTE
        staff = author.get("is_staff")
        if not isinstance(staff, bool):
            staff = author.get("role", "agent") != "end-user"
        return None if staff and author_id not in self.customers else hitl.IgnoredReason.END_USER

    # Changes --------------------------------------------------------------------------------------------------

    def assigned(self, assignee: Mapping[str, Any] | None, *, updated: datetime | None, raw: Any) -> Any:
        """Return the fact that somebody, or nobody, has the ticket now (behaviour F26)."""
        id_ = None if assignee is None else number(assignee.get("id"))
        common = self._common(f"assigned:{self.ticket}:{id_ or 'nobody'}:{_second(updated)}", updated, raw)
        if assignee is None or id_ is None:
            return hitl.AgentUnassigned(**common)
        if id_ == self.me:  # as when our own solving assigns it to us
            return hitl.Ignored(reason=hitl.IgnoredReason.ECHO, **common)
        return hitl.AgentAssigned(agent=agent_of(assignee), **common)

    def status(self, status: str, *, before: str | None, actor: str | None, updated: datetime | None, raw: Any) -> Any:
        """Return the fact of a new status."""
        status, before = status.lower(), (before or "").lower()
        common = self._common(f"status:{self.ticket}:{status}:{_second(updated)}", updated, raw)
        ended, was_ended = status in ENDED, before in ENDED
        if ended == was_ended and status != "deleted":
            return hitl.Ignored(reason=hitl.IgnoredReason.IRRELEVANT, **common)
        if actor == self.me:
            return hitl.Ignored(reason=hitl.IgnoredReason.ECHO, **common)
        agent = self.person(actor)
        if ended:
            return hitl.SessionStopped(reason=ENDED[status], agent=agent, **common)
        return hitl.SessionReopened(agent=agent, **common)

    def person(self, id_: str | None) -> hitl.Agent | None:
        """Return an agent by id, as far as is known of them; ``None`` for Zendesk itself."""
        if id_ is None or id_ == SYSTEM:
            return None
        user = self.users.get(id_)
        return agent_of(user) if user else hitl.Agent(id=id_)

    def _common(self, event_id: str, at: datetime | None, raw: Any) -> dict[str, Any]:
        return {"event_id": event_id, "occurred_at": at, "session": self.session, "raw": raw}
