"""People's words as comments and back: escaped HTML within Zendesk's limit, and agents' HTML as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import unescape
from typing import Final

import hitl_core as hitl
from hitl_core.rendering import clean_html, message_lines, text_to_html
from hitl_core.sessions import RelayItem

__all__ = ["MAX_HTML", "MAX_TEXT", "as_html", "lines_of", "opening_html", "strip_header", "words"]

MAX_HTML: Final = 64_000
"""Bytes of a comment; Zendesk cuts at 64 kB without a word."""

MAX_TEXT: Final = hitl.TextLimit(max=10_000, unit="bytes")
"""Most of a text, so that it fits in HTML whatever is in it: one byte becomes six at most."""

_PARAGRAPHS: Final = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_GAPS: Final = re.compile(r" (?= )|(?:(?<=<br>)|^) ")
_SEPARATOR: Final = "<hr>"


def as_html(text: str) -> str:
    """Return text as paragraphs in which nothing is markup, and blanks and line breaks stay as they are."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    return "".join(f"<p>{_kept(text_to_html(part))}</p>" for part in _PARAGRAPHS.split(lines))


def _kept(html: str) -> str:
    return _GAPS.sub("&nbsp;", html)


def opening_html(description: str | None, relay: Sequence[RelayItem]) -> tuple[str, int]:
    """Put description and as much of the history as fits into a first comment (behaviour S232).

    Items that are internal, attachments, or somebody's own message are left for comments of their own.

    :return: the HTML, which may be empty, and how many items it holds.
    """
    parts = [as_html(description)] if description else []
    used = sum(len(part.encode()) for part in parts)
    placed = 0
    for item in relay:
        if item.text is None or item.internal or item.author is not None:
            break
        html = (_SEPARATOR if parts and not placed else "") + as_html(item.text)
        size = len(html.encode())
        if used + size > MAX_HTML:
            break
        parts.append(html)
        used, placed = used + size, placed + 1
    return "".join(parts), placed


def lines_of(items: Iterable[hitl.Message]) -> str:
    """Return several messages as one text, such as the links of files that cannot be uploaded."""
    return "\n\n".join("\n".join(message_lines(item)) for item in items)


# What Zendesk puts in front of a comment when a placeholder renders it, in both of its known layouts: a line of
# hyphens, then author and date; where it was written on somebody's behalf, that between asterisks.
_RULE: Final = re.compile(r"\A\s*-{8,}[ \t]*(?:\n|$)")
_ON_BEHALF: Final = re.compile(r"!\*\*\*|\*\*\*!")
_ON_BEHALF_ALONE: Final = re.compile(r"\s*!\*\*\*.*\*\*\*!\s*")
_SIGNED: Final = re.compile(r"\A[^\n]{1,200}, [^\n]{0,60}\d{1,2}:\d{2}[^\n]{0,20}(?:\n|$)")


def strip_header(text: str) -> str:
    """Take off the header of a comment that a placeholder rendered (behaviour S242, R11).

    Text that merely begins with a hyphen is an agent's own, such as a list, and stays. So does a first line with one
    side of the marker and no rule above it: comments as we read them have no header, and agents like exclamation marks.
    """
    rest = _RULE.sub("", text, count=1)
    ruled = rest != text
    rest = rest.lstrip() if ruled else rest
    first, _, more = rest.partition("\n")
    if _ON_BEHALF_ALONE.fullmatch(first) or (ruled and _ON_BEHALF.search(first)):
        rest = more
    if ruled:
        rest = _SIGNED.sub("", rest.lstrip(), count=1).lstrip()
        if _ON_BEHALF.search(rest.partition("\n")[0]):
            rest = rest.partition("\n")[2]
    return rest.strip() if rest != text else text


_REDACTED: Final = re.compile(r"[\s\u2580-\u259f]*")
"""What is left of words that were redacted altogether: blocks."""

_ESCAPED: Final = re.compile(r"\\([^\w\s]|_)")


def words(html: str, plain: str) -> hitl.Message | None:
    """Return what an agent wrote (behaviour F27): Markdown where there is mark-up in it, else text.

    :returns: ``None`` when there are no words in it.
    """
    if not html:
        text = strip_header(plain.strip())
        return hitl.Text(text=text) if text and not _REDACTED.fullmatch(text) else None
    markdown, text = clean_html(html).text, clean_html(html, to="text").text
    if not markdown or _REDACTED.fullmatch(text):
        return None
    if (stripped := strip_header(text)) != text:
        # Looked for in plain text alone: in Markdown, emphasis before an exclamation mark looks like the marker.
        return hitl.Text(text=stripped) if stripped else None
    bare = unescape(_ESCAPED.sub(r"\1", markdown)).replace("  \n", "\n")
    return hitl.Text(text=text) if bare == text else hitl.Markdown(markdown=markdown)
