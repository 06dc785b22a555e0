"""What agents write in their helpdesk, as clean text or Markdown (behaviour F27).

Out of ``clean_html`` comes no raw HTML, no script, no link but to the web or a mailbox, and none of the mail below the
agent's answer. beautifulsoup4 reads the tree and markdownify walks it; both are imported at first use, since they are
slow to import.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from hitl_core.rendering.html_guard import DROPPED, Guarded, guard_html
from hitl_core.rendering.quoted import cut_quotes, cut_signature

if TYPE_CHECKING:
    from hitl_core.rendering.html_convert import Conversion

__all__ = ["CleanText", "InlineImage", "clean_html", "clean_text"]

_MOST_BYTES: Final = 128 * 1024
_MARKUP: Final = re.compile(r"<[a-zA-Z/!]")


@dataclass(frozen=True, slots=True)
class InlineImage:
    """A picture inside the text.

    :param src: web address, ``data:`` URL, ``cid:`` of a part of the mail, or a path on the helpdesk.
    :param alt: what the agent called it.
    :param attachment: the content id, where ``src`` is a ``cid:``.
    """

    src: str = field(repr=False)
    alt: str | None = field(default=None, repr=False)
    attachment: str | None = None


@dataclass(frozen=True, slots=True)
class CleanText:
    """What an agent wrote.

    :param text: empty only when there was nothing to show but pictures.
    :param images: pictures in the order of the text; they leave no trace in it.
    :param truncated: the input was longer than ``max_bytes``.
    """

    text: str = field(repr=False)
    images: tuple[InlineImage, ...] = ()
    truncated: bool = False


def clean_html(html: str, *, to: Literal["markdown", "text"] = "markdown", max_bytes: int = _MOST_BYTES) -> CleanText:
    """Turn an agent's HTML into Markdown or plain text, without quoted mail and signature.

    Takes time proportional to the input, however broken or deeply nested it is. A mail that is nothing but a quote, or
    nothing but a signature, is kept.

    :param to: Markdown has every character of meaning escaped and raw HTML as entities. Text is what a reader sees,
        with links as ``label (address)``; it must not be treated as HTML.
    :param max_bytes: most of the HTML to keep, in UTF-8 bytes; scripts, styles, embedded pictures and whatever else is
        not shown do not count.
    """
    if not _MARKUP.search(html):
        html = html.strip().replace("\n", "<br>")
    guarded = guard_html(html, max_bytes=max_bytes)
    for quotes, signatures in ((True, True), (True, False), (False, False)):
        conversion = _convert(guarded, to, quotes=quotes, signatures=signatures)
        lines = conversion.text.splitlines()
        if quotes:
            lines = cut_quotes(lines, tail=False)
        if signatures:
            lines = cut_signature(lines)
        text = _tidy(lines, keep_breaks=to == "markdown")
        images = _images(conversion, guarded)
        if text or images:
            break
    return CleanText(text=text, images=images, truncated=guarded.truncated)


def clean_text(text: str, *, max_bytes: int = _MOST_BYTES) -> CleanText:
    """Do the same to a plain text mail: quoted mail and signature are cut, nothing is escaped."""
    cut = text.encode("utf-8", "replace")[: max_bytes + 1]
    truncated = len(cut) > max_bytes
    lines = cut[:max_bytes].decode("utf-8", "ignore").replace(DROPPED, "").replace("\x00", "").splitlines()
    own = cut_quotes(lines, tail=True)
    for kept in (cut_signature(own), own, lines):
        if tidied := _tidy(kept, keep_breaks=False):
            return CleanText(text=tidied, truncated=truncated)
    return CleanText(text="", truncated=truncated)


def _tidy(lines: list[str], *, keep_breaks: bool) -> str:
    """Trim lines and keep at most one empty line in a row."""
    tidy: list[str] = []
    for line in lines:
        bare = line.replace(DROPPED, "").rstrip(" \t\u00a0")
        if not bare and not (tidy and tidy[-1]):
            continue
        tidy.append(bare + "  " if keep_breaks and bare and line.endswith("  ") else bare)
    return "\n".join(tidy).strip(" \t\n\u00a0")


@cache
def _converter() -> Any:
    # beautifulsoup4 and markdownify take as long to import as everything else of ours.
    from hitl_core.rendering.html_convert import convert

    return convert


def _convert(guarded: Guarded, to: str, *, quotes: bool, signatures: bool) -> Conversion:
    conversion: Conversion = _converter()(guarded.html, to=to, quotes=quotes, signatures=signatures)
    return conversion


def _images(conversion: Conversion, guarded: Guarded) -> tuple[InlineImage, ...]:
    images = []
    for src, alt in conversion.images:
        kind, _, rest = src.partition(":")
        if kind == "embedded" and rest.isdecimal() and int(rest) < len(guarded.embedded):
            images.append(InlineImage(guarded.embedded[int(rest)], alt or None))
        elif kind.lower() == "cid":
            images.append(InlineImage(src, alt or None, attachment=rest))
        elif not rest or kind.lower() in ("http", "https"):
            images.append(InlineImage(src, alt or None))
    return tuple(images)
