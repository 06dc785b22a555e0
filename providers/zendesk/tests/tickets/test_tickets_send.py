"""A message is one comment under the right name, and brings back a ticket agents wait with (S210, F17, F18, F37)."""

import re
from base64 import b64encode
from html import unescape

import pytest
from hitl_zendesk.tickets import state_of

import hitl_core as hitl
from hitl_core.download import Download, DownloadError
from hitl_core.testing import ambiguous, not_sent, reply

from .conftest import AGENT, CUSTOMER, ME, TICKET, refused, ticket, updated

pytestmark = pytest.mark.anyio

UPDATE = f"PUT tickets/{TICKET}"
UPLOAD = "POST uploads"
PNG = "data:image/png;base64," + b64encode(b"\x89PNG").decode()


def uploaded(token="token-1"):
    told = {"upload": {"token": token, "attachment": {"id": 1}}}
    return reply(201, json=told, headers={"content-type": "text/plain; charset=utf-8"})


def comment(zendesk):
    return zendesk.body(UPDATE)["ticket"]["comment"]


async def sent(zendesk, session, message, status="open", **more):
    """Send a message to a ticket of that status; return the update that went out."""
    zendesk.ticket(status).takes(601, status=status)
    settings = more.pop("settings", {})
    async with zendesk.connect(**settings) as connection:
        await connection.send_message(session, message, idempotency_key="k", **more)
    return zendesk.body(UPDATE)["ticket"]


# The request


async def test_a_message_is_this_update(zendesk, connection, session, customer):
    zendesk.ticket().takes(601)
    answer = await connection.send_message(session, "Hello?", author=hitl.Author.user(customer), idempotency_key="k")
    assert zendesk.asked == [f"GET tickets/{TICKET}", UPDATE]
    assert zendesk.body(UPDATE) == {
        "ticket": {
            "comment": {"html_body": "<p>Hello?</p>", "public": True, "author_id": CUSTOMER},
            "metadata": {"hitl": "k/0"},
        }
    }
    assert answer.ids == ("601",)
    assert answer.state == hitl.SessionState(open=True, status="open", updated_at="2026-01-05T12:00:00Z")


async def test_s208_s209_the_ids_of_what_was_made_come_out_of_the_audit(zendesk, connection, session):
    zendesk.ticket().on(UPDATE, updated(601, 602))
    assert (await connection.send_message(session, "Hi")).ids == ("601", "602")


@pytest.mark.parametrize("audit", [{}, {"audit": None}, {"audit": {}}, {"audit": {"events": None}}])
async def test_an_answer_without_an_audit_is_no_error(zendesk, connection, session, audit):
    zendesk.ticket().on(UPDATE, {"ticket": updated()["ticket"]} | audit)
    assert (await connection.send_message(session, "Hi")).ids == ()


async def test_the_state_names_the_agent_but_never_ourselves(zendesk, connection, session):
    zendesk.ticket().on(UPDATE, updated(601, assignee_id=AGENT), updated(602, assignee_id=ME))
    assert (await connection.send_message(session, "Hi")).state.agent.id == str(AGENT)
    assert (await connection.send_message(session, "Hi")).state.agent is None


@pytest.mark.parametrize(
    ("status", "stands"),
    [
        ("new", (True, False)),
        ("hold", (True, False)),
        ("solved", (False, False)),
        ("closed", (False, True)),
        ("archived", (False, True)),
        ("something_new", (True, False)),
    ],
)
def test_a_solved_ticket_has_ended_and_a_closed_one_for_good(status, stands):
    state = state_of(ticket(status), me=str(ME))
    assert (state.open, state.final) == stands


# S210: under whose name


@pytest.mark.parametrize(
    ("author", "author_id"),
    [
        (hitl.Author.user(hitl.ExternalUser(id="4007")), 4007),
        (hitl.Author.user(name="Grace"), CUSTOMER),
        (hitl.Author(role="user", id="desk-7"), CUSTOMER),
        (hitl.Author.bot("Robin"), None),
        (hitl.Author.system(), None),
        (hitl.Author.agent(hitl.Agent(id="5001")), None),
        (None, None),
    ],
    ids=["user", "user by name", "user of another helpdesk", "bot", "system", "agent", "nobody"],
)
async def test_s210_a_customers_words_are_the_customers_and_others_are_ours(zendesk, session, author, author_id):
    told = await sent(zendesk, session, "Hi", author=author)
    assert told["comment"].get("author_id") == author_id


@pytest.mark.parametrize(
    ("author", "author_id"),
    [(hitl.Author.bot(), 6001), (hitl.Author.user(), CUSTOMER), (hitl.Author.system(), None)],
    ids=["bot", "user", "system"],
)
async def test_f18_the_bots_words_are_those_of_its_own_user_where_it_has_one(zendesk, session, author, author_id):
    session = session.model_copy(update={"data": {"bot": "6001"}})
    told = await sent(zendesk, session, "Hi", author=author)
    assert told["comment"].get("author_id") == author_id


