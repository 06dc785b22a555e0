"""The lines deliveries wait in, under any order of events; and that looking for work uses the indexes."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import event

from hitl_core.bridge.engine.intake.queueing import Lines, Waiting

from .intake_scene import BEA, scene

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SESSIONS = ("a", "b", "c", "d")


class LinesMachine(RuleBasedStateMachine):
    """Deliveries come, are read, fail, wait, are settled; sessions are read between them."""

    @initialize()
    def begin(self):
        self.lines = Lines()
        self.now = NOW
        self.number = 0
        self.all, self.running, self.parked, self.held = {}, [], [], []

    @rule(sessions=st.sets(st.sampled_from(SESSIONS), max_size=3), late=st.booleans())
    def comes(self, sessions, late):
        self.number += 1
        # One that was committed late has a lower position than others that are here already.
        position = self.number * 10 - (25 if late and self.number > 3 else 0)
        while position in self.lines:
            position += 1
        one = Waiting(position, f"d{position}", tuple(sorted(sessions)), self.now)
        self.lines.add(one)
        self.all[position] = one

    @rule(at_most=st.integers(0, 3))
    def starts(self, at_most):
        for one in self.lines.startable(self.now, at_most):
            assert one.not_before is None or one.not_before <= self.now
            assert not one.parked
            for other in self.all.values():
                if other is not one and set(other.sessions) & set(one.sessions):
                    assert other.position > one.position, "nothing overtakes what waits for the same session"
                    assert other not in self.running
            assert not set(one.sessions) & set(self.held)
            self.running.append(one)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), how=st.sampled_from(["settled", "again", "later", "parked"]))
    def ends(self, data, how):
        one = data.draw(st.sampled_from(self.running))
        self.running.remove(one)
        if how == "settled":
            self.lines.drop(one)
            del self.all[one.position]
        elif how == "parked":
            self.lines.park(one, data.draw(st.sets(st.sampled_from(SESSIONS), min_size=1, max_size=2)))
            self.parked.append(one)
        else:
            self.lines.again(one, self.now + timedelta(seconds=5) if how == "later" else None)

    @precondition(lambda self: self.parked)
    @rule(data=st.data())
    def released(self, data):
        one = data.draw(st.sampled_from(self.parked))
        self.parked.remove(one)
        self.lines.release(one)

    @rule(session=st.sampled_from(SESSIONS))
    def held_by_a_reading(self, session):
        busy = session in self.held or any(session in one.sessions for one in self.running)
        assert self.lines.hold(session) is not busy
        if not busy:
            self.held.append(session)

    @precondition(lambda self: self.held)
    @rule()
    def let_go(self):
        self.lines.let_go(self.held.pop(0))

    @rule()
    def time_passes(self):
        self.now += timedelta(seconds=3)

    @invariant()
    def as_many_as_there_are(self):
        assert len(self.lines) == len(self.all)
        assert self.lines.parked == sorted(self.parked, key=lambda one: one.position)

    def teardown(self):
        """All of it can be brought to its end."""
        for one in self.running:
            self.lines.drop(one)
            del self.all[one.position]
        for session in self.held:
            self.lines.let_go(session)
        for one in self.parked:
            self.lines.release(one)
        self.now += timedelta(seconds=10)
        while started := self.lines.startable(self.now, 100):
            for one in started:
                self.lines.drop(one)
                del self.all[one.position]
        assert self.all == {}
        assert (len(self.lines), self.lines.busy, self.lines.pending(self.now)) == (0, 0, False)


LinesMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestF23LinesKeepOrderAndLoseNothing = LinesMachine.TestCase


@pytest.mark.anyio
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_looking_for_work_uses_the_indexes(store):
    async with scene(store) as it:
        it.desk.open("t1", "t2")
        await it.link("t1")
        await it.handoff("c9")
        await it.says("t2", "early", id="d1")
        statements, used = [], set()

        def note(conn, cursor, statement, parameters, context, executemany):
            if statement.startswith("SELECT") and not executemany:
                statements.append((statement, parameters))

        event.listen(store.engine.sync_engine, "before_cursor_execute", note)
        await it.settle()
        it.desk.reply("t1", "Hello", BEA)
        await it.says("t1", "again")
        await it.settle()
        event.remove(store.engine.sync_engine, "before_cursor_execute", note)
        async with store.read() as conn:
            for statement, parameters in statements:
                plan = await conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                for row in plan:
                    assert not row.detail.startswith("SCAN hitl_"), (row.detail, statement)
                    used |= set(re.findall(r"INDEX (hitl_\w+)", row.detail))
        # Those that hold only what is open: what is settled costs nothing, however much of it there is.
        assert used == {
            "hitl_deliveries_open_idx",
            "hitl_deliveries_parked_idx",
            "hitl_handoffs_open_idx",
            "hitl_links_open_idx",
            "hitl_links_wanted_idx",
        }
