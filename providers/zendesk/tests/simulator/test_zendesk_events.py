"""Native events of the simulated Zendesk: what is told of each thing that happens to a ticket."""

import json
import re

import pytest
from hitl_zendesk.simulator.account import ACCOUNT_ID, BOT_ID

from hitl_core.testing.simulator import SimFile

pytestmark = pytest.mark.anyio

EVERY = (
    "created", "comment_added", "comment_made_private", "comment_redacted", "attachment_linked_to_comment",
    "attachment_redacted_from_comment", "agent_assignment_changed", "group_assignment_changed", "status_changed",
    "priority_changed", "tags_changed", "external_id_changed", "custom_field_changed", "merged", "marked_as_spam",
    "soft_deleted", "permanently_deleted", "undeleted",
)  # fmt: skip
DETAIL = (
    "actor_id assignee_id brand_id created_at custom_status description external_id form_id group_id id is_public "
    "organization_id priority requester_id status subject submitter_id tags type updated_at via"
)
KIM, LOU = "8447388090496", "8447388090624"


@pytest.fixture
async def ticket(call, posted):
    """A ticket whose opening nobody has to hear of."""
    await call.hook(*EVERY)
    ticket = await call.ticket(priority="normal", tags=["hitl"], external_id="c-1")
    posted.clear()
    return ticket


async def test_the_envelope_has_string_ids_capitals_and_nine_digits(call, control, posted, ticket):
    await control.reply(str(ticket["id"]), "Hello")
    event = json.loads(posted[-1][2])
    assert set(event) == {"account_id", "detail", "event", "id", "subject", "time", "type", "zendesk_event_version"}
    assert (event["account_id"], event["subject"]) == (ACCOUNT_ID, f"zen:ticket:{ticket['id']}")
    assert (event["type"], event["zendesk_event_version"]) == ("zen:event-type:ticket.comment_added", "2022-11-06")
    assert re.fullmatch(r"2026-01-05T12:00:00\.\d{9}Z", event["time"])
    detail = event["detail"]
    assert set(detail) == set(DETAIL.split())
    ids = [value for name, value in detail.items() if (name == "id" or name.endswith("_id")) and value is not None]
    assert all(isinstance(value, str) for value in ids)
    assert (detail["id"], detail["status"], detail["priority"]) == (str(ticket["id"]), "NEW", "NORMAL")
    assert (detail["external_id"], detail["tags"], detail["type"]) == ("c-1", ["hitl"], None)
    assert detail["via"] == {"channel": "web_service"}


async def test_an_agents_reply_names_its_author_as_staff(control, posted, ticket):
    await control.reply(str(ticket["id"]), "Hello\nyou")
    ((type_, event),) = posted.told()
    comment = event["comment"]
    assert type_ == "comment_added"
    assert comment["author"] == {"id": KIM, "is_staff": True, "name": "Kim Agent"}
    assert (comment["body"], comment["is_public"]) == ("Hello\nyou", True)
    assert event["meta"]["sequence"]["position"] == 1


async def test_what_the_api_writes_is_told_too(call, posted, ticket):
    await call.update(ticket, comment={"body": "Hi", "author_id": ticket["requester_id"]})
    event = json.loads(posted[-1][2])
    assert event["event"]["comment"]["author"]["is_staff"] is False
    assert event["event"]["comment"]["author"]["id"] == str(ticket["requester_id"])
    assert event["detail"]["actor_id"] == str(BOT_ID), "the update is the caller's, whoever is shown as author"


async def test_the_first_comment_is_told_after_the_ticket(call, posted, simulator):
    await call.hook(*EVERY)
    await call.ticket()
    assert posted.types() == ["created", "comment_added"]
    posted.clear()
    simulator.telling.first_comments = False
    await call.ticket()
    assert posted.types() == ["created"]


async def test_files_are_told_in_events_of_their_own(control, posted, ticket):
    files = [SimFile(name=name, content_type="image/png", content=b"x") for name in ("a.png", "b.png")]
    await control.attach(str(ticket["id"]), "See", files)
    assert posted.types() == ["comment_added", "attachment_linked_to_comment", "attachment_linked_to_comment"]
    comment, first, second = [event for _, event in posted.told()]
    assert "attachment" not in json.dumps(comment)
    assert first["comment"]["id"] == comment["comment"]["id"]
    assert first["comment"]["attachment"]["filename"] == "a.png"
    assert set(first["comment"]["attachment"]) == {"content_type", "content_url", "filename", "id", "is_public"}
    sequences = [event["meta"]["sequence"] for event in (comment, first, second)]
    assert len({sequence["id"] for sequence in sequences}) == 1, "one update is one sequence"
    assert [sequence["position"] for sequence in sequences] == [1, 2, 3]


@pytest.mark.parametrize("reverse", [False, True])
async def test_a_reply_that_solves_is_several_events_in_any_order(control, posted, ticket, simulator, reverse):
    simulator.telling.reversed = reverse
    await control.assign(str(ticket["id"]))
    posted.clear()
    await control.reply_and_close(str(ticket["id"]), "Bye")
    types = ["comment_added", "status_changed"]
    assert posted.types() == (types[::-1] if reverse else types)
    details = [json.loads(body)["detail"]["status"] for _, _, body in posted]
    assert details == ["SOLVED", "SOLVED"]


