"""Opening a session: the customer is found once, one ticket comes of it, whatever fails in between (F03, F05)."""

import asyncio
from itertools import pairwise

import pytest

from hitl_core import calls
from hitl_core.bridge.engine.jobs.users import fingerprint, user_key
from hitl_core.bridge.engine.progress import Progress, UserClaim
from hitl_core.bridge.handoff.inputs import EffectDone, EffectFailed, Failure
from hitl_core.errors import (
    AuthenticationError,
    InvalidRequestError,
    NotConnectedError,
    NotFoundError,
    PermissionDeniedError,
    ProviderUnavailableError,
    RateLimitedError,
    SessionClosedError,
)
from hitl_core.people import Author, EndUser, ExternalUser
from hitl_core.sessions import HistoryEntry, HitlSession, SessionRef

from .jobsite import ADA, KEY, LOST, Desk, site, start, watch

pytestmark = pytest.mark.anyio

DOWN = ProviderUnavailableError("down for maintenance; try again")
REVOKED = AuthenticationError("token revoked")
KEYED = frozenset({"send_message", "start_hitl"})
HISTORY = tuple(HistoryEntry.of(Author.user(name="Ada"), f"{number} " + "word " * 150) for number in range(4))
"""More than an opening carries: two pieces follow it."""


def several(*, late_session=False):
    """A helpdesk where opening a session takes three writes."""
    desk = Desk()
    desk.steps = 3
    desk.late_session = late_session
    return desk


# When all is well -----------------------------------------------------------------------------------------------------


async def test_a_start_settles_customer_and_plan_before_its_first_attempt_f03():
    async with site() as at:
        effect = start()
        first = await at.step(effect)
        assert (first.verdict, first.wait, first.report) == ("again", 0, None)
        assert at.desk.calls == ["create_user"]
        assert first.progress.user == ExternalUser(id="user-u1", name="Ada")
        assert first.progress.plan.request.user == first.progress.user
        assert first.progress.plan.request.key == "h1:start/0"
        second = await at.step(effect, first.progress)
        assert (second.verdict, second.session.id, second.cursor) == ("done", "t1", "0")
        assert second.sent_ids == ("opening-0",)
        assert second.report == EffectDone(key=effect.key, session=second.session, external_user=first.progress.user)
        assert at.desk.calls == ["create_user", "start_hitl"]


async def test_a_start_is_reported_as_soon_as_the_session_exists_and_then_goes_on_with_the_history_f03():
    async with site() as at:
        effect = start(history=HISTORY)
        came = await at.run(effect)
        assert [step.verdict for step in at.seen] == ["again", "again", "again", "done"]
        assert [step.report is not None for step in at.seen] == [False, True, False, False]
        assert [step.sent_ids for step in at.seen[2:]] == [("t1-sent-1",), ("t1-sent-2",)]
        assert came.progress.reported
        assert came.progress.plan is None  # what carried the opening is not stored any longer
        placed = "".join(at.desk.texts())
        assert "3 word" in placed
        assert all(step.session is not None for step in at.seen[1:])


async def test_the_plan_that_was_stored_is_the_one_that_is_carried_out():
    async with site() as at:
        first = await at.step(start(title="Parcel"))
        await at.step(start(title="Something else"), first.progress)
        assert at.desk.tickets["t1"].start.title == "Parcel"


async def test_what_could_not_be_set_is_said_in_the_log(caplog):
    async with site() as at:
        at.desk.warnings = ("the priority could not be set",)
        await at.run(start())
        assert "h1: the priority could not be set" in caplog.text


async def test_a_start_that_cannot_be_planned_is_refused_and_holds_nothing():
    async with site() as at:
        for wrong in ({"options": {"urgency": 1}}, {"relay": "carrier-pigeon"}, {"title": " "}):
            came = await at.run(start(**wrong))
            assert (came.verdict, came.report.failure, came.hold) == ("failed", Failure.REFUSED, None)
        assert "start_hitl" not in at.desk.calls


async def test_a_start_for_another_account_is_never_made_here_f32():
    async with site(start_patience=1, send_patience=1) as at:
        effect = start().model_copy(update={"connection": "default/other"})
        came = await at.run(effect, Progress())
        assert came.verdict == "failed"
        assert not at.desk.calls


# The customer (F05) ---------------------------------------------------------------------------------------------------


