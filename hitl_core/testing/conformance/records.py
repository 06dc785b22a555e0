"""Reading the helpdesk's record: searches after doubt, and pull."""

from __future__ import annotations

from hitl_core.testing.conformance.base import ConformanceBase

__all__ = ["RecordTests"]


class RecordTests(ConformanceBase):
    """The vendor's record is the truth."""
