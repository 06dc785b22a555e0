"""What the provider says of itself, and that the kit was not bent."""

from __future__ import annotations

from hitl_core.testing.conformance.base import ConformanceBase

__all__ = ["ContractTests"]


class ContractTests(ConformanceBase):
    """The provider's description, settings, and the kit itself."""
