"""Slowing down before the vendor refuses (behaviour F38)."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_core import errors
from hitl_core._http import (
    ACCOUNT,
    HttpClient,
    MemoryBudget,
    RateObservation,
    RetryPolicy,
    VendorError,
    common_limits,
)
from hitl_core._http.messages import HttpResponse
from hitl_core.testing import ScriptedTransport, VirtualClock, reply

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def budget(clock):
    return MemoryBudget(clock)


async def pace(budget, clock, count, cost=1):
    """Send ``count`` times as fast as the budget lets us; return when."""
    sent = []
    for _ in range(count):
        while wait := await budget.reserve(ACCOUNT, cost):
            clock.advance(wait)
        sent.append(round(clock.monotonic(), 3))
    return sent


async def test_nothing_known_and_plenty_left_mean_full_speed(budget, clock):
    assert await pace(budget, clock, 3) == [0, 0, 0]
    budget.observe(ACCOUNT, 100, 90, 60)
    assert await pace(budget, clock, 70) == [0.0] * 70


async def test_the_last_fifth_is_spread_over_the_rest_of_the_window(budget, clock):
    budget.observe(ACCOUNT, 100, 10, 50)
    sent = await pace(budget, clock, 10)
    assert sent == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]
    assert await pace(budget, clock, 1) == [50]


async def test_fewer_than_five_are_spread_whatever_the_limit_is(budget, clock):
    budget.observe(ACCOUNT, None, 4, 8)
    assert await pace(budget, clock, 4) == [0, 2, 4, 6]


async def test_none_left_waits_for_the_next_window(budget, clock):
    budget.observe(ACCOUNT, 100, 0, 12.5)
    assert await budget.reserve(ACCOUNT) == 12.5
    assert await budget.reserve(ACCOUNT) == 12.5
    clock.advance(12.5)
    assert await pace(budget, clock, 80) == [12.5] * 80


async def test_a_costly_request_waits_for_an_allowance_that_covers_it(budget, clock):
    budget.observe(ACCOUNT, 100, 3, 10)
    assert await budget.reserve(ACCOUNT, 5) == 10
    assert await budget.reserve(ACCOUNT, 1) == 0


async def test_without_a_known_reset_the_pace_is_the_limits_average(clock):
    budget = MemoryBudget(clock, assumed_window=60)
    budget.observe(ACCOUNT, 120, 3, None)
    assert await pace(budget, clock, 4) == [0, 0.5, 1, 1.5]
    budget.observe(ACCOUNT, 120, 0, None)
    assert await budget.reserve(ACCOUNT) == pytest.approx(0.5)
    budget.observe(ACCOUNT, 120, 100, None)
    assert await pace(budget, clock, 3) == [1.5, 1.5, 1.5]


async def test_answers_that_overtake_one_another_do_not_give_back_what_is_spent(budget, clock):
    budget.observe(ACCOUNT, 100, 2, 10)
    assert await budget.reserve(ACCOUNT) == 0
    budget.observe(ACCOUNT, 100, 5, 10.4)
    clock.advance(5)
    assert await budget.reserve(ACCOUNT) == 0
    clock.advance(1)
    assert await budget.reserve(ACCOUNT) == pytest.approx(4)


async def test_a_new_window_does_give_back(budget, clock):
    budget.observe(ACCOUNT, 100, 0, 5)
    budget.observe(ACCOUNT, 100, 100, 60)
    assert await budget.reserve(ACCOUNT) == 0


async def test_retry_after_only_ever_moves_the_time_forward(budget, clock):
    budget.penalise(ACCOUNT, 30)
    budget.penalise(ACCOUNT, 5)
    assert await budget.reserve(ACCOUNT) == 30
    budget.penalise(ACCOUNT, 40)
    assert await budget.reserve(ACCOUNT) == 40
    budget.observe(ACCOUNT, 100, 100, 60)
    assert await budget.reserve(ACCOUNT) == 40
    clock.advance(40)
    assert await budget.reserve(ACCOUNT) == 0


async def test_one_tickets_limit_leaves_the_others_alone(budget):
    budget.penalise("ticket:1", 30)
    assert await budget.reserve("ticket:1") == 30
    assert await budget.reserve("ticket:2") == 0
    assert await budget.reserve(ACCOUNT) == 0


async def test_finished_tickets_cost_no_memory(budget, clock):
    for number in range(5000):
        budget.observe(f"ticket:{number}", 30, 29, 600)
        clock.advance(1)
    budget.penalise("ticket:0", 10_000)
    for number in range(5000, 9000):
        budget.observe(f"ticket:{number}", 30, 29, 600)
        clock.advance(1)
    assert len(budget._windows) <= 1025
    assert await budget.reserve("ticket:0") > 0


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(0, 1e6)),
            st.one_of(st.none(), st.floats(0, 1e6)),
            st.one_of(st.none(), st.floats(-10, 1e6)),
            st.floats(0, 100),
        ),
        max_size=8,
    )
)
def test_a_budget_never_waits_past_what_it_was_told_and_never_for_ever(observations):
    async def run():
        clock = VirtualClock()
        budget = MemoryBudget(clock)
        for limit, remaining, reset, pause in observations:
            budget.observe(ACCOUNT, limit, remaining, reset)
            wait = await budget.reserve(ACCOUNT)
            assert 0 <= wait <= max([60.0, *(r for _, _, r, _ in observations if r is not None)]) + 1e-6
            clock.advance(pause)
        for _ in range(3):
            if (wait := await budget.reserve(ACCOUNT)) == 0:
                return
            clock.advance(wait)
        raise AssertionError("it never lets anything through")

    asyncio.run(run())


# Reading the headers ------------------------------------------------------------------------------------------------

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        ({"RateLimit-Limit": "700", "RateLimit-Remaining": "650", "RateLimit-Reset": "41"}, (700, 650, 41)),
        (
            {
                "X-RateLimit-Limit": "166",
                "X-RateLimit-Remaining": "9",
                "X-RateLimit-Reset": str(int(NOW.timestamp()) + 8),
            },
            (166, 9, 8),
        ),
        (
            {
                "x-ratelimit-limit": "5",
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": str(int(NOW.timestamp() * 1000) + 2500),
            },
            (5, 0, 2.5),
        ),
        ({"X-RateLimit-Total": "50", "X-RateLimit-Remaining": "12"}, (50, 12, None)),
        ({"X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "699"}, (700, 699, None)),
        ({"rate-limit-limit": "20", "rate-limit-remaining": "3", "rate-limit-reset": "1.5"}, (20, 3, 1.5)),
        ({"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "7", "ratelimit-reset": "0"}, (100, 7, 0)),
        (
            {
                "X-Rate-Limit": "700",
                "X-Rate-Limit-Remaining": "10",
                "ratelimit-limit": "700",
                "ratelimit-remaining": "10",
                "ratelimit-reset": "9",
            },
            (700, 10, 9),
        ),
        ({"ratelimit-limit": "700", "ratelimit-remaining": "600", "x-ratelimit-remaining": "2"}, (None, 2, None)),
        ({"x-ratelimit-limit": "5", "x-ratelimit-remaining": "1", "x-ratelimit-reset": "1000000001"}, (5, 1, 0)),
    ],
)
def test_the_usual_headers_are_read_whatever_their_family(headers, seen):
    (observation,) = common_limits(HttpResponse(200, headers, received_at=NOW))
    assert observation == RateObservation(ACCOUNT, *seen)


def test_a_reset_as_a_time_is_judged_by_the_vendors_clock():
    headers = {
        "x-ratelimit-remaining": "1",
        "x-ratelimit-reset": str(int(NOW.timestamp()) + 8),
        "date": "Mon, 05 Jan 2026 12:00:03 GMT",
    }
    (observation,) = common_limits(HttpResponse(200, headers, received_at=NOW - timedelta(hours=9)))
    assert observation.reset_after == 5


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_odd_headers_never_raise(limit, remaining, reset):
    headers = {"ratelimit-limit": limit, "ratelimit-remaining": remaining, "ratelimit-reset": reset}
    for item in common_limits(HttpResponse(200, headers, received_at=NOW)):
        assert item.remaining is not None
        assert item.remaining >= 0
        assert item.reset_after is None or item.reset_after >= 0


# In the client ------------------------------------------------------------------------------------------------------


def make(script, clock, budget, **options):
    transport = ScriptedTransport(script)
    limits = options.pop("limits", common_limits)
    classify = options.pop("classify", None)
    core = HttpClient(transport, clock=clock, budget=budget, **options)
    return core.bind(base_url="https://api.example.com", limits=limits, classify=classify), transport


def left(remaining, reset, status=200):
    return reply(
        status, headers={"ratelimit-limit": "100", "ratelimit-remaining": str(remaining), "ratelimit-reset": str(reset)}
    )


async def test_the_client_slows_down_by_what_answers_say_and_is_never_refused(clock, budget):
    def vendor(_):
        remaining = 9 - len(transport.requests) + 1
        return left(remaining, 20 - clock.monotonic())

    client, transport = make(vendor, clock, budget)
    for _ in range(6):
        await client.post("x", operation="x")
    assert sum(clock.waits) > 5
    assert clock.monotonic() < 20


async def test_a_wait_of_the_budget_longer_than_the_total_is_the_callers(clock, budget):
    client, transport = make([], clock, budget)
    budget.penalise(ACCOUNT, 31)
    with pytest.raises(errors.RateLimitedError, match="allowance is used up") as caught:
        await client.get("x", operation="x")
    assert caught.value.retry_after == 31
    assert caught.value.retryable
    assert transport.requests == []


async def test_one_requests_retry_after_holds_up_the_others_of_the_account(clock, budget):
    client, _ = make([reply(429, headers={"Retry-After": "9"}), 200], clock, budget, retry=RetryPolicy(attempts=1))
    with pytest.raises(errors.RateLimitedError):
        await client.get("x", operation="x")
    await client.get("y", operation="x")
    assert clock.waits == [9]


async def test_a_429_without_retry_after_waits_for_the_window_the_headers_name(clock, budget):
    client, _ = make([left(0, 6, status=429), 200], clock, budget)
    await client.post("x", operation="x")
    assert clock.waits == [6]


async def test_a_refusal_of_one_ticket_does_not_stop_the_account(clock, budget):
    def limits(response):
        yield RateObservation(ACCOUNT, 700, 600, 30)
        if response.status == 429:
            yield RateObservation("ticket:1", 30, 0, 400)

    client, transport = make([reply(429, headers={"Retry-After": "400"}), 200], clock, budget, limits=limits)
    with pytest.raises(errors.RateLimitedError):
        await client.post("1", operation="x", scopes=["ticket:1"])
    assert (await client.post("2", operation="x", scopes=["ticket:2"])).status == 200
    with pytest.raises(errors.RateLimitedError):
        await client.post("1", operation="x", scopes=["ticket:1"])
    assert len(transport.requests) == 2


async def test_a_provider_may_name_the_limit_that_was_hit(clock, budget):
    client, _ = make(
        [reply(429, headers={"Retry-After": "400"})], clock, budget, classify=lambda _: VendorError(scope="ticket:1")
    )
    with pytest.raises(errors.RateLimitedError):
        await client.post("1", operation="x", scopes=["ticket:1"])
    assert await budget.reserve(ACCOUNT) == 0
    assert await budget.reserve("ticket:1") == 400


async def test_a_parser_that_fails_does_not_turn_a_done_write_into_an_error(clock, budget):
    client, _ = make([201], clock, budget, limits=lambda response: [RateObservation(response.json()["x"], 1, 1, 1)])
    assert (await client.post("x", operation="x")).status == 201


async def test_a_shared_budget_may_be_asynchronous(clock):
    class Shared:
        def __init__(self):
            self.calls = []

        async def reserve(self, scope, cost=1):
            self.calls.append(("reserve", scope, cost))
            return 0.0

        async def observe(self, scope, limit, remaining, reset_after):
            self.calls.append(("observe", scope, limit, remaining, reset_after))

        async def penalise(self, scope, retry_after):
            self.calls.append(("penalise", scope, retry_after))

    shared = Shared()
    client, _ = make([left(50, 9), reply(429, headers={"Retry-After": "1"}), 200], clock, shared)
    await client.get("x", operation="x", cost=3)
    await client.get("x", operation="x", scopes=["ticket:1"])
    assert shared.calls == [
        ("reserve", ACCOUNT, 3),
        ("observe", ACCOUNT, 100, 50, 9),
        ("reserve", "ticket:1", 1),
        ("reserve", ACCOUNT, 1),
        ("penalise", "ticket:1", 1),
        ("penalise", ACCOUNT, 1),
        ("reserve", "ticket:1", 1),
        ("reserve", ACCOUNT, 1),
    ]
