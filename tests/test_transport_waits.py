"""How long to wait: Retry-After in every form, back-off, and the public switch without it (behaviour S244, S286)."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_core._http import RetryPolicy, parse_http_date, parse_retry_after
from hitl_core._http.messages import HttpResponse
from hitl_core._http.waits import backoff_is_off, vendor_time
from hitl_core.errors import ConfigurationError
from hitl_core.testing import no_backoff

NOW = datetime(1994, 11, 6, 8, 49, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("34", 34.0),
        (" 7 ", 7.0),
        ("+3", 3.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-5", 0.0),
        ("-0.1", 0.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 37.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 37.0),
        ("Sun Nov  6 08:49:37 1994", 37.0),
        ("sun, 06 nov 1994 08:49:37 gmt", 37.0),
        ("Sun, 06 Nov 1994 08:48:00 GMT", 0.0),
        ("Sun, 06 Nov 1994 08:49:60 GMT", 59.0),
    ],
)
def test_retry_after_is_read_in_seconds_and_in_all_three_forms_of_date(value, seconds):
    assert parse_retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "soon",
        "nan",
        "inf",
        "1e3",
        "9" * 400,
        "١٢",
        "5 s",
        "12,13",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 0000 08:49:37 GMT",
    ],
)
def test_retry_after_that_says_nothing_usable_is_ignored(value):
    assert parse_retry_after(value, now=NOW) is None


@given(st.one_of(st.text(), st.from_regex(r"[+-]?[0-9]+(\.[0-9]+)?"), st.from_regex(r"[A-Z][a-z]{2}, .* GMT")))
def test_retry_after_never_raises_and_is_never_negative_or_endless(value):
    seconds = parse_retry_after(value, now=NOW)
    assert seconds is None or 0 <= seconds < float("inf")


@given(st.integers(0, 253_402_300_799).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_every_date_in_the_preferred_form_is_read_back(moment):
    assert parse_http_date(format_datetime(moment, usegmt=True), now=NOW) == moment


@pytest.mark.parametrize(("year", "expected"), [("44", 2044), ("76", 2076), ("77", 1977), ("99", 1999)])
def test_a_two_digit_year_more_than_fifty_years_ahead_is_in_the_past(year, expected):
    date = parse_http_date(f"Sunday, 06-Nov-{year} 08:49:37 GMT", now=datetime(2026, 1, 1, tzinfo=UTC))
    assert date is not None
    assert date.year == expected


def test_dates_are_judged_by_the_vendors_own_clock_so_that_ours_may_be_wrong():
    ours = NOW + timedelta(hours=3)
    response = HttpResponse(429, {"Date": "Sun, 06 Nov 1994 08:49:00 GMT"}, received_at=ours)
    assert vendor_time(response) == NOW
    assert vendor_time(HttpResponse(429, {"date": "?"}, received_at=ours)) == ours


def test_backoff_doubles_up_to_its_cap_and_takes_a_random_share():
    policy = RetryPolicy(base=1.0, cap=32.0, random=lambda: 1.0)
    assert [policy.backoff(n) for n in range(1, 8)] == [1, 2, 4, 8, 16, 32, 32]
    assert policy.backoff(10**9) == 32
    assert RetryPolicy(base=1.0, random=lambda: 0.25).backoff(2) == 0.5


@given(st.integers(1, 40))
def test_backoff_has_full_jitter(attempt):
    assert 0 <= RetryPolicy().backoff(attempt) <= RetryPolicy().cap


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"total": -1}, {"base": -1}, {"cap": -0.1}])
def test_a_policy_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="at least 1 attempt"):
        RetryPolicy(**wrong)


def test_the_switch_without_backoff_nests_and_ends():
    assert not backoff_is_off()
    with no_backoff():
        with no_backoff():
            assert backoff_is_off()
        assert backoff_is_off()
    assert not backoff_is_off()
