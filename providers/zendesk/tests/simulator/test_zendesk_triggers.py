"""Triggers of the simulated Zendesk: when they fire, and what their templates say."""

import json

import pytest

pytestmark = pytest.mark.anyio

KIM = "8447388090496"
TEMPLATE = json.dumps({"ticket": "{{ticket.id}}", "comment": "{{ticket.latest_comment.id}}"})


@pytest.fixture
async def trigger(call):
    """Make a trigger that calls a webhook."""
    hook = await call.hook()

    async def trigger(*conditions, template=TEMPLATE, nested=True, **fields):
        every = [dict(zip(("field", "operator", "value"), each, strict=True)) for each in conditions]
        given = {
            "title": "hitl",
            "actions": [{"field": "notification_webhook", "value": [hook["id"], template]}],
            **({"conditions": {"all": every, "any": []}} if nested else {"all": every}),
            **fields,
        }
        answer = await call("POST", "triggers", {"trigger": given})
        assert answer.status == 201, answer.raw
        return answer["trigger"]

    return trigger


@pytest.mark.parametrize("nested", [True, False])
async def test_conditions_may_stand_at_the_top_and_are_always_shown_nested(trigger, nested):
    made = await trigger(("update_type", "is", "Create"), nested=nested)
    assert set(made) == {
        "url", "id", "title", "active", "updated_at", "created_at", "default", "actions", "conditions", "description",
        "position", "raw_title", "category_id",
    }  # fmt: skip
    assert made["conditions"] == {"all": [{"field": "update_type", "operator": "is", "value": "Create"}], "any": []}


async def test_triggers_are_listed_changed_and_deleted(call, trigger):
    made = await trigger()
    path = f"triggers/{made['id']}"
    assert (await call("PUT", path, {"trigger": {"active": False}}))["trigger"]["active"] is False
    assert (await call("GET", "triggers"))["count"] == 1
    assert (await call("GET", "triggers", active="true"))["triggers"] == []
    assert (await call("GET", "triggers", **{"page[size]": 1}))["meta"]["has_more"] is False
    assert (await call("DELETE", path)).status == 204
    assert (await call("GET", path)).status == 404


async def test_a_trigger_calls_webhooks_that_are_for_triggers_alone(call):
    hook = await call.hook("comment_added")
    actions = [{"field": "notification_webhook", "value": [hook["id"], "{}"]}]
    refused = await call("POST", "triggers", {"trigger": {"title": "hitl", "actions": actions}})
    assert refused.status == 422


async def fired(posted, act):
    posted.clear()
    await act
    return len(posted)


@pytest.mark.parametrize(
    ("value", "public", "private", "none"),
    [
        ("requester_can_see_comment", 1, 0, 0),
        ("true", 1, 0, 0),
        ("false", 0, 1, 0),
        ("not_relevant", 1, 1, 0),
    ],
)
async def test_a_trigger_sees_whether_a_comment_is_public(call, control, posted, trigger, value, public, private, none):
    session = str((await call.ticket())["id"])
    await trigger(("comment_is_public", "is", value))
    assert await fired(posted, control.reply(session, "a")) == public
    assert await fired(posted, control.note(session, "b")) == private
    assert await fired(posted, control.assign(session)) == none


async def test_our_own_comments_can_be_left_out_by_their_way_in(call, control, posted, trigger):
    ticket = await call.ticket()
    await trigger(("current_via_id", "is_not", "5"))
    assert await fired(posted, call.update(ticket, comment={"body": "by API"})) == 0
    assert await fired(posted, control.reply(str(ticket["id"]), "by hand")) == 1
    assert await fired(posted, control.customer_writes(str(ticket["id"]), "by mail")) == 1


async def test_tags_decide(call, control, posted, trigger):
    ours, other = await call.ticket(tags=["hitl", "x"]), await call.ticket(tags=["hitler-not"])
    await trigger(("current_tags", "includes", "hitl late"))
    assert await fired(posted, control.reply(str(ours["id"]), "a")) == 1
    assert await fired(posted, control.reply(str(other["id"]), "a")) == 0


@pytest.mark.parametrize(("value", "on_create", "on_change"), [("Create", 1, 0), ("Change", 0, 1)])
async def test_an_update_is_of_one_type(call, control, posted, trigger, value, on_create, on_change):
    await trigger(("update_type", "is", value))
    ticket = await call.ticket()
    assert len(posted) == on_create
    assert await fired(posted, control.reply(str(ticket["id"]), "a")) == on_change