async def test_a_customer_is_made_once_however_many_start_at_the_same_time_f05():
    async with site() as at:
        assert isinstance(await at.books.claim_user(KEY, "u1", fingerprint(ADA)), UserClaim)
        waiting = await at.step(start())
        assert (waiting.verdict, waiting.wait) == ("again", 0.2)
        assert not at.desk.calls
        await at.books.keep_user(KEY, "u1", fingerprint(ADA), ExternalUser(id="made-by-another"))
        came = await at.run(start(), waiting.progress)
        assert came.verdict == "done"
        assert at.desk.tickets["t1"].start.user.id == "made-by-another"
        assert "create_user" not in at.desk.calls


async def test_a_customers_record_that_is_never_made_fails_the_start_f05():
    async with site() as at:
        await at.books.claim_user(KEY, "u1", fingerprint(ADA))
        came = await at.run(start())
        assert (came.verdict, came.report.failure) == ("failed", Failure.UNAVAILABLE)
        assert "customer's record" in came.report.detail


async def test_new_facts_of_a_customer_update_the_record_f05():
    async with site() as at:
        await at.run(start())
        await at.run(start(key="h2:start"))
        assert at.desk.calls.count("create_user") == 1
        await at.run(start(ADA.model_copy(update={"email": "ada@example.com"}), key="h3:start"))
        assert at.desk.calls.count("create_user") == 2
        assert at.desk.user_requests[1].known == ExternalUser(id="user-u1", name="Ada")
        assert at.desk.users["user-u1"].email == "ada@example.com"


async def test_facts_the_helpdesk_refuses_do_not_cost_the_record_that_is_known_f05(caplog):
    async with site() as at:
        await at.run(start())
        at.desk.user_failures = [InvalidRequestError("that is no telephone number")]
        came = await at.run(start(ADA.model_copy(update={"phone": "?"}), key="h2:start"))
        assert came.verdict == "done"
        assert came.report.external_user.id == "user-u1"
        assert "no telephone number" in caplog.text
        assert not at.books.claims


@pytest.mark.parametrize(
    ("error", "failure", "held"),
    [
        (REVOKED, Failure.NOT_ALLOWED, True),
        (NotConnectedError("connect the bot first"), Failure.NOT_ALLOWED, True),
        (InvalidRequestError("no such people"), Failure.REFUSED, False),
        (NotFoundError("gone"), Failure.REFUSED, False),
    ],
)
async def test_a_customer_who_cannot_be_made_fails_the_start_and_gives_the_claim_back_f05(error, failure, held):
    async with site() as at:
        at.desk.user_failures = [error]
        came = await at.run(start())
        assert (came.verdict, came.report.failure) == ("failed", failure)
        assert (came.hold is not None) is held
        assert not at.books.claims
        assert came.session is None


@pytest.mark.parametrize("error", [DOWN, LOST])
async def test_a_customer_is_asked_for_again_since_that_is_harmless_f05(error):
    async with site() as at:
        at.desk.user_failures = [error] * 3
        assert (await at.run(start())).verdict == "done"
        assert at.waits()[:3] == [0.5, 1, 2]
        at.desk.user_failures = [error] * 30
        other = EndUser(external_id="u2")
        came = await at.run(start(other, key="h2:start"))
        assert came.report.failure is Failure.UNAVAILABLE
        assert "nothing was done" in came.report.detail


async def test_one_key_makes_a_customer_whoever_is_the_next_to_try_f37():
    async with site() as at:
        nobody = EndUser(name="Ada")
        first = await at.step(start(nobody))
        at.books.users.clear()  # it died before it could note that
        await at.step(start(nobody, key="h2:start"))
        assert at.desk.user_requests[0].key == at.desk.user_requests[1].key
        assert len(at.desk.users) == 1
        assert first.progress.user.id in at.desk.users


def test_a_customer_is_kept_under_what_tells_people_apart_f05():
    assert user_key(EndUser(external_id="u1", email="a@b.c"), "c1") == "u1"
    assert len(user_key(EndUser(external_id="u" * 500), "c1")) == len("id:") + 64
    mail = user_key(EndUser(email="Ada@Example.com ", phone="1"), "c1")
    assert mail == user_key(EndUser(email="ada@example.com", name="Ada"), "c2")
    assert mail.startswith("email:")
    assert "example" not in mail
    assert user_key(EndUser(phone="+46 1"), "c1") == user_key(EndUser(phone="+46 1"), "c2")
    names = {user_key(EndUser(name=name), conversation) for name in (None, "Ada", "Bob") for conversation in ("1", "2")}
    assert len(names) == 6  # people of whom only a name is known are never taken for each other


