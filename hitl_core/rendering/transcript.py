"""The transcript: a conversation for people to read, or as JSON for programs (behaviour S160-S198, F16)."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import timezone as fixed_zone
from html import escape
from typing import Any, Final, Literal, TypeAlias, TypeVar

from hitl_core.messages import AnyMessage, Markdown
from hitl_core.people import Author, Role
from hitl_core.rendering.escape import escape_line_start, escape_markdown, guard_markdown, html_link, markdown_link
from hitl_core.rendering.lines import Formatter, Line, message_parts, plain
from hitl_core.rendering.neutralise import INVISIBLE
from hitl_core.sessions import HistoryEntry

__all__ = [
    "Block",
    "Labels",
    "Layout",
    "TranscriptFormat",
    "block_text",
    "render_transcript",
    "render_transcript_async",
    "transcript_blocks",
]

TranscriptFormat: TypeAlias = Literal["plain", "markdown", "html", "json"]
SEPARATOR: Final = "\n\n---\n\n"
"""Between two blocks of a plain transcript (behaviour S161)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What speakers without a name are called (behaviour S162), and other words a transcript adds.

    :param left_out: said where older messages are not handed over; ``{count}`` is their number.
    """

    user: str = "User"
    bot: str = "Bot"
    agent: str = "Agent"
    system: str = "System"
    left_out: str = "[ Earlier messages not shown: {count} ]"

    def of(self, author: Author) -> str:
        """Name a speaker, in one line."""
        name = " ".join((author.name or "").split())
        return name or str(getattr(self, author.role.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One speaker's turn, as a layout sees it; name and lines are written in the output's format already.

    :param lines: at least one.
    :param sent_at: in the transcript's time zone; ``None`` when unknown or not wanted.
    :param until: time of the last message, where several are merged.
    :param entries: the history it stands for.
    """

    author: Author
    name: str = field(repr=False)
    is_bot: bool
    lines: tuple[str, ...] = field(repr=False)
    sent_at: datetime | None = None
    until: datetime | None = None
    entries: tuple[HistoryEntry, ...] = field(default=(), repr=False)

    @property
    def icon(self) -> str:
        """The speaker's icon."""
        return _ICONS[self.author.role]

    @property
    def time(self) -> str:
        """When it was said, such as ``"2026-05-04 14:03 UTC+02:00"``, empty when unknown."""
        if self.sent_at is None:
            return ""
        first = _stamp(self.sent_at)
        last = _stamp(self.until) if self.until else first
        return first if first == last else f"{first} \u2013 {last}"


Layout: TypeAlias = Callable[[Sequence[Block]], str]
"""Renders a whole transcript from its blocks (behaviour S164, S194)."""

_ICONS: Final = {Role.BOT: "🤖", Role.USER: "👤", Role.AGENT: "🧑‍💼", Role.SYSTEM: "⚙️"}


def render_transcript(
    history: Iterable[HistoryEntry],
    *,
    format: TranscriptFormat = "plain",
    names: Labels | None = None,
    timezone: tzinfo = UTC,
    timestamps: bool = True,
    merge: bool = False,
    formatters: Mapping[str, Formatter] | None = None,
    layout: Layout | None = None,
    speaker: Callable[[Author], Author] | None = None,
) -> str:
    """Render a conversation, oldest message first; an empty one is an empty string (behaviour S163).

    In plain text a block is a line with icon and speaker, then the message's lines; blocks are set apart by a rule of
    three hyphens. In Markdown and HTML what customers wrote is escaped, and only web and mail addresses become links;
    the Markdown of bots and agents stays Markdown, without raw HTML. JSON is a list of entries in the vocabulary's
    form, one by one and without formatters.

    :param names: labels of speakers without a name.
    :param timezone: zone the time stamps are shown in.
    :param merge: put consecutive messages of one speaker into one block.
    :param formatters: by message type, instead of the default ones; what they give is escaped like any text.
    :param layout: instead of the format's own; not asked for an empty history.
    :param speaker: finds out more about a speaker; asked once for each (behaviour S165).
    :raises ValueError: the format is unknown.
    """
    blocks = transcript_blocks(
        history,
        format=format,
        names=names,
        timezone=timezone,
        timestamps=timestamps,
        merge=merge,
        formatters=formatters,
        speaker=speaker,
    )
    return (layout or _LAYOUTS[format])(blocks) if blocks else _NOTHING.get(format, "")


