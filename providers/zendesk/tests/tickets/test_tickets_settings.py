"""An account is named as people name it, and one way in is chosen clearly (behaviours S220, S228)."""

import logging
import traceback

import pytest
from hitl_zendesk import ZendeskOptions, ZendeskSettings
from pydantic import ValidationError

import hitl_core as hitl

pytestmark = pytest.mark.anyio

SECRET = "s3cret-value-5b"


# S220: how an account may be spelled


@pytest.mark.parametrize(
    "spelled",
    [
        "acme",
        "acme.zendesk.com",
        "http://acme.zendesk.com",
        "https://acme.zendesk.com",
        "https://acme.zendesk.com/",
        "https://acme",
        "http://acme/",
        "HTTPS://ACME.ZENDESK.COM",
        "Acme.Zendesk.com/",
        "\tacme.zendesk.com\n",
        "   https://acme.zendesk.com   ",
        " acme ",
    ],
)
async def test_s220_every_spelling_of_an_account_is_its_subdomain(zendesk, spelled):
    assert ZendeskSettings(subdomain=spelled, access_token="x").subdomain == "acme"
    async with zendesk.connect(subdomain=spelled) as connection:
        assert (await connection.identify()).id == "9001"
    assert zendesk.requests[0].url == "https://acme.zendesk.com/api/v2/users/me"


@pytest.mark.parametrize(
    ("spelled", "kept"),
    [
        ("acme.support", "acme.support"),
        ("https://acme.support.zendesk.com", "acme.support"),
        ("acme-shop_2", "acme-shop_2"),
        ("a", "a"),
        ("7", "7"),
        ("zendesk.com", "zendesk.com"),
        ("acme.zendesk.com.evil.example", "acme.zendesk.com.evil.example"),
    ],
)
def test_s220_dots_and_symbols_of_a_subdomain_stay_and_lead_nowhere_but_to_zendesk(spelled, kept):
    settings = ZendeskSettings(subdomain=spelled, access_token="x")
    assert settings.subdomain == kept
    assert settings.root == f"https://{kept}.zendesk.com"


@pytest.mark.parametrize(
    "spelled",
    [
        "",
        "  ",
        "https://",
        ".zendesk.com",
        "acme/../evil",
        "acme/agent/dashboard",
        "https://acme.zendesk.com/agent/tickets/1",
        "evil.example/.zendesk.com",
        "evil.example/x",
        "evil.example#",
        "evil.example?x=",
        "evil.example?.zendesk.com",
        "user@evil.example",
        "user:secret@acme",
        "acme:443",
        "evil.example:443/",
        "evil.example\\",
        "acme zendesk",
        "acme\nevil",
        "acme%2fevil",
        "acme.zendesk.com.",
        "-acme",
        "acme-",
        "ftp://acme",
        "//acme",
        "https://https://acme",
        "m\u00fcnchen",
        "\uff41cme",
        "a" * 64,
        "{acme}",
        "acme;x",
        "[::1]",
    ],
)
def test_s220_what_could_change_the_address_is_refused_unquoted(zendesk, spelled):
    with pytest.raises(hitl.ConfigurationError) as caught:
        zendesk.connect(subdomain=spelled)
    told = str(caught.value)
    assert "setting 'subdomain': give the account as in acme.zendesk.com" in told
    assert "evil" not in told
    assert "secret" not in told


def test_an_account_may_be_elsewhere_for_tests_and_proxies():
    settings = ZendeskSettings(subdomain="acme", access_token="x", base_url="http://127.0.0.1:8080/")
    assert settings.root == "http://127.0.0.1:8080"


# One way in


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "give client_id and client_secret of an OAuth client, or access_token, or email and api_token"),
        ({"client_id": SECRET}, "client_id and client_secret go together"),
        ({"client_secret": SECRET}, "client_id and client_secret go together"),
        ({"email": "ada@acme.test"}, "email and api_token go together"),
        ({"api_token": SECRET}, "email and api_token go together"),
        ({"refresh_token": SECRET}, "a refresh_token needs the client_id and client_secret it was issued to"),
        (
            {"refresh_token": SECRET, "access_token": SECRET},
            "a refresh_token needs the client_id and client_secret it was issued to",
        ),
        ({"client_id": "app", "client_secret": SECRET, "access_token": SECRET}, ": one of them, not several"),
        ({"access_token": SECRET, "email": "ada@acme.test", "api_token": SECRET}, ": one of them, not several"),
        (
            {"client_id": "app", "client_secret": SECRET, "email": "ada@acme.test", "api_token": SECRET},
            ": one of them, not several",
        ),
        ({"client_id": "", "client_secret": ""}, "give client_id and client_secret"),
    ],
)
def test_a_wrong_combination_is_one_sentence_without_a_value(zendesk, given, sentence):
    with pytest.raises(hitl.ConfigurationError) as caught:
        zendesk.connect(**{"access_token": None} | given)
    told = str(caught.value)
    assert sentence in told
    assert "'setting'" not in told
    assert len(told.splitlines()) == 2  # the sentence, and where all settings are listed
    whole = "".join(traceback.format_exception(caught.value))
    assert SECRET not in whole
    assert "ada@" not in whole


