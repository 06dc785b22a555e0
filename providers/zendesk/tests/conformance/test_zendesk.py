"""The standard tests on Zendesk tickets."""

import pytest
from hitl_zendesk import ZendeskProvider
from hitl_zendesk.simulator import ZendeskSimulator

from hitl_core.testing import ProviderConformance


class TestZendesk(ProviderConformance):
    @pytest.fixture
    def provider(self):
        return ZendeskProvider

    @pytest.fixture
    def simulator(self, clock):
        return ZendeskSimulator(clock=clock)


class TestZendeskOnAPort(TestZendesk):
    level = "served"