async def test_a_session_that_does_not_name_its_customer_is_written_to_as_ourselves(zendesk, session):
    told = await sent(zendesk, session.ref, "Hi", author=hitl.Author.user(name="Grace"))
    assert "author_id" not in told["comment"]


@pytest.mark.parametrize("visibility", ["public", "internal"])
async def test_a_note_is_not_public(zendesk, session, visibility):
    told = await sent(zendesk, session, "Hi", visibility=visibility)
    assert told["comment"]["public"] is (visibility == "public")


# Which tickets take it


@pytest.mark.parametrize("reopen", [True, False])
@pytest.mark.parametrize("role", ["user", "bot"])
@pytest.mark.parametrize("status", ["new", "open", "pending", "hold"])
async def test_a_customers_words_bring_a_ticket_back_for_which_agents_wait(zendesk, session, status, role, reopen):
    told = await sent(zendesk, session, "Hi", status, author=hitl.Author(role=role), reopen=reopen)
    waited = status in {"pending", "hold"} and role == "user"
    assert told.get("status") == ("open" if waited else None)


@pytest.mark.parametrize("role", ["user", "bot"])
async def test_a_solved_ticket_is_opened_in_the_same_update_when_asked_to(zendesk, session, role):
    told = await sent(zendesk, session, "Hi", "solved", author=hitl.Author(role=role), reopen=True)
    assert told["status"] == "open"
    assert "comment" in told


@pytest.mark.parametrize(
    ("status", "reopen", "told"),
    [
        ("solved", False, "reopen=True"),
        ("closed", False, "start a new hand-off"),
        ("closed", True, "start a new hand-off"),
        ("archived", True, "start a new hand-off"),
    ],
)
async def test_an_ended_ticket_takes_nothing_and_says_what_to_do(zendesk, connection, session, status, reopen, told):
    zendesk.ticket(status)
    with pytest.raises(hitl.SessionClosedError, match=told) as caught:
        await connection.send_message(session, hitl.Image(url=PNG), reopen=reopen)
    assert caught.value.code == status
    assert zendesk.asked == [f"GET tickets/{TICKET}"]  # no file was uploaded for nothing


@pytest.mark.parametrize("status", ["deleted", "scrubbed"])
async def test_a_deleted_ticket_is_not_found(zendesk, connection, session, status):
    zendesk.ticket(status)
    with pytest.raises(hitl.NotFoundError) as caught:
        await connection.send_message(session, "Hi", reopen=True)
    assert caught.value.subject == "session"


async def test_a_ticket_that_is_gone_is_not_found(zendesk, connection, session):
    zendesk.on(f"GET tickets/{TICKET}", reply(404, json={"error": "RecordNotFound", "description": "Not found"}))
    with pytest.raises(hitl.NotFoundError):
        await connection.send_message(session, "Hi")


@pytest.mark.parametrize(
    "told",
    [
        refused(status=["Status: closed prevents ticket update"]),
        reply(422, json={"error": "ClosedTicket", "description": "…"}),
    ],
)
async def test_a_ticket_closed_a_moment_ago_has_ended(zendesk, connection, session, told):
    zendesk.ticket("open").on(UPDATE, told)
    with pytest.raises(hitl.SessionClosedError, match="follow-up ticket"):
        await connection.send_message(session, "Hi")


# Never twice


@pytest.mark.parametrize("lost", [ambiguous(), 500, 502])
async def test_f37_an_update_that_may_have_been_made_is_not_repeated(zendesk, connection, session, lost):
    zendesk.ticket().on(UPDATE, lost)
    with pytest.raises(hitl.AmbiguousOutcomeError) as caught:
        await connection.send_message(session, "Hi")
    assert not caught.value.retryable
    assert len(zendesk.sent(UPDATE)) == 1
    assert "idempotency-key" not in zendesk.sent(UPDATE)[0].headers


@pytest.mark.parametrize("first", [not_sent(), 429, reply(409, body="Database collision"), reply(409)])
async def test_s244_an_update_that_was_certainly_not_made_is_repeated(zendesk, connection, session, first):
    zendesk.ticket().on(UPDATE, first, updated(601))
    assert (await connection.send_message(session, "Hi")).ids == ("601",)
    one, two = zendesk.sent(UPDATE)
    assert one.body == two.body


# Files go up as files


