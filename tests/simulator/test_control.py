"""``/_sim``: every verb does what it says, and what is wrong is answered in words."""

import json

import pytest

from hitl_core._http import HttpRequest
from hitl_core.testing.reference import ReferenceSimulator
from hitl_core.testing.simulator import ABILITIES, SimFile, Simulator, SimulatorControl

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


def test_abilities_are_what_a_subclass_overrides():
    class Small(ReferenceSimulator):
        note = Simulator.note
        unknown_body = Simulator.unknown_body

    assert ReferenceSimulator().abilities - Small().abilities == {"note", "emit_unknown"}


async def test_what_the_vendor_cannot_do_is_said(clock, ticket, simulator):
    from hitl_core._http import as_transport

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
        ("POST", "/faults", {"kind": "rain"}, 422, "not understood"),
        ("POST", "/webhooks/faults", {"kind": "rain"}, 422, "not understood"),
        ("POST", "/clock", {"advance": -1}, 422, "seconds"),
        ("POST", "/clock", [], 422, "seconds"),
        ("GET", "/webhooks?after=x", None, 422, "number"),
    ],
)
async def test_a_mistake_is_answered_in_words(transport, ticket, method, path, body, status, words):
    answer = await ask(transport, method, path.replace("{id}", ticket), body)
    assert answer.status == status
    assert words in answer.json()["error"]


async def test_what_is_not_json_is_answered_in_words(transport):
    request = HttpRequest("POST", f"{BASE_URL}/_sim/clock", {"content-type": "application/json"}, b"{")
    answer = await transport.send(request, timeout=5, max_bytes=1000)
    assert (answer.status, answer.json()) == (422, {"error": "the body is not JSON"})


async def test_a_page_of_another_site_cannot_act(transport, ticket, control):
    answer = await ask(transport, "POST", f"/sessions/{ticket}/reply", {"text": "x"}, {"content-type": "text/plain"})
    assert answer.status == 415
    assert not (await control.session(ticket)).messages
