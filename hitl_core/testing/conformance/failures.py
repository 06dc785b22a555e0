"""What can go wrong on the wire, and what it is called."""

from __future__ import annotations

from hitl_core.testing.conformance.base import ConformanceBase

__all__ = ["FailureTests"]


class FailureTests(ConformanceBase):
    """Failures are told apart."""
