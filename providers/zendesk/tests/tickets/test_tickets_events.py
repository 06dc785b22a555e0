"""What each event of Zendesk's means for the customer (behaviours F24 to F30, S236, S237, S241)."""

from datetime import UTC, datetime

import pytest

import hitl_core as hitl
from hitl_core.testing import reply

from .conftest import AGENT, CUSTOMER, ME, TICKET, event, said

pytestmark = pytest.mark.anyio

COMMENTS = f"GET tickets/{TICKET}/comments"
ADA = {
    "id": AGENT,
    "name": "Ada",
    "role": "agent",
    "email": "ada@acme.test",
    "photo": {"content_url": "https://acme.zendesk.com/ada.png"},
}
ADA_TOLD = hitl.Agent(id=str(AGENT), name="Ada", email="ada@acme.test", avatar_url="https://acme.zendesk.com/ada.png")
REF = hitl.SessionRef(connection="default/shop", id=str(TICKET))


@pytest.fixture(autouse=True)
def people(zendesk):
    zendesk.on(f"GET users/{AGENT}", {"user": ADA})
    zendesk.on(f"GET users/{CUSTOMER}", {"user": {"id": CUSTOMER, "name": "Grace", "role": "end-user"}})


def known(own=(), cursor=None):
    session = hitl.HitlSession(ref=REF, provider="zendesk")
    return {str(TICKET): hitl.KnownSession(session=session, own_message_ids=frozenset(own), cursor=cursor)}


async def means(zendesk, body, **more):
    """Return the only event a delivery gives."""
    async with zendesk.receiving() as (_, receive):
        (found,) = await receive(body, **more)
    return found


def reason(found):
    assert isinstance(found, hitl.Ignored), found
    assert found.session == REF
    return found.reason


# Comments


async def test_an_agents_public_answer_is_a_message_with_its_author(zendesk):
    found = await means(zendesk, event("comment_added", said()))
    assert found == hitl.AgentMessage(
        event_id="comment:601",
        occurred_at=datetime(2026, 1, 5, 12, 0, 4, tzinfo=UTC),
        session=REF,
        message_id="601",
        agent=ADA_TOLD,
        message=hitl.Text(text="Hello, I am looking into it."),
        raw=found.raw,
    )
    assert zendesk.asked == [f"GET users/{AGENT}"]


async def test_s241_an_agent_is_read_once_and_never_written(zendesk):
    async with zendesk.receiving() as (_, receive):
        for id_ in range(601, 606):
            await receive(event("comment_added", said(id_=id_)))
    assert zendesk.asked == [f"GET users/{AGENT}"]


async def test_an_agent_who_is_gone_is_known_by_what_the_event_tells(zendesk):
    zendesk.on(f"GET users/{AGENT}", reply(404, json={"error": "RecordNotFound"}))
    assert (await means(zendesk, event("comment_added", said()))).agent == hitl.Agent(id=str(AGENT), name="Ada")


@pytest.mark.parametrize("time", ["2026-01-05T12:00:05.789012345Z", "2026-01-05T12:00:05Z", "", None, 7, "soon"])
async def test_a_time_of_nine_digits_or_none_loses_no_message(zendesk, time):
    body = event("comment_added", said(), updated_at=None) | {"time": time}
    found = await means(zendesk, body)
    assert isinstance(found, hitl.AgentMessage)
    expected = datetime(2026, 1, 5, 12, 0, 5, tzinfo=UTC)
    at = found.occurred_at
    assert (at and at.replace(microsecond=0)) == (expected if isinstance(time, str) and time[:1] == "2" else None)


async def test_fields_that_are_null_or_missing_lose_no_message(zendesk):
    body = event("comment_added", said())
    body["detail"] = dict.fromkeys(body["detail"]) | {"id": str(TICKET)}
    assert (await means(zendesk, body)).message_id == "601"
    body["detail"] = {"id": TICKET}
    del body["event"]["meta"], body["account_id"], body["id"], body["subject"]
    assert (await means(zendesk, body)).message_id == "601"


