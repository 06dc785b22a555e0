"""The signature schemes: every row known from the field, both directions of the window, and strangers' worst input."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import FrozenInstanceError, dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hitl_core.errors import ConfigurationError, WebhookVerificationError
from hitl_core.signatures import HmacScheme, SharedSecretScheme, Verified, decode_secret
from hitl_core.standard_webhooks import SCHEME as STANDARD_WEBHOOKS

NOW = datetime(2025, 1, 8, 12, 15, 46, tzinfo=UTC)
BODY = b'{"type":"message.created","text":"caf\xc3\xa9 \xe2\x98\x83"}'
ID = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"


@dataclass(frozen=True)
class Row:
    """A sender, its scheme, two secrets it might have, and the signed text written out independently of the scheme."""

    name: str
    scheme: HmacScheme
    signed: str
    old: str = "old-secret-0123456789"
    new: str = "new-secret-9876543210"


def _whsec(byte: int) -> str:
    return "whsec_" + base64.b64encode(bytes([byte]) * 24).decode()


_SECONDS, _MILLISECONDS, _ISO = "1736338546", "1736338546000", "2025-01-08T12:15:46Z"
ROWS = [
    Row("standard webhooks", STANDARD_WEBHOOKS, f"{ID}.{_SECONDS}.<body>", old=_whsec(1), new=_whsec(2)),
    Row(
        "chatwoot",
        HmacScheme(
            "X-Chatwoot-Signature",
            prefix="sha256=",
            template="{timestamp}.{body}",
            timestamp_header="X-Chatwoot-Timestamp",
        ),
        f"{_SECONDS}.<body>",
    ),
    Row("libredesk", HmacScheme("X-LibreDesk-Signature", prefix="sha256="), "<body>"),
    Row("jira", HmacScheme("X-Hub-Signature", prefix="sha256="), "<body>"),
    Row("zammad", HmacScheme("X-Hub-Signature", algorithm="sha1", prefix="sha1="), "<body>"),
    Row("intercom", HmacScheme("X-Hub-Signature", algorithm="sha1", prefix="sha1="), "<body>"),
    Row("freescout", HmacScheme("X-FreeScout-Signature", algorithm="sha1", encoding="base64"), "<body>"),
    Row("helpscout", HmacScheme("X-HelpScout-Signature", algorithm="sha1", encoding="base64"), "<body>"),
    Row("front rule", HmacScheme("X-Front-Signature", algorithm="sha1", encoding="base64"), "<body>"),
    Row(
        "front app",
        HmacScheme(
            "X-Front-Signature",
            encoding="base64",
            template="{timestamp}:{body}",
            timestamp_header="X-Front-Request-Timestamp",
            timestamp_unit="ms",
        ),
        f"{_MILLISECONDS}:<body>",
    ),
    Row("plain", HmacScheme("Plain-Request-Signature"), "<body>"),
    Row(
        "slack",
        HmacScheme(
            "X-Slack-Signature",
            prefix="v0=",
            template="v0:{timestamp}:{body}",
            timestamp_header="X-Slack-Request-Timestamp",
        ),
        f"v0:{_SECONDS}:<body>",
    ),
    Row(
        "zendesk",
        HmacScheme(
            "X-Zendesk-Webhook-Signature",
            encoding="base64",
            template="{timestamp}{body}",
            timestamp_header="X-Zendesk-Webhook-Signature-Timestamp",
            timestamp_unit="iso",
        ),
        f"{_ISO}<body>",
    ),
]
SCHEMES = {row.name: row.scheme for row in ROWS}
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
each_timed_row = pytest.mark.parametrize(
    "row", [row for row in ROWS if row.scheme.timestamp_header], ids=lambda row: row.name
)


def _sign(row: Row, secret: str, body: bytes = BODY) -> dict[str, str]:
    return row.scheme.sign(secret, body, timestamp=NOW, id=ID)


def test_the_table_has_the_thirteen_known_senders():
    assert len(SCHEMES) == len(ROWS) == 13


@each_row
def test_the_signature_is_the_hmac_of_the_documented_text(row):
    text = row.signed.encode().replace(b"<body>", BODY)
    key = base64.b64decode(row.new.removeprefix("whsec_")) if row.new.startswith("whsec_") else row.new.encode()
    mac = hmac.new(key, text, getattr(hashlib, row.scheme.algorithm))
    encoded = mac.hexdigest() if row.scheme.encoding == "hex" else base64.b64encode(mac.digest()).decode()

    assert _sign(row, row.new)[row.scheme.header] == row.scheme.prefix + encoded


@each_row
def test_what_is_signed_verifies_and_vouches_for_time_and_id(row):
    verified = row.scheme.verify([row.new], _sign(row, row.new), BODY, now=NOW)

    assert verified == Verified(NOW if row.scheme.timestamp_header else None, ID if row.scheme.id_header else None)


@each_row
def test_during_a_rotation_old_and_new_secret_are_both_accepted(row):
    for secret in (row.old, row.new):
        row.scheme.verify([row.new, row.old], _sign(row, secret), BODY, now=NOW)
    with pytest.raises(WebhookVerificationError, match="does not match"):
        row.scheme.verify([row.new], _sign(row, row.old), BODY, now=NOW)


@each_row
@pytest.mark.parametrize("changed", [BODY + b" ", BODY[:-1], b"", b"\xff\xfe" + BODY])
def test_a_changed_body_is_refused(row, changed):
    with pytest.raises(WebhookVerificationError, match="webhook_secret"):
        row.scheme.verify([row.new], _sign(row, row.new), changed, now=NOW)


@each_row
@pytest.mark.parametrize("garbage", ["garbage", "v1,", "=", "ÿ", "\ud800", "sha256=", "," * 9000, "v1, " * 40])
def test_a_garbage_signature_header_is_refused(row, garbage):
    headers = _sign(row, row.new) | {row.scheme.header: garbage}
    with pytest.raises(WebhookVerificationError):
        row.scheme.verify([row.new], headers, BODY, now=NOW)


@each_row
def test_a_missing_header_is_named(row):
    headers = _sign(row, row.new)
    for name in headers:
        with pytest.raises(WebhookVerificationError, match=f"Header {name} is missing"):
            row.scheme.verify([row.new], {k: v for k, v in headers.items() if k != name}, BODY, now=NOW)


@each_row
def test_header_names_match_in_any_case(row):
    for case in (str.upper, str.lower, str.title):
        headers = {case(name): value for name, value in _sign(row, row.new).items()}
        row.scheme.verify([row.new], headers, BODY, now=NOW)


@each_timed_row
@pytest.mark.parametrize(("seconds", "accepted"), [(300, True), (-300, True), (301, False), (-301, False)])
def test_the_window_holds_in_both_directions(row, seconds, accepted):
    now = NOW + timedelta(seconds=seconds)
    for moment in (now, now.timestamp()):
        if accepted:
            assert row.scheme.verify([row.new], _sign(row, row.new), BODY, now=moment).timestamp == NOW
        else:
            with pytest.raises(WebhookVerificationError, match="Check the clocks"):
                row.scheme.verify([row.new], _sign(row, row.new), BODY, now=moment)


@each_timed_row
def test_a_timestamp_moved_into_the_window_breaks_the_signature(row):
    headers = _sign(row, row.new)
    later = row.scheme.sign(row.new, BODY, timestamp=NOW + timedelta(days=1), id=ID)
    moved = headers | {row.scheme.timestamp_header: later[row.scheme.timestamp_header]}
    with pytest.raises(WebhookVerificationError, match="does not match"):
        row.scheme.verify([row.new], moved, BODY, now=NOW + timedelta(days=1))


@each_timed_row
@pytest.mark.parametrize(
    "text", ["nan", "inf", "1e9", "-1", "+1", " 1", "1\n", "9" * 5000, "٣", "\ud800", "2025-02-31T00:00:00Z", "x"]
)
def test_an_unreadable_timestamp_is_refused_with_its_unit(row, text):
    headers = _sign(row, row.new) | {row.scheme.timestamp_header: text}
    with pytest.raises(WebhookVerificationError, match=r"is not (an ISO|seconds|milliseconds)"):
        row.scheme.verify([row.new], headers, BODY, now=NOW)


def test_bytes_cannot_move_between_an_undelimited_timestamp_and_the_body():
    scheme = SCHEMES["zendesk"]
    headers = scheme.sign("secret", BODY, timestamp=NOW)
    stamp = headers[scheme.timestamp_header]
    for cut in range(1, len(stamp)):
        shifted = headers | {scheme.timestamp_header: stamp[:-cut]}
        with pytest.raises(WebhookVerificationError, match="ISO 8601"):
            scheme.verify(["secret"], shifted, stamp[-cut:].encode() + BODY, now=NOW)


def test_iso_timestamps_may_have_fractions_and_offsets():
    scheme = SCHEMES["zendesk"]
    for text in ("2025-01-08T12:15:46.123456789Z", "2025-01-08T13:15:46+01:00"):
        mac = hmac.digest(b"secret", text.encode() + BODY, "sha256")
        headers = {scheme.header: base64.b64encode(mac).decode(), scheme.timestamp_header: text}
        verified = scheme.verify(["secret"], headers, BODY, now=NOW)
        assert verified.timestamp is not None
        assert abs(verified.timestamp - NOW) < timedelta(seconds=1)


def test_slack_published_example_verifies():
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        "X-Slack-Request-Timestamp": "1531420618",
    }
    SCHEMES["slack"].verify(["8f742231b10e8888abcd99yyyzzz85a5"], headers, body, now=1531420618)


ZENDESK_SECRETS = {
    "generated": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "test": "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==",
}


@pytest.mark.parametrize(
    ("secret", "body", "signature"),
    [
        (
            "generated",
            '{"type": "zen:event-type:ticket.comment_added", "detail": {"id": "5158"}}',
            "ebEiJeDjIq3zsjsBT85dE+8f2TbpvXuzpUTPzzUxY0E=",
        ),
        ("generated", '{"text":"café ☃"}\n', "NFJizt/b5gdmdxfI6kjSD1PCRd4LLDx3M/r1i1Zx1kM="),
        ("generated", "", "N5j02f1ET9KDn/Gt2OJRdy8yKy9zJIy8pPljp+H03KY="),
        (
            "test",
            '{"type": "zen:event-type:ticket.comment_added", "detail": {"id": "5158"}}',
            "Ceaw1uzkdu198xnTgBPXHkjKvRAj9cE4tJLUWziL8as=",
        ),
        ("test", '{"text":"café ☃"}\n', "ziZ6XuaDdzczHZWU1cCVSmIGg4Wkw1F5XuB2CXmZADM="),
        ("test", "", "WSS4nloQpPUIRpfs2TAdIgp4tkfeeuv7UAnCdlnSRqA="),
    ],
)
def test_zendesk_secrets_are_text_and_the_timestamp_stands_bare_before_the_body(secret, body, signature):
    headers = {"X-Zendesk-Webhook-Signature": signature, "X-Zendesk-Webhook-Signature-Timestamp": _ISO}
    verified = SCHEMES["zendesk"].verify([ZENDESK_SECRETS[secret]], headers, body.encode(), now=NOW)
    assert verified.timestamp == NOW


def test_intercom_ping_verifies_over_its_exact_bytes():
    ping = {
        "type": "notification_event",
        "app_id": "i6wc9ipe",
        "data": {
            "type": "notification_event_data",
            "item": {"type": "ping", "message": "something something interzen"},
        },
        "links": {},
        "id": None,
        "topic": "ping",
        "delivery_status": None,
        "delivery_attempts": 1,
        "delivered_at": 0,
        "first_sent_at": 1553288147,
        "created_at": 1553288147,
        "self": None,
    }
    headers = {"X-Hub-Signature": "sha1=bd143944ba9d53c35277b757c6870307e6373c47"}
    body = json.dumps(ping, indent=2).encode() + b"\n"
    SCHEMES["intercom"].verify(["example-client-secret"], headers, body, now=NOW)
    with pytest.raises(WebhookVerificationError, match="raw body"):
        SCHEMES["intercom"].verify(["example-client-secret"], headers, json.dumps(ping).encode(), now=NOW)


def test_hex_signatures_match_in_either_case():
    scheme = SCHEMES["intercom"]
    headers = {name: value.upper() for name, value in scheme.sign("secret", BODY).items()}
    scheme.verify(["secret"], headers, BODY, now=NOW)


def test_any_of_several_listed_signatures_is_enough():
    headers = STANDARD_WEBHOOKS.sign(_whsec(1), BODY, timestamp=NOW, id=ID)
    good = headers["webhook-signature"]
    listed = headers | {"webhook-signature": f"v1,AAAA v1a,{good[3:]} {good} v2,x"}
    STANDARD_WEBHOOKS.verify([_whsec(1)], listed, BODY, now=NOW)
    with pytest.raises(WebhookVerificationError, match="does not match"):
        STANDARD_WEBHOOKS.verify([_whsec(1)], headers | {"webhook-signature": f"v1a,{good[3:]}"}, BODY, now=NOW)
    with pytest.raises(WebhookVerificationError, match="more than 32"):
        STANDARD_WEBHOOKS.verify([_whsec(1)], headers | {"webhook-signature": " ".join([good] * 33)}, BODY, now=NOW)


@pytest.mark.parametrize("scheme", [*SCHEMES.values(), SharedSecretScheme("X-Webhook-Secret")])
def test_no_secret_means_refused_and_says_which_setting(scheme):
    with pytest.raises(WebhookVerificationError, match=r"Set webhook_secret .* allow_unsigned_webhooks"):
        scheme.verify([], {}, BODY, now=NOW)


@pytest.mark.parametrize(
    ("secret", "encoding"),
    [
        ("", "utf8"), (" \n", "utf8"), ("\0\0", "utf8"), ("\ud800", "utf8"), ("", "whsec"), ("whsec_", "whsec"),
        ("whsec_%%%", "whsec"), ("whsec_AAAAA", "whsec"), ("AAAA", "base64"), ("é", "base64"),
        ("0", "hex"), ("xy", "hex"),
    ],
)  # fmt: skip
def test_a_secret_that_is_no_key_never_verifies_nor_signs(secret, encoding):
    scheme = HmacScheme("x-signature", secret_encoding=encoding)
    forged = {"x-signature": hmac.digest(b"", BODY, "sha256").hex()}
    with pytest.raises(WebhookVerificationError, match="usable"):
        scheme.verify([secret], forged, BODY, now=NOW)
    with pytest.raises(ConfigurationError, match="usable"):
        scheme.sign(secret, BODY)


@pytest.mark.parametrize(
    ("secret", "encoding", "key"),
    [
        ("a+b=", "utf8", b"a+b="), ("whsec_AQID", "whsec", b"\1\2\3"), ("AQID", "whsec", b"\1\2\3"),
        ("AQ", "base64", b"\1"), ("0102FF", "hex", b"\1\2\xff"),
    ],
)  # fmt: skip
def test_secrets_decode_as_their_sender_writes_them(secret, encoding, key):
    assert decode_secret(secret, encoding) == key


def test_one_secret_passed_bare_is_not_taken_letter_by_letter():
    scheme = SCHEMES["plain"]
    scheme.verify("secret", scheme.sign("secret", BODY), BODY, now=NOW)
    with pytest.raises(WebhookVerificationError):
        scheme.verify("secret", scheme.sign("s", BODY), BODY, now=NOW)


def test_an_unusable_old_secret_does_not_block_the_new_one():
    scheme = SCHEMES["plain"]
    scheme.verify(["", "secret"], scheme.sign("secret", BODY), BODY, now=NOW)


def test_errors_hold_neither_secret_nor_signature():
    row = ROWS[0]
    headers = _sign(row, row.old)
    with pytest.raises(WebhookVerificationError) as caught:
        row.scheme.verify([row.new], headers, BODY, now=NOW)
    for confidential in (row.new, row.new[6:], headers["webhook-signature"], headers["webhook-signature"][3:]):
        assert confidential not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"template": "{timestamp}.{body}"}, {"timestamp_header": "x-time"}, {"id_header": "x-id"}, {"template": "{id}"},
        {"template": ""}, {"template": "{body}{body}"}, {"template": "{nonce}{body}"}, {"template": "{{body}}"},
        {"template": "{timestamp}{timestamp}{body}", "timestamp_header": "x-time"},
    ],
)  # fmt: skip
def test_a_template_that_does_not_fit_its_headers_is_refused_when_declared(settings):
    with pytest.raises(ConfigurationError, match="template"):
        HmacScheme("x-signature", **settings)


def test_the_body_may_stand_in_front():
    scheme = HmacScheme("x-signature", template="{body}|{timestamp}", timestamp_header="x-time")
    headers = scheme.sign("secret", BODY, timestamp=NOW)
    assert headers["x-signature"] == hmac.digest(b"secret", BODY + b"|" + _SECONDS.encode(), "sha256").hex()
    assert scheme.verify(["secret"], headers, BODY, now=NOW).timestamp == NOW


def test_an_id_that_looks_like_a_placeholder_is_signed_as_it_is():
    headers = STANDARD_WEBHOOKS.sign(_whsec(1), BODY, timestamp=NOW, id="{timestamp}{id}")
    expected = hmac.digest(b"\1" * 24, b"{timestamp}{id}." + _SECONDS.encode() + b"." + BODY, "sha256")
    assert headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()
    assert STANDARD_WEBHOOKS.verify([_whsec(1)], headers, BODY, now=NOW).id == "{timestamp}{id}"


@pytest.mark.parametrize(
    "given", [{"timestamp": NOW}, {"id": ID}, {"timestamp": NOW, "id": "é"}, {"timestamp": NOW, "id": "a\nb"}]
)
def test_signing_without_what_the_scheme_signs_is_a_configuration_error(given):
    with pytest.raises(ConfigurationError, match=r"pass (id|timestamp)="):
        STANDARD_WEBHOOKS.sign(_whsec(1), BODY, **given)


def test_a_naive_time_is_refused():
    with pytest.raises(ConfigurationError, match="aware"):
        SCHEMES["slack"].sign("secret", BODY, timestamp=NOW.replace(tzinfo=None))


def test_schemes_are_values():
    scheme = SCHEMES["slack"]
    assert scheme == replace(scheme)
    assert hash(scheme) == hash(replace(scheme))
    assert replace(scheme, tolerance=1.0) != scheme
    with pytest.raises(FrozenInstanceError):
        scheme.header = "x-other"


SHARED = SharedSecretScheme("X-Webhook-Secret")


def test_a_shared_secret_accepts_old_and_new_and_nothing_else():
    for secret in ("old", "new", "pâte"):
        assert SHARED.verify(["new", "old", "pâte"], SHARED.sign(secret), BODY, now=NOW) == Verified()
    for wrong in ("", "o", "older", "OLD", "\ud800", "ÿ" * 10_000):
        with pytest.raises(WebhookVerificationError):
            SHARED.verify(["new", "old"], {"x-webhook-secret": wrong}, BODY, now=NOW)


def test_a_shared_secret_that_is_empty_is_refused():
    for secret in ("", "  "):
        with pytest.raises(WebhookVerificationError, match="usable"):
            SHARED.verify([secret], {"x-webhook-secret": secret or "x"}, BODY, now=NOW)
        with pytest.raises(ConfigurationError, match="usable"):
            SHARED.sign(secret)


ANY_TEXT = st.text(st.one_of(st.characters(), st.characters(categories=["Cs"])), max_size=60)
ANY_NUMBERS = st.one_of(st.integers().map(str), st.floats().map(str), st.just("9" * 5000))
ANY_HEADER = st.one_of(ANY_TEXT, ANY_NUMBERS, st.sampled_from(["v1,", "sha1=", "v0=", _ISO, _SECONDS, ""]))


@given(
    name=st.sampled_from(sorted(SCHEMES)),
    values=st.lists(ANY_HEADER, min_size=3, max_size=3),
    stray=st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=2),
    body=st.binary(max_size=200),
    secrets=st.lists(st.one_of(ANY_TEXT, ANY_TEXT.map("whsec_".__add__)), max_size=3),
    now=st.one_of(st.floats(), st.datetimes(timezones=st.just(UTC))),
)
@example("zendesk", ["x", "0001-01-01T00:00:00+23:59", ""], {}, b"", ["s"], 0.0)
@example("front app", ["x", "9" * 14, ""], {}, b"", ["s"], float("nan"))
def test_only_a_verification_error_escapes_whatever_arrives(name, values, stray, body, secrets, now):
    scheme = SCHEMES[name]
    names = [scheme.header, scheme.timestamp_header, scheme.id_header]
    headers = stray | {header: value for header, value in zip(names, values, strict=True) if header}
    with pytest.raises(WebhookVerificationError):
        scheme.verify(secrets, headers, body, now=now)


@given(header=ANY_HEADER, secrets=st.lists(ANY_TEXT.map("k".__add__), max_size=3))
def test_only_a_verification_error_escapes_a_shared_secret(header, secrets):
    with pytest.raises(WebhookVerificationError):
        SHARED.verify(secrets, {"x-webhook-secret": "-" + header}, BODY, now=NOW)


@given(
    name=st.sampled_from(sorted(SCHEMES)), body=st.binary(max_size=300), key=st.binary(min_size=1, max_size=80),
    seconds=st.integers(1, 4_000_000_000),
)  # fmt: skip
def test_every_scheme_round_trips_any_body(name, body, key, seconds):
    scheme = SCHEMES[name]
    secret = "whsec_" + base64.b64encode(b"k" + key).decode() if scheme.secret_encoding == "whsec" else "k" + key.hex()
    headers = scheme.sign(secret, body, timestamp=seconds, id=ID)
    verified = scheme.verify([secret], headers, body, now=seconds)
    assert verified.timestamp in (None, datetime.fromtimestamp(seconds, UTC))
