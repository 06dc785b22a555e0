"""``parse_webhook``: every fact once, with the right meaning."""

from __future__ import annotations

from hitl_core.testing.conformance.base import ConformanceBase

__all__ = ["EventTests"]


class EventTests(ConformanceBase):
    """What agents do is heard."""
