"""Filling as few items as possible with pieces of text, in order and within limits."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from hitl_core.info import TextLimit
from hitl_core.rendering import split_text
from hitl_core.rendering.transcript import SEPARATOR
from hitl_core.sessions import HistoryEntry, RelayItem

__all__ = ["Piece", "compose_opening", "pack"]

_BOUNDLESS: Final = TextLimit(max=sys.maxsize)
JOINER: Final = "\n\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """A text, and the entries of history it stands for."""

    text: str
    entries: tuple[HistoryEntry, ...] = ()


def pack(pieces: Iterable[Piece], first: TextLimit | None, rest: TextLimit | None) -> list[RelayItem]:
    """Put as many pieces into each item as fit; what is too long alone is split on word borders and goes on.

    :param first: limit of the first item.
    :param rest: limit of the others.
    """
    filling = _Filling(first or _BOUNDLESS, rest or _BOUNDLESS)
    for piece in pieces:
        filling.add(piece)
    filling.flush()
    return filling.items


class _Filling:
    def __init__(self, first: TextLimit, rest: TextLimit) -> None:
        self.items: list[RelayItem] = []
        self.limit, self.rest = first, rest
        self.texts: list[str] = []
        self.source: list[HistoryEntry] = []
        self.used = 0
        self.continues = False

    def add(self, piece: Piece) -> None:
        size = self.limit.measure(piece.text)
        if self.texts and self.used + self.limit.measure(SEPARATOR) + size > self.limit.max:
            self.flush()
            size = self.limit.measure(piece.text)
        if size <= self.limit.max:
            self.used += size + (self.limit.measure(SEPARATOR) if self.texts else 0)
            self.texts.append(piece.text)
            self.source.extend(piece.entries)
            return
        for number, part in enumerate(split_text(piece.text, self.rest, first=self.limit)):
            self.flush()
            self.texts, self.used = [part], self.limit.measure(part)
            self.continues = number > 0
            self.source = [] if number else list(piece.entries)

    def flush(self) -> None:
        if not self.texts:
            return
        self.items.append(
            RelayItem(text=SEPARATOR.join(self.texts), source=tuple(self.source), continues=self.continues)
        )
        self.texts, self.source, self.used, self.continues = [], [], 0, False
        self.limit = self.rest


def compose_opening(description: str | None, relay: Sequence[RelayItem], limit: TextLimit | None) -> tuple[str, int]:
    """Put description and as much of the relay as fits into one first text, for a provider's ``start_hitl``.

    Items that are internal, attachments, or somebody's own message are left for sends of their own.

    :return: the text, which may be empty, and how many items it holds: ``StartedSession.relayed``.
    """
    texts = [description] if description else []
    used = limit.measure(description) if limit and description else 0
    placed = 0
    for item in relay:
        if item.text is None or item.internal or item.author is not None:
            break
        if limit:
            used += limit.measure(item.text) + (limit.measure(JOINER) if texts else 0)
            if used > limit.max:
                break
        texts.append(item.text)
        placed += 1
    return JOINER.join(texts), placed
