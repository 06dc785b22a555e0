"""Whatever is sent to the simulated Zendesk is answered: a program under test must not meet our own mistakes."""

import random

import pytest

pytestmark = pytest.mark.anyio

SCALARS = [None, True, 0, -1, 1.5, "", "x", "4101", "8447388090496", 8447388090496, "new", "solved", "closed"]
VALUES = [
    *SCALARS, [], {}, ["x"], [None], [1], [[]], {"id": 1}, {"name": "x"}, {"email": "a@b.example"}, {"body": 1},
    {"html_body": ["x"]}, [{"id": "x", "value": 1}], [{"value": 1}], [{"id": 5, "value": {}}], [{"field": "status"}],
    [{"field": "notification_webhook", "value": 3}], [{"field": "custom_fields_x", "operator": "is", "value": 1}],
]  # fmt: skip
FIELDS = {
    "ticket": "subject comment requester_id requester submitter_id external_id tags priority type status group_id "
    "assignee_id assignee_email ticket_form_id custom_fields via_followup_source_id metadata safe_update updated_stamp "
    "additional_tags email_cc_ids custom_status_id description",
    "user": "name email role external_id verified suspended phone remote_photo_url tags user_fields",
    "webhook": "name endpoint http_method request_format status subscriptions authentication custom_headers",
    "trigger": "title actions conditions all any active position",
}
USUAL = {
    "ticket": {"comment": {"body": "x"}},
    "user": {"name": "x"},
    "webhook": {
        "name": "hitl", "endpoint": "https://bot.test", "http_method": "POST", "request_format": "json",
        "status": "active", "subscriptions": ["conditional_ticket_events"],
    },
    "trigger": {"title": "x", "actions": [{"field": "status", "value": "open"}]},
}  # fmt: skip


def paths(ticket, user, hook):
    return {
        "ticket": [
            ("POST", "tickets"),
            ("PUT", f"tickets/{ticket}"),
            ("PUT", f"tickets/{ticket}/tags"),
            ("POST", f"tickets/{ticket}/merge"),
            ("PUT", "comment_redactions/1"),
        ],
        "user": [("POST", "users"), ("POST", "users/create_or_update"), ("PUT", f"users/{user}")],
        "webhook": [("POST", "webhooks"), ("PUT", f"webhooks/{hook}"), ("POST", "webhooks/test")],
        "trigger": [("POST", "triggers")],
    }


@pytest.mark.parametrize("seed", range(8))
async def test_nothing_that_is_sent_makes_it_fall_over(call, seed):
    chance = random.Random(seed)  # noqa: S311  no secret hangs on it
    ticket, hook = await call.ticket(), await call.hook()
    every = paths(ticket["id"], ticket["requester_id"], hook["id"])
    for _ in range(100):
        root = chance.choice(list(FIELDS))
        names = chance.sample(FIELDS[root].split(), chance.randint(0, 4))
        body = {root: USUAL[root] | {name: chance.choice(VALUES) for name in names}}
        body |= {name: chance.choice(VALUES) for name in ("ids", "tags", "ticket_id", "request")}
        method, path = chance.choice(every[root])
        answer = await call(method, path, body)
        assert answer.status < 500, (method, path, body)
    for path in (
        "tickets",
        "users",
        "triggers",
        "webhooks",
        "search?query=x",
        "incremental/tickets/cursor?start_time=0",
    ):
        assert (await call("GET", path)).status == 200
