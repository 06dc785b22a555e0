"""Broken, hostile or huge HTML rewritten as small, well-formed HTML, in one pass and linear time.

The tree builders behind us are slow or give up on what mail contains: unclosed tags by the thousand, attributes that
never end. After this pass every tag is closed, nesting is bounded, and only tags and attributes that matter are
left; what is never shown (scripts, styles, comments, hidden elements, tracking pixels) is gone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape, unescape
from typing import Final

__all__ = ["CELL", "DROPPED", "LINK", "RULED", "Guarded", "guard_html"]

DROPPED: Final = "\ue000"
"""Stands where quoted mail was left out."""
CELL: Final = "\ue001"
"""Starts a table's cell."""
LINK: Final = "\ue002"
"""Starts a link, until it is known what stands before."""
_NEVER: Final = re.compile("[\ue000-\ue002\x00\ud800-\udfff]")

_MAX_DEPTH: Final = 60
_MOST_MARKS: Final = 32_768
"""Tags and comments looked at; text takes next to no time, they do."""
_MOST_QUOTES: Final = 8
"""Quotes within quotes; each makes every line of it longer."""
_OPEN: Final = re.compile(r"<([a-zA-Z][a-zA-Z0-9:_-]*+)")
_CLOSE: Final = re.compile(r"</([a-zA-Z][a-zA-Z0-9:_-]*+)")
# Quotes count after an equals sign only; elsewhere they are part of a name.
_TAG_END: Final = re.compile(r"""(?:[^>"'=]++|=\s*+(?:"[^"]*+"|'[^']*+')?|["'])*+>""")
_ATTRIBUTE: Final = re.compile(r"""([^\s"'<>/=]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'>]++))?""")
_SPACE: Final = re.compile(r"[ \t\n\r\f]+")


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_INLINE: Final = _names("a b code del em i kbd s samp span strong")
_BLOCKS: Final = _names("blockquote dd div dl dt h1 h2 h3 h4 h5 h6 li ol p pre table td th tr ul")
_DIVISIONS: Final = _names(
    "address article aside body center details fieldset figcaption figure footer form header legend main nav section "
    "summary"
)
_ALIASES: Final = dict.fromkeys(_DIVISIONS, "div") | {
    "caption": "div",
    "font": "span",
    "ins": "span",
    "listing": "pre",
    "strike": "s",
    "tt": "code",
}
_RAW: Final = frozenset({"iframe", "noembed", "noframes", "noscript", "script", "style", "title", "xmp"})
_UNSEEN: Final = _names(
    "applet audio button canvas datalist embed map math object select svg template textarea video xml"
)
_VOID: Final = _names("area base br col hr img input link meta param source track wbr")
_ATTRIBUTES: Final = _names("alt class data-smartmail height hidden href id src start style type width")
# Opening one of these closes one that is still open.
_SELF_CLOSING: Final = {
    "li": {"li", "p"},
    "dt": {"dt", "dd", "p"},
    "dd": {"dt", "dd", "p"},
    "tr": {"td", "th", "tr", "p"},
    "td": {"td", "th", "p"},
    "th": {"td", "th", "p"},
}
_HIDING_STYLE: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|font-size\s*:\s*0(?:\.0*)?\s*(?:px|pt|em|%|;|!|$)",
    re.IGNORECASE,
)
RULED: Final = re.compile(r"border(?:-top)?\s*:[^;]*\bsolid\b", re.IGNORECASE)
"""Style of the rule some mail programs draw above what they quote."""
_TINY: Final = re.compile(r"\s*[012](?:\.\d*)?\s*(?:px)?\s*", re.IGNORECASE)
_TINY_STYLE: Final = re.compile(
    r"(?:^|[;\s])(?:width|height)\s*:\s*[01](?:\.\d*)?\s*(?:px)?\s*(?:;|!|$)", re.IGNORECASE
)
_PICTURE: Final = re.compile(r"data:image/(?:png|jpe?g|gif|webp)[;,]", re.IGNORECASE)


@dataclass(slots=True)
class Guarded:
    """What came of it.

    :param html: well-formed HTML without comments, scripts or anything hidden.
    :param embedded: pictures held in the document itself; ``<img src="embedded:0">`` stands for the first.
    :param truncated: there was more than wanted.
    """

    html: str = ""
    embedded: list[str] = field(default_factory=list)
    truncated: bool = False


