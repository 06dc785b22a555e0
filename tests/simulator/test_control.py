"""``/_sim``: every verb does what it says, and what is wrong is answered in words."""

import json
from typing import get_args

import pytest

from hitl_core._http import HttpRequest, as_transport
from hitl_core.people import Agent
from hitl_core.testing import VirtualClock
from hitl_core.testing.reference import ReferenceSimulator
from hitl_core.testing.simulator import ABILITIES, SimFile, Simulator, SimulatorControl
from hitl_core.testing.simulator.deliveries import WebhookFaultKind
from hitl_core.testing.simulator.faults import FaultKind

from .conftest import BASE_URL

pytestmark = pytest.mark.anyio


async def ask(transport, method, path, body=None, headers=None):
    fields = {"content-type": "application/json"} if headers is None else headers
    content = b"" if body is None else json.dumps(body).encode()
    return await transport.send(
        HttpRequest(method, f"{BASE_URL}/_sim{path}", fields, content), timeout=5, max_bytes=1_000_000
    )


async def test_an_agent_replies_notes_assigns_closes_and_reopens(control, ticket):
    await control.assign(ticket, agent="agent-2")
    await control.reply(ticket, "Hello")
    await control.note(ticket, "Careful")
    seen = await control.session(ticket)
    assert seen.agent.id == "agent-2"
    assert [(message.text, message.public, message.role) for message in seen.messages] == [
        ("Hello", True, "agent"),
        ("Careful", False, "agent"),
    ]
    await control.unassign(ticket)
    await control.reply_and_close(ticket, "Bye")
    seen = await control.session(ticket)
    assert (seen.agent, seen.open, seen.messages[-1].text) == (None, False, "Bye")
    await control.reopen(ticket)
    assert (await control.session(ticket)).open


async def test_files_arrive_byte_by_byte(control, ticket):
    await control.attach(ticket, "See", [SimFile(name="a.bin", content=bytes(range(256)))])
    (message,) = (await control.session(ticket)).messages
    assert message.files[0].content == bytes(range(256))


async def test_each_call_gives_the_webhooks_since_the_last(control, ticket):
    await control.reply(ticket, "one")
    await control.reply(ticket, "two")
    assert len(await control.webhooks(2)) == 2
    assert await control.webhooks(0) == []


async def test_the_description_names_the_abilities(transport):
    described = (await ask(transport, "GET", "")).json()
    assert set(described["abilities"]) <= set(ABILITIES)
    assert {"reply", "close", "note", "customer_writes"} <= set(described["abilities"])
    assert described["agents"][0]["name"] == "Kim Agent"


async def test_the_description_tells_each_route_and_every_example_is_understood(transport, ticket, control):
    described = (await ask(transport, "GET", "")).json()
    await control.reply(ticket, "first")
    message = (await control.session(ticket)).messages[0].id
    routes = {(each["method"], each["path"]): each for each in described["routes"]}
    assert {path for _, path in routes} >= {
        "/_sim", "/_sim/sessions", "/_sim/users", "/_sim/webhooks", "/_sim/webhooks/faults", "/_sim/endpoints",
        "/_sim/requests", "/_sim/faults", "/_sim/clock", "/_sim/sessions/{id}/reply", "/_sim/events/ping",
    }  # fmt: skip
    for (method, path), each in routes.items():
        assert each["says"].endswith(".")
        assert (method == "POST") == ("example" in each)
        body = each.get("example")
        if isinstance(body, dict) and "message_id" in body:
            body |= {"message_id": message}
        answer = await ask(transport, method, path.removeprefix("/_sim").replace("{id}", ticket), body)
        # Nobody can edit what was deleted before; that is said otherwise than what is not understood.
        assert answer.status in (200, 204, 404), (path, answer.text)
        assert answer.status < 300 or "no such message" in answer.text, (path, answer.text)


async def test_examples_name_an_agent_this_simulator_has():
    class Staffed(ReferenceSimulator):
        agents = (Agent(id="u-7", name="Max"),)

    described = (await ask(as_transport(Staffed()), "GET", "")).json()
    examples = [each["example"] for each in described["routes"] if isinstance(each.get("example"), dict)]
    assert {example["agent"] for example in examples if "agent" in example} == {"u-7"}


async def test_the_description_tells_faults_with_their_fields_and_defaults(transport):
    described = (await ask(transport, "GET", "")).json()
    faults = {each["kind"]: each["fields"] for each in described["faults"]}
    assert set(faults) == set(get_args(FaultKind))
    assert faults["answer"] == {
        "times": 1, "method": None, "path": "/", "status": 503, "headers": {}, "body": None
    }  # fmt: skip
    assert faults["latency"] == {"times": 1, "method": None, "path": "/", "seconds": 1}
    webhooks = {each["kind"]: each["fields"] for each in described["webhook_faults"]}
    assert set(webhooks) == set(get_args(WebhookFaultKind))
    assert webhooks["delay"] == {"count": 1, "seconds": 60}
    for route, kinds in (("/faults", faults), ("/webhooks/faults", webhooks)):
        for kind, fields in kinds.items():
            assert (await ask(transport, "POST", route, {"kind": kind, **fields})).status == 204


async def test_the_description_lists_only_what_this_simulator_is_able_to_do():
    class Small(ReferenceSimulator):
        note = Simulator.note
        assign = Simulator.assign
        ping = Simulator.ping
        emit_batch = Simulator.emit_batch

    async def paths(simulator):
        described = (await ask(as_transport(simulator), "GET", "")).json()
        return {each["path"].removeprefix("/_sim") for each in described["routes"]}

    missing = await paths(ReferenceSimulator(clock=VirtualClock())) - await paths(Small())
    verbs = {f"/sessions/{{id}}/{verb}" for verb in ("note", "assign", "reply_and_assign", "batch")}
    assert missing == verbs | {"/events/ping", "/clock"}


