"""``send_message``: every word arrives once, in order, under the right name."""

from __future__ import annotations

from hitl_core.testing.conformance.base import ConformanceBase

__all__ = ["SendTests"]


class SendTests(ConformanceBase):
    """Messages to the helpdesk."""
