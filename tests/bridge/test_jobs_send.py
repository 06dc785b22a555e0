"""Messages on their way to the helpdesk: nothing is lost, nothing is doubled, whatever fails (part 8, F08, F37)."""

import asyncio
import math

import pytest

from hitl_core import calls
from hitl_core.bridge.engine.progress import Progress
from hitl_core.bridge.handoff.effects import TellCustomer
from hitl_core.bridge.handoff.inputs import EffectDone, EffectFailed, Failure
from hitl_core.errors import (
    AuthenticationError,
    ConflictError,
    HitlError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderUnavailableError,
    RateLimitedError,
    SessionClosedError,
    StoreError,
    UnsupportedError,
)
from hitl_core.messages import Text, UnknownMessage
from hitl_core.people import Author, EndUser, Role
from hitl_core.sessions import SessionRef

from .jobsite import LOST, Desk, send, site

pytestmark = pytest.mark.anyio

LONG = " ".join(f"word{number}" for number in range(330))  # three parts of at most 1000 characters
DOWN = ProviderUnavailableError("down for maintenance; try again")
KEYED = frozenset({"send_message", "start_hitl"})


# When all is well -----------------------------------------------------------------------------------------------------


async def test_a_message_is_one_write_and_one_step_s087():
    async with site() as at:
        effect = send(at.desk.open_ticket())
        came = await at.step(effect)
        assert (came.verdict, came.report) == ("done", EffectDone(key=effect.key))
        assert (came.sent_ids, came.session) == (("t1-sent-1",), effect.session)
        assert at.desk.calls == ["send_message"]
        (request,) = at.desk.tickets["t1"].sent
        assert (request.author.id, request.message, request.visibility) == ("user-u1", effect.message, "public")


async def test_a_long_message_is_sent_part_by_part_and_each_part_is_committed_f37():
    async with site() as at:
        effect = send(at.desk.open_ticket(), LONG)
        came = await at.run(effect)
        assert [step.progress.sent for step in at.seen] == [1, 2, 3]
        assert [step.report for step in at.seen] == [None, None, EffectDone(key=effect.key)]
        assert [step.sent_ids for step in at.seen] == [("t1-sent-1",), ("t1-sent-2",), ("t1-sent-3",)]
        assert " ".join(at.desk.texts()) == LONG
        assert at.desk.keys_tried == [f"{effect.key}/{number}" for number in range(3)]
        assert came.verdict == "done"


async def test_how_the_session_stands_is_told_on_where_an_answer_tells():
    async with site() as at:
        at.desk.state = calls.SessionState(open=True, status="pending")
        assert (await at.step(send(at.desk.open_ticket()))).state == at.desk.state


async def test_a_message_that_was_not_planned_is_planned_to_the_same_parts():
    async with site() as at:
        effect = send(at.desk.open_ticket(), LONG)
        assert (await at.run(effect, Progress())).verdict == "done"
        assert " ".join(at.desk.texts()) == LONG


@pytest.mark.parametrize(("notes", "visibility"), [(True, "internal"), (False, "public")])
async def test_what_is_for_agents_alone_is_a_note_where_there_are_notes_f18(notes, visibility):
    desk = Desk()
    desk.may(internal_notes=notes)
    async with site(desk) as at:
        await at.step(send(desk.open_ticket(), author=Author.system(), internal=True))
        assert desk.tickets["t1"].sent[0].visibility == visibility


# What cannot be sent --------------------------------------------------------------------------------------------------


async def test_a_message_our_own_checks_refuse_is_refused_when_it_is_planned():
    async with site() as at:
        unknown = UnknownMessage.model_validate({"type": "hologram"})
        with pytest.raises(UnsupportedError, match="hologram"):
            at.jobs.plan(send(at.desk.open_ticket(), unknown))


async def test_a_session_of_another_account_is_refused_f32():
    async with site() as at:
        effect = send(at.desk.open_ticket())
        other = effect.session.model_copy(update={"ref": SessionRef(connection="default/other", id="t1")})
        with pytest.raises(HitlError, match="default/other"):
            at.jobs.plan(effect.model_copy(update={"session": other}))
        assert not at.desk.calls


