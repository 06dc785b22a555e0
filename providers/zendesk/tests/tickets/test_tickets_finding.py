"""Whether a write whose answer was lost took effect: by its mark where Zendesk shows it, else by author and words."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hitl_zendesk.tickets import LAG

import hitl_core as hitl
from hitl_core.testing import reply

from .conftest import AGENT, CUSTOMER, ME, START, TICKET, ticket

pytestmark = pytest.mark.anyio

COMMENTS = f"GET tickets/{TICKET}/comments"


@pytest.fixture(autouse=True)
def later(zendesk):
    """Long enough after the write for its absence to mean something."""
    zendesk.clock.advance(300)


def at(seconds):
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def comment(id_, words="Hello there", *, author=CUSTOMER, seconds=1, mark=None, **more):
    metadata = {"system": {"client": "x"}, "custom": {"hitl": mark} if mark else {}}
    html = f'<div class="zd-comment" dir="auto"><p dir="auto">{words}</p></div>'
    base = {"id": id_, "type": "Comment", "author_id": author, "html_body": html, "created_at": at(seconds)}
    return base | {"public": True, "metadata": metadata} | more


async def look(zendesk, connection, session, *comments, message="Hello there", known=(), **more):
    zendesk.on(COMMENTS, {"comments": list(comments), "meta": {"has_more": False}})
    author = more.pop("author", hitl.Author.user())
    (part,) = connection.plan_message(session, message, author=author, idempotency_key="k", **more)
    return await connection.find_message(part, sent_after=START, known_ids=known)


def found(*ids):
    return hitl.Found(sent=hitl.SentMessage(ids=ids))


# Where marks can be seen


async def test_a_mark_decides_whatever_the_words(zendesk, connection, session):
    told = (comment(601), comment(602, "Cut by Zendes", mark="k/0"), comment(603, mark="other/0"))
    assert await look(zendesk, connection, session, *told) == found("602")


async def test_a_mark_decides_though_a_clock_is_wrong(zendesk, connection, session):
    assert await look(zendesk, connection, session, comment(602, mark="k/0", seconds=-900)) == found("602")


async def test_words_without_our_mark_are_not_ours_where_marks_can_be_seen(zendesk, connection, session):
    told = (comment(601), comment(600, "The opening", author=ME, mark="start/0", seconds=-60))
    assert await look(zendesk, connection, session, *told) == hitl.Absent()


# Where they cannot


@pytest.mark.parametrize("hidden", [{"metadata": {}}, {"metadata": None}, {"metadata": {"custom": None}}])
async def test_without_marks_the_one_with_author_words_and_time_is_it(zendesk, connection, session, hidden):
    told = (
        comment(600, seconds=-60, **hidden),  # the same words, earlier
        comment(601, author=AGENT, **hidden),  # the same words, an agent's
        comment(602, **hidden),
    )
    assert await look(zendesk, connection, session, *told) == found("602")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a  b\n c", "a&nbsp; b<br>&nbsp;c"),
        ("<b> & {{x}}", "&lt;b&gt; &amp; { {x}}"),
        ("one\n\ntwo", '</p><p dir="auto">one</p><p>two'),
        ("ünï 😀", "ünï 😀"),
    ],
)
async def test_words_are_compared_as_people_read_them(zendesk, connection, session, text, html):
    assert await look(zendesk, connection, session, comment(602, html), message=text) == found("602")


async def test_the_bots_words_are_looked_for_under_the_name_they_were_sent_by(zendesk, connection, session):
    told = (comment(601), comment(602, author=ME))
    assert await look(zendesk, connection, session, *told, author=hitl.Author.bot()) == found("602")
    named = session.model_copy(update={"data": {"bot": "6001"}})
    told = (comment(601, author=ME), comment(602, author=6001))
    assert await look(zendesk, connection, named, *told, author=hitl.Author.bot()) == found("602")


async def test_several_that_could_be_it_are_not_told_apart(zendesk, connection, session):
    assert await look(zendesk, connection, session, comment(601), comment(602)) == hitl.Inconclusive()


async def test_what_is_accounted_for_is_not_it(zendesk, connection, session):
    told = (comment(601), comment(602))
    assert await look(zendesk, connection, session, *told, known=["601"]) == found("602")
    assert await look(zendesk, connection, session, *told, known=["601", "602"]) == hitl.Absent()


async def test_other_words_of_the_same_author_leave_it_open(zendesk, connection, session):
    assert await look(zendesk, connection, session, comment(601, "Hello th")) == hitl.Inconclusive()


async def test_a_file_leaves_it_open_for_its_bytes_are_not_compared(zendesk, connection, session):
    message = hitl.Bloc(items=(hitl.Text(text="Hello there"), hitl.File(url="data:,x", name="x.txt")))
    assert await look(zendesk, connection, session, comment(601), message=message) == hitl.Inconclusive()


@pytest.mark.parametrize(
    "told", [[], [comment(600, seconds=-3)], [comment(601, author=AGENT)], [comment(1, seconds=-9)]]
)
async def test_nothing_that_could_be_it_is_absence(zendesk, connection, session, told):
    assert await look(zendesk, connection, session, *told) == hitl.Absent()


@pytest.mark.parametrize("seconds", [0, -1, -2])
async def test_times_in_whole_seconds_and_nearby_clocks_are_allowed_for(zendesk, connection, session, seconds):
    assert await look(zendesk, connection, session, comment(602, seconds=seconds)) == found("602")


async def test_a_comment_without_a_time_is_no_candidate(zendesk, connection, session):
    assert await look(zendesk, connection, session, comment(602, created_at=None)) == hitl.Absent()


async def test_the_newest_comments_are_read_in_one_page(zendesk, connection, session):
    await look(zendesk, connection, session)
    (asked,) = zendesk.sent(COMMENTS)
    assert parse_qs(urlsplit(asked.url).query) == {"sort": ["-created_at"], "page[size]": ["100"]}


async def test_absence_means_nothing_while_an_update_may_be_under_way(zendesk, connection, session):
    zendesk.on(COMMENTS, {"comments": []})
    (part,) = connection.plan_message(session, "Hi", author=hitl.Author.user())
    finding = await connection.find_message(part, sent_after=zendesk.clock.now())
    assert isinstance(finding, hitl.Inconclusive)
    zendesk.clock.advance(finding.retry_after)
    assert await connection.find_message(part, sent_after=START + timedelta(seconds=300)) == hitl.Absent()


async def test_a_ticket_that_is_gone_is_not_found(zendesk, connection, session):
    zendesk.on(COMMENTS, reply(404, json={"error": "RecordNotFound"}))
    (part,) = connection.plan_message(session, "Hi")
    with pytest.raises(hitl.NotFoundError):
        await connection.find_message(part, sent_after=START)


# Sessions


async def seek(zendesk, connection, customer, *tickets, external_id="conversation-1", known=(), **more):
    zendesk.on("GET tickets", {"tickets": list(tickets)})
    plan = connection.plan_start(user=customer, title="T", external_id=external_id, idempotency_key="k", **more)
    return await connection.find_session(plan, sent_after=START, known_ids=known)


async def test_a_ticket_is_found_by_our_id(zendesk, connection, customer):
    finding = await seek(zendesk, connection, customer, ticket(id_=78, created_at=at(1)))
    assert finding.started.session == hitl.HitlSession(
        ref=hitl.SessionRef(connection=connection.key, id="78"),
        provider="zendesk",
        url="https://acme.zendesk.com/agent/tickets/78",
        user_id=str(CUSTOMER),
        external_id="conversation-1",
    )
    (asked,) = zendesk.sent("GET tickets")
    assert parse_qs(urlsplit(asked.url).query) == {"external_id": ["conversation-1"]}


@pytest.mark.parametrize(
    "other",
    [
        {"external_id": "conversation-10", "created_at": at(1)},
        {"external_id": None, "created_at": at(1)},
        {"created_at": at(-3)},
        {"created_at": None},
    ],
)
async def test_another_or_an_older_ticket_is_not_it(zendesk, connection, customer, other):
    assert await seek(zendesk, connection, customer, ticket() | other) == hitl.Absent()
    finding = await seek(zendesk, connection, customer, ticket() | other, ticket(id_=78, created_at=at(0)))
    assert finding.started.session.id == "78"


async def test_several_tickets_that_could_be_it_are_not_told_apart_unless_accounted_for(zendesk, connection, customer):
    told = (ticket(id_=78), ticket(id_=79))
    assert await seek(zendesk, connection, customer, *told) == hitl.Inconclusive()
    finding = await seek(zendesk, connection, customer, *told, known=["78"])
    assert finding.started.session.id == "79"
    assert await seek(zendesk, connection, customer, *told, known=["78", "79"]) == hitl.Absent()


async def test_a_start_without_an_id_of_ours_cannot_be_looked_for(zendesk, connection, customer):
    assert await seek(zendesk, connection, customer, external_id=None) == hitl.Inconclusive()
    assert zendesk.requests == []


async def test_a_list_may_miss_the_newest_ticket(zendesk, connection, customer):
    zendesk.on("GET tickets", {"tickets": []})
    plan = connection.plan_start(user=customer, title="T", external_id="c")
    now = zendesk.clock.now()
    finding = await connection.find_session(plan, sent_after=now)
    assert finding == hitl.Inconclusive(retry_after=LAG.total_seconds())
    zendesk.clock.advance(LAG.total_seconds())
    assert await connection.find_session(plan, sent_after=now) == hitl.Absent()


async def test_a_ticket_that_is_found_counts_what_its_opening_holds(zendesk, connection, customer):
    history = [hitl.HistoryEntry.of(hitl.Author.user(customer), f"{n} " + "'" * 3000) for n in range(30)]
    plan = connection.plan_start(user=customer, title="T", external_id="conversation-1", history=history)
    zendesk.on("POST tickets", reply(201, json={"ticket": ticket()}))
    begun = await connection.begin(plan)
    finding = await seek(zendesk, connection, customer, ticket(), history=history)
    assert 0 < finding.started.relayed == begun.relayed < len(plan.request.relay)


async def test_the_bots_own_user_is_known_again(zendesk, connection, customer):
    zendesk.on("POST users/create_or_update", reply(201, json={"user": {"id": 6001}}))
    zendesk.on("POST tickets", reply(201, json={"ticket": ticket()}))
    options = {"bot_name": "Robin"}
    await connection.start_hitl(user=customer, title="T", options=options)
    finding = await seek(zendesk, connection, customer, ticket(), options=options)
    assert finding.started.session.data == {"bot": "6001"}
    finding = await seek(zendesk, connection, customer, ticket())
    assert finding.started.session.data == {}
