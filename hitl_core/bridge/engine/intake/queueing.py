"""The deliveries of one connection in memory: what may be read now, and what has to wait for what.

Deliveries that name the same session are read one after the other, in the order they were accepted (behaviour F23);
one that names several waits for all of them, and they for it. All others are read at the same time. Content is only
kept of what is about to be read.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush

from hitl_core.webhooks import WebhookDelivery

__all__ = ["Lines", "Waiting"]


@dataclass(eq=False, slots=True)
class Waiting:
    """A delivery that is not settled.

    :ivar sessions: what it waits for, and lets wait; of a parked one those that are nobody's yet.
    :ivar delivery: its content, while it is about to be read.
    :ivar stored_parked: it is parked in the store.
    :ivar seen: the sessions that were ours when it was read and parked.
    """

    position: int
    id: str
    sessions: tuple[str, ...]
    received_at: datetime
    attempts: int = 0
    not_before: datetime | None = None
    delivery: WebhookDelivery | None = None
    stored_parked: bool = False
    parked: bool = False
    running: bool = False
    seen: frozenset[str] | None = None


class Lines:
    """One line for each session."""

    def __init__(self) -> None:
        self._waiting: dict[int, Waiting] = {}
        self._lines: dict[str, list[int]] = {}
        self._busy: set[str] = set()
        self._look: set[int] = set()
        self._asleep: list[tuple[datetime, int]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, position: int) -> bool:
        return position in self._waiting

    def pending(self, now: datetime) -> bool:
        """Whether any may turn out to be readable now."""
        return bool(self._look) or bool(self._asleep and self._asleep[0][0] <= now)

    @property
    def busy(self) -> int:
        """How many sessions something is being read of."""
        return len(self._busy)

    @property
    def parked(self) -> list[Waiting]:
        """Those that wait for a start to come to an end, in order."""
        return sorted((one for one in self._waiting.values() if one.parked), key=lambda one: one.position)

    # In and out -----------------------------------------------------------------------------------------------

    def add(self, one: Waiting) -> None:
        """Take a delivery in; it may have been accepted before others that are here already."""
        self._waiting[one.position] = one
        for session in one.sessions:
            insort(self._lines.setdefault(session, []), one.position)
        self._wake(one)

    def startable(self, now: datetime, at_most: int) -> list[Waiting]:
        """Return what can be read now, the oldest first; its sessions are busy from here on."""
        while self._asleep and self._asleep[0][0] <= now:
            self._look.add(heappop(self._asleep)[1])
        started: list[Waiting] = []
        for position in sorted(self._look) if at_most > 0 else ():
            one = self._waiting.get(position)
            self._look.discard(position)
            if one is None or one.running or one.parked or (one.not_before is not None and one.not_before > now):
                continue
            if all(self._lines[session][0] == position and session not in self._busy for session in one.sessions):
                one.running = True
                self._busy.update(one.sessions)
                started.append(one)
                if len(started) == at_most:
                    break
            else:
                one.delivery = None
        return started

    def drop(self, one: Waiting) -> None:
        """Forget one that is settled."""
        del self._waiting[one.position]
        self._leave(one, one.sessions)
        self._stop(one)

    def again(self, one: Waiting, not_before: datetime | None = None) -> None:
        """Put one that was being read back to its place; until ``not_before`` it holds its sessions, and only them."""
        one.not_before = not_before
        one.delivery = None
        self._stop(one)
        self._wake(one)

    def park(self, one: Waiting, sessions: Iterable[str]) -> None:
        """Let one wait for a start to come to an end; from now on it holds these sessions alone."""
        kept = tuple(dict.fromkeys(sessions))
        self._leave(one, [session for session in one.sessions if session not in kept])
        for session in kept:
            if session not in one.sessions:
                insort(self._lines.setdefault(session, []), one.position)
        self._stop(one)
        one.sessions = kept
        one.parked = True
        one.delivery = None

    def release(self, one: Waiting) -> None:
        """Let a parked one be looked at again."""
        one.parked = False
        self._wake(one)

    # Sessions that are read ------------------------------------------------------------------------------------

    def hold(self, session: str) -> bool:
        """Let no delivery of a session be read, while it is read itself; ``False`` while one is being read."""
        if session in self._busy:
            return False
        self._busy.add(session)
        return True

    def let_go(self, session: str) -> None:
        """Let deliveries of a session be read again."""
        self._free([session])

    # Inside ----------------------------------------------------------------------------------------------------

    def _wake(self, one: Waiting) -> None:
        if one.not_before is None:
            self._look.add(one.position)
        else:
            heappush(self._asleep, (one.not_before, one.position))

    def _stop(self, one: Waiting) -> None:
        if one.running:
            one.running = False
            self._free(one.sessions)

    def _free(self, sessions: Iterable[str]) -> None:
        for session in sessions:
            self._busy.discard(session)
            line = self._lines.get(session)
            if line:
                self._look.add(line[0])

    def _leave(self, one: Waiting, sessions: Iterable[str]) -> None:
        for session in sessions:
            line = self._lines[session]
            line.remove(one.position)
            if not line:
                del self._lines[session]
            else:
                self._look.add(line[0])
