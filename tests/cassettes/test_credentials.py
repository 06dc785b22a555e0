"""What looks like a credential is found by its looks or by the name of its field."""

import base64
import json

import pytest

from hitl_core import standard_webhooks
from hitl_core.testing.cassettes import Scrubber
from hitl_core.testing.cassettes.credentials import credentials_in, is_credential_field, without_credentials

BASIC = base64.b64encode(b"jane:hunter2-hunter2").decode()
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"

CREDENTIALS = {
    "a Bearer value": ["Bearer hunter2-hunter2", "bearer abcdefghijklmnopqrstuvwxyz", "Bearer+0aBcDeFgH"],
    "a Basic value": [f"Basic {BASIC}", f"basic {BASIC.rstrip('=')}", f"Basic%20{BASIC.replace('=', '%3D')}"],
    "a webhook secret": [standard_webhooks.generate_secret()],
    "a token": [
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "xoxb-123456789012-abcdef",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "AKIAIOSFODNN7EXAMPLE",
        "pat-eu1-12345678-1234-1234-1234-123456789012",
    ],
    "a JSON web token": [JWT],
    "a private key": [KEY, KEY.replace("\n", "\\n"), KEY.replace("RSA ", "")],
    "a user and password in a URL": ["https://jane:hunter2@corp.example/x"],
    "a user in a URL": ["https://hunter2hunter2@corp.example/x"],
    "a credential by its name": [
        "api_key=hunter2",
        "?access_token=hunter2&x=1",
        "client_secret%3Dhunter2",
        '{"apiKey": "hunter2"}',
        '{\\"password\\":\\"hunter2\\"}',
        "webhook-secret='hunter2'",
    ],
}

NO_CREDENTIALS = [
    "the bearer of bad news",
    "Basic support, Basic plan-2026-premium",
    "Bearer redacted",
    "Basic redacted",
    "api_key=redacted",
    '{"password": "redacted"}',
    "whsec_",
    "sk_",
    "mask_live_12345678",
    "risk-free-for-everybody-in-town",
    "eyJ",
    "https://corp.example/users/@jane",
    "https://corp.example/?at=10:30@noon",
    "api keys are created under Settings",
    "token: see the handbook",
    "https://corp.example:8443/x",
]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in CREDENTIALS.items() for text in texts])
def test_a_credential_is_found_and_taken_out(kind, text):
    text = f"before {text} after"
    assert kind in credentials_in(text)
    cleaned = without_credentials(text)
    assert list(credentials_in(cleaned)) == []
    assert without_credentials(cleaned) == cleaned
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")
    assert "hunter2" not in cleaned


@pytest.mark.parametrize("text", NO_CREDENTIALS)
def test_what_is_none_is_left(text):
    assert list(credentials_in(text)) == []
    assert without_credentials(text) == text


def test_a_webhook_secret_is_replaced_by_one_that_libraries_take():
    cleaned = without_credentials(standard_webhooks.generate_secret())
    assert standard_webhooks.sign([cleaned], id="m", timestamp=1, body=b"")


@pytest.mark.parametrize(
    "name", ["password", "client_secret", "apiKey", "data[api-token]", "auth.refreshToken", "secret", "X-Api-Key"]
)
def test_fields_of_credentials_are_known_by_name(name):
    assert is_credential_field(name)
    body = Scrubber().text(json.dumps({name: "any", "other": "any", name + "s": {"x": 1}}))
    assert json.loads(body) == {name: "redacted", "other": "any", name + "s": {"x": 1}}


@pytest.mark.parametrize("name", ["token", "key", "secretary", "password_changed_at", "tokens_used", "code", "id"])
def test_other_fields_are_not(name):
    assert not is_credential_field(name)
