"""A bounded memory of keys, for hosts that are asked at least once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from hitl_core.errors import ConfigurationError

__all__ = ["SeenKeys", "require_at_least_one"]


class SeenKeys:
    """The last keys that were dealt with, so that what comes again is shown once.

    It lives in one process's memory; a restart forgets it.

    :param limit: how many are remembered; the one that was used longest ago goes first.
    """

    def __init__(self, limit: int = 10_000) -> None:
        require_at_least_one("limit", limit)
        self._limit = limit
        self._keys: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        """Whether it was dealt with; asking keeps it in mind."""
        if key not in self._keys:
            return False
        self._keys.move_to_end(key)
        return True

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._keys)

    def add(self, key: str) -> None:
        """Remember a key, once what carries it was shown."""
        self._keys[key] = None
        self._keys.move_to_end(key)
        if len(self._keys) > self._limit:
            self._keys.popitem(last=False)

    @contextmanager
    def once(self, key: str) -> Iterator[bool]:
        """Tell whether a key is new, and remember it if the block does not raise."""
        if key in self:
            yield False
            return
        yield True
        self.add(key)


def require_at_least_one(name: str, number: int) -> None:
    """Refuse a bound that leaves room for nothing.

    :raises ConfigurationError: it does.
    """
    if number < 1:
        msg = f"{name} is {number}; give at least 1"
        raise ConfigurationError(msg)
