"""Business hours, by the clock on the wall (behaviour F31)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hitl_core.bridge.policy import BusinessHours, Policy
from hitl_core.errors import ConfigurationError

ZURICH = ZoneInfo("Europe/Zurich")
OFFICE = BusinessHours(
    timezone="Europe/Zurich",
    weekly={"mon-fri": ["08:00-12:00", "13:00-17:30"], "sat": "09:00-12:00"},
    holidays=["2026-08-01", "2026-12-25"],
    extra={"2026-12-24": ["08:00-12:00"], "2026-08-02": ["10:00-11:00"]},
)
NIGHT = BusinessHours(timezone="Europe/Zurich", weekly={"mon-sun": ["22:00-02:30"]})


def at(text, zone=ZURICH, fold=0):
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def only(weekly, zone="Europe/Zurich", **more):
    return BusinessHours(timezone=zone, weekly=weekly, **more)


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-03-02 07:59:59", False),
        ("2026-03-02 08:00", True),
        ("2026-03-02 11:59:59", True),
        ("2026-03-02 12:00", False),
        ("2026-03-02 13:00", True),
        ("2026-03-02 17:30", False),
        ("2026-03-07 09:00", True),
        ("2026-03-07 13:00", False),
        ("2026-03-08 10:00", False),
        ("2026-08-01 10:00", False),
        ("2026-08-02 10:30", True),
        ("2026-12-24 10:00", True),
        ("2026-12-24 14:00", False),
        ("2026-12-25 10:00", False),
    ],
)
def test_f31_somebody_is_there_within_the_ranges_of_a_day_from_begin_to_before_the_end(now, is_open):
    assert OFFICE.is_open(at(now)) is is_open
    assert OFFICE.is_open(at(now).astimezone(UTC)) is is_open


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-03-02 03:00", "2026-03-02 08:00"),
        ("2026-03-02 12:00", "2026-03-02 13:00"),
        ("2026-03-06 20:00", "2026-03-07 09:00"),
        ("2026-03-07 12:00", "2026-03-09 08:00"),
        ("2026-07-31 18:00", "2026-08-02 10:00"),
        ("2026-12-24 12:00", "2026-12-26 09:00"),
        ("2026-03-28 20:00", "2026-03-30 08:00"),
        ("2026-10-24 20:00", "2026-10-26 08:00"),
    ],
)
def test_f31_the_next_opening_is_found_over_weekends_holidays_and_changes_of_the_clock(now, opens):
    found = OFFICE.next_opening(at(now))
    assert (found, found.tzinfo) == (at(opens), ZURICH)


def test_f31_when_somebody_is_there_the_next_opening_is_now():
    now = at("2026-03-02 09:00").astimezone(UTC)
    assert OFFICE.next_opening(now) == now


@pytest.mark.parametrize(
    "never",
    [
        only({}),
        only({"mon-sun": []}),
        only({"mon": []}, extra={"2026-01-01": ["08:00-09:00"]}),
        only({"mon": []}, holidays=["2027-01-01"], extra={"2027-01-02": []}),
    ],
)
def test_f31_when_nobody_ever_comes_again_there_is_no_next_opening(never):
    assert never.next_opening(at("2026-03-02 09:00")) is None
    assert not never.is_open(at("2026-03-02 09:00"))


def test_f31_a_single_day_in_far_future_is_found():
    hours = only({}, extra={"2031-05-05": ["08:00-09:00"], "2030-05-05": []})
    assert hours.next_opening(at("2026-03-02 09:00")) == at("2031-05-05 08:00")


def test_f31_a_long_row_of_holidays_is_stepped_over():
    sundays = [date(2026, 3, 1) + timedelta(weeks=week) for week in range(60)]
    hours = only({"sun": ["10:00-11:00"]}, holidays=sundays)
    assert hours.next_opening(at("2026-03-01 00:00")) == at("2027-04-25 10:00")


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-03-02 21:59", False),
        ("2026-03-02 22:00", True),
        ("2026-03-03 00:00", True),
        ("2026-03-03 02:29", True),
        ("2026-03-03 02:30", False),
    ],
)
def test_f31_a_range_may_go_over_midnight(now, is_open):
    assert NIGHT.is_open(at(now)) is is_open


def test_f31_a_range_belongs_to_the_day_it_begins_on():
    hours = only({"sat": ["22:00-02:00"], "mon": ["22:00-02:00"]}, holidays=["2026-03-02"], extra={"2026-03-08": []})
    assert hours.is_open(at("2026-03-08 01:00"))  # the night of Saturday, into a day that is closed
    assert not hours.is_open(at("2026-03-02 23:00"))
    assert not hours.is_open(at("2026-03-03 01:00"))  # the night of the holiday


def test_f31_midnight_is_24_00_and_a_whole_week_has_no_gap():
    always = only({"mon-sun": ["00:00-24:00"]})
    assert all(always.is_open(at("2026-03-27 00:00") + timedelta(minutes=37 * step)) for step in range(400))
    evening = only({"mon": ["18:00-24:00"]})
    assert only({"mon": ["18:00-00:00"]}) == evening
    assert evening.is_open(at("2026-03-02 23:59:59"))
    assert not evening.is_open(at("2026-03-03 00:00"))


# Changes of the clock: in Zurich 2026-03-29 02:00 is 03:00, 2026-10-25 03:00 is 02:00 ---------------------------------


def test_f31_a_time_the_clocks_skip_is_the_moment_they_do():
    hours = only({"sun": ["02:30-04:00"]})
    jump = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert not hours.is_open(jump - timedelta(seconds=1))
    assert hours.is_open(jump)
    assert hours.next_opening(jump - timedelta(hours=3)) == jump
    until = only({"sat": ["22:00-02:30"]})
    assert until.is_open(jump - timedelta(seconds=1))
    assert not until.is_open(jump)


def test_f31_a_range_that_the_clocks_skip_altogether_does_not_take_place():
    hours = only({"sun": ["02:10-02:50"]})
    assert hours.next_opening(at("2026-03-28 12:00")) == at("2026-04-05 02:10")


def test_f31_a_range_is_one_stretch_of_time_when_the_clocks_go_back():
    opens = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)  # 22:00 in summer
    closes = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # 02:30 for the second time
    minutes = int((closes - opens) / timedelta(minutes=1))
    assert all(NIGHT.is_open(opens + timedelta(minutes=minute)) for minute in range(minutes))
    assert not NIGHT.is_open(closes)
    early = only({"sun": ["02:15-02:45"]})
    first = datetime(2026, 10, 25, 0, 15, tzinfo=UTC)
    assert early.next_opening(at("2026-10-24 12:00")).astimezone(UTC) == first
    assert early.is_open(first)
    assert early.is_open(at("2026-10-25 02:44", fold=1))


def test_f31_a_day_that_a_country_skipped_is_no_trouble():
    apia = only({"mon-sun": ["08:00-17:00"]}, zone="Pacific/Apia")  # there was no 30 December 2011
    zone = ZoneInfo("Pacific/Apia")
    assert apia.next_opening(at("2011-12-29 18:00", zone)) == at("2011-12-31 08:00", zone)
    assert not apia.is_open(datetime(2011, 12, 30, 10, 0, tzinfo=UTC))


# Properties -------------------------------------------------------------------------------------------------------

CLOCKS = st.builds(
    lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 59])
)
RANGES = st.lists(st.builds("{}-{}".format, CLOCKS, CLOCKS | st.just("24:00")), max_size=2)
DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))
ZONES = st.sampled_from(
    ["UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"]
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - naive bounds
RELAXED = settings(deadline=None)  # a deadline would measure the machine's other work


@st.composite
def some_hours(draw):
    weekly = draw(
        st.dictionaries(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), RANGES, max_size=7)
    )
    extra = draw(st.dictionaries(DAYS, RANGES, max_size=3))
    holidays = [day for day in draw(st.lists(DAYS, max_size=3)) if day not in extra]
    zone = draw(ZONES)
    try:
        return Policy.read(
            {"business_hours": {"timezone": zone, "weekly": weekly, "extra": extra, "holidays": holidays}}
        ).business_hours
    except ConfigurationError:  # it ends when it begins, or two overlap
        return BusinessHours(timezone=zone, weekly={"tue": ["23:30-00:30"]})


def shown_open(hours, wall):
    """Whether a clock on the wall shows a time within a range: the plainest way to say it."""

    def ranges(day):
        if day in hours.holidays:
            return []
        texts = hours.extra.get(day, hours.weekly.get(day.strftime("%a").lower(), ()))
        return [tuple(int(clock[:2]) * 60 + int(clock[3:]) for clock in text.split("-")) for text in texts]

    minute = wall.hour * 60 + wall.minute
    today = any(begin <= minute and (minute < end or end < begin) for begin, end in ranges(wall.date()))
    return today or any(end < begin and minute < end for begin, end in ranges(wall.date() - timedelta(days=1)))


@RELAXED
@given(hours=some_hours(), now=MOMENTS)
@example(hours=NIGHT, now=datetime(2026, 10, 25, 0, 45, tzinfo=UTC))
def test_f31_somebody_is_there_when_the_clock_on_the_wall_says_so(hours, now):
    shown = shown_open(hours, now.astimezone(hours.zone).replace(tzinfo=None))
    nearby = {(now + timedelta(hours=hour)).astimezone(hours.zone).utcoffset() for hour in (-30, 0, 30)}
    if len(nearby) == 1:
        assert hours.is_open(now) == shown
    else:  # around a change a range is one stretch, so it may be open where the clock shows an hour again
        assert hours.is_open(now) or not shown


@RELAXED
@given(hours=some_hours(), now=MOMENTS)
def test_f31_the_next_opening_is_the_first_moment_somebody_is_there(hours, now):
    opens = hours.next_opening(now)
    if opens is None:
        assert not any(hours.is_open(now + timedelta(hours=hour)) for hour in range(24 * 21))
        return
    assert opens >= now
    assert hours.is_open(opens)
    assert (opens == now) == hours.is_open(now)
    if opens > now:
        assert not hours.is_open(opens - timedelta(seconds=1)) or opens - timedelta(seconds=1) < now
        step = (opens - now) / 50
        assert not any(hours.is_open(now + step * count) for count in range(50))


@RELAXED
@given(hours=some_hours())
def test_hours_survive_json(hours):
    policy = Policy(business_hours=hours)
    assert Policy.from_stored(policy.to_stored()).business_hours == hours


# Configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, "business_hours.timezone: Field required"),
        ({"timezone": "Europe/Zurch"}, "unknown time zone, did you mean Europe/Zurich?"),
        ({"timezone": "europe"}, "unknown time zone"),
        ({"timezone": "../../etc/passwd"}, "unknown time zone"),
        ({"timezone": ""}, "unknown time zone"),
        ({"timezone": "UTC", "holiday": []}, "unknown field holiday, did you mean holidays?"),
        ({"timezone": "UTC", "weekly": {"mond": []}}, "weekly: unknown day, did you mean mon?"),
        ({"timezone": "UTC", "weekly": {"mon-son": []}}, "weekly: unknown day"),
        ({"timezone": "UTC", "weekly": {"mon-wed": [], "tue": []}}, "weekly: tue is given twice"),
        ({"timezone": "UTC", "weekly": {"mon": ["9-17"]}}, "weekly.mon: a range is written"),
        ({"timezone": "UTC", "weekly": {"mon": ["09:00-17:60"]}}, "weekly.mon: a range is written"),
        ({"timezone": "UTC", "weekly": {"mon": ["24:00-08:00"]}}, "weekly.mon: a range is written"),
        ({"timezone": "UTC", "weekly": {"mon": ["20:00-24:01"]}}, "weekly.mon: a range is written"),
        ({"timezone": "UTC", "weekly": {"mon": ["09:00-09:00"]}}, 'the whole day is "00:00-24:00"'),
        ({"timezone": "UTC", "weekly": {"mon": ["09:00-12:00", "11:59-13:00"]}}, "two ranges of a day overlap"),
        ({"timezone": "UTC", "weekly": {"mon": 9}}, "weekly.mon: opening hours are a list of ranges"),
        ({"timezone": "UTC", "weekly": ["09:00-17:00"]}, "business_hours.weekly: Input should be"),
        ({"timezone": "UTC", "holidays": ["Christmas"]}, "business_hours.holidays.0: Input should be a valid date"),
        ({"timezone": "UTC", "extra": {"Christmas": []}}, "business_hours.extra.Christmas"),
        (
            {"timezone": "UTC", "holidays": ["2026-12-24"], "extra": {"2026-12-24": []}},
            "2026-12-24 is a holiday and has extra hours",
        ),
    ],
)
def test_f31_wrong_hours_are_told_in_a_sentence(wrong, told):
    with pytest.raises(ConfigurationError) as caught:
        Policy.read({"business_hours": wrong})
    assert told in str(caught.value)


def test_f31_ranges_are_written_in_one_form_and_order():
    hours = only(
        {"sat-mon": ["13:00 \u2013 17:00", " 9:00-12:00"]}, holidays=["2026-12-25", "2026-01-01", "2026-12-25"]
    )
    assert list(hours.weekly.items()) == [(day, ("09:00-12:00", "13:00-17:00")) for day in ("mon", "sat", "sun")]
    assert hours.holidays == (date(2026, 1, 1), date(2026, 12, 25))


def test_a_time_without_a_time_zone_is_refused():
    for ask in (OFFICE.is_open, OFFICE.next_opening, Policy(business_hours=OFFICE).is_off_hours):
        with pytest.raises(ValueError, match="a time without a time zone"):
            ask(datetime(2026, 3, 2, 9, 0))  # noqa: DTZ001 - what is refused


def test_f31_a_policy_without_hours_is_never_off_hours():
    now = at("2026-03-01 03:00")
    assert not Policy().is_off_hours(now)
    assert Policy().next_opening(now) is None
    assert Policy(business_hours=OFFICE).is_off_hours(now)
    assert not Policy(business_hours=OFFICE).is_off_hours(at("2026-03-02 09:00"))


def test_f31_f33_customers_can_be_told_when_somebody_is_there_again():
    policy = Policy(business_hours=OFFICE, on_off_hours_message="We are back on {opens_at}. See you!")
    opens = policy.next_opening(at("2026-03-01 03:00"))
    assert policy.text("on_off_hours_message", opens_at=opens) == "We are back on 2026-03-02 08:00. See you!"
    assert policy.text("on_off_hours_message", opens_at=None) == "See you!"
