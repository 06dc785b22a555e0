"""E-mail addresses and phone numbers are found as people spell them, and nothing else is."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_core.testing.cassettes.people import (
    emails_in,
    is_name_field,
    is_phone_field,
    name_for,
    phone_of_field,
    phones_in,
    without,
)


def found_in(text, find):
    return [text[found.start : found.end] for found in find(text)]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("write to jane.doe@corp.com, please", "jane.doe@corp.com"),
        ("<jane+tag@mail.corp.co.uk>", "jane+tag@mail.corp.co.uk"),
        ("'jane@corp.com'", "jane@corp.com"),
        ("o'brien@corp.com", "o'brien@corp.com"),
        ("see...jane@corp.com.", "jane@corp.com"),
        ("jörg@müller.de", "jörg@müller.de"),
        ("a@xn--mller-kva.xn--p1ai", "a@xn--mller-kva.xn--p1ai"),
        ("q=requester%3Ajane%40corp.com&x", "jane%40corp.com"),
        ("q=%22jane%2Btag%40corp.com%22", "jane%2Btag%40corp.com"),
        ("jane%2540corp.com", "jane%2540corp.com"),
        ("jane&#64;corp.com", "jane&#64;corp.com"),
        ("a@example.com.evil.com", "a@example.com.evil.com"),
        ("x" * 80 + "@corp.com", "x" * 80 + "@corp.com"),
    ],
)
def test_an_address_is_found(text, address):
    assert found_in(text, emails_in) == [address]


@pytest.mark.parametrize(
    "text",
    [
        "jane@example.com",
        "jane@mail.example.org",
        "jane@EXAMPLE.NET",
        "jane@corp.test",
        "jane@recorded.invalid",
        "@mention me",
        "@scope/package@1.2.3",
        "icon@2x.png",
        "user@localhost",
        "a @ b.com",
        "price@",
    ],
)
def test_what_is_no_address_or_nobodys_is_left(text):
    assert found_in(text, emails_in) == []


PHONES = [
    "+491701234567",
    "+49 170 1234567",
    "+49 (0) 170 / 123 45 67",
    "+1 (415) 555-2671",
    "+1.415.555.2671",
    "+44 20 7946 0958",
    "%2B491701234567",
    "(415) 555-2671",
    "415-555-2671",
    "415.555.2671",
    "1-415-555-2671",
    "0171 2345678",
    "0171/2345678",
    "(030) 1234567",
    "(0171)2345678",
    "030-1234567",
    "020 7946 0958",
    "06 12 34 56 78",
    "06.12.34.56.78",
    "0049 170 1234567",
    "tel:01701234567",
    "wa.me/491701234567",
]

NO_PHONES = [
    "12345",
    "#1234567",
    "ticket 35436 and 4155552671",
    "INC0012345",
    "TCK-2026-000123",
    "ZD-00123-456",
    "case 2026-0123-4567",
    "2026-01-05",
    "2026-01-05T12:00:00+00:00",
    "2026-01-05T12:00:00.123456+05:30",
    "05-12-2026",
    "05/12/2026 10",
    "05-12-2026 12:30:00",
    "05 12 2026 0815",
    "Mon, 05 Jan 2026 12:00:00 GMT",
    "1767614400",
    "1767614400000",
    "1767614400.123456",
    "+1767614400.123456",
    "+1.2345678",
    "123e4567-e89b-12d3-a456-426614174000",
    "01234567-0123-4567-0123-012345678901",
    "192.168.100.200",
    "10.0.0.1:8080",
    "v1.2.3-0123",
    "+0000",
    "+02:00",
    "3+4=7",
    "sha256:0123456789abcdef0123456789abcdef",
    "4111111111111111",
    "404-1234567-1234567",
    "978-3-16-148410-0",
    "0.123 4567890",
    "00012345",
    "000123 456",
    "x+491701234567",
    "https://acme.example/t/0171-2345678-title",
    "5 000 000",
    "01:02:03",
    "+1 415 555 0123",
    "(202) 555-0199",
]


@pytest.mark.parametrize("number", PHONES)
@pytest.mark.parametrize("around", ["{}", "call {} now", "call {}.", '"{}"', "<{}>"])
def test_a_phone_number_is_found(number, around):
    text = around.format(number)
    assert found_in(text, phones_in) == [number]
    cleaned = without(text, phones_in)
    assert "55501" in cleaned
    assert found_in(cleaned, phones_in) == []


@pytest.mark.parametrize("text", NO_PHONES)
@pytest.mark.parametrize("around", ["{}", "see {} now", '"{}",'])
def test_what_is_no_phone_number_or_nobodys_is_left(text, around):
    assert found_in(around.format(text), phones_in) == []


def test_numbers_side_by_side_and_behind_a_date_are_each_found():
    text = "0171 2345678 0171 2345679, 05-12-2026 0171 2345670 +49 171 2345671 2026-01-05"
    numbers = ["0171 2345678", "0171 2345679", "0171 2345670", "+49 171 2345671"]
    assert found_in(text, phones_in) == numbers


def test_equal_numbers_and_addresses_get_equal_pseudonyms_however_they_are_spelt():
    numbers = ["+49 170 1234567", "+491701234567", "%2B491701234567", "+49 (0)170 123-4567"]
    assert {without(number, phones_in).replace("%2B", "+") for number in numbers} == {
        "+" + phone_of_field("491701234567")
    }
    addresses = ["Jane@Corp.com", "jane@corp.com", "jane%40corp.com"]
    assert len({without(address, emails_in).replace("%40", "@") for address in addresses}) == 1
    assert without("jane@corp.com", emails_in) != without("john@corp.com", emails_in)


def test_bare_digits_are_a_number_in_a_field_that_says_so():
    assert phone_of_field("01701234567") not in {None, "01701234567"}
    assert phone_of_field(phone_of_field("01701234567")) is None
    for value in ("4711", "unknown", "12025550123", "2026-01-05T12:00:00Z"):
        assert phone_of_field(value) is None


@pytest.mark.parametrize("name", ["phone", "Phone-Number", "user[mobile]", "contact.wa_id", "msisdn", "homePhone"])
def test_fields_of_phone_numbers(name):
    assert is_phone_field(name)


@pytest.mark.parametrize("name", ["name", "first_name", "lastName", "user[name]", "contact.display_name", "Full Name"])
def test_fields_of_names(name):
    assert is_name_field(name)


@pytest.mark.parametrize("name", ["id", "phonetic", "telemetry", "filename", "hostname", "named", "status", "cellar"])
def test_fields_of_neither(name):
    assert not is_name_field(name)
    assert not is_phone_field(name)


def test_a_name_keeps_its_words_apart_so_that_the_first_name_alone_is_the_same_person():
    assert name_for("Jane Doe").split()[0] == name_for("jane")
    assert name_for("Jane Doe") != name_for("John Doe")
    assert name_for("Jane Doe", {"Jane Doe"}) == "Jane Doe"
    assert name_for("Support Jane", {"Support"}) == f"Support {name_for('Jane')}"
    assert name_for("42") == "42"


@settings(deadline=None)
@given(st.text())
def test_doing_it_again_changes_nothing(text):
    for find in (emails_in, phones_in):
        once = without(text, find)
        assert without(once, find) == once
    assert name_for(name_for(text)) == name_for(text)


@pytest.mark.parametrize("text", ["a." * 100_000, "@" * 100_000, "a@" * 50_000, "0171 " * 40_000, "+1 " * 60_000])
def test_the_search_takes_time_in_proportion(text):
    began = time.perf_counter()
    for find in (emails_in, phones_in):
        list(find(text))
    assert time.perf_counter() - began < 2
