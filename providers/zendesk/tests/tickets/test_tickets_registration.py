"""Registering makes one webhook and its triggers, mends them, and leaves everybody else's alone (S223 to S226)."""

import json

import pytest
from hitl_zendesk.deliveries import SIGNATURE, SUBSCRIPTIONS

import hitl_core as hitl
from hitl_core.testing import reply

from .admin import MODES, URL, connect, register, written

pytestmark = pytest.mark.anyio


# What is made


async def test_s223_events_are_sent_by_one_webhook(zendesk, admin):
    registration = await register(zendesk)
    (webhook,) = admin.webhooks
    assert {name: value for name, value in webhook.items() if name not in {"id", "name"}} == {
        "status": "active",
        "endpoint": URL,
        "http_method": "POST",
        "request_format": "json",
        "subscriptions": list(SUBSCRIPTIONS),
    }
    assert webhook["name"].startswith("HITL default/shop ")
    assert registration.url == URL
    assert registration.ids == {"webhook": webhook["id"]}
    assert admin.triggers == []
    assert zendesk.writes == ["POST webhooks"]


async def test_s224_triggers_go_by_our_tag_and_leave_out_what_came_by_the_api(zendesk, admin):
    registration = await register(zendesk, webhook_mode="triggers", tag="hand-off")
    (webhook,) = admin.webhooks
    assert webhook["subscriptions"] == ["conditional_ticket_events"]
    tagged = {"field": "current_tags", "operator": "includes", "value": "hand-off"}
    made = {body["trigger"]["title"].rpartition(": ")[2]: body["trigger"] for body in zendesk.bodies("POST triggers")}
    assert {kind: trigger["all"] for kind, trigger in made.items()} == {
        "comment": [
            {"field": "comment_is_public", "operator": "is", "value": "requester_can_see_comment"},
            {"field": "current_via_id", "operator": "is_not", "value": "5"},
            tagged,
        ],
        "assignee": [{"field": "assignee_id", "operator": "changed", "value": ""}, tagged],
        "status": [{"field": "status", "operator": "changed", "value": ""}, tagged],
    }
    assert all(trigger["any"] == [] and trigger["active"] is True for trigger in made.values())
    ids = {kind: str(trigger["id"]) for kind, trigger in zip(made, admin.triggers, strict=True)}
    assert registration.ids == {"webhook": webhook["id"]} | {f"trigger.{kind}": id_ for kind, id_ in ids.items()}


async def test_s225_triggers_send_the_tickets_number_and_nothing_people_wrote(zendesk, admin):
    await register(zendesk, webhook_mode="triggers")
    for trigger in admin.triggers:
        (action,) = trigger["actions"]
        webhook, template = action["value"]
        assert (action["field"], webhook) == ("notification_webhook", admin.webhooks[0]["id"])
        assert template.count("{{") == 1
        sent = json.loads(template.replace("{{ticket.id}}", "77"))
        assert sent["ticket_id"] == "77"


@pytest.mark.parametrize("mode", MODES)
async def test_the_secret_zendesk_makes_proves_deliveries_at_once_and_after_a_restart(zendesk, admin, state, mode):
    async with connect(zendesk, state, webhook_mode=mode) as connection:
        registration = await connection.register_webhook(URL)
        secret = f"signing-secret-of-{admin.webhooks[0]['id']}"
        headers = SIGNATURE.sign(secret, b"{}", timestamp=zendesk.clock.now())
        connection.verify_webhook(headers=headers, body=b"{}")
    async with connect(zendesk, state, webhook_mode=mode) as connection:
        connection.verify_webhook(headers=headers, body=b"{}")
    assert secret not in f"{registration!r}{registration.model_dump_json()}"


# Again


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("remembered", [True, False])
async def test_s223_registering_again_changes_nothing(zendesk, admin, state, mode, remembered):
    first = await register(zendesk, state, webhook_mode=mode)
    written(zendesk)
    again = await register(zendesk, state if remembered else None, webhook_mode=mode)
    assert written(zendesk) == []
    assert again.ids == first.ids


