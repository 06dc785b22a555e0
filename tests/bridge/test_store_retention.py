"""What is over goes when its time has come, open work stays, and a customer can be forgotten."""

import asyncio
import json
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from hitl_core.bridge.store import tables as t
from hitl_core.bridge.store.blobs import Blobs
from hitl_core.bridge.store.retention import Retention
from hitl_core.bridge.store.tables import DeliveryState, EffectState, InputState, LetterState
from hitl_core.errors import StoreError

from .store_rows import START, put, rows

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
LONG_AGO = START - 40 * DAY
LATELY = START - 10 * DAY
MONTH = 30 * DAY


@pytest.fixture
def retention(store):
    return Retention(store, "acme", lot=3, grace=0)


async def handoff(store, id, ended_at=LONG_AGO, *, conversation="c1", user="ada", session=None, tenant="acme"):
    """Make a hand-off with everything that belongs to one."""
    is_open = ended_at is None
    known = {"tenant": tenant, "handoff_id": id, "conversation_id": conversation}
    begun = (ended_at or START) - DAY
    session = session or f"s-{id}"
    await put(
        store, t.handoffs, tenant=tenant, id=id, conversation_id=conversation, connection="desk", key=id, open=is_open,
        ended_at=ended_at, started_at=begun, session_id=session, user_key=user, phase="active" if is_open else "ended",
    )  # fmt: skip
    for number in range(4):
        done = {"done_at": ended_at or START, "accepted_at": begun}
        await put(store, t.inputs, **known, key=f"{id}-{number}", state=InputState.DONE, **done)
        await put(store, t.outbox, **known, key=f"{id}-{number}", state=EffectState.DONE)
        await put(store, t.audit, **known, at=begun)
    await put(store, t.timers, **known, name="maximum")
    await put(store, t.dead_letters, **known, state=LetterState.DROPPED, settled_at=begun)
    delivery = json.dumps({"session_ids": [session], "body": "Mein Name ist ..."})
    when = {"received_at": begun, "done_at": begun, "state": DeliveryState.DONE}
    await put(store, t.deliveries, tenant=tenant, connection="desk", id=id, payload=delivery, **when)
    async with store.write() as conn:
        rest = {"tenant": tenant, "connection": "desk", "session_id": session, "linked_at": begun}
        link = {**rest, "conversation_id": conversation, "session": "{}", "open": is_open}
        await conn.execute(store.insert(t.links).values(link).on_conflict_do_nothing())
        message = {**rest, "direction": "in", "vendor_id": "v1", "key": "k1"}
        await conn.execute(store.insert(t.message_links).values(message).on_conflict_do_nothing())
        row = {
            "tenant": tenant,
            "id": conversation,
            "handoff_id": id,
            "speaker": "human" if is_open else "bot",
            "fence": 3,
        }
        await conn.execute(
            store.insert(t.conversations)
            .values(row)
            .on_conflict_do_update(index_elements=["tenant", "id"], set_={"handoff_id": id})
        )


async def census(store):
    """Return how many rows each table has."""
    counted = {name: len(await rows(store, table)) for name, table in t.metadata.tables.items()}
    return {name.removeprefix("hitl_"): count for name, count in counted.items() if count}


OF_ONE = {
    "handoffs": 1, "inputs": 4, "outbox": 4, "audit": 4, "timers": 1, "dead_letters": 1, "deliveries": 1, "links": 1,
    "message_links": 1, "conversations": 1,
}  # fmt: skip


# Purging ------------------------------------------------------------------------------------------------------


async def test_what_ended_long_ago_goes_with_everything_of_its_own(store, retention):
    await handoff(store, "old")
    await handoff(store, "new", LATELY, conversation="c2", user="bob")
    gone = await retention.purge(MONTH)
    assert gone == Counter(OF_ONE)
    assert await census(store) == OF_ONE
    assert (await rows(store, t.handoffs))[0].id == "new"
    assert await retention.purge(MONTH) == Counter()


async def test_a_hand_off_that_has_not_ended_stays_however_old_it_is(store, retention, clock):
    await handoff(store, "open", None)
    before = await census(store)
    clock.advance(400 * 86_400)
    await retention.purge(MONTH)
    after = await census(store)
    assert {**before, "deliveries": 0} == {**after, "deliveries": 0}