async def test_an_effect_of_the_customers_side_is_no_work_for_a_connection():
    async with site() as at:
        effect = TellCustomer(key="h1:x", message=Text(text="hi"), sender=Author.system())
        with pytest.raises(TypeError, match="tell_customer"):
            at.jobs.plan(effect)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (InvalidRequestError("that text is refused"), Failure.REFUSED),
        (ConflictError("changed meanwhile"), Failure.REFUSED),
        (NotFoundError("no such agent", subject="agent"), Failure.REFUSED),
        (SessionClosedError("it has ended"), Failure.CLOSED),
        (NotFoundError("no such ticket", status=404), Failure.CLOSED),
        (NotFoundError("no such ticket", subject="session"), Failure.CLOSED),
    ],
)
async def test_what_the_helpdesk_refuses_for_good_is_tried_once(error, failure):
    async with site() as at:
        at.desk.fail("before", error)
        effect = send(at.desk.open_ticket())
        came = await at.step(effect)
        assert came.verdict == "failed"
        assert isinstance(came.report, EffectFailed)
        assert (came.report.key, came.report.failure) == (effect.key, failure)
        assert str(error).split(": ")[-1] in came.report.detail
        assert came.hold is None


async def test_a_part_that_is_refused_ends_the_message():
    async with site() as at:
        effect = send(at.desk.open_ticket(), LONG)
        first = await at.step(effect)
        at.desk.fail("before", InvalidRequestError("no"))
        came = await at.run(effect, first.progress)
        assert (came.verdict, came.report.failure, came.progress.sent) == ("failed", Failure.REFUSED, 1)
        assert len(at.desk.texts()) == 1


# Not now --------------------------------------------------------------------------------------------------------------


async def test_a_helpdesk_that_is_down_is_asked_again_at_growing_intervals():
    async with site() as at:
        for _ in range(9):
            at.desk.fail("before", DOWN)
        came = await at.run(send(at.desk.open_ticket()))
        assert came.verdict == "done"
        assert at.waits() == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
        assert [step.progress.failures for step in at.seen] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
        assert at.desk.calls == ["send_message"] * 10  # nothing was unclear: nothing is looked up


@pytest.mark.parametrize(("asked", "waited"), [(7.5, 7.5), (0.0, 0.0), (300.0, 300.0), (-1.0, 0.0), (math.nan, 0.0)])
async def test_the_helpdesk_says_how_long_to_wait(asked, waited):
    async with site() as at:
        at.desk.fail("before", RateLimitedError("slow down", retry_after=asked))
        assert (await at.run(send(at.desk.open_ticket()))).verdict == "done"
        assert at.waits() == [waited]


async def test_patience_ends_and_then_nothing_was_done():
    async with site(send_patience=10) as at:
        for _ in range(9):
            at.desk.fail("before", DOWN)
        came = await at.run(send(at.desk.open_ticket()))
        assert (came.verdict, came.report.failure) == ("failed", Failure.UNAVAILABLE)
        assert "10 s" in came.report.detail
        assert "down for maintenance" in came.report.detail
        assert at.waits() == [0.5, 1, 2, 4]  # another 8 would be too long
        assert not at.desk.texts()


async def test_each_part_has_a_patience_of_its_own():
    async with site(send_patience=10) as at:
        effect = send(at.desk.open_ticket(), LONG)
        for _ in range(3):
            at.desk.fail("before", DOWN)
        came = await at.step(effect)
        while came.progress.sent == 0:
            at.clock.advance(came.wait)
            came = await at.step(effect, came.progress)
        for _ in range(4):
            at.desk.fail("before", DOWN)
        assert (await at.run(effect, came.progress)).verdict == "done"


