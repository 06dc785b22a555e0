"""What connections keep is encrypted, one for all replicas, and changed by whoever saw the newest (F32, R15)."""

import asyncio
import logging
import stat

import pytest
import sqlalchemy as sa

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.crypto import KeyRing, generate_key, key_file, keys_of
from hitl_core.bridge.store.state import StoreState
from hitl_core.bridge.store.tables import connection_state, locks
from hitl_core.errors import ConfigurationError, StoreError

pytestmark = pytest.mark.anyio

OLD, NEW = generate_key(), generate_key()


@pytest.fixture
def state(store):
    return StoreState(store, "acme", "acme/desk")


async def values(store):
    async with store.read() as conn:
        return (await conn.execute(sa.select(connection_state.c.value))).scalars().all()


# Values -------------------------------------------------------------------------------------------------------


async def test_a_value_is_replaced_only_by_whoever_saw_the_newest(state):
    assert await state.get("token") is None
    first = await state.put("token", "a", None)
    assert first.value == "a"
    assert await state.put("token", "b", None) is None
    second = await state.put("token", {"b": [1, None, "ä"]}, first.version)
    assert await state.put("token", "c", first.version) is None
    assert await state.get("token") == second
    await state.delete("token")
    await state.delete("token")
    assert await state.get("token") is None
    assert await state.put("token", "d", second.version) is None


async def test_of_many_that_race_exactly_one_wins(state):
    for expect in (None, 1):
        results = await asyncio.gather(*(state.put("token", number, expect) for number in range(8)))
        winners = [result.value for result in results if result is not None]
        assert winners == [(await state.get("token")).value]


async def test_f32_connections_and_tenants_do_not_see_each_others_values(store, state):
    await state.put("token", "ours", None)
    assert await StoreState(store, "acme", "acme/other").get("token") is None
    assert await StoreState(store, "rival", "acme/desk").get("token") is None


async def test_the_database_alone_tells_nothing(store, state, caplog):
    await state.put("token", "hunter2", None)
    [value] = await values(store)
    assert b"hunter2" not in value
    assert "hunter2" not in repr(await state.get("token"))
    assert store.keys[0] not in repr(keys_of(store))


async def test_a_value_moved_to_another_row_is_refused(store, state):
    await state.put("mine", "a", None)
    await state.put("yours", "b", None)
    mine, yours = sa.select(connection_state.c.key, connection_state.c.value), sa.update(connection_state)
    async with store.write() as conn:
        stored = dict((await conn.execute(mine)).all())
        await conn.execute(yours.where(connection_state.c.key == "yours").values(value=stored["mine"]))
    assert (await state.get("mine")).value == "a"
    with pytest.raises(StoreError, match="altered or moved"):
        await state.get("yours")


async def test_a_rotation_reads_with_every_key_and_writes_with_the_first(database_url):
    async def on(keys, work):
        async with Store(database_url, key=keys) as store:
            return await work(StoreState(store, "acme", "acme/desk"))

    await on(OLD, lambda state: state.put("token", "a", None))
    with pytest.raises(StoreError, match="give the old one too"):
        await on(NEW, lambda state: state.get("token"))
    assert (await on((NEW, OLD), lambda state: state.get("token"))).value == "a"
    await on((NEW, OLD), lambda state: state.put("token", "b", 1))
    assert (await on(NEW, lambda state: state.get("token"))).value == "b"


# Keys ---------------------------------------------------------------------------------------------------------


async def test_sqlite_keeps_a_key_only_its_owner_can_read_beside_the_file(tmp_path):
    url, path = f"sqlite:///{tmp_path}/hitl.db", key_file(tmp_path / "hitl.db")
    for expected in (None, 1):
        async with Store(url) as store:
            assert await StoreState(store, "acme", "acme/desk").put("token", "a", expected)
    assert path.name == "hitl.db.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir() if "key" in file.name) == ["hitl.db.key"]


async def test_processes_that_make_the_key_at_once_agree_on_one(tmp_path):
    def ring():
        return keys_of(Store(f"sqlite:///{tmp_path}/hitl.db"))

    rings = await asyncio.gather(*(asyncio.to_thread(ring) for _ in range(8)))
    content = rings[0].encrypt(b"x", ["place"])
    assert {each.decrypt(content, ["place"]) for each in rings} == {b"x"}


async def test_a_lost_key_is_told_and_nothing_is_overwritten(tmp_path):
    async with Store(f"sqlite:///{tmp_path}/hitl.db") as store:
        await StoreState(store, "acme", "acme/desk").put("token", "a", None)
        before = await values(store)
    key_file(tmp_path / "hitl.db").unlink()
    async with Store(f"sqlite:///{tmp_path}/hitl.db") as store:
        with pytest.raises(StoreError, match="not given"):
            await StoreState(store, "acme", "acme/desk").get("token")
        assert await values(store) == before


