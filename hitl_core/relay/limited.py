"""Handing over only the newest part of a history, and several strategies one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hitl_core.errors import ConfigurationError
from hitl_core.relay.context import RelayContext, RelayStrategy
from hitl_core.rendering import message_lines
from hitl_core.sessions import HistoryEntry, RelayItem

__all__ = ["Chain", "Limited"]


@dataclass(frozen=True, slots=True)
class Limited:
    """The newest part of a history by another strategy, with a line that says how many messages were left out (F06).

    :param strategy: how what remains is handed over.
    :param max_messages: most messages.
    :param max_bytes: most UTF-8 bytes of their text; the newest message is kept whatever its size.
    :param max_age: of ``context.now``, or of the newest message when that is not known.
    :param since: nothing up to the newest message sent before then, such as the end of the last hand-off.
    """

    strategy: RelayStrategy
    max_messages: int | None = None
    max_bytes: int | None = None
    max_age: timedelta | None = None
    since: datetime | None = None

    def __post_init__(self) -> None:
        if any(limit is not None and limit < 1 for limit in (self.max_messages, self.max_bytes)):
            msg = "a history limit must be at least 1; use the strategy 'none' to hand nothing over"
            raise ConfigurationError(msg)
        if self.since is not None and self.since.tzinfo is None:
            msg = "the history limit 'since' needs a time zone"
            raise ConfigurationError(msg)

    def plan(self, history: Sequence[HistoryEntry], context: RelayContext) -> tuple[RelayItem, ...]:
        """Return what the strategy makes of the newest part."""
        start = max(self._by_count(history), self._by_time(history, context), self._by_size(history))
        if start:
            context = replace(context, preface=(*context.preface, context.labels.left_out.format(count=start)))
        return self.strategy.plan(history[start:], context)

    def _by_count(self, history: Sequence[HistoryEntry]) -> int:
        return 0 if self.max_messages is None else max(0, len(history) - self.max_messages)

    def _by_time(self, history: Sequence[HistoryEntry], context: RelayContext) -> int:
        oldest = self.since
        if self.max_age is not None:
            now = context.now or max((entry.sent_at for entry in history if entry.sent_at), default=None)
            if now is not None:
                allowed = now - min(self.max_age, now - datetime.min.replace(tzinfo=now.tzinfo))
                oldest = allowed if oldest is None else max(oldest, allowed)
        if oldest is None:
            return 0
        for index in range(len(history), 0, -1):
            sent_at = history[index - 1].sent_at
            if sent_at is not None and sent_at < oldest:
                return index
        return 0

    def _by_size(self, history: Sequence[HistoryEntry]) -> int:
        if self.max_bytes is None:
            return 0
        used = 0
        for index in range(len(history), 0, -1):
            used += len("\n".join(message_lines(history[index - 1].message)).encode("utf-8", "replace"))
            if used > self.max_bytes and index < len(history):
                return index
        return 0


@dataclass(frozen=True, slots=True)
class Chain:
    """Several strategies one after the other, such as a summary as text and the transcript as a file.

    An entry stays in the ``source`` of the first item that has it.
    """

    strategies: tuple[RelayStrategy, ...]

    def plan(self, history: Sequence[HistoryEntry], context: RelayContext) -> tuple[RelayItem, ...]:
        """Return the items of each."""
        items: list[RelayItem] = []
        seen: set[int] = set()
        for strategy in self.strategies:
            planned = strategy.plan(history, context.after_opening() if items else context)
            for item in planned:
                source = tuple(entry for entry in item.source if id(entry) not in seen)
                items.append(item if len(source) == len(item.source) else item.model_copy(update={"source": source}))
            seen.update(id(entry) for item in planned for entry in item.source)
        return tuple(items)