async def test_f17_s211_s212_files_are_uploaded_and_hang_on_one_comment(zendesk, connection, session):
    zendesk.ticket().takes(601).on(UPLOAD, uploaded("token-1"), uploaded("token-2"))
    pdf = "data:application/pdf;base64," + b64encode(b"%PDF").decode()
    bloc = hitl.Bloc(
        items=(
            hitl.Text(text="See <these>"),
            hitl.Image(url=PNG, name="lämp & co.png"),
            hitl.File(url=pdf, name="bill.pdf"),
        )
    )
    await connection.send_message(session, bloc)
    assert zendesk.asked == [f"GET tickets/{TICKET}", UPLOAD, UPLOAD, UPDATE]
    assert comment(zendesk) == {
        "html_body": "<p>See &lt;these&gt;</p>",
        "public": True,
        "uploads": ["token-1", "token-2"],
    }
    first, second = zendesk.sent(UPLOAD)
    assert (first.body, first.headers["content-type"]) == (b"\x89PNG", "image/png")
    assert (second.body, second.headers["content-type"]) == (b"%PDF", "application/pdf")
    assert first.url.endswith("/api/v2/uploads?filename=l%C3%A4mp%20%26%20co.png")


async def test_f17_a_file_alone_is_named_in_its_comment(zendesk, connection, session):
    zendesk.ticket().takes(601).on(UPLOAD, uploaded())
    await connection.send_message(session, hitl.Image(url=PNG, name="lamp.png"))
    assert comment(zendesk)["html_body"] == "<p>lamp.png</p>"
    assert comment(zendesk)["uploads"] == ["token-1"]


@pytest.mark.parametrize("text", [None, "Look"])
async def test_f17_a_caption_is_not_lost(zendesk, connection, session, text):
    zendesk.ticket().takes(601).on(UPLOAD, uploaded())
    items = (hitl.Image(url=PNG, title="My <lamp>"),)
    await connection.send_message(session, hitl.Bloc(items=(hitl.Text(text=text), *items) if text else items))
    html = comment(zendesk)["html_body"]
    assert "My &lt;lamp&gt;" in html
    assert (text or "") in html


@pytest.mark.parametrize("refusal", [refused(filename=["x"]), reply(403), reply(406), reply(413), reply(415)])
async def test_f17_a_file_zendesk_refuses_is_told_by_its_link(zendesk, session, refusal):
    zendesk.ticket().takes(601).on(UPLOAD, refusal)

    async def fetch(url, *, max_bytes=None):
        return Download(content=b"PK", content_type="application/zip", filename="x.zip")

    async with zendesk.connect(fetch=fetch) as connection:
        await connection.send_message(session, hitl.File(url="https://files.test/x.zip?a=1&b=2", title="The parts"))
    told = comment(zendesk)
    assert "uploads" not in told
    text = unescape(re.sub(r"<[^>]*>", " ", told["html_body"]))
    assert "https://files.test/x.zip?a=1&b=2" in text
    assert "The parts" in text


async def test_f17_a_file_that_cannot_be_had_is_told_by_its_link(zendesk, session):
    zendesk.ticket().takes(601)

    async def fetch(url, *, max_bytes=None):
        msg = "blocked"
        raise DownloadError(msg, reason="blocked")

    async with zendesk.connect(fetch=fetch) as connection:
        await connection.send_message(session, hitl.Image(url="https://files.test/lamp.png"))
    assert "https://files.test/lamp.png" in comment(zendesk)["html_body"]


async def test_f17_a_file_without_a_link_that_is_refused_is_an_error(zendesk, connection, session):
    zendesk.ticket().on(UPLOAD, reply(403))
    with pytest.raises(hitl.PermissionDeniedError):
        await connection.send_message(session, hitl.Image(url=PNG))
    assert zendesk.sent(UPDATE) == []


async def test_a_lost_upload_is_repeated_for_nobody_sees_it_yet(zendesk, connection, session):
    zendesk.ticket().takes(601).on(UPLOAD, ambiguous(), uploaded("token-2"))
    await connection.send_message(session, hitl.Image(url=PNG))
    assert comment(zendesk)["uploads"] == ["token-2"]


# What people wrote


async def test_what_people_wrote_is_text_and_no_placeholder(zendesk, connection, session):
    zendesk.ticket().takes(601)
    await connection.send_message(session, "<b>{{ticket.cc_emails}}</b>\n  & more")
    html = comment(zendesk)["html_body"]
    assert html == "<p>&lt;b&gt;{ {ticket.cc_emails}}&lt;/b&gt;<br>&nbsp; &amp; more</p>"


@pytest.mark.parametrize("worst", ['"', "ä", "\N{GRINNING FACE}", "  ", "\n"])
async def test_s214_a_long_text_goes_in_parts_that_all_fit(zendesk, connection, session, worst):
    zendesk.ticket().takes(601)
    await connection.send_message(session, "a" + worst * 20_000 + "z")
    parts = [body["ticket"]["comment"]["html_body"] for body in zendesk.bodies(UPDATE)]
    assert all(len(html.encode()) <= 64_000 for html in parts)
    assert parts[0].startswith("<p>a")
    assert parts[-1].endswith("z</p>")
    if worst.strip():
        assert unescape("".join(parts)).count(worst) == 20_000
