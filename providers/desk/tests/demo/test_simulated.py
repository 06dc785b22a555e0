"""The same demo on a helpdesk that is not ours: any installed provider, its simulator, and an agent on its page."""

import base64
import json
import os
import signal

import pytest
from hitl_desk.demo.simulated import SimulatedHelpdesk

from hitl_core.cli import run
from hitl_core.cli.simulate import load_simulator

from .conftest import running, until
from .test_command import addresses, browser, demo

pytestmark = pytest.mark.anyio

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAwAAAAMCAIAAADZF8uwAAAAGUlEQVR4nGP8z4APMOGVHZUelR6VHpUemtIA6PgBF4UCjN0AAAAASUVORK5CYII="
)


class Agent:
    """An agent on the simulator's page, as far as its requests go."""

    def __init__(self, http):
        self.http = http

    async def sessions(self):
        return (await self.http.get("sessions")).raise_for_status().json()

    async def newest(self):
        async def opened():
            return [session for session in await self.sessions() if session["open"]]

        return (await until(opened, "a session"))[-1]["id"]

    async def act(self, session, verb, **body):
        return (await self.http.post(f"sessions/{session}/{verb}", json=body)).raise_for_status()

    async def sees(self, session, words):
        async def there():
            return words in json.dumps((await self.http.get(f"sessions/{session}")).json(), ensure_ascii=False)

        await until(there, f"the session has {words!r}")


async def agent_of(demo):
    answer = await (await demo.http()).get(demo.inbox)
    assert answer.headers["content-type"].startswith("text/html")
    return Agent(await demo.http(base_url=demo.inbox.removesuffix("agent")))


@pytest.fixture(params=["reference", "paper"])
async def simulated(request, made_up, tmp_path):
    """The demo on a helpdesk where the provider registers webhooks, and on one where a hand does."""
    name = request.param
    async with running(tmp_path, lambda _: SimulatedHelpdesk(name, load_simulator(name)())) as made:
        assert made.agents_page_name == "Agent page"
        yield made


async def test_a_conversation_goes_to_a_human_and_back_twice(simulated):
    customer, agent = await simulated.customer(), await agent_of(simulated)
    await customer.say("What are your opening hours?")
    await customer.sees("bot", "Monday")
    await customer.say("/human")
    await customer.sees("system", "waiting for a human")
    session = await agent.newest()
    await agent.sees(session, "What are your opening hours?")
    await agent.sees(session, "The customer asked for a human.")

    await agent.act(session, "assign", agent="agent-2")
    await customer.sees("system", "Lou Agent has joined")
    answers = customer.said("bot")
    await agent.act(session, "reply", text="Hello, how can I help?", agent="agent-2")
    await customer.sees("agent", "Hello, how can I help?")
    await customer.say("My lamp hums. What are your opening hours?")
    await agent.sees(session, "My lamp hums")
    await agent.act(session, "note", text="offer a new one")
    await agent.act(session, "reply", text="We will send a new one.", agent="agent-2")
    await customer.sees("agent", "We will send a new one.")
    assert customer.said("bot") == answers, "the bot is silent while a human has the conversation"
    assert "offer a new one" not in str(customer.records), "a note never leaves"

    await agent.act(session, "solve")
    await customer.sees("bot", "I am back")
    await customer.is_with("bot")
    await customer.say("/human")
    second = await agent.newest()
    assert second != session
    await agent.act(second, "reply", text="Me again.")
    await customer.sees("agent", "Me again.")
    await customer.say("/end")

    async def ended():
        return not any(each["open"] for each in await agent.sessions())

    await until(ended, "the session to be ended")


async def test_pictures_go_both_ways(simulated):
    customer, agent = await simulated.customer(), await agent_of(simulated)
    await customer.say("/human")
    session = await agent.newest()
    headers = {"content-type": "image/png", "x-file-name": "my%20lamp.png"}
    (await customer.http.post("api/files", content=PNG, headers=headers)).raise_for_status()
    await agent.sees(session, base64.urlsafe_b64encode(PNG).decode())
    file = {"name": "new.png", "content_type": "image/png", "content": base64.b64encode(PNG).decode()}
    await agent.act(session, "attach", text="This one?", files=[file])
    await customer.sees("agent", "This one?")
    [theirs] = await until(lambda: [part for part in customer.parts("agent") if part["type"] == "image"], "a picture")
    assert (await customer.http.get(theirs["url"])).content == PNG


async def test_a_delivery_nobody_signed_is_refused(simulated):
    http = await simulated.http()
    for name in ("reference", "paper"):
        answer = await http.post(f"/chat/webhooks/{name}", json={"account": "acct-1", "events": []})
        assert answer.status_code in {401, 404}
        if answer.status_code == 401:
            return
    pytest.fail("there is no place for webhooks")


async def test_the_demos_own_address_leads_to_the_chat(simulated):
    answer = await (await simulated.http(follow_redirects=True)).get("/")
    assert "chat-input" in answer.text


def test_it_prints_both_addresses_and_that_everything_is_forgotten(made_up):
    path = os.pathsep.join([str(made_up), os.environ.get("PYTHONPATH", "")])
    with demo("--provider", "paper", "--port", "0", PYTHONPATH=path) as process:
        found = addresses(process)
        assert list(found) == ["Customer chat", "Agent page"]
        assert b"chat-input" in browser().open(found["Customer chat"], timeout=10).read()
        assert b"composer-text" in browser().open(found["Agent page"], timeout=10).read()
        assert found["Agent page"].startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "")
    assert "'paper' is simulated on this machine" in errors
    assert "forgets everything" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--provider", "papers"],
            ["no provider 'papers' is installed", "did you mean 'paper'?", "bare, desk, lacking"],
        ),
        (["--provider", "bare"], ["'bare' is installed without a simulator", "pip install 'hitl-made-up[simulator]'"]),
        (["--provider", "lacking"], ["needs a_module_nobody_has", "pip install 'hitl-made-up[simulator]'"]),
        (["--provider", "paper", "--data", "somewhere"], ["--data is for the desk", "'paper'", "leave it out"]),
    ],
)
@pytest.mark.usefixtures("made_up")
def test_what_cannot_be_is_one_sentence_with_the_next_step(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["demo", *arguments, "--port", "0"]) == 2
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.startswith("Error: ")
    assert errors.count("\n") == 1
    assert all(word in errors for word in words), errors
    assert not (tmp_path / "somewhere").exists()