async def test_ours_is_found_among_many(zendesk, admin):
    admin.page = 2
    for number in range(7):
        admin._do("POST", "triggers", "", "", {}, {"trigger": {"title": f"Notify {number}", "actions": []}})
    await register(zendesk, webhook_mode="triggers")
    written(zendesk)
    await register(zendesk, webhook_mode="triggers")
    assert written(zendesk) == []


async def test_a_create_whose_answer_was_lost_is_found_by_name_and_address(zendesk, admin):
    admin.troubles["POST webhooks"] = ["lost"]
    with pytest.raises(hitl.AmbiguousOutcomeError):
        await register(zendesk)
    registration = await register(zendesk)
    assert [webhook["id"] for webhook in admin.webhooks] == [registration.ids["webhook"]]


@pytest.mark.parametrize("trouble", ["lost", reply(422, json={"error": "RecordInvalid"}), reply(403)])
async def test_s223_what_a_failed_registration_has_made_is_used_by_the_next(zendesk, admin, state, trouble):
    admin.troubles["POST triggers"] = [None, trouble]
    with pytest.raises(hitl.ProviderError):
        await register(zendesk, state, webhook_mode="triggers")
    registration = await register(zendesk, state, webhook_mode="triggers")
    assert len(admin.webhooks) == 1
    assert {str(trigger["id"]) for trigger in admin.triggers} == set(registration.ids.values()) - {
        registration.ids["webhook"]
    }
    assert len(admin.triggers) == 3


async def test_a_secret_that_cannot_be_read_fails_and_the_next_try_makes_no_second_webhook(zendesk, admin, state):
    async with connect(zendesk, state) as connection:
        admin.troubles["GET webhooks/01J0001/signing_secret"] = [reply(403)]
        with pytest.raises(hitl.PermissionDeniedError):
            await connection.register_webhook(URL)
        await connection.register_webhook(URL)
    assert len(admin.webhooks) == 1


@pytest.mark.parametrize("mode", MODES)
async def test_what_a_failed_registration_has_made_is_removed_for_nobody_would_know_of_it(zendesk, admin, mode):
    admin.troubles["GET webhooks/01J0001/signing_secret"] = [reply(403)]
    with pytest.raises(hitl.PermissionDeniedError):
        await register(zendesk, webhook_mode=mode)
    assert (admin.webhooks, admin.triggers) == ([], [])


async def test_what_was_there_before_a_failed_registration_stays(zendesk, admin, state):
    await register(zendesk, state)
    admin.troubles["GET webhooks/01J0001/signing_secret"] = [reply(403)]
    with pytest.raises(hitl.PermissionDeniedError):
        await register(zendesk, state)
    assert [webhook["id"] for webhook in admin.webhooks] == ["01J0001"]


# Drift


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "inactive"),
        ("endpoint", "https://elsewhere.test"),
        ("http_method", "GET"),
        ("request_format", "xml"),
    ],
)
async def test_a_webhook_somebody_changed_is_mended(zendesk, admin, state, mode, name, value):
    first = await register(zendesk, state, webhook_mode=mode)
    (webhook,) = admin.webhooks
    before = dict(webhook)
    webhook[name] = value
    written(zendesk)
    again = await register(zendesk, state, webhook_mode=mode)
    assert admin.webhooks == [before]
    assert again.ids == first.ids
    assert written(zendesk) == ["PATCH webhooks"]