@pytest.mark.parametrize("error", [AuthenticationError("token revoked"), PermissionDeniedError("scope missing")])
async def test_an_account_that_refuses_us_is_held_and_no_attempt_is_burned(error):
    async with site(send_patience=100) as at:
        at.desk.fail("before", DOWN)
        for _ in range(5):
            at.desk.fail("before", error)
        at.desk.fail("before", DOWN)  # the time it was held for does not count
        came = await at.run(send(at.desk.open_ticket()))
        assert came.verdict == "done"
        held = at.seen[1:6]
        assert [step.progress.failures for step in held] == [1] * 5
        assert all(error.message in step.hold.detail for step in held)
        assert all(step.wait == 60 for step in held)
        assert at.seen[0].hold is None


# Nobody knows ---------------------------------------------------------------------------------------------------------


async def test_an_answer_that_was_lost_is_looked_up_and_found_f37():
    async with site() as at:
        at.desk.fail("after", LOST)
        effect = send(at.desk.open_ticket())
        came = await at.run(effect)
        assert (came.verdict, came.sent_ids) == ("done", ("t1-sent-1",))
        assert at.desk.calls == ["send_message", "find_message"]
        assert at.seen[0].progress.unclear_since is not None
        assert came.progress.unclear_since is None


async def test_a_message_that_is_not_there_is_sent_again_f37():
    async with site() as at:
        at.desk.fail("before", LOST)
        came = await at.run(send(at.desk.open_ticket()))
        assert came.verdict == "done"
        assert at.desk.calls == ["send_message", "find_message", "send_message"]
        assert len(at.desk.texts()) == 1


async def test_what_is_accounted_for_is_not_taken_for_it():
    async with site() as at:
        effect = send(at.desk.open_ticket(), LONG)
        first = await at.step(effect)
        at.desk.fail("before", LOST)
        await at.run(effect, first.progress)
        assert at.desk.searched == [frozenset({"t1-sent-1"})]


async def test_a_read_that_lags_behind_is_given_its_time():
    desk = Desk()
    desk.limited(settle_seconds=3)
    async with site(desk) as at:
        desk.fail("after", LOST)
        effect = send(desk.open_ticket())
        came = await at.step(effect)
        assert came.wait == 3
        early = await at.step(effect, came.progress)
        assert (early.verdict, early.wait) == ("again", 3)
        assert "find_message" not in desk.calls
        at.clock.advance(3)
        assert (await at.step(effect, came.progress)).verdict == "done"


async def test_a_search_that_cannot_tell_is_repeated_for_two_minutes_and_no_longer():
    async with site() as at:
        effect = send(at.desk.open_ticket())
        at.desk.fail("after", LOST)
        at.desk.answers = [calls.Inconclusive()] * 50
        began = at.clock.now()
        came = await at.run(effect)
        assert (came.verdict, came.report.failure) == ("failed", Failure.UNRESOLVED)
        assert 60 <= (at.clock.now() - began).total_seconds() <= 120
        assert at.desk.writes() == ["send_message"]
        assert came.progress.unclear_since is not None


async def test_a_search_says_when_to_ask_again():
    async with site() as at:
        at.desk.fail("after", LOST)
        at.desk.answers = [calls.Inconclusive(retry_after=20.0), calls.Inconclusive(retry_after=9000.0)]
        assert (await at.run(send(at.desk.open_ticket()))).verdict == "done"
        assert at.waits() == [0, 20, 60]


async def test_what_stays_unclear_is_repeated_where_the_provider_wants_that():
    desk = Desk()
    desk.may(unresolved="resend")
    async with site(desk) as at:
        desk.fail("before", LOST)
        desk.answers = [calls.Inconclusive()] * 50
        began = at.clock.now()
        assert (await at.run(send(desk.open_ticket()))).verdict == "done"
        assert (at.clock.now() - began).total_seconds() >= 60
        assert desk.writes() == ["send_message"] * 2


