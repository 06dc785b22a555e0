"""Agents of the simulated Zendesk and others who act there, through the controls every simulator has."""

import pytest
from hitl_zendesk.simulator import ZendeskSimulator
from hitl_zendesk.simulator.texts import BLOCK

from hitl_core.testing.simulator import SimFile

pytestmark = pytest.mark.anyio

KIM = "8447388090496"


@pytest.fixture
async def session(call):
    return str((await call.ticket("Hello", external_id="c-1", tags=["hitl"], submitter_id=8447388090494))["id"])


def test_it_can_do_what_agents_can_do_in_zendesk(simulator):
    cannot = {"edit", "read", "ping", "emit_batch", "foreign_body", "agents_leave"}
    assert simulator.abilities == {
        "reply", "close", "note", "attach", "assign", "unassign", "solve", "reopen", "delete", "customer_writes",
        "system_acts", "open_elsewhere", "emit_unknown", "expire_credentials",
    }  # fmt: skip
    assert not simulator.abilities & cannot


async def test_a_session_is_shown_as_agents_see_it(call, control, session):
    await call.update(
        {"id": session}, comment={"html_body": "<p>a &lt; b<br>c</p>", "author_id": None}, priority="high"
    )
    seen = await control.session(session)
    assert (seen.title, seen.open, seen.final, seen.external_id) == ("Parcel", True, False, "c-1")
    assert (seen.facts["priority"], seen.facts["tags"]) == ("high", ["hitl"])
    assert [(message.role, message.text) for message in seen.messages] == [("bot", "Hello"), ("bot", "a < b\nc")]


async def test_roles_are_those_of_who_writes(call, control, session):
    seen = await control.session(session)
    await call.update({"id": session}, comment={"body": "me", "author_id": int(seen.user_id)})
    await control.reply(session, "us")
    await control.note(session, "note")
    await control.system_acts(session)
    seen = await control.session(session)
    assert [message.role for message in seen.messages] == ["bot", "user", "agent", "agent", "system"]
    assert [message.public for message in seen.messages] == [True, True, True, False, True]


async def test_an_agents_words_arrive_as_typed(call, control, session):
    first, last = "Line 1 <b> & “quotes” 🧡", "Line 3"
    await control.reply(session, f"{first}\n\n{last}")
    (*_, message) = (await control.session(session)).messages
    assert [line for line in message.text.split("\n") if line.strip("\u00a0")] == [first, last]


async def test_solved_is_the_most_an_agent_can_do(call, control, session):
    await control.close(session)
    seen = await control.session(session)
    assert (seen.open, seen.final, seen.agent.id) == (False, False, KIM)
    await control.reopen(session)
    assert (await control.session(session)).open


async def test_an_automation_closes_for_good(call, control, session, simulator):
    await control.solve(session)
    await simulator.closed_by_automation(session)
    assert (await control.session(session)).final
    with pytest.raises(AssertionError, match="closed prevents ticket update"):
        await control.reopen(session)


async def test_a_simulator_may_let_agents_close_for_good(clock, call):
    class Closing(ZendeskSimulator):
        closes_for_good = True

    simulator = Closing(clock=clock)
    session = await simulator.open_elsewhere("Hello")
    await simulator.close(session, agent=simulator.agents[0])
    assert (await simulator.session(session)).final


async def test_files_keep_name_type_and_bytes(call, control, session):
    file = SimFile(name="ü.png", content_type="image/png", content=b"\x89PNG")
    await control.attach(session, "See", [file])
    (*_, message) = (await control.session(session)).messages
    assert message.files == (file,)


async def test_a_deleted_message_is_redacted_with_its_files(call, control, session):
    await control.attach(session, "See this", [SimFile(name="a.txt", content=b"secret")])
    (*_, message) = (await control.session(session)).messages
    await control.delete(session, message.id)
    (*_, left) = (await control.session(session)).messages
    assert left.text == BLOCK * 8
    assert [(file.name, file.content) for file in left.files] == [("redacted.txt", b"")]


async def test_who_answers_by_mail_opens_a_solved_ticket_again(call, control, session):
    await control.solve(session)
    await control.customer_writes(session, "Not yet")
    assert (await control.session(session)).open


async def test_who_answers_a_closed_ticket_by_mail_opens_another(call, control, session, simulator):
    await control.solve(session)
    await simulator.closed_by_automation(session)
    await control.customer_writes(session, "Again")
    (*_, newest) = await control.sessions()
    assert newest.facts["follows"] == int(session)


async def test_teams_are_groups(call, control, session, simulator):
    for team in simulator.teams:
        await call.update({"id": session}, group_id=int(team), assignee_id=None)
        assert (await control.session(session)).team == team


async def test_customers_are_listed_and_staff_is_not(call, control, session):
    assert [user.name for user in await control.users()] == ["Ada Customer"]


async def test_a_session_nobody_has_is_not_found(call, control, simulator, session):
    for missing in (simulator.missing_session_id(session), "abc"):
        with pytest.raises(AssertionError, match="no such session"):
            await control.reply(missing, "Hello")


async def test_what_everybody_makes_is_the_same_in_every_run(make, clock):
    seen = []
    for _ in range(2):
        _, call = make()
        hook = await call.hook("comment_added")
        secret = (await call("GET", f"webhooks/{hook['id']}/signing_secret")).json
        seen.append((await call.ticket(), hook, secret, (await call.upload()).json))
    assert seen[0] == seen[1]


async def test_links_lead_where_it_is_served(call, simulator):
    simulator.serve_at("http://127.0.0.1:8080/")
    ticket = await call.ticket()
    assert ticket["url"] == f"http://127.0.0.1:8080/api/v2/tickets/{ticket['id']}.json"
    assert (await call.upload())["upload"]["attachment"]["content_url"].startswith("http://127.0.0.1:8080/attachments/")