@pytest.mark.parametrize(
    ("comment", "why"),
    [
        (said(public=False), "internal_note"),
        (said(author=CUSTOMER, staff=False), "end_user"),
        (said(author=CUSTOMER, staff=False, public=False), "internal_note"),
        (said(author=ME), "echo"),
        (said(author=ME, public=False), "echo"),
        (said(author=-1), "system"),
        (said(author="-1", staff=False), "system"),
        (said(author=None), "system"),
        (said(" &nbsp; "), "empty"),
        (said(id_=601, author=6001, staff=False), "end_user"),
    ],
)
async def test_f24_f30_s237_what_is_not_an_agents_answer_is_ignored_for_a_reason(zendesk, comment, why):
    zendesk.on("GET users/6001", 500)
    found = await means(zendesk, event("comment_added", comment))
    assert reason(found) == why
    assert found.event_id == "comment:601"
    assert found.message_id == "601"


@pytest.mark.parametrize("why", ["echo"])
async def test_f24_a_comment_of_ours_is_an_echo_whoever_is_shown_as_its_author(zendesk, why):
    body = event("comment_added", said(author=AGENT))
    assert reason(await means(zendesk, body, known=known(own=["601"]))) == why


async def test_f27_markup_of_an_agents_comes_as_markdown(zendesk):
    found = await means(zendesk, event("comment_added", said("See <b>this</b>")))
    assert found.message == hitl.Markdown(markdown="See **this**")


async def test_f27_without_html_the_plain_words_come(zendesk):
    found = await means(zendesk, event("comment_added", said("- one\n- two", html_body=None)))
    assert found.message == hitl.Text(text="- one\n- two")


# Files


def linked(**more):
    attachment = {
        "id": "801",
        "filename": "lamp.png",
        "content_type": "image/png",
        "content_url": "https://acme.zendesk.com/attachments/token/x/?name=lamp.png",
        "is_public": True,
    }
    return {"comment": {"id": "601", "attachment": attachment | more}}


def whole(**more):
    told = {"id": 801, "file_name": "lamp.png", "content_type": "image/png", "size": 4, "deleted": False}
    return {"attachment": told | more}


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("image/png", hitl.Image),
        ("audio/mpeg", hitl.Audio),
        ("video/mp4", hitl.Video),
        ("application/pdf", hitl.File),
        (None, hitl.File),
    ],
)
async def test_f28_an_agents_file_is_a_message_with_the_same_message_id(zendesk, kind, made):
    zendesk.on("GET attachments/801", whole(content_type=kind))
    found = await means(zendesk, event("attachment_linked_to_comment", linked()))
    assert (found.event_id, found.message_id, found.agent) == ("attachment:801", "601", ADA_TOLD)
    assert found.message == made(
        ref=hitl.AttachmentRef(id="801", session=str(TICKET)),
        name="lamp.png",
        content_type=kind or "application/octet-stream",
        size=4,
    )


@pytest.mark.parametrize(
    ("actor", "file", "own", "why"),
    [
        (ME, {}, (), "echo"),
        (AGENT, {}, ("601",), "echo"),
        (CUSTOMER, {}, (), "end_user"),
        (-1, {}, (), "system"),
        (None, {}, (), "system"),
        (AGENT, {"is_public": False}, (), "internal_note"),
    ],
)
async def test_f24_f28_other_peoples_files_are_ignored_and_not_read(zendesk, actor, file, own, why):
    body = event("attachment_linked_to_comment", linked(**file), actor_id=None if actor is None else str(actor))
    found = await means(zendesk, body, known=known(own=own))
    assert reason(found) == why
    assert found.event_id == "attachment:801"
    assert not [route for route in zendesk.asked if "attachments" in route]


@pytest.mark.parametrize(
    "harm", [{"malware_scan_result": "malware_found"}, {"deleted": True}, {"file_name": "redacted.txt", "size": 1}]
)
async def test_a_harmful_or_deleted_file_is_not_passed_on(zendesk, harm):
    zendesk.on("GET attachments/801", whole(**harm))
    assert reason(await means(zendesk, event("attachment_linked_to_comment", linked()))) == "irrelevant"


# What is taken back


async def test_a_comment_made_private_is_taken_back(zendesk):
    found = await means(zendesk, event("comment_made_private", {"comment": {"id": "601"}}))
    assert found == hitl.AgentMessageDeleted(
        event_id="comment:601:private", message_id="601", session=REF, occurred_at=found.occurred_at, raw=found.raw
    )