async def test_open_work_of_an_ended_hand_off_keeps_it(store, retention):
    for name in ("effect", "input", "letter", "nothing"):
        await handoff(store, name, conversation=name)
    await put(store, t.outbox, handoff_id="effect", conversation_id="effect", key="x", state=EffectState.ATTEMPTING)
    await put(store, t.inputs, conversation_id="input", key="y", state=InputState.OPEN)
    await put(store, t.dead_letters, handoff_id="letter", conversation_id="letter", state=LetterState.OPEN)
    await retention.purge(MONTH)
    assert [row.id for row in await rows(store, t.handoffs)] == ["effect", "input", "letter"]
    assert {row.handoff_id for row in await rows(store, t.outbox)} == {"effect", "input", "letter"}
    assert [row.id for row in await rows(store, t.conversations)] == ["effect", "input", "letter"]


async def test_a_session_with_a_later_hand_off_is_still_known_and_so_is_the_conversation(store, retention):
    await handoff(store, "old", session="s1")
    await handoff(store, "new", LATELY, session="s1")
    gone = await retention.purge(MONTH)
    assert (gone["handoffs"], gone["links"], gone["message_links"], gone["conversations"]) == (1, 0, 0, 0)
    [conversation] = await rows(store, t.conversations)
    assert (conversation.handoff_id, conversation.fence) == ("new", 4), "who has it in memory reads it again"


async def test_more_than_fits_into_a_lot_goes_in_several_transactions(store, retention):
    for number in range(60):
        await put(
            store, t.handoffs, id=f"h{number:02}", conversation_id=f"c{number}", key="k", ended_at=LONG_AGO, open=False
        )
    largest = []
    sa.event.listen(
        store.engine.sync_engine,
        "after_cursor_execute",
        lambda *event: largest.append(event[1].rowcount) if event[2].startswith("DELETE FROM hitl_inputs") else None,
    )
    for number in range(10):
        await put(store, t.inputs, handoff_id="h01", conversation_id="c1", key=f"i{number}", state=InputState.DONE)
    gone = await retention.purge(MONTH)
    assert (gone["handoffs"], gone["inputs"]) == (60, 10)
    assert max(largest) == 3


async def test_writers_get_their_turn_while_much_is_deleted(store, retention):
    for number in range(30):
        done = {"state": DeliveryState.DONE, "done_at": LONG_AGO, "received_at": LONG_AGO}
        await put(store, t.deliveries, connection="desk", id=str(number), **done)
    purging = asyncio.create_task(retention.purge(MONTH))
    written = 0
    while not purging.done():
        await put(store, t.audit, at=START)
        written += 1
    assert (await purging)["deliveries"] == 30
    assert written >= 5


async def test_what_belongs_to_no_hand_off_goes_by_its_own_age(store, retention):
    for at in (LONG_AGO, LATELY):
        await put(store, t.inputs, key=f"done{at}", state=InputState.DONE, accepted_at=at, done_at=at)
        await put(store, t.inputs, key=f"open{at}", state=InputState.OPEN, accepted_at=at)
        for state in (DeliveryState.DONE, DeliveryState.DEAD, DeliveryState.OPEN, DeliveryState.PARKED):
            times = {"received_at": at, "done_at": at if state in {1, 2} else None}
            await put(store, t.deliveries, connection="desk", id=f"{state}{at}", state=state, **times)
        await put(store, t.audit, at=at)
        await put(store, t.dead_letters, state=LetterState.REPLAYED, settled_at=at, at=at)
        await put(store, t.dead_letters, state=LetterState.OPEN, at=at)
    gone = await retention.purge(MONTH)
    assert gone == Counter(inputs=1, deliveries=2, audit=1, dead_letters=1)


async def test_what_an_open_letter_is_about_stays(store, retention):
    old = {"done_at": LONG_AGO, "accepted_at": LONG_AGO}
    position = await put(store, t.inputs, key="dead", state=InputState.DEAD, **old)
    await put(store, t.dead_letters, source="input", source_position=position, state=LetterState.OPEN)
    await put(store, t.inputs, key="settled", state=InputState.DEAD, **old)
    seen = {"done_at": LONG_AGO, "received_at": LONG_AGO}
    position = await put(store, t.deliveries, connection="desk", id="d1", state=DeliveryState.DEAD, **seen)
    await put(store, t.dead_letters, source="delivery", source_position=position, state=LetterState.OPEN)
    assert await retention.purge(MONTH) == Counter(inputs=1)


