"""What a relay strategy is and what it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Final, Protocol, runtime_checkable

from hitl_core.info import Capabilities, Limits, TextLimit
from hitl_core.rendering import Labels, neutralise_placeholders
from hitl_core.sessions import HistoryEntry, RelayItem

__all__ = ["RelayContext", "RelayStrategy"]

_WIDEST: Final = {"characters": 1, "utf16": 2, "bytes": 4}
"""Room the widest character takes."""
_JOINER_FROM: Final = 64
"""From this much room on, two characters are kept for the empty line between description and history."""


@dataclass(frozen=True, slots=True)
class RelayContext:
    """What a strategy may go by; the same history and context always give the same items.

    :param bot_name: name of the bot, where its messages carry none.
    :param timezone: zone of the time stamps people read.
    :param opening_used: how much of ``limits.opening`` title and description take already, in its unit.
    :param now: the time ages are measured from; that of the newest message when left out.
    :param preface: texts to put in front of the history, each once.
    """

    limits: Limits = field(default_factory=Limits)
    capabilities: Capabilities = field(default_factory=Capabilities)
    bot_name: str | None = None
    labels: Labels = field(default_factory=Labels)
    timezone: tzinfo = UTC
    opening_used: int = 0
    now: datetime | None = None
    preface: tuple[str, ...] = field(default=(), repr=False)

    @property
    def names(self) -> Labels:
        """Labels of nameless speakers, with the bot's name."""
        return replace(self.labels, bot=self.bot_name) if self.bot_name else self.labels

    @property
    def first(self) -> TextLimit | None:
        """Limit of the first item: what the opening has left.

        When not even one character is left, the first item goes into a message of its own and ``limits.text`` counts.
        """
        opening = self.limits.opening or self.limits.text
        if opening is None or not self.opening_used:
            return opening
        left = opening.max - self.opening_used
        if left < _WIDEST[opening.unit]:
            return self.limits.text
        return TextLimit(max=left - 2 if left >= _JOINER_FROM else left, unit=opening.unit)

    @property
    def first_alone(self) -> TextLimit | None:
        """Limit of a first item that may end up in the opening or in a message of its own."""
        first, text = self.first, self.limits.text
        if first is None or text is None:
            return first or text
        if first.unit == text.unit:
            return first if first.max <= text.max else text
        # A text has at least as many bytes as UTF-16 units, and of those at least as many as characters.
        most = min(first.max, text.max)
        return TextLimit(max=most, unit="bytes") if most >= _WIDEST["bytes"] else text

    def neutralise(self, text: str) -> str:
        """Make the vendor's template syntax in people's words inert."""
        return neutralise_placeholders(text, self.capabilities.placeholders)

    def after_opening(self) -> RelayContext:
        """Return the context of items that follow others: no opening to fit into, nothing to put in front."""
        return replace(self, limits=self.limits.model_copy(update={"opening": None}), opening_used=0, preface=())


@runtime_checkable
class RelayStrategy(Protocol):
    """Turns history into items small enough to be sent.

    Deterministic and without side effects, since the plan of a start may be made again and must come out the same.
    """

    def plan(self, history: Sequence[HistoryEntry], context: RelayContext) -> tuple[RelayItem, ...]:
        """Return the items in order; none for an empty history (behaviour S163).

        The first fits what the opening has left, the others ``limits.text``. Every entry that is handed over is in the
        ``source`` of exactly one item. An item with neither ``source`` nor ``continues`` stands for no entry: a
        summary, or a note of what was left out.
        """
        ...
