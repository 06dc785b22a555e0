"""Deliveries that are no fact by themselves: other tickets', triggers', unknown and broken ones (S235 to S239, F29)."""

import json
import logging
from pathlib import Path

import pytest
from hitl_zendesk.deliveries import SUBSCRIPTIONS

import hitl_core as hitl
from hitl_core.testing import reply

from .conftest import AGENT, CUSTOMER, ME, SECRET, TICKET, event, said

pytestmark = pytest.mark.anyio

BESIDE = Path(__file__).resolve().parents[4].parent / "shared" / "api" / "zendesk-samples"
REF = hitl.SessionRef(connection="default/shop", id=str(TICKET))

# Every kind of event of a ticket's that is documented.
KINDS = [
    "created",
    "comment_added",
    "comment_made_private",
    "comment_redacted",
    "attachment_linked_to_comment",
    "attachment_redacted_from_comment",
    "agent_assignment_changed",
    "group_assignment_changed",
    "status_changed",
    "custom_status_changed",
    "priority_changed",
    "subject_changed",
    "description_changed",
    "external_id_changed",
    "requester_changed",
    "submitter_changed",
    "tags_changed",
    "email_ccs_changed",
    "followers_changed",
    "form_changed",
    "brand_changed",
    "organization_changed",
    "problem_link_changed",
    "type_changed",
    "custom_field_changed",
    "merged",
    "marked_as_spam",
    "soft_deleted",
    "permanently_deleted",
    "undeleted",
]
SUBSCRIBED = {name.removeprefix("zen:event-type:ticket.") for name in SUBSCRIPTIONS}


# Other tickets


@pytest.mark.parametrize("kind", [*KINDS, "something_new"])
async def test_s238_s239_events_of_tickets_that_are_not_ours_cost_no_read(zendesk, kind):
    async with zendesk.receiving() as (_, receive):
        (found,) = await receive(event(kind, said()), known={})
    assert (found.kind, found.reason, found.session) == ("ignored", "not_ours", REF)
    assert zendesk.requests == []


@pytest.mark.parametrize("body", [{"ticket_id": "77"}, {"ticketId": "77"}])
async def test_s239_triggers_on_tickets_that_are_not_ours_cost_no_read(zendesk, body):
    async with zendesk.receiving() as (_, receive):
        (found,) = await receive(body, known={})
    assert (found.reason, found.session) == ("not_ours", REF)
    assert zendesk.requests == []


async def test_f25_each_delivery_is_its_own_tickets_whatever_others_are_known(zendesk):
    other = hitl.HitlSession(ref=hitl.SessionRef(connection="default/shop", id="78"), provider="zendesk")
    known = {"78": hitl.KnownSession(session=other, own_message_ids=frozenset({"601"}))}
    async with zendesk.receiving() as (_, receive):
        zendesk.on(f"GET users/{AGENT}", {"user": {"id": AGENT, "role": "agent"}})
        (mine,) = await receive(event("comment_added", said(), id="78"), known=known)
        (others,) = await receive(event("comment_added", said(), id="77"), known=known)
    assert (mine.session.id, mine.reason) == ("78", "echo")
    assert (others.session.id, others.reason) == ("77", "not_ours")


# Kinds


def test_what_we_subscribe_to_is_documented():
    assert set(KINDS) >= SUBSCRIBED
    assert all(name.startswith("zen:event-type:ticket.") for name in SUBSCRIPTIONS)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - SUBSCRIBED))
async def test_s235_documented_kinds_that_mean_nothing_to_a_customer_are_ignored_by_name(zendesk, kind):
    async with zendesk.receiving() as (_, receive):
        (found,) = await receive(event(kind, {"current": "x", "previous": None}))
    assert (found.kind, found.reason) == ("ignored", "irrelevant")
    assert zendesk.asked == []


@pytest.mark.parametrize(
    "kind", ["ticket.sneezed", "messaging_ticket.message_added", "user.deleted", "article.published", "ticket", ""]
)
async def test_s235_an_unknown_kind_is_kept_as_what_it_is(zendesk, kind):
    body = event("x") | {"type": f"zen:event-type:{kind}"}
    async with zendesk.receiving() as (_, receive):
        (found,) = await receive(body)
    assert isinstance(found, hitl.UnknownEvent)
    assert found.kind == kind
    assert found.raw == body
    assert zendesk.asked == []


# Triggers


@pytest.mark.parametrize(
    "body",
    [
        {"hitl": "comment", "ticket_id": "77"},
        {"ticket_id": 77},
        {
            "type": "newMessage",
            "ticketId": "77",
            "externalId": "",
            "status": "Open",
            "commentId": "601",
            "comment": "----------------------------------------------\n\nAda, Jan 5, 2026, 12:15 PM\n\nHello",
            "agent": {"id": str(AGENT), "name": "Ada", "email": "ada@acme.test"},
            "currentUser": {"id": "-1", "role": ""},
        },
    ],
    ids=["ours", "number", "reference"],
)
async def test_f29_a_trigger_is_a_hint_to_read_the_ticket_and_nothing_it_quotes_is_passed_on(zendesk, body):
    async with zendesk.receiving() as (_, receive):
        (found,) = await receive(body)
        zendesk.clock.advance(1)
        (again,) = await receive(body)
    assert isinstance(found, hitl.SessionChanged)
    assert found.session == REF
    assert "Hello" not in repr(found)
    assert again.event_id != found.event_id
    assert zendesk.requests == []


