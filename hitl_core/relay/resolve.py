"""Finding a relay strategy by name, installed under the entry-point group ``hitl.relay_strategies``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from hitl_core.discovery import Plugin, find_plugin, near_miss
from hitl_core.errors import ConfigurationError
from hitl_core.relay.context import RelayStrategy
from hitl_core.relay.limited import Chain

__all__ = ["STRATEGIES", "resolve_strategy"]

STRATEGIES: Final = "hitl.relay_strategies"
_SPEC: Final = re.compile(r"\s*([A-Za-z0-9_.\-]+)\s*(?:\((.*)\))?\s*", re.DOTALL)


def resolve_strategy(
    spec: str | RelayStrategy | Sequence[str | RelayStrategy], *, plugins: Sequence[Plugin] | None = None
) -> RelayStrategy:
    """Return the strategy ``spec`` stands for.

    :param spec: a name such as ``"transcript"`` or ``"last(20)"``; a strategy itself; or several, which follow one
        another.
    :param plugins: where to look names up; the installed strategies when left out.
    :raises ConfigurationError: no strategy of that name is installed, with near misses; it cannot be imported; its
        argument is wrong; or the object is no strategy.
    """
    if isinstance(spec, str):
        return _named(spec, plugins)
    if isinstance(spec, Sequence):
        return Chain(tuple(resolve_strategy(part, plugins=plugins) for part in spec))
    return _checked(spec, f"a {type(spec).__name__}")


def _named(spec: str, plugins: Sequence[Plugin] | None) -> RelayStrategy:
    match = _SPEC.fullmatch(spec)
    if not match:
        msg = "a relay strategy is a name, or a name with an argument such as last(20)"
        raise ConfigurationError(msg)
    name, argument = match.groups()
    made = _load(name) if plugins is None else _find(name, plugins).load()
    what = f"relay strategy {name!r}"
    if argument:
        if not hasattr(made, "from_argument"):
            msg = f"{what} takes no argument"
            raise ConfigurationError(msg)
        return _checked(made.from_argument(argument), what)
    if isinstance(made, type):
        try:
            made = made()
        except TypeError:
            msg = f"{what} needs an argument: name it as {name}(…), or hand over an object of {made.__name__}"
            raise ConfigurationError(msg) from None
    return _checked(made, what)


@cache
def _load(name: str) -> Any:
    """Load an installed strategy; metadata is read once for each name, since starts are frequent."""
    return find_plugin(STRATEGIES, name, "relay strategy").load()


def _find(name: str, plugins: Sequence[Plugin]) -> Plugin:
    for plugin in plugins:
        if plugin.name == name:
            return plugin
    known = [plugin.name for plugin in plugins]
    msg = f"no relay strategy {name!r} is installed{near_miss(name, known)}; installed: {', '.join(known) or 'none'}"
    raise ConfigurationError(msg)


def _checked(made: Any, what: str) -> RelayStrategy:
    if isinstance(made, type) or not isinstance(made, RelayStrategy):
        msg = f"{what} is no relay strategy: it needs a method plan(history, context)"
        raise ConfigurationError(msg)
    return made