def test_a_fingerprint_tells_whether_anything_has_changed_f05():
    assert fingerprint(ADA) == fingerprint(EndUser(external_id="u1", name="Ada"))
    one, other = EndUser(data={"a": 1, "b": 2}), EndUser(data={"b": 2, "a": 1})
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(ADA) != fingerprint(ADA.model_copy(update={"locale": "de"}))


# What may go wrong ----------------------------------------------------------------------------------------------------


async def planned(at, effect):
    return (await at.step(effect)).progress


@pytest.mark.parametrize(
    ("error", "failure", "held"),
    [
        (REVOKED, Failure.NOT_ALLOWED, True),
        (PermissionDeniedError("your plan has no tickets"), Failure.NOT_ALLOWED, True),
        (InvalidRequestError("no such team"), Failure.REFUSED, False),
        (NotFoundError("no such team", status=404), Failure.REFUSED, False),
        (SessionClosedError("the session it follows is closed"), Failure.REFUSED, False),
    ],
)
async def test_a_start_that_is_refused_fails_at_once_so_that_another_account_may_be_tried_f31(error, failure, held):
    async with site() as at:
        effect = start()
        progress = await planned(at, effect)
        at.desk.fail("before", error)
        came = await at.step(effect, progress)
        assert (came.verdict, came.report.key, came.report.failure) == ("failed", effect.key, failure)
        assert (came.hold is not None) is held
        assert came.session is None


async def test_a_start_is_tried_for_thirty_seconds():
    async with site() as at:
        effect = start()
        progress = await planned(at, effect)
        for _ in range(20):
            at.desk.fail("before", DOWN)
        came = await at.run(effect, progress)
        assert (came.verdict, came.report.failure) == ("failed", Failure.UNAVAILABLE)
        assert at.waits()[1:] == [0.5, 1, 2, 4, 8]
        assert not at.desk.tickets


async def test_a_helpdesk_that_wants_more_time_than_there_is_fails_the_start_at_once():
    async with site() as at:
        effect = start()
        progress = await planned(at, effect)
        at.desk.fail("before", RateLimitedError("slow down", retry_after=40))
        assert (await at.step(effect, progress)).report.failure is Failure.UNAVAILABLE


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [LOST, asyncio.CancelledError()])
async def test_a_start_nobody_knows_the_end_of_is_looked_up_and_makes_one_ticket_f03(when, error):
    async with site() as at:
        effect = start(history=HISTORY)
        progress = await planned(at, effect)
        at.books.sessions.add("t0")
        at.desk.fail(when, error)
        came = await at.run(effect, progress)
        assert came.verdict == "done"
        assert len(at.desk.tickets) == 1
        assert len(at.desk.texts()) == 2
        assert at.desk.searched == [frozenset({"t0"})]
        assert len(at.reports()) == 1


async def test_an_attempt_that_took_all_the_time_there_was_is_still_looked_up():
    async with site() as at:
        effect = start()
        progress = await planned(at, effect)
        at.desk.takes = 31
        at.desk.fail("after", LOST)
        came = await at.run(effect, progress)
        assert (came.verdict, came.session.id) == ("done", "t1")


async def test_an_attempt_that_took_all_the_time_and_did_nothing_is_not_made_again():
    async with site() as at:
        effect = start()
        progress = await planned(at, effect)
        at.desk.takes = 31
        at.desk.fail("before", LOST)
        came = await at.run(effect, progress)
        assert (came.verdict, came.report.failure) == ("failed", Failure.UNAVAILABLE)
        assert at.desk.calls.count("start_hitl") == 1


async def test_a_start_whose_process_died_for_longer_than_its_patience_is_tried_once_more():
    async with site() as at:
        effect = start()
        progress = await planned(at, effect)
        began = at.clock.now()
        at.clock.advance(300)
        came = await at.run(effect, at.jobs.interrupted(progress, began).progress)
        assert came.verdict == "done"


async def test_a_start_nobody_can_tell_about_keeps_what_a_watch_needs_f03():
    async with site() as at:
        effect = start()
        progress = await planned(at, effect)
        at.desk.fail("after", LOST)
        at.desk.answers = [calls.Inconclusive()] * 50
        came = await at.run(effect, progress)
        assert (came.verdict, came.report.failure, came.session) == ("failed", Failure.UNRESOLVED, None)
        assert came.progress.plan == progress.plan
        assert came.progress.unclear_since is not None


