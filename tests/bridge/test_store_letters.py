"""Dead letters are listed, explained, replayed once and dropped, beside a running server (F21, guarantee 5)."""

import asyncio
import itertools
import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from hitl_core.bridge.engine.progress import Progress
from hitl_core.bridge.handoff.inputs import Failure
from hitl_core.bridge.store.letters import Letter, Letters, explain
from hitl_core.bridge.store.tables import (
    DeliveryState,
    EffectState,
    InputState,
    LetterState,
    audit,
    conversations,
    deliveries,
    handoffs,
    inputs,
    outbox,
    workers,
)
from hitl_core.errors import StoreError

from .store_rows import START, put, rows

pytestmark = pytest.mark.anyio

NUMBERS = itertools.count(1)


@pytest.fixture
def letters(store):
    return Letters(store, "acme")


@pytest.fixture
def add(store, letters):
    """Add a letter about a row."""

    async def add(source="effect", position=0, key="h1:message:m1", kind="send_to_desk", **more):
        facts = {"failure": Failure.REFUSED.value, "detail": "too long", "at": START} | more
        async with store.write() as conn:
            return await letters.add(conn, source=source, source_position=position, key=key, kind=kind, **facts)

    return add


@pytest.fixture
def failed(store, add):
    """Make an effect that failed, and its letter."""

    async def failed(key="h1:message:m1", **more):
        progress = Progress(
            began_at=START, failures=7, unclear_since=START + timedelta(seconds=3), sent=2
        ).model_dump_json()
        facts = {"progress": progress, "state": EffectState.FAILED, "kind": "send_to_desk"} | more
        position = await put(
            store, outbox, conversation_id="c1", handoff_id="h1", key=key, lane="desk", failure="refused", **facts
        )
        return await add(position=position, key=key, kind=facts["kind"], conversation_id="c1", handoff_id="h1")

    return failed


@pytest.fixture
async def conversation(store):
    await put(store, conversations, id="c1", handoff_id="h1", speaker="human", fence=4)


async def only(store, table):
    [row] = await rows(store, table)
    return row


# Looking ------------------------------------------------------------------------------------------------------


async def test_letters_are_listed_in_order_page_by_page(letters, add):
    positions = [await add() for _ in range(5)]
    first = await letters.list(limit=3)
    assert [letter.position for letter in first] == positions[:3]
    rest = await letters.list(after=first[-1].position)
    assert [letter.position for letter in rest] == positions[3:]
    assert await letters.count() == 5


async def test_what_is_settled_is_listed_on_demand_alone(letters, add):
    one, two = [await add() for _ in range(2)]
    await letters.drop(one)
    assert [letter.position for letter in await letters.list()] == [two]
    assert [letter.position for letter in await letters.list(state=LetterState.DROPPED)] == [one]
    assert [letter.position for letter in await letters.list(state=None)] == [one, two]
    assert (await letters.get(one)).settled_at is not None


async def test_f32_a_tenant_sees_and_settles_its_own_letters_alone(store, letters, add):
    position = await add()
    other = Letters(store, "rival")
    assert await other.list() == []
    assert await other.get(position) is None
    for attempt in (other.drop(position), other.replay(position)):
        with pytest.raises(StoreError, match="there is no dead letter"):
            await attempt
    assert await letters.count() == 1


# Replaying ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("conversation")
async def test_an_effect_is_tried_anew_with_all_that_is_known_of_it(store, letters, failed):
    position = await failed(attempts=9, not_before=START, attempting_at=START, done_at=START, detail="too long")
    assert (await letters.replay(position)).state is LetterState.REPLAYED
    row = await only(store, outbox)
    assert (row.state, row.attempts) == (EffectState.WAITING, 9)
    assert [row.not_before, row.attempting_at, row.done_at, row.failure, row.detail] == [None] * 5
    progress = Progress.model_validate_json(row.progress)
    assert (progress.failures, progress.began_at, progress.sent) == (0, None, 2)
    assert progress.unclear_since == START + timedelta(seconds=3), "it may have happened, and is looked up first"


@pytest.mark.usefixtures("conversation")
async def test_a_replay_is_found_by_whoever_has_the_conversation_in_memory(store, letters, failed, clock):
    await letters.replay(await failed())
    row = await only(store, conversations)
    assert row.fence == 5, "what is kept in memory is read again"
    assert row.wake_at <= clock.now()


