"""Settings from the environment, also where the name of one provider begins like another's."""

import pytest

from hitl_core.environment import settings_from_environment
from hitl_core.errors import ConfigurationError

BOTH = {
    "HITL_ZENDESK_SUBDOMAIN": "acme",
    "HITL_ZENDESK_WEBHOOK_SECRET": "one,two",
    "HITL_ZENDESK_MESSAGING_APP_ID": "app",
    "HITL_DESK_TOKEN": "token",
}


def test_each_provider_takes_its_own():
    assert settings_from_environment("zendesk", BOTH) == {"subdomain": "acme", "webhook_secret": ["one", "two"]}
    assert settings_from_environment("zendesk-messaging", BOTH) == {"app_id": "app"}
    assert settings_from_environment("desk", BOTH) == {"token": "token"}


@pytest.mark.parametrize("variable", ["HITL_ZENDESK_SUBDOMIAN", "HITL_ZENDESK_MESSAGE", "HITL_ZENDESK_MESSAGING"])
def test_a_variable_that_is_no_setting_of_anybody_is_refused(variable):
    with pytest.raises(ConfigurationError, match=f"{variable} is no setting of 'zendesk'"):
        settings_from_environment("zendesk", {variable: "x"})
