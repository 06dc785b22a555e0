"""Which session belongs to which hand-offs, and how far each was read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hitl_core.sessions import HitlSession, SessionRef
from hitl_core.webhooks import KnownSession

__all__ = ["Link", "Links"]


@dataclass
class Link:
    """A session and the hand-offs it carried, oldest first.

    :ivar cursor: where the next read of it begins.
    :ivar own_message_ids: the vendor's ids of what we sent, for echo suppression (behaviour F24).
    :ivar facts: how many facts of the helpdesk were taken in; a reading that was overtaken by one is stale.
    :ivar reading: a read is under way; ``read_again`` asks for one more after it.
    """

    session: HitlSession
    handoff_ids: list[str] = field(default_factory=list)
    cursor: str | None = None
    own_message_ids: set[str] = field(default_factory=set)
    facts: int = 0
    reading: bool = False
    read_again: bool = False

    def known(self) -> KnownSession:
        """Return what a provider needs to read a delivery."""
        return KnownSession(session=self.session, cursor=self.cursor, own_message_ids=frozenset(self.own_message_ids))


class Links:
    """All links; the connection is part of every key (behaviour F32, R13)."""

    def __init__(self) -> None:
        self._links: dict[tuple[str, str], Link] = {}

    def get(self, ref: SessionRef) -> Link | None:
        """Find the link of a session."""
        return self._links.get((ref.connection, ref.id))

    def add(self, session: HitlSession, handoff_id: str) -> Link:
        """Note that a session carries a hand-off."""
        link = self._links.setdefault((session.ref.connection, session.id), Link(session))
        if handoff_id not in link.handoff_ids:
            link.handoff_ids.append(handoff_id)
        return link

    def forget(self, session: HitlSession, handoff_id: str) -> None:
        """Forget a hand-off, and the session with its last one."""
        link = self.get(session.ref)
        if link is not None and handoff_id in link.handoff_ids:
            link.handoff_ids.remove(handoff_id)
            if not link.handoff_ids:
                del self._links[(session.ref.connection, session.id)]

    def known(self, connection: str, session_ids: Iterable[str]) -> dict[str, KnownSession]:
        """Return those of a vendor's session ids that are ours."""
        found = ((id_, self._links.get((connection, id_))) for id_ in session_ids)
        return {id_: link.known() for id_, link in found if link is not None}

    def ids(self, connection: str) -> frozenset[str]:
        """Return the ids of all our sessions in one account."""
        return frozenset(id_ for key, id_ in self._links if key == connection)