async def test_a_key_file_that_cannot_be_used_is_one_sentence(tmp_path):
    key_file(tmp_path / "hitl.db").mkdir()
    with pytest.raises(StoreError, match=r"hitl\.db\.key cannot be used"):
        keys_of(Store(f"sqlite:///{tmp_path}/hitl.db"))
    key_file(tmp_path / "hitl.db").rmdir()
    key_file(tmp_path / "hitl.db").write_text("")
    with pytest.raises(ConfigurationError, match="no key"):
        keys_of(Store(f"sqlite:///{tmp_path}/hitl.db"))


def test_postgresql_needs_a_key_and_says_how_to_get_one():
    with pytest.raises(ConfigurationError, match="run `hitl db new-key`"):
        StoreState(Store("postgresql://u@h/d"), "acme", "acme/desk")


@pytest.mark.parametrize("key", ["", "short", generate_key()[:-8], "ä" * 44, generate_key() + "AAAA"])
def test_what_is_no_key_is_refused_without_being_shown(key):
    with pytest.raises(ConfigurationError, match="32 bytes of base64") as caught:
        KeyRing([key])
    assert not key or key not in str(caught.value)


def test_keys_may_be_written_for_urls():
    standard = "+/" * 21 + "+="
    ring = KeyRing([standard])
    assert KeyRing([standard.replace("+", "-").replace("/", "_")]).decrypt(ring.encrypt(b"x", []), []) == b"x"


@pytest.mark.parametrize("damage", [b"", b"\x01", b"\x02" * 60])
def test_what_is_not_ours_is_no_crash(damage):
    with pytest.raises(StoreError):
        KeyRing([OLD]).decrypt(damage, [])


# Locks --------------------------------------------------------------------------------------------------------


@pytest.fixture
def other(store):
    """Another replica's."""
    return StoreState(store, "acme", "acme/desk")


async def held(store):
    async with store.read() as conn:
        return (await conn.execute(sa.select(locks.c.until))).scalars().all()


async def until(condition):
    """Let the loop run until the condition holds; the bound only ends a test that has failed."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  conditions of all kinds
            await asyncio.sleep(0.002)


async def test_r15_a_lock_lets_one_at_a_time_in_across_replicas(state, other, clock):
    inside, done = [], []

    async def work(number):
        async with (state, other)[number % 2].lock("refresh"):
            inside.append(number)
            assert len(inside) == 1
            await asyncio.sleep(0)
            inside.remove(number)
            done.append(number)

    tasks = [asyncio.create_task(work(number)) for number in range(6)]
    while len(done) < 6:
        clock.advance(0.5)
        await asyncio.sleep(0.002)
    await asyncio.gather(*tasks)
    assert [number for number in done if number % 2 == 0] == [0, 2, 4], "in a process, in the order they came"


async def test_locks_of_other_names_connections_and_tenants_are_others(store, state):
    other, rival = StoreState(store, "acme", "acme/other"), StoreState(store, "rival", "acme/desk")
    async with state.lock("refresh"), state.lock("webhook"), other.lock("refresh"), rival.lock("refresh"):
        assert len(await held(store)) == 4
    assert await held(store) == []


async def test_a_lock_is_renewed_while_it_is_held(store, state, clock):
    async with state.lock("refresh"):
        [first] = await held(store)
        for _ in range(4):
            await until(clock.sleeping)
            clock.advance(10)
        await until(clock.sleeping)
        [last] = await held(store)
        assert (last - first).total_seconds() == 40


async def test_the_lock_of_a_dead_process_is_free_when_its_lease_is_over(store, state, clock):
    async with store.write() as conn:
        await conn.execute(
            sa.insert(locks).values(
                tenant="acme", connection="acme/desk", name="refresh", holder="dead", until=clock.now()
            )
        )
    async with state.lock("refresh"):
        assert len(await held(store)) == 1


async def test_a_process_that_was_stopped_for_too_long_does_not_take_the_lock_from_the_next(
    store, state, clock, caplog
):
    async with state.lock("refresh"):
        async with store.write() as conn:
            await conn.execute(sa.update(locks).values(holder="somebody else"))
        await until(clock.sleeping)
        with caplog.at_level(logging.WARNING):
            clock.advance(10)
            await until(lambda: "ran out while it was held" in caplog.text)
    assert len(await held(store)) == 1


async def test_a_cancelled_wait_for_a_lock_leaves_it_free(store, state, other, clock):
    async def wait():
        async with other.lock("refresh"):
            pytest.fail("the lock was held")

    async with state.lock("refresh"):
        waiting = asyncio.create_task(wait())
        await until(lambda: any(left <= 0.5 for left in clock.sleeping()))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert len(await held(store)) == 1
    assert await held(store) == []


async def test_a_failure_inside_gives_the_lock_back(store, state):
    with pytest.raises(ValueError, match="ours"):
        async with state.lock("refresh"):
            raise ValueError("ours")
    assert await held(store) == []


def test_a_file_has_one_key_by_whatever_link_it_is_named(tmp_path):
    (tmp_path / "hitl.db").touch()
    (tmp_path / "link.db").symlink_to("hitl.db")
    assert key_file(tmp_path / "link.db") == key_file(tmp_path / "hitl.db") == tmp_path.resolve() / "hitl.db.key"