async def test_an_account_that_refuses_the_search_leaves_a_start_unresolved_rather_than_tried_elsewhere_f31():
    async with site() as at:
        effect = start()
        progress = await planned(at, effect)
        at.desk.fail("after", LOST)
        at.desk.answers = [REVOKED] * 50
        came = await at.run(effect, progress)
        assert came.report.failure is Failure.UNRESOLVED


async def test_a_repeat_that_is_refused_leaves_a_start_unresolved_rather_than_tried_elsewhere_f31():
    desk = Desk()
    desk.blind()
    desk.may(idempotent=KEYED)
    async with site(desk) as at:
        effect = start()
        progress = await planned(at, effect)
        desk.fail("after", LOST)
        desk.fail("before", REVOKED)
        came = await at.run(effect, progress)
        assert came.report.failure is Failure.UNRESOLVED
        assert "token revoked" in came.hold.detail


async def test_a_start_is_repeated_under_its_key_where_that_is_honoured_f02():
    desk = Desk()
    desk.blind()
    desk.may(idempotent=KEYED)
    async with site(desk) as at:
        effect = start()
        progress = await planned(at, effect)
        desk.fail("after", LOST)
        came = await at.run(effect, progress)
        assert (came.verdict, len(desk.tickets)) == ("done", 1)
        assert desk.keys_tried == ["h1:start/0", "h1:start/0"]


async def test_a_start_without_search_and_key_is_unresolved_at_once():
    desk = Desk()
    desk.blind()
    async with site(desk) as at:
        effect = start()
        progress = await planned(at, effect)
        desk.fail("before", LOST)
        assert (await at.step(effect, progress)).report.failure is Failure.UNRESOLVED


# Openings of several steps --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late_session", [False, True])
async def test_an_opening_of_several_steps_takes_each_with_what_the_last_one_gave(late_session):
    async with site(several(late_session=late_session)) as at:
        effect = start(history=HISTORY)
        came = await at.run(effect)
        assert came.verdict == "done"
        assert at.desk.keys_tried[:3] == ["h1:start/0", "h1:start/0.1", "h1:start/0.2"]
        steps = at.seen[1:4]
        known = [step.session is not None for step in steps]
        assert known == ([False, False, True] if late_session else [True, True, True])
        assert [step.report is not None for step in steps] == [False, False, True]
        assert steps[-1].sent_ids == ("opening-0", "opening-1", "opening-2")
        assert steps[-1].cursor == "0"


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize(
    ("when", "error"),
    [
        ("before", DOWN),
        ("before", LOST),
        ("after", LOST),
        ("before", asyncio.CancelledError()),
        ("after", asyncio.CancelledError()),
    ],
)
async def test_dying_between_the_steps_of_an_opening_makes_one_ticket_f03(when, step, error):
    async with site(several()) as at:
        effect = start(history=HISTORY)
        progress = await planned(at, effect)
        for _ in range(step):
            progress = (await at.step(effect, progress)).progress
        at.desk.fail(when, error)
        came = await at.run(effect, progress)
        assert came.verdict == "done"
        taken = [one for before, one in pairwise(at.seen) if one.progress.step > before.progress.step]
        assert all((one.progress.failures, one.progress.unclear_since) == (0, None) for one in taken)
        assert set(at.desk.keys) == {"h1:start/0", "h1:start/0.1", "h1:start/0.2"}
        assert len(at.desk.tickets) == 1
        assert len([report for report in at.reports() if isinstance(report, EffectDone)]) == 1


@pytest.mark.parametrize(
    ("error", "failure"),
    [(InvalidRequestError("no"), Failure.REFUSED), (REVOKED, Failure.NOT_ALLOWED), (DOWN, Failure.UNAVAILABLE)],
)
async def test_an_opening_that_breaks_off_names_the_orphan_f03(error, failure):
    async with site(several()) as at:
        effect = start()
        progress = (await at.step(effect, await planned(at, effect))).progress
        for _ in range(20):
            at.desk.fail("before", error)
        came = await at.run(effect, progress)
        assert (came.verdict, came.report.key, came.report.failure) == ("failed", effect.key, failure)
        assert came.session.id == "t1"
        assert came.progress.user is not None


# The history that follows ---------------------------------------------------------------------------------------------


async def opened(at, effect):
    """Return how it stands once the session is reported."""
    progress = await planned(at, effect)
    return (await at.step(effect, progress)).progress


