"""The ways to hand a history over (behaviour F06, S160-S194; entry points ``hitl.relay_strategies``)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

from hitl_core.errors import ConfigurationError
from hitl_core.messages import AnyMessage, File, Media, Text
from hitl_core.people import Author
from hitl_core.relay.context import RelayContext
from hitl_core.relay.limited import Limited
from hitl_core.relay.packing import Piece, pack
from hitl_core.rendering import lower_message, render_transcript, split_text
from hitl_core.rendering.transcript import SEPARATOR, block_text, transcript_blocks
from hitl_core.sessions import HistoryEntry, RelayItem

__all__ = ["AttachmentFile", "Last", "Messages", "Note", "Nothing", "Summary", "Transcript"]

_MEDIA: Final = frozenset({"image", "audio", "video", "file"})


@dataclass(frozen=True, slots=True)
class Transcript:
    """One combined text: as few items as the limits allow, split between messages where possible, else between words.

    A vendor that takes history entry by entry (``structured_history``) gets the preface as an item of its own, so that
    the other items are nothing but their ``source``.

    :param timestamps: say when each message was sent.
    :param merge: put consecutive messages of one speaker together.
    """

    timestamps: bool = True
    merge: bool = False

    def plan(self, history: Sequence[HistoryEntry], context: RelayContext) -> tuple[RelayItem, ...]:
        """Return the transcript."""
        preface = [Piece(context.neutralise(text)) for text in context.preface if text.strip()]
        blocks = transcript_blocks(
            history,
            names=context.names,
            timezone=context.timezone,
            timestamps=self.timestamps,
            merge=self.merge,
        )
        pieces = [Piece(context.neutralise(block_text(block)), block.entries) for block in blocks]
        if not (context.capabilities.structured_history and preface):
            return tuple(pack([*preface, *pieces], context.first, context.limits.text))
        notes = pack(preface, context.first_alone, context.limits.text)
        items = pack(pieces, context.limits.text, context.limits.text)
        return (*(_by(note, Author.system()) for note in notes), *items)


@dataclass(frozen=True, slots=True)
class Messages:
    """Each message on its own, with its author; files stay files where the account takes them."""

    def plan(self, history: Sequence[HistoryEntry], context: RelayContext) -> tuple[RelayItem, ...]:
        """Return an item or more for each message."""
        items: list[RelayItem] = []
        for text in context.preface:
            items += _texts(text, Author.system(), context, begun=bool(items))
        for entry in history:
            author = entry.author
            if not author.name:
                author = author.model_copy(update={"name": context.names.of(author)})
            own: list[RelayItem] = []
            for message in _showable(entry.message, context):
                if isinstance(message, Media):
                    own.append(RelayItem(attachment=message, author=author))
                elif isinstance(message, Text):
                    own += _texts(message.text, author, context, begun=bool(items or own))
            items += [
                item.model_copy(update={"continues": True} if number else {"source": (entry,)})
                for number, item in enumerate(own)
            ]
        return tuple(items)


def _by(item: RelayItem, author: Author) -> RelayItem:
    return item.model_copy(update={"author": author})


def _texts(text: str, author: Author, context: RelayContext, *, begun: bool) -> list[RelayItem]:
    """Split one text into items by its author.

    :param begun: other items come before.
    """
    text = context.neutralise(text.strip()) or "-"
    limit = context.limits.text if begun else context.first_alone
    if limit is None:
        return [RelayItem(text=text, author=author)]
    rest = context.limits.text or limit
    return [RelayItem(text=part, author=author) for part in split_text(text, rest, first=limit)]


def _showable(message: AnyMessage, context: RelayContext) -> list[AnyMessage]:
    """Lower a message to texts and such files as the account takes."""
    capabilities, largest = context.capabilities, context.limits.attachment_bytes
    types = (capabilities.message_types & _MEDIA) | ({"file"} if capabilities.attachments else frozenset())
    shown: list[AnyMessage] = []
    for part in lower_message(message, types=types, attachments=capabilities.attachments):
        too_large = isinstance(part, Media) and largest is not None and (part.size or 0) > largest
        shown += lower_message(part, types=frozenset(), attachments=False) if too_large else (part,)
    return shown


@dataclass(frozen=True, slots=True)
class Last:
    """A transcript of the newest messages, which says how many older ones there are.

    :param count: how many, at least 1.
    """

    count: int = 20

    def __post_init__(self) -> None:
        if self.count < 1:
            msg = "last(n) needs n of at least 1; use 'none' to hand nothing over"
            raise ConfigurationError(msg)

    @classmethod
    def from_argument(cls, argument: str) -> Self:
        """Read ``"last(20)"``.

        :raises ConfigurationError: not a number of at least 1.
        """
        if not argument.strip().isdecimal():
            msg = "last(n) takes a number, such as last(20)"
            raise ConfigurationError(msg)
        return cls(int(argument))

    def plan(self, history: Sequence[HistoryEntry], context: RelayContext) -> tuple[RelayItem, ...]:
        """Return the transcript of the end."""
        return Limited(Transcript(), max_messages=self.count).plan(history, context)


@dataclass(frozen=True, slots=True)
class Note:
    """A transcript only agents see.

    The items are marked internal always; where an account has no internal notes, the connection sends them as public
    messages, since a hand-off without its history helps nobody.

    :param of: what the note is made of.
    """

    of: Transcript = field(default_factory=Transcript)

    def plan(self, history: Sequence[HistoryEntry], context: RelayContext) -> tuple[RelayItem, ...]:
        """Return the transcript as notes."""
        # A note may have to be sent apart from the opening, so the first obeys both limits.
        limits = context.limits.model_copy(update={"opening": context.first_alone})
        items = self.of.plan(history, replace(context, limits=limits, opening_used=0))
        return tuple(item.model_copy(update={"internal": True}) for item in items)


@dataclass(frozen=True, slots=True)
class AttachmentFile:
    """The transcript as a text file, in a ``data:`` URL the provider uploads.

    Where the account takes no files, or none of that size, it becomes a transcript.

    :param name: name of the file.
    """

    name: str = "transcript.txt"
    timestamps: bool = True

    def plan(self, history: Sequence[HistoryEntry], context: RelayContext) -> tuple[RelayItem, ...]:
        """Return one file."""
        if not history and not context.preface:
            return ()
        text = render_transcript(history, names=context.names, timezone=context.timezone, timestamps=self.timestamps)
        content = SEPARATOR.join([*context.preface, *([text] if text else [])]).encode()
        largest = context.limits.attachment_bytes
        if not context.capabilities.attachments or (largest is not None and len(content) > largest):
            return Transcript(timestamps=self.timestamps).plan(history, context)
        file = File(
            url=f"data:text/plain;charset=utf-8;base64,{b64encode(content).decode()}",
            name=self.name,
            title="Transcript",
            content_type="text/plain",
            size=len(content),
        )
        return (RelayItem(attachment=file, source=tuple(history)),)


@dataclass(frozen=True, slots=True)
class Summary:
    """A text of the host's, once, and the transcript after it.

    :param text: the summary, or what makes one from the history; that is called once for each plan, and not at all for
        an empty history. It may block and may raise, which fails the start. Empty means no summary.
    """

    text: str | Callable[[Sequence[HistoryEntry]], str] = field(repr=False)
    then: Transcript = field(default_factory=Transcript)

    @classmethod
    def from_argument(cls, argument: str) -> Self:
        """Read ``"summary(Wants a refund)"``."""
        return cls(argument)

    def plan(self, history: Sequence[HistoryEntry], context: RelayContext) -> tuple[RelayItem, ...]:
        """Return summary and transcript."""
        if not history:
            return self.then.plan(history, context)
        text = self.text if isinstance(self.text, str) else self.text(history)
        return self.then.plan(history, replace(context, preface=(text.strip(), *context.preface)))


@dataclass(frozen=True, slots=True)
class Nothing:
    """No history at all."""

    def plan(self, history: Sequence[HistoryEntry], context: RelayContext) -> tuple[RelayItem, ...]:
        """Return nothing."""
        return ()
