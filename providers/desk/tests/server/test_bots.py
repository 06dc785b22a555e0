"""Who may call: tokens, bots that are off, and what one bot can never see of another."""

import pytest
from hitl_desk.server import create_bot

pytestmark = pytest.mark.anyio

NOT_CONNECTED = "This bot is not connected to the desk. Enable it on the desk's Connected bots page, then retry."


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer abc", "Basic dbk_" + "a" * 43, "Bearer dbk_ä", "dbk_x"])
async def test_without_a_usable_token_the_answer_is_401(app, tools, header):
    headers = {} if header is None else {"Authorization": header.encode()}
    async with tools.Client(app, headers=headers) as client:
        answer = await client.get("/v1/bot")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_nobody_was_given_is_a_bot_not_connected_s292(app, tools):
    async with tools.Client(app, headers={"Authorization": "Bearer dbk_" + "a" * 43}) as client:
        answer = await client.get("/v1/bot")
    assert answer.status_code == 403
    assert (answer.json()["code"], answer.json()["detail"]) == ("bot_not_connected", NOT_CONNECTED)


async def test_a_stranger_is_refused_before_their_body_is_read(app, tools):
    async def endless():
        yield b"x"
        raise AssertionError("the body was read")

    async with tools.Client(app) as client:
        answer = await client.post("/v1/attachments", content=endless())
    assert answer.status_code == 401


async def test_a_bot_switched_off_is_out_and_in_again_with_what_happened_meanwhile_s292(
    bot, agent, open_ticket, receiver, tools
):
    ticket = await open_ticket()
    await bot.put("/v1/webhook-endpoints/main", json={"url": "https://bot.example/hook"})
    stream = bot.live("/v1/stream")
    await tools.eventually(lambda: stream.text)
    off = await agent.post(f"/inbox/api/bots/{bot.id}", json={"enabled": False})
    assert off.json()["enabled"] is False
    refused = await bot.get(f"/v1/tickets/{ticket['id']}")
    assert (refused.status_code, refused.json()["code"]) == (403, "bot_not_connected")
    await tools.eventually(stream.task.done)

    await agent.post(f"/inbox/api/tickets/{ticket['id']}/messages", json={"text": "Anybody there?"})
    await agent.post(f"/inbox/api/bots/{bot.id}", json={"enabled": True})
    assert receiver.posted == [], "nothing is posted to a bot that is off"
    events = (await bot.get("/v1/events")).json()["events"]
    assert "message.created" in [event["type"] for event in events]
    endpoint = (await bot.get("/v1/webhook-endpoints/main")).json()
    assert endpoint["status"] == "enabled"
    await agent.post(f"/inbox/api/tickets/{ticket['id']}/messages", json={"text": "Hello again"})
    await tools.eventually(lambda: receiver.posted)


async def test_a_bot_switched_off_by_another_process_is_out_of_its_stream_soon(bot, desk, clock, tools):
    stream = bot.live("/v1/stream")
    await tools.eventually(lambda: stream.text)
    async with desk.write() as unit:
        await unit.conn.exec_driver_sql("UPDATE desk_bots SET enabled = false")
    clock.advance(15)
    await tools.eventually(stream.task.done)


async def test_a_token_is_not_kept(desk):
    bot, token = await create_bot(desk, "Shop bot")
    async with desk.read() as conn:
        for table in ("desk_bots", "desk_log_events", "desk_idempotency"):
            rows = (await conn.exec_driver_sql(f"SELECT * FROM {table}")).all()  # noqa: S608  a name of ours
            assert token not in str(rows)
    assert bot["id"].startswith("bot_")


async def test_one_bot_sees_nothing_of_another(bot, connect_bot, agent, open_ticket, says):
    stranger = await connect_bot("Stranger")
    ticket = await open_ticket(external_id="conv-1", transcript=[])
    await agent.post(f"/inbox/api/tickets/{ticket['id']}/messages", json={"text": "Hello"})
    await bot.put("/v1/webhook-endpoints/main", json={"url": "https://bot.example/hook"})
    upload = await bot.post("/v1/attachments", files={"file": ("a.txt", b"secret", "text/plain")})
    attachment = upload.json()["id"]
    path = f"/v1/tickets/{ticket['id']}"
    answers = [
        await stranger.get(path),
        await stranger.get(f"{path}/messages"),
        await stranger.post(f"{path}/messages", json=says()),
        await stranger.post(f"{path}/close", json={}),
        await stranger.post(f"{path}/typing", json={}),
        await stranger.get("/v1/events", params={"ticket": ticket["id"]}),
        await stranger.get("/v1/stream", params={"ticket": ticket["id"]}),
        await stranger.get(f"/v1/attachments/{attachment}"),
        await stranger.get("/v1/webhook-endpoints/main"),
        await stranger.delete("/v1/webhook-endpoints/main"),
        await stranger.post("/v1/webhook-endpoints/main/test"),
    ]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert {answer.json()["code"] for answer in answers} == {"not_found"}
    assert (await stranger.get("/v1/tickets", params={"external_id": "conv-1"})).json() == {"tickets": []}
    assert (await stranger.get("/v1/events")).json()["events"] == []
    own = (await bot.get("/v1/events")).json()
    foreign = await stranger.get("/v1/events", params={"after": own["cursor"]})
    assert (foreign.status_code, foreign.json()["code"]) == (400, "invalid_cursor")
    opened = await stranger.post("/v1/tickets", json={"customer_id": ticket["customer"]["id"]})
    assert (opened.status_code, opened.json()["code"]) == (422, "unknown_customer")
    theirs = await open_ticket(stranger)
    used = await stranger.post(f"/v1/tickets/{theirs['id']}/messages", json=says(attachments=[attachment]))
    assert (used.status_code, used.json()["code"]) == (422, "unknown_attachment")
    assert theirs["customer"]["id"] != ticket["customer"]["id"], "the same external id is another customer"


async def test_the_connected_bots_page_lists_bots_and_when_they_called(bot, agent, clock):
    await bot.get("/v1/bot")
    (row,) = (await agent.get("/inbox/api/bots")).json()
    assert row == {
        "id": bot.id,
        "name": "Shop bot",
        "enabled": True,
        "created_at": "2026-03-01T12:00:00Z",
        "last_seen_at": "2026-03-01T12:00:00Z",
    }
    clock.advance(120)
    await bot.get("/v1/bot")
    assert (await agent.get("/inbox/api/bots")).json()[0]["last_seen_at"] == "2026-03-01T12:02:00Z"
    assert (await agent.post("/inbox/api/bots/bot_nobody", json={"enabled": False})).status_code == 404