async def test_what_is_repeated_blindly_and_unclear_again_is_searched_for_two_minutes_again():
    desk = Desk()
    desk.may(unresolved="resend")
    async with site(desk) as at:
        for _ in range(3):
            desk.fail("before", LOST)
        desk.answers = [calls.Inconclusive()] * 20
        began = at.clock.now()
        assert (await at.run(send(desk.open_ticket()))).verdict == "done"
        assert desk.writes() == ["send_message"] * 4
        assert (at.clock.now() - began).total_seconds() >= 300


async def test_what_is_refused_after_the_search_found_nothing_is_refused():
    async with site() as at:
        at.desk.fail("before", LOST)
        at.desk.fail("before", InvalidRequestError("no"))
        came = await at.run(send(at.desk.open_ticket()))
        assert came.report.failure is Failure.REFUSED


async def test_a_helpdesk_that_is_down_tells_nobody_so_it_is_waited_for():
    async with site() as at:
        at.desk.fail("after", LOST)
        at.desk.answers = [DOWN] * 20
        began = at.clock.now()
        came = await at.run(send(at.desk.open_ticket()))
        assert came.verdict == "done"
        assert (at.clock.now() - began).total_seconds() > 600
        assert at.desk.writes() == ["send_message"]


async def test_an_account_that_refuses_the_search_is_held():
    async with site() as at:
        at.desk.fail("after", LOST)
        at.desk.answers = [AuthenticationError("token revoked")]
        assert (await at.run(send(at.desk.open_ticket()))).verdict == "done"
        assert "token revoked" in at.seen[1].hold.detail


async def test_a_session_that_has_gone_answers_the_search():
    async with site() as at:
        at.desk.fail("after", LOST)
        at.desk.answers = [NotFoundError("no such ticket", status=404)]
        came = await at.run(send(at.desk.open_ticket()))
        assert came.report.failure is Failure.CLOSED


@pytest.mark.parametrize("answer", [InvalidRequestError("no"), ValueError("a customer's words"), calls.Found()])
async def test_a_search_that_fails_tells_nothing(answer):
    async with site() as at:
        at.desk.fail("after", LOST)
        at.desk.answers = [answer]
        assert (await at.run(send(at.desk.open_ticket()))).verdict == "done"
        assert at.desk.writes() == ["send_message"]


async def test_our_own_books_failing_tells_nothing_either():
    async with site() as at:
        at.desk.fail("after", LOST)
        at.books.broken = [StoreError("the database is lost"), RuntimeError("?")]
        assert (await at.run(send(at.desk.open_ticket()))).verdict == "done"
        assert at.desk.writes() == ["send_message"]


# Where nothing can be looked up ---------------------------------------------------------------------------------------


async def test_without_search_and_key_a_lost_answer_is_for_a_person():
    desk = Desk()
    desk.blind()
    async with site(desk) as at:
        desk.fail("after", LOST)
        came = await at.step(send(desk.open_ticket()))
        assert (came.verdict, came.report.failure) == ("failed", Failure.UNRESOLVED)
        assert desk.calls == ["send_message"]


async def test_a_key_that_is_honoured_makes_a_repeat_harmless_f37():
    desk = Desk()
    desk.blind()
    desk.may(idempotent=KEYED)
    desk.honours_keys = True
    async with site(desk) as at:
        for _ in range(12):
            desk.fail("after", LOST)
        came = await at.run(send(desk.open_ticket()))
        assert (came.verdict, came.sent_ids) == ("done", ("t1-sent-1",))
        assert desk.texts() == ["Any news?"]
        assert set(desk.keys_tried) == {"h1:user:m1/0"}


async def test_a_key_is_repeated_through_a_long_outage_without_becoming_unresolved():
    desk = Desk()
    desk.blind()
    desk.may(idempotent=KEYED)
    desk.honours_keys = True
    async with site(desk) as at:
        for _ in range(20):
            desk.fail("before", LOST)
        assert (await at.run(send(desk.open_ticket()))).verdict == "done"
        assert desk.texts() == ["Any news?"]


