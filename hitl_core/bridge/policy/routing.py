"""Which helpdesk a hand-off goes to: rules over what is known when it starts, and a chain for when one fails (F31)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from pydantic import Field, JsonValue, field_validator

from hitl_core.bridge.policy.locales import canonical, chain, one_or_several
from hitl_core.bridge.policy.names import Configured, near
from hitl_core.errors import ConfigurationError
from hitl_core.people import EndUser

__all__ = ["Route", "Routing", "Start", "When", "choose"]

_WORD: Final = re.compile(r"\w+")


class Start(Protocol):
    """What is known when a hand-off starts; a :class:`~hitl_core.bridge.StartRequested` is one."""

    @property
    def user(self) -> EndUser:
        """The customer."""

    @property
    def title(self) -> str:
        """What it is about."""

    @property
    def options(self) -> Mapping[str, JsonValue]:
        """Options for the helpdesk."""


class When(Configured):
    """What has to hold for a route; of each kind one suffices, every kind given has to.

    :param locale: the customer's language; ``de`` also stands for ``de-CH``.
    :param title_words: words, or several in a row, that the title has to have; in any case, never parts of words.
    :param options: options of the start, each with the value it has to have, or a list of such.
    :param user_data: the same for the customer's ``data``.
    """

    what = "condition"

    locale: tuple[str, ...] = ()
    title_words: tuple[str, ...] = ()
    options: dict[str, JsonValue] = Field(default_factory=dict)
    user_data: dict[str, JsonValue] = Field(default_factory=dict, repr=False)

    @field_validator("locale", "title_words", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return one_or_several(value)

    @field_validator("locale")
    @classmethod
    def _tags(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(canonical(tag) for tag in value)

    @field_validator("title_words")
    @classmethod
    def _not_blank(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_words(words) for words in value):
            msg = "a word of a title has at least one letter or digit"
            raise ValueError(msg)
        return value

    @field_validator("options", "user_data")
    @classmethod
    def _of_something(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if any(wanted == [] for wanted in value.values()):
            msg = "an empty list of values never holds; leave it out"
            raise ValueError(msg)
        return value

    def holds(self, start: Start) -> bool:
        """Whether everything asked for is so."""
        title = _words(start.title)
        return (
            (not self.locale or not set(self.locale).isdisjoint(chain(start.user.locale)))
            and (not self.title_words or any(_in_a_row(_words(words), title) for words in self.title_words))
            and _have(start.options, self.options)
            and _have(start.user.data, self.user_data)
        )


class Route(Configured):
    """Which connections to try, and for which starts.

        Route(when={"locale": "de", "title_words": ["refund", "return"]}, connections=["desk-de", "desk-en"])

    :param when: what has to hold; nothing holds always.
    :param connections: names of connections, in the order they are tried; one is enough.
    """

    when: When = Field(default_factory=When)
    connections: tuple[str, ...] = Field(min_length=1)

    @field_validator("connections", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return one_or_several(value)

    @field_validator("connections")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _chain_of(value)


class Routing(Configured):
    """All routes, and where a start goes that none of them is for.

    :param routes: the first that holds decides.
    :param default: names of connections, in the order they are tried.
    """

    routes: tuple[Route, ...] = ()
    default: tuple[str, ...] = Field(min_length=1)

    @field_validator("default", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return one_or_several(value)

    @field_validator("default")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _chain_of(value)

    def choose(self, start: Start) -> tuple[str, ...]:
        """Return the connections to try for a start, in order."""
        return choose(self.routes, self.default, start)

    def check(self, known: Iterable[str]) -> None:
        """Refuse names of connections that are not known, and routes behind one that always holds.

        :raises ConfigurationError: names them, with a near miss.
        """
        known = list(known)
        chains = [("default", self.default), *((f"route {n}", one.connections) for n, one in enumerate(self.routes, 1))]
        for place, names in chains:
            for name in names:
                if name not in known:
                    msg = f"{place}: unknown connection {name}, {near(name, known)}"
                    raise ConfigurationError(msg)
        for number, route in enumerate(self.routes[:-1], 1):
            if route.when == When():
                msg = f"route {number} always holds, so that those after it never do; put it last"
                raise ConfigurationError(msg)


def choose(routes: Sequence[Route], default: Sequence[str], start: Start) -> tuple[str, ...]:
    """Return the connections to try for a start, in order: those of the first route that holds, else the default."""
    return next((route.connections for route in routes if route.when.holds(start)), tuple(default))


def _chain_of(names: tuple[str, ...]) -> tuple[str, ...]:
    if any(not name.strip() for name in names) or len(set(names)) < len(names):
        msg = "connections have names, and each is tried once"
        raise ValueError(msg)
    return names


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def _in_a_row(words: tuple[str, ...], text: tuple[str, ...]) -> bool:
    return any(text[at : at + len(words)] == words for at in range(len(text) - len(words) + 1))


def _have(values: Mapping[str, JsonValue], wanted: Mapping[str, JsonValue]) -> bool:
    return all(name in values and _suits(values[name], value) for name, value in wanted.items())


def _suits(value: JsonValue, wanted: JsonValue) -> bool:
    """Whether a value is the wanted one, or one of them; of several values, as tags are, one suffices."""
    if isinstance(wanted, list):
        return any(_suits(value, one) for one in wanted)
    if isinstance(value, list):
        return any(_suits(one, wanted) for one in value)
    if isinstance(value, str) and isinstance(wanted, str):
        return value.casefold() == wanted.casefold()
    return isinstance(value, bool) is isinstance(wanted, bool) and value == wanted