@dataclass(slots=True)
class _Element:
    name: str
    written: bool
    hidden: bool


def guard_html(html: str, *, max_bytes: int) -> Guarded:
    """Rewrite HTML; see above.

    :param max_bytes: most UTF-8 bytes of the result; embedded pictures do not count.
    """
    return _Pass(html, max_bytes).run()


class _Pass:
    def __init__(self, html: str, max_bytes: int) -> None:
        html = _NEVER.sub("", html)
        self.html = html
        self.left = max_bytes
        self.out: list[str] = []
        self.stack: list[_Element] = []
        self.open: dict[str, int] = {}
        self.depth = 0
        self.hidden = 0
        self.spaced = self.fresh = True
        self.quotes = self.comments = True
        self.result = Guarded()

    def run(self) -> Guarded:
        html, position = self.html, 0
        last_end = html.rfind(">")
        marks = _MOST_MARKS
        while self.left > 0 and marks > 0 and (start := html.find("<", position)) >= 0:
            self.text(html[position:start])
            position = self.markup(start, last_end)
            marks -= 1
        if self.left > 0 and marks > 0:
            self.text(html[position:])
        self.result.truncated = self.left <= 0 or marks <= 0
        while self.stack:
            self.pop()
        self.result.html = "".join(self.out)
        return self.result

    def markup(self, start: int, last_end: int) -> int:
        """Take the markup at ``start`` and return where it ends."""
        html = self.html
        if html.startswith("<!--", start):
            end = html.find("-->", start + 2) if self.comments else -1
            # Of a comment that never ends only the mark is dropped; looking for ends again would take quadratic time.
            self.comments = end >= 0
            return end + 3 if end >= 0 else start + 4
        if start >= last_end:
            return self.literal(start)
        if match := _OPEN.match(html, start):
            return self.opening(match)
        if html.startswith(("<!", "<?", "</"), start):
            end = html.index(">", start) + 1
            if match := _CLOSE.match(html, start):
                self.end_tag(match[1].lower())
            return end
        return self.literal(start)

    def opening(self, match: re.Match[str]) -> int:
        """Take a start tag, of which the name is matched; return where it ends, or what it hides."""
        name, end = match[1].lower(), self.tag_end(match.end())
        if name in _RAW:
            return self.skip_raw(name, end)
        self.start_tag(name, self.html[match.end() : end - 1])
        return end

    def literal(self, start: int) -> int:
        """A ``<`` that starts no tag is a character."""
        self.text("<")
        return start + 1

    def skip_raw(self, name: str, position: int) -> int:
        """Skip an element whose content is no HTML; one that is never closed hides the rest, as in browsers."""
        match = re.compile(rf"</{name}\b[^>]*>?", re.IGNORECASE).search(self.html, position)
        return match.end() if match else len(self.html)

    def tag_end(self, position: int) -> int:
        """Return the end of the tag whose name ends at ``position``; a ``>`` is known to follow."""
        if self.quotes and (match := _TAG_END.match(self.html, position)):
            return match.end()
        # A quote that is never closed has swallowed everything: from here on quotes mean nothing.
        self.quotes = False
        return self.html.index(">", position) + 1

    def text(self, raw: str) -> None:
        if not raw or self.hidden:
            return
        text = unescape(raw) if "&" in raw else raw
        if not self.open.get("pre"):
            text = _SPACE.sub(" ", text)
            if self.spaced:
                text = text.lstrip(" ")
            if not text:
                return
            self.spaced, self.fresh = text.endswith(" "), False
        self.write(escape(_NEVER.sub("", text), quote=False))

    def write(self, piece: str) -> None:
        size = len(piece.encode("utf-8", "replace"))
        if size > self.left:
            piece = piece.encode("utf-8", "replace")[: self.left].decode("utf-8", "ignore")
            # An entity cut in half would come back as its own first half.
            ampersand = piece.rfind("&", -5)
            if ampersand >= 0 and ";" not in piece[ampersand:]:
                piece = piece[:ampersand]
            if piece.startswith("<"):
                piece = ""
        self.left -= size
        self.out.append(piece)

    def start_tag(self, name: str, source: str) -> None:
        if name in _VOID:
            self.void(name, source)
            return
        attributes = _attributes(source)
        hidden = name in _UNSEEN or "hidden" in attributes or bool(_HIDING_STYLE.search(attributes.get("style", "")))
        name = _ALIASES.get(name, name)
        if name == "blockquote" and self.open.get(name, 0) >= _MOST_QUOTES:
            name = "div"
        block = name in _BLOCKS
        if closes := _SELF_CLOSING.get(name):
            while self.stack and self.stack[-1].name in closes:
                self.pop()
        elif block and self.stack and self.stack[-1].name == "p":
            self.pop()
        written = (
            name in _INLINE | _BLOCKS
            and not hidden
            and not self.hidden
            and self.depth < _MAX_DEPTH
            and not (name == "span" and not attributes.keys() & {"class", "id", "data-smartmail"})
        )
        if written:
            self.depth += 1
            self.write(_written(name, {key: value for key, value in attributes.items() if _matters(key, value)}))
        elif block and not hidden and not self.hidden and not self.fresh:
            self.write("<br>")
        if block:
            self.spaced = self.fresh = True
        self.stack.append(_Element(name, written, hidden))
        self.open[name] = self.open.get(name, 0) + 1
        self.hidden += hidden

    def void(self, name: str, source: str) -> None:
        if self.hidden or name not in ("br", "hr", "img"):
            return
        if name != "img":
            self.spaced = True
            self.write(f"<{name}>")
            return
        attributes = _attributes(source)
        src = attributes.get("src", "").strip()
        if not src or _is_pixel(attributes):
            return
        alt = attributes.get("alt", "").strip()
        if _is_emoji(alt):
            self.text(escape(alt))
            return
        if src[:5].lower() == "data:":
            if not _PICTURE.match(src):
                return
            self.result.embedded.append(src)
            src = f"embedded:{len(self.result.embedded) - 1}"
        shown = {"src": src} | {key: attributes[key] for key in ("alt", "class") if attributes.get(key)}
        self.write(_written("img", shown))

    def end_tag(self, name: str) -> None:
        name = _ALIASES.get(name, name)
        if not self.open.get(name):
            if name in ("p", "br") and not self.hidden:
                self.write("<br>")
                self.spaced = True
            return
        while self.pop() != name:
            pass

    def pop(self) -> str:
        element = self.stack.pop()
        self.open[element.name] -= 1
        self.hidden -= element.hidden
        if element.written:
            self.depth -= 1
            self.out.append(f"</{element.name}>")
        if element.name in _BLOCKS:
            self.spaced = True
        return element.name


