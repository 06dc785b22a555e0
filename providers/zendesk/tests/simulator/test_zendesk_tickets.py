"""Tickets of the simulated Zendesk: opening, changing, and the way of their status."""

import pytest
from hitl_zendesk.simulator.account import BOT_ID, GROUPS

pytestmark = pytest.mark.anyio

TICKET_KEYS = (
    "url id external_id via created_at updated_at generated_timestamp type subject raw_subject description priority "
    "status recipient requester_id submitter_id assignee_id organization_id group_id collaborator_ids follower_ids "
    "email_cc_ids forum_topic_id problem_id has_incidents is_public due_at tags custom_fields satisfaction_rating "
    "sharing_agreement_ids custom_status_id fields followup_ids ticket_form_id brand_id allow_channelback "
    "allow_attachments from_messaging_channel"
)
KIM = 8447388090496


async def test_a_new_ticket_answers_ticket_and_audit(call):
    user = await call.user()
    given = {"subject": "Parcel", "comment": {"html_body": "<p>Hello</p>"}, "requester_id": user["id"]}
    answer = await call("POST", "tickets", {"ticket": given})
    ticket, audit = answer["ticket"], answer["audit"]
    assert answer.status == 201
    assert (
        answer.headers["location"] == ticket["url"] == f"https://example.zendesk.com/api/v2/tickets/{ticket['id']}.json"
    )
    assert set(ticket) == set(TICKET_KEYS.split())
    assert set(audit) == {"id", "ticket_id", "created_at", "author_id", "metadata", "events", "via"}
    assert (ticket["status"], ticket["subject"], ticket["description"]) == ("new", "Parcel", "Hello")
    assert ticket["via"] == {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}}


async def test_the_comments_id_is_that_of_the_audits_event(call):
    ticket = await call.ticket()
    answer = await call.update(ticket, comment={"html_body": "<p>More</p>"})
    (event,) = [event for event in answer["audit"]["events"] if event["type"] == "Comment"]
    assert [each["id"] for each in await call.comments(ticket)][-1] == event["id"]
    assert int(float(event["id"])) != event["id"], "an id that a float cannot hold"


async def test_what_was_set_and_changed_is_in_the_audit(call):
    user = await call.user()
    ticket = await call.ticket(requester_id=user["id"], tags=["hitl"])
    audits = (await call("GET", f"tickets/{ticket['id']}/audits"))["audits"]
    made = {event["field_name"]: event["value"] for event in audits[0]["events"] if event["type"] == "Create"}
    assert made["requester_id"] == str(user["id"]), "ids are text there"
    assert (made["status"], made["tags"]) == ("new", ["hitl"])
    changed = await call.update(ticket, priority="high")
    (event,) = [event for event in changed["audit"]["events"] if event["type"] == "Change"]
    assert (event["field_name"], event["value"], event["previous_value"]) == ("priority", "high", None)


async def test_metadata_is_kept_in_the_audit(call):
    ticket = await call.ticket(metadata={"hitl": "first"})
    answer = await call.update(ticket, comment={"body": "x"}, metadata={"hitl": "second"})
    assert answer["audit"]["metadata"]["custom"] == {"hitl": "second"}
    assert set(answer["audit"]["metadata"]["system"]) == {"client", "ip_address", "location", "latitude", "longitude"}
    audits = (await call("GET", f"tickets/{ticket['id']}/audits", **{"page[size]": 1}))["audits"]
    assert audits[0]["metadata"]["custom"] == {"hitl": "first"}


async def test_a_ticket_without_a_comment_is_refused(call):
    refused = await call("POST", "tickets", {"ticket": {"subject": "Parcel"}})
    assert refused.described == {"base": "Description: cannot be blank"}


async def test_unknown_keys_are_dropped_and_named_in_a_header(call):
    ticket = await call.ticket()
    answer = await call.update(ticket, id=1, subject="Letter", sbject="x")
    assert (answer["ticket"]["id"], answer["ticket"]["subject"]) == (ticket["id"], "Letter")
    assert ':unpermitted_keys=>["ticket.id", "ticket.sbject"]' in answer.headers["x-zendesk-api-warn"]


# Whose ----------------------------------------------------------------------------------------------------------


async def test_a_ticket_without_a_requester_is_the_callers(call):
    answer = await call("POST", "tickets", {"ticket": {"comment": {"body": "Hello"}}})
    assert (answer["ticket"]["requester_id"], answer["ticket"]["submitter_id"]) == (BOT_ID, BOT_ID)


async def test_the_submitter_is_the_author_of_the_first_comment(call):
    user = await call.user()
    ours = await call.ticket(requester_id=user["id"], submitter_id=BOT_ID)
    theirs = await call.ticket(requester_id=user["id"])
    assert [(await call.comments(each))[0]["author_id"] for each in (ours, theirs)] == [BOT_ID, user["id"]]


