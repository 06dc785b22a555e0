"""The conformance kit: what every provider must do, as tests to subclass."""

from hitl_core.testing.conformance.recorded import LiveAccount
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.suite import ProviderConformance
from hitl_core.testing.conformance.wire import Wire

__all__ = ["LiveAccount", "ProviderConformance", "Room", "Wire", "rule"]
