"""Conversations in memory: append-only lists, each with a cursor to read on from."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from hitl_core import Author, EndUser, HistoryEntry
from hitl_core.clock import Clock
from hitl_core.messages import AnyMessage, Media
from hitl_desk.demo.bot import ShopBot

__all__ = ["Change", "Conversation", "Conversations", "Entry", "Role", "StoredFile", "media_of"]

Role: TypeAlias = Literal["customer", "bot", "agent", "system"]

_MOST_CONVERSATIONS: Final = 500
_MOST_RECORDS: Final = 2000
_MOST_FILE_BYTES: Final = 64 * 1024 * 1024
_HISTORY: Final = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """Something said.

    :param number: position in the conversation, from 1; also the cursor after it.
    :param key: of the host's call it came by; ``None`` for the customer's and the bot's own.
    """

    number: int
    role: Role
    message: AnyMessage = field(repr=False)
    at: datetime
    author: Author = field(repr=False)
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """An entry was changed or, without a message, taken back."""

    number: int
    target: int
    message: AnyMessage | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A picture the customer attached."""

    content: bytes = field(repr=False)
    content_type: str
    name: str = field(repr=False)


@dataclass(eq=False)
class Conversation:
    """One customer's conversation.

    :param id: what bot and desk call it; no secret.
    :param customer: who it is with; the same person in the next conversation of the same browser.
    :ivar bot: the bot, as far as it remembers this conversation.
    :ivar agent_typing_until: on the monotonic clock.
    """

    id: str
    customer: EndUser
    clock: Clock = field(repr=False)
    records: list[Entry | Change] = field(default_factory=list, repr=False)
    bot: ShopBot = field(default_factory=ShopBot)
    agent_typing_until: float = 0.0
    _readers: set[asyncio.Event] = field(default_factory=set, repr=False)
    _numbers: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def full(self) -> bool:
        """Whether nothing more fits."""
        return len(self.records) >= _MOST_RECORDS

    def add(self, role: Role, message: AnyMessage, author: Author, key: str | None = None) -> Entry | None:
        """Append an entry; one whose key is known is not added again."""
        if key is not None and key in self._numbers:
            return None
        entry = Entry(len(self.records) + 1, role, message, self.clock.now(), author, key)
        self.records.append(entry)
        if key is not None:
            self._numbers[key] = entry.number
        self.wake()
        return entry

    def change(self, keys: tuple[str, ...], message: AnyMessage | None) -> None:
        """Note that what was shown under these keys is different now, or gone."""
        targets = [self._numbers[key] for key in keys if key in self._numbers]
        for index, target in enumerate(targets):
            self.records.append(Change(len(self.records) + 1, target, None if index else message))
        self.wake()

    def after(self, cursor: int) -> list[Entry | Change]:
        """Return what came after a cursor."""
        return self.records[max(cursor, 0) :]

    def entries(self) -> dict[int, Entry]:
        """Return what was said as it stands now, by number, oldest first; what was taken back is left out."""
        found: dict[int, Entry] = {}
        for record in self.records:
            if isinstance(record, Entry):
                found[record.number] = record
            elif record.message is None:
                found.pop(record.target, None)
            elif record.target in found:
                found[record.target] = replace(found[record.target], message=record.message)
        return found

    def history(self) -> tuple[HistoryEntry, ...]:
        """Return the newest 200 entries as a hand-off wants them, oldest first."""
        return tuple(
            HistoryEntry(author=entry.author, message=entry.message, sent_at=entry.at)
            for entry in list(self.entries().values())[-_HISTORY:]
        )

    def wake(self) -> None:
        """Let readers look again."""
        for reader in self._readers:
            reader.set()

    @contextmanager
    def reading(self) -> Iterator[asyncio.Event]:
        """Follow the conversation: the event is set whenever there is something to look at."""
        event = asyncio.Event()
        self._readers.add(event)
        try:
            yield event
        finally:
            self._readers.discard(event)


class Conversations:
    """All conversations and files; the ones unused longest are forgotten when there are too many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_token: OrderedDict[str, Conversation] = OrderedDict()
        self._by_id: dict[str, Conversation] = {}
        self._files: OrderedDict[str, StoredFile] = OrderedDict()

    def create(self, before: Conversation | None = None) -> tuple[str, Conversation]:
        """Begin a conversation; return the secret its browser keeps, and the conversation.

        :param before: the one it follows in the same browser.
        """
        token = secrets.token_urlsafe(32)
        customer = before.customer if before else None
        if customer is None:
            customer = EndUser(
                external_id=f"guest-{secrets.token_hex(6)}", name=f"Guest {secrets.randbelow(9000) + 1000}"
            )
        conversation = Conversation(id=f"chat-{secrets.token_hex(6)}", customer=customer, clock=self._clock)
        self._by_token[token] = self._by_id[conversation.id] = conversation
        if len(self._by_token) > _MOST_CONVERSATIONS:
            _, oldest = self._by_token.popitem(last=False)
            del self._by_id[oldest.id]
            oldest.wake()
        return token, conversation

    def by_token(self, token: str | None) -> Conversation | None:
        """Return the conversation a browser's secret stands for."""
        if not token or token not in self._by_token:
            return None
        self._by_token.move_to_end(token)
        return self._by_token[token]

    def by_id(self, conversation_id: str) -> Conversation | None:
        """Return a conversation."""
        return self._by_id.get(conversation_id)

    def keep_file(self, file: StoredFile) -> str:
        """Keep a file; return the unguessable name it is served under."""
        name = secrets.token_urlsafe(24)
        self._files[name] = file
        while sum(len(each.content) for each in self._files.values()) > _MOST_FILE_BYTES:
            self._files.popitem(last=False)
        return name

    def file(self, name: str) -> StoredFile | None:
        """Return a file."""
        return self._files.get(name)

    def wake_all(self) -> None:
        """Let every reader look again."""
        for conversation in self._by_id.values():
            conversation.wake()


def media_of(message: AnyMessage) -> tuple[Media, ...]:
    """Return the files in a message, in order."""
    items: tuple[Any, ...] = getattr(message, "items", None) or (message,)
    return tuple(item for item in items if isinstance(item, Media))
