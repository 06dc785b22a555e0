"""The audit trail tells who did what, in order, and exactly if it happened."""

import pytest

from hitl_core.bridge.store.audit import Audit, AuditEntry

from .store_rows import START

pytestmark = pytest.mark.anyio


def entry(action, handoff="h1", **more):
    return AuditEntry(at=START, actor="agent:7", action=action, conversation_id="c1", handoff_id=handoff, **more)


async def test_entries_are_listed_in_order_and_by_what_they_are_about(store):
    trail = Audit(store, "acme")
    async with store.write() as conn:
        await trail.append(conn, entry("joined", detail="in the queue for 12 s"), entry("left"))
        await trail.append(conn)
        await trail.append(conn, entry("joined", "h2"))
    found = await trail.list()
    assert [one.action for one in found] == ["joined", "left", "joined"]
    assert found[0] == entry("joined", detail="in the queue for 12 s", position=found[0].position)
    assert [one.handoff_id for one in await trail.list(handoff_id="h2")] == ["h2"]
    assert [one.action for one in await trail.list(conversation_id="c1", after=found[0].position, limit=1)] == ["left"]


async def test_what_did_not_happen_is_not_in_it(store):
    trail = Audit(store, "acme")

    async def fail():
        async with store.write() as conn:
            await trail.append(conn, entry("joined"))
            raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        await fail()
    assert await trail.list() == []


async def test_f32_a_tenant_sees_its_own_trail_alone(store):
    async with store.write() as conn:
        await Audit(store, "acme").append(conn, entry("joined"))
    assert await Audit(store, "rival").list() == []