async def test_a_changed_assignee_fires(call, control, posted, trigger):
    session = str((await call.ticket())["id"])
    await trigger(("assignee_id", "changed", ""))
    assert await fired(posted, control.reply(session, "a")) == 0
    assert await fired(posted, control.assign(session)) == 1
    assert await fired(posted, control.assign(session)) == 0
    assert await fired(posted, control.unassign(session)) == 1


@pytest.mark.parametrize("value", ["SOLVED", "solved"])
async def test_a_status_changed_to_a_value_fires_once(call, control, posted, trigger, value):
    session = str((await call.ticket())["id"])
    await trigger(("status", "value", value))
    assert await fired(posted, control.assign(session)) == 0
    assert await fired(posted, control.solve(session)) == 1
    assert await fired(posted, control.reply(session, "a")) == 0, "it is solved, and was so before"


async def test_statuses_have_an_order(call, control, posted, trigger):
    session = str((await call.ticket())["id"])
    await trigger(("status", "less_than", "solved"))
    assert await fired(posted, control.reply(session, "a")) == 1
    assert await fired(posted, control.solve(session)) == 0


async def test_one_of_any_is_enough(call, control, posted, trigger):
    session = str((await call.ticket())["id"])
    several = [{"field": "status", "operator": name, "value": None} for name in ("changed", "not_changed")]
    await trigger(conditions={"all": [], "any": several})
    assert await fired(posted, control.reply(session, "a")) == 1


async def test_an_inactive_trigger_does_nothing(call, control, posted, trigger):
    session = str((await call.ticket())["id"])
    await trigger(active=False)
    assert await fired(posted, control.reply(session, "a")) == 0


# Templates ------------------------------------------------------------------------------------------------------


async def said(call, control, posted, trigger, template, text="Hello"):
    ticket = await call.ticket(external_id="c-1", subject='A "parcel"')
    await trigger(template=template)
    await control.assign(str(ticket["id"]), agent=KIM)
    await control.reply(str(ticket["id"]), text, agent=KIM)
    return ticket, posted[-1][2].decode()


async def test_a_template_of_ids_is_filled_in(call, control, posted, trigger):
    names = {
        "ticket.id": None,
        "ticket.external_id": "c-1",
        "ticket.status": "Open",
        "ticket.updated_at_with_timestamp": "2026-01-05T12:00:00Z",
        "ticket.latest_comment.id": None,
        "ticket.public_comments[0].id": None,
        "ticket.assignee.id": KIM,
        "current_user.id": KIM,
        "current_user.role": "Agent",
        "current_user.email": "kim@helpdesk.example",
        "ticket.latest_public_comment.author.id": KIM,
        "ticket.Id": "",
        "customer.mood": "",
    }
    template = json.dumps({name: f"{{{{{name}}}}}" for name in names})
    ticket, body = await said(call, control, posted, trigger, template)
    told = json.loads(body)
    (*_, newest) = await call.comments(ticket)
    expected = {"ticket.id": ticket["id"], "ticket.latest_comment.id": newest["id"]}
    expected["ticket.public_comments[0].id"] = newest["id"]
    assert told == {name: str(expected.get(name, value)) for name, value in names.items()}


async def test_a_comment_comes_under_a_header_whose_form_nobody_promised(call, control, posted, trigger):
    _, body = await said(call, control, posted, trigger, "{{ticket.latest_public_comment_html}}")
    assert body.startswith("-----")
    assert body.endswith("Hello")
    assert "Kim Agent" in body


@pytest.mark.parametrize("escapes", [False, True])
async def test_values_are_escaped_for_json_or_not(call, control, posted, trigger, simulator, escapes):
    simulator.triggers.escapes_json = escapes
    _, body = await said(call, control, posted, trigger, '{"title": "{{ticket.title}}"}')
    assert body == ('{"title": "A \\"parcel\\""}' if escapes else '{"title": "A "parcel""}')


async def test_the_system_is_minus_one_there(call, control, posted, trigger):
    ticket = await call.ticket()
    await trigger(template="{{current_user.id}}")
    await control.system_acts(str(ticket["id"]))
    assert posted[-1][2] == b"-1"


async def test_an_api_comments_user_is_the_caller_whoever_is_its_author(call, posted, trigger, simulator):
    ticket = await call.ticket()
    await trigger(template="{{current_user.id}} {{ticket.latest_comment.author.id}}")
    await call.update(ticket, comment={"body": "a", "author_id": ticket["requester_id"]})
    assert posted[-1][2].decode() == f"{simulator.account.bot.id} {ticket['requester_id']}"
