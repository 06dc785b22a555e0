"""The attempts this worker is making, and what they came to until a turn takes it in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from hitl_core.bridge.engine.progress import Advance
from hitl_core.bridge.engine.turns.conversation import Conversation
from hitl_core.bridge.engine.turns.lanes import OpenEffect

__all__ = ["Came", "UnderWay"]


@dataclass(frozen=True, slots=True)
class Came:
    """What an attempt came to.

    :param fence: of the turn that began it; another one has made its own of it since, and this tells nothing.
    """

    key: str
    fence: int
    advance: Advance


class UnderWay:
    """What a worker is doing outside of its turns; nothing of it is forgotten when a turn fails."""

    def __init__(self) -> None:
        self._came: dict[str, list[Came]] = {}
        self._making: dict[str, int] = {}

    # An attempt -----------------------------------------------------------------------------------------------

    def began(self, effect: OpenEffect, fence: int) -> None:
        """Note that an attempt is being made."""
        self._making[effect.key] = fence

    def ended(self, effect: OpenEffect, fence: int) -> None:
        """Note that an attempt is over."""
        if self._making.get(effect.key) == fence:
            del self._making[effect.key]

    def came(self, conversation_id: str, came: Came) -> None:
        """Keep what an attempt came to for the next turn."""
        self._came.setdefault(conversation_id, []).append(came)

    # A turn ---------------------------------------------------------------------------------------------------

    def of(self, conversation_id: str) -> Sequence[Came]:
        """Return what attempts of a conversation came to, in order."""
        return self._came.get(conversation_id, ())

    def among(self, ids: Collection[str]) -> set[str]:
        """Return those of these conversations that something came to."""
        return self._came.keys() & set(ids)

    def ours(self, conversation: Conversation) -> Callable[[str], bool]:
        """Return what tells whether an effect's attempt is one this worker is making, or has just made."""
        keys = {came.key for came in self.of(conversation.id) if came.fence == conversation.fence}
        return lambda key: key in keys or self._making.get(key) == conversation.fence

    def taken_in(self, conversation_id: str, count: int) -> None:
        """Forget the first of what came, which was committed."""
        rest = self._came.pop(conversation_id, [])[count:]
        if rest:  # came while the turn was being committed
            self._came[conversation_id] = rest

    def forget(self, conversation_id: str) -> None:
        """Forget what came to a conversation that is not ours any more."""
        self._came.pop(conversation_id, None)
