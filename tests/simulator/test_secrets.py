"""What a simulator's account is proven by, to be looked for in recordings."""

import pytest

from hitl_core.testing.reference import ReferenceProvider
from hitl_core.testing.simulator import simulated_secrets

pytestmark = pytest.mark.anyio


async def test_they_are_the_secrets_of_its_settings_and_the_next_webhook_secret(simulator):
    settings = simulator.settings("https://helpdesk.test")
    assert simulated_secrets(simulator, ReferenceProvider.info) == {
        settings["client_secret"],
        settings["refresh_token"],
        simulator.secret,
        simulator.other_secret(),
    }
