"""What a reading of the session tells, so that a lost webhook leaves nobody in silence (F13)."""

import pytest

from hitl_core.bridge.handoff import EndReason, Owner, Phase, ReadSession, StopSession
from hitl_core.events import AgentMessageDeleted, SessionReopened
from hitl_core.sessions import SessionRef

from .scene import BEA, CYD, REF, Scene, after

MERGED = SessionRef(connection="default/desk", id="t2")


@pytest.fixture
def scene():
    return Scene().active()


def test_f13_a_lost_assignment_is_told(scene):
    scene.read(agent=CYD)
    assert (scene.told(), scene.handoff.agent) == ([scene.joined("Cyd")], CYD)


def test_f13_f26_a_lost_unassignment_puts_the_customer_back_in_the_queue(scene):
    scene.read()
    assert (scene.handoff.owner, scene.handoff.agent) == (Owner.QUEUE, None)


def test_f13_s116_a_lost_end_gives_the_conversation_back(scene):
    scene.read(open=False, agent=CYD)
    assert scene.told() == [scene.text("on_hitl_stopped_message")]
    assert scene.back().reason is EndReason.AGENT_CLOSED
    assert not scene.effects(StopSession)


def test_f13_a_missing_session_ends_it(scene):
    scene.say("still there?")
    scene.read(gone=True)
    assert (scene.back().reason, scene.pending()) == (EndReason.SESSION_GONE, ["still there?"])


def test_f13_a_lost_merge_is_followed(scene):
    scene.read(open=False, moved_to=MERGED)
    assert (scene.handoff.session.ref, scene.handoff.open, scene.reads()) == (MERGED, True, [MERGED])


def test_a_reading_that_tells_what_is_known_changes_nothing(scene):
    assert scene.read(agent=BEA).ignored == "nothing new"
    assert scene.last.effects == ()


def test_s080_an_agent_concluded_from_a_message_is_not_taken_away_by_a_record_that_shows_nobody():
    scene = Scene().waiting()
    scene.agent_says("hello")
    assert scene.read().ignored == "nothing new"


def test_a_reading_overtaken_by_a_fact_is_made_again(scene):
    scene.now = after(10)
    scene.assigned(CYD)
    scene.now = after(11)
    scene.read(began=after(9), agent=BEA)
    assert (scene.last.ignored, scene.kinds(), scene.reads()) == ("overtaken", [ReadSession], [REF])
    assert scene.handoff.agent == CYD
    scene.read(began=after(10), agent=CYD)
    assert scene.last.ignored == "nothing new"


@pytest.mark.parametrize("fact", ["message", "assigned", "reopened"])
def test_facts_of_the_session_are_dated_and_what_says_nothing_of_it_is_not(scene, fact):
    scene.now = after(10)
    scene.event(AgentMessageDeleted, message_id="dm-1")
    assert scene.handoff.facts_at == after(0)
    match fact:
        case "message":
            scene.agent_says("x")
        case "assigned":
            scene.assigned(CYD)
        case _:
            scene.event(SessionReopened)
    assert scene.handoff.facts_at == after(10)


def test_a_reading_older_at_the_vendor_than_what_is_known_revives_nothing(scene):
    scene.assigned(CYD, at=after(9))
    assert scene.read(agent=BEA, updated_at=after(5)).ignored == "nothing new"


def test_what_has_ended_is_not_revived_by_a_reading(scene):
    scene.closed()
    assert scene.read(agent=CYD).ignored == "ended"
    assert scene.handoff.phase is Phase.ENDED


def test_a_reading_of_another_session_or_before_the_link_changes_nothing(scene):
    assert scene.read(session=MERGED).ignored == "other session"
    fresh = Scene()
    fresh.start()
    assert fresh.read().ignored == "starting"


def test_the_state_that_came_with_the_start_counts_although_it_was_read_before_the_link():
    scene = Scene()
    scene.start()
    scene.now = after(5)
    scene.started()
    scene.read(began=after(1), agent=BEA)
    assert scene.told() == [scene.joined("Bea")]


def test_an_agent_assigned_again_by_a_reading_is_a_fact_of_its_own(scene):
    told = []
    keys = []
    for agent in (CYD, BEA, CYD):
        scene.read(agent=agent)
        told += scene.told()
        keys += [effect.key for effect in scene.last.effects]
    assert told == [scene.joined(name) for name in ("Cyd", "Bea", "Cyd")]
    assert len(keys) == len(set(keys))
