"""The standard tests on Zendesk tickets; each request is held against Zendesk's own description, where it is there."""

import pytest
from hitl_zendesk.simulator import ZendeskSimulator

from hitl_core.testing import ProviderConformance


class TestZendesk(ProviderConformance):
    @pytest.fixture
    def provider(self):
        return "zendesk"

    @pytest.fixture
    def simulator(self, clock, described):
        with described(ZendeskSimulator(clock=clock)) as simulator:
            yield simulator


class TestZendeskByTriggers(TestZendesk):
    @pytest.fixture
    def simulator(self, clock, described):
        with described(ByTriggers(clock=clock)) as simulator:
            yield simulator


class ByTriggers(ZendeskSimulator):
    """An account that tells of answers by triggers alone."""

    def settings(self, base_url):
        return {**super().settings(base_url), "webhook_mode": "triggers"}


class TestZendeskOnAPort(TestZendesk):
    level = "served"


class TestZendeskRecorded(TestZendesk):
    level = "recorded"
