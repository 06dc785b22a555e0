"""Deliveries that several processes accept at the same time: a number may be taken long before its commit is seen."""

import pytest

from hitl_core.bridge.store.tables import deliveries

from .intake_scene import provider, scene

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("backend", ["postgresql"], indirect=True)]


async def test_f23_a_delivery_committed_late_comes_before_later_ones_of_its_session(store):
    async with scene(store, provider(pull=False, changes=False)) as it:
        it.desk.open("t1", "t2")
        await it.link("t1")
        await it.link("t2")
        await it.says("t1", "first", id="late")
        await it.says("t2", "other", id="other")
        # As if its transaction were still open while one with a higher number was committed.
        await it.change(deliveries, deliveries.c.id == "late", state=9)
        await it.settle()
        assert await it.said() == ["other"]
        await it.change(deliveries, deliveries.c.id == "late", state=0)
        await it.says("t1", "second", id="next")
        await it.intake.work()
        assert await it.said() == ["other", "first", "second"]
