"""What is to be written of what was read; pure."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from hitl_core.bridge.engine.intake.owning import Owned
from hitl_core.bridge.engine.intake.parsing import DeliveryRead, Failed
from hitl_core.bridge.engine.intake.reading import SessionPages
from hitl_core.bridge.engine.intake.routing import Routed, Router
from hitl_core.bridge.handoff.inputs import Failure
from hitl_core.bridge.store.inbox import input_row
from hitl_core.bridge.store.intake_rows import Row
from hitl_core.bridge.store.tables import DeliveryState, storable
from hitl_core.events import AgentTyping

__all__ = ["Draft", "Written", "starts_before"]

logger = logging.getLogger(__name__)

_STARTS_BEFORE: Final = timedelta(seconds=60)
_TYPING_LASTS: Final = timedelta(seconds=30)
_UNKEPT: Final = "an event in it cannot be stored (text that is no text); tell the provider's author"
_GAP: Final = "the helpdesk no longer shows all that happened in it; something may be missing"
_PARKED: Final = "waits for a start that is under way"


@dataclass
class Written:
    """What a transaction came to, to be noted once it is committed.

    :ivar lost: connections that are another worker's now; nothing was written for them.
    :ivar settled: deliveries that are done, or dead.
    :ivar buried: dead letters of deliveries: (connection, failure, why).
    :ivar again: deliveries to be read again, and when.
    :ivar parked: deliveries that wait for a start, and the sessions they wait with.
    :ivar touched: conversations with something new to decide on.
    :ivar typing: (conversation, hand-off, event).
    """

    lost: set[Owned] = field(default_factory=set)
    settled: list[DeliveryRead] = field(default_factory=list)
    buried: list[tuple[str, Failure, str]] = field(default_factory=list)
    again: list[tuple[DeliveryRead, datetime | None]] = field(default_factory=list)
    parked: list[tuple[DeliveryRead, frozenset[str]]] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    typing: list[tuple[str, str, AgentTyping]] = field(default_factory=list)


@dataclass
class Draft:
    """Rows of one transaction."""

    tenant: str
    now: datetime
    written: Written = field(default_factory=Written)
    inputs: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    letters: list[dict[str, Any]] = field(default_factory=list)
    audit: list[dict[str, Any]] = field(default_factory=list)
    cursors: list[tuple[str, str, str | None, str]] = field(default_factory=list)
    wishes: set[tuple[str, str, datetime]] = field(default_factory=set)
    claims: list[tuple[str, str, datetime, datetime | None]] = field(default_factory=list)
    typing: list[tuple[str, AgentTyping]] = field(default_factory=list)

    # Deliveries -----------------------------------------------------------------------------------------------

    def route(self, one: DeliveryRead | SessionPages, links: Mapping[str, Row]) -> Routed:
        """Sort what was read."""
        return Router(one.owned, self.tenant, links, self.now).route(one.events or ())

    def delivery(
        self, one: DeliveryRead, routed: Routed, links: Mapping[str, Row], starting_since: datetime | None
    ) -> None:
        """Write what a delivery meant, and whether that was all.

        :param links: of the sessions it names, or is about, as they are now.
        :param starting_since: since when a hand-off has been starting on the connection.
        """
        key, waiting = one.owned.key, one.waiting
        self._take(routed, key)
        for id_, end in one.cursors.items():
            if id_ in one.known and storable(end):
                self.cursors.append((key, id_, one.known[id_], end))
        if self.now - waiting.received_at <= _TYPING_LASTS:
            self.typing += routed.typing
        nobodys = routed.nobodys | (one.named - links.keys())
        if any(id_ in links and id_ not in one.known for id_ in one.named):
            self.written.again.append((one, None))  # became ours while it was read
        elif nobodys and starts_before(waiting.received_at, starting_since):
            self.written.parked.append((one, frozenset(nobodys)))
            if not waiting.stored_parked:
                self._settle(one, DeliveryState.PARKED, _PARKED, waiting.attempts)
        elif one.events is None:
            self.written.again.append((one, None))  # the start is over, and it was none of its
        elif routed.unkept:
            self.bury(one, Failure.REFUSED, _UNKEPT, links)
        else:
            self._settle(one, DeliveryState.DONE, routed.detail(), waiting.attempts + 1)
            self.written.settled.append(one)

    def failure(self, one: DeliveryRead, failed: Failed, links: Mapping[str, Row]) -> None:
        """Write that a delivery could not be read, now or at all."""
        if failed.retry_at is None:
            self.bury(one, failed.failure, failed.detail, links)
            return
        logger.info("connection %s: a delivery cannot be read now: %s", one.owned.key, failed.detail)
        self._settle(one, DeliveryState.OPEN, failed.detail, failed.attempts, not_before=failed.retry_at)
        self.written.again.append((one, failed.retry_at))

    def bury(self, one: DeliveryRead, failure: Failure, detail: str, links: Mapping[str, Row]) -> None:
        """Give a delivery up, for a person to look at; its sessions are read, which may tell the same."""
        self.written.buried.append((one.owned.key, failure, detail))
        self._settle(one, DeliveryState.DEAD, detail, one.waiting.attempts + 1)
        self.written.settled.append(one)
        ours = [links[id_] for id_ in sorted(one.named) if id_ in links]
        self.letters.append(
            {
                "source_position": one.waiting.position,
                "conversation_id": ours[0].conversation_id if len(ours) == 1 else None,
                "connection": one.owned.key,
                "key": one.waiting.id,
                "failure": failure.value,
                "detail": detail,
                "at": self.now,
            }
        )
        if one.owned.can_read:
            self.wishes |= {(one.owned.key, link.session_id, self.now) for link in ours}

    def _settle(
        self,
        one: DeliveryRead,
        state: DeliveryState,
        detail: str,
        attempts: int,
        *,
        not_before: datetime | None = None,
    ) -> None:
        self.deliveries.append(
            {
                "position": one.waiting.position,
                "state": state.value,
                "attempts": attempts,
                "not_before": not_before,
                "done_at": self.now if state in {DeliveryState.DONE, DeliveryState.DEAD} else None,
                "detail": detail,
            }
        )

    # Sessions -------------------------------------------------------------------------------------------------

    def pages(self, one: SessionPages, routed: Routed, links: Mapping[str, Row]) -> None:
        """Write what reading a session gave."""
        key, claim = one.owned.key, one.claim
        id_ = claim.session.id
        routed.wanted.discard(id_)  # it has just been read
        self._take(routed, key)
        self.claims.append((key, id_, claim.at, one.again))
        if one.cursor is not None and one.cursor != claim.cursor and storable(one.cursor):
            self.cursors.append((key, id_, claim.cursor, one.cursor))
        link = links.get(id_)
        if link is None:
            return
        if one.read is not None:
            read_key = f"read:{key}:{id_}:{one.read.began_at.isoformat()}"
            self.inputs.append(input_row(self.tenant, link.conversation_id, read_key, one.read, self.now))
            self.written.touched.add(link.conversation_id)
        if one.gap:
            self.note("gap", one, link.conversation_id, _GAP)
        if routed.unkept:
            self.note("unreadable", one, link.conversation_id, _UNKEPT)

    def note(self, action: str, one: SessionPages, conversation_id: str | None, detail: str) -> None:
        """Let people know."""
        logger.warning("connection %s: a session: %s", one.owned.key, detail)
        self.audit.append(
            {
                "at": self.now,
                "action": action,
                "conversation_id": conversation_id,
                "detail": f"session {one.claim.session.id} of {one.owned.key}: {detail}",
            }
        )

    def _take(self, routed: Routed, key: str) -> None:
        self.inputs += routed.inputs
        self.written.touched |= routed.touched
        self.wishes |= {(key, id_, self.now) for id_ in routed.wanted}


def starts_before(received_at: datetime, starting_since: datetime | None) -> bool:
    """Whether a start that is under way may have made a session that a delivery names.

    One that began long after the delivery came in cannot have, whoever's clocks the two were timed by.
    """
    return starting_since is not None and starting_since <= received_at + _STARTS_BEFORE
