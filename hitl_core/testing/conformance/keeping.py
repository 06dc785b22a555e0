"""The state of a test's account: in memory, and open to inspection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue

from hitl_core.state import ConnectionState, MemoryState, Versioned

__all__ = ["KeptState"]

_SECRET_WORDS: Final = ("token", "secret", "password", "credential")


class KeptState(MemoryState):
    """Remembers what was put into it.

    :ivar current: the values by key, as they are now.
    """

    def __init__(self) -> None:
        super().__init__()
        self.current: dict[str, JsonValue] = {}
        self._put: list[tuple[str, JsonValue]] = []

    async def put(self, key: str, value: JsonValue, expect: int | None) -> Versioned | None:
        """Replace the value if its version is still ``expect``."""
        stored = await super().put(key, value, expect)
        if stored is not None:
            self.current[key] = value
            self._put.append((key, value))
        return stored

    async def delete(self, key: str) -> None:
        """Forget ``key``."""
        await super().delete(key)
        self.current.pop(key, None)

    async def copy_to(self, other: ConnectionState) -> None:
        """Put everything into a state that is empty."""
        for key, value in self.current.items():
            await other.put(key, value, None)

    def secrets(self) -> Iterator[str]:
        """Give every text ever put under a name that is a secret's."""
        for key, value in self._put:
            yield from _secrets(key, value)


def _secrets(name: str, value: JsonValue) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _secrets(key, item)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(name, item)
    elif isinstance(value, str) and any(word in name.lower() for word in _SECRET_WORDS):
        yield value
