"""The simulated app of Sunshine Conversations is as strict as the documentation of the real one."""

import httpx
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def client(scene):
    return client_of(scene)


def client_of(scene):
    given = scene.sim.settings("https://helpdesk.test")
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(scene.sim),
        base_url=f"{given['base_url']}/v2/apps/{given['app_id']}/",
        auth=(given["key_id"], given["key_secret"]),
    )


async def refused(client, method, path, **request):
    answer = await client.request(method, path, **request)
    (error,) = answer.json()["errors"]
    assert set(error) == {"code", "title"}
    return answer.status_code, error["code"]


async def test_without_the_key_nothing_is_answered(client):
    client.auth = ("app_x", "wrong")
    assert await refused(client, "GET", "switchboards") == (401, "unauthorized")


async def test_another_app_is_not_found(client):
    assert await refused(client, "GET", "../other/switchboards") == (404, "app_not_found")


async def test_a_key_of_the_integration_sees_neither_app_nor_switchboard(scenes):
    async with scenes(scope="integration") as scene, client_of(scene) as client:
        for path in ("switchboards", f"../{scene.connection.account}"):
            assert await refused(client, "GET", path) == (403, "forbidden")
        assert (await client.get("integrations/me/webhooks")).json() == {"webhooks": []}


async def test_only_a_key_of_the_integration_knows_me(client):
    assert await refused(client, "GET", "integrations/me/webhooks") == (404, "integration_not_found")


async def test_the_ticket_takes_its_fields_from_the_transfer_to_the_workspace_alone(scene, client):
    session = await scene.start()
    path = f"conversations/{session.id}/passControl"
    for target, priority in (("zd-answerBot", "low"), ("zd-agentWorkspace", "urgent")):
        metadata = {"dataCapture.systemField.priority": priority}
        assert (await client.post(path, json={"switchboardIntegration": target, "metadata": metadata})).is_success
    assert "priority" not in scene.conversation(session).ticket


async def test_a_message_to_the_workspace_makes_a_ticket_without_fields(scene, client):
    user = await scene.user()
    conversation = scene.sim.open_conversation(user.id, name=None, metadata={})
    conversation.active = "zd-agentWorkspace"
    message = {"author": {"type": "business"}, "content": {"type": "text", "text": "early"}}
    await client.post(f"conversations/{conversation.id}/messages", json=message)
    metadata = {"dataCapture.systemField.priority": "urgent"}
    body = {"switchboardIntegration": "zd-agentWorkspace", "metadata": metadata}
    await client.post(f"conversations/{conversation.id}/passControl", json=body)
    assert conversation.ticket == {}


async def test_control_cannot_be_offered_to_who_has_it(scene, client):
    session = await scene.start()
    body = {"switchboardIntegration": "zd-agentWorkspace"}
    path = f"conversations/{session.id}/offerControl"
    assert await refused(client, "POST", path, json=body) == (400, "switchboard_invalid_target")


async def test_control_nobody_offered_cannot_be_accepted(scene, client):
    session = await scene.start()
    scene.conversation(session).pending = None
    assert await refused(client, "POST", f"conversations/{session.id}/acceptControl", json={}) == (403, "forbidden")


async def test_a_key_of_the_integration_releases_its_own_control_alone(scenes):
    async with scenes(scope="integration") as scene, client_of(scene) as client:
        session = await scene.start()
        path = f"conversations/{session.id}"
        assert await refused(client, "POST", f"{path}/releaseControl", json={}) == (403, "forbidden")
        assert (await client.post(f"{path}/acceptControl", json={})).is_success
        assert (await client.post(f"{path}/releaseControl", json={})).is_success


@pytest.mark.parametrize("reason", ["timeout", "user_left"])
async def test_a_release_takes_two_reasons(scene, client, reason):
    session = await scene.start()
    path = f"conversations/{session.id}/releaseControl"
    assert await refused(client, "POST", path, json={"reason": reason}) == (400, "bad_request")
    assert (await client.post(path, json={"reason": "ticketClosed"})).is_success


