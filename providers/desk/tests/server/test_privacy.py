"""What must not leave the desk: notes, their files, agents' own references, and words in errors and logs."""

import json
import logging

import pytest

pytestmark = pytest.mark.anyio

SECRET = "the customer is a nuisance"


async def test_a_note_never_leaves_by_any_way_r12(bot, agent, open_ticket, receiver, tools, desk):
    ticket = await open_ticket()
    await bot.put("/v1/webhook-endpoints/main", json={"url": "https://bot.example/hook"})
    stream = bot.live("/v1/stream")
    await tools.eventually(lambda: stream.text)
    inner = f"/inbox/api/tickets/{ticket['id']}"
    upload = await agent.post("/inbox/api/attachments", files={"file": ("plan.txt", SECRET, "text/plain")})
    noted = await agent.post(
        f"{inner}/messages", json={"kind": "note", "text": SECRET, "attachments": [upload.json()["id"]]}
    )
    assert noted.status_code == 201
    assert (await agent.patch(f"/inbox/api/messages/{noted.json()['id']}", json={"text": SECRET + "!"})).is_success
    await agent.post(f"{inner}/messages", json={"text": "Public", "client_ref": "page-1"})
    second = await agent.post(f"{inner}/messages", json={"kind": "note", "text": SECRET})
    await agent.delete(f"/inbox/api/messages/{second.json()['id']}")
    await agent.post(f"{inner}/close", json={})

    await tools.eventually(lambda: "ticket.closed" in [each.event["type"] for each in receiver.posted])
    await tools.eventually(lambda: "ticket.closed" in stream.text)
    pushed = [each.event for each in receiver.posted]
    pulled = (await bot.get("/v1/events")).json()["events"]
    streamed = [data for _, data, _ in stream.events]
    assert pushed == pulled == streamed, "one shape whatever the way"
    expected = ["ticket.assigned", "message.created", "ticket.status_changed", "ticket.closed"]
    assert [event["type"] for event in pulled] == expected
    thread = (await bot.get(f"/v1/tickets/{ticket['id']}/messages")).json()
    assert [message["message"]["text"] for message in thread["messages"]] == ["Public"]
    everything = json.dumps([pushed, pulled, thread, (await bot.get(f"/v1/tickets/{ticket['id']}")).json()])
    assert "nuisance" not in everything + stream.text
    assert "page-1" not in everything
    assert (await bot.get(f"/v1/attachments/{upload.json()['id']}")).status_code == 404
    in_log = str(await desk.log.read(bot.id)) + str(await desk.log.read("inbox"))
    assert "nuisance" not in in_log


async def test_what_the_desk_writes_into_a_thread_is_for_agents(bot, agent, open_ticket):
    ticket = await open_ticket()
    await agent.post(f"/inbox/api/tickets/{ticket['id']}/assign", json={"agent_id": "me"})
    assert (await bot.get(f"/v1/tickets/{ticket['id']}/messages")).json()["messages"] == []
    lines = (await agent.get(f"/inbox/api/tickets/{ticket['id']}")).json()["messages"]
    assert [(line["kind"], line["message"]["text"]) for line in lines] == [("system", "Ada took the ticket.")]


async def test_refusals_and_logs_quote_nobody(bot, open_ticket, caplog):
    caplog.set_level(logging.DEBUG)
    ticket = await open_ticket(title=SECRET, description=SECRET, transcript=[])
    path = f"/v1/tickets/{ticket['id']}/messages"
    author = {"role": "customer", "name": SECRET}
    refused = [
        await bot.post(path, json={"author": author, "message": {"type": "text", "text": SECRET * 4_000}}),
        await bot.post(path, json={"author": author, "message": {"type": "image", "title": SECRET}}),
        await bot.post(path, json={"author": {"role": SECRET}, "message": {"type": "text", "text": "x"}}),
        await bot.post(path, content=f'{{"message": "{SECRET}'.encode(), headers={"Content-Type": "application/json"}),
        await bot.post(path, content=SECRET.encode()),
    ]
    assert [answer.status_code for answer in refused] == [422, 422, 422, 400, 422]
    assert not [answer.text for answer in refused if "nuisance" in answer.text]
    own = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    shown = " ".join(record.getMessage() for record in own)
    assert "nuisance" not in shown
    assert bot.token not in shown