async def test_files_go_with_their_hand_off_and_half_ones_after_a_while(store, retention, clock):
    files = Blobs(store, "acme")
    ids = {}
    for name, conversation, at in (
        ("old", "c1", LONG_AGO), ("kept", "c2", LATELY - timedelta(hours=1)), ("loose", None, LONG_AGO),
        ("new", None, START), ("torn", None, LATELY),
    ):  # fmt: skip
        ids[name] = (await files.put(b"x" * 600_000, max_bytes=10**6, conversation_id=conversation)).id
        async with store.write() as conn:
            await conn.execute(sa.update(t.blobs).where(t.blobs.c.id == ids[name]).values(stored_at=at))
    await handoff(store, "h1", LONG_AGO, conversation="c1")
    await handoff(store, "h2", LATELY, conversation="c2")
    await handoff(store, "h3", START, conversation="c1")
    async with store.write() as conn:
        await conn.execute(sa.update(t.blobs).where(t.blobs.c.id == ids["torn"]).values(size=None))
    gone = await retention.purge(5 * DAY)
    assert {row.id for row in await rows(store, t.blobs)} == {ids["new"]}
    assert gone["blobs"] == 12


async def test_a_file_stored_during_a_hand_off_that_is_kept_is_kept(store, retention):
    blob = await Blobs(store, "acme").put(b"x", max_bytes=1, conversation_id="c1")
    async with store.write() as conn:
        await conn.execute(sa.update(t.blobs).values(stored_at=LATELY - timedelta(hours=1)))
    await handoff(store, "h1", LATELY, conversation="c1")
    await Retention(store, "acme").purge(timedelta(days=10, minutes=30))
    assert await Blobs(store, "acme").get(blob.id)


async def test_customers_nothing_is_left_of_are_unlinked(store, retention):
    for user in ("ada", "bob", "cy", "new"):
        at = START if user == "new" else LONG_AGO
        await put(store, t.user_links, connection="desk", user_key=user, updated_at=at)
    await handoff(store, "h1", None, user="ada")
    await handoff(store, "h2", LATELY, user="bob", conversation="c2")
    gone = await retention.purge(MONTH)
    assert gone["user_links"] == 1
    assert [row.user_key for row in await rows(store, t.user_links)] == ["ada", "bob", "new"]


async def test_what_mattered_for_a_moment_is_forgotten(store, retention, clock):
    scope = {"connection": "desk", "limit_count": 100}
    await put(store, t.budgets, scope="ticket:1", **scope, updated_at=LATELY, resets_at=LATELY)
    await put(store, t.budgets, scope="ticket:2", **scope, updated_at=LATELY, blocked_until=START + DAY)
    await put(store, t.locks, connection="desk", name="refresh", until=LATELY)
    await put(store, t.workers, id="dead", seen_at=LATELY)
    await put(store, t.workers, id="alive", seen_at=clock.now())
    assert await retention.purge(MONTH) == Counter(budgets=1, locks=1, workers=1)


async def test_f32_another_tenants_past_is_not_ours_to_delete(store, retention):
    await handoff(store, "old", tenant="rival")
    assert await retention.purge(MONTH) == Counter()
    assert await retention.erase_customer("ada") == Counter()
    assert await census(store) == OF_ONE


async def test_an_input_that_came_when_its_conversation_was_deleted_is_not_lost(store, retention):
    await put(store, t.inputs, conversation_id="gone", key="m1", state=InputState.OPEN)
    await retention.purge(MONTH)
    [row] = await rows(store, t.conversations)
    assert (row.id, row.speaker, row.fence, row.handoff_id) == ("gone", "bot", 0, None)


# Erasing ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def ada(store):
    """A customer with hand-offs in two conversations, and another customer."""
    await handoff(store, "a1", LATELY, conversation="c1")
    await handoff(store, "a2", LONG_AGO, conversation="c2")
    await handoff(store, "b1", LATELY, conversation="c9", user="bob")
    for connection in ("desk", "other"):
        await put(store, t.user_links, connection=connection, user_key="ada")
        await put(store, t.user_links, connection=connection, user_key="bob")
    await put(store, t.inputs, conversation_id="c1", key="before", state=InputState.DONE, done_at=START)
    await put(store, t.audit, conversation_id="c2")
    await put(store, t.dead_letters, conversation_id="c1", state=LetterState.OPEN)
    await Blobs(store, "acme").put(b"x" * 300_000, max_bytes=10**6, conversation_id="c1")
    await Blobs(store, "acme").put(b"x", max_bytes=10**6, conversation_id="c9")


OF_BOB = {**OF_ONE, "user_links": 2, "blobs": 1}


@pytest.mark.usefixtures("ada")
async def test_a_customer_is_forgotten_in_all_connections(store, retention):
    gone = await retention.erase_customer("ada")
    twice = {name: 2 * count for name, count in OF_ONE.items()}
    more = {"inputs": 1, "audit": 1, "dead_letters": 1, "user_links": 2, "blobs": 2}
    assert gone == Counter(twice) + Counter(more)
    assert await census(store) == OF_BOB | {"audit": OF_BOB["audit"] + 1}
    assert [row.id for row in await rows(store, t.handoffs)] == ["b1"]


