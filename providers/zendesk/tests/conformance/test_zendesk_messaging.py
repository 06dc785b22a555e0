"""Zendesk messaging keeps the contract, on either kind of key."""

from typing import ClassVar

import pytest
from hitl_zendesk.messaging.simulator import ZendeskMessagingSimulator

import hitl_core as hitl
from hitl_core.testing.conformance import ProviderConformance


class TestZendeskMessaging(ProviderConformance):
    expected_errors: ClassVar = {423: hitl.InvalidRequestError}
    """A conversation that is full stays so: it is not locked for a moment."""

    @pytest.fixture
    def provider(self):
        return "zendesk-messaging"

    @pytest.fixture
    def simulator(self, clock):
        return ZendeskMessagingSimulator(clock=clock)


class TestZendeskMessagingOnAPort(TestZendeskMessaging):
    level = "served"


class TestZendeskMessagingReadOtherwise(TestZendeskMessaging):
    """The same where the documentation leaves it open: a key that may do less, lists that show less, private files."""

    @pytest.fixture
    def simulator(self, clock):
        return ZendeskMessagingSimulator(
            clock=clock,
            scope="integration",
            lists_metadata=False,
            lists_secrets=False,
            private_attachments=True,
            page_size=3,
        )


class TestZendeskMessagingRecorded(TestZendeskMessaging):
    level = "recorded"
