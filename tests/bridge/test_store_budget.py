"""Replicas that share an account share its allowance, and slow down before the vendor refuses (F38)."""

import asyncio
import itertools

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hitl_core._http import ACCOUNT, MemoryBudget
from hitl_core.bridge.store.allowance import Allowance
from hitl_core.bridge.store.budget import StoreBudget
from hitl_core.bridge.store.tables import budgets
from hitl_core.errors import StoreError

pytestmark = pytest.mark.anyio

WINDOW = 60


class Vendor:
    """Counts in fixed windows, and says so in each answer."""

    def __init__(self, clock, limit):
        self._clock = clock
        self.limit = limit
        self.counts = {}
        self.refused = 0

    def ask(self):
        now = round(self._clock.monotonic(), 3)  # the stored times are round too, if otherwise
        number = int(now // WINDOW)
        self.counts[number] = self.counts.get(number, 0) + 1
        left = self.limit - self.counts[number]
        self.refused += left < 0
        return ACCOUNT, self.limit, max(left, 0), (number + 1) * WINDOW - now


@pytest.fixture
def replicas(store):
    return [StoreBudget(store, "acme", "acme/desk") for _ in range(2)]


async def learn(budget, *observation):
    if (learning := budget.observe(*observation)) is not None:
        await learning


async def send(budget, vendor, clock):
    while wait := await budget.reserve(ACCOUNT):
        clock.advance(wait)
    await learn(budget, *vendor.ask())


def statements(store):
    """Note every statement from now on."""
    seen = []
    sa.event.listen(store.engine.sync_engine, "before_cursor_execute", lambda *event: seen.append(event[2]))
    return seen


# Shared -------------------------------------------------------------------------------------------------------


async def test_two_replicas_get_almost_all_of_the_limit_and_never_more(replicas, clock):
    vendor = Vendor(clock, 100)
    await learn(replicas[0], *vendor.ask())
    for number in range(250):
        await send(replicas[number % 2], vendor, clock)
    assert vendor.refused == 0
    assert clock.monotonic() < 3 * WINDOW, "the limit is used, not just kept"
    assert max(vendor.counts.values()) <= 97, "a few per cent are left untouched"


async def test_replicas_that_ask_at_the_same_moment_are_counted_one_by_one(replicas):
    await learn(replicas[0], ACCOUNT, None, 30, 60)
    answers = await asyncio.gather(*(replicas[number % 2].reserve(ACCOUNT) for number in range(60)))
    assert answers.count(0) == 27, "at full speed down to the last few, which are spread"


GAPS = st.sampled_from([0.0] * 12 + [0.2, 0.5, 7.0, 31.0])
STEPS = st.lists(st.tuples(st.integers(0, 1), GAPS, st.integers(0, 20)), min_size=30, max_size=80)
tenants = (f"t{number}" for number in itertools.count())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(3, 40), steps=STEPS)
def test_whatever_the_order_of_answers_two_replicas_never_exceed_the_limit(runner, store_here, clock, limit, steps):
    async def run():
        clock._elapsed = 0.0
        tenant = next(tenants)
        replicas = [StoreBudget(store_here, tenant, "desk") for _ in range(2)]
        vendor, under_way = Vendor(clock, limit), []
        await learn(replicas[0], *vendor.ask())
        for replica, gap, late in steps:
            # Answers come late and out of order, but not a window late.
            arrived = [one for one in under_way if one[0] == 0 or clock.monotonic() + gap - one[1] > 1.4]
            under_way = [(left - 1, *more) for left, *more in under_way if (left, *more) not in arrived]
            for _, _, which, answer in arrived:
                await learn(replicas[which], *answer)
            clock.advance(gap)
            if await replicas[replica].reserve(ACCOUNT) == 0:
                under_way.append((late, clock.monotonic(), replica, vendor.ask()))
        assert vendor.refused == 0
        clock.advance(2 * WINDOW)
        assert await replicas[0].reserve(ACCOUNT) == 0, "it goes on in the next window"

    runner.run(run())