async def test_a_new_address_is_told_to_the_same_webhook(zendesk, admin, state):
    first = await register(zendesk, state)
    again = await register(zendesk, state, url="https://bot.test/new")
    assert again.ids == first.ids
    assert [webhook["endpoint"] for webhook in admin.webhooks] == ["https://bot.test/new"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_webhook_that_is_gone_is_made_again_with_all_that_leads_to_it(zendesk, admin, state, mode):
    await register(zendesk, state, webhook_mode=mode)
    admin.kept["webhooks"].clear()
    registration = await register(zendesk, state, webhook_mode=mode)
    assert [webhook["id"] for webhook in admin.webhooks] == [registration.ids["webhook"]]
    assert len(admin.triggers) == (3 if mode == "triggers" else 0)
    for trigger in admin.triggers:
        assert trigger["actions"][0]["value"][0] == registration.ids["webhook"]


async def test_subscriptions_which_cannot_be_changed_are_made_anew(zendesk, admin, state):
    await register(zendesk, state)
    admin.webhooks[0]["subscriptions"] = list(SUBSCRIPTIONS[:3])
    written(zendesk)
    registration = await register(zendesk, state)
    assert written(zendesk) == ["DELETE webhooks", "POST webhooks"]
    assert [(hook["id"], hook["subscriptions"]) for hook in admin.webhooks] == [
        (registration.ids["webhook"], list(SUBSCRIPTIONS))
    ]


@pytest.mark.parametrize("gone", [True, False], ids=["webhook gone", "webhook there"])
@pytest.mark.parametrize(("before", "after"), [MODES, MODES[::-1]])
async def test_another_mode_leaves_nothing_of_the_one_before(zendesk, admin, state, before, after, gone):
    await register(zendesk, state, webhook_mode=before)
    if gone:
        admin.kept["webhooks"].clear()
    registration = await register(zendesk, state, webhook_mode=after)
    assert len(admin.webhooks) == 1
    assert len(admin.triggers) == (3 if after == "triggers" else 0)
    assert len(registration.ids) == 1 + len(admin.triggers)


CHANGES = {
    "deactivated": lambda trigger: trigger.update(active=False),
    "renamed": lambda trigger: trigger.update(title="Mine now"),
    "condition removed": lambda trigger: trigger["conditions"]["all"].pop(),
    "condition added": lambda trigger: trigger["conditions"]["any"].append(
        {"field": "status", "operator": "is", "value": "new"}
    ),
    "another text": lambda trigger: trigger["actions"][0]["value"].__setitem__(1, "{}"),
    "another action": lambda trigger: trigger["actions"].append({"field": "priority", "value": "low"}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("number", range(3))
async def test_a_trigger_somebody_changed_is_mended(zendesk, admin, state, change, number):
    first = await register(zendesk, state, webhook_mode="triggers")
    before = json.loads(json.dumps(admin.triggers))
    change(admin.triggers[number])
    written(zendesk)
    again = await register(zendesk, state, webhook_mode="triggers")
    assert again.ids == first.ids
    assert admin.triggers == before
    assert written(zendesk) == ["PUT triggers"]


async def test_a_trigger_that_is_gone_is_made_again(zendesk, admin, state):
    await register(zendesk, state, webhook_mode="triggers")
    del admin.kept["triggers"][str(admin.triggers[1]["id"])]
    written(zendesk)
    registration = await register(zendesk, state, webhook_mode="triggers")
    assert written(zendesk) == ["POST triggers"]
    assert {str(trigger["id"]) for trigger in admin.triggers} < set(registration.ids.values())


async def test_a_changed_trigger_is_known_by_its_title_though_nothing_is_remembered(zendesk, admin):
    await register(zendesk, webhook_mode="triggers")
    admin.triggers[0]["actions"][0]["value"][1] = "{}"
    written(zendesk)
    await register(zendesk, webhook_mode="triggers")
    assert written(zendesk) == ["PUT triggers"]
    assert len(admin.triggers) == 3


# Looked at


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (None, []),
        ({"active": False}, ["comment"]),
        ({"title": "something else"}, ["comment"]),
        ({"actions": []}, ["comment"]),
    ],
)
async def test_f42_triggers_that_do_not_tell_of_everything_are_named_by_the_check(zendesk, admin, state, change, told):
    await register(zendesk, state, webhook_mode="triggers")
    admin.triggers[0].update(change or {})
    zendesk.on("GET tickets", {"tickets": []}).on("GET users", {"users": []})
    zendesk.on("GET ticket_fields", {"ticket_fields": []})
    async with connect(zendesk, state, webhook_mode="triggers") as connection:
        amiss = [result for result in await connection.check(webhook_url=URL) if not result.ok]
    assert [result.name for result in amiss] == ["triggers"] * len(told)
    assert all(kind in result.detail and "register it again" in result.mend for kind in told for result in amiss)
