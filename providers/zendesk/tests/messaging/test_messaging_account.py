"""The account: settings, check, and one webhook (S220, S264, S265, F42)."""

import pytest
from hitl_zendesk.subdomains import subdomain_of

import hitl_core as hitl
from hitl_core.testing.simulator import Fault

pytestmark = pytest.mark.anyio

URL = "https://bot.test/webhooks/zendesk"


@pytest.mark.parametrize(
    ("given", "bare"),
    [
        ("acme", "acme"),
        (" acme ", "acme"),
        ("acme.zendesk.com", "acme"),
        ("http://acme.zendesk.com", "acme"),
        ("https://acme.zendesk.com", "acme"),
        ("  https://acme.zendesk.com/ ", "acme"),
        ("https://a.b-c_1.zendesk.com", "a.b-c_1"),
        (" not an account ", "not an account"),
        ("https://acme.zendesk.com/agent", "https://acme.zendesk.com/agent"),
    ],
)
def test_s220_every_spelling_of_the_account(given, bare):
    assert subdomain_of(given) == bare


async def test_an_account_needs_a_subdomain_or_an_address(scene):
    for missing in ({"subdomain": None, "base_url": None}, {"subdomain": " ", "base_url": None}):
        with pytest.raises(hitl.ConfigurationError, match="subdomain"):
            await scene.connect(**missing)
    for wrong in ("a b", "acme/../evil", "acme:80", "-"):
        with pytest.raises(hitl.ConfigurationError, match="subdomain"):
            await scene.connect(subdomain=wrong)


@pytest.mark.parametrize("setting", ["app_id", "key_id", "integration", "agent_workspace"])
async def test_a_setting_that_cannot_be_one_is_named(scene, setting):
    with pytest.raises(hitl.ConfigurationError, match=setting):
        await scene.connect(**{setting: "no:such thing/"})


# The webhook -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["app", "integration"])
@pytest.mark.parametrize("lists_secrets", [True, False])
async def test_s264_one_webhook_an_account_whoever_asks_and_whatever_lists_show(scenes, scope, lists_secrets):
    async with scenes(scope=scope, lists_secrets=lists_secrets) as scene:
        first = await scene.connection.register_webhook(URL)
        forgetful = await scene.connect(webhook_secret=())
        again = await forgetful.register_webhook(URL)
        moved = await scene.connection.register_webhook(f"{URL}-moved")
        assert first.ids == again.ids == moved.ids
        assert first.secrets == again.secrets == moved.secrets
        assert [endpoint.url for endpoint in await scene.sim.endpoints()] == [f"{URL}-moved"]


async def test_s264_a_double_is_removed(scene):
    first = await scene.connection.register_webhook(URL)
    scene.sim.webhooks.subscribe("double", URL, "another-secret")
    again = await scene.connection.register_webhook(URL)
    assert again.ids == first.ids
    assert len(await scene.sim.endpoints()) == 1


async def test_s264_missing_triggers_are_mended(scene):
    made = await scene.connection.register_webhook(URL)
    path = f"apps/{scene.connection.account}/integrations"
    assert path  # the account is known
    await changed(scene, made, triggers=["conversation:read"])
    assert not result(await scene.connection.check(webhook_url=URL), "webhook").ok
    again = await scene.connection.register_webhook(URL)
    assert again.secrets == made.secrets
    assert result(await scene.connection.check(webhook_url=URL), "webhook").ok


async def test_a_webhook_made_anew_keeps_the_secret_before_it_for_deliveries_under_way(scene):
    first = await scene.connection.register_webhook(URL)
    await scene.sim.lose_endpoints()
    again = await scene.connection.register_webhook(URL)
    assert len(again.secrets) == 2
    assert again.secrets[1] == first.secrets[0]
    await scene.sim.lose_endpoints()
    assert len((await scene.connection.register_webhook(URL)).secrets) == 2