@pytest.mark.parametrize("name", ["comment_redacted", "attachment_redacted_from_comment"])
async def test_a_comment_that_was_redacted_is_read_as_it_is_now(zendesk, name):
    left = {"id": 601, "html_body": "<p>Card ▇▇▇▇ is fine</p>", "author_id": AGENT}
    zendesk.on(COMMENTS, {"comments": [{"id": 602, "html_body": "other"}, left]})
    found = await means(zendesk, event(name, {"comment": {"id": "601"}}))
    assert isinstance(found, hitl.AgentMessageUpdated)
    assert (found.message_id, found.message) == ("601", hitl.Text(text="Card ▇▇▇▇ is fine"))


@pytest.mark.parametrize(
    "left", [[], [{"id": 601, "html_body": "<p>▇▇▇ ▇▇</p>"}], [{"id": 601, "html_body": "", "plain_body": ""}]]
)
async def test_a_comment_of_which_nothing_is_left_is_taken_back(zendesk, left):
    zendesk.on(COMMENTS, {"comments": left})
    found = await means(zendesk, event("comment_redacted", {"comment": {"id": "601"}}))
    assert isinstance(found, hitl.AgentMessageDeleted)


@pytest.mark.parametrize("name", ["comment_made_private", "comment_redacted", "attachment_redacted_from_comment"])
async def test_what_an_agent_takes_out_of_ours_is_our_own_affair(zendesk, name):
    found = await means(zendesk, event(name, {"comment": {"id": "601"}}), known=known(own=["601"]))
    assert reason(found) == "echo"
    assert zendesk.asked == []


# Assignment


@pytest.mark.parametrize("current", [str(AGENT), AGENT])
async def test_s243_an_assignment_names_the_agent(zendesk, current):
    found = await means(zendesk, event("agent_assignment_changed", {"previous": None, "current": current}))
    assert isinstance(found, hitl.AgentAssigned)
    assert found.agent == ADA_TOLD


@pytest.mark.parametrize("current", [None, "", "0", 0])
async def test_f26_nobody_is_not_a_nameless_agent(zendesk, current):
    found = await means(zendesk, event("agent_assignment_changed", {"previous": str(AGENT), "current": current}))
    assert isinstance(found, hitl.AgentUnassigned)
    assert zendesk.asked == []


async def test_f24_a_ticket_assigned_to_ourselves_has_no_agent(zendesk):
    found = await means(zendesk, event("agent_assignment_changed", {"previous": None, "current": str(ME)}))
    assert reason(found) == "echo"


async def test_an_assignment_has_one_id_by_whichever_way_it_comes(zendesk):
    told = {"previous": None, "current": str(AGENT)}
    first = await means(zendesk, event("agent_assignment_changed", told))
    again = await means(zendesk, event("agent_assignment_changed", told) | {"id": "another", "time": None})
    later = await means(zendesk, event("agent_assignment_changed", told, updated_at="2026-01-05T12:00:09Z"))
    assert first.event_id == again.event_id
    assert later.event_id != first.event_id


# Status


def comment(id_, words="Solved it", author=AGENT, **more):
    base = {"id": id_, "author_id": author, "public": True, "html_body": f"<p>{words}</p>", "attachments": []}
    return base | {"created_at": "2026-01-05T12:00:03Z"} | more


def status(current, previous="OPEN", **detail):
    return event("status_changed", {"current": current, "previous": previous}, status=current, **detail)


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize(("ended", "why"), [("SOLVED", "agent_closed"), ("CLOSED", "agent_closed")])
async def test_s236_an_answer_that_also_solves_is_told_before_the_end(zendesk, ended, why, upper):
    file = {"id": 801, "file_name": "a.pdf", "content_type": "application/pdf", "size": 9}
    zendesk.on(COMMENTS, {"comments": [comment(601, attachments=[file])], "users": [ADA]})
    async with zendesk.receiving() as (_, receive):
        found = await receive(status(ended if upper else ended.lower()))
    assert [one.event_id for one in found[:2]] == ["comment:601", "attachment:801"]
    assert [one.kind for one in found] == ["agent_message", "agent_message", "session_stopped"]
    assert found[-1].reason == why
    assert found[-1].agent.id == str(AGENT)
    assert found[0].agent == ADA_TOLD


