"""Events by pull, stream and webhook: one shape, nothing skipped, each to whom it belongs."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
import standardwebhooks
from hitl_desk.server.housekeeping import sweep

pytestmark = pytest.mark.anyio

HOOK = "/v1/webhook-endpoints/main"
URL = "https://bot.example/hook"


@pytest.fixture
def reply(agent):
    """Have the agent write to a ticket."""

    async def reply(ticket, text="Hello"):
        answer = await agent.post(f"/inbox/api/tickets/{ticket['id']}/messages", json={"text": text})
        assert answer.status_code == 201
        return answer.json()

    return reply


async def test_pages_follow_each_other_without_gap_or_repetition(bot, open_ticket, reply):
    tickets = [await open_ticket(), await open_ticket()]
    for n in range(4):
        for ticket in tickets:
            await reply(ticket, f"{n}")
    everything = (await bot.get("/v1/events", params={"limit": 1000})).json()
    assert everything["more"] is False
    seen, cursor = [], None
    while True:
        page = (await bot.get("/v1/events", params={"limit": 3} | ({"after": cursor} if cursor else {}))).json()
        seen += page["events"]
        cursor = page["cursor"]
        if not page["more"]:
            break
    assert seen == everything["events"]
    assert cursor == everything["cursor"]
    for ticket in tickets:
        own = [event for event in seen if event["subject"] == ticket["id"]]
        assert [event["seq"] for event in own] == list(range(1, len(own) + 1))


async def test_one_tickets_events_are_paged_by_themselves(bot, open_ticket, reply):
    mine, other = await open_ticket(), await open_ticket()
    for n in range(3):
        await reply(mine, f"mine {n}")
        await reply(other, f"other {n}")
    seen, cursor = [], mine["cursor"]
    for _ in range(20):
        params = {"ticket": mine["id"], "limit": 2, "after": cursor, "types": "message.created"}
        page = (await bot.get("/v1/events", params=params)).json()
        seen += [event["data"]["message"]["message"]["text"] for event in page["events"]]
        cursor = page["cursor"]
        if not page["more"]:
            break
    assert seen == ["mine 0", "mine 1", "mine 2"]
    assert cursor == (await bot.get("/v1/events")).json()["cursor"], "the cursor moves past other tickets' events"


async def test_a_long_poll_answers_with_the_first_event(bot, open_ticket, reply, tools, clock):
    mine, other = await open_ticket(), await open_ticket()
    cursor = (await bot.get("/v1/events")).json()["cursor"]
    params = {"after": cursor, "wait": 60}
    anything = asyncio.create_task(bot.get("/v1/events", params=params))
    only_mine = asyncio.create_task(bot.get("/v1/events", params=params | {"ticket": mine["id"]}))
    await tools.eventually(lambda: len(clock._sleepers) >= 2)
    await reply(other)
    events = (await anything).json()["events"]
    assert {event["subject"] for event in events} == {other["id"]}
    assert not only_mine.done()
    await reply(mine)
    assert {event["subject"] for event in (await only_mine).json()["events"]} == {mine["id"]}


async def test_a_long_poll_ends_when_nothing_happens_and_no_later_than_the_desk_allows(bot, desk, tools, clock):
    asked = asyncio.create_task(bot.get("/v1/events", params={"wait": 300}))
    await tools.eventually(lambda: any(until == 5 for until in clock._sleepers.values()))
    clock.advance(desk.settings.max_wait)
    assert (await asked).json() == {"events": [], "cursor": await desk.log.latest(bot.id), "more": False}


async def test_the_stream_goes_on_where_it_was_and_shows_typing_that_nothing_else_shows(
    bot, agent, open_ticket, reply, tools
):
    ticket = await open_ticket(external_id="conv-1")
    async with tools.following(bot, "/v1/stream") as live:
        await reply(ticket, "one")
        await agent.post(f"/inbox/api/tickets/{ticket['id']}/typing", json={"typing": True})
        await tools.eventually(lambda: live.of("agent.typing"))
        (typing,) = live.of("agent.typing")
        assert typing["data"]["ticket"] == {"id": ticket["id"], "external_id": "conv-1"}
        assert (typing["data"]["agent"]["name"], typing["data"]["typing"]) == ("Ada", True)
        place = live.last_id
    await reply(ticket, "two")
    async with tools.following(bot, "/v1/stream", Last_Event_ID=place) as live:
        await tools.eventually(lambda: live.of("message.created"))
        assert [data["data"]["message"]["message"]["text"] for data in live.of("message.created")] == ["two"]
    pulled = (await bot.get("/v1/events")).json()["events"]
    assert "agent.typing" not in {event["type"] for event in pulled}


async def test_the_stream_keeps_to_its_filters(bot, open_ticket, reply, tools):
    mine, other = await open_ticket(), await open_ticket()
    query = f"/v1/stream?ticket={mine['id']}&types=message.created"
    async with tools.following(bot, query) as live:
        await reply(other, "other")
        await reply(mine, "mine")
        await tools.eventually(lambda: live.events)
        assert [(kind, data["subject"]) for kind, data, _ in live.events] == [("message.created", mine["id"])]


async def test_a_webhook_is_signed_and_has_the_pulled_events_shape(bot, open_ticket, reply, receiver, tools):
    made = await bot.put(HOOK, json={"url": URL, "types": ["message.created"]})
    assert made.status_code == 201
    secret = made.json()["secret"]
    ticket = await open_ticket()
    await reply(ticket)
    await tools.eventually(lambda: receiver.posted)
    (posted,) = receiver.posted
    (pulled,) = (await bot.get("/v1/events", params={"types": "message.created"})).json()["events"]
    assert posted.event == pulled
    assert posted.headers["webhook-id"] == pulled["id"]
    # The reference library reads the machine's clock, which is not the test's.
    reference = standardwebhooks.Webhook(secret)
    stamp = int(posted.headers["webhook-timestamp"])
    signature = reference.sign(pulled["id"], _moment(stamp), posted.body.decode())
    assert signature in posted.headers["webhook-signature"].split(" ")


def _moment(stamp):
    return datetime.fromtimestamp(stamp, UTC)


async def test_an_endpoint_shows_its_secret_when_it_is_new_or_rotated_and_never_else(bot, clock):
    made = (await bot.put(HOOK, json={"url": URL})).json()
    assert made["secret"].startswith("whsec_")
    again = await bot.put(HOOK, json={"url": URL + "/2", "description": "main"})
    assert (again.status_code, again.json()["secret"]) == (200, None)
    rotated = (await bot.put(HOOK, json={"url": URL + "/2", "rotate": True})).json()
    assert rotated["secret"] != made["secret"]
    assert len(rotated["secret_expiries"]) == 2
    shown = (await bot.get(HOOK)).json()
    assert (shown["url"], shown["secret"], shown["types"]) == (URL + "/2", None, None)
    assert (await bot.get("/v1/webhook-endpoints")).json()["endpoints"] == [shown]
    assert (await bot.put("/v1/webhook-endpoints/new", json={"url": URL, "rotate": True})).json()["secret"]
    assert (await bot.delete(HOOK)).status_code == 204
    assert (await bot.get(HOOK)).status_code == 404


async def test_a_test_event_is_posted_whatever_types_are_wanted(bot, receiver, tools):
    await bot.put(HOOK, json={"url": URL, "types": ["ticket.closed"]})
    sent = await bot.post(f"{HOOK}/test")
    assert sent.status_code == 202
    await tools.eventually(lambda: receiver.posted)
    assert receiver.posted[0].event["type"] == "webhook.test"
    assert receiver.posted[0].event["id"] == sent.json()["event_id"]


async def test_an_endpoint_that_is_gone_is_disabled_and_enabled_by_putting_it_again(bot, receiver, tools, desk):
    await bot.put(HOOK, json={"url": URL})
    receiver.status = 410
    await bot.post(f"{HOOK}/test")

    async def disabled():
        return (await bot.get(HOOK)).json()["status"] == "disabled"

    await tools.eventually(disabled)
    assert (await bot.get(HOOK)).json()["disabled_reason"] == "gone"
    refused = await bot.post(f"{HOOK}/test")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_endpoint")
    assert (await bot.put(HOOK, json={"url": URL})).json()["status"] == "enabled"


async def test_agents_see_deliveries_and_send_them_again(bot, agent, receiver, tools, open_ticket):
    await bot.put(HOOK, json={"url": URL})
    receiver.status = 500
    await bot.post(f"{HOOK}/test")
    await tools.eventually(lambda: receiver.posted)

    async def deliveries():
        return (await agent.get(f"/inbox/api/endpoints/{bot.id}/deliveries")).json()

    async def answered():
        return (await deliveries())[0]["last_status"]

    await tools.eventually(answered)
    (row,) = await deliveries()
    assert (row["type"], row["status"], row["attempts"], row["last_status"]) == ("webhook.test", "pending", 1, 500)
    receiver.status = 204
    again = await agent.post(f"/inbox/api/deliveries/{row['id']}/replay")
    assert again.status_code == 200
    await tools.eventually(lambda: len(receiver.posted) == 2)
    assert len({each.headers["webhook-id"] for each in receiver.posted}) == 1


async def test_an_agent_sees_that_a_message_reached_the_bot(bot, agent, open_ticket, reply, receiver, tools):
    ticket = await open_ticket()

    async def delivery(message):
        seen = (await agent.get(f"/inbox/api/tickets/{ticket['id']}")).json()["messages"]
        return next(line["delivery"] for line in seen if line["id"] == message["id"])

    first = await reply(ticket, "pulled")
    assert first["delivery"] == await delivery(first) == "recorded"
    async with tools.following(agent, "/inbox/api/stream") as live:
        await bot.get("/v1/events")
        assert await delivery(first) == "delivered"
        await bot.put(HOOK, json={"url": URL})
        second = await reply(ticket, "posted")

        def told(message):
            shown = [data["message"] for data in live.of("message")]
            return [line["delivery"] for line in shown if line["id"] == message["id"]]

        await tools.eventually(lambda: "delivered" in told(first))
        await tools.eventually(lambda: "delivered" in told(second))
    receiver.status = 410
    third = await reply(ticket, "lost")

    async def failed():
        return await delivery(third) == "failed"

    await tools.eventually(failed)
    note = await agent.post(f"/inbox/api/tickets/{ticket['id']}/messages", json={"kind": "note", "text": "hm"})
    assert note.json()["delivery"] is None


async def test_old_events_are_forgotten_and_old_cursors_say_so(bot, desk, open_ticket, reply, clock):
    ticket = await open_ticket()
    await reply(ticket)
    clock.advance(desk.settings.event_retention + 1)
    await sweep(desk)
    assert (await bot.get("/v1/events")).json()["events"] == []
    late = await bot.get("/v1/events", params={"after": ticket["cursor"]})
    assert (late.status_code, late.json()["code"]) == (400, "invalid_cursor")
    assert json.loads(late.text)["detail"]
