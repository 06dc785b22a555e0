"""What Zendesk does to the text of a comment: cut, clean, expand, and show in three forms."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Final

__all__ = [
    "BLOCK",
    "all_redacted",
    "cut",
    "expanded",
    "html_of_body",
    "html_of_lines",
    "plain_of",
    "redacted",
    "shown_html",
]

BLOCK: Final = "\u2587"
"""What stands for each character that was redacted."""

_SCRIPTS: Final = re.compile(r"<(script|style|iframe|object)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_HANDLERS: Final = re.compile(r"(<[^>]*?)\son\w+\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+)", re.IGNORECASE)
_TAGS: Final = re.compile(r"</?[a-zA-Z][^<>]*>")
_BOLD: Final = re.compile(r"\*\*(\S(?:.*?\S)?)\*\*")
_LINK: Final = re.compile(r"\[([^\]\n]+)\]\((https?://[^\s)]+)\)")
_BRACE: Final = re.compile(r"&(?:#0*123|#[xX]0*7[bB]|lcub|lbrace);?")
_CODE: Final = re.compile(r"(<(code|pre)\b.*?</\2\s*>)", re.DOTALL | re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(r"(\\\\)?\{\{(.*?)\}\}|\{%.*?%\}", re.DOTALL)
_WRAPPED: Final = '<div class="zd-comment" dir="auto">'

_BREAKS: Final = frozenset({"br", "li", "tr"})
_PARAGRAPHS: Final = frozenset(
    {"p", "div", "ul", "ol", "table", "pre", "blockquote", "hr", "h1", "h2", "h3", "h4", "h5", "h6"}
)


def cut(text: str, limit: int) -> str:
    """Return as much of a text as fits into so many bytes of UTF-8, and say nothing of it."""
    encoded = text.encode("utf-8", "surrogatepass")
    return text if len(encoded) <= limit else encoded[:limit].decode("utf-8", "ignore")


def html_of_body(body: str, *, markdown: bool) -> str:
    """Return the HTML of a comment that was given as ``body``.

    Tags are dropped and blanks collapsed, as the real API does; a line break before a blank survives.

    :param markdown: whether it is an agent's, whose Markdown is rendered; a little of it is.
    """
    text = _TAGS.sub("", body).replace("\r\n", "\n")
    text = re.sub(r"\n+(?! )", "\n", re.sub(r"[ \t]{2,}", " ", text)).strip("\n")
    text = entities.escape(text, quote=False)
    if markdown:
        text = _LINK.sub(r'<a href="\2" rel="noopener noreferrer">\1</a>', _BOLD.sub(r"<strong>\1</strong>", text))
    return f'<p dir="auto">{text.replace(chr(10), "<br>")}</p>'


def html_of_lines(text: str) -> str:
    """Return the HTML of what an agent typed into the editor."""
    return "".join(f'<p dir="auto">{entities.escape(line, quote=False) or "&nbsp;"}</p>' for line in text.split("\n"))


def shown_html(html: str) -> str:
    """Return a comment's HTML as answers show it: without scripts, in the usual frame."""
    if html.startswith(_WRAPPED):
        return html
    return f"{_WRAPPED}{_HANDLERS.sub(_without_handlers, _SCRIPTS.sub('', html))}</div>"


def _without_handlers(found: re.Match[str]) -> str:
    return found[1]


def expanded(html: str, value: Callable[[str], str | None]) -> str:
    """Return an agent's text with every placeholder replaced, and those nobody knows removed.

    What stands in code, or behind two backslashes, stays as it is.

    :param value: gives what a placeholder stands for.
    """

    def replaced(found: re.Match[str]) -> str:
        if found[1]:
            return found[0][2:]
        return (value(found[2].strip()) or "") if found[2] is not None else ""

    pieces = _CODE.split(_BRACE.sub("{", html) if _BRACE.search(html) else html)
    # The expression has two groups: text, code, the name of its tag, text, and so on.
    return "".join(
        _PLACEHOLDER.sub(replaced, piece) if index % 3 == 0 else piece
        for index, piece in enumerate(pieces)
        if index % 3 != 2
    )


def redacted(html: str, words: str) -> str:
    """Return a comment's HTML with every character of some words replaced by a block."""
    written = entities.escape(words, quote=False)
    return re.sub("|".join(map(re.escape, {words, written})), BLOCK * len(words), html) if words else html


def all_redacted(html: str) -> str:
    """Return a comment's HTML with all of its text replaced by blocks."""
    return re.sub(r"(^|>)([^<]+)", lambda found: found[1] + BLOCK * len(entities.unescape(found[2])), html)


def plain_of(html: str) -> str:
    """Return what a reader sees of HTML: lines of text, a link's address behind its label, a picture's words."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._links: list[tuple[str, int]] = []
        self._kept = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self._break(tag)
        if tag == "pre":
            self._kept += 1
        elif tag == "a":
            self._links.append((known.get("href") or "", len(self._parts)))
        elif tag == "img":
            self._parts.append(" ".join(filter(None, (known.get("alt"), known.get("src")))))
        elif tag == "li":
            self._parts.append("- ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _PARAGRAPHS:
            self._parts.append("\f")
        if tag == "pre":
            self._kept = max(self._kept - 1, 0)
        elif tag == "a" and self._links:
            address, start = self._links.pop()
            label = "".join(self._parts[start:]).strip()
            if address and address != label and address.removeprefix("mailto:") != label:
                self._parts.append(f" ({address})")

    def handle_data(self, data: str) -> None:
        self._parts.append(data if self._kept else re.sub(r"[ \t\r\n\f]+", " ", data))

    def _break(self, tag: str) -> None:
        if tag in _PARAGRAPHS:
            self._parts.append("\f")
        elif tag in _BREAKS:
            self._parts.append("\n")

    def text(self) -> str:
        whole = re.sub(r"[ \t]*\f[\f \t\n]*", "\f", "".join(self._parts)).strip("\f\n \t")
        return "\n".join(line.strip(" \t") for line in whole.replace("\f", "\n").split("\n"))