@pytest.mark.usefixtures("conversation")
async def test_what_was_sent_as_one_is_replayed_as_one(store, letters, failed):
    position = await failed("h1:message:m1")
    await failed("h1:message:m2", merged_into="h1:message:m1", progress=None)
    await failed("h1:message:m3")
    await letters.replay(position)
    assert [row.state for row in await rows(store, outbox)] == [
        EffectState.WAITING,
        EffectState.WAITING,
        EffectState.FAILED,
    ]


@pytest.mark.usefixtures("conversation")
async def test_settled_letters_are_not_replayed_twice(store, letters, failed):
    position = await failed()
    results = await asyncio.gather(*(letters.replay(position) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(result, Letter) for result in results) == 1
    for attempt in (letters.replay(position), letters.drop(position)):
        with pytest.raises(StoreError, match=r"was replayed already, at 2026-03-01 12:00:00 UTC"):
            await attempt
    assert (await only(store, conversations)).fence == 5


@pytest.mark.usefixtures("conversation")
async def test_an_effect_that_was_dealt_with_is_not_repeated(store, letters, failed):
    position = await failed()
    async with store.write() as conn:
        await conn.execute(sa.update(outbox).values(state=EffectState.DONE))
    with pytest.raises(StoreError, match="was dealt with; drop it instead"):
        await letters.replay(position)
    assert await letters.count() == 1
    await letters.drop(position)


@pytest.mark.usefixtures("conversation")
async def test_a_replay_waits_for_what_a_living_worker_is_trying(store, letters, failed, clock):
    position = await failed()
    await put(store, outbox, conversation_id="c1", key="other", state=EffectState.ATTEMPTING)
    await put(store, workers, id="w1", seen_at=clock.now())
    async with store.write() as conn:
        await conn.execute(sa.update(conversations).values(worker="w1"))
    replaying = asyncio.create_task(letters.replay(position))
    async with asyncio.timeout(10):
        while not clock.sleeping():  # noqa: ASYNC110  it is the clock's
            await asyncio.sleep(0.002)
    async with store.write() as conn:
        await conn.execute(sa.update(outbox).where(outbox.c.key == "other").values(state=EffectState.WAITING))
    clock.advance(1)
    assert (await replaying).state is LetterState.REPLAYED


@pytest.mark.usefixtures("conversation")
async def test_a_replay_does_not_wait_for_ever(store, letters, failed, clock):
    position = await failed()
    await put(store, outbox, conversation_id="c1", key="other", state=EffectState.ATTEMPTING)
    await put(store, workers, id="w1", seen_at=clock.now() + timedelta(hours=1))
    async with store.write() as conn:
        await conn.execute(sa.update(conversations).values(worker="w1"))
    replaying = asyncio.create_task(letters.replay(position))
    while not replaying.done():
        clock.advance(5)
        await asyncio.sleep(0.002)
    with pytest.raises(StoreError, match="try again"):
        await replaying
    assert await letters.count() == 1


@pytest.mark.usefixtures("conversation")
async def test_what_a_dead_worker_was_trying_is_not_waited_for(store, letters, failed):
    position = await failed()
    await put(store, outbox, conversation_id="c1", key="other", state=EffectState.ATTEMPTING)
    async with store.write() as conn:
        await conn.execute(sa.update(conversations).values(worker="dead"))
    assert (await letters.replay(position)).state is LetterState.REPLAYED


@pytest.mark.usefixtures("conversation")
@pytest.mark.parametrize(
    ("phase", "attempt", "key"), [("ended", 0, "h1:start"), ("starting", 1, "h1:start"), ("active", 0, "h1:start")]
)
async def test_a_start_is_not_repeated_once_the_hand_off_has_gone_on_without_it(
    store, letters, failed, phase, attempt, key
):
    await put(store, handoffs, id="h1", conversation_id="c1", phase=phase, record=json.dumps({"attempt": attempt}))
    position = await failed(key, kind="start_session")
    with pytest.raises(StoreError, match="start a new one"):
        await letters.replay(position)


@pytest.mark.usefixtures("conversation")
@pytest.mark.parametrize(("attempt", "key"), [(0, "h1:start"), (2, "h1:start:2")])
async def test_a_start_its_hand_off_still_waits_for_is_repeated(store, letters, failed, attempt, key):
    await put(store, handoffs, id="h1", conversation_id="c1", phase="starting", record=json.dumps({"attempt": attempt}))
    assert (await letters.replay(await failed(key, kind="start_session"))).state is LetterState.REPLAYED


@pytest.mark.usefixtures("conversation")
async def test_a_watch_begins_all_its_looks_anew(store, letters, failed):
    await letters.replay(await failed("h1:watch", kind="watch_start"))
    assert (await only(store, outbox)).progress is None


async def test_an_input_is_decided_on_again(store, letters, add):
    facts = {"conversation_id": "c1", "kind": "user_message", "payload": "{}", "outcome": "dead letter"}
    position = await put(store, inputs, key="m1", state=InputState.DEAD, done_at=START, **facts)
    await letters.replay(await add("input", position, "m1", "user_message", conversation_id="c1"))
    row = await only(store, inputs)
    assert (row.state, row.outcome, row.done_at) == (InputState.OPEN, None, None)


async def test_a_delivery_is_read_again(store, letters, add):
    facts = {"attempts": 5, "not_before": START, "done_at": START, "detail": "cannot be read"}
    position = await put(store, deliveries, connection="acme/desk", id="d1", state=DeliveryState.DEAD, **facts)
    await letters.replay(await add("delivery", position, "d1", "delivery", connection="acme/desk"))
    row = await only(store, deliveries)
    assert (row.state, row.attempts, row.not_before, row.done_at, row.detail) == (DeliveryState.OPEN, 0, *[None] * 3)


@pytest.mark.parametrize("source", ["input", "delivery", "effect", "decision"])
async def test_a_letter_whose_row_is_gone_says_so(letters, add, source):
    position = await add(source, 4711)
    with pytest.raises(StoreError, match="drop it instead"):
        await letters.replay(position)
    assert (await letters.drop(position)).state is LetterState.DROPPED


@pytest.mark.usefixtures("conversation")
async def test_settling_is_in_the_audit_trail(store, letters, failed, add):
    await letters.replay(await failed())
    await letters.drop(await add("decision"))
    assert [(row.actor, row.action) for row in await rows(store, audit)] == [
        ("operator", "letter_replayed"),
        ("operator", "letter_dropped"),
    ]


# Explaining ---------------------------------------------------------------------------------------------------


def letter(source="effect", kind="send_to_desk", failure="refused", **more):
    facts = {"conversation_id": "c1", "handoff_id": "h1", "connection": "acme/desk", "settled_at": None, "at": START}
    return Letter(
        position=7, source=source, source_position=1, key="k", kind=kind, failure=failure,
        **{"detail": "too long.", "state": LetterState.OPEN, **facts, **more},
    )  # fmt: skip


def test_a_letter_is_explained_with_what_it_means_and_what_to_do_next():
    assert explain(letter()) == (
        "Adding a message to the ticket came to nothing: its content was refused, and as it is a repeat cannot help "
        "(too long). So the agent does not see it. It is about hand-off h1, conversation c1, connection acme/desk. "
        "Next: mend what the reason names, then replay it; drop it if it is not wanted any more."
    )


@pytest.mark.parametrize("failure", [*Failure, "of a newer version"])
@pytest.mark.parametrize(
    ("source", "kind"),
    [("effect", "resume"), ("effect", "new"), ("input", "timer_fired"), ("input", "new"), ("delivery", "delivery"),
     ("decision", "effect_done"), ("effect", "start_session")],
)  # fmt: skip
def test_every_letter_has_a_meaning_and_a_next_step(source, kind, failure):
    text = explain(letter(source, kind, failure, conversation_id=None, handoff_id=None, connection=None, detail=""))
    assert "came to nothing: " in text
    assert " So " in text
    assert "Next: " in text
    assert text.count("()") == 0


def test_what_was_settled_is_said_so():
    at = START + timedelta(minutes=5)
    for state, word in ((LetterState.REPLAYED, "replayed"), (LetterState.DROPPED, "dropped")):
        text = explain(letter(state=state, settled_at=at))
        assert text.endswith(f"It was {word} at 2026-03-01 12:05:00 UTC.")
        assert "Next:" not in text