async def test_what_is_registered_is_proven_by_the_issued_secret(scene):
    connection = await scene.connect(webhook_secret=())
    await connection.register_webhook(URL)
    scene.sim.webhooks.post = noted
    session = await scene.start()
    await scene.deliveries()
    await scene.sim.reply(session.id, "hello", agent=scene.sim.agent())
    (webhook,) = [each for each in await scene.deliveries() if each.url == URL]
    events = await connection.parse_webhook(headers=webhook.headers, body=webhook.body)
    assert [event.kind for event in events] == ["agent_message"]


async def noted(*_):
    return 200


async def changed(scene, made, **fields):
    """Change a webhook as somebody with the key would."""
    app = scene.sim.settings("https://helpdesk.test")
    import httpx

    path = f"/sc/v2/apps/{app['app_id']}/integrations/{made.ids['integration']}/webhooks/{made.ids['webhook']}"
    transport = httpx.ASGITransport(scene.sim)
    auth = (app["key_id"], app["key_secret"])
    async with httpx.AsyncClient(transport=transport, base_url="https://helpdesk.test", auth=auth) as client:
        assert (await client.patch(path, json=fields)).status_code == 200


# The check ---------------------------------------------------------------------------------------------------------


def result(results, name):
    return next(each for each in results if each.name == name)


async def test_s265_all_is_well(scene):
    results = await scene.connection.check()
    assert all(each.ok for each in results)
    assert [each.name for each in results] == [
        "key",
        "multi-conversations",
        "our integration",
        "agent workspace",
        "webhook",
        "ending sessions",
    ]


async def test_s265_multi_conversations_that_are_off_are_told_with_where_to_switch_them_on(scenes):
    async with scenes(multi_conversations=False) as scene:
        found = result(await scene.connection.check(), "multi-conversations")
        assert not found.ok
        assert "Admin Center" in found.mend


async def test_s265_that_agents_may_end_sessions_cannot_be_read_and_is_said(scene):
    found = result(await scene.connection.check(), "ending sessions")
    assert found.ok
    assert "Admin Center" in found.detail


@pytest.mark.parametrize(
    ("settings", "name", "setting"),
    [
        ({"integration": "nobody"}, "our integration", "integration"),
        ({"agent_workspace": "nobody"}, "agent workspace", "agent_workspace"),
    ],
)
async def test_f42_who_is_missing_in_the_switchboard_is_named(scene, settings, name, setting):
    connection = await scene.connect(**settings)
    found = result(await connection.check(), name)
    assert not found.ok
    assert f"`{setting}`" in found.mend


async def test_f42_a_switchboard_that_is_off_is_told(scenes):
    async with scenes(switchboard_enabled=False) as scene:
        assert not result(await scene.connection.check(), "our integration").ok


async def test_f42_a_wrong_app_is_told_with_where_its_id_stands(scene):
    connection = await scene.connect(app_id="another")
    (found,) = await connection.check()
    assert not found.ok
    assert "app_id" in found.mend


async def test_f42_an_api_that_cannot_be_reached_is_no_matter_of_the_key(scene):
    scene.sim.faults.append(Fault(kind="answer", status=503, times=None))
    (found,) = await scene.connection.check()
    assert found.name == "reachable"
    assert "https://helpdesk.test" in found.mend


async def test_f42_a_key_of_the_integration_is_enough(scenes):
    async with scenes(scope="integration") as scene:
        results = await scene.connection.check()
        assert all(each.ok for each in results)
        assert "integration" in result(results, "key").detail
        assert (await scene.connection.identify()).id == "hitl-bot"


async def test_f42_a_webhook_is_looked_for_where_the_bot_hears(scene):
    missing = result(await scene.connection.check(webhook_url=URL), "webhook")
    assert not missing.ok
    assert URL in missing.mend
    await scene.connection.register_webhook(URL)
    assert result(await scene.connection.check(webhook_url=URL), "webhook").ok
    stranger = await scene.connect(webhook_secret=())
    unproven = result(await stranger.check(webhook_url=URL), "webhook")
    assert not unproven.ok
