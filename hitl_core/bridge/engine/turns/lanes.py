"""The open effects of one conversation, in their lanes, and which of them may be attempted next.

``desk`` effects of one hand-off come one after the other, ``customer`` effects of one conversation too; ``watch``
effects stand in nobody's way. A retry holds its lane, so order survives; it never holds another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from hitl_core.bridge.engine.progress import Progress
from hitl_core.bridge.handoff.effects import AnyEffect, SendToDesk, StartSession, StopSession, WatchStart
from hitl_core.bridge.store.tables import EffectState

__all__ = ["UNWANTED", "Lanes", "OpenEffect"]

LaneId: TypeAlias = tuple[str, str]

UNWANTED = "unwanted"
"""As the ``failure`` of an open effect: nobody wants it any more, but it may have taken place."""


@dataclass(slots=True, eq=False)
class OpenEffect:
    """An effect that is not settled.

    :ivar attempts: how often it was tried; the steps of one try, each of them announced, are not counted apart.
    :ivar unwanted: nobody wants it any more; all that is left is to find out whether it took place.
    :ivar members: the effects that are sent with it, in order, itself not among them.
    :ivar merged_into: the effect this one is sent with.
    :ivar stored: it has a row.
    """

    effect: AnyEffect
    handoff_id: str
    state: EffectState = EffectState.WAITING
    progress: Progress | None = None
    attempts: int = 0
    attempting_at: datetime | None = None
    not_before: datetime | None = None
    unwanted: bool = False
    members: list[OpenEffect] = field(default_factory=list)
    merged_into: OpenEffect | None = None
    failure: str | None = None
    detail: str | None = None
    stored: bool = False

    @property
    def key(self) -> str:
        """Its key."""
        return self.effect.key

    @property
    def connection(self) -> str | None:
        """Key of the connection it goes to; ``None`` for the customer's side."""
        match self.effect:
            case StartSession(connection=connection) | WatchStart(connection=connection):
                return connection
            case SendToDesk(session=session) | StopSession(session=session):
                return session.ref.connection
            case _:
                return None

    @property
    def lane(self) -> LaneId:
        """Which lane it is in."""
        match self.effect.lane:
            case "desk":
                return ("desk", self.handoff_id)
            case "customer":
                return ("customer", "")
            case _:
                return ("watch", self.key)

    @property
    def may_have_happened(self) -> bool:
        """Whether something of it may exist in the helpdesk, so that it cannot just be forgotten."""
        progress = self.progress
        return self.state is EffectState.ATTEMPTING or (
            progress is not None
            and (progress.unclear_since is not None or progress.session is not None or progress.resume is not None)
        )


class Lanes:
    """The open effects of one conversation, oldest first."""

    def __init__(self, effects: Iterable[OpenEffect] = ()) -> None:
        self._open: dict[str, OpenEffect] = {}
        self._lanes: dict[LaneId, dict[str, OpenEffect]] = {}  # only heads are asked for, however long a lane is
        self.changed: dict[str, OpenEffect] = {}
        """What has to be written, by key."""
        for effect in effects:
            self.restore(effect)

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[OpenEffect]:
        return iter(self._open.values())

    def get(self, key: str) -> OpenEffect | None:
        """Return an open effect."""
        return self._open.get(key)

    @property
    def attempting(self) -> bool:
        """Whether anything is being attempted."""
        return any(effect.state is EffectState.ATTEMPTING for effect in self._open.values())

    def add(self, effect: OpenEffect) -> None:
        """Put an effect at the end of its lane; one that is there already stays as it is."""
        if effect.key not in self._open:
            self.restore(effect)
            self.touch(effect)

    def restore(self, effect: OpenEffect) -> None:
        """Put an effect that has a row at the end of its lane."""
        self._open[effect.key] = effect
        self._lanes.setdefault(effect.lane, {})[effect.key] = effect

    def touch(self, effect: OpenEffect) -> None:
        """Note that an effect has to be written."""
        self.changed[effect.key] = effect

    def settle(self, effect: OpenEffect, state: EffectState) -> None:
        """End an effect."""
        effect.state = state
        self.changed[effect.key] = effect
        if self._open.pop(effect.key, None) is not None:
            lane = self._lanes[effect.lane]
            del lane[effect.key]
            if not lane:
                del self._lanes[effect.lane]  # there is one for each watch: they would add up

    def cancel(self, keys: Iterable[str]) -> None:
        """Do not begin these any more; what may have taken place is only found out about."""
        for key in keys:
            effect = self._open.get(key)
            if effect is None:
                continue
            leader = effect.merged_into
            if effect.may_have_happened or (leader is not None and leader.may_have_happened):
                effect.unwanted = True
                effect.failure = UNWANTED
                self.touch(effect)
                continue
            if leader is not None:
                leader.members.remove(effect)
                leader.progress = None  # it was planned with this one
                self.touch(leader)
            for member in effect.members:
                member.merged_into = None
                self.touch(member)
            self.settle(effect, EffectState.CANCELLED)

    def heads(self) -> list[OpenEffect]:
        """Return the first effect of each lane."""
        return [next(iter(lane.values())) for lane in self._lanes.values()]

    def waiting(self) -> list[OpenEffect]:
        """Return the heads that nothing but time and room keeps from being attempted."""
        return [
            head
            for head in self.heads()
            if head.state is EffectState.WAITING and not any(key in self._open for key in head.effect.after)
        ]

    def followers(self, head: OpenEffect) -> Iterator[OpenEffect]:
        """Return the effects right behind ``head`` in its lane that have not been begun."""
        behind = iter(self._lanes[head.lane].values())
        for effect in behind:
            if effect is head:
                break
        for effect in behind:
            if effect.state is not EffectState.WAITING or (effect.progress is not None and effect.progress.began_at):
                return
            yield effect