async def render_transcript_async(
    history: Iterable[HistoryEntry],
    *,
    format: TranscriptFormat = "plain",
    names: Labels | None = None,
    timezone: tzinfo = UTC,
    timestamps: bool = True,
    merge: bool = False,
    formatters: Mapping[str, Callable[[Any], Any]] | None = None,
    layout: Callable[[Sequence[Block]], str | Awaitable[str]] | None = None,
    speaker: Callable[[Author], Author | Awaitable[Author]] | None = None,
) -> str:
    """Do the same where a formatter, the layout or ``speaker`` may be coroutines (behaviour S164).

    :raises ValueError: the format is unknown.
    """
    entries = list(history)
    speakers: dict[object, Author] = {}
    done: dict[int, str | Sequence[str]] = {}
    custom = formatters or {}
    for entry in entries:
        if speaker and _identity(entry.author) not in speakers:
            speakers[_identity(entry.author)] = await _maybe(speaker(entry.author))
        for message in (entry.message, *getattr(entry.message, "items", ())):
            if formatter := custom.get(message.type):
                done[id(message)] = await _maybe(formatter(message))
    blocks = transcript_blocks(
        entries,
        format=format,
        names=names,
        timezone=timezone,
        timestamps=timestamps,
        merge=merge,
        formatters=dict.fromkeys(custom, lambda message: done[id(message)]),
        speaker=lambda author: speakers.get(_identity(author), author),
    )
    return await _maybe((layout or _LAYOUTS[format])(blocks)) if blocks else _NOTHING.get(format, "")


T = TypeVar("T")


async def _maybe(value: T | Awaitable[T]) -> T:
    return await value if inspect.isawaitable(value) else value


def transcript_blocks(
    history: Iterable[HistoryEntry],
    *,
    format: TranscriptFormat = "plain",
    names: Labels | None = None,
    timezone: tzinfo = UTC,
    timestamps: bool = True,
    merge: bool = False,
    formatters: Mapping[str, Formatter] | None = None,
    speaker: Callable[[Author], Author] | None = None,
) -> list[Block]:
    """Render the blocks a layout puts together; parameters as for :func:`render_transcript`.

    :raises ValueError: the format is unknown.
    """
    if format not in _LAYOUTS:
        msg = f"no transcript format {format!r}; choose one of: {', '.join(_LAYOUTS)}"
        raise ValueError(msg)
    names = names or Labels()
    known: dict[object, Author] = {}
    blocks: list[Block] = []
    for entry in history:
        author = entry.author
        if speaker:
            key = _identity(author)
            author = known[key] if key in known else known.setdefault(key, speaker(author))
        name = names.of(author)
        block = Block(
            author=author,
            name=_LABELS[format](name),
            is_bot=author.role is Role.BOT,
            lines=_lines(entry.message, author, format, formatters),
            sent_at=_local(entry.sent_at, timezone) if timestamps and entry.sent_at else None,
            entries=(entry,),
        )
        if merge and format != "json" and blocks and blocks[-1].author == author:
            block = _merged(blocks.pop(), block, format)
        blocks.append(block)
    return blocks


def block_text(block: Block) -> str:
    """Return a block as it stands in a plain transcript."""
    return "\n".join([f"{block.icon} {block.name}{_bracketed(block.time)}:", *block.lines])


def _bracketed(time: str) -> str:
    return f" ({time})" if time else ""


def _identity(author: Author) -> object:
    return (author.role, author.id) if author.id else author