@pytest.fixture
def runner():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def store_here(runner, database_url, clock, clocked_store):
    store = clocked_store(database_url, clock=clock)
    runner.run(store.open())
    yield store
    runner.run(store.close())


async def test_a_refusal_met_by_one_replica_holds_the_other_within_a_second(replicas, clock):
    one, two = replicas
    assert await two.reserve(ACCOUNT) == 0
    await one.penalise(ACCOUNT, 30)
    assert await one.reserve(ACCOUNT) == 30
    clock.advance(1)
    assert await two.reserve(ACCOUNT) == 29


async def test_a_refusal_only_ever_moves_the_time_forward_and_voids_what_was_promised(replicas, clock):
    one, two = replicas
    await learn(one, ACCOUNT, None, 4, 40)
    assert await one.reserve(ACCOUNT) == 0
    promised = await one.reserve(ACCOUNT)
    assert promised == pytest.approx(10)
    await two.penalise(ACCOUNT, 30)
    await two.penalise(ACCOUNT, 5)
    clock.advance(promised)
    assert await one.reserve(ACCOUNT) == pytest.approx(30 - promised)
    clock.advance(30)
    assert await one.reserve(ACCOUNT) == 0


async def test_who_waits_is_told_a_time_of_their_own(replicas, clock):
    one, _ = replicas
    await learn(one, ACCOUNT, None, 4, 8)
    assert [await one.reserve(ACCOUNT) for _ in range(5)] == pytest.approx([0, 2, 4, 6, 8])
    clock.advance(2)
    assert await one.reserve(ACCOUNT) == 0


async def test_who_comes_a_moment_early_is_not_sent_to_the_end_of_the_queue(replicas, clock):
    one, _ = replicas
    await learn(one, ACCOUNT, None, 4, 8)
    assert [await one.reserve(ACCOUNT) for _ in range(2)] == pytest.approx([0, 2])
    clock.advance(1.99)
    assert await one.reserve(ACCOUNT) == pytest.approx(0.01, abs=1e-4)


async def test_f32_scopes_accounts_and_tenants_have_allowances_of_their_own(store, replicas):
    await replicas[0].penalise("ticket:17", 30)
    others = [StoreBudget(store, "acme", "acme/other"), StoreBudget(store, "rival", "acme/desk")]
    assert await replicas[1].reserve("ticket:17") == 30
    assert await replicas[1].reserve(ACCOUNT) == 0
    assert [await other.reserve("ticket:17") for other in others] == [0, 0]


async def test_what_is_known_survives_the_process(store, replicas, clock):
    await learn(replicas[0], ACCOUNT, 100, 0, 40)
    assert await StoreBudget(store, "acme", "acme/desk").reserve(ACCOUNT) == 40


# Cheap --------------------------------------------------------------------------------------------------------


async def test_without_a_known_limit_the_database_is_looked_into_once_a_second_at_most(store, replicas, clock):
    seen = statements(store)
    for _ in range(100):
        assert await replicas[0].reserve(ACCOUNT) == 0
        assert replicas[0].observe(ACCOUNT, None, None, None) is None
    once = len(seen)
    assert once <= 4
    clock.advance(1)
    await asyncio.gather(*(replicas[0].reserve(ACCOUNT) for _ in range(100)))
    assert len(seen) == 2 * once
    assert not any(statement.startswith(("INSERT", "UPDATE")) for statement in seen)


async def test_an_answer_that_tells_what_is_known_costs_nothing_and_so_does_waiting(store, replicas, clock):
    one, _ = replicas
    vendor = Vendor(clock, 100)
    await learn(one, *vendor.ask())
    assert await one.reserve(ACCOUNT) == 0
    seen = statements(store)
    assert one.observe(*vendor.ask()) is None
    await learn(one, ACCOUNT, 100, 0, 60)
    assert seen
    seen.clear()
    assert [await one.reserve(ACCOUNT) for _ in range(10)] == [60] * 10
    assert seen == []


