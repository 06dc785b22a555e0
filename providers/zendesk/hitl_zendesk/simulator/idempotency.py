"""``Idempotency-Key``: the first answer again for two hours, for the same request alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from hitl_core.clock import Clock
from hitl_zendesk.simulator.refusals import RefusedError

__all__ = ["Kept", "Keys"]

_KEPT_FOR: Final = timedelta(hours=2)
_LONGEST: Final = 255


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer to a request that was carried out."""

    request: bytes
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    at: datetime


class Keys:
    """Remembers answers by key."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, Kept] = {}

    def look_up(self, key: str, request: bytes) -> Kept | None:
        """Return the answer that was given for a key within two hours.

        :raises RefusedError: it was given to another request, or the key is too long.
        """
        if len(key) > _LONGEST:
            raise _refused(f"Idempotency key cannot be longer than {_LONGEST} characters")
        kept = self._kept.get(key)
        if kept is None or self._clock.now() - kept.at >= _KEPT_FOR:
            return None
        if kept.request != request:
            raise _refused("Request parameters don't match the given idempotency key")
        return kept

    def keep(self, key: str, request: bytes, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """Remember an answer."""
        self._kept[key] = Kept(request, dict(body), dict(headers), self._clock.now())


def _refused(description: str) -> RefusedError:
    return RefusedError(400, {"error": "IdempotentRequestError", "description": description})