async def test_a_key_the_helpdesk_may_have_forgotten_is_not_repeated():
    desk = Desk()
    desk.blind()
    desk.may(idempotent=KEYED)
    desk.limited(key_seconds=60)
    async with site(desk) as at:
        desk.fail("after", LOST)
        effect = send(desk.open_ticket())
        came = await at.step(effect)
        assert came.verdict == "again"
        at.clock.advance(61)
        late = await at.step(effect, came.progress)
        assert late.report.failure is Failure.UNRESOLVED
        assert desk.writes() == ["send_message"]


async def test_a_key_is_as_old_as_its_first_attempt():
    desk = Desk()
    desk.blind()
    desk.may(idempotent=KEYED)
    desk.limited(key_seconds=60)
    async with site(desk) as at:
        for _ in range(50):
            desk.fail("before", LOST)
        began = at.clock.now()
        came = await at.run(send(desk.open_ticket()))
        assert came.report.failure is Failure.UNRESOLVED
        assert (at.clock.now() - began).total_seconds() <= 64


async def test_a_provider_may_want_it_resent_without_search_and_key():
    desk = Desk()
    desk.blind()
    desk.may(unresolved="resend")
    async with site(desk, send_patience=100) as at:
        desk.fail("before", LOST)
        assert (await at.run(send(desk.open_ticket()))).verdict == "done"
        assert desk.writes() == ["send_message"] * 2
        for _ in range(20):
            desk.fail("before", LOST)
        came = await at.run(send(desk.open_ticket(), key="h1:user:m2"))
        assert came.report.failure is Failure.UNRESOLVED
        assert "100 s" in came.report.detail


async def test_a_key_goes_before_a_search_that_cannot_tell():
    desk = Desk()
    desk.may(idempotent=KEYED)
    desk.honours_keys = True
    async with site(desk) as at:
        desk.fail("after", LOST)
        desk.answers = [calls.Inconclusive()]
        assert (await at.run(send(desk.open_ticket()))).verdict == "done"
        assert desk.calls == ["send_message", "find_message", "send_message"]
        assert len(desk.texts()) == 1


async def test_a_search_that_is_rate_limited_is_waited_for_even_with_a_key():
    desk = Desk()
    desk.may(idempotent=KEYED)
    async with site(desk) as at:
        desk.fail("after", LOST)
        desk.answers = [RateLimitedError("slow down", retry_after=30.0)]
        assert (await at.run(send(desk.open_ticket()))).verdict == "done"
        assert at.waits() == [0, 30]
        assert desk.writes() == ["send_message"]


async def test_a_repeat_that_is_refused_does_not_say_what_came_of_the_first():
    desk = Desk()
    desk.blind()
    desk.may(idempotent=KEYED)
    async with site(desk) as at:
        desk.fail("after", LOST)
        desk.fail("before", ConflictError("this key is in use"))
        came = await at.run(send(desk.open_ticket()))
        assert (came.verdict, came.report.failure) == ("failed", Failure.UNRESOLVED)


# Processes die --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("error", [asyncio.CancelledError(), LOST])
async def test_dying_anywhere_neither_loses_nor_doubles_a_part_f37(when, part, error):
    async with site() as at:
        effect = send(at.desk.open_ticket(), LONG)
        progress = None
        for _ in range(part):
            progress = (await at.step(effect, progress)).progress
        at.desk.fail(when, error)
        assert (await at.run(effect, progress)).verdict == "done"
        assert " ".join(at.desk.texts()) == LONG


@pytest.mark.parametrize("when", ["before", "after"])
async def test_dying_with_a_helpdesk_that_honours_keys_doubles_nothing_f37(when):
    desk = Desk()
    desk.blind()
    desk.may(idempotent=KEYED)
    desk.honours_keys = True
    async with site(desk) as at:
        desk.fail(when, asyncio.CancelledError())
        assert (await at.run(send(desk.open_ticket()))).verdict == "done"
        assert desk.texts() == ["Any news?"]