@pytest.mark.parametrize(
    "change",
    [
        {"content": {"type": "text", "text": "x" * 4097}},
        {"content": {"type": "text", "text": "🧡" * 2049}},
        {"content": {"type": "text"}},
        {"content": {"type": "image", "mediaUrl": "data:image/png;base64,AA"}},
        {"content": {"type": "file", "mediaUrl": "https://x/y", "altText": "x" * 129}},
        {"content": {"type": "poem", "text": "x"}},
        {"author": {"type": "business", "userId": "u"}},
        {"author": {"type": "agent"}},
        {"metadata": {"nested": {"a": 1}}},
        {"metadata": {"long": "x" * 4096}},
        {"surprise": 1},
    ],
)
async def test_a_message_that_is_none_is_refused(scene, client, change):
    session = await scene.start()
    body = {"author": {"type": "business"}, "content": {"type": "text", "text": "x"}, **change}
    assert await refused(client, "POST", f"conversations/{session.id}/messages", json=body) == (400, "bad_request")


async def test_who_takes_no_part_cannot_write(scene, client):
    session = await scene.start()
    other = await scene.user(external_id="u2")
    body = {"author": {"type": "user", "userId": other.id}, "content": {"type": "text", "text": "x"}}
    path = f"conversations/{session.id}/messages"
    assert await refused(client, "POST", path, json=body) == (404, "user_not_found")


async def test_an_external_id_is_one_persons(scene, client):
    await scene.user()
    assert await refused(client, "POST", "users", json={"externalId": "u1"}) == (409, "conflict")


async def test_the_newest_messages_come_first_and_older_pages_on_request(scenes):
    async with scenes(page_size=2) as scene, client_of(scene) as client:
        session = await scene.start()
        for number in range(3):
            await scene.sim.reply(session.id, f"{number}", agent=scene.sim.agent())
        path = f"conversations/{session.id}/messages"
        page = (await client.get(path)).json()
        assert [message["content"]["text"] for message in page["messages"]] == ["1", "2"]
        assert page["meta"]["hasMore"]
        older = (await client.get(path, params={"page[before]": page["meta"]["beforeCursor"]})).json()
        assert older["messages"][-1]["content"]["text"] == "0"
        assert older["meta"] == {"hasMore": False}


async def test_nothing_is_delivered_to_an_integration_that_neither_has_nor_is_offered_control(scene):
    """So without the offer at its end a start would hear nothing."""
    session = await scene.start()
    await scene.deliveries()
    scene.conversation(session).pending = None
    await scene.sim.reply(session.id, "unheard", agent=scene.sim.agent())
    assert await scene.deliveries() == []
    scene.sim.records.integrations["hitl-bot"]["deliverStandbyEvents"] = True
    await scene.sim.reply(session.id, "heard", agent=scene.sim.agent())
    assert len(await scene.deliveries()) == 1


async def test_after_the_end_the_first_bot_of_the_switchboard_answers(scene):
    session = await scene.start()
    await scene.sim.close(session.id, agent=scene.sim.agent())
    assert scene.conversation(session).active is None
    await scene.sim.customer_writes(session.id, "hello?")
    assert scene.conversation(session).active == "zd-answerBot"


async def test_an_app_has_ten_webhooks(client, scene):
    integration = scene.sim.records.integrations["hitl-bot"]["integrationId"]
    path = f"integrations/{integration}/webhooks"
    for number in range(10):
        body = {"target": f"https://bot.test/{number}", "triggers": ["conversation:message"]}
        made = (await client.post(path, json=body)).json()["webhook"]
        assert made["secret"]
    body = {"target": "https://bot.test/11", "triggers": ["conversation:message"]}
    assert await refused(client, "POST", path, json=body) == (400, "too_many_webhooks")


async def test_an_agent_can_take_it_by_answering(scene):
    session = await scene.start()
    await scene.sim.reply_and_assign(session.id, "mine", agent=scene.sim.agents[1])
    assert (await scene.sim.session(session.id)).agent == scene.sim.agents[1]
