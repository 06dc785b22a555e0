"""Rate limits: counted per minute by the plan, and by endpoint where the real API has limits of its own."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hitl_core.clock import Clock
from hitl_zendesk.simulator.refusals import TOO_MANY, RefusedError

__all__ = ["PLANS", "Limits"]

PLANS: Final[Mapping[str, int]] = {
    "essential": 10,
    "team": 200,
    "growth": 400,
    "professional": 400,
    "enterprise": 700,
    "enterprise-plus": 2500,
    "trial": 700,
    "sandbox": 700,
}
"""Requests per minute of the whole account."""

_SMALL: Final = frozenset({"trial", "sandbox"})
_UNLIMITED: Final = 700


@dataclass(slots=True)
class _Window:
    began: float
    used: int = 0


class Limits:
    """Counts requests in windows that begin with the first of them.

    :param plan: one of :data:`PLANS`; ``None`` limits nothing.
    """

    def __init__(self, clock: Clock, plan: str | None) -> None:
        if plan is not None and plan not in PLANS:
            msg = f"no plan {plan!r}; there are: {', '.join(PLANS)}"
            raise ValueError(msg)
        self.clock, self.plan = clock, plan
        self.updates: Counter[int] = Counter()
        """How many updates each ticket had, by id."""
        self.refused: Counter[str] = Counter()
        """How many requests were refused, by the limit that refused them."""
        self._windows: dict[str, _Window] = {}

    def request(self) -> dict[str, str]:
        """Count a request of the account; return the headers that say how many are left.

        :raises RefusedError: there are none.
        """
        if self.plan is None:
            return _account_headers(_UNLIMITED, _UNLIMITED - 1, 60)
        total = PLANS[self.plan]
        left, resets = self._take("account", "account", total, 60)
        return _account_headers(total, left, resets)

    def ticket_update(self, ticket_id: int, user_id: int) -> dict[str, str]:
        """Count an update of a ticket.

        :raises RefusedError: the user updated this ticket 30 times within 10 minutes, or the account too many.
        """
        if self.plan is not None:
            total = 20 if self.plan in _SMALL else 100
            left, resets = self._take("tickets-update", "tickets-update", total, 60)
            headers = _endpoint_headers("tickets-update", total, left, resets) if self.plan in _SMALL else {}
            name = "per-ticket-updates"
            left, resets = self._take(name, f"{name} {ticket_id} {user_id}", 30, 600)
            self.updates[ticket_id] += 1
            return headers | _endpoint_headers(name, 30, left, resets)
        self.updates[ticket_id] += 1
        return {}

    def user_update(self, user_id: int) -> dict[str, str]:
        """Count an upsert or a change of a user: one a second for the account, five a minute for each who asks."""
        if self.plan is not None:
            self._take("users-per-second", "users-per-second", 1, 1)
            self._take("users-create-or-update", f"users-create-or-update {user_id}", 5, 60)
        return {}

    def endpoint(self, name: str, total: int) -> dict[str, str]:
        """Count a request of an endpoint that is limited per minute for the account."""
        if self.plan is None:
            return {}
        left, resets = self._take(name, name, total, 60)
        return _endpoint_headers(name, total, left, resets)

    def tickets_listed(self) -> dict[str, str]:
        """Count a request for a list of tickets, which trial accounts may make 100 of a minute."""
        return self.endpoint("tickets-index", 100) if self.plan in _SMALL else {}

    def _take(self, name: str, key: str, total: int, seconds: float) -> tuple[int, int]:
        """Count one; return how many are left, and in how many seconds the window ends."""
        now = self.clock.monotonic()
        window = self._windows.get(key)
        if window is None or now >= window.began + seconds:
            window = self._windows[key] = _Window(now)
        resets = max(math.ceil(window.began + seconds - now), 1)
        if window.used >= total:
            self.refused[name] += 1
            headers = {"content-type": "text/plain; charset=utf-8", "retry-after": str(resets)}
            if name == "account":
                headers |= _account_headers(total, 0, resets)
            else:
                headers |= _endpoint_headers(name, total, 0, resets)
            raise RefusedError(429, TOO_MANY, headers)
        window.used += 1
        return total - window.used, resets


def _endpoint_headers(name: str, total: int, left: int, resets: int) -> dict[str, str]:
    return {f"zendesk-ratelimit-{name}": f"total={total}; remaining={left}; resets={resets}"}


def _account_headers(total: int, left: int, resets: int) -> dict[str, str]:
    return {
        "x-rate-limit": str(total),
        "x-rate-limit-remaining": str(left),
        "ratelimit-limit": str(total),
        "ratelimit-remaining": str(left),
        "ratelimit-reset": str(resets),
    }
