"""The reference provider passes the whole kit."""

import pytest

from hitl_core.testing.conformance import ProviderConformance
from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator


class TestReference(ProviderConformance):
    @pytest.fixture
    def provider(self):
        return ReferenceProvider

    @pytest.fixture
    def simulator(self, clock):
        return ReferenceSimulator(clock=clock)


class TestReferenceOnAPort(TestReference):
    level = "served"
