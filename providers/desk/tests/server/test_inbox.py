"""What agents see: views with counts, the order of waiting, what is unread, and everything live."""

import asyncio

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def act(agent):
    """Do something to a ticket as the agent."""

    async def act(ticket, what, **body):
        answer = await agent.post(f"/inbox/api/tickets/{ticket['id']}/{what}", json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    return act


async def listed(agent, view, **params):
    page = (await agent.get("/inbox/api/tickets", params={"view": view} | params)).json()
    return [row["title"] for row in page["tickets"]]


async def test_views_and_their_counts(agent, log_in, act, open_ticket):
    mine, theirs, nobodys, done = [await open_ticket(title=title) for title in ("mine", "theirs", "nobodys", "done")]
    bob = await log_in("Bob")
    await act(mine, "assign", agent_id="me")
    await act(theirs, "assign", agent_id=bob.id)
    await act(done, "close")
    page = (await agent.get("/inbox/api/tickets", params={"view": "mine"})).json()
    assert page["counts"] == {"mine": 1, "unassigned": 1, "all": 3, "closed": 1}
    assert (page["cursor"], page["more"]) == (None, False)
    for view, titles in {
        "mine": ["mine"],
        "unassigned": ["nobodys"],
        "all": ["mine", "theirs", "nobodys"],
        "closed": ["done"],
    }.items():
        assert await listed(agent, view) == titles
    assert await listed(bob, "mine") == ["theirs"]
    assert nobodys["number"] == 3


async def test_who_waits_longest_comes_first_and_closed_ones_newest_first(bot, agent, act, clock, open_ticket, says):
    tickets = []
    for title in "abcd":
        tickets.append(await open_ticket(title=title))
        clock.advance(60)
    a, b, c, d = tickets
    await act(a, "messages", text="answered")
    await act(c, "messages", text="answered")
    assert await listed(agent, "all") == ["b", "d", "a", "c"], "nobody waits for a and c"
    await bot.post(f"/v1/tickets/{a['id']}/messages", json=says())
    assert await listed(agent, "all") == ["b", "d", "a", "c"]
    row = (await agent.get("/inbox/api/tickets")).json()["tickets"][2]
    assert row["waiting_since"] == "2026-03-01T12:04:00Z"
    for each in (d, a, c):
        clock.advance(1)
        await act(each, "close")
    assert await listed(agent, "closed") == ["c", "a", "d"]
    assert b["category"] == "triage"


@pytest.mark.parametrize("view", ["all", "closed"])
async def test_a_long_list_is_read_page_by_page(agent, act, clock, open_ticket, view):
    for n in range(7):
        ticket = await open_ticket(title=str(n))
        if n % 3 == 0:
            await act(ticket, "messages", text="answered")
        if view == "closed":
            await act(ticket, "close")
        if n % 2:
            clock.advance(1)
    whole = await listed(agent, view)
    assert len(whole) == 7
    seen, cursor = [], None
    while True:
        params = {"view": view, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await agent.get("/inbox/api/tickets", params=params)).json()
        seen += [row["title"] for row in page["tickets"]]
        cursor = page["cursor"]
        assert page["more"] is (cursor is not None)
        if cursor is None:
            break
    assert seen == whole


async def test_the_search_finds_titles_customers_numbers_and_words(bot, agent, open_ticket, says):
    first = await open_ticket(title="Refund 100%", external_id="x")
    await open_ticket(title="Delivery")
    await bot.post(f"/v1/tickets/{first['id']}/messages", json=says("My parcel_number is lost"))
    for words in ("refund", "100%", f"#{first['number']}", "PARCEL_NUMBER", "lost"):
        assert await listed(agent, "all", q=words) == ["Refund 100%"], words
    for words in ("parcelXnumber", "%", "_", "\\", "nothing"):
        assert await listed(agent, "all", q=words) == (["Refund 100%"] if words in "100% parcel_number" else []), words
    assert await listed(agent, "all", q="lovelace") == ["Refund 100%", "Delivery"]


async def test_unread_counts_what_customer_and_bot_said_since_each_agent_read(
    bot, agent, log_in, act, open_ticket, says
):
    bob = await log_in("Bob")
    ticket = await open_ticket()
    path = f"/v1/tickets/{ticket['id']}/messages"

    async def unread(who):
        return (await who.get("/inbox/api/tickets", params={"view": "all"})).json()["tickets"][0]["unread"]

    assert await unread(agent) == 1, "a ticket never opened is news"
    await act(ticket, "read", seq=0)
    assert (await unread(agent), await unread(bob)) == (0, 1)
    for text in ("one", "two"):
        await bot.post(path, json=says(text))
    await bot.post(path, json=says("note", "bot", visibility="internal"))
    assert (await unread(agent), await unread(bob)) == (2, 2)
    await act(ticket, "read", seq=1)
    assert await unread(agent) == 1
    await act(ticket, "read", seq=0)
    assert await unread(agent) == 1, "reading does not go back"
    await act(ticket, "messages", text="Hello")
    assert (await unread(agent), await unread(bob)) == (0, 2)


async def test_a_repeated_send_writes_once(agent, act, open_ticket, log_in):
    ticket = await open_ticket()
    path = f"/inbox/api/tickets/{ticket['id']}/messages"
    body = {"text": "Hello", "client_ref": "page-1"}
    sent = await asyncio.gather(*(agent.post(path, json=body) for _ in range(4)))
    assert len({answer.json()["id"] for answer in sent}) == 1
    await act(ticket, "close")
    assert (await agent.post(path, json=body)).json()["id"] == sent[0].json()["id"], "also when it was closed since"
    await act(ticket, "reopen")
    bob = await log_in("Bob")
    assert (await bot_of(bob, path, body)) != sent[0].json()["id"], "another agent's reference is another"


async def bot_of(client, path, body):
    return (await client.post(path, json=body)).json()["id"]


async def test_the_customer_card_has_earlier_tickets(bot, agent, act, open_ticket):
    known = {"email": "ada@x.org", "phone": "+41", "locale": "de-CH", "data": {"a": 1}}
    await bot.put("/v1/customers/u-17", json=known)
    earlier = await open_ticket(title="Earlier")
    await act(earlier, "close")
    ticket = await open_ticket(title="Now", description="Broken", tags=["vip"], metadata={"order": 7})
    seen = (await agent.get(f"/inbox/api/tickets/{ticket['id']}")).json()
    customer = seen["customer"]
    assert {name: customer[name] for name in known} == known
    assert [(each["title"], each["category"]) for each in customer["earlier"]] == [("Earlier", "closed")]
    assert (seen["ticket"]["description"], seen["ticket"]["tags"]) == ("Broken", ["vip"])
    assert seen["ticket"]["metadata"] == {"order": 7}


async def test_every_kind_of_message_has_a_line_in_the_list(bot, agent, open_ticket):
    ticket = await open_ticket()
    messages = {
        "Hello": {"type": "markdown", "markdown": "Hello"},
        "Shop": {"type": "location", "latitude": 1, "longitude": 2, "title": "Shop"},
        "(location)": {"type": "location", "latitude": 1, "longitude": 2},
        "a.png": {"type": "image", "url": "https://x.org/a.png", "name": "a.png"},
        "Card Buy": {"type": "card", "title": "Card", "actions": [{"kind": "say", "label": "Buy", "value": "b"}]},
        "One": {"type": "carousel", "items": [{"type": "card", "title": "One"}]},
        "Pick A": {"type": "dropdown", "text": "Pick", "options": [{"label": "A", "value": "a"}]},
        "x y": {"type": "bloc", "items": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]},
        "z" * 199 + "…": {"type": "text", "text": "z" * 300},
    }
    for line, message in messages.items():
        body = {"author": {"role": "customer"}, "message": message}
        answer = await bot.post(f"/v1/tickets/{ticket['id']}/messages", json=body)
        assert answer.status_code == 201, answer.text
        row = (await agent.get("/inbox/api/tickets")).json()["tickets"][0]
        assert (row["last"]["text"], row["last"]["author_role"]) == (line, "customer")


