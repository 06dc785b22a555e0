"""From a guarded tree to Markdown or text: markdownify, with our escaping, links, tables and lists."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from bs4 import BeautifulSoup, Tag
from markdownify import MarkdownConverter

from hitl_core.rendering.escape import escape_line_start, escape_markdown, markdown_link, safe_url
from hitl_core.rendering.html_guard import CELL, DROPPED, LINK
from hitl_core.rendering.quoted import element_role

__all__ = ["Conversion", "convert"]

_SPACES: Final = re.compile(r"\s+")
_TAG_LIKE: Final = re.compile(r"<[A-Za-z/!?]")
_WIDEST_CELL: Final = 200
_IN_A_LINE: Final = frozenset({"_inline", "a", "b", "del", "em", "i", "s", "strong"})


@dataclass(slots=True)
class Conversion:
    """What came of it.

    :param images: address and alternative text of each picture, in order.
    """

    text: str
    images: list[tuple[str, str]] = field(default_factory=list)


def convert(html: str, *, to: str, quotes: bool, signatures: bool) -> Conversion:
    """Convert well-formed HTML of bounded depth.

    :param quotes: leave out elements that are quoted mail.
    :param signatures: leave out elements that are signatures.
    """
    soup = BeautifulSoup(html, "html.parser")
    _flatten_tables(soup)
    _number_items(soup)
    left_out = {role for role, wanted in (("quote", quotes), ("rest", quotes), ("signature", signatures)) if wanted}
    converter = (_ToMarkdown if to == "markdown" else _ToText)(left_out)
    text = converter.convert_soup(soup)
    # An exclamation mark in front of a link would make an image of it.
    return Conversion(text.replace(f"!{LINK}", "\\!").replace(LINK, ""), converter.images)


def _flatten_tables(soup: BeautifulSoup) -> None:
    """Keep tables of data; make those that only place things on a page into rows of cells."""
    parts = [(part, _table_of(part)) for part in soup.find_all(["table", "tr", "td", "th"])]
    around = {id(table) for part, table in parts if part.name == "table"}
    headed = {id(table) for part, table in parts if part.name == "th"}
    for part, table in parts:
        if part.name != "table" and (table is None or id(table) in around or id(table) not in headed):
            part.name = "row" if part.name == "tr" else "cell"
    for part, _ in parts:
        if part.name == "table" and (id(part) in around or id(part) not in headed):
            part.name = "div"


def _table_of(part: Tag) -> Tag | None:
    parent = part.parent
    while parent is not None and parent.name != "table":
        parent = parent.parent
    return parent


def _number_items(soup: BeautifulSoup) -> None:
    """Number list items once; counting siblings for each would take quadratic time."""
    for items in soup.find_all("ol"):
        start = str(items.get("start") or "1")
        number = int(start) if start.isdecimal() and len(start) < 9 else 1
        for item in items.find_all("li", recursive=False):
            item["value"] = str(number)
            number += 1


_Base: Any = MarkdownConverter  # its stub lacks half of its methods


class _ToMarkdown(_Base):  # type: ignore[misc]  # see above
    """Every text node is escaped; what we add is the only markup."""

    class Options:
        heading_style = "atx"
        bullets = "-"

    def __init__(self, left_out: set[str]) -> None:
        super().__init__()
        self.left_out = left_out
        self.images: list[tuple[str, str]] = []
        self.ended = False

    def process_tag(self, node: Tag, parent_tags: set[str] | None = None) -> str:
        """Leave out what is quoted, and everything after the start of a quoted rest."""
        if self.ended:
            return ""
        if self.left_out and node.attrs:
            match element_role(node.name, node.attrs, node.get_text()[:40] if node.get("style") else ""):
                case "rest" if "rest" in self.left_out:
                    self.ended = True
                    return f"\n\n{DROPPED}\n\n"
                case "quote" if "quote" in self.left_out:
                    return f"\n\n{DROPPED}\n\n"
                case "signature" if "signature" in self.left_out:
                    return "\n\n"
        text: str = super().process_tag(node, parent_tags=parent_tags)
        return text

    def process_text(self, el: Any, parent_tags: set[str] | None = None) -> str:
        """Nothing is taken after the start of a quoted rest."""
        if self.ended:
            return ""
        text: str = super().process_text(el, parent_tags=parent_tags)
        return text

    def escape(self, text: str, parent_tags: set[str]) -> str:
        """Escape a text node; web addresses in it stay links, except inside a link."""
        link = None if "a" in parent_tags else self.bare_link
        return escape_line_start(escape_markdown(text, link=link), keep_indent=False)

    def bare_link(self, href: str) -> str:
        """Render an address that stands in the text."""
        return LINK + markdown_link(href)

    def link(self, href: str, text: str) -> str:
        """Render a link to a safe address."""
        return LINK + markdown_link(href, text)

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Render a link, or only its label when it leads nowhere safe."""
        label = _SPACES.sub(" ", text).strip()
        href = str(el.get("href") or "").strip()
        if not label or "_noformat" in parent_tags or not safe_url(href):
            return text
        before, after = text[:1].isspace() * " ", text[-1:].isspace() * " "
        return f"{before}{self.link(href, label)}{after}"

    def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Report a picture."""
        alt = _SPACES.sub(" ", str(el.get("alt") or "")).strip()
        self.images.append((str(el.get("src") or ""), alt))
        return ""

    def convert_code(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Render code; what a careless renderer could take for HTML is escaped instead."""
        if "_noformat" in parent_tags:
            return text
        # Two spans with backticks in them could, side by side, let a part of one out.
        if _TAG_LIKE.search(text) or "`" in text or "\n" in text:
            return escape_markdown(_SPACES.sub(" ", text))
        code: str = super().convert_code(el, text, parent_tags)
        return code

    convert_kbd = convert_code
    convert_samp = convert_code

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Render a code block, with a fence its content does not contain."""
        text = text.strip("\n")
        if "_noformat" in parent_tags:
            return text
        if not text.strip():
            return "\n\n"
        # A fence inside of a line would be none, and its content would be markup.
        if _TAG_LIKE.search(text) or parent_tags & _IN_A_LINE:
            return "\n\n{}\n\n".format("  \n".join(escape_line_start(escape_markdown(x)) for x in text.split("\n")))
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
        return f"\n\n{fence}\n{text}\n{fence}\n\n"

    def convert_div(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Set a block apart; also an empty one keeps the words around it apart."""
        text = text.strip(" \t\n")
        return f" {text} " if "_inline" in parent_tags else f"\n\n{text}\n\n"

    convert_p = convert_div

    def convert_li(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Render a list item."""
        text = text.strip()
        if not text:
            return ""
        bullet = f"{el['value']}. " if el.get("value") else "- "
        return bullet + text.replace("\n", "\n" + " " * len(bullet)) + "\n"

    def convert_dt(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Render a term."""
        return f"\n\n{text.strip()}\n\n"

    convert_dd = convert_dt

    def convert_cell(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Mark where a cell starts."""
        return CELL + text.strip()

    convert_td = convert_cell
    convert_th = convert_cell

    def convert_row(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Render a row of a table that only places things."""
        cells = [cell.strip() for cell in text.split(CELL) if cell.strip()]
        short = all("\n" not in cell and len(cell) <= _WIDEST_CELL for cell in cells)
        return "\n\n{}\n\n".format(" | ".join(cells) if short else "\n\n".join(cells)) if cells else ""

    def convert_tr(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Render a row of data."""
        cells = [_SPACES.sub(" ", cell).strip() for cell in text.split(CELL)[1:]]
        return f"| {' | '.join(cells)} |\n" if any(cells) else ""

    def convert_table(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Render a table of data; its first row is the head."""
        rows = [row for row in text.split("\n") if row.strip()]
        if not rows:
            return "\n\n"
        columns = rows[0].count(" | ") + 1
        return "\n\n{}\n\n".format("\n".join([rows[0], f"|{' --- |' * columns}", *rows[1:]]))


class _ToText(_ToMarkdown):
    """What a reader sees; nothing is escaped and nothing marked but lists, quotes and links."""

    def escape(self, text: str, parent_tags: set[str]) -> str:
        """Leave text as it is."""
        return text.replace("\u00a0", " ")

    def link(self, href: str, text: str) -> str:
        """Render ``label (address)``, once where both are the same."""
        address = href.removeprefix("mailto:")
        return text if text.rstrip("/") == address.rstrip("/") else f"{text} ({address})"

    def _as_is(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return text

    convert_b = convert_strong = convert_i = convert_em = convert_s = convert_del = _as_is
    convert_code = convert_kbd = convert_samp = _as_is

    def convert_br(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Break the line."""
        return " " if "_inline" in parent_tags else "\n"

    def convert_hN(self, n: int, el: Tag, text: str, parent_tags: set[str]) -> str:  # noqa: N802 - markdownify's name
        """Render a heading as a paragraph."""
        return f"\n\n{_SPACES.sub(' ', text).strip()}\n\n"

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Keep the lines."""
        return f"\n\n{text.strip(chr(10))}\n\n"

    def convert_tr(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Render a row of data."""
        return " | ".join(_SPACES.sub(" ", cell).strip() for cell in text.split(CELL)[1:]) + "\n"

    def convert_table(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Keep the rows."""
        return f"\n\n{text.strip()}\n\n"
