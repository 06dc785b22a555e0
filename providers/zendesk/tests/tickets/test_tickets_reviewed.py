"""What real accounts do beside the usual: redacted notes, merged people, staff who ask, cursors that run out."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hitl_zendesk.refusals import classify

import hitl_core as hitl
from hitl_core.download import Download
from hitl_core.http import HttpResponse
from hitl_core.testing import reply

from .conftest import AGENT, CUSTOMER, ME, TICKET, event, refused, said, ticket, updated

pytestmark = pytest.mark.anyio

COMMENTS = f"GET tickets/{TICKET}/comments"
AUDITS = f"GET tickets/{TICKET}/audits"
ADA = {"id": AGENT, "name": "Ada", "role": "agent"}
GRACE = {"id": CUSTOMER, "name": "Grace", "role": "end-user"}
REF = hitl.SessionRef(connection="default/shop", id=str(TICKET))
REDACTIONS = ["comment_redacted", "attachment_redacted_from_comment"]
ABSENT = reply(404, json={"error": "RecordNotFound", "description": "Not found"})
FORBIDDEN = reply(403, json={"error": {"title": "Forbidden", "message": "You do not have access to this page."}})


@pytest.fixture(autouse=True)
def account(zendesk):
    """Its people, and a ticket on which nothing has happened."""
    zendesk.on(f"GET users/{AGENT}", {"user": ADA})
    zendesk.on(f"GET users/{CUSTOMER}", {"user": GRACE})
    zendesk.on(COMMENTS, {"comments": [], "meta": {"has_more": False}})
    zendesk.on(AUDITS, {"audits": [], "meta": {"has_more": False}})
    zendesk.ticket()


def comment(id_=601, words="Card 4111 is fine", *, author=AGENT, public=True, **more):
    base = {"id": id_, "type": "Comment", "author_id": author, "public": public, "html_body": f"<p>{words}</p>"}
    return base | {"attachments": [], "created_at": "2026-01-05T12:00:03Z"} | more


def known(user_id=str(CUSTOMER), own=()):
    session = hitl.HitlSession(ref=REF, provider="zendesk", user_id=user_id)
    return {str(TICKET): hitl.KnownSession(session=session, own_message_ids=frozenset(own))}


async def means(zendesk, body, **more):
    """Return the only event a delivery gives."""
    async with zendesk.receiving() as (_, receive):
        (found,) = await receive(body, **more)
    return found


async def read(connection, **more):
    return await connection.list_events(REF, **more)


def reasons(events):
    return [getattr(one, "reason", one.kind) for one in events]


def asked_after(requests):
    return [parse_qs(urlsplit(r.url).query).get("page[after]", [None])[0] for r in requests]


# Redacted


@pytest.mark.parametrize("kind", REDACTIONS)
@pytest.mark.parametrize(
    ("left", "why"),
    [
        (comment(public=False), "internal_note"),
        (comment(author=CUSTOMER), "end_user"),
        (comment(author=ME), "echo"),
        (comment(author=-1), "system"),
    ],
)
async def test_r12_what_is_redacted_is_not_told_to_who_was_not_to_see_it(zendesk, kind, left, why):
    zendesk.on(COMMENTS, {"comments": [left]})
    found = await means(zendesk, event(kind, {"comment": {"id": "601"}}))
    assert reasons([found]) == [why]
    assert (found.message_id, found.event_id) == ("601", f"event:{event(kind)['id']}")


async def test_a_comment_redacted_long_after_is_found_behind_a_hundred_others(zendesk):
    newest = {"comments": [comment(900)], "meta": {"has_more": True, "after_cursor": "p2"}}
    zendesk.on(COMMENTS, newest, {"comments": [comment(601)], "meta": {"has_more": False}})
    found = await means(zendesk, event("comment_redacted", {"comment": {"id": "601"}}))
    assert isinstance(found, hitl.AgentMessageUpdated)
    assert asked_after(zendesk.sent(COMMENTS)) == [None, "p2"]


async def test_redactions_without_an_id_of_their_own_are_two(zendesk):
    body = event("comment_redacted", {"comment": {"id": "601"}})
    del body["id"]
    first = await means(zendesk, body)
    zendesk.clock.advance(1)
    assert (await means(zendesk, body)).event_id != first.event_id


# Customers who are staff, as in an IT helpdesk for colleagues


async def test_f24_a_customer_who_is_staff_is_not_their_own_agent(zendesk):
    body = event("comment_added", said(author=AGENT), requester_id=str(AGENT))
    assert reasons([await means(zendesk, body)]) == ["end_user"]


async def test_f24_who_asked_stays_the_customer_though_the_ticket_names_another_requester(zendesk):
    body = event("comment_added", said(author=AGENT), requester_id="4077")
    assert reasons([await means(zendesk, body, known=known(user_id=str(AGENT)))]) == ["end_user"]


async def test_f24_f28_a_file_of_a_customer_who_is_staff_is_theirs(zendesk):
    told = {"comment": {"id": "601", "attachment": {"id": "801", "filename": "a.png", "is_public": True}}}
    body = event("attachment_linked_to_comment", told, requester_id=str(AGENT))
    assert reasons([await means(zendesk, body)]) == ["end_user"]


async def test_f24_the_words_of_a_customer_who_is_staff_are_read_as_theirs(zendesk, connection):
    zendesk.ticket(requester_id=AGENT).on(COMMENTS, {"comments": [comment()], "users": [ADA]})
    assert reasons((await read(connection)).events) == ["end_user"]


async def test_f24_s236_nor_are_they_told_before_an_end(zendesk):
    zendesk.on(COMMENTS, {"comments": [comment()], "users": [ADA]})
    body = event("status_changed", {"previous": "OPEN", "current": "SOLVED"}, requester_id=str(AGENT), actor_id="5002")
    async with zendesk.receiving() as (_, receive):
        assert reasons(await receive(body)) == ["end_user", "agent_closed"]


async def test_f24_what_we_wrote_for_a_participant_who_is_staff_is_an_echo_before_its_id_is_known(zendesk):
    assert reasons([await means(zendesk, event("comment_added", said(author=AGENT), actor_id=str(ME)))]) == ["echo"]


async def test_f24_a_comment_with_our_mark_is_an_echo_by_pull_before_its_id_is_known(zendesk, connection):
    marked = comment(metadata={"system": {}, "custom": {"hitl": "k/0"}})
    zendesk.on(COMMENTS, {"comments": [marked, comment(602)], "users": [ADA]})
    assert reasons((await read(connection)).events) == ["echo", "agent_message"]


# What a delivery leaves open


@pytest.mark.parametrize("unsaid", [{"is_public": None}, {}])
async def test_r12_a_comment_that_does_not_say_whether_it_is_public_is_looked_up(zendesk, unsaid):
    told = said()
    del told["comment"]["is_public"]
    told["comment"] |= unsaid
    found = await means(zendesk, event("comment_added", told))
    assert isinstance(found, hitl.SessionChanged)
    assert found.session == REF


@pytest.mark.parametrize("unsaid", [{"is_public": None}, {}])
async def test_r12_f28_nor_is_a_file_shown_that_does_not_say_so(zendesk, unsaid):
    told = {"comment": {"id": "601", "attachment": {"id": "801", "filename": "a.png"} | unsaid}}
    assert isinstance(await means(zendesk, event("attachment_linked_to_comment", told)), hitl.SessionChanged)


@pytest.mark.parametrize(("role", "kind"), [("agent", "agent_message"), ("end-user", "end_user")])
@pytest.mark.parametrize("unsaid", [{"is_staff": None}, {}])
async def test_f24_an_author_of_whom_nothing_is_told_is_looked_up(zendesk, role, kind, unsaid):
    zendesk.on("GET users/5002", {"user": {"id": 5002, "name": "Bo", "role": role}})
    told = said(author=5002)
    del told["comment"]["author"]["is_staff"]
    told["comment"]["author"] |= unsaid
    assert reasons([await means(zendesk, event("comment_added", told))]) == [kind]


FILE = {"id": "801", "filename": "a.png", "content_type": "image/png", "is_public": True}


async def test_f28_a_file_that_is_gone_by_now_is_no_dead_letter(zendesk):
    zendesk.on("GET attachments/801", ABSENT)
    found = await means(zendesk, event("attachment_linked_to_comment", {"comment": {"id": "601", "attachment": FILE}}))
    assert (reasons([found]), found.event_id) == (["irrelevant"], "attachment:801")


async def test_f28_a_file_we_may_not_look_up_is_told_by_what_the_event_says(zendesk):
    zendesk.on("GET attachments/801", FORBIDDEN)
    found = await means(zendesk, event("attachment_linked_to_comment", {"comment": {"id": "601", "attachment": FILE}}))
    assert (found.kind, found.event_id) == ("agent_message", "attachment:801")
    assert (found.message.name, found.message.content_type, found.message.size) == ("a.png", "image/png", None)


async def test_an_answer_does_not_wait_for_the_right_to_read_who_wrote_it(zendesk):
    zendesk.on(f"GET users/{AGENT}", FORBIDDEN)
    found = await means(zendesk, event("comment_added", said()))
    assert found.agent == hitl.Agent(id=str(AGENT), name="Ada")


async def test_customers_see_the_alias_an_agent_has_for_them(zendesk):
    zendesk.on(f"GET users/{AGENT}", {"user": ADA | {"name": "Ada Smith", "alias": "Ada S."}})
    assert (await means(zendesk, event("comment_added", said()))).agent.name == "Ada S."


# Reading on


BAD_CURSOR = reply(400, json={"error": "InvalidPaginationParameter", "description": "page[after] is not valid"})


def refuses(old, *pages):
    """Refuse one place to go on from; give the pages otherwise."""
    left = list(pages)

    def answer(request):
        return BAD_CURSOR if asked_after([request]) == [old] else reply(json=left.pop(0))

    return answer


async def test_f13_a_place_zendesk_does_not_know_any_more_is_not_asked_for_for_ever(zendesk, connection):
    zendesk.on(COMMENTS, refuses("old", {"comments": [comment()], "users": [ADA], "meta": {"after_cursor": "new"}}))
    zendesk.on(AUDITS, refuses("older", {"audits": [], "meta": {"has_more": False}}))
    page = await read(connection, cursor='["old","older"]')
    assert reasons(page.events) == ["agent_message"]
    assert page.cursor == '["new",null]'


async def test_f13_s236_an_end_is_told_though_the_place_is_not_known_any_more(zendesk):
    zendesk.on(COMMENTS, refuses("old", {"comments": [comment()], "users": [ADA]}))
    with_place = {str(TICKET): known()[str(TICKET)].model_copy(update={"cursor": '["old",null]'})}
    async with zendesk.receiving() as (_, receive):
        found = await receive(event("status_changed", {"previous": "OPEN", "current": "SOLVED"}), known=with_place)
    assert reasons(found) == ["agent_message", "agent_closed"]


async def test_a_refusal_of_the_beginning_is_an_error(zendesk, connection):
    zendesk.on(COMMENTS, BAD_CURSOR)
    with pytest.raises(hitl.InvalidRequestError):
        await read(connection)


async def test_more_without_a_place_to_go_on_from_is_no_loop(zendesk):
    zendesk.on(COMMENTS, {"comments": [comment()], "users": [ADA], "meta": {"has_more": True, "after_cursor": None}})
    async with zendesk.receiving() as (_, receive):
        found = await receive(event("status_changed", {"previous": "OPEN", "current": "SOLVED"}))
    assert reasons(found) == ["agent_message", "agent_closed"]
    assert len(zendesk.sent(COMMENTS)) == 1


async def test_f13_a_ticket_that_moves_while_the_others_are_read_is_named_the_next_time(zendesk, connection):
    ids = [str(number) for number in range(1, 151)]
    moved_at = dict.fromkeys(ids, "2026-01-05T11:00:00Z")

    def answer(request):
        asked = parse_qs(urlsplit(request.url).query)["ids"][0].split(",")
        tickets = [ticket(id_=int(id_), updated_at=moved_at[id_]) for id_ in asked]
        if "1" in asked:  # read already, when it moves
            moved_at.update({"1": "2026-01-05T12:00:01Z", "150": "2026-01-05T12:00:03Z"})
        zendesk.clock.advance(4)
        return reply(json={"tickets": tickets})

    zendesk.on("GET tickets/show_many", answer)
    first = await connection.list_changes(sessions=ids)
    zendesk.clock.advance(300)
    second = await connection.list_changes(sessions=ids, cursor=first.cursor)
    assert "1" in {ref.id for ref in second.sessions}
    assert "2" not in {ref.id for ref in second.sessions}
    zendesk.clock.advance(300)
    third = await connection.list_changes(sessions=ids, cursor=second.cursor)
    assert third.sessions == ()


# Customers who were merged into another


WINNER = 4002
GONE = refused(author=["Author: is deleted"])
PUT = f"PUT tickets/{TICKET}"


def authors(zendesk):
    return [body["ticket"]["comment"].get("author_id") for body in zendesk.bodies(PUT)]


@pytest.mark.parametrize(
    "author", [hitl.Author.user(hitl.ExternalUser(id=str(CUSTOMER))), hitl.Author.user()], ids=["named", "unnamed"]
)
async def test_s210_a_customer_whom_agents_merged_goes_on_as_the_one_the_ticket_is_of(
    zendesk, connection, session, author
):
    zendesk.ticket(requester_id=WINNER).on(PUT, GONE, updated(701))
    sent = await connection.send_message(session, "Hello", author=author)
    assert sent.ids == ("701",)
    assert authors(zendesk) == [CUSTOMER, WINNER]


async def test_s210_a_customer_who_is_there_stays_the_author_whoever_the_ticket_is_of(zendesk, connection, session):
    zendesk.ticket(requester_id=WINNER).takes(701)
    await connection.send_message(session, "Hello", author=hitl.Author.user())
    assert authors(zendesk) == [CUSTOMER]


@pytest.mark.parametrize(
    ("author", "requester", "user_id"),
    [
        (hitl.Author.user(hitl.ExternalUser(id="4003")), WINNER, CUSTOMER),
        (hitl.Author.user(hitl.ExternalUser(id=str(CUSTOMER))), 4050, 4050),
        (hitl.Author.user(), CUSTOMER, CUSTOMER),
        (hitl.Author.user(), None, CUSTOMER),
        (hitl.Author.bot(), WINNER, CUSTOMER),
    ],
    ids=["participant", "beside a requester by name", "unchanged", "nobody", "bot"],
)
async def test_s210_nobody_elses_words_become_the_requesters(zendesk, connection, session, author, requester, user_id):
    zendesk.ticket(requester_id=requester).on(PUT, GONE)
    with pytest.raises(hitl.InvalidRequestError):
        await connection.send_message(session.model_copy(update={"user_id": str(user_id)}), "Hello", author=author)
    assert len(authors(zendesk)) == 1


# Who has the ticket


async def test_f09_the_state_after_a_message_names_an_agent_we_have_met(zendesk, connection, session):
    zendesk.ticket(assignee_id=AGENT).takes(701)
    zendesk.on(COMMENTS, {"comments": [comment()], "users": [ADA]})
    await read(connection)
    zendesk.on(f"PUT tickets/{TICKET}", {"ticket": ticket(assignee_id=AGENT), "audit": {"events": []}})
    sent = await connection.send_message(session, "Hello")
    assert sent.state.agent.name == "Ada"


# Files that are not handed out


SIGN_IN = Download(content=b"<html>Sign in</html>", content_type="text/html")


@pytest.mark.parametrize("redirected", [True, False])
@pytest.mark.parametrize(("kind", "given"), [("image/png", False), ("text/html", True)])
async def test_f28_a_page_to_sign_in_at_is_not_the_file(zendesk, redirected, kind, given):
    async def fetch(url, *, max_bytes=None):
        return SIGN_IN

    url = "https://brand.zendesk.com/attachments/token/x/?name=lamp.png"
    if redirected:
        zendesk.on("GET /attachments/token/x/", reply(302, headers={"location": "https://sso.acme.test/login"}))
        url = "https://acme.zendesk.com/attachments/token/x/?name=lamp.png"
    zendesk.on("GET attachments/801", {"attachment": {"id": 801, "content_url": url, "content_type": kind}})
    async with zendesk.connect(fetch=fetch) as connection:
        opening = connection.open_attachment(hitl.AttachmentRef(id="801"))
        if given:
            stream = await opening
            assert b"".join([chunk async for chunk in stream.chunks]) == SIGN_IN.content
            await stream.close()
        else:
            with pytest.raises(hitl.PermissionDeniedError):
                await opening


# Nothing that can fail comes after a write


async def test_f37_who_we_are_is_asked_before_a_comment_is_made_and_not_when_it_is(zendesk, connection, session):
    zendesk.takes(701).on("GET users/me", reply(503))
    with pytest.raises(hitl.ProviderUnavailableError):
        await connection.send_message(session, "Hello")
    assert zendesk.writes == []


async def test_f28_a_page_of_the_accounts_own_to_sign_in_at_is_not_the_file_either(zendesk, connection):
    page = reply(200, body=b"<html>Sign in</html>", headers={"content-type": "text/html; charset=utf-8"})
    url = "https://acme.zendesk.com/attachments/token/x/?name=lamp.png"
    zendesk.on("GET attachments/801", {"attachment": {"id": 801, "content_url": url, "content_type": "image/png"}})
    zendesk.on("GET /attachments/token/x/", page)
    with pytest.raises(hitl.PermissionDeniedError):
        await connection.open_attachment(hitl.AttachmentRef(id="801"))


@pytest.mark.parametrize("url", [None, "", "/attachments/token/x", "http://acme.zendesk.com@evil.test/x"])
async def test_a_file_without_an_address_is_no_crash(zendesk, connection, url):
    zendesk.on("GET attachments/801", {"attachment": {"id": 801, "content_url": url, "content_type": "image/png"}})
    with pytest.raises(hitl.HitlError):
        await connection.open_attachment(hitl.AttachmentRef(id="801"))
    assert zendesk.asked == ["GET attachments/801"]


async def test_an_assignment_does_not_wait_for_the_right_to_read_to_whom(zendesk):
    zendesk.on(f"GET users/{AGENT}", FORBIDDEN)
    found = await means(zendesk, event("agent_assignment_changed", {"previous": None, "current": str(AGENT)}))
    assert found.agent == hitl.Agent(id=str(AGENT))


# Ids beyond what a float holds, and what else comes


HUGE = 2**63 - 1


async def test_ids_beyond_floats_stay_as_they_are(zendesk, connection):
    zendesk.on(COMMENTS, {"comments": [comment(HUGE, author=HUGE - 1)], "users": [ADA | {"id": HUGE - 1}]})
    (found,) = (await read(connection)).events
    assert (found.event_id, found.agent.id) == (f"comment:{HUGE}", str(HUGE - 1))
    pushed = await means(zendesk, event("comment_added", said(id_=HUGE, author=AGENT)))
    assert pushed.event_id == found.event_id


async def test_what_is_null_in_a_comment_loses_nothing_of_the_others(zendesk, connection):
    bare = dict.fromkeys(comment()) | {"id": 600, "type": "VoiceComment", "data": {"recorded": True}, "via": None}
    listed = [bare, comment(metadata=None, attachments=None, plain_body=None), comment(602, created_at=None)]
    zendesk.on(COMMENTS, {"comments": listed, "users": None, "meta": None})
    zendesk.on(AUDITS, {"audits": [{"id": 1, "events": None, "created_at": None, "author_id": None}], "meta": None})
    kinds = {getattr(one, "message_id", None): one.kind for one in (await read(connection)).events}
    assert kinds == {"600": "ignored", "601": "agent_message", "602": "agent_message"}


@pytest.mark.parametrize("route", [COMMENTS, AUDITS])
async def test_a_ticket_deleted_between_two_reads_is_gone(zendesk, connection, route):
    zendesk.on(route, ABSENT)
    with pytest.raises(hitl.NotFoundError):
        await read(connection)


async def test_f26_who_is_gone_for_good_does_not_end_reading(zendesk, connection):
    zendesk.ticket(assignee_id=5009).on("GET users/5009", ABSENT)
    zendesk.on(COMMENTS, {"comments": [comment()], "users": [ADA]})
    page = await read(connection)
    assert (reasons(page.events), page.state.agent) == (["agent_message"], hitl.Agent(id="5009"))


# Limits


@pytest.mark.parametrize(
    ("headers", "scope"),
    [
        ({"retry-after": "468"}, "ticket:77"),
        ({"retry-after": "60"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9" * 5000}, "ticket:77"),
        ({"retry-after": "20", "zendesk-rate-limit-tickets-update": "total=20; remaining=0; resets=20"}, "updates"),
        ({"retry-after": "20", "zendesk-ratelimit-tickets-update": "total=20; remaining=3; resets=20"}, None),
        ({}, None),
    ],
)
def test_f38_what_one_ticket_or_all_updates_have_used_up_does_not_stop_reading_the_account(headers, scope):
    found = classify(HttpResponse(429, headers, b"", "https://acme.zendesk.com/api/v2/tickets/77"))
    assert found.scope == scope


def test_f38_a_long_wait_elsewhere_is_the_accounts():
    found = classify(HttpResponse(429, {"retry-after": "468"}, b"", "https://acme.zendesk.com/api/v2/users/me"))
    assert found.scope is None
