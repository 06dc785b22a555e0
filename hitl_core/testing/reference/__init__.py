"""A made-up helpdesk with a full API, its simulator and its provider: what the conformance kit itself is tested with.

It is also the place to look how something is done: every hook is there, against HTTP, with credentials that rotate.
"""

from hitl_core.testing.reference.provider import ReferenceProvider
from hitl_core.testing.reference.settings import ReferenceOptions, ReferenceSettings
from hitl_core.testing.reference.simulator import ReferenceSimulator

__all__ = ["ReferenceOptions", "ReferenceProvider", "ReferenceSettings", "ReferenceSimulator"]
