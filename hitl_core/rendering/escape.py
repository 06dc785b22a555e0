"""Text into HTML and Markdown without letting anybody's words become markup, and Markdown back into text."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape
from typing import Final
from urllib.parse import quote

from hitl_core.rendering.neutralise import INVISIBLE

__all__ = [
    "escape_line_start",
    "escape_markdown",
    "guard_markdown",
    "html_link",
    "markdown_link",
    "markdown_to_text",
    "safe_url",
    "text_to_html",
]

_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*:")
_WEB: Final = re.compile(r"(?:https?://[^/?#\s]|mailto:[^\s?])", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# What ends a URL early or starts markup in one of the formats; quoting them does not change where it leads.
_QUOTED: Final = re.compile(rf"[\s<>\"'`\\^{{}}|()\[\]*{INVISIBLE}]")

# Backslashes where every dialect of Markdown knows them, entities for what only some dialects give a meaning.
_INLINE: Final = str.maketrans(
    {char: f"\\{char}" for char in "\\`*_{}[]"}
    | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
    | {char: f"&#{ord(char)};" for char in "~|^$@"}
)
_LOOSE: Final = re.compile(r"(?i)(?:://|mailto:|xmpp:|www\.|={2,})")
_LINE_START: Final = re.compile(
    r"(?P<gap>\s*)(?:(?P<number>\d{1,9})(?P<dot>[.)])|(?P<mark>[-+#])|(?P<rare>[=:]|!(?=!!)))"
)
_BARE_URL: Final = re.compile(r"https?://[^\s<>\"'`]+", re.IGNORECASE)
_PLAIN_URL: Final = re.compile(r"[A-Za-z0-9:/.?=%+,;#\-]*")


def text_to_html(text: str) -> str:
    """Escape text for HTML, with ``<br>`` for line breaks; nothing becomes a link."""
    return "<br>".join(escape(line) for line in re.split(r"\r\n|\r|\n", text))


def safe_url(url: str) -> str | None:
    """Return a web or mail address fit to be a link, or ``None`` for anything else.

    Only ``http``, ``https`` and ``mailto`` pass, whatever entities or white space disguise the scheme. Characters that
    could end the link early are percent-encoded.
    """
    url = url.strip(" \t\r\n\f\v\u00a0\ufeff\u200b")
    if _CONTROL.search(url) or not _WEB.match(url):
        return None
    return _QUOTED.sub(lambda match: quote(match.group(), safe=""), url)


def html_link(url: str, label: str | None = None) -> str:
    """Return an HTML link, or only the label when the address is not fit to be one."""
    shown = escape(label or url)
    safe = safe_url(url)
    return f'<a href="{escape(safe)}" rel="nofollow noopener noreferrer">{shown}</a>' if safe else shown


def markdown_link(url: str, label: str | None = None) -> str:
    """Return a Markdown link, or only the label when the address is not fit to be one.

    :param label: Markdown, already escaped; the address itself when left out.
    """
    shown = escape_markdown(url) if label is None else label
    safe = safe_url(url)
    return f"[{shown}]({_destination(safe)})" if safe else shown


def _destination(url: str) -> str:
    return url.replace("&", "&amp;").replace("_", "\\_")


def escape_markdown(text: str, *, link: Callable[[str], str] | None = None) -> str:
    """Escape one line so that any dialect of Markdown shows it as typed: no markup, HTML, link or image comes of it.

    What has a meaning only at the start of a line is the business of :func:`escape_line_start`.

    :param link: renders the web addresses in it, such as :func:`markdown_link`; without it they are made inert too.
    """
    if link is None:
        return _LOOSE.sub(_entities, text.translate(_INLINE).replace("\\](", "\\]\\("))
    done: list[str] = []
    position = 0
    for match in _BARE_URL.finditer(text):
        url = match.group().rstrip(".,;:!?)]}*_…")
        before = escape_markdown(text[position : match.start()])
        if _PLAIN_URL.fullmatch(url):
            done += [before, url]
        else:
            # An exclamation mark in front would make an image of the link.
            done += [f"{before[:-1]}\\!" if before.endswith("!") else before, link(url)]
        position = match.start() + len(url)
    done.append(escape_markdown(text[position:]))
    return "".join(done)


def _entities(match: re.Match[str]) -> str:
    return re.sub(r"[:.=]", lambda sign: f"&#{ord(sign.group())};", match.group())


def escape_line_start(line: str, *, keep_indent: bool = True) -> str:
    """Escape what would make a line a heading, list item, quote, rule, table or code block.

    :param keep_indent: show leading white space, by no-break spaces; otherwise it is left alone.
    """
    if match := _LINE_START.match(line):
        rest = line[match.end() :]
        if match["number"]:
            line = f"{match['gap']}{match['number']}\\{match['dot']}{rest}"
        elif match["mark"]:
            line = f"{match['gap']}\\{match['mark']}{rest}"
        else:
            line = f"{match['gap']}&#{ord(match['rare'])};{rest}"
    if not keep_indent:
        return line
    bare = line.lstrip()
    return line[: len(line) - len(bare)].expandtabs(4).replace(" ", "\u00a0") + bare


_RUNS: Final = re.compile(r"<?(?:javascript|vbscript|data|file):", re.IGNORECASE)
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_TRUSTED_AUTOLINK: Final = re.compile(r"<(?!(?:https?://|mailto:)[^\s<>]*>)")
_LINK_TARGET: Final = re.compile(r"(\]\(\s*)([^\s()]*)")
_REFERENCE_TARGET: Final = re.compile(r"(\]:\s*)(\S+)")


def guard_markdown(markdown: str) -> str:
    """Keep Markdown as it is but for raw HTML, links that run code, and a code block that is never closed."""
    markdown = _TRUSTED_AUTOLINK.sub("&lt;", markdown)
    markdown = _LINK_TARGET.sub(_guard_link, markdown)
    markdown = _REFERENCE_TARGET.sub(_guard_reference, markdown)
    fence = ""
    for line in markdown.splitlines():
        if match := _FENCE.match(line):
            mark, rest = match.groups()
            if not fence:
                fence = mark if not (mark[0] == "`" and "`" in rest) else ""
            elif mark.startswith(fence) and not rest.strip():
                fence = ""
    return f"{markdown}\n{fence}" if fence else markdown


def _seen_by_browsers(target: str) -> str:
    """Renderers decode entities and backslashes, and browsers skip control characters, before they see a scheme."""
    return re.sub(r"[\x00-\x20]", "", unescape(target).replace("\\", ""))


def _guard_link(match: re.Match[str]) -> str:
    target = _seen_by_browsers(match[2])
    harmless = not _SCHEME.match(target) or safe_url(target) or target.lower().startswith("tel:")
    return match.group() if harmless else f"{match[1]}#"


def _guard_reference(match: re.Match[str]) -> str:
    # Here plain prose looks alike ("[Agent]: Note: …"), so only what runs is refused.
    return f"{match[1]}#" if _RUNS.match(_seen_by_browsers(match[2])) else match.group()


_HEADING: Final = re.compile(r"(?m)^ {0,3}#{1,6}[ \t]+([^\n]*)$")
_LINK: Final = re.compile(r"!?\[([^\[\]\n]*)\]\(\s*+<?([^\s()<>]*)>?(?:[ \t]+\"[^\"\n]*\")?\s*\)")
_MARKS: Final = (
    (re.compile(r"(?m)^ {0,3}(?:`{3,}|~{3,})[^`\n]*(?:\n|$)"), ""),
    (re.compile(r"(?m)^ {0,3}=+[ \t]*(?:\n|$)"), ""),
    (re.compile(r"<((?:https?://|mailto:)[^\s<>]*)>"), r"\1"),
    (re.compile(r"(?<![*\\\w])\*([^*\s][^*\n]*)\*(?![*\w])"), r"\1"),
    (re.compile(r"(?<!\\)\*\*([^*\n]+)\*\*"), r"\1"),
    (re.compile(r"(?<![_\\\w])_([^_\s][^_\n]*)_(?![_\w])"), r"\1"),
    (re.compile(r"(?<![\\\w])__([^_\n]+)__(?!\w)"), r"\1"),
    (re.compile(r"~~([^~\n]+)~~"), r"\1"),
    (re.compile(r"(?<![`\\])`([^`\n]+)`(?!`)"), r"\1"),
    (re.compile(r"(?m)(?:(?<![ \t])[ \t]{2,}|\\)$"), ""),
    (re.compile(r"\\([!-/:-@\[-`{-~])"), r"\1"),
)


def markdown_to_text(markdown: str) -> str:
    """Return Markdown as plain text: marks removed, lists and quotes kept, links as ``label (address)``.

    Meant for reading, not for parsing: what is no well-formed markup stays as typed.
    """
    text = _HEADING.sub(lambda match: match[1].rstrip(" \t").rstrip("#").rstrip(), markdown)
    text = _LINK.sub(_link_to_text, text)
    for pattern, replacement in _MARKS:
        text = pattern.sub(replacement, text)
    return unescape(text)


def _link_to_text(match: re.Match[str]) -> str:
    label, url = match[1].strip(), match[2].removeprefix("mailto:")
    if not label or not url or label == url:
        return label or url
    return f"{label} ({url})"
