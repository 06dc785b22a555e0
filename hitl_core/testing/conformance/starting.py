"""``start_hitl``: a session opens with the whole story in it."""

from __future__ import annotations

from hitl_core.testing.conformance.base import ConformanceBase

__all__ = ["StartTests"]


class StartTests(ConformanceBase):
    """Hand-offs begin."""