def _merged(before: Block, after: Block, format: TranscriptFormat) -> Block:
    lines = before.lines
    if format == "markdown" and lines[-1] and after.lines[0]:
        lines = (*lines[:-1], f"{lines[-1]}{_BREAK}")
    return replace(
        before,
        lines=lines + after.lines,
        sent_at=before.sent_at or after.sent_at,
        until=after.sent_at or before.until,
        entries=before.entries + after.entries,
    )


_BREAK: Final = "  "
"""Ends a line of Markdown that the next one must not flow into."""

# A customer's line of the shape of a separator or of a speaker's line would let them put words in the bot's mouth.
_FORGED: Final = re.compile(
    rf"[\s{INVISIBLE}]*(?:-[-\s{INVISIBLE}]*$|(?:{'|'.join(_ICONS.values())}).*:[\s{INVISIBLE}]*$)"
)


def _lines(
    message: AnyMessage, author: Author, format: TranscriptFormat, formatters: Mapping[str, Formatter] | None
) -> tuple[str, ...]:
    customer = author.role is Role.USER
    if format == "markdown" and isinstance(message, Markdown) and not customer and "markdown" not in (formatters or ()):
        return ("", *guard_markdown(message.markdown.strip()).splitlines(), "")
    lines = message_parts(message, formatters)
    match format:
        case "html":
            return tuple(_html(line) for line in lines)
        case "markdown":
            written = [_markdown(line) for line in lines]
            following = [*written[1:], ""]
            return tuple(
                f"{line}{_BREAK}" if line and after else line for line, after in zip(written, following, strict=True)
            )
        case _:
            return tuple(_guarded(plain(line)) if customer and format == "plain" else plain(line) for line in lines)


def _guarded(line: str) -> str:
    return f"> {line}" if _FORGED.match(line) else line


def _html(line: Line) -> str:
    return "".join(escape(part) if isinstance(part, str) else html_link(part.url) for part in line)


def _markdown(line: Line) -> str:
    written = "".join(escape_markdown(part) if isinstance(part, str) else markdown_link(part.url) for part in line)
    return escape_line_start(written).rstrip()


def _local(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:  # the first or last day of the calendar
        return moment


def _stamp(moment: datetime) -> str:
    # Abbreviations of zones mean different things in different countries; offsets do not.
    offset = fixed_zone(moment.utcoffset() or timedelta()).tzname(None)
    return f"{moment.replace(tzinfo=None).isoformat(' ', 'minutes')} {offset}"


def _plain_layout(blocks: Sequence[Block]) -> str:
    return SEPARATOR.join(block_text(block) for block in blocks)


def _markdown_layout(blocks: Sequence[Block]) -> str:
    written = []
    for block in blocks:
        header = f"{block.icon} **{block.name}**{_bracketed(block.time)}:"
        written.append("\n".join([header + (_BREAK if block.lines[0] else ""), *block.lines]).rstrip())
    return SEPARATOR.join(written)


def _html_layout(blocks: Sequence[Block]) -> str:
    written = []
    for block in blocks:
        header = f"{block.icon} <strong>{block.name}</strong>{_bracketed(block.time)}:"
        written.append(f"<p>{'<br>'.join([header, *block.lines])}</p>")
    return "<hr>".join(written)


def _json_layout(blocks: Sequence[Block]) -> str:
    listed: list[dict[str, Any]] = []
    for block in blocks:
        # No block is merged here, so that each entry keeps its own time.
        entry = block.entries[0].model_copy(update={"author": block.author, "sent_at": block.sent_at})
        listed.append(entry.model_dump(mode="json", exclude_none=True))
    return json.dumps(listed, ensure_ascii=False)


_LABELS: Final[dict[str, Callable[[str], str]]] = {
    "plain": str,
    "markdown": escape_markdown,
    "html": escape,
    "json": str,
}
_LAYOUTS: Final[dict[str, Layout]] = {
    "plain": _plain_layout,
    "markdown": _markdown_layout,
    "html": _html_layout,
    "json": _json_layout,
}
_NOTHING: Final = {"json": "[]"}
