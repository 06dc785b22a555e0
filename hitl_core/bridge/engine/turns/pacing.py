"""How often one session may be updated, where the helpdesk counts that (behaviour F38).

A third of what is allowed may go at once, the rest is spread over the window, and a few per cent are left for what
other programs do: what waits meanwhile is sent as one message. The helpdesk never has to refuse.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from hitl_core.info import RateLimit

__all__ = ["Pace"]

_BURST_SHARE: Final = 3
_USED_SHARE: Final = 0.97


class Pace:
    """The pace of one connection's sessions.

    In any window, at most ``burst`` updates are made at once and the others ``spacing`` seconds apart, which together
    is less than the limit.
    """

    def __init__(self, limit: RateLimit) -> None:
        self.window = timedelta(seconds=limit.seconds)
        self.burst = max(1, limit.count // _BURST_SHARE)
        self.spacing = timedelta(seconds=limit.seconds / max(1, int(limit.count * _USED_SHARE) - self.burst))

    def next_at(self, updates: Iterable[datetime]) -> datetime | None:
        """Return when the next update may be made; ``None`` for at once.

        :param updates: when the session was updated, oldest first; those of one window are enough.
        """
        full: datetime | None = None  # when all that was used up is there again
        for moment in updates:
            full = (moment if full is None else max(moment, full)) + self.spacing
        return None if full is None else full - self.spacing * (self.burst - 1)
