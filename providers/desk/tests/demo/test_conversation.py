"""A customer, the bot and an agent, over real sockets: the demo's own servers, the real desk, the real provider."""

import base64

import pytest

from .conftest import running, until

pytestmark = pytest.mark.anyio

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAwAAAAMCAIAAADZF8uwAAAAGUlEQVR4nGP8z4APMOGVHZUelR6VHpUemtIA6PgBF4UCjN0AAAAASUVORK5CYII="
)
BACK = "I am the bot, and I am back."


async def test_a_conversation_goes_to_a_human_and_back_twice(demo):
    customer, agent = await demo.customer(), await demo.agent()
    await customer.say("What are your opening hours?")
    await customer.sees("bot", "Monday")
    await customer.say("/human")
    await customer.is_with("queue")
    await customer.sees("system", "waiting for a human")

    ticket = await agent.newest()
    whole = str(await agent.ticket(ticket))
    assert "What are your opening hours?" in whole, "F06: the agent sees what was said before"
    assert "Monday" in whole
    assert "The customer asked for a human." in whole

    await agent.act(ticket, "assign", agent_id="me")
    await customer.sees("system", "Ada has joined")
    await customer.is_with("human")
    answers = customer.said("bot")
    await agent.reply(ticket, "Hello, how can I help?")
    await customer.sees("agent", "Hello, how can I help?")
    await customer.say("My lamp hums. What are your opening hours?")
    await agent.sees(ticket, "My lamp hums")
    await agent.reply(ticket, "offer a new one", kind="note")
    await agent.reply(ticket, "We will send a new one.")
    await customer.sees("agent", "We will send a new one.")
    assert customer.said("bot") == answers, "the bot is silent while a human has the conversation"
    assert "offer a new one" not in str(customer.records), "a note never leaves"
    assert len([text for text in customer.said("system") if "joined" in text]) == 1

    await agent.act(ticket, "close")
    await customer.sees("system", "closed the conversation")
    await customer.sees("bot", BACK)
    await customer.is_with("bot")
    await customer.say("how do refunds work?")
    await customer.sees("bot", "30 days")
    assert "30 days" not in str(await agent.ticket(ticket)), "R07: the bot does not answer in a closed ticket"

    await customer.say("/human")
    second = await agent.newest()
    assert second != ticket
    assert "We will send a new one." in str(await agent.ticket(second)), "the agent's words are in the history"
    await agent.reply(second, "Me again.")
    await customer.sees("agent", "Me again.")
    assert len([text for text in customer.said("system") if "joined" in text]) == 2


async def test_what_the_bot_cannot_answer_twice_goes_to_a_human(demo):
    customer, agent = await demo.customer(), await demo.agent()
    await customer.say("flurb")
    await customer.say("glonk, the third of it")
    await customer.is_with("queue")
    ticket = await agent.ticket(await agent.newest())
    assert "did not understand twice" in str(ticket)
    assert "glonk, the third of it" in str(ticket)


@pytest.mark.parametrize("way", ["command", "button"])
async def test_the_customer_goes_back_to_the_bot(demo, way):
    customer, agent = await demo.customer(), await demo.agent()
    await customer.say("/human")
    ticket = await agent.newest()
    if way == "command":
        await customer.say(" /End ")
    else:
        (await customer.http.post("api/end")).raise_for_status()
    await customer.sees("system", "You have left the conversation")
    await customer.sees("bot", BACK)

    async def closed():
        return [row["id"] for row in await agent.tickets("closed")] == [ticket]

    await until(closed, "the ticket to be closed")
    texts = [message.get("text", "") or str(message) for message in (await agent.ticket(ticket))["messages"]]
    assert not any("/end" in text.lower() for text in texts), "S086: the command is not relayed"


async def test_pictures_go_both_ways(demo):
    customer, agent = await demo.customer(), await demo.agent()
    await customer.say("/human")
    ticket = await agent.newest()
    headers = {"content-type": "image/png", "x-file-name": "my%20lamp.png"}
    (await customer.http.post("api/files", content=PNG, headers=headers)).raise_for_status()
    await agent.sees(ticket, "my lamp.png")
    [mine] = [part for part in customer.parts("customer") if part["type"] == "image"]
    assert (await customer.http.get(mine["url"])).content == PNG

    upload = await agent.http.post("/inbox/api/attachments", files={"file": ("new.png", PNG, "image/png")})
    await agent.reply(ticket, "This one?", attachments=[upload.raise_for_status().json()["id"]])
    await customer.sees("agent", "This one?")
    [theirs] = await until(lambda: [part for part in customer.parts("agent") if part["type"] == "image"], "a picture")
    answer = await customer.http.get(theirs["url"])
    assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")
    assert "sandbox" in answer.headers["content-security-policy"]
    stranger = await demo.customer()
    assert (await stranger.http.get(theirs["url"])).status_code == 404, "files are their conversation's"


