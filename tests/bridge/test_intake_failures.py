"""Deliveries that cannot be read: tried again, held until the account is mended, or dead letters (behaviour F21)."""

import asyncio

import pytest

from hitl_core.bridge.store.tables import deliveries
from hitl_core.errors import (
    AmbiguousOutcomeError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    ProviderUnavailableError,
    RateLimitedError,
)
from hitl_core.events import AgentMessage
from hitl_core.messages import Text
from hitl_core.sessions import SessionRef
from hitl_core.testing.memory import Delivery
from hitl_core.webhooks import Parsed

from .intake_scene import BEA, KEY, body_of, provider, scene

pytestmark = pytest.mark.anyio

PUSH = provider(pull=False, changes=False)


async def two_sessions(it):
    it.desk.open("t1", "t2")
    await it.link("t1")
    await it.link("t2")


async def test_f21_a_delivery_that_cannot_be_read_now_is_tried_again_ever_more_slowly(store):
    async with scene(store, PUSH) as it:
        await two_sessions(it)
        it.desk.errors["d1"] = [ProviderUnavailableError("down") for _ in range(4)]
        await it.says("t1", "Hello", id="d1")
        await it.settle()
        waits = []
        for _ in range(4):
            [row] = await it.rows(deliveries)
            assert (row.state, row.detail) == (0, "memory/default/memory/parse_webhook: down")
            waits.append((row.not_before - it.now).total_seconds())
            it.clock.advance(waits[-1] - 0.5)
            await it.settle()
            assert (await it.rows(deliveries))[0].attempts == len(waits)
            it.clock.advance(0.5)
            await it.settle()
        assert waits == [1, 2, 4, 8]
        assert await it.said() == ["Hello"]
        assert await it.states() == {"d1": (1, "1 event")}


async def test_f21_f23_a_delivery_that_is_tried_again_holds_its_own_sessions_and_no_others(store):
    async with scene(store, PUSH) as it:
        await two_sessions(it)
        it.desk.errors["a1"] = [ProviderUnavailableError("down"), AmbiguousOutcomeError("no answer")]
        await it.says("t1", "one", id="a1")
        await it.says("t1", "two", id="a2")
        await it.says("t2", "other", id="b1")
        await it.settle()
        assert await it.said() == ["other"]
        await it.pass_time(0.9)
        await it.says("t1", "three", id="a3")
        await it.settle()
        assert await it.said() == ["other"]
        await it.pass_time(3, step=0.5)
        assert await it.said("c-t1") == ["one", "two", "three"]


async def test_f21_the_wait_a_helpdesk_asks_for_is_kept(store):
    async with scene(store, PUSH) as it:
        await two_sessions(it)
        it.desk.errors["d1"] = [RateLimitedError("slow down", retry_after=90)]
        await it.says("t1", "Hello", id="d1")
        await it.settle()
        [row] = await it.rows(deliveries)
        assert (row.not_before - it.now).total_seconds() == 90


async def test_f21_after_a_day_and_five_attempts_it_is_given_up(store):
    async with scene(store, PUSH) as it:
        await two_sessions(it)
        it.desk.errors["d1"] = [ProviderUnavailableError("down") for _ in range(500)]
        await it.says("t1", "secret words", id="d1")
        await it.pass_time(24 * 3600 - 1, step=300)
        assert await it.state("d1") == 0
        await it.pass_time(1200, step=300)
        assert await it.state("d1") == 2
        [letter] = await it.letters()
        assert (letter.source, letter.kind, letter.key) == ("delivery", "delivery", "d1")
        assert (letter.connection, letter.conversation_id, letter.failure) == (KEY, "c-t1", "unavailable")
        assert letter.source_position == 1
        assert "given up after" in letter.detail
        assert "secret" not in letter.detail


async def test_f21_one_that_lay_for_days_gets_five_attempts_all_the_same(store):
    async with scene(store, PUSH) as it:
        await two_sessions(it)
        it.desk.errors["d1"] = [ProviderUnavailableError("down") for _ in range(4)]
        await it.says("t1", "Hello", id="d1")
        it.clock.advance(3 * 24 * 3600)
        await it.pass_time(20, step=1)
        assert await it.said() == ["Hello"]


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (InvalidRequestError("no"), "refused"),
        (NotFoundError("gone", subject="session"), "closed"),
        (ValueError("a customer's words"), "refused"),
    ],
)
async def test_f21_what_repeating_cannot_help_is_a_dead_letter_at_once_and_holds_nothing_up(
    store, error, failure, caplog
):
    async with scene(store, PUSH) as it:
        await two_sessions(it)
        it.desk.errors["a1"] = [error]
        await it.says("t1", "one", id="a1")
        await it.says("t1", "two", id="a2")
        await it.settle()
        assert await it.said() == ["two"]
        assert await it.state("a1") == 2
        [letter] = await it.letters()
        assert letter.failure == failure
        assert "customer's words" not in letter.detail + caplog.text


