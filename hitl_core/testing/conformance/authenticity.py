"""``verify_webhook``: nothing is believed that is not proven."""

from __future__ import annotations

from hitl_core.testing.conformance.base import ConformanceBase

__all__ = ["AuthenticityTests"]


class AuthenticityTests(ConformanceBase):
    """Deliveries are proven."""