async def test_a_trigger_read_again_from_store_is_the_same_event(zendesk):
    async with zendesk.connect(webhook_secret=SECRET) as connection:
        delivery = zendesk.deliver(connection, {"ticket_id": "77"})
        stored = hitl.WebhookDelivery.model_validate_json(delivery.model_dump_json())
        zendesk.clock.advance(60)
        first = await connection.parse_delivery(delivery)
        assert await connection.parse_delivery(stored) == first


# What cannot be read


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Grace",
        b"[]",
        b"null",
        b"7",
        b"{}",
        b'{"ticket_id": ""}',
        b'{"ticket_id": "{{ticket.id}}"}',
        b'{"type": "newMessage", "comment": "Grace"}',
        b'{"ticketId": "77", "comment": "a "quoted" word"}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
async def test_s235_a_body_that_says_nothing_is_refused_and_not_quoted(zendesk, caplog, body):
    caplog.set_level(logging.DEBUG)
    async with zendesk.receiving() as (_, receive):
        with pytest.raises(hitl.WebhookParseError, match="signed by Zendesk") as caught:
            await receive(body)
    assert "Grace" not in f"{caught.value}{caplog.text}"
    assert zendesk.requests == []


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("comment_added", {}),
        ("comment_added", {"comment": None}),
        ("comment_added", {"comment": []}),
        ("comment_added", {"comment": "Grace"}),
        ("comment_added", {"comment": {"id": "601", "body": "Grace"}}),
        ("comment_added", {"comment": {"id": "601", "body": "Grace", "author": None}}),
        ("comment_added", {"comment": {"body": "Grace", "author": {"id": "5001"}}}),
        ("attachment_linked_to_comment", {"comment": {"id": "601"}}),
        ("attachment_linked_to_comment", {"comment": {"id": "601", "attachment": "Grace"}}),
        ("comment_redacted", {"comment": {"body": "Grace"}}),
        ("status_changed", {"previous": "OPEN"}),
    ],
)
async def test_an_event_in_another_form_is_refused_and_not_quoted(zendesk, kind, told):
    zendesk.on(f"GET users/{AGENT}", {"user": {"id": AGENT, "role": "agent"}})
    async with zendesk.receiving() as (_, receive):
        with pytest.raises(hitl.WebhookParseError, match="not in the documented form") as caught:
            await receive(event(kind, told))
    assert "Grace" not in str(caught.value)


# Samples kept outside of the repository


SAMPLES = {
    "webhook_event_agent_assignment_changed.json": ["agent_assigned"],
    "webhook_event_attachment_linked_to_comment.json": ["agent_message"],
    "webhook_event_comment_added_agent_internal.json": ["internal_note"],
    "webhook_event_comment_added_agent_public.json": ["agent_message"],
    "webhook_event_comment_added_echo_of_api_comment.json": ["end_user"],
    "webhook_event_comment_added_messaging_note.json": ["internal_note"],
    "webhook_event_messaging_message_added.json": ["messaging_ticket.message_added"],
    "webhook_event_status_changed.json": ["agent_message", "session_stopped"],
    "webhook_event_user_deleted.raw.json": ["user.deleted"],
    "trigger_delivery_rendered.json": ["session_changed"],
}


@pytest.mark.skipif(not BESIDE.is_dir(), reason="no samples are beside the repository")
def test_every_sample_of_a_delivery_is_known():
    assert {path.name for path in BESIDE.glob("webhook_event_*.json")} <= SAMPLES.keys()


@pytest.mark.skipif(not BESIDE.is_dir(), reason="no samples are beside the repository")
@pytest.mark.parametrize(("name", "kinds"), SAMPLES.items())
async def test_every_sample_means_what_is_said_of_its_kind(zendesk, name, kinds):
    body = (BESIDE / name).read_bytes()
    detail = json.loads(body).get("detail", {})
    ticket, actor = detail.get("id"), detail.get("actor_id")
    zendesk.on("GET users/8447388090496", {"user": {"id": 8447388090496, "role": "agent", "name": "Ada"}})
    zendesk.on("GET attachments/8447388099100", {"attachment": {"id": 8447388099100, "content_type": "image/png"}})
    answer = {"id": 1, "author_id": 8447388090496, "public": True, "html_body": "<p>Bye</p>"}
    people = [{"id": 8447388090496, "role": "agent"}]
    zendesk.on(f"GET tickets/{ticket}/comments", {"comments": [answer], "users": people})
    me = 8447388090494 if actor == "8447388090494" else ME
    zendesk.on("GET users/me", {"user": {"id": me, "role": "agent"}})
    async with zendesk.receiving() as (_, receive):
        found = await receive(body)
    assert [one.reason if isinstance(one, hitl.Ignored) else one.kind for one in found] == kinds


async def test_the_echo_of_a_relayed_message_is_ours_by_actor_too(zendesk):
    """Nothing of it reaches the customer, whichever of the two Zendesk tells."""
    zendesk.on(f"GET users/{CUSTOMER}", reply(200, json={"user": {"id": CUSTOMER, "role": "end-user"}}))
    async with zendesk.receiving() as (_, receive):
        for actor in (ME, CUSTOMER, -1):
            body = event("comment_added", said(author=CUSTOMER, staff=False), actor_id=str(actor))
            (found,) = await receive(body)
            assert found.kind == "ignored"
