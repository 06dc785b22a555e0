"""What must survive a restart is kept by compare-and-set, readable by its owner alone."""

import asyncio
import stat

import pytest

from hitl_core.errors import StoreError
from hitl_core.state import FileState, MemoryState

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "file"])
def state(request, tmp_path):
    return MemoryState() if request.param == "memory" else FileState(tmp_path / "hitl" / "state.json", "default/a")


async def test_a_value_is_replaced_only_by_whoever_saw_the_newest(state):
    assert await state.get("token") is None
    first = await state.put("token", "a", None)
    assert first.value == "a"
    assert await state.put("token", "b", None) is None
    second = await state.put("token", {"b": [1, None]}, first.version)
    assert await state.put("token", "c", first.version) is None
    assert await state.get("token") == second
    await state.delete("token")
    assert await state.get("token") is None


async def test_of_many_that_race_exactly_one_wins(state):
    results = await asyncio.gather(*(state.put("token", number, None) for number in range(10)))
    winners = [result.value for result in results if result is not None]
    assert winners == [(await state.get("token")).value]


async def test_a_lock_lets_one_at_a_time_in(state):
    inside = []

    async def work(number):
        async with state.lock("refresh"):
            inside.append(number)
            assert len(inside) == 1
            await asyncio.sleep(0)
            inside.remove(number)

    await asyncio.gather(*(work(number) for number in range(5)))
    assert inside == []


async def test_a_cancelled_wait_for_a_lock_leaves_it_free(state):
    async def wait():
        async with state.lock("refresh"):
            pytest.fail("the lock was held")

    async with state.lock("refresh"):
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(10), state.lock("refresh"):
        pass


async def test_a_stored_value_never_shows_in_a_repr(state):
    assert "hunter2" not in repr(await state.put("token", "hunter2", None))


async def test_the_file_is_its_owners_alone_and_survives_a_restart(tmp_path):
    path = tmp_path / "hitl" / "state.json"
    await FileState(path, "default/a").put("token", "a", None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (await FileState(path, "default/a").get("token")).value == "a"
    assert await FileState(path, "default/b").get("token") is None


async def test_a_damaged_file_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "state.json"
    path.write_text("{")
    with pytest.raises(StoreError, match=r"state\.json.*mend or remove it"):
        await FileState(path, "default/a").get("token")