async def test_what_an_agent_sends_as_a_page_is_never_shown_as_one(demo):
    customer, agent = await demo.customer(), await demo.agent()
    await customer.say("/human")
    ticket = await agent.newest()
    page = b"<script>alert(1)</script>"
    upload = await agent.http.post("/inbox/api/attachments", files={"file": ("notes.txt", page, "text/plain")})
    await agent.reply(ticket, "notes", attachments=[upload.raise_for_status().json()["id"]])
    [file] = await until(lambda: [part for part in customer.parts("agent") if part["type"] == "file"], "a file")
    answer = await customer.http.get(file["url"])
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_typing_is_shown_on_both_sides(demo):
    customer, agent = await demo.customer(), await demo.agent()
    await customer.say("/human")
    ticket = await agent.newest()
    await agent.act(ticket, "assign", agent_id="me")
    await customer.is_with("human")
    await agent.act(ticket, "typing", typing=True)
    await until(lambda: customer.typing and customer.typing["typing"], "the agent to be typing")
    assert customer.typing["name"] == "Ada"
    await agent.reply(ticket, "There.")
    await until(lambda: not customer.typing["typing"], "an answer to end the typing")
    async with agent.http.stream("GET", "/inbox/api/stream") as stream:
        lines = stream.aiter_lines()
        await anext(lines)
        (await customer.http.post("api/typing", json={"typing": True})).raise_for_status()
        async for line in lines:
            if "typing" in line and "data:" in line:
                break
        assert ticket in line


async def test_what_an_agent_changes_or_takes_back_is_changed_for_the_customer(demo):
    customer, agent = await demo.customer(), await demo.agent()
    await customer.say("/human")
    ticket = await agent.newest()
    message = (await agent.reply(ticket, "See you tomorow")).json()
    await customer.sees("agent", "See you tomorow")
    (
        await agent.http.patch(f"/inbox/api/messages/{message['id']}", json={"text": "See you tomorrow"})
    ).raise_for_status()
    await until(lambda: customer.said("agent") == ["See you tomorrow"], "the change")
    (await agent.http.delete(f"/inbox/api/messages/{message['id']}")).raise_for_status()
    await until(lambda: customer.said("agent") == [""], "the removal")
    state = (await customer.http.get("api/conversation")).json()
    assert [record["event"] for record in state["records"]][-2:] == ["change", "change"]


async def test_a_ticket_reopened_by_the_agent_fetches_the_customer_back(demo):
    customer, agent = await demo.customer(), await demo.agent()
    await customer.say("/human")
    ticket = await agent.newest()
    await agent.reply(ticket, "Bye")
    await agent.act(ticket, "close")
    await customer.is_with("bot")
    await agent.act(ticket, "reopen")
    await customer.sees("system", "opened the conversation again")
    await customer.say("yes?")
    await agent.sees(ticket, "yes?")


async def test_a_new_conversation_leaves_the_old_one_and_is_the_same_customer(demo):
    customer, agent = await demo.customer(), await demo.agent()
    await customer.say("/human")
    ticket = await agent.newest()
    fresh = (await customer.http.post("api/new")).raise_for_status().json()
    assert fresh["conversation"] != customer.state["conversation"]
    assert fresh["name"] == customer.state["name"]
    assert [record["data"]["role"] for record in fresh["records"]] == ["bot"]

    async def closed():
        return [row["id"] for row in await agent.tickets("closed")] == [ticket]

    await until(closed, "the old ticket to be closed")


async def test_a_stream_goes_on_where_it_broke(demo):
    customer = await demo.customer()
    await customer.say("What are your opening hours?")
    await customer.sees("bot", "Monday")
    headers = {"last-event-id": "2"}
    async with customer.http.stream("GET", "api/stream", headers=headers) as stream:
        ids = []
        async for line in stream.aiter_lines():
            if line.startswith("id: "):
                ids.append(line)
            if line == "event: status":
                break
    assert ids == ["id: 3"]


async def test_the_same_directory_again_finds_agents_and_bot_and_closes_what_nobody_is_behind(tmp_path):
    async with running(tmp_path) as demo:
        customer, agent = await demo.customer(), await demo.agent()
        await customer.say("/human")
        ticket = await agent.newest()
        bots = len((await agent.http.get("/inbox/api/bots")).json())
    async with running(tmp_path) as demo:
        agent = await demo.agent()
        assert [row["id"] for row in await agent.tickets("closed")] == [ticket]
        assert "restarted" in str(await agent.ticket(ticket))
        assert len((await agent.http.get("/inbox/api/bots")).json()) == bots
        customer = await demo.customer()
        await customer.say("/human")
        await agent.reply(await agent.newest(), "Still works.")
        await customer.sees("agent", "Still works.")


async def test_a_bot_that_is_switched_off_says_so_and_keeps_answering(demo):
    customer, agent = await demo.customer(), await demo.agent()
    [bot] = (await agent.http.get("/inbox/api/bots")).json()
    (await agent.http.post(f"/inbox/api/bots/{bot['id']}", json={"enabled": False})).raise_for_status()
    await customer.say("/human")
    await customer.sees("system", "could not reach our team")
    await customer.is_with("bot")
    await customer.say("opening hours?")
    await customer.sees("bot", "Monday")
    (await agent.http.post(f"/inbox/api/bots/{bot['id']}", json={"enabled": True})).raise_for_status()
    await customer.say("/human")
    await customer.sees("system", "waiting for a human")
