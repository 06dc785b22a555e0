"""What the world outside knows: what customers wrote, what the bot asked, and what it was told."""

import itertools
from dataclasses import dataclass, field

from hitl_core.messages import File, Text, UnknownMessage
from hitl_core.people import EndUser

CONVERSATIONS = {
    "c1": EndUser(external_id="ada", name="Ada"),
    "c2": EndUser(external_id="ada", name="Ada"),
    "c3": EndUser(external_id="ben", name="Ben", email="ben@example.com"),
}
GUEST = EndUser(external_id="eve", name="Eve")
LONG = "word " * 450


@dataclass
class Said:
    """A customer's message.

    :param tokens: what is to be found of it in the helpdesk, each once.
    :param answers: what the bridge answered, each time it was asked.
    """

    conversation: str
    id: str
    kind: str
    message: object
    tokens: tuple[str, ...] = ()
    user: EndUser | None = None
    answers: list = field(default_factory=list)


@dataclass
class Start:
    """A start the bot asked for.

    :param results: the answers; a start without one is asked for again.
    """

    conversation: str
    key: str
    more: dict
    results: list = field(default_factory=list)


class Book:
    """Everything that was asked, and its answers."""

    def __init__(self):
        self._numbers = itertools.count(1)
        self.said = []
        self.starts = []
        self.over = []

    def message(self, conversation, kind, guest):
        """Write down a new message."""
        number = next(self._numbers)
        token = f"m{number:04}."
        tokens = (token,)
        match kind:
            case "long":
                tokens = (token, f"z{number:04}.")
                message = Text(text=f"{token} {LONG} {tokens[1]}")
            case "file":
                message = File(url="data:text/plain,hello", name=f"{token}txt")
            case "end":
                message, tokens = Text(text="/end"), ()
            case "odd":
                message, tokens = UnknownMessage(type="hologram"), ()
            case _:
                message = Text(text=token)
        said = Said(conversation, f"id-{number:04}", kind, message, tokens, GUEST if guest else None)
        self.said.append(said)
        return said

    def start(self, conversation, more, *, asked=True):
        """Write down a new start, once it is ``asked`` for."""
        start = Start(conversation, f"s{next(self._numbers):04}.", more)
        if asked:
            self.starts.append(start)
        return start

    @property
    def unanswered(self):
        """Messages the host has to hand in again."""
        return [said for said in self.said if not said.answers]