async def test_a_piece_of_history_that_is_refused_is_for_a_person_and_the_start_goes_on():
    async with site() as at:
        effect = start(history=HISTORY)
        progress = await opened(at, effect)
        at.desk.fail("before", InvalidRequestError("no"))
        came = await at.step(effect, progress)
        assert (came.verdict, came.report) == ("again", None)
        assert came.dead == EffectFailed(key=progress.parts[0].key, failure=Failure.REFUSED, detail=came.dead.detail)
        assert (await at.run(effect, came.progress)).verdict == "done"
        assert len(at.desk.texts()) == 1


async def test_the_last_piece_of_history_may_be_unclear_for_ever_and_the_start_is_done():
    async with site() as at:
        effect = start(history=HISTORY)
        progress = (await at.step(effect, await opened(at, effect))).progress
        at.desk.fail("after", LOST)
        at.desk.answers = [calls.Inconclusive()] * 50
        came = await at.run(effect, progress)
        assert (came.verdict, came.dead.failure) == ("done", Failure.UNRESOLVED)


async def test_the_history_has_a_patience_of_its_own():
    async with site(send_patience=20) as at:
        effect = start(history=HISTORY)
        progress = await planned(at, effect)
        at.clock.advance(25)
        progress = (await at.step(effect, progress)).progress
        at.desk.fail("before", DOWN)
        assert (await at.run(effect, progress)).verdict == "done"
        assert len(at.desk.texts()) == 2


async def test_a_session_that_closes_during_the_history_ends_the_start_and_is_no_orphan():
    async with site() as at:
        effect = start(history=HISTORY)
        progress = await opened(at, effect)
        at.desk.close("t1")
        came = await at.run(effect, progress)
        assert (came.verdict, came.report.failure, came.session) == ("failed", Failure.CLOSED, None)


async def test_an_account_that_refuses_us_during_the_history_is_held():
    async with site() as at:
        effect = start(history=HISTORY)
        progress = await opened(at, effect)
        at.desk.fail("before", REVOKED)
        came = await at.step(effect, progress)
        assert (came.verdict, came.hold is not None, came.progress.sent) == ("again", True, 0)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [LOST, asyncio.CancelledError()])
async def test_dying_during_the_history_doubles_no_piece_of_it_f37(when, error):
    async with site() as at:
        effect = start(history=HISTORY)
        progress = await opened(at, effect)
        at.desk.fail(when, error)
        assert (await at.run(effect, progress)).verdict == "done"
        assert len(at.desk.texts()) == 2
        assert len(at.reports()) == 1


# Nobody wants it any more ---------------------------------------------------------------------------------------------


async def test_an_unwanted_start_that_took_place_is_reported_so_that_it_is_closed_f03():
    async with site() as at:
        effect = start(history=HISTORY)
        progress = await planned(at, effect)
        at.desk.fail("after", LOST)
        progress = (await at.step(effect, progress)).progress
        came = await at.run(effect, progress, unwanted=True)
        assert (came.verdict, came.report.session.id, came.session.id) == ("done", "t1", "t1")
        assert came.report.external_user == progress.user
        assert at.desk.writes() == ["create_user", "start_hitl"]


async def test_an_unwanted_start_that_did_not_take_place_is_left_f03():
    async with site() as at:
        effect = start()
        progress = await planned(at, effect)
        at.desk.fail("before", LOST)
        progress = (await at.step(effect, progress)).progress
        came = await at.run(effect, progress, unwanted=True)
        assert (came.verdict, came.report, came.session) == ("failed", None, None)


async def test_an_unwanted_start_nobody_can_tell_about_is_unresolved_and_can_be_watched_for_f03():
    async with site() as at:
        effect = start()
        progress = await planned(at, effect)
        at.desk.fail("after", LOST)
        progress = (await at.step(effect, progress)).progress
        at.desk.answers = [calls.Inconclusive()] * 50
        came = await at.run(effect, progress, unwanted=True)
        assert (came.verdict, came.report.failure) == ("failed", Failure.UNRESOLVED)
        assert came.progress.plan is not None


async def test_an_unwanted_start_that_has_begun_is_reported_without_being_finished_f03():
    async with site(several()) as at:
        effect = start()
        progress = (await at.step(effect, await planned(at, effect))).progress
        came = await at.run(effect, progress, unwanted=True)
        assert (came.verdict, came.report.session.id) == ("done", "t1")
        assert at.desk.writes() == ["create_user", "start_hitl"]


