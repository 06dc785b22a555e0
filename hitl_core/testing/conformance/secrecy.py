"""What must survive, and what must not be told."""

from __future__ import annotations

from hitl_core.testing.conformance.base import ConformanceBase

__all__ = ["SecrecyTests"]


class SecrecyTests(ConformanceBase):
    """State that rotates, and logs that say nothing."""