async def test_f29_words_and_id_come_from_one_read_of_all_pages_since_the_last(zendesk):
    pages = [
        {"comments": [comment(602, "two")], "meta": {"has_more": True, "after_cursor": "p2"}, "users": [ADA]},
        {"comments": [comment(603, "three"), comment(604, "mine")], "meta": {"has_more": False}},
    ]
    zendesk.on(COMMENTS, *pages)
    async with zendesk.receiving() as (_, receive):
        found = await receive(status("SOLVED"), known=known(own=["604"], cursor='["p1",null]'))
    assert [(one.kind, getattr(one, "message_id", None)) for one in found] == [
        ("agent_message", "602"),
        ("agent_message", "603"),
        ("ignored", "604"),
        ("session_stopped", None),
    ]
    assert [one.message.text for one in found[:2]] == ["two", "three"]
    assert ["page%5Bafter%5D=p1" in r.url or "page%5Bafter%5D=p2" in r.url for r in zendesk.sent(COMMENTS)] == [
        True
    ] * 2


async def test_s240_a_comment_has_one_id_by_whichever_way_it_comes(zendesk):
    zendesk.on(COMMENTS, {"comments": [comment(601)], "users": [ADA]})
    async with zendesk.receiving() as (_, receive):
        (pushed,) = await receive(event("comment_added", said(id_=601)))
        read, _ = await receive(status("SOLVED"))
    assert pushed.event_id == read.event_id


async def test_an_end_by_zendesk_itself_names_no_agent(zendesk):
    zendesk.on(COMMENTS, {"comments": []})
    (found,) = [await means(zendesk, status("CLOSED", actor_id="-1"))]
    assert (found.kind, found.agent) == ("session_stopped", None)


async def test_f24_an_end_of_ours_is_an_echo_and_reads_nothing(zendesk):
    assert reason(await means(zendesk, status("SOLVED", actor_id=str(ME)))) == "echo"
    assert zendesk.asked == []


@pytest.mark.parametrize(
    ("previous", "current", "kind"),
    [
        ("OPEN", "PENDING", "ignored"),
        ("NEW", "OPEN", "ignored"),
        ("PENDING", "HOLD", "ignored"),
        ("SOLVED", "CLOSED", "ignored"),
        (None, "OPEN", "ignored"),
        ("SOLVED", "OPEN", "session_reopened"),
        ("SOLVED", "PENDING", "session_reopened"),
        ("solved", "open", "session_reopened"),
        ("DELETED", "OPEN", "session_reopened"),
        ("OPEN", "DELETED", "session_stopped"),
        ("CLOSED", "DELETED", "session_stopped"),
        (None, "SOLVED", "session_stopped"),
        ("OPEN", "ARCHIVED", "session_stopped"),
        ("OPEN", "SCRUBBED", "session_stopped"),
        ("OPEN", "SOMETHING_NEW", "ignored"),
    ],
)
async def test_only_ending_and_reopening_count(zendesk, previous, current, kind):
    zendesk.on(COMMENTS, reply(404, json={"error": "RecordNotFound"}))
    found = await means(zendesk, status(current, previous))
    assert found.kind == kind
    if kind == "session_stopped":
        assert found.reason == ("deleted" if current in {"DELETED", "SCRUBBED"} else "agent_closed")


@pytest.mark.parametrize(
    ("name", "why"),
    [("merged", "merged"), ("marked_as_spam", "spam"), ("soft_deleted", "deleted"), ("permanently_deleted", "deleted")],
)
async def test_a_ticket_that_is_taken_away_ends(zendesk, name, why):
    zendesk.on(COMMENTS, {"comments": []})
    found = await means(zendesk, event(name))
    assert (found.kind, found.reason, found.session) == ("session_stopped", why, REF)


async def test_s236_what_was_said_before_a_merge_is_told(zendesk):
    zendesk.on(COMMENTS, {"comments": [comment(601)], "users": [ADA]})
    async with zendesk.receiving() as (_, receive):
        found = await receive(event("merged"))
    assert [one.kind for one in found] == ["agent_message", "session_stopped"]


async def test_a_restored_ticket_is_open_again(zendesk):
    assert (await means(zendesk, event("undeleted"))).kind == "session_reopened"


@pytest.mark.parametrize("status", ["SOLVED", "CLOSED"])
async def test_a_restored_ticket_that_had_ended_stays_so(zendesk, status):
    assert reason(await means(zendesk, event("undeleted", status=status))) == "irrelevant"