async def test_ids_may_be_text_and_what_is_no_id_is_refused(call):
    user = await call.user()
    ticket = await call.ticket(requester_id=str(user["id"]), external_id=4711)
    assert (ticket["requester_id"], ticket["external_id"]) == (user["id"], "4711")
    assert (await call.update(ticket, assignee_id=str(KIM)))["ticket"]["assignee_id"] == KIM
    refused = await call.update(ticket, assignee_id="Kim")
    assert refused.described == {"assignee": "Assignee: is invalid"}


async def test_a_requester_with_a_known_address_is_taken_unchanged(call):
    user = await call.user(email="ada@x.example")
    ticket = await call.ticket(requester={"name": "Eve", "email": "ada@x.example"})
    assert ticket["requester_id"] == user["id"]
    assert (await call("GET", f"users/{user['id']}"))["user"]["name"] == user["name"]


async def test_a_requester_with_an_unknown_address_needs_a_name(call):
    given = {"comment": {"body": "Hello"}, "requester": {"email": "new@x.example"}}
    refused = await call("POST", "tickets", {"ticket": given})
    assert refused.described == {"requester": "Requester: Name:  is too short (minimum is 1 character)"}


async def test_a_requester_of_whom_only_a_name_is_given_is_new_every_time(call):
    first = await call.ticket(requester={"name": "Ada"})
    second = await call.ticket(requester={"name": "Ada"})
    assert first["requester_id"] != second["requester_id"]


async def test_a_ticket_may_change_its_requester(call):
    ticket = await call.ticket()
    changed = (await call.update(ticket, requester={"name": "Bo", "email": "bo@x.example"}))["ticket"]
    assert changed["requester_id"] != ticket["requester_id"]
    back = (await call.update(ticket, requester_id=ticket["requester_id"]))["ticket"]
    assert back["requester_id"] == ticket["requester_id"]


async def test_a_suspended_requester_is_refused(call):
    user = await call.user(name="Jane Customer", suspended=True)
    given = {"comment": {"body": "Hello"}, "requester_id": user["id"]}
    refused = await call("POST", "tickets", {"ticket": given})
    assert refused.status == 422
    assert refused.described == {"requester": "Requester: Jane Customer is suspended."}


# Status ---------------------------------------------------------------------------------------------------------


async def test_assigning_a_new_ticket_makes_it_open(call):
    ticket = await call.ticket()
    changed = (await call.update(ticket, assignee_id=KIM))["ticket"]
    assert (changed["status"], changed["assignee_id"], changed["group_id"]) == ("open", KIM, next(iter(GROUPS)))


async def test_nobody_but_staff_is_assigned(call):
    ticket = await call.ticket()
    refused = await call.update(ticket, assignee_id=ticket["requester_id"])
    assert refused.described == {"assignee": "Assignee: is invalid"}


async def test_a_status_never_goes_back_to_new(call):
    ticket = await call.ticket(status="open")
    assert (await call.update(ticket, status="new")).status == 422


async def test_who_solves_what_is_nobodys_becomes_its_assignee(call):
    ticket = await call.ticket()
    assert (await call.update(ticket, status="solved"))["ticket"]["assignee_id"] == BOT_ID


async def test_without_that_rule_solving_needs_an_assignee(call, simulator):
    simulator.account.auto_assign = False
    ticket = await call.ticket()
    refused = await call.update(ticket, status="solved")
    assert refused.described == {"assignee": "Assignee: is required when solving a ticket"}
    assert (await call.update(ticket, status="solved", assignee_id=KIM)).status == 200


async def test_fields_that_are_required_block_solving(call, simulator):
    simulator.account.required_to_solve = (360001234567,)
    ticket = await call.ticket()
    refused = await call.update(ticket, status="solved", comment={"body": "done"})
    (entry,) = refused["details"]["base"]
    assert (refused.status, entry["ticket_field_id"]) == (422, 360001234567)
    assert len(await call.comments(ticket)) == 1, "nothing of a refused update happens"
    filled = [{"id": 360001234567, "value": "4711"}]
    assert (await call.update(ticket, status="solved", custom_fields=filled)).status == 200


@pytest.mark.parametrize("given", [{"comment": {"body": "x"}}, {"status": "open"}, {"assignee_id": KIM}])
async def test_a_closed_ticket_takes_no_more(call, given):
    ticket = await call.ticket()
    await call.update(ticket, status="closed")
    refused = await call.update(ticket, **given)
    assert refused.status == 422
    assert refused.described == {"status": "Status: closed prevents ticket update"}


async def test_of_a_closed_ticket_tags_subject_and_priority_may_change(call):
    ticket = await call.ticket()
    await call.update(ticket, status="closed")
    assert (await call.update(ticket, tags=["late"], subject="Was: parcel", priority="low")).status == 200


async def test_an_end_users_comment_by_the_api_does_not_reopen(call):
    user = await call.user()
    ticket = await call.ticket(requester_id=user["id"])
    await call.update(ticket, status="solved")
    comment = {"html_body": "<p>Still there?</p>", "author_id": user["id"]}
    assert (await call.update(ticket, comment=comment))["ticket"]["status"] == "solved"
    assert (await call.update(ticket, comment=comment, status="open"))["ticket"]["status"] == "open"


