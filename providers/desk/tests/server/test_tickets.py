"""The Desk Protocol's round trip: customers, tickets, messages, and the rules of a ticket's life."""

import asyncio

import pytest
from hitl_desk.server import answers
from hitl_desk.server.problems import MEDIA_TYPE

pytestmark = pytest.mark.anyio


async def types(bot, **params):
    return [event["type"] for event in (await bot.get("/v1/events", params=params)).json()["events"]]


async def test_a_bot_learns_who_it_is_and_what_the_desk_takes(bot):
    me = answers.Bot.model_validate_json((await bot.get("/v1/bot")).text)
    assert (me.id, me.name, me.protocol) == (bot.id, "Shop bot", "1")
    assert me.limits.text_characters == 65_536
    assert "carousel" in me.capabilities.message_types


async def test_a_hand_off_goes_there_and_back(bot, agent, open_ticket, says):
    transcript = [
        {"author": {"role": "user", "name": "Ada"}, "message": {"type": "text", "text": "I want a refund"}},
        {"author": {"role": "bot"}, "message": {"type": "location", "latitude": 47.4, "longitude": 8.5}},
        {"author": {"role": "user"}, "message": {"type": "hologram", "beam": 1}, "sent_at": "2026-03-01T11:59:00Z"},
    ]  # fmt: skip
    ticket = await open_ticket(transcript=transcript, reason="Asked for a human", priority="high", external_id="conv-1")
    assert (ticket["category"], ticket["priority"], ticket["assignee"]) == ("triage", "high", None)
    assert ticket["url"] == f"https://desk.example/inbox#{ticket['id']}"
    path = f"/v1/tickets/{ticket['id']}"
    said = await bot.post(f"{path}/messages", json=says(client_ref="m-1"))
    assert said.status_code == 201

    seen = (await agent.get(f"/inbox/api/tickets/{ticket['id']}")).json()
    assert [entry["author"] for entry in seen["transcript"]] == [
        {"role": "customer", "name": "Ada"},
        {"role": "bot", "name": "Shop bot"},
        {"role": "customer", "name": "Ada Lovelace"},
    ]
    assert seen["transcript"][2]["message"] == {"type": "hologram", "beam": 1}
    assert seen["ticket"]["reason"] == "Asked for a human"
    assert [(line["kind"], line["author"]["role"], line["message"]["text"]) for line in seen["messages"]] == [
        ("message", "customer", "Any news?")
    ]

    answered = await agent.post(f"/inbox/api/tickets/{ticket['id']}/messages", json={"text": "On its way"})
    assert answered.status_code == 201
    closed = await agent.post(f"/inbox/api/tickets/{ticket['id']}/close", json={})
    assert closed.json()["category"] == "closed"

    page = (await bot.get("/v1/events", params={"after": ticket["cursor"], "ticket": ticket["id"]})).json()
    events = [answers.Event.model_validate(event) for event in page["events"]]
    assert [event.type for event in events] == [
        "ticket.assigned", "message.created", "ticket.status_changed", "ticket.closed",
    ]  # fmt: skip
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert {event.subject for event in events} == {ticket["id"]}
    message = page["events"][1]["data"]["message"]
    assert message["message"] == {"type": "text", "text": "On its way"}
    assert page["events"][1]["data"]["agent"]["name"] == "Ada"
    assert page["events"][1]["data"]["ticket"]["external_id"] == "conv-1"
    assert (page["events"][3]["data"]["by"], page["events"][3]["data"]["reason"]) == ("agent", "agent_closed")

    now = answers.Ticket.model_validate((await bot.get(path)).json())
    assert (now.category, now.assignee.name, now.closed.by) == ("closed", "Ada", "agent")


