"""What customers, bots and agents say in the kit: fixed, so that recordings fit, and odd enough to be found again."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Final

from hitl_core.messages import Action as Button
from hitl_core.messages import (
    AnyMessage,
    Audio,
    Bloc,
    Card,
    Carousel,
    Choice,
    Dropdown,
    File,
    Image,
    Location,
    Markdown,
    Option,
    Text,
    Video,
)
from hitl_core.people import Author, ExternalUser
from hitl_core.sessions import HistoryEntry

__all__ = [
    "CUSTOMER_TEXT",
    "FILE_NAMES",
    "NAME",
    "OTHER_NAME",
    "PEOPLE",
    "PNG",
    "PNG_BYTES",
    "UNICODE_NAME",
    "every_message",
    "history",
    "long_text",
]

NAME: Final = "Ada Kit-Lovelace"
OTHER_NAME: Final = "Eve Kit-Hopper"
UNICODE_NAME: Final = "Zoë Ångström 李 🧡"
PEOPLE: Final = (NAME, OTHER_NAME, UNICODE_NAME)
"""Every customer of the kit; their names may stand in recordings."""
FILE_NAMES: Final = (
    "kit-file.txt",
    "kit-image.png",
    "kit-letter.txt",
    "kit-list.txt",
    "kit-notes.txt",
    "kit-picture.png",
    "kit.png",
    "kit.txt",
)
"""Every file of the kit: these are no people's names either."""
CUSTOMER_TEXT: Final = "My parcel kit-4711 is lost & <b>nobody</b> cares: “Grüße” 🧡 \\ end"
"""Markup, quotes, an emoji and a backslash, which all must arrive as they are."""

PNG_BYTES: Final = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
PNG: Final = f"data:image/png;base64,{b64encode(PNG_BYTES).decode()}"


def every_message() -> dict[str, tuple[AnyMessage, str]]:
    """Return one message of each of the twelve types, and what agents must be able to read or open of it."""
    picture = f"data:text/plain,{'kit-file'}"
    return {
        "text": (Text(text="kit-text"), "kit-text"),
        "markdown": (Markdown(markdown="**kit-markdown** and [more](https://example.com/more)"), "kit-markdown"),
        "image": (Image(url=PNG, name="kit-image.png", content_type="image/png"), "kit-image.png"),
        "audio": (Audio(url="https://example.com/kit-audio.mp3"), "kit-audio"),
        "video": (Video(url="https://example.com/kit-video.mp4"), "kit-video"),
        "file": (File(url=picture, name="kit-file.txt", content_type="text/plain"), "kit-file.txt"),
        "location": (Location(latitude=59.3293, longitude=18.0686, title="kit-location"), "kit-location"),
        "card": (
            Card(
                title="kit-card",
                subtitle="with a button",
                actions=(Button(kind="url", label="Open", value="https://example.com/card"),),
            ),
            "kit-card",
        ),
        "carousel": (Carousel(items=(Card(title="kit-first"), Card(title="kit-carousel"))), "kit-carousel"),
        "choice": (
            Choice(text="kit-choice", options=(Option(label="Yes", value="y"), Option(label="No", value="n"))),
            "kit-choice",
        ),
        "dropdown": (Dropdown(text="kit-dropdown", options=(Option(label="One", value="1"),)), "kit-dropdown"),
        "bloc": (Bloc(items=(Text(text="kit-bloc-a"), Text(text="kit-bloc-b"))), "kit-bloc-b"),
    }


def history(user: ExternalUser | None = None, *, entries: int = 3) -> list[HistoryEntry]:
    """Return a conversation between customer and bot, each entry numbered: ``kit-entry-0``, ``kit-entry-1``, …."""
    authors = (Author.user(user, name=None if user else NAME), Author.bot("Kit bot"))
    return [HistoryEntry.of(authors[number % 2], f"kit-entry-{number} {CUSTOMER_TEXT}") for number in range(entries)]


def long_text(length: int, *, first: int = 0) -> str:
    """Return words numbered from ``first`` on with a total of about ``length`` characters, none of them cut."""
    words, size, number = [], 0, first
    while size < length:
        words.append(f"word{number}")
        size += len(words[-1]) + 1
        number += 1
    return " ".join(words)