async def test_whoever_takes_over_gives_the_helpdesk_time_to_show_what_it_took():
    desk = Desk()
    desk.limited(settle_seconds=4)
    async with site(desk) as at:
        came = at.jobs.interrupted(Progress(failures=2), at.clock.now())
        assert (came.verdict, came.wait) == ("again", 4)
        assert came.progress == Progress(failures=2, unclear_since=at.clock.now(), began_at=at.clock.now())
        earlier = came.progress
        at.clock.advance(50)
        assert at.jobs.interrupted(earlier, at.clock.now()).progress == earlier


async def test_patience_is_counted_from_an_attempt_of_which_nothing_else_is_known():
    async with site() as at:
        at.desk.answers = [calls.Inconclusive()]
        effect = send(at.desk.open_ticket())
        began = at.clock.now()
        at.clock.advance(10)
        came = await at.step(effect, Progress(unclear_since=began))
        assert (came.verdict, came.progress.began_at) == ("again", began)


async def test_cancellation_is_let_through():
    async with site() as at:
        at.desk.fail("before", asyncio.CancelledError())
        effect = send(at.desk.open_ticket())
        call = at.jobs.advance(effect, at.jobs.plan(effect), conversation_id="c1", handoff_id="h1")
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(call)


# Another participant (F08) --------------------------------------------------------------------------------------------


BOB = EndUser(external_id="u2", name="Bob")


async def test_a_participant_is_made_known_first_and_writes_under_their_own_name_f08_s022():
    async with site() as at:
        effect = send(at.desk.open_ticket(), LONG, author=Author.user(name="Bob"), user=BOB)
        came = await at.run(effect)
        assert came.verdict == "done"
        assert at.desk.calls == ["create_user"] + ["send_message"] * 3
        authors = {(sent.author.role, sent.author.id, sent.author.name) for sent in at.desk.tickets["t1"].sent}
        assert authors == {(Role.USER, "user-u2", "Bob")}
        assert came.progress.user.id == "user-u2"


async def test_a_participant_who_is_known_is_not_asked_about_again_f05():
    async with site() as at:
        session = at.desk.open_ticket()
        await at.run(send(session, user=BOB))
        await at.run(send(session, user=BOB, key="h1:user:m2"))
        assert at.desk.calls == ["create_user", "send_message", "send_message"]


async def test_dying_while_a_participant_is_made_known_leaves_nothing_unclear():
    async with site() as at:
        effect = send(at.desk.open_ticket(), user=BOB)
        interrupted = at.jobs.interrupted(at.jobs.plan(effect), at.clock.now())
        assert (await at.run(effect, interrupted.progress)).verdict == "done"
        assert at.desk.calls == ["create_user", "send_message"]


@pytest.mark.parametrize("error", [InvalidRequestError("no such people"), NotFoundError("no such people")])
async def test_a_participant_the_helpdesk_refuses_still_gets_through_f08(error):
    async with site() as at:
        at.desk.user_failures = [error]
        effect = send(at.desk.open_ticket(), author=Author.user(name="Bob"), user=BOB)
        came = await at.run(effect)
        assert came.verdict == "done"
        assert at.seen[0].dead == EffectFailed(
            key=f"{effect.key}/user", failure=Failure.REFUSED, detail=at.seen[0].dead.detail
        )
        assert "no such people" in at.seen[0].dead.detail
        (sent,) = at.desk.tickets["t1"].sent
        assert (sent.author.id, sent.author.name) == (None, "Bob")


async def test_a_participant_is_waited_for_while_the_helpdesk_is_down_or_refuses_us():
    async with site() as at:
        at.desk.user_failures = [DOWN, LOST, AuthenticationError("token revoked")]
        assert (await at.run(send(at.desk.open_ticket(), user=BOB))).verdict == "done"
        assert [step.hold is not None for step in at.seen[:3]] == [False, False, True]
        assert not at.books.claims


async def test_a_participant_nobody_can_make_known_in_time_fails_the_message():
    async with site(send_patience=1) as at:
        at.desk.user_failures = [DOWN] * 5
        came = await at.run(send(at.desk.open_ticket(), user=BOB))
        assert came.report.failure is Failure.UNAVAILABLE


# Nobody wants it any more ---------------------------------------------------------------------------------------------