async def test_a_customer_keeps_what_is_not_given_anew(bot):
    path = "/v1/customers/whatsapp%2F4179"
    first = await bot.put(path, json={"name": "Ada", "email": "ada@x.org", "data": {"plan": "gold"}})
    second = await bot.put(path, json={"email": None, "phone": "+41"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    customer = second.json()
    assert customer["external_id"] == "whatsapp/4179"
    assert (customer["name"], customer["email"], customer["phone"]) == ("Ada", None, "+41")
    assert customer["data"] == {"plan": "gold"}
    assert (await bot.put(path, json={})).json() == customer


async def test_a_customer_is_renamed_unless_the_bot_asks_not_to(bot):
    path, keep = "/v1/customers/u-18", {"rename": "false"}
    await bot.put(path, json={})
    names = [
        (await bot.put(path, json={"name": name, "phone": phone}, params=params)).json()["name"]
        for name, phone, params in [("Ada", "1", keep), ("Grace", "2", keep), ("Grace", "3", {}), (None, "4", keep)]
    ]
    assert names == ["Ada", "Ada", "Grace", "Grace"]
    assert (await bot.put(path, json={})).json()["phone"] == "4"


async def test_a_ticket_takes_first_messages_and_finds_itself_by_external_id(bot, open_ticket, says):
    ticket = await open_ticket(
        external_id="conv-9",
        tags=["a", "b", "a"],
        metadata={"n": 1},
        messages=[says("A summary", "bot", visibility="internal"), says("Hello", client_ref="x")],
    )
    assert [(each["visibility"], each["seq"]) for each in ticket["messages"]] == [("internal", 1), ("public", 2)]
    assert ticket["tags"] == ["a", "b"]
    again = await open_ticket(external_id="conv-9")
    found = (await bot.get("/v1/tickets", params={"external_id": "conv-9"})).json()["tickets"]
    assert [each["id"] for each in found] == [again["id"], ticket["id"]]
    assert found[1]["metadata"] == {"n": 1}
    assert again["number"] == ticket["number"] + 1


async def test_a_ticket_without_a_title_is_named_after_its_customer(open_ticket):
    assert (await open_ticket(title=""))["title"] == "Conversation with Ada Lovelace"


async def test_categories_say_whose_turn_it_is(bot, agent, open_ticket, says):
    ticket = await open_ticket()
    path, inner = f"/v1/tickets/{ticket['id']}", f"/inbox/api/tickets/{ticket['id']}"

    async def category():
        return (await bot.get(path)).json()["category"]

    await bot.post(f"{path}/messages", json=says())
    assert await category() == "triage"
    await agent.post(f"{inner}/assign", json={"agent_id": "me"})
    assert await category() == "open"
    await agent.post(f"{inner}/messages", json={"kind": "note", "text": "hm"})
    assert await category() == "open"
    await agent.post(f"{inner}/messages", json={"text": "Which order?"})
    assert await category() == "waiting"
    await bot.post(f"{path}/messages", json=says("thinking", "bot"))
    assert await category() == "waiting"
    await bot.post(f"{path}/messages", json=says("1234"))
    assert await category() == "open"
    await agent.post(f"{inner}/close", json={})
    assert await category() == "closed"
    await agent.post(f"{inner}/reopen", json={})
    assert await category() == "open"
    changes = [
        (event["data"]["previous"], event["data"]["category"])
        for event in (await bot.get("/v1/events", params={"types": "ticket.status_changed"})).json()["events"]
    ]
    assert changes == [("triage", "open"), ("open", "waiting"), ("waiting", "open")]


async def test_the_first_reply_assigns_the_agent_r17(bot, agent, log_in, open_ticket):
    ticket = await open_ticket()
    inner = f"/inbox/api/tickets/{ticket['id']}"
    other = await log_in("Bob")
    await agent.post(f"{inner}/messages", json={"text": "Hello"})
    await other.post(f"{inner}/messages", json={"text": "Me too"})
    events = (await bot.get("/v1/events")).json()["events"]
    assigned = [event["data"]["agent"]["id"] for event in events if event["type"] == "ticket.assigned"]
    assert assigned == [agent.id]
    authors = [event["data"]["agent"]["id"] for event in events if event["type"] == "message.created"]
    assert authors == [agent.id, other.id]


async def test_giving_a_ticket_away_and_back_is_told_once_each(bot, agent, log_in, open_ticket):
    ticket = await open_ticket()
    inner = f"/inbox/api/tickets/{ticket['id']}"
    other = await log_in("Bob")
    for who in ("me", "me", other.id, None, None):
        row = (await agent.post(f"{inner}/assign", json={"agent_id": who})).json()
    assert row["assignee"] is None
    events = (await bot.get("/v1/events")).json()["events"]
    facts = [(event["type"], event["data"]["agent"]["name"]) for event in events if "agent" in event["data"]]
    assert facts == [("ticket.assigned", "Ada"), ("ticket.assigned", "Bob"), ("ticket.unassigned", "Bob")]
    refused = await agent.post(f"{inner}/assign", json={"agent_id": "agt_nobody"})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_agent")


async def test_one_act_with_several_facts_tells_them_in_the_order_a_customer_should_see_s236(bot, agent, open_ticket):
    ticket = await open_ticket()
    inner = f"/inbox/api/tickets/{ticket['id']}"
    await agent.post(f"{inner}/close", json={})
    cursor = (await bot.get("/v1/events")).json()["cursor"]
    await agent.post(f"{inner}/messages", json={"text": "One more thing", "reopen": True})
    await agent.post(f"{inner}/close", json={"text": "Goodbye"})
    page = (await bot.get("/v1/events", params={"after": cursor})).json()
    facts = [(event["type"], event["data"]["ticket"]["category"]) for event in page["events"]]
    assert facts == [
        ("ticket.reopened", "open"),
        ("ticket.assigned", "open"),
        ("message.created", "waiting"),
        ("ticket.status_changed", "waiting"),
        ("message.created", "waiting"),
        ("ticket.closed", "closed"),
    ]
    assert page["events"][4]["data"]["message"]["message"]["text"] == "Goodbye"


async def test_closing_with_a_last_message_reaches_the_customer_before_the_end_r10(bot, agent, open_ticket):
    ticket = await open_ticket()
    await agent.post(f"/inbox/api/tickets/{ticket['id']}/close", json={"text": "Goodbye", "reason": "spam"})
    assert await types(bot) == ["ticket.assigned", "message.created", "ticket.closed"]


async def test_a_closed_ticket_takes_messages_only_with_reopen(bot, agent, open_ticket, says):
    ticket = await open_ticket()
    path, inner = f"/v1/tickets/{ticket['id']}", f"/inbox/api/tickets/{ticket['id']}"
    closed = await bot.post(f"{path}/close", json={"reason": "customer_left", "text": "The customer left."})
    assert closed.json()["closed"]["reason"] == "customer_left"
    again = await bot.post(f"{path}/close")
    assert (again.status_code, again.json()) == (200, closed.json())
    for answer in (
        await bot.post(f"{path}/messages", json=says()),
        await agent.post(f"{inner}/messages", json={"text": "too late"}),
        await agent.post(f"{inner}/assign", json={"agent_id": "me"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "ticket_closed")
        assert answer.headers["content-type"] == MEDIA_TYPE
    assert (await agent.post(f"{inner}/messages", json={"kind": "note", "text": "why?"})).status_code == 201
    reopened = await bot.post(f"{path}/messages", json=says(reopen=True))
    assert reopened.status_code == 201
    events = (await bot.get("/v1/events")).json()["events"]
    assert [(event["type"], event["data"]["by"]) for event in events] == [
        ("ticket.closed", "bot"),
        ("ticket.reopened", "bot"),
    ]


async def test_the_bots_own_messages_are_not_echoed_but_can_be_read(bot, open_ticket, says):
    ticket = await open_ticket()
    path = f"/v1/tickets/{ticket['id']}/messages"
    for n in range(5):
        await bot.post(path, json=says(f"line {n}", client_ref=f"ref-{n}"))
    assert await types(bot) == []
    first = (await bot.get(path, params={"limit": 3})).json()
    rest = (await bot.get(path, params={"limit": 3, "after": first["cursor"]})).json()
    refs = [message["client_ref"] for message in (*first["messages"], *rest["messages"])]
    assert refs == [f"ref-{n}" for n in range(5)]
    assert (first["more"], rest["more"]) == (True, False)
    (found,) = (await bot.get(path, params={"client_ref": "ref-3"})).json()["messages"]
    assert found["message"]["text"] == "line 3"
    assert (await bot.get(path, params={"client_ref": "ref-9"})).json()["messages"] == []


async def test_editing_and_taking_back_are_told_and_only_for_ones_own(bot, agent, log_in, open_ticket):
    ticket = await open_ticket()
    other = await log_in("Bob")
    sent = (await agent.post(f"/inbox/api/tickets/{ticket['id']}/messages", json={"text": "Helo"})).json()
    path = f"/inbox/api/messages/{sent['id']}"
    refused = await other.patch(path, json={"text": "Ha"})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_yours")
    edited = (await agent.patch(path, json={"text": "Hello"})).json()
    assert edited["message"]["text"] == "Hello"
    assert edited["edited_at"]
    assert (await agent.delete(path)).status_code == 204
    assert (await agent.delete(path)).status_code == 404
    events = (await bot.get("/v1/events", params={"types": "message.updated,message.deleted"})).json()["events"]
    assert [(event["type"], event["data"]["message"]["message"]) for event in events] == [
        ("message.updated", {"type": "text", "text": "Hello"}),
        ("message.deleted", None),
    ]
    assert {event["data"]["message"]["id"] for event in events} == {sent["id"]}
    (left,) = (await bot.get(f"/v1/tickets/{ticket['id']}/messages")).json()["messages"]
    assert (left["deleted"], left["message"]) == (True, None)


async def test_many_at_once_on_the_same_tickets_neither_block_nor_mix(bot, agent, log_in, open_ticket, says):
    bob = await log_in("Bob")
    tickets = [await open_ticket() for _ in range(2)]
    calls = []
    for n in range(6):
        for ticket in tickets:
            path, inner = f"/v1/tickets/{ticket['id']}", f"/inbox/api/tickets/{ticket['id']}"
            calls += [
                bot.post(f"{path}/messages", json=says(f"{n}", reopen=True), headers={"Idempotency-Key": f"{path}{n}"}),
                agent.post(f"{inner}/messages", json={"text": f"{n}", "reopen": True}),
                bob.post(f"{inner}/assign", json={"agent_id": "me"}),
                bob.post(f"{inner}/close", json={}) if n == 3 else bot.get("/v1/events"),
                agent.post(f"{inner}/read", json={"seq": n}),
            ]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} <= {200, 201, 204, 409}
    page = (await bot.get("/v1/events", params={"limit": 1000})).json()
    for ticket in tickets:
        own = [event for event in page["events"] if event["subject"] == ticket["id"]]
        assert [event["seq"] for event in own] == list(range(1, len(own) + 1))
        lines = (await agent.get(f"/inbox/api/tickets/{ticket['id']}")).json()["messages"]
        assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
        told = [event["data"]["message"]["seq"] for event in own if event["type"] == "message.created"]
        assert told == [line["seq"] for line in lines if line["author"]["role"] == "agent"]


async def test_availability_is_an_open_inbox(bot, agent, tools):
    there = "/v1/availability"
    assert (await bot.get(there)).json() == {"available": False, "agents_online": 0}
    async with tools.following(agent, "/inbox/api/stream"), tools.following(agent, "/inbox/api/stream"):
        assert (await bot.get(there)).json() == {"available": True, "agents_online": 1}
    assert (await bot.get(there)).json()["agents_online"] == 0