async def test_f21_an_account_that_is_refused_burns_no_attempts_and_loses_nothing(store):
    async with scene(store, PUSH) as it:
        await two_sessions(it)
        it.desk.errors["d1"] = [AuthenticationError("key revoked") for _ in range(3000)]
        await it.says("t1", "Hello", id="d1")
        await it.pass_time(2 * 24 * 3600, step=1800)
        [row] = await it.rows(deliveries)
        assert (row.state, row.attempts) == (0, 0)
        assert "key revoked" in row.detail
        it.desk.errors.clear()
        await it.pass_time(61)
        assert await it.said() == ["Hello"]


async def test_f21_a_provider_that_cancels_itself_has_failed_and_takes_nobody_along(store):
    async with scene(store, PUSH) as it:
        await two_sessions(it)
        it.desk.errors["a1"] = [asyncio.CancelledError()]
        await it.says("t1", "one", id="a1")
        await it.says("t2", "other", id="b1")
        await it.settle()
        assert await it.said() == ["other"]
        assert await it.state("a1") == 2


async def test_f21_a_dead_delivery_that_is_replayed_is_read_again(store):
    async with scene(store, PUSH) as it:
        await two_sessions(it)
        it.desk.errors["d1"] = [InvalidRequestError("no")]
        await it.says("t1", "Hello", id="d1")
        await it.settle()
        await it.change(deliveries, deliveries.c.id == "d1", state=0, attempts=0, done_at=None)
        await it.settle()
        assert await it.said() == ["Hello"]


async def test_f21_a_delivery_of_a_newer_version_waits_as_a_dead_letter(store):
    async with scene(store, PUSH) as it:
        await two_sessions(it)
        await it.says("t1", "Hello", id="d1")
        await it.change(deliveries, deliveries.c.id == "d1", payload='{"from": "the future"}')
        await it.settle()
        [letter] = await it.letters()
        assert "newer version" in letter.detail
        assert await it.state("d1") == 2


async def test_f21_what_no_database_can_hold_costs_nothing_but_itself(store):
    async with scene(store, PUSH) as it:
        await two_sessions(it)
        ref = SessionRef(connection=KEY, id="t1")
        bad = [
            AgentMessage(event_id="e\0", session=ref, message_id="1", agent=BEA, message=Text(text="nul")),
            AgentMessage(event_id="e2", session=ref, message_id="2", message=Text(text="x"), raw=object()),
            AgentMessage(event_id="e3", session=ref, message_id="3", message=Text(text="x"), raw={"half": "\ud83d"}),
        ]
        good = AgentMessage(event_id="e4", session=ref, message_id="4", agent=BEA, message=Text(text="nul\0 inside"))
        it.desk.means["d1"] = Parsed(events=(*bad, good), cursors={"t1": "\0"})
        await it.receive(Delivery({}, body_of({"ticket": "t1"})), id="d1")
        await it.says("t2", "other", id="d2")
        await it.settle()
        assert await it.said("c-t1") == ["nul\0 inside"]
        assert await it.said("c-t2") == ["other"]
        assert await it.state("d1") == 2
        assert "cannot be stored" in (await it.letters())[0].detail


async def test_f21_a_row_the_database_refuses_is_a_dead_letter_and_its_neighbours_are_written(store, database_url):
    del database_url  # one of its own: it is spoiled
    async with scene(store, PUSH) as it:
        await two_sessions(it)
        gate = it.desk.gates["a1"] = it.desk.gates["b1"] = asyncio.Event()
        await it.says("t1", "one", id="a1")
        await it.says("t2", "other", id="b1")
        await it.intake.poll()
        work = it.working()
        while len(it.desk.running) < 2:  # noqa: ASYNC110 - both are to be written together
            await asyncio.sleep(0.001)
        # A link that lost its conversation stands for whatever a database may refuse.
        async with it.store.write() as conn:
            await _spoil(conn, it.store.is_sqlite)
        gate.set()
        await work
        assert await it.state("a1") == 2
        assert await it.said() == ["other"]
        assert "refuses" in (await it.letters())[0].detail


async def _spoil(conn, is_sqlite):
    """Let the database refuse inputs of one conversation."""
    import sqlalchemy as sa

    if is_sqlite:
        await conn.execute(
            sa.text(
                "CREATE TRIGGER spoil BEFORE INSERT ON hitl_inputs WHEN NEW.conversation_id = 'c-t1' "
                "BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        )
    else:
        await conn.execute(
            sa.text("ALTER TABLE hitl_inputs ADD CONSTRAINT spoil CHECK (conversation_id <> 'c-t1') NOT VALID")
        )
