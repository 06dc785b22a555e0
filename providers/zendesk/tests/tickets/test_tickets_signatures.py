"""Deliveries are proven by time, body and the webhook's own secret (behaviour F20)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hitl_zendesk.deliveries import SIGNATURE, TEST_SECRET
from pydantic import SecretStr

import hitl_core as hitl

from .conftest import SECRET, START, TICKET, event, said

ROOT = Path(__file__).resolve().parents[4]
BESIDE = ROOT.parent / "shared" / "api" / "zendesk-samples" / "signature_vectors.json"

# base64(HMAC-SHA256(secret as UTF-8, timestamp + body)), computed by Python's hmac and base64 alone.
VECTORS = [
    (
        SECRET,
        "2026-01-05T12:00:00Z",
        b'{"type":"zen:event-type:ticket.comment_added","detail":{"id":"77"}}',
        "h+C7aG81ZIydvxbSROLelk0O+KY0tFvBZgEqPh0GHrw=",
    ),
    (SECRET, "2026-01-05T12:00:00Z", b"", "1ipY0ONW/MuvIahgrkViCuggaR1k/s1Oxki/S/DdVIY="),
    (
        SECRET,
        "2026-01-05T12:00:00Z",
        '{\n   "say": "grüezi ☃"\n}\n'.encode(),
        "YheWWQLN/Ry+yl+i4iqa+Tz2TwA4ljyTAONIkiHOlcs=",
    ),
    (
        "plain secret ü",
        "2026-01-05T11:56:00+00:00",
        b'{"ticket_id": "77"}',
        "90c8EVOnZtlafYcNoYDm0gyaK8Py3dibqqiiOo1BhwU=",
    ),
]


def headers(timestamp, signature):
    return {
        "X-Zendesk-Webhook-Signature": signature,
        "X-Zendesk-Webhook-Signature-Timestamp": timestamp,
        "X-Zendesk-Webhook-Id": "01J0",
        "X-Zendesk-Webhook-Invocation-Id": "01J1",
        "X-Zendesk-Account-Id": "22129848",
        "Content-Type": "application/json; charset=utf-8",
    }


def published():
    return json.loads(BESIDE.read_bytes())["vectors"]


@pytest.mark.parametrize(("secret", "timestamp", "body", "signature"), VECTORS)
def test_f20_a_signature_covers_time_and_raw_body(zendesk, secret, timestamp, body, signature):
    connection = zendesk.connect(webhook_secret=secret)
    delivery = connection.verify_webhook(headers=headers(timestamp, signature), body=body)
    assert delivery.body == body
    assert not any("signature" in name for name in delivery.headers)


@pytest.mark.parametrize(("secret", "timestamp", "body", "signature"), VECTORS[:3])
@pytest.mark.parametrize(
    "change",
    [
        lambda t, b, s: (t, b + b" ", s),
        lambda t, b, s: (t.replace("12:00:00", "12:00:01"), b, s),
        lambda t, b, s: (t.replace("Z", "+00:00"), b, s),
        lambda t, b, s: (t, b, s.lower()),
        lambda t, b, s: (t, b, s.rstrip("=")),
        lambda t, b, s: (t, b, "sha256=" + s),
        lambda t, b, s: (t, b, ""),
        lambda t, b, s: ("", b, s),
    ],
)
def test_f20_anything_else_is_refused(zendesk, change, secret, timestamp, body, signature):
    timestamp, body, signature = change(timestamp, body, signature)
    with pytest.raises(hitl.WebhookVerificationError) as caught:
        zendesk.connect(webhook_secret=secret).verify_webhook(headers=headers(timestamp, signature), body=body)
    assert secret not in str(caught.value)


@pytest.mark.parametrize("missing", ["X-Zendesk-Webhook-Signature", "X-Zendesk-Webhook-Signature-Timestamp"])
def test_f20_both_headers_are_needed(zendesk, missing):
    secret, timestamp, body, signature = VECTORS[0]
    told = headers(timestamp, signature)
    del told[missing]
    with pytest.raises(hitl.WebhookVerificationError, match=missing.lower()):
        zendesk.connect(webhook_secret=secret).verify_webhook(headers=told, body=body)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_f20_a_time_more_than_five_minutes_off_is_refused_in_both_directions(zendesk, seconds):
    connection = zendesk.connect(webhook_secret=SECRET)
    for within, off in ((True, seconds // 301 * 299), (False, seconds)):
        told = SIGNATURE.sign(SECRET, b"{}", timestamp=START + timedelta(seconds=off))
        if within:
            connection.verify_webhook(headers=told, body=b"{}")
        else:
            with pytest.raises(hitl.WebhookVerificationError, match="300 s are allowed"):
                connection.verify_webhook(headers=told, body=b"{}")


def test_the_secret_zendesk_tests_with_is_never_accepted(zendesk):
    """It is published: with it anybody could sign, also where it stands beside the webhook's own."""
    told = SIGNATURE.sign(TEST_SECRET, b"{}", timestamp=START)
    for secrets in ([TEST_SECRET], [SECRET, TEST_SECRET]):
        connection = zendesk.connect(webhook_secret=secrets)
        with pytest.raises(hitl.WebhookVerificationError, match="everybody knows") as caught:
            connection.verify_webhook(headers=told, body=b"{}")
        assert TEST_SECRET not in str(caught.value)