@pytest.mark.usefixtures("ada")
async def test_an_erasure_is_in_the_audit_trail_without_saying_whose(store, retention):
    await retention.erase_customer("ada")
    entry = (await rows(store, t.audit))[-1]
    assert (entry.actor, entry.action) == ("operator", "customer_erased")
    assert "2 handoffs" in entry.detail
    assert "ada" not in str(entry)
    assert await retention.erase_customer("ada") == Counter()


@pytest.mark.usefixtures("ada")
async def test_a_customer_with_an_open_hand_off_is_not_erased_by_accident(store, retention):
    await handoff(store, "a3", None, conversation="c3")
    before = await census(store)
    with pytest.raises(
        StoreError, match=r"hand-off a3 of this customer is open; end it first \(`hitl sessions end a3`\)"
    ):
        await retention.erase_customer("ada")
    assert await census(store) == before


@pytest.mark.usefixtures("ada")
async def test_a_customer_for_whom_something_is_still_to_be_done_is_not_erased_by_accident(store, retention):
    await put(store, t.outbox, handoff_id="a1", conversation_id="c1", key="close", state=EffectState.WAITING)
    with pytest.raises(StoreError, match="still to be done for hand-off a1"):
        await retention.erase_customer("ada")


@pytest.mark.usefixtures("ada")
async def test_force_forgets_what_is_open_too_and_takes_it_out_of_the_workers_hands(store, retention):
    await handoff(store, "a3", None, conversation="c3")
    await put(store, t.outbox, handoff_id="a3", conversation_id="c3", key="close", state=EffectState.ATTEMPTING)
    await put(store, t.inputs, conversation_id="c3", key="said", state=InputState.OPEN)
    await retention.erase_customer("ada", force=True)
    assert await census(store) == OF_BOB | {"audit": OF_BOB["audit"] + 1}


@pytest.mark.usefixtures("ada")
async def test_a_conversation_shared_with_others_keeps_what_is_theirs(store, retention):
    await handoff(store, "b2", None, conversation="c1", user="bob", session="s-b2")
    await retention.erase_customer("ada")
    assert {row.id for row in await rows(store, t.handoffs)} == {"b1", "b2"}
    assert {row.handoff_id for row in await rows(store, t.inputs)} == {"b1", "b2", None}
    conversation = (await rows(store, t.conversations))[0]
    assert (conversation.id, conversation.handoff_id, conversation.speaker, conversation.fence) == (
        "c1",
        "b2",
        "bot",
        4,
    )


@pytest.mark.usefixtures("ada")
async def test_a_delivery_that_is_still_to_be_read_is_not_lost(store, retention):
    payload = json.dumps({"session_ids": ["s-a1", "s-b1"]})
    await put(store, t.deliveries, connection="desk", id="open", state=DeliveryState.OPEN, payload=payload)
    await retention.erase_customer("ada")
    assert {row.id for row in await rows(store, t.deliveries)} == {"b1", "open"}


async def test_ids_that_look_like_patterns_find_their_own_deliveries_alone(store, retention):
    await handoff(store, "h1", LATELY, session="50%_ä")
    await handoff(store, "h2", LATELY, session="50 and ä", conversation="c2", user="bob")
    async with store.write() as conn:
        named = json.dumps({"session_ids": ["50%_ä"]}, ensure_ascii=False)  # as pydantic writes it
        await conn.execute(sa.update(t.deliveries).where(t.deliveries.c.id == "h1").values(payload=named))
    await retention.erase_customer("ada")
    assert [row.id for row in await rows(store, t.deliveries)] == ["h2"]


@pytest.mark.usefixtures("ada")
async def test_an_interrupted_erasure_is_finished_by_asking_again(store, retention, clock):
    class Breaking(type(store)):
        """Lets only so many transactions through."""

        left = 7

        def write(self):
            self.left -= 1
            if self.left < 0:
                raise StoreError("the database cannot be reached")
            return super().write()

    url = store.engine.url.render_as_string(hide_password=False)
    async with Breaking(url, clock=clock) as breaking:
        with pytest.raises(StoreError, match="cannot be reached"):
            await Retention(breaking, "acme", lot=3, grace=0).erase_customer("ada")
    await retention.erase_customer("ada")
    assert await census(store) == OF_BOB | {"audit": OF_BOB["audit"] + 1}