@pytest.mark.parametrize(
    "blank",
    [
        {"client_id": "", "client_secret": "", "refresh_token": ""},
        {"email": "", "api_token": ""},
        {"client_id": "", "client_secret": "", "email": "", "api_token": ""},
    ],
)
async def test_settings_left_blank_as_in_an_environment_count_as_left_out(zendesk, blank):
    async with zendesk.connect(access_token="access-token-1d9", **blank) as connection:
        await connection.identify()
    assert zendesk.requests[0].headers["authorization"] == "Bearer access-token-1d9"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook_mode", "both"),
        ("stop_status", "open"),
        ("tag", "Two words"),
        ("tag", ""),
        ("share_email", "perhaps-s3cret"),
        ("timeout", 0),
        ("subdomian", "x"),
    ],
)
def test_a_setting_that_does_not_exist_or_fit_is_named_without_its_value(zendesk, name, value):
    with pytest.raises(hitl.ConfigurationError, match=name) as caught:
        zendesk.connect(**{name: value})
    assert "perhaps-s3cret" not in str(caught.value)
    assert "Two words" not in str(caught.value)


def test_no_secret_shows_in_the_settings():
    settings = ZendeskSettings(subdomain="acme", client_id="app", client_secret=SECRET, refresh_token=SECRET)
    assert SECRET not in f"{settings!r}{settings!s}{settings.model_dump()}"


def test_an_api_token_warns_once_and_says_until_when_it_works(zendesk, caplog):
    with caplog.at_level(logging.DEBUG):
        zendesk.connect(email="ada@acme.test", api_token=SECRET)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    for told in ("2026-10-27", "2027-04-30", "client_id and client_secret"):
        assert told in record.getMessage()
    assert SECRET not in record.getMessage()


@pytest.mark.parametrize("way", [{"access_token": "x"}, {"client_id": "app", "client_secret": SECRET}])
def test_no_other_way_in_warns(zendesk, caplog, way):
    with caplog.at_level(logging.DEBUG):
        zendesk.connect(**way)
    assert caplog.records == []


# S228: what a start may add


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"ticket_form_id": "12a"}, "ticket_form_id"),
        ({"ticket_form_id": 0}, "ticket_form_id"),
        ({"ticket_form_id": -3}, "ticket_form_id"),
        ({"requester_email": "grace@example.com"}, "requester_email needs requester_name"),
        ({"bot_photo_url": "https://acme.test/b.png"}, "bot_photo_url needs bot_name"),
        ({"priority": "critical"}, "priority"),
        ({"status": "solved"}, "status"),
        ({"type": "chore"}, "type"),
        ({"bot_name": ""}, "bot_name"),
        ({"bot_name": "b" * 256}, "bot_name"),
        ({"requester_name": ""}, "requester_name"),
        ({"custom_fields": [{"id": 0, "value": 1}]}, "custom_fields"),
        ({"custom_fields": [{"id": 7}]}, "custom_fields"),
        ({"brand": 1}, "brand"),
    ],
)
def test_s228_an_option_that_does_not_fit_is_refused_by_name_before_anything_is_sent(zendesk, customer, given, name):
    connection = zendesk.connect()
    with pytest.raises(hitl.InvalidRequestError, match=name) as caught:
        connection.plan_start(user=customer, title="T", options=given)
    assert "grace@" not in str(caught.value)
    assert zendesk.requests == []


def test_s228_digits_of_a_form_may_come_as_text():
    assert ZendeskOptions(ticket_form_id="360").ticket_form_id == 360


def test_values_of_custom_fields_stay_out_of_representations():
    options = ZendeskOptions(custom_fields=[{"id": 7, "value": "Grace's address"}])
    assert "Grace" not in repr(options)
    with pytest.raises(ValidationError) as caught:
        ZendeskOptions(custom_fields=[{"id": "Grace's field", "value": 1}])
    assert "Grace" not in str(caught.value)
