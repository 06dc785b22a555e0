"""How soon work goes on after a kill, and how late timers are that are all due at the same moment."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from hitl_core.bridge import Policy
from hitl_core.bridge.bridge import Bridge
from hitl_core.bridge.store.base import Store
from hitl_core.people import EndUser

from .desk import Desk
from .fleet import eventually
from .provider import FileHost, connect
from .storm import since
from .wire import Client

pytestmark = pytest.mark.anyio

LEASE = 10.0  # the default
TIMERS = 1000
TIMERS_LEASE = 3.0  # p99 of 6 s after a kill leaves no room for the default
FIRST, SECOND = 3600.0, 7200.0  # seconds after the start
POLICY = Policy(first_answer_timeout_seconds=FIRST, on_first_answer_timeout="tell", maximum_duration_seconds=SECOND)


async def test_after_a_kill_work_goes_on_within_5_seconds_and_the_lease(backend, database_url, stage, figures):
    names = [f"c{number}" for number in range(20)]
    async with stage(database_url, desk=Desk("keyed", latency=0)) as scene:
        for _ in range(1 if backend == "sqlite" else 2):
            await scene.fleet.begin()
        for name in names:
            worker = await scene.fleet.any()
            assert (await worker.ask("start", conversation=name))["status"] == "started"
        scene.desk.gate = gate = asyncio.Event()
        for name in names:
            assert await (await scene.fleet.any()).ask("say", conversation=name, id="before", text="before")
        await eventually(lambda: scene.desk.gated == len(names), what="all messages on their way")
        victim = max(scene.fleet.workers, key=lambda one: scene.desk.calls["send", one.pid])
        held = scene.desk.calls["send", victim.pid]
        assert held
        await scene.fleet.kill(victim)
        killed = time.monotonic()
        scene.desk.gate = None
        gate.set()
        if backend == "sqlite":
            await scene.fleet.begin()
        for name in names:
            assert await (await scene.fleet.any()).ask("say", conversation=name, id="after", text="after")
        tickets = [scene.desk.of[name] for name in names]
        await eventually(lambda: all(ticket.sent == ["before", "after"] for ticket in tickets), what="all of it")
        took = since(killed)
    lease = 0.0 if backend == "sqlite" else LEASE
    figures(f"after a kill, {backend}: {held} conversations went on after {took:.1f} s (lease {lease:g} s)")
    assert took <= 5 + lease


class StoppedClock:
    """A clock that has stopped."""

    def __init__(self):
        self._now = datetime.now(UTC)

    def now(self):
        return self._now

    def monotonic(self):
        return 0.0

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)


async def prepare(url, scene, home):
    """Begin a thousand hand-offs in the same moment, each assigned, and return when that was."""
    client = await Client(str(home / "desk")).open()
    clock = StoppedClock()
    host = FileHost(home / "prepared", 0)
    async with connect(client, "keyed") as desk, Store(url, clock=clock, hints=False) as store:
        more = {"reconcile_seconds": None, "drive": False}
        names = [f"c{number}" for number in range(TIMERS)]
        async with (
            Bridge(desk, host, store, POLICY, work=False, **more) as outside,
            Bridge(desk, host, store, POLICY, **more) as bridge,
        ):
            users = {name: EndUser(external_id=f"u-{name}", name="Ada") for name in names}
            await asyncio.gather(*(outside.start_hitl(name, users[name], "Parcel", wait=0) for name in names))
            await bridge.settle()
            deliveries = [scene.desk.says(scene.desk.of[name], "assigned") for name in names]
            for delivery in deliveries:
                headers, body = delivery["headers"], delivery["body"].encode()
                assert (await bridge.receive_webhook("chaos", headers=headers, body=body)).accepted
            await bridge.settle()
    host.close()
    await client.close()
    return clock.now()


async def fire(scene, count, began, after, what, *, kill):
    """Let all timers be due in two seconds, and return how late each was."""
    due = began + timedelta(seconds=after)
    shift = (due - datetime.now(UTC)).total_seconds() - 3
    for _ in range(count):
        await scene.fleet.begin(shift=shift)

    def fired():
        scene.channel.read()
        return [row for row in scene.channel.rows if row["text"] == what]

    if kill:
        await eventually(lambda: len(fired()) >= TIMERS / 5, what="the first of them")
        await scene.fleet.kill(scene.fleet.workers[0])
        if count == 1:
            await scene.fleet.begin(shift=shift)
    await eventually(
        lambda: len({row["conversation"] for row in fired()}) == TIMERS, what=lambda: f"all of them: {len(fired())}"
    )
    for worker in list(scene.fleet.workers):
        await scene.fleet.kill(worker)
    rows = {row["key"]: row["at"] for row in reversed(fired())}
    assert len(rows) == TIMERS, "a timer fired twice"
    return sorted(at + shift - due.timestamp() for at in rows.values())


async def test_1000_timers_that_are_due_at_once_fire_once_and_in_time(backend, database_url, stage, home, figures):
    count = 1 if backend == "sqlite" else 2
    settings = {"lease_seconds": TIMERS_LEASE, "host_takes": 0.0}
    async with stage(database_url, desk=Desk("keyed", latency=0), **settings) as scene:
        began = await prepare(database_url, scene, home)
        in_time = await fire(scene, count, began, FIRST, POLICY.text("on_first_answer_timeout_message"), kill=False)
        killed = await fire(scene, count, began, SECOND, POLICY.text("on_maximum_duration_message"), kill=True)
    for what, late in (("", in_time), (" with a kill", killed)):
        p50, p99 = late[len(late) // 2], late[len(late) * 99 // 100]
        figures(
            f"{TIMERS} timers due at once, {backend}{what}: earliest {late[0]:+.2f} s, p50 {p50:.2f} s, "
            f"p99 {p99:.2f} s, latest {late[-1]:.2f} s"
        )
    assert in_time[0] >= 0
    assert killed[0] >= 0
    assert in_time[TIMERS * 99 // 100] <= 2
    assert killed[TIMERS * 99 // 100] <= 6