def _attributes(source: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(source):
        name, value = match[1].lower(), match[2] or ""
        if name not in _ATTRIBUTES:
            continue
        if value[:1] in ("'", '"'):
            value = value[1:-1] if len(value) > 1 and value.endswith(value[0]) else value[1:]
        found.setdefault(name, _NEVER.sub("", unescape(value)))
    return found


def _written(name: str, attributes: dict[str, str]) -> str:
    listed = [f'{key}="{escape(value)}"' for key, value in attributes.items()]
    return f"<{' '.join([name, *listed])}>"


def _matters(key: str, value: str) -> bool:
    match key:
        case "href":
            return value[:5].lower() != "data:"
        case "style":
            return bool(RULED.search(value))
        case _:
            return key in ("class", "data-smartmail", "id", "start", "type")


def _is_emoji(alt: str) -> bool:
    """Whether a picture only draws an emoji, as mail programs and chat editors do."""
    return 0 < len(alt) <= 10 and not any(char.isalnum() or char <= "\u00ff" for char in alt)


def _is_pixel(attributes: dict[str, str]) -> bool:
    """Whether a picture is too small to be seen, or hidden: a tracking pixel or a spacer."""
    style = attributes.get("style", "")
    return (
        "hidden" in attributes
        or any(_TINY.fullmatch(attributes.get(side, "")) for side in ("width", "height"))
        or bool(_HIDING_STYLE.search(style) or _TINY_STYLE.search(style))
    )
