"""What is repeated, what is never repeated, and what the caller is told (behaviour S244, F37)."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import SecretStr

from hitl_core import errors
from hitl_core._http import BearerAuth, FilePart, HttpClient, MemoryBudget, RetryPolicy, VendorError
from hitl_core.testing import ScriptedTransport, VirtualClock, ambiguous, no_backoff, not_sent, reply

pytestmark = pytest.mark.anyio

WRITES = ["POST", "PUT", "PATCH", "DELETE"]


def make(script, *, key_header="Idempotency-Key", classify=None, auth=None, **options):
    """Return a client, its transport and its clock; back-off takes exactly 0.5, 1, 2 … seconds."""
    transport, clock = ScriptedTransport(script), VirtualClock()
    options.setdefault("retry", RetryPolicy(random=lambda: 1.0))
    core = HttpClient(transport, clock=clock, provider="acme", connection="t/acme", **options)
    client = core.bind(base_url="https://api.example.com/v2", key_header=key_header, classify=classify, auth=auth)
    return client, transport, clock


async def fails(client, method="POST", **options):
    with pytest.raises(errors.HitlError) as caught:
        await client.request(method, "tickets", operation="start_hitl", **options)
    return caught.value


# Not sent and refused: repeated, whatever the request is


@pytest.mark.parametrize("method", ["GET", *WRITES])
@pytest.mark.parametrize("first", [not_sent(), reply(429), reply(503, headers={"Retry-After": "1"})])
async def test_what_was_not_sent_or_refused_is_repeated_for_any_request(method, first):
    client, transport, _ = make([first, reply(201)])
    answer = await client.request(method, "tickets", operation="start_hitl", repeatable=False)
    assert answer.status == 201
    assert len(transport.requests) == 2


async def test_the_back_off_is_exponential_and_bounded_in_attempts():
    client, transport, clock = make([not_sent()] * 4)
    error = await fails(client)
    assert type(error) is errors.ProviderUnavailableError
    assert error.retryable
    assert "nothing was sent" in str(error)
    assert len(transport.requests) == 4
    assert clock.waits == [0.5, 1.0, 2.0]


async def test_the_back_off_is_bounded_in_total_time():
    client, transport, clock = make(
        [not_sent()] * 50, retry=RetryPolicy(attempts=50, total=10, base=4, cap=4, random=lambda: 1.0)
    )
    await fails(client)
    assert clock.waits == [4, 4]
    assert len(transport.requests) == 3


async def test_retry_after_decides_the_wait():
    client, _, clock = make([reply(429, headers={"Retry-After": "7"}), reply(429, headers={"retry-after": "2.5"}), 200])
    await client.get("x", operation="check")
    assert clock.waits == [7.0, 2.5]


async def test_retry_after_as_a_date_decides_the_wait():
    client, _, clock = make([reply(503, headers={"Retry-After": "Mon, 05 Jan 2026 12:00:09 GMT"}), 200])
    await client.post("x", operation="send_message", json={})
    assert clock.waits == [9.0]


async def test_a_retry_after_that_is_garbage_leaves_the_back_off():
    client, _, clock = make([reply(429, headers={"Retry-After": "later"}), 200])
    await client.post("x", operation="send_message", json={})
    assert clock.waits == [0.5]


async def test_a_wait_longer_than_the_total_is_the_callers_at_once():
    client, transport, clock = make([reply(429, headers={"Retry-After": "34"})])
    error = await fails(client)
    assert type(error) is errors.RateLimitedError
    assert error.retry_after == 34
    assert (clock.waits, len(transport.requests)) == ([], 1)


async def test_a_wait_past_the_deadline_is_the_callers_at_once():
    clock = VirtualClock()
    client, transport, clock = make(
        [reply(503, headers={"Retry-After": "6"})], deadline=lambda: clock.now() + timedelta(seconds=5)
    )
    error = await fails(client, "GET")
    assert type(error) is errors.ProviderUnavailableError
    assert error.retry_after == 6
    assert (clock.waits, len(transport.requests)) == ([], 1)


async def test_a_wait_no_calendar_can_hold_is_still_only_too_long():
    client, _, clock = make(
        [reply(429, headers={"Retry-After": "9" * 40})],
        deadline=lambda: clock.now() + timedelta(seconds=5),
        retry=RetryPolicy(total=1e300),
    )
    assert isinstance(await fails(client), errors.RateLimitedError)


# Ambiguous: never repeated blindly (F37)


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("failure", [ambiguous(), 408, 500, 502, 503, 504])
async def test_f37_a_write_without_key_is_never_repeated_when_it_may_have_happened(method, failure):
    client, transport, clock = make([failure, 200])
    error = await fails(client, method)
    assert type(error) is errors.AmbiguousOutcomeError
    assert not error.retryable
    assert "look it up before repeating" in str(error)
    assert error.status == (failure if isinstance(failure, int) else None)
    assert len(transport.requests) == 1
    assert clock.waits == []


async def test_f37_a_503_with_a_garbage_retry_after_is_ambiguous_too():
    client, transport, _ = make([reply(503, headers={"Retry-After": "soon"}), 200])
    assert type(await fails(client)) is errors.AmbiguousOutcomeError
    assert len(transport.requests) == 1


async def test_f37_a_key_the_vendor_does_not_honour_makes_nothing_repeatable():
    client, transport, _ = make([ambiguous(), 200], key_header=None)
    assert type(await fails(client, key="k1")) is errors.AmbiguousOutcomeError
    (request,) = transport.requests
    assert "k1" not in str(dict(request.headers))


async def test_f37_a_write_declared_not_repeatable_is_not_repeated_in_spite_of_its_key():
    client, transport, _ = make([ambiguous(), 200])
    assert type(await fails(client, key="k1", repeatable=False)) is errors.AmbiguousOutcomeError
    assert transport.requests[0].headers["idempotency-key"] == "k1"


@pytest.mark.parametrize("failure", [ambiguous(), 408, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "body",
    [
        {"json": {"text": "grüße 👋", "n": [1, 2.5, None]}},
        {"content": b"\x00raw", "content_type": "application/octet-stream"},
        {"form": {"a": "1", "b": ["2", "3"]}},
        {"form": {"a": "1"}, "files": {"file": FilePart("a.png", b"\x89PNG", "image/png")}},
    ],
)
async def test_with_a_key_the_repeat_is_the_same_to_the_byte(failure, body):
    client, transport, _ = make([failure, not_sent(), 201])
    await client.post("tickets", operation="start_hitl", key="conv-42:1/1", params={"q": "a b"}, **body)
    assert len(transport.requests) == 3
    first, *others = transport.requests
    for other in others:
        assert (other.method, other.url, other.body) == (first.method, first.url, first.body)
        assert dict(other.headers) == dict(first.headers)
    assert first.headers["idempotency-key"] == "conv-42:1/1"


@pytest.mark.parametrize(("method", "options"), [("GET", {}), ("HEAD", {}), ("PUT", {"repeatable": True})])
@pytest.mark.parametrize("failure", [ambiguous(), 408, 500, 502, 503, 504])
async def test_reads_and_harmless_writes_are_repeated_and_end_as_unavailable(method, options, failure):
    client, transport, _ = make([failure] * 4)
    error = await fails(client, method, **options)
    assert type(error) is errors.ProviderUnavailableError
    assert error.retryable
    assert len(transport.requests) == 4


async def test_a_keyed_write_that_kept_failing_with_5xx_stays_ambiguous_but_may_be_repeated():
    client, transport, _ = make([500] * 4)
    error = await fails(client, key="k1")
    assert type(error) is errors.AmbiguousOutcomeError
    assert (error.status, error.retryable) == (500, True)
    assert len(transport.requests) == 4


async def test_a_keyed_write_never_answered_stays_ambiguous_but_may_be_repeated():
    client, transport, _ = make([ambiguous()] * 4)
    error = await fails(client, key="k1")
    assert type(error) is errors.AmbiguousOutcomeError
    assert error.retryable
    assert "same key" in str(error)
    assert len(transport.requests) == 4


@pytest.mark.parametrize("later", [not_sent(), reply(429, headers={"Retry-After": "60"}), reply(500)])
async def test_being_refused_later_does_not_undo_an_earlier_attempt_that_was_never_answered(later):
    client, _, _ = make([ambiguous(), later, later, later])
    error = await fails(client, key="k1")
    assert type(error) is errors.AmbiguousOutcomeError
    assert error.retryable
    assert error.retry_after in {None, 60.0}


async def test_a_final_answer_after_an_unanswered_attempt_is_what_the_caller_gets():
    client, _, _ = make([ambiguous(), 422])
    assert type(await fails(client, key="k1")) is errors.InvalidRequestError


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 425])
async def test_final_answers_are_not_repeated(status):
    client, transport, _ = make([status])
    await fails(client, "GET")
    assert len(transport.requests) == 1


async def test_cancellation_is_just_cancellation():
    reached = asyncio.Event()

    async def hang(_):
        reached.set()
        await asyncio.Event().wait()

    client, transport, _ = make(hang)
    task = asyncio.create_task(client.post("tickets", operation="start_hitl", key="k1"))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(transport.requests) == 1


async def test_the_vendors_own_words_decide_about_a_repeat():
    answers = {
        "SlowDown": VendorError(code="SlowDown", error=errors.RateLimitedError, retry_after=3),
        "Over": VendorError(code="Over", error=errors.SessionClosedError),
        "Maybe": VendorError(code="Maybe", error=errors.AmbiguousOutcomeError),
    }
    client, transport, clock = make(
        [reply(400, json="SlowDown"), reply(500, json="Over")], classify=lambda response: answers[response.json()]
    )
    error = await fails(client)
    assert type(error) is errors.SessionClosedError
    assert (error.code, error.status, len(transport.requests), clock.waits) == ("Over", 500, 2, [3.0])
    client, transport, _ = make([reply(400, json="Maybe"), 200], classify=lambda response: answers[response.json()])
    assert type(await fails(client)) is errors.AmbiguousOutcomeError
    assert len(transport.requests) == 1


# Deadline


async def test_no_write_starts_past_the_deadline():
    clock = VirtualClock()
    client, transport, _ = make([200], deadline=clock.now)
    error = await fails(client, key="k1")
    assert type(error) is errors.ProviderUnavailableError
    assert error.retryable
    assert "not sent, because the deadline" in str(error)
    assert transport.requests == []
    assert (await client.get("tickets", operation="check")).status == 200


async def test_no_repeat_of_a_write_starts_past_the_deadline():
    client, transport, clock = make([not_sent(), 200], deadline=lambda: start + timedelta(seconds=0.75))
    start = clock.now()
    assert (await client.post("x", operation="send_message")).status == 200
    client, transport, clock = make([not_sent(), not_sent(), 200], deadline=lambda: start + timedelta(seconds=0.75))
    start = clock.now()
    error = await fails(client)
    assert type(error) is errors.ProviderUnavailableError
    assert len(transport.requests) == 2
    assert clock.waits == [0.5]


async def test_a_slow_answer_counts_towards_the_total():
    def slow(_):
        clock.advance(20)
        return 500

    client, transport, clock = make(slow)
    await fails(client, "GET")
    assert len(transport.requests) == 2


# Waits that raise


@pytest.mark.parametrize(
    ("first", "kind", "retry_after"),
    [
        (reply(429, headers={"Retry-After": "3"}), errors.RateLimitedError, 3.0),
        (reply(429), errors.RateLimitedError, None),
        (reply(503, headers={"Retry-After": "0"}), errors.ProviderUnavailableError, 0.0),
        (not_sent(), errors.ProviderUnavailableError, None),
        (ambiguous(), errors.AmbiguousOutcomeError, None),
        (500, errors.AmbiguousOutcomeError, None),
    ],
)
async def test_where_waits_raise_nothing_sleeps_and_nothing_is_repeated(first, kind, retry_after):
    client, transport, clock = make([first, 200], waits="raise")
    error = await fails(client, key="k1")
    assert type(error) is kind
    assert error.retryable
    assert error.retry_after == retry_after
    assert (len(transport.requests), clock.waits) == (1, [])


async def test_where_waits_raise_the_budgets_waits_raise_too():
    clock = VirtualClock()
    budget = MemoryBudget(clock)
    budget.observe("account", 100, 0, 12)
    client, transport, _ = make([200], waits="raise", budget=budget)
    error = await fails(client)
    assert type(error) is errors.RateLimitedError
    assert error.retry_after == 12
    assert "nothing was sent" in str(error)
    assert transport.requests == []


# The public switch


async def test_without_backoff_attempts_are_counted_and_no_time_passes():
    client, transport, clock = make([reply(429, headers={"Retry-After": "3600"})] * 9)
    with no_backoff():
        error = await fails(client)
    assert type(error) is errors.RateLimitedError
    assert error.retry_after == 3600
    assert (len(transport.requests), clock.waits, clock.monotonic()) == (4, [], 0.0)


async def test_without_backoff_a_spent_budget_does_not_hold_up_either():
    clock = VirtualClock()
    budget = MemoryBudget(clock)
    budget.penalise("account", 1e9)
    client, transport, _ = make([200], budget=budget)
    with no_backoff():
        await client.get("x", operation="check")
    assert len(transport.requests) == 1


# Credentials


class Rotating:
    """Credentials that get newer ``left`` times."""

    def __init__(self, left):
        self.left, self.number, self.asked = left, 1, 0

    async def headers(self):
        return {"authorization": f"Bearer token-{self.number}"}

    async def refresh(self):
        self.asked += 1
        if not self.left:
            return False
        self.left -= 1
        self.number += 1
        return True


async def test_a_401_refreshes_once_and_repeats_the_same_bytes_with_new_credentials():
    auth = Rotating(left=5)
    client, transport, clock = make([401, 201], auth=auth)
    await client.post("tickets", operation="start_hitl", json={"a": 1})
    first, second = transport.requests
    assert [r.headers["authorization"] for r in transport.requests] == ["Bearer token-1", "Bearer token-2"]
    assert first.body == second.body
    assert clock.waits == []


async def test_credentials_another_instance_renewed_long_ago_are_renewed_once_more():
    auth = Rotating(left=5)
    client, transport, _ = make([401, 401, 201], auth=auth)
    await client.post("tickets", operation="start_hitl", json={"a": 1})
    assert (auth.asked, len(transport.requests)) == (2, 3)


async def test_a_third_401_is_final():
    auth = Rotating(left=5)
    client, transport, _ = make([401, 401, 401], auth=auth)
    assert type(await fails(client)) is errors.AuthenticationError
    assert (auth.asked, len(transport.requests)) == (2, 3)


async def test_without_newer_credentials_a_401_is_final():
    auth = Rotating(left=0)
    client, transport, _ = make([401], auth=auth)
    assert type(await fails(client)) is errors.AuthenticationError
    assert len(transport.requests) == 1


async def test_refreshes_are_counted_per_call_not_per_attempt():
    auth = Rotating(left=5)
    client, transport, _ = make([401, 401, 429, 401], auth=auth)
    assert type(await fails(client)) is errors.AuthenticationError
    assert (auth.asked, len(transport.requests)) == (2, 4)


async def test_configured_credentials_have_nothing_newer():
    client, transport, _ = make([401], auth=BearerAuth(SecretStr("configured-token")))
    error = await fails(client)
    assert type(error) is errors.AuthenticationError
    assert "configured-token" not in str(error)
    assert len(transport.requests) == 1