async def test_the_inbox_is_live(bot, agent, log_in, act, open_ticket, says, tools):
    bob = await log_in("Bob")
    async with tools.following(agent, "/inbox/api/stream") as live:
        ticket = await open_ticket()
        await tools.eventually(lambda: live.of("counts"))
        assert live.of("ticket")[0]["ticket"]["title"] == "Refund"
        assert live.of("counts")[0] == {"mine": 0, "unassigned": 1, "all": 1, "closed": 0}
        await bot.post(f"/v1/tickets/{ticket['id']}/messages", json=says("Hello"))
        await tools.eventually(lambda: live.of("message"))
        (message,) = live.of("message")
        assert (message["ticket_id"], message["message"]["message"]["text"]) == (ticket["id"], "Hello")
        await act(ticket, "messages", kind="note", text="only us")
        await tools.eventually(lambda: "only us" in live.text)
        await bot.post(f"/v1/tickets/{ticket['id']}/typing")
        await bob.post(f"/inbox/api/tickets/{ticket['id']}/typing", json={"typing": True})
        await act(ticket, "typing", typing=True)
        await bob.post(f"/inbox/api/tickets/{ticket['id']}/typing", json={"typing": False})
        await tools.eventually(lambda: len(live.of("typing")) == 3)
        told = [(data["who"], data["typing"]) for data in live.of("typing")]
        assert told == [("customer", True), ("Bob", True), ("Bob", False)], "one's own typing is no news"
        assert set(live.of("typing")[0]) == {"ticket_id", "who", "typing"}
        await act(ticket, "priority", priority="urgent")
        await tools.eventually(lambda: live.of("ticket")[-1]["ticket"]["priority"] == "urgent")
        place = live.last_id
    await act(ticket, "close", text="Bye")
    async with tools.following(agent, "/inbox/api/stream", Last_Event_ID=place) as live:
        await tools.eventually(lambda: live.of("counts"))
        assert [data["message"]["kind"] for data in live.of("message")] == ["system", "message", "system"]
        (row,) = live.of("ticket")
        assert row["ticket"]["category"] == "closed"
        assert live.of("counts") == [{"mine": 0, "unassigned": 0, "all": 0, "closed": 1}]


