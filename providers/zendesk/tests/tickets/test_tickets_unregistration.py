"""Unregistering removes what registering made, triggers first, and tells what it could not (behaviour S226)."""

import logging

import pytest

import hitl_core as hitl
from hitl_core.testing import reply

from .admin import MODES, URL, register, unregister

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", MODES)
async def test_s226_everything_goes_triggers_before_the_webhook_they_use(zendesk, admin, state, mode):
    registration = await register(zendesk, state, webhook_mode=mode)
    await unregister(zendesk, state, webhook_mode=mode)
    assert (admin.webhooks, admin.triggers) == ([], [])
    removed = [route for route in zendesk.writes if route.startswith("DELETE")]
    assert removed[-1] == f"DELETE webhooks/{registration.ids['webhook']}"
    assert all(route.startswith("DELETE triggers/") for route in removed[:-1])
    assert len(removed) == len(registration.ids)


@pytest.mark.parametrize("mode", MODES)
async def test_s226_what_is_gone_already_is_fine(zendesk, admin, state, mode):
    await register(zendesk, state, webhook_mode=mode)
    admin.kept["webhooks"].clear()
    admin.kept["triggers"].clear()
    await unregister(zendesk, state, webhook_mode=mode)
    assert not await state.get("webhook_registration")


async def test_triggers_are_removed_though_the_settings_say_events_by_now(zendesk, admin, state):
    await register(zendesk, state, webhook_mode="triggers")
    await unregister(zendesk, state, webhook_mode="events")
    assert (admin.webhooks, admin.triggers) == ([], [])


async def test_s226_one_failure_stops_nothing_else_and_is_told(zendesk, admin, state, caplog):
    registration = await register(zendesk, state, webhook_mode="triggers")
    stuck = f"triggers/{registration.ids['trigger.assignee']}"
    admin.troubles[f"DELETE {stuck}"] = [reply(403, json={"error": "Forbidden", "description": "Grace"})]
    with caplog.at_level(logging.WARNING), pytest.raises(hitl.PermissionDeniedError) as caught:
        await unregister(zendesk, state, webhook_mode="triggers")
    assert (len(admin.webhooks), len(admin.triggers)) == (0, 1)
    (line,) = [record.getMessage() for record in caplog.records]
    assert f"{stuck} could not be removed (PermissionDeniedError); remove it in Zendesk" in line
    assert "Grace" not in f"{line}{caught.value!r}"
    await unregister(zendesk, state, webhook_mode="triggers")  # it is remembered until it is gone
    assert admin.triggers == []
    assert not await state.get("webhook_registration")


async def test_without_a_registration_nothing_is_asked(zendesk, admin, state):
    await unregister(zendesk, state)
    assert zendesk.requests == []


# Two on one account


@pytest.mark.parametrize("mode", MODES)
async def test_two_connections_on_one_account_leave_each_other_alone(zendesk, admin, state, mode):
    mine = await register(zendesk, state, webhook_mode=mode)
    theirs = await register(zendesk, alias="warehouse", url="https://bot.test/webhooks/warehouse", webhook_mode=mode)
    assert not set(mine.ids.values()) & set(theirs.ids.values())
    again = await register(zendesk, state, webhook_mode=mode)
    assert again.ids == mine.ids
    await unregister(zendesk, state, webhook_mode=mode)
    left = {str(one["id"]) for one in [*admin.webhooks, *admin.triggers]}
    assert left == set(theirs.ids.values())


async def test_somebody_elses_webhook_to_the_same_address_is_not_taken_over(zendesk, admin):
    other = {"name": "Ours by hand", "endpoint": URL, "status": "inactive", "subscriptions": []}
    admin._do("POST", "webhooks", "", "", {}, {"webhook": other})
    await register(zendesk)
    assert len(admin.webhooks) == 2
    assert admin.webhooks[0]["status"] == "inactive"


async def test_the_webhook_of_another_address_stays_where_nothing_is_remembered(zendesk, admin):
    """A second installation with the same names, such as one for tests, has a webhook of its own."""
    first = await register(zendesk)
    second = await register(zendesk, url="https://staging.test/webhooks/shop")
    assert first.ids != second.ids
    assert [webhook["endpoint"] for webhook in admin.webhooks] == [URL, "https://staging.test/webhooks/shop"]


@pytest.mark.parametrize("different", [{"alias": "warehouse"}, {"tenant": "other"}, {"subdomain": "acme2"}])
def test_names_differ_by_connection_and_account(zendesk, different):
    from hitl_zendesk.api import Api
    from hitl_zendesk.registration import Registration

    names = {Registration(Api(zendesk.connect(**more)._context)).name for more in ({}, different)}
    assert len(names) == 2