async def test_many_scopes_do_not_fill_the_memory(replicas):
    for number in range(1100):
        await replicas[0].reserve(f"ticket:{number}")
    assert len(replicas[0]._known) == 1024


# Away ---------------------------------------------------------------------------------------------------------


async def test_while_the_database_is_away_each_replica_goes_by_what_it_knew(database_url, clock, clocked_store, caplog):
    away = False

    class Flaky(clocked_store):
        def read(self):
            return self._there(super().read)

        def write(self):
            return self._there(super().write)

        def _there(self, begin):
            if away:
                raise StoreError("the database cannot be reached")
            return begin()

    async with Flaky(database_url, clock=clock) as store:
        known, fresh = (StoreBudget(store, "acme", "acme/desk") for _ in range(2))
        await learn(known, ACCOUNT, 10, 2, 40)
        away = True
        clock.advance(5)
        assert await fresh.reserve(ACCOUNT) == 0
        assert await known.reserve(ACCOUNT) == 0
        assert await known.reserve(ACCOUNT) == pytest.approx(17.5)
        await known.penalise(ACCOUNT, 20)
        assert await known.reserve(ACCOUNT) == pytest.approx(20)
        assert caplog.text.count("not shared for now") == 2
        away = False
        clock.advance(35)
        assert await known.reserve(ACCOUNT) == 0
        async with store.read() as conn:
            assert (await conn.execute(sa.select(budgets.c.remaining))).scalar_one() == 9


# The rule -----------------------------------------------------------------------------------------------------


def left(allowance):
    return allowance.remaining


def test_a_late_answer_of_the_last_window_does_not_end_this_one():
    allowance = Allowance()
    allowance.observe(0, 100, 1, 60)
    assert allowance.reserve(60.1, 1) == 0
    allowance.observe(60.2, 100, 0, 0.5)
    assert left(allowance) == 99
    allowance.observe(60.3, 100, 98, 59.7)
    assert (left(allowance), allowance.resets_at) == (98, 120)
    allowance.observe(60.4, 100, 0, 0.1)
    assert (left(allowance), allowance.resets_at) == (98, 120)


def test_the_first_answer_of_a_window_does_not_give_back_what_is_under_way():
    allowance = Allowance()
    allowance.observe(0, 100, 1, 60)
    assert [allowance.reserve(60, 1) for _ in range(10)] == [0] * 10
    allowance.observe(60.1, 100, 99, 59.9)
    assert left(allowance) == 90


def test_an_answer_without_an_end_does_not_forget_the_end_of_the_window():
    allowance = Allowance()
    allowance.observe(0, 100, 50, 60)
    allowance.observe(1, 100, 48, None)
    assert (left(allowance), allowance.resets_at) == (48, 60)


def test_a_wait_nobody_can_live_through_is_still_a_time():
    allowance = Allowance()
    allowance.penalise(0, 1e300)
    allowance.observe(0, 10, 0, 1e300)
    assert 0 < allowance.reserve(0, 1) < 1e8


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 3.0, 61.0]), st.integers(0, 50), st.floats(0, 90)), max_size=40))
def test_it_never_refuses_for_longer_than_the_longest_window_or_block(events):
    allowance, now = Allowance(), 0.0
    for gap, remaining, reset_after in events:
        now += gap
        allowance.observe(now, 50, remaining, reset_after)
        assert allowance.reserve(now, 1) <= 90 + 1e-6


async def test_alone_it_is_as_quick_as_the_one_in_memory_but_for_what_is_left_untouched(replicas, clock):
    memory = MemoryBudget(clock)
    memory.observe(ACCOUNT, 20, 4, 20)
    await learn(replicas[0], ACCOUNT, 20, 4, 20)
    for _ in range(4):
        wait = await memory.reserve(ACCOUNT)
        assert await replicas[0].reserve(ACCOUNT) == pytest.approx(wait)
        clock.advance(wait or 1)
