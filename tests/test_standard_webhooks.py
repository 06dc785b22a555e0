"""Standard Webhooks: the published vector, and the reference package as judge in both directions."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from hitl_core import standard_webhooks
from hitl_core.errors import ConfigurationError, WebhookVerificationError

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
VECTOR_BODY = b'{"test": 2432232314}'
MOMENT = datetime.fromtimestamp(1614265330, UTC)

keys = st.binary(min_size=24, max_size=64).filter(lambda key: key.strip(b"\0 \t\r\n"))
secrets = keys.map(lambda key: "whsec_" + base64.b64encode(key).decode())
ids = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=5
)


def test_the_published_vector_verifies_and_is_what_we_sign():
    verified = standard_webhooks.verify([SECRET], VECTOR, VECTOR_BODY, now=MOMENT)
    assert (verified.timestamp, verified.id) == (MOMENT, VECTOR["webhook-id"])

    signed = standard_webhooks.sign([SECRET], id=VECTOR["webhook-id"], timestamp=MOMENT, body=VECTOR_BODY)
    assert signed == VECTOR


def test_the_tolerance_is_five_minutes_both_ways_and_can_be_changed():
    for seconds in (-301, 301):
        now = MOMENT + timedelta(seconds=seconds)
        with pytest.raises(WebhookVerificationError, match="clocks"):
            standard_webhooks.verify([SECRET], VECTOR, VECTOR_BODY, now=now)
        standard_webhooks.verify([SECRET], VECTOR, VECTOR_BODY, now=now, tolerance=301)


@given(
    secret=secrets, message_id=ids, body=st.text(st.characters(codec="utf-8")), seconds=st.integers(0, 4_000_000_000)
)
def test_what_the_reference_signs_verifies_here(secret, message_id, body, seconds):
    moment = datetime.fromtimestamp(seconds, UTC)
    signature = standardwebhooks.Webhook(secret).sign(message_id, moment, body)
    headers = {"Webhook-Id": message_id, "Webhook-Timestamp": str(seconds), "Webhook-Signature": signature}

    verified = standard_webhooks.verify([secret], headers, body.encode(), now=moment)
    assert (verified.id, verified.timestamp) == (message_id, moment)


@given(secret=secrets, old=secrets, message_id=ids, document=documents)
def test_what_we_sign_verifies_in_the_reference_with_either_secret(secret, old, message_id, document):
    now = datetime.now(UTC)  # the reference has no clock to inject
    body = json.dumps(document).encode()
    headers = standard_webhooks.sign([secret, old], id=message_id, timestamp=now, body=body)

    assert standardwebhooks.Webhook(secret).verify(body, headers) == document
    assert standardwebhooks.Webhook(old).verify(body, headers) == document
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(secret).verify(body + b" ", headers)


@pytest.mark.parametrize(("header", "body"), [("garbage", b"{}"), ("v1,&", b"{}"), ("v1 v1", b"{}"), (None, b"\xff")])
def test_what_makes_the_reference_raise_its_own_errors_is_a_plain_refusal_here(header, body):
    headers = VECTOR if header is None else VECTOR | {"webhook-signature": header}
    with pytest.raises(WebhookVerificationError):
        standard_webhooks.verify([SECRET], headers, body, now=MOMENT)


def test_generated_secrets_are_thirty_two_random_bytes_and_fit_for_signing():
    made = {standard_webhooks.generate_secret() for _ in range(50)}
    assert len(made) == 50
    for secret in made:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    standard_webhooks.sign(list(made)[:2], id="msg_1", timestamp=0, body=b"")


@pytest.mark.parametrize("size", [0, 5, 23, 65])
def test_signing_refuses_secrets_outside_24_to_64_bytes_and_says_how_to_make_one(size):
    weak = "whsec_" + base64.b64encode(b"k" * size).decode()
    with pytest.raises(ConfigurationError, match=r"generate_secret\(\)") as caught:
        standard_webhooks.sign([SECRET, weak], id="msg_1", timestamp=0, body=b"")
    assert size == 0 or weak not in str(caught.value)


@pytest.mark.parametrize("size", [24, 64])
def test_signing_accepts_the_bounds(size):
    secret = "whsec_" + base64.b64encode(b"k" * size).decode()
    headers = standard_webhooks.sign([secret], id="msg_1", timestamp=0, body=b"")
    assert standard_webhooks.verify([secret], headers, b"", now=0).id == "msg_1"


def test_signing_needs_a_secret():
    with pytest.raises(ConfigurationError, match=r"generate_secret\(\)"):
        standard_webhooks.sign([], id="msg_1", timestamp=0, body=b"")


def test_one_secret_passed_bare_is_one_secret():
    assert standard_webhooks.sign(SECRET, id=VECTOR["webhook-id"], timestamp=MOMENT, body=VECTOR_BODY) == VECTOR
