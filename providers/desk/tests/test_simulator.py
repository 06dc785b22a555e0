"""The desk as a simulator: an agent's hand, what agents see, and the switches, in memory and over HTTP."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hitl_desk.simulator import SIM_TOKEN, DeskSimulator

import hitl_core as hitl
from hitl_core import standard_webhooks
from hitl_core._http import HttpRequest, as_transport
from hitl_core.testing import ShiftedClock
from hitl_core.testing.simulator import Fault, SimFile, SimulatorControl, WebhookFault, serving

pytestmark = pytest.mark.anyio

URL = "https://desk.test"
README = Path(__file__).parents[1] / "README.md"
ABILITIES = {
    "reply", "close", "note", "attach", "assign", "unassign", "reopen", "edit", "delete", "open_elsewhere", "ping",
    "emit_unknown", "agents_leave",
}  # fmt: skip


class Posted(list):
    """What was posted to URLs, and what the receiver answers."""

    status = 204

    async def post(self, url, headers, body, seconds):
        self.append((url, headers["webhook-id"]))
        return self.status


@pytest.fixture
def posted():
    return Posted()


@pytest.fixture
async def simulator(posted, desk_data):
    simulator = DeskSimulator(clock=ShiftedClock(), data_dir=desk_data, post=posted.post)
    async with simulator.running():
        yield simulator


@pytest.fixture
def control(simulator):
    return SimulatorControl(as_transport(simulator), URL)


@pytest.fixture
async def connection(simulator):
    async with hitl.connect("desk", transport=simulator, **simulator.settings(URL)) as connection:
        yield connection


@pytest.fixture
async def ticket(connection):
    user = await connection.create_user(name="Grace", external_id="u1", email="grace@example.com")
    history = [hitl.HistoryEntry.of(hitl.Author.user(user), "My lamp is broken")]
    return await connection.start_hitl(
        user=user,
        title="Lamp",
        description="It is dark",
        history=history,
        external_id="c1",
        options={"priority": "high", "tags": ["lamp"]},
    )


async def heard(connection, control, *kinds):
    """Return the events of these kinds, once webhooks have told of all of them."""
    told = []
    while not set(kinds) <= {event.kind for event in told}:
        webhooks = await control.webhooks()
        assert webhooks, f"only {[event.kind for event in told]} came"
        for webhook in webhooks:
            told += await connection.parse_webhook(headers=webhook.headers, body=webhook.body)
    return [event for event in told if event.kind in kinds]


async def call(simulator, method, path, body=None):
    content = b"" if body is None else json.dumps(body).encode()
    request = HttpRequest(method, f"{URL}{path}", {"content-type": "application/json"}, content)
    answer = await as_transport(simulator).send(request, timeout=10, max_bytes=10_000)
    return answer.status, answer.text


async def test_it_says_what_it_can_do(simulator):
    assert simulator.abilities == ABILITIES
    status, text = await call(simulator, "GET", "/_sim")
    assert (status, json.loads(text)["title"]) == (200, "HITL Desk")


async def test_agents_see_the_whole_story(simulator, control, connection, ticket):
    await connection.send_message(ticket, hitl.Text(text="Any news?"), author=hitl.Author.user())
    await connection.send_message(
        ticket, hitl.File(url="data:text/plain,glow", name="a.txt", content_type="text/plain")
    )
    await connection.send_message(ticket, hitl.Image(url="https://files.test/lamp.png"))
    seen = await control.session(ticket.id)
    assert (seen.title, seen.open, seen.agent, seen.external_id) == ("Lamp", True, None, "c1")
    assert (seen.facts["priority"], seen.facts["tags"]) == ("high", ["lamp"])
    assert [(message.role, message.text.split("\n")[-1]) for message in seen.messages] == [
        ("bot", "It is dark"),
        ("user", "My lamp is broken"),
        ("user", "Any news?"),
        ("bot", "a.txt"),
        ("bot", "https://files.test/lamp.png"),
    ]
    assert seen.messages[3].files == (SimFile(name="a.txt", content_type="text/plain", content=b"glow"),)
    (user,) = await control.users()
    assert (user.id, user.external_id, user.name, user.email) == (seen.user_id, "u1", "Grace", "grace@example.com")
    assert [each.id for each in await control.sessions()] == [ticket.id]


async def test_an_agent_replies_with_a_file_takes_notes_and_nobody_else_reads_them(control, connection, ticket):
    await control.note(ticket.id, "secret")
    await control.attach(ticket.id, "Look", [SimFile(name="a.txt", content_type="text/plain", content=b"glow")])
    assigned, message = await heard(connection, control, "agent_assigned", "agent_message")
    assert assigned.agent.id == "agent-1"
    assert [item.type for item in message.message.items] == ["text", "file"]
    seen = await control.session(ticket.id)
    assert [(each.text, each.public) for each in seen.messages if each.role == "agent"] == [
        ("secret", False),
        ("Look", True),
    ]
    assert seen.messages[-1].files[0].content == b"glow"
    assert b"secret" not in b"".join(webhook.body for webhook in await control.webhooks(0))


async def test_a_ticket_goes_from_hand_to_hand(control, connection, ticket):
    await control.assign(ticket.id, agent="agent-2")
    assert (await control.session(ticket.id)).agent.name == "Lou Agent"
    await control.unassign(ticket.id)
    assert (await control.session(ticket.id)).agent is None
    assert len(await heard(connection, control, "agent_assigned", "agent_unassigned")) == 2


async def test_a_message_is_edited_and_taken_back_by_whoever_wrote_it(control, connection, ticket):
    await control.reply(ticket.id, "Hullo", agent="agent-1")
    written = (await control.session(ticket.id)).messages[-1]
    await control.edit(ticket.id, written.id, "Hello")
    assert (await control.session(ticket.id)).messages[-1].text == "Hello"
    await control.delete(ticket.id, written.id)
    assert written.id not in [message.id for message in (await control.session(ticket.id)).messages]
    updated, deleted = await heard(connection, control, "agent_message_updated", "agent_message_deleted")
    assert updated.message_id == deleted.message_id == written.id


async def test_a_ticket_is_closed_with_a_last_word_and_reopened(control, connection, ticket):
    await control.reply_and_close(ticket.id, "Good bye")
    assert (await control.session(ticket.id)).open is False
    told = await heard(connection, control, "agent_message", "session_stopped")
    assert [event.kind for event in told] == ["agent_message", "session_stopped"]
    await control.reopen(ticket.id)
    await control.close(ticket.id)
    told = await heard(connection, control, "session_reopened", "session_stopped")
    assert [event.kind for event in told] == ["session_reopened", "session_stopped"]


async def test_what_no_agent_could_do_is_refused_as_the_desk_refuses_it(simulator, control, ticket):
    await control.close(ticket.id)
    with pytest.raises(AssertionError, match=r"409.*The ticket is closed"):
        await control.reply(ticket.id, "Too late")
    with pytest.raises(AssertionError, match="404"):
        await control.reply("tkt_none", "Hello")
    with pytest.raises(AssertionError, match="404"):
        await control.edit(ticket.id, "msg_none", "Hello")
    with pytest.raises(AssertionError, match="404"):
        await control.session("tkt_none")
    with pytest.raises(KeyError):
        await simulator.reply("tkt_none", "Hello", agent=simulator.agent())


async def test_a_ticket_of_somebody_else_with_our_token(simulator, control, connection, ticket):
    other = await control.open_elsewhere("Hello?")
    assert (await control.session(other)).messages[-1].text == "Hello?"
    await control.reply(other, "Who is there?")
    webhook = (await control.webhooks(2))[-1]
    assert webhook.session_id == other
    (event,) = await connection.parse_webhook(headers=webhook.headers, body=webhook.body, known={})
    assert event.reason is hitl.IgnoredReason.NOT_OURS


async def test_a_ping_and_an_event_of_the_future(simulator, control, connection):
    await control.ping()
    (ping,) = await heard(connection, control, "ignored")
    assert ping.reason is hitl.IgnoredReason.TEST_PING
    await control.emit_unknown()
    (event,) = await heard(connection, control, "ticket.waved")
    made = json.loads(simulator.unknown_body())
    assert (event.raw["type"], event.raw.keys() >= made.keys()) == (made["type"], True)


async def test_the_desk_signs_once_for_everybody_who_listens(simulator, control, ticket, posted):
    simulator.webhooks.subscribe("second", "http://127.0.0.1:9/hook", simulator.secret)
    await control.close(ticket.id)
    first, second = await control.webhooks(2)
    assert (first.url, second.url, posted) == (None, "http://127.0.0.1:9/hook", [("http://127.0.0.1:9/hook", first.id)])
    assert first.headers == second.headers
    assert set(first.headers) >= set(standard_webhooks.sign([simulator.secret], id="x", timestamp=0, body=b""))


async def test_the_desk_repeats_what_failed_to_whom_it_failed(simulator, control, ticket, posted):
    posted.status = 500
    simulator.webhooks.subscribe("second", "http://127.0.0.1:9/hook", simulator.secret)
    await control.close(ticket.id)
    await control.webhooks(2)
    posted.status = 204
    await until_settled(simulator)
    await control.advance(60)
    (again,) = await control.webhooks()
    assert (again.url, again.attempt, again.status) == ("http://127.0.0.1:9/hook", 2, 204)


async def until_settled(simulator):
    """Wait until the desk has written down that an attempt failed."""
    async with asyncio.timeout(10):
        deliveries = simulator.desk.webhooks.deliveries
        while not (await deliveries(simulator.bot_id))[0].last_status:  # noqa: ASYNC110  nobody tells us
            await asyncio.sleep(0.002)


async def test_whoever_answers_410_hears_nothing_more_and_the_others_do(simulator, control, ticket, posted):
    posted.status = 410
    simulator.webhooks.subscribe("second", "http://127.0.0.1:9/hook", simulator.secret)
    await control.close(ticket.id)
    await control.webhooks(2)
    await control.reopen(ticket.id)
    assert [webhook.url for webhook in await control.webhooks()] == [None]


async def test_a_registered_url_gets_its_own_deliveries_with_its_own_secret(
    simulator, control, connection, ticket, posted
):
    await connection.register_webhook("http://127.0.0.1:9/registered")
    await control.close(ticket.id)
    sent = await control.webhooks(2)
    assert {webhook.url for webhook in sent} == {None, "http://127.0.0.1:9/registered"}
    assert len({webhook.headers["webhook-signature"] for webhook in sent}) == 2


async def test_endpoints_are_changed_and_lost_behind_the_bots_back(control, connection):
    await connection.register_webhook("http://127.0.0.1:9/registered")
    (registered,) = await control.endpoints()
    await control.change_endpoints()
    (changed,) = await control.endpoints()
    await control.lose_endpoints()
    assert (registered.url, changed.id) == ("http://127.0.0.1:9/registered", registered.id)
    assert changed.url != registered.url
    assert await control.endpoints() == []


async def test_agents_are_there_until_they_leave(control, connection):
    before = await connection.get_availability()
    await control.agents_leave()
    after = await connection.get_availability()
    assert (before.agents_online, before.available) == (2, True)
    assert (after.agents_online, after.available) == (0, False)


async def test_webhooks_are_lost_and_doubled_on_demand(control, connection, ticket):
    await control.add_webhook_fault(WebhookFault("lose"))
    await control.close(ticket.id)
    await control.add_webhook_fault(WebhookFault("duplicate"))
    await control.reopen(ticket.id)
    sent = await control.webhooks(2)
    assert len({webhook.id for webhook in sent}) == 1
    assert (await heard_kinds(connection, sent)) == ["session_reopened"] * 2


async def heard_kinds(connection, webhooks):
    return [
        event.kind
        for webhook in webhooks
        for event in await connection.parse_webhook(headers=webhook.headers, body=webhook.body)
    ]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, hitl.AuthenticationError),
        (403, hitl.NotConnectedError),
        (418, hitl.InvalidRequestError),
        (422, hitl.InvalidRequestError),
    ],
)
async def test_a_fault_is_answered_in_the_desks_own_form(control, connection, status, error):
    await control.add_fault(Fault(kind="answer", status=status))
    with pytest.raises(error):
        await connection.identify()
    await connection.identify()


async def test_a_status_without_a_name_is_answered_too(simulator):
    headers, body = simulator.error(599)
    assert (headers["content-type"], json.loads(body)) == ("application/json", {"error": "status_599"})


async def test_it_serves_on_a_port_and_tells_nothing_of_it():
    simulator = DeskSimulator()
    async with (
        serving(simulator) as url,
        hitl.connect("desk", **simulator.settings(url)) as connection,
    ):
        user = await connection.create_user(external_id="u1")
        session = await connection.start_hitl(user=user, title="Lamp")
        transport = as_transport(None)
        control = SimulatorControl(transport, url)
        await control.reply(session.id, "Hello")
        (message,) = await heard(connection, control, "agent_message")
        await transport.aclose()
    assert session.url.startswith("https://desk.example/")
    assert url not in message.model_dump_json()


async def test_it_goes_on_with_what_an_earlier_one_has_left(simulator, connection, ticket):
    later = DeskSimulator(data_dir=simulator.desk.settings.data_dir)
    async with later.running():
        assert [session.id for session in await later.sessions()] == [ticket.id]
        assert later.bot_id == simulator.bot_id
        assert later.settings(URL)["token"] == SIM_TOKEN


@pytest.mark.skipif(not README.exists(), reason="the README is not part of what is installed")
def test_the_readmes_example_runs_as_it_stands():
    example = README.read_text("utf-8").split("```python\n")[-1].split("```")[0]
    ran = subprocess.run([sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, check=False)
    assert (ran.stderr, ran.stdout.split()) == ("", ["agent_assigned", "agent_message", "ignored"])


async def test_it_says_so_when_it_is_asked_before_it_runs():
    with pytest.raises(RuntimeError, match="is not running; enter"):
        await DeskSimulator().sessions()


async def test_links_lead_to_the_fixed_address_until_the_real_one_is_told(simulator, connection):
    async def link(key):
        user = await connection.create_user(name="Ada", external_id=key)
        return (await connection.start_hitl(user=user, title="Refund", idempotency_key=key)).url

    assert (await link("before")).startswith("https://desk.example/inbox#")
    simulator.serve_at("http://127.0.0.1:8760")
    assert (await link("after")).startswith("http://127.0.0.1:8760/inbox#")


async def test_what_an_agent_could_not_do_at_the_desk_either_is_answered_as_json(simulator, connection, control):
    user = await connection.create_user(name="Ada", external_id="u1")
    session = (await connection.start_hitl(user=user, title="Refund", idempotency_key="k1")).id
    await control.reply(session, "Mine", agent="agent-1")
    message = (await control.session(session)).messages[-1].id
    body = json.dumps({"text": "Yours", "message_id": message, "agent": "agent-2"}).encode()
    request = HttpRequest("POST", f"{URL}/_sim/sessions/{session}/edit", {"content-type": "application/json"}, body)
    answer = await as_transport(simulator).send(request, timeout=5, max_bytes=10_000)
    assert answer.status == 403
    assert set(answer.json()) == {"error"}