# Follow-ups, locks, lists ---------------------------------------------------------------------------------------


async def test_a_follow_up_belongs_to_a_closed_ticket(call):
    ticket = await call.ticket()
    given = {"via_followup_source_id": ticket["id"], "comment": {"body": "Again"}}
    assert (await call("POST", "tickets", {"ticket": given})).status == 422
    await call.update(ticket, status="closed")
    follow_up = (await call("POST", "tickets", {"ticket": given}))["ticket"]
    assert follow_up["requester_id"] == ticket["requester_id"]
    assert follow_up["via"]["source"]["rel"] == "follow_up"
    assert follow_up["via"]["source"]["from"]["ticket_id"] == ticket["id"]
    assert (await call.comments(follow_up))[0]["author_id"] == BOT_ID, "there the caller is the author"
    assert (await call("GET", f"tickets/{ticket['id']}"))["ticket"]["followup_ids"] == [follow_up["id"]]


@pytest.mark.parametrize("safe", [True, False])
async def test_a_safe_update_of_what_changed_since_is_a_conflict(call, clock, safe):
    ticket = await call.ticket()
    clock.advance(5)
    stamp = {"safe_update": safe, "updated_stamp": ticket["updated_at"]}
    assert (await call.update(ticket, subject="Letter", **stamp)).status == 200
    refused = await call.update(ticket, subject="Card", **stamp)
    assert (refused.status, refused["error"]) == (409, "UpdateConflict")


async def test_tags_are_replaced_as_a_whole_or_changed_by_their_own_requests(call):
    ticket = await call.ticket(tags=["Hitl", "two words"])
    path = f"tickets/{ticket['id']}/tags"
    assert ticket["tags"] == ["hitl", "two", "words"]
    assert (await call("PUT", path, {"tags": ["late"]}))["tags"] == ["hitl", "two", "words", "late"]
    assert (await call("DELETE", path, {"tags": ["two", "words"]}))["tags"] == ["hitl", "late"]
    assert (await call.update(ticket, tags=["new"]))["ticket"]["tags"] == ["new"]


async def test_several_tickets_may_have_one_external_id(call):
    first, second = await call.ticket(external_id="c-1"), await call.ticket(external_id="c-1")
    await call.ticket(external_id="c-2")
    found = await call("GET", "tickets", external_id="c-1")
    assert [each["id"] for each in found["tickets"]] == [first["id"], second["id"]]
    assert set(found.json) == {"tickets", "next_page", "previous_page", "count"}


async def test_a_deleted_ticket_is_not_found(call):
    ticket, other = await call.ticket(external_id="c-1"), await call.ticket()
    path = f"tickets/{ticket['id']}"
    assert (await call("DELETE", path)).status == 204
    for method, where in (("GET", path), ("PUT", path), ("DELETE", path), ("GET", f"{path}/comments")):
        gone = await call(method, where, {"ticket": {"status": "open"}} if method == "PUT" else None)
        assert (gone.status, gone["error"]) == (404, "RecordNotFound")
    many = await call("GET", "tickets/show_many", ids=f"{ticket['id']},{other['id']}")
    assert [each["id"] for each in many["tickets"]] == [other["id"]]
    assert (await call("GET", "tickets", external_id="c-1"))["tickets"] == []


async def test_a_deleted_ticket_can_be_restored_as_it_was(call):
    ticket = await call.ticket(status="pending")
    await call("DELETE", f"tickets/{ticket['id']}")
    deleted = (await call("GET", "deleted_tickets"))["deleted_tickets"]
    assert [(each["id"], each["previous_state"]) for each in deleted] == [(ticket["id"], "pending")]
    assert (await call("PUT", f"deleted_tickets/{ticket['id']}/restore", {})).status == 200
    assert (await call("GET", f"tickets/{ticket['id']}"))["ticket"]["status"] == "pending"


async def test_spam_is_deleted_and_its_requester_suspended(call):
    ticket = await call.ticket()
    await call("PUT", f"tickets/{ticket['id']}/mark_as_spam", {})
    assert (await call("GET", f"tickets/{ticket['id']}")).status == 404
    assert (await call("GET", f"users/{ticket['requester_id']}"))["user"]["suspended"] is True


async def test_a_merged_ticket_is_closed_and_both_say_so(call):
    source, target = await call.ticket(), await call.ticket()
    job = await call("POST", f"tickets/{target['id']}/merge", {"ids": [source["id"]]})
    assert job["job_status"]["status"] == "completed"
    assert (await call("GET", f"job_statuses/{job['job_status']['id']}")).json == job.json
    merged = (await call("GET", f"tickets/{source['id']}"))["ticket"]
    assert (merged["status"], merged["tags"]) == ("closed", ["closed_by_merge"])
    here, there = (await call.comments(source))[-1], (await call.comments(target))[-1]
    assert f"request #{target['id']}" in here["body"]
    assert f"Request #{source['id']}" in there["body"]
    assert not here["public"]
    assert not there["public"]
