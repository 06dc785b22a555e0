"""``stop_hitl``: a session ends, whatever state it is in."""

from __future__ import annotations

from hitl_core.testing.conformance.base import ConformanceBase

__all__ = ["StopTests"]


class StopTests(ConformanceBase):
    """Hand-offs end."""