async def test_an_unwanted_message_that_arrived_is_done():
    async with site() as at:
        effect = send(at.desk.open_ticket())
        at.desk.fail("after", LOST)
        first = await at.step(effect)
        came = await at.run(effect, first.progress, unwanted=True)
        assert (came.verdict, came.report, came.sent_ids) == ("done", EffectDone(key=effect.key), ("t1-sent-1",))


async def test_an_unwanted_message_that_did_not_arrive_is_left():
    async with site() as at:
        effect = send(at.desk.open_ticket())
        at.desk.fail("before", LOST)
        first = await at.step(effect)
        came = await at.run(effect, first.progress, unwanted=True)
        assert (came.verdict, came.report, at.desk.texts()) == ("failed", None, [])
        assert at.desk.writes() == ["send_message"]


async def test_an_unwanted_message_that_arrived_in_part_did_not_arrive():
    async with site() as at:
        effect = send(at.desk.open_ticket(), LONG)
        at.desk.fail("after", LOST)
        first = await at.step(effect)
        came = await at.run(effect, first.progress, unwanted=True)
        assert (came.verdict, came.report, came.sent_ids) == ("failed", None, ("t1-sent-1",))


async def test_an_unwanted_message_nothing_is_unclear_of_is_left_without_asking():
    async with site() as at:
        effect = send(at.desk.open_ticket(), user=BOB)
        for progress in (Progress(), at.jobs.plan(effect), at.jobs.interrupted(Progress(), at.clock.now()).progress):
            assert (await at.step(effect, progress, unwanted=True)).verdict == "failed"
        assert not at.desk.calls


async def test_an_unwanted_message_nobody_can_tell_about_is_for_a_person_after_two_minutes():
    async with site() as at:
        effect = send(at.desk.open_ticket())
        at.desk.fail("after", LOST)
        first = await at.step(effect)
        at.desk.answers = [calls.Inconclusive(), DOWN, RateLimitedError("slow", retry_after=9e9)] * 10
        began = at.clock.now()
        came = await at.run(effect, first.progress, unwanted=True)
        assert (came.verdict, came.report.failure) == ("failed", Failure.UNRESOLVED)
        assert 120 < (at.clock.now() - began).total_seconds() < 200


async def test_an_unwanted_message_that_cannot_be_searched_for_is_for_a_person():
    desk = Desk()
    desk.blind()
    desk.may(idempotent=KEYED)
    async with site(desk) as at:
        effect = send(desk.open_ticket())
        desk.fail("after", LOST)
        first = await at.step(effect)
        came = await at.step(effect, first.progress, unwanted=True)
        assert (came.verdict, came.report.failure) == ("failed", Failure.UNRESOLVED)


# What should not happen -----------------------------------------------------------------------------------------------


async def test_a_step_never_raises_whatever_our_own_books_do(caplog):
    async with site() as at:
        at.books.broken = [StoreError("the database is lost"), KeyError("a customer's words")]
        came = await at.run(send(at.desk.open_ticket(), user=BOB))
        assert came.verdict == "done"
        assert at.desk.calls == ["create_user", "send_message"]
        assert "a customer's words" not in caplog.text
        assert "KeyError" in caplog.text


async def test_an_answer_nobody_can_read_does_not_double_the_message_f37(caplog):
    async with site() as at:
        at.desk.garbled = True
        effect = send(at.desk.open_ticket())
        came = await at.run(effect)
        assert (came.verdict, at.desk.texts()) == ("done", ["Any news?"])
        assert at.desk.calls == ["send_message", "find_message"]
        assert "AttributeError" in caplog.text


async def test_what_should_not_happen_for_a_day_is_for_a_person():
    async with site(send_patience=5) as at:
        at.books.broken = [KeyError("a customer's words")] * 20
        came = await at.run(send(at.desk.open_ticket(), user=BOB))
        assert (came.verdict, came.report.failure) == ("failed", Failure.UNRESOLVED)
        assert "customer" not in came.report.detail