def test_abilities_are_what_a_subclass_overrides():
    class Small(ReferenceSimulator):
        note = Simulator.note
        unknown_body = Simulator.unknown_body

    assert ReferenceSimulator().abilities - Small().abilities == {"note", "emit_unknown"}


async def test_what_the_vendor_cannot_do_is_said(clock, ticket, simulator):
    class Small(ReferenceSimulator):
        note = Simulator.note

    small = Small(clock=clock)
    id_ = small.create_ticket("T", None).id
    with pytest.raises(AssertionError, match=r"501.*nothing of the kind"):
        await SimulatorControl(as_transport(small), BASE_URL).note(id_, "x")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/sessions/none", None, 404, "no such session"),
        ("POST", "/sessions/none/reply", {"text": "x"}, 404, "no such session"),
        ("POST", "/sessions/{id}/shout", {"text": "x"}, 404, "there are: reply"),
        ("POST", "/sessions/{id}/reply", {"text": "x", "agent": "nobody"}, 404, "agent"),
        ("POST", "/sessions/{id}/reply", {"text": 7}, 422, "not understood"),
        ("POST", "/events/rain", {}, 404, "there are: ping"),
        ("POST", "/sessions/{id}/reply", {"txt": "x"}, 422, "unknown field 'txt'; did you mean 'text'?"),
        ("POST", "/sessions/{id}/reply", {"text": "x", "zzz": 1}, 422, "'zzz'; there are: text, agent, files"),
        ("POST", "/sessions/{id}/reply", {"text": " "}, 422, "say a text"),
        ("POST", "/sessions/{id}/note", {}, 422, "say a text"),
        ("POST", "/sessions/{id}/customer_writes", {}, 422, "say a text"),
        ("POST", "/sessions/{id}/reply_and_assign", {}, 422, "say a text"),
        ("POST", "/sessions/{id}/reply_and_close", {}, 422, "say a text"),
        ("POST", "/sessions/{id}/edit", {"message_id": "m"}, 422, "say a text"),
        ("POST", "/sessions/{id}/edit", {"text": "x"}, 422, "name the message"),
        ("POST", "/sessions/{id}/edit", {"text": "x", "message_id": "m"}, 404, "no such message"),
        ("POST", "/sessions/none/edit", {"text": "x", "message_id": "m"}, 404, "no such session: 'none'"),
        ("POST", "/sessions/{id}/attach", {"text": "x"}, 422, "give files"),
        ("POST", "/sessions/{id}/attach", {"files": [{"nam": "a"}]}, 422, "'files.0.nam'; did you mean 'name'?"),
        ("POST", "/sessions/{id}/close", {"text": "Bye"}, 422, "close takes no text"),
        ("POST", "/sessions/{id}/replay", {"text": "x"}, 404, "did you mean 'reply'"),
        ("POST", "/sessions/{id}/batch", [""], 422, "say texts"),
        ("POST", "/sessions/none/batch", ["x"], 404, "no such session: 'none'"),
        ("POST", "/sessions", {"text": ""}, 422, "say a text"),
        ("POST", "/sessions/{id}/reply", {"text": "x", "agent": "x"}, 404, "agent: 'x'; there are: agent-1, agent-2"),
        ("POST", "/faults", {"kind": "answer", "tims": 2}, 422, "unknown field 'tims'; did you mean 'times'"),
        ("POST", "/faults", {"kind": "answer", "path": "v1"}, 422, "field 'path': begins with a slash"),
        ("POST", "/faults", {}, 422, "field 'kind' is missing"),
        ("POST", "/webhooks/faults", {"kind": "lose", "cuont": 2}, 422, "unknown field 'cuont'; did you mean 'count'"),
        ("POST", "/webhooks/faults", {"kind": "lose", "count": 0}, 422, "field 'count'"),
        ("GET", "/nope", None, 404, "there is no /_sim/nope; GET /_sim tells everything"),
        ("PUT", "/faults", {}, 405, "/_sim/faults is for DELETE, POST, not PUT; GET /_sim tells everything"),
        ("GET", "/sessions/{id}/reply", None, 405, "GET /_sim tells everything"),
        ("POST", "/faults", {"kind": "rain"}, 422, "not understood"),
        ("POST", "/webhooks/faults", {"kind": "rain"}, 422, "not understood"),
        ("POST", "/clock", {"advance": -1}, 422, "seconds"),
        ("POST", "/clock", [], 422, "seconds"),
        ("GET", "/webhooks?after=x", None, 422, "number"),
    ],
)
async def test_a_mistake_is_answered_in_words(simulator, control, transport, ticket, method, path, body, status, words):
    answer = await ask(transport, method, path.replace("{id}", ticket), body)
    assert answer.status == status
    assert words in answer.json()["error"]
    assert not simulator.faults
    assert not simulator.webhooks.faults
    assert not (await control.session(ticket)).messages


@pytest.mark.parametrize("path", ["clock", "faults", "webhooks/faults", "sessions"])
async def test_what_is_not_json_is_answered_in_words(transport, path):
    request = HttpRequest("POST", f"{BASE_URL}/_sim/{path}", {"content-type": "application/json"}, b"{")
    answer = await transport.send(request, timeout=5, max_bytes=1000)
    assert answer.status == 422
    assert "the body is not JSON" in answer.json()["error"]


async def test_a_page_of_another_site_cannot_act(transport, ticket, control):
    answer = await ask(transport, "POST", f"/sessions/{ticket}/reply", {"text": "x"}, {"content-type": "text/plain"})
    assert answer.status == 415
    assert not (await control.session(ticket)).messages
