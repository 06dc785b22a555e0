"""Whose each event is: every one is routed by the session it names itself, whatever else came with it (F25)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hitl_core.bridge.engine.intake.owning import Owned
from hitl_core.bridge.handoff.inputs import AgentEvent
from hitl_core.bridge.store.inbox import input_row
from hitl_core.bridge.store.intake_rows import Row, used_up
from hitl_core.bridge.store.tables import storable
from hitl_core.events import AgentTyping, AnyEvent, Ignored, IgnoredReason, SessionChanged, UnknownEvent

__all__ = ["Routed", "Router", "event_key", "sessions_of"]

_NO_WORD: Final = re.compile(r"[^\w.:-]+")
_FOREIGN: Final = "of another account"


@dataclass
class Routed:
    """What some events come to.

    :ivar inputs: rows to be kept, in the order of the events.
    :ivar touched: conversations with something to decide on.
    :ivar wanted: sessions to be read.
    :ivar typing: who is typing, with the conversation; never stored.
    :ivar nobodys: sessions that are no hand-off's.
    :ivar unkept: events that no database can hold.
    :ivar ignored: what goes no further, by reason.
    """

    inputs: list[dict[str, Any]] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    wanted: set[str] = field(default_factory=set)
    typing: list[tuple[str, AgentTyping]] = field(default_factory=list)
    nobodys: set[str] = field(default_factory=set)
    unkept: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    passed_on: int = 0

    def detail(self) -> str:
        """Say what was done, in words of ours."""
        said = [f"{self.passed_on} event{'' if self.passed_on == 1 else 's'}"] if self.passed_on else []
        said += [f"{len(self.wanted)} to read"] if self.wanted else []
        if self.ignored:
            said.append("ignored: " + ", ".join(f"{n} {why}" for why, n in sorted(self.ignored.items())))
        return "; ".join(said) or "nothing in it"


def sessions_of(events: Iterable[AnyEvent], key: str) -> set[str]:
    """Return the ids of the sessions events are about, as far as they can be of this account."""
    refs = (event.session for event in events)
    return {ref.id for ref in refs if ref is not None and ref.connection == key and storable(ref.id)}


def event_key(connection: str, event_id: str) -> str:
    """Return what an event is known by: once, by whichever way it comes (behaviour F22)."""
    return f"event:{connection}:{event_id}"


@dataclass(frozen=True)
class Router:
    """Sorts events of one connection.

    :param links: of the sessions they are about.
    """

    owned: Owned
    tenant: str
    links: Mapping[str, Row]
    now: datetime

    def route(self, events: Iterable[AnyEvent]) -> Routed:
        """Sort events by what they come to."""
        routed = Routed()
        for event in events:
            conversation_id, why_not = self._whose(routed, event)
            if isinstance(event, Ignored):
                why_not = event.reason
                if conversation_id is not None and event.reason is not IgnoredReason.NOT_OURS:
                    self._use_up(routed, conversation_id, event)
            elif isinstance(event, UnknownEvent):
                why_not = "unknown " + _NO_WORD.sub("_", event.kind)[:40]
            elif conversation_id is not None:
                why_not = self._pass_on(routed, conversation_id, event)
            if why_not is not None:
                routed.ignored[why_not] += 1
        return routed

    def _whose(self, routed: Routed, event: AnyEvent) -> tuple[str | None, str | None]:
        """Return the conversation of an event, or why it has none."""
        ref = event.session
        if ref is None:
            return None, None
        if ref.connection != self.owned.key:
            return None, _FOREIGN
        link = self.links.get(ref.id)
        if link is None:
            routed.nobodys.add(ref.id)
            return None, IgnoredReason.NOT_OURS
        return link.conversation_id, None

    def _pass_on(self, routed: Routed, conversation_id: str, event: AnyEvent) -> str | None:
        """Pass an event on; returns why not, if it is not."""
        match event:
            case SessionChanged():
                if not self.owned.can_read:
                    return "cannot be read"
                routed.wanted.add(event.session.id)
                return None
            case AgentTyping():
                routed.typing.append((conversation_id, event))
            case _:
                row = self._row(conversation_id, event)
                if row is None:
                    routed.unkept += 1
                    return None
                routed.inputs.append(row)
                routed.touched.add(conversation_id)
        routed.passed_on += 1
        return None

    def _use_up(self, routed: Routed, conversation_id: str, event: Ignored) -> None:
        """Keep the id of what is ignored, so that a later reading that takes it for an answer does not show it (F24).

        That of what is not ours is not used up: the session may be linked a moment later, and then this is read again.
        """
        row = self._row(conversation_id, event.model_copy(update={"raw": None}))
        if row is not None:
            routed.inputs.append(used_up(row, f"ignored: {event.reason}", self.now))

    def _row(self, conversation_id: str, event: AnyEvent) -> dict[str, Any] | None:
        key = event_key(self.owned.key, event.event_id)
        if not storable(key):
            return None
        try:
            return input_row(self.tenant, conversation_id, key, AgentEvent(event=event), self.now)
        except ValueError:  # half of a surrogate pair in it, or what is no JSON
            return None