async def test_assignments_carry_ids_as_text(control, posted, ticket):
    for act, agent in ((control.assign, KIM), (control.assign, LOU)):
        await act(str(ticket["id"]), agent=agent)
    await control.unassign(str(ticket["id"]))
    told = [event for type_, event in posted.told() if type_ == "agent_assignment_changed"]
    assert told == [
        {"previous": None, "current": KIM},
        {"previous": KIM, "current": LOU},
        {"previous": LOU, "current": None},
    ]


async def test_who_takes_a_ticket_by_answering_has_it_before_the_answer(control, posted, ticket):
    await control.reply_and_assign(str(ticket["id"]), "Mine")
    types = posted.types()
    assert types.index("agent_assignment_changed") < types.index("comment_added")


async def test_a_status_is_told_with_the_one_before(control, posted, ticket):
    await control.solve(str(ticket["id"]))
    await control.reopen(str(ticket["id"]))
    told = [event for type_, event in posted.told() if type_ == "status_changed"]
    assert told == [{"previous": "NEW", "current": "SOLVED"}, {"previous": "SOLVED", "current": "OPEN"}]


async def test_other_fields_are_told_as_they_change(call, posted, ticket):
    values = [{"id": 360001234567, "value": "4711"}]
    await call.update(ticket, priority="urgent", external_id="c-2", tags=["late"], custom_fields=values)
    told = dict(posted.told())
    assert told["priority_changed"]["current"] == "URGENT"
    assert told["external_id_changed"]["previous"] == "c-1"
    assert told["tags_changed"]["tags_added"] == {"tags": ["late"]}
    assert told["tags_changed"]["tags_removed"] == {"tags": ["hitl"]}
    assert (told["custom_field_changed"]["current"], told["custom_field_changed"]["field"]["id"]) == (
        "4711",
        "360001234567",
    )


async def test_hiding_is_told_by_the_comments_id(control, posted, ticket, simulator):
    session = str(ticket["id"])
    await control.attach(session, "See", [SimFile(name="a.txt", content=b"x")])
    comment, linked = [event["comment"] for _, event in posted.told()]
    posted.clear()
    await simulator.make_private(session, comment["id"], agent=simulator.agents[0])
    await control.delete(session, comment["id"])
    assert posted.types() == ["comment_made_private", "attachment_redacted_from_comment", "comment_redacted"]
    assert {event["comment"]["id"] for _, event in posted.told()} == {comment["id"]}
    assert posted.told()[1][1]["comment"]["attachment"]["id"] == linked["attachment"]["id"]


async def test_ends_beside_being_solved_are_told(call, posted, ticket, simulator):
    session, agent = str(ticket["id"]), simulator.agents[0]
    await simulator.remove(session, agent=agent)
    await simulator.restore(session, agent=agent)
    await simulator.spam(session, agent=agent)
    await call("DELETE", f"deleted_tickets/{session}")
    assert posted.types() == ["soft_deleted", "undeleted", "marked_as_spam", "permanently_deleted"]
    statuses = [json.loads(body)["detail"]["status"] for _, _, body in posted]
    assert statuses == ["DELETED", "NEW", "DELETED", "DELETED"]


async def test_a_merge_names_the_ticket_that_goes_on(call, posted, ticket, simulator):
    other = await call.ticket()
    posted.clear()
    await simulator.merge(str(ticket["id"]), str(other["id"]), agent=simulator.agents[0])
    await call("GET", "users/me")
    told = dict(posted.told())
    assert told["merged"] == {"target_ticket_id": str(other["id"]), "meta": told["merged"]["meta"]}
    assert told["status_changed"]["current"] == "CLOSED"


async def test_a_webhook_hears_what_it_subscribed_to_of_every_ticket(call, control, posted):
    await call.hook("status_changed")
    ticket = await call.ticket()
    elsewhere = await control.open_elsewhere("Hello")
    await control.reply(str(ticket["id"]), "Hello")
    for session in (str(ticket["id"]), elsewhere):
        await control.solve(session)
    assert posted.types() == ["status_changed", "status_changed"]


async def test_the_system_is_nobody_with_a_number(control, posted, ticket):
    await control.system_acts(str(ticket["id"]))
    told = dict(posted.told())
    assert told["comment_added"]["comment"]["author"]["id"] == "-1"
    assert json.loads(posted[0][2])["detail"]["actor_id"] == "-1"
    assert told["tags_changed"]["tags_added"] == {"tags": ["automated"]}


async def test_a_body_may_be_indented_with_a_line_break_at_its_end(control, posted, ticket, simulator):
    simulator.telling.pretty = True
    await control.reply(str(ticket["id"]), "Hello")
    assert posted[-1][2].startswith(b'{\n   "account_id"')
    assert posted[-1][2].endswith(b"}\n")
