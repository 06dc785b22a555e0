"""What agents can read: a thread as plain words, whatever the vendor writes it in."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from hitl_core.testing.simulator import SimFile, SimMessage, SimSession

__all__ = ["everything", "lines", "messages_that_say", "numbered", "one_line", "shown", "within"]

_BLOCKS: Final = frozenset({"br", "p", "div", "li", "ul", "ol", "tr", "hr", "pre", "blockquote", "h1", "h2", "h3"})
_ADDRESSES: Final = frozenset({"href", "src"})


def one_line(text: str) -> str:
    """Return a text with each run of white space as one space: vendors differ in how they keep lines."""
    return " ".join(text.split())


def shown(message: SimMessage) -> str:
    """Return the words of a message as agents see them, in one line: of HTML what a browser shows."""
    return one_line(_Page.of(message.text).text if message.html else message.text)


def lines(message: SimMessage) -> list[str]:
    """Return the lines of a message as agents see them, without blank ones."""
    text = _Page.of(message.text).text if message.html else message.text
    return [one_line(line) for line in text.splitlines() if line.strip()]


def everything(session: SimSession) -> str:
    """Return everything agents can read or open in a session, in order: words, link targets, files."""
    return " \n ".join([session.title, *(part for message in session.messages for part in _parts(message))])


def within(session: SimSession, words: str) -> bool:
    """Whether agents can read these words somewhere in the session."""
    return one_line(words) in everything(session)


def messages_that_say(session: SimSession, words: str) -> list[SimMessage]:
    """Return the messages that show these words, whether in their text or in their files."""
    return [message for message in session.messages if one_line(words) in " \n ".join(_parts(message))]


def numbered(text: str, word: str) -> list[int]:
    """Return the numbers behind ``word`` in the order they are read: of ``kit-entry-0 … kit-entry-1``, 0 and 1."""
    return [int(number) for number in re.findall(rf"{re.escape(word)}(\d+)", text)]


def _parts(message: SimMessage) -> list[str]:
    addresses = _Page.of(message.text).addresses if message.html else []
    return [shown(message), *addresses, *(part for file in message.files for part in (file.name, _content(file)))]


def _content(file: SimFile) -> str:
    if not file.content_type.startswith("text/"):
        return ""
    text = file.content.decode("utf-8", "replace")
    return one_line(_Page.of(text).text if file.content_type.startswith("text/html") else text)


class _Page(HTMLParser):
    """Reads HTML as a browser shows it; what the provider did not escape disappears into tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.addresses: list[str] = []
        self._as_written = 0

    @classmethod
    def of(cls, html: str) -> _Page:
        page = cls()
        page.feed(html)
        page.close()
        return page

    def handle_data(self, data: str) -> None:
        self.text += data if self._as_written else re.sub(r"[ \t\r\n\f]+", " ", data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value for name, value in attrs if name in _ADDRESSES and value]
        self.text += "\n" if tag in _BLOCKS else ""
        self._as_written += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        self.text += "\n" if tag in _BLOCKS else ""
        self._as_written -= tag == "pre"