async def test_an_unwanted_start_found_half_way_is_reported_too_f03():
    async with site(several()) as at:
        effect = start()
        progress = await planned(at, effect)
        at.desk.fail("after", LOST)
        progress = (await at.step(effect, progress)).progress
        came = await at.run(effect, progress, unwanted=True)
        assert (came.verdict, came.report.session.id) == ("done", "t1")


async def test_an_unwanted_start_whose_session_is_known_is_not_searched_for_f03():
    async with site(several()) as at:
        effect = start()
        progress = (await at.step(effect, await planned(at, effect))).progress
        at.desk.fail("after", LOST)
        progress = (await at.step(effect, progress)).progress
        came = await at.run(effect, progress, unwanted=True)
        assert (came.verdict, came.report.session.id) == ("done", "t1")
        assert "find_session" not in at.desk.calls


@pytest.mark.parametrize("reported", [False, True])
async def test_an_unwanted_start_that_is_known_already_asks_nobody(reported):
    async with site() as at:
        effect = start(history=HISTORY)
        progress = await (opened(at, effect) if reported else planned(at, effect))
        before = len(at.desk.calls)
        came = await at.step(effect, progress, unwanted=True)
        assert (came.verdict, came.report) == ("done" if reported else "failed", None)
        assert (await at.step(effect, Progress(), unwanted=True)).verdict == "failed"
        assert len(at.desk.calls) == before


# Watching for it (F03) ------------------------------------------------------------------------------------------------


async def unresolved(at):
    """A start of which nobody can tell; the desk has it, and its search does not know."""
    effect = start()
    progress = await planned(at, effect)
    at.desk.fail("after", LOST)
    at.desk.answers = [calls.Inconclusive()] * 50
    came = await at.run(effect, progress)
    assert came.report.failure is Failure.UNRESOLVED
    at.desk.answers.clear()
    at.seen.clear()
    at.desk.calls.clear()
    return came.progress


async def test_a_late_session_is_found_and_reported_as_the_starts_own_f03():
    async with site() as at:
        progress = await unresolved(at)
        at.desk.answers = [calls.Inconclusive(), DOWN, calls.Absent()]
        began = at.clock.now()
        came = await at.run(watch())
        assert came.verdict == "done"
        assert came.report == EffectDone(key="h1:start", session=came.session, external_user=progress.user)
        assert (came.session.id, at.desk.calls) == ("t1", ["find_session"] * 4)
        assert (at.clock.now() - began).total_seconds() == 300


async def test_a_session_that_never_shows_up_is_looked_for_five_times_in_a_quarter_of_an_hour_f03():
    async with site() as at:
        await unresolved(at)
        at.desk.answers = [calls.Absent()] * 50
        began = at.clock.now()
        times = []
        progress = at.jobs.plan(watch())
        while True:
            before = len(at.desk.calls)
            came = await at.step(watch(), progress)
            if len(at.desk.calls) > before:
                times.append((at.clock.now() - began).total_seconds())
            if came.verdict == "done":
                break
            progress = came.progress
            at.clock.advance(came.wait)
        assert times == [5, 15, 60, 300, 900]
        assert (came.report, came.session) == (None, None)


async def test_a_watch_that_slept_through_its_looks_takes_one_and_goes_on_f03():
    async with site() as at:
        await unresolved(at)
        at.desk.answers = [calls.Absent()] * 50
        first = await at.step(watch())
        at.clock.advance(100)
        came = await at.step(watch(), first.progress)
        assert (came.verdict, came.wait) == ("again", 200)
        at.clock.advance(10_000)
        assert (await at.step(watch(), came.progress)).verdict == "done"
        assert at.desk.calls == ["find_session"] * 2


async def test_a_watch_has_nothing_to_look_for_where_nothing_can_be_found_f03():
    desk = Desk()
    desk.blind()
    async with site(desk) as at:
        assert (await at.step(watch())).verdict == "done"
        assert not desk.calls


@pytest.mark.parametrize(
    "known",
    [
        None,
        Progress(),
        Progress(reported=True, session=HitlSession(ref=SessionRef(connection=KEY, id="t1"), provider="memory")),
    ],
)
async def test_a_watch_ends_when_nothing_is_in_doubt_f03(known):
    async with site() as at:
        at.books.starts["h1:start"] = known
        assert (await at.run(watch())).verdict == "done"
        assert not at.desk.calls
        assert not at.reports()


async def test_an_unwanted_watch_is_left():
    async with site() as at:
        assert (await at.step(watch(), unwanted=True)).verdict == "failed"
