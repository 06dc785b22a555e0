"""Requests checked against the vendor's own OpenAPI description: what our simulator takes, the vendor may not.

::

    described = Description.load("vendor-openapi.yaml")

    class TestAcme(ProviderConformance):
        @pytest.fixture
        def simulator(self, clock):
            with watched(AcmeSimulator(clock=clock), described) as simulator:
                yield simulator

Problems name places and what was expected there, never a value. Needs ``pip install openapi-schema-validator``.
"""

from hitl_core.testing.openapi.description import Description
from hitl_core.testing.openapi.watching import watched

__all__ = ["Description", "watched"]