async def test_a_row_on_the_stream_is_the_readers_own(bot, agent, log_in, act, open_ticket, says, tools):
    bob = await log_in("Bob")
    ticket = await open_ticket()
    await act(ticket, "read", seq=0)
    streams = tools.following(agent, "/inbox/api/stream"), tools.following(bob, "/inbox/api/stream")
    async with streams[0] as mine, streams[1] as theirs:
        for text in ("one", "two"):
            await bot.post(f"/v1/tickets/{ticket['id']}/messages", json=says(text))
        await act(ticket, "read", seq=2)
        await bot.post(f"/v1/tickets/{ticket['id']}/messages", json=says("three"))
        for live, unread in ((mine, 1), (theirs, 3)):
            await tools.eventually(lambda live=live: "three" in live.text and live.of("counts"))
            await tools.eventually(lambda live=live, unread=unread: live.of("ticket")[-1]["ticket"]["unread"] == unread)


async def test_an_inbox_whose_session_ended_is_told_nothing_more(app, agent, clock, tools, desk):
    stream = agent.live("/inbox/api/stream")
    await tools.eventually(lambda: stream.text)
    async with desk.write() as unit:
        await unit.conn.exec_driver_sql("DELETE FROM desk_sessions")
    clock.advance(15)
    await tools.eventually(stream.task.done)


async def test_me_names_the_colleagues(agent, log_in):
    await log_in("Bob")
    me = (await agent.get("/inbox/api/me")).json()
    assert (me["agent"]["name"], me["agent"]["email"]) == ("Ada", "ada@desk.example")
    assert [(each["name"], set(each)) for each in me["agents"]] == [
        ("Ada", {"id", "name", "avatar_url"}),
        ("Bob", {"id", "name", "avatar_url"}),
    ]