def test_the_secret_zendesk_tests_with_is_not_accepted_from_a_registration_either(zendesk):
    connection = zendesk.connect()
    connection._adopt_secrets(hitl.WebhookRegistration(url="https://b.test", secrets=(SecretStr(TEST_SECRET),)))
    told = SIGNATURE.sign(TEST_SECRET, b"{}", timestamp=START)
    with pytest.raises(hitl.WebhookVerificationError):
        connection.verify_webhook(headers=told, body=b"{}")


def test_the_published_test_secret_is_the_documented_one():
    assert len(TEST_SECRET) == 44
    assert TEST_SECRET.startswith("dGhpc19zZWNyZXRfaXNf")


# What a delivery says of itself


def test_an_event_is_named_by_its_own_id_ticket_and_external_id(zendesk):
    delivery = zendesk.deliver(zendesk.connect(webhook_secret=SECRET), event("comment_added", said()))
    assert delivery.id == "0f0e0d0c-0b0a-4908-8706-050403020100"
    assert delivery.session_ids == (str(TICKET),)
    assert delivery.external_ids == ("conversation-1",)
    assert delivery.account == "22129848"


def test_a_repeated_invocation_has_the_same_id_whatever_its_headers(zendesk):
    connection = zendesk.connect(webhook_secret=SECRET)
    first = zendesk.deliver(connection, event("comment_added", said()))
    zendesk.clock.advance(120)
    assert zendesk.deliver(connection, event("comment_added", said())).id == first.id


@pytest.mark.parametrize("external", [None, "", 7, ["x"]])
@pytest.mark.parametrize("id_", [77, "77", " 77 "])
def test_ids_may_be_numbers_or_text_and_ours_may_be_missing(zendesk, id_, external):
    body = event("comment_added", said(), id=id_, external_id=external)
    delivery = zendesk.deliver(zendesk.connect(webhook_secret=SECRET), body)
    assert (delivery.session_ids, delivery.external_ids) == (("77",), ())


@pytest.mark.parametrize("family", ["user.deleted", "organization.created", "messaging_ticket.message_added"])
def test_ids_of_other_families_are_not_taken_for_tickets(zendesk, family):
    body = event("x") | {"type": f"zen:event-type:{family}", "detail": {"id": "77", "external_id": "conversation-1"}}
    delivery = zendesk.deliver(zendesk.connect(webhook_secret=SECRET), body)
    assert (delivery.session_ids, delivery.external_ids) == ((), ())


@pytest.mark.parametrize("body", [{"ticket_id": "77"}, {"ticket_id": 77}, {"ticketId": "77", "externalId": "c"}])
def test_a_triggers_delivery_names_its_ticket_and_each_is_one_of_its_own(zendesk, body):
    connection = zendesk.connect(webhook_secret=SECRET)
    first = zendesk.deliver(connection, body)
    zendesk.clock.advance(1)
    second = zendesk.deliver(connection, body)
    assert first.session_ids == second.session_ids == ("77",)
    assert first.account is None
    assert first.id != second.id  # two replies may say the same


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"null", b'{"ticket_id": ""}', b'{"detail": [1]}', b"[" * 10_000])
def test_s235_a_body_that_says_nothing_is_proven_and_names_nothing(zendesk, body):
    delivery = zendesk.deliver(zendesk.connect(webhook_secret=SECRET), body)
    assert (delivery.session_ids, delivery.external_ids, delivery.account) == ((), (), None)


# Vectors kept outside of the repository


@pytest.mark.skipif(not BESIDE.is_file(), reason="no further vectors are beside the repository")
def test_further_vectors_hold():
    assert published()
    for vector in published():
        at = datetime.fromisoformat(vector["timestamp"]).astimezone(UTC)
        told = headers(vector["timestamp"], vector["signature"])
        proven = SIGNATURE.verify([vector["secret"]], told, vector["body"].encode(), now=at)
        assert proven.timestamp == at
        with pytest.raises(hitl.WebhookVerificationError):
            SIGNATURE.verify([vector["secret"]], told, vector["body"].encode() + b".", now=at)
