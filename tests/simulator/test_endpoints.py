"""Where a simulator delivers, what may happen to that behind the bot's back, and what a kit test lets out."""

import pytest

from hitl_core.testing.conformance.ways import noted_only
from hitl_core.testing.reference import ReferenceSimulator

pytestmark = pytest.mark.anyio

HERE = "https://bot.example/webhooks"


@pytest.fixture
def subscribed(simulator):
    return simulator.webhooks.subscribe("bot", HERE, simulator.other_secret())


async def test_endpoints_are_those_that_lead_somewhere(control, subscribed):
    assert [(endpoint.id, endpoint.url, endpoint.enabled) for endpoint in await control.endpoints()] == [
        ("bot", HERE, True)
    ]


async def test_endpoints_show_no_secret(control, subscribed, simulator):
    assert simulator.other_secret() not in repr(await control.endpoints())


async def test_a_lost_endpoint_hears_nothing_more(control, subscribed, ticket, posted):
    await control.lose_endpoints()
    await control.reply(ticket, "kit")
    assert await control.endpoints() == []
    assert posted == []


async def test_a_changed_endpoint_leads_elsewhere(control, subscribed, ticket, posted):
    await control.change_endpoints()
    await control.reply(ticket, "kit")
    assert [endpoint.url for endpoint in await control.endpoints()] != [HERE]
    assert HERE not in [url for url, _, _ in posted]


def test_two_secrets_sign_differently(clock):
    simulator = ReferenceSimulator(clock=clock)
    signed = [
        simulator.sign(each, b"{}", id="1", at=clock.now()) for each in (simulator.secret, simulator.other_secret())
    ]
    assert signed[0] != signed[1]


async def test_a_kit_test_delivers_to_reserved_hosts_without_sending(posted):
    posted.status = 500
    post = noted_only(posted.post)
    assert await post("https://bot.test/webhooks/kit", {}, b"", 1) == 200
    assert posted == []
    assert await post(HERE, {}, b"", 1) == 500
    assert [url for url, _, _ in posted] == [HERE]
