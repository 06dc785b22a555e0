"""A start is one request that carries everything, the same to the byte however often (behaviours S228 to S233)."""

import json
import re
from html import unescape

import pytest
from hitl_zendesk.texts import MAX_HTML, MAX_TEXT, as_html, opening_html

import hitl_core as hitl
from hitl_core.sessions import RelayItem
from hitl_core.testing import ambiguous, reply

from .conftest import AGENT, CUSTOMER, ME, TICKET, refused, updated

pytestmark = pytest.mark.anyio

CREATE = "POST tickets"
UPSERT = "POST users/create_or_update"


def opens(zendesk, *comments, id_=TICKET, **more):
    return zendesk.on(CREATE, reply(201, json=updated(*comments or (501,), id_=id_, status="new", **more)))


def html_of(zendesk):
    return zendesk.body(CREATE)["ticket"]["comment"]["html_body"]


# The request


async def test_s232_a_bare_start_is_this_request(zendesk, connection, customer):
    opens(zendesk)
    await connection.start_hitl(
        user=customer, title="Refund", description="Help", external_id="conversation-1", idempotency_key="k"
    )
    assert zendesk.asked == [CREATE]
    assert zendesk.body(CREATE) == {
        "ticket": {
            "subject": "Refund",
            "comment": {"html_body": "<p>Help</p>", "public": True},
            "submitter_id": ME,
            "requester_id": CUSTOMER,
            "external_id": "conversation-1",
            "tags": ["hitl"],
            "metadata": {"hitl": "k/0"},
        }
    }
    assert zendesk.sent(CREATE)[0].headers["idempotency-key"] == "k/0"


async def test_s228_a_start_with_every_option_is_this_request(zendesk, customer):
    zendesk.on(UPSERT, reply(201, json={"user": {"id": 6001}}))
    opens(zendesk)
    options = {
        "priority": "urgent",
        "tags": ["vip", "hand-off", "vip"],
        "type": "incident",
        "status": "open",
        "group_id": 11,
        "assignee_id": AGENT,
        "ticket_form_id": "12",
        "brand_id": 13,
        "organization_id": 14,
        "custom_fields": [{"id": 15, "value": "blue"}, {"id": 16, "value": ["a", 1, None]}],
        "bot_name": "Robin",
        "bot_photo_url": "https://acme.test/robin.png",
        "requester_name": "Ada Lovelace",
        "requester_email": "ada@example.com",
    }
    async with zendesk.connect(tag="hand-off") as connection:
        session = await connection.start_hitl(
            user=customer, title="T", description="D", options=options, external_id="c", idempotency_key="k"
        )
    assert zendesk.asked == [UPSERT, CREATE]
    assert zendesk.body(CREATE) == {
        "ticket": {
            "subject": "T",
            "comment": {"html_body": "<p>D</p>", "public": True},
            "submitter_id": 6001,
            "requester": {"name": "Ada Lovelace", "email": "ada@example.com"},
            "external_id": "c",
            "tags": ["hand-off", "vip"],
            "priority": "urgent",
            "type": "incident",
            "status": "open",
            "group_id": 11,
            "assignee_id": AGENT,
            "ticket_form_id": 12,
            "brand_id": 13,
            "organization_id": 14,
            "custom_fields": [{"id": 15, "value": "blue"}, {"id": 16, "value": ["a", 1, None]}],
            "metadata": {"hitl": "k/0"},
        }
    }
    assert session.data == {"bot": "6001"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("low", "low"), ("medium", "normal"), ("normal", "normal"), ("high", "high"), ("urgent", "urgent")],
)
async def test_s228_priorities_are_zendesks_own(zendesk, connection, customer, ours, theirs):
    opens(zendesk)
    await connection.start_hitl(user=customer, title="T", options={"priority": ours})
    assert zendesk.body(CREATE)["ticket"]["priority"] == theirs


async def test_s231_a_requester_by_name_alone_replaces_the_linked_customer(zendesk, connection, customer):
    opens(zendesk)
    await connection.start_hitl(user=customer, title="T", options={"requester_name": "Ada"})
    told = zendesk.body(CREATE)["ticket"]
    assert told["requester"] == {"name": "Ada"}
    assert "requester_id" not in told


@pytest.mark.parametrize("id_", ["desk-user-7", "0", "-1", "--5", "12a", "\uff11\uff12"])
async def test_s230_a_customer_without_a_zendesk_id_is_refused_before_anything_is_sent(zendesk, connection, id_):
    with pytest.raises(hitl.InvalidRequestError, match="create_user") as caught:
        await connection.start_hitl(user=hitl.ExternalUser(id=id_), title="T")
    assert caught.value.subject == "user"
    assert zendesk.asked == []


async def test_s233_the_answer_is_the_session(zendesk, connection, customer):
    zendesk.on(CREATE, reply(201, json=updated(501, 502, id_=78, requester_id=4009, external_id="c")))
    plan = connection.plan_start(user=customer, title="T", external_id="c")
    started = await connection.begin(plan)
    assert started.ids == ("501", "502")
    assert started.session == hitl.HitlSession(
        ref=hitl.SessionRef(connection="default/shop", id="78"),
        provider="zendesk",
        url="https://acme.zendesk.com/agent/tickets/78",
        user_id="4009",
        external_id="c",
    )


# Once


@pytest.mark.parametrize("lost", [ambiguous(), 500, 503, 408])
async def test_a_repeat_is_the_same_to_the_byte_under_the_same_key(zendesk, connection, customer, lost):
    zendesk.on(CREATE, lost, reply(201, json=updated(501)))
    history = [hitl.HistoryEntry.of(hitl.Author.user(customer), "My lamp is broken")]
    options = {"tags": ["b", "a"], "custom_fields": [{"id": 3, "value": {"z": 1, "a": 2}}]}
    await connection.start_hitl(user=customer, title="T", history=history, options=options, idempotency_key="k")
    first, second = zendesk.sent(CREATE)
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == "k/0"


async def test_a_stored_plan_gives_the_same_bytes_to_another_instance_later(zendesk, connection, customer):
    zendesk.on(CREATE, 500, 500, 500, 500, reply(201, json=updated(501)))
    plan = connection.plan_start(user=customer, title="T", description="D", options={"tags": ["b", "a"]})
    with pytest.raises(hitl.AmbiguousOutcomeError) as caught:
        await connection.begin(plan)
    assert caught.value.retryable
    zendesk.clock.advance(3600)
    async with zendesk.connect() as other:
        await other.begin(plan)
    assert len({request.body for request in zendesk.sent(CREATE)}) == 1


async def test_a_key_that_was_used_for_other_content_leaves_the_outcome_in_doubt(zendesk, connection, customer):
    told = {"error": "IdempotentRequestError", "description": "Grace Hopper asked for something else"}
    zendesk.on(CREATE, reply(400, json=told))
    with pytest.raises(hitl.AmbiguousOutcomeError) as caught:
        await connection.start_hitl(user=customer, title="T")
    assert caught.value.code == "IdempotentRequestError"
    assert "Grace" not in repr(caught.value)


async def test_s230_a_suspended_requester_is_told_with_a_way_out_and_without_a_name(zendesk, connection, customer):
    zendesk.on(CREATE, refused(requester=["Requester: Grace Hopper is suspended."]))
    with pytest.raises(hitl.InvalidRequestError, match="suspended in Zendesk") as caught:
        await connection.start_hitl(user=customer, title="T")
    assert "another requester" in str(caught.value)
    assert "Grace" not in repr(caught.value)
    assert len(zendesk.sent(CREATE)) == 1


# Follow-ups


@pytest.mark.parametrize("status", ["new", "open", "pending", "hold", "solved", "deleted", "closed"])
async def test_a_ticket_follows_a_closed_one_alone(zendesk, connection, customer, status):
    zendesk.ticket(status, id_=70)
    opens(zendesk)
    previous = hitl.SessionRef(connection=connection.key, id="70")
    await connection.start_hitl(user=customer, title="T", previous=previous)
    told = zendesk.body(CREATE)["ticket"]
    assert told.get("via_followup_source_id") == (70 if status == "closed" else None)


async def test_a_ticket_that_is_gone_or_another_accounts_is_not_followed(zendesk, connection, customer):
    zendesk.on("GET tickets/70", reply(404, json={"error": "RecordNotFound"}))
    opens(zendesk)
    await connection.start_hitl(user=customer, title="T", previous=hitl.SessionRef(connection=connection.key, id="70"))
    await connection.start_hitl(
        user=customer, title="T", previous=hitl.SessionRef(connection="default/warehouse", id="71")
    )
    assert zendesk.asked == ["GET tickets/70", CREATE, CREATE]
    assert all("via_followup_source_id" not in body["ticket"] for body in zendesk.bodies(CREATE))


# The bot's name


async def test_s229_the_bots_own_user_is_written_only_when_name_or_picture_change(zendesk, connection, customer):
    zendesk.on(UPSERT, reply(201, json={"user": {"id": 6001}}))
    opens(zendesk)
    photo = "https://acme.test/robin.png"
    for options in (
        {"bot_name": "Robin"},
        {"bot_name": "Robin"},
        {"bot_name": "Robin", "bot_photo_url": photo},
        {"bot_name": "Robin", "bot_photo_url": photo},
        {"bot_name": "Wren"},
    ):
        await connection.start_hitl(user=customer, title="T", options=options)
    written = [body["user"] for body in zendesk.bodies(UPSERT)]
    assert [(user["name"], user.get("remote_photo_url")) for user in written] == [
        ("Robin", None), ("Robin", photo), ("Wren", None),
    ]  # fmt: skip
    assert {user["external_id"] for user in written} == {written[0]["external_id"]}
    assert all("email" not in user and "role" not in user for user in written)
    assert {body["ticket"]["submitter_id"] for body in zendesk.bodies(CREATE)} == {6001}


async def test_s229_two_connections_have_bots_of_their_own(zendesk, customer):
    zendesk.on(UPSERT, reply(201, json={"user": {"id": 6001}}))
    opens(zendesk)
    for alias in ("shop", "warehouse"):
        async with zendesk.connect(alias=alias) as connection:
            await connection.start_hitl(user=customer, title="T", options={"bot_name": "Robin"})
    assert len({body["user"]["external_id"] for body in zendesk.bodies(UPSERT)}) == 2


async def test_r14_a_bots_picture_that_is_too_long_is_left_out(zendesk, connection, customer):
    zendesk.on(UPSERT, reply(201, json={"user": {"id": 6001}}))
    opens(zendesk)
    options = {"bot_name": "Robin", "bot_photo_url": "https://acme.test/" + "p" * 300}
    await connection.start_hitl(user=customer, title="T", options=options)
    assert "remote_photo_url" not in zendesk.body(UPSERT)["user"]


# The first comment


async def test_what_people_wrote_is_escaped(zendesk, connection, customer):
    opens(zendesk)
    evil = "<script>alert('x')</script> & <b>\"bold\"</b>"
    history = [hitl.HistoryEntry.of(hitl.Author.user(customer), evil)]
    await connection.start_hitl(user=customer, title=evil, description=evil, history=history)
    html = html_of(zendesk)
    assert "<script" not in html
    assert "<b>" not in html
    assert unescape(html).count(evil) == 2
    assert zendesk.body(CREATE)["ticket"]["subject"] == evil


@pytest.mark.parametrize("opener", ["{{", "{%"])
async def test_placeholders_of_zendesks_are_made_harmless_everywhere(zendesk, connection, customer, opener):
    opens(zendesk)
    evil = opener + "ticket.cc_emails}}"
    history = [hitl.HistoryEntry.of(hitl.Author.user(name=evil), evil)]
    await connection.start_hitl(user=customer, title=evil, description=evil, history=history)
    told = json.dumps(zendesk.body(CREATE))
    assert opener not in told
    assert told.count("ticket.cc_emails") >= 3


async def test_s232_nothing_to_say_is_still_a_comment(zendesk, connection, customer):
    opens(zendesk)
    await connection.start_hitl(user=customer, title="T")
    assert html_of(zendesk) == "<p>&nbsp;</p>"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a", "<p>a</p>"),
        ("a\nb", "<p>a<br>b</p>"),
        ("a\r\nb\rc", "<p>a<br>b<br>c</p>"),
        ("a\n\nb", "<p>a</p><p>b</p>"),
        ("a\n \t\n\n\nb", "<p>a</p><p>b</p>"),
        ("\n\na\n\n", "<p>a</p>"),
        ("a   b", "<p>a&nbsp;&nbsp; b</p>"),
        ("  a\n  b", "<p>&nbsp; a<br>&nbsp; b</p>"),
        ("a b", "<p>a b</p>"),
    ],
)
def test_lines_and_blanks_survive_zendesk_which_collapses_them(text, html):
    assert as_html(text) == html


def items(*texts, **more):
    return [RelayItem(text=text, **more) for text in texts]


WORST = ['"', "'", "&", "<", " ", "\n", "\n ", "\n\n", "ä", "\N{GRINNING FACE}", '" ', "{", "\u2028"]


@pytest.mark.parametrize("worst", WORST)
def test_the_longest_text_of_the_worst_characters_fits_into_64_kb(worst):
    text = "x" + worst * ((MAX_TEXT.max - 2) // len(worst.encode())) + "x"
    assert MAX_TEXT.allows(text)
    html, placed = opening_html(text, ())
    assert len(html.encode()) <= MAX_HTML <= 64_000
    assert placed == 0
    assert re.sub(r"<[^>]*>", "", html)[-1] == "x"


@pytest.mark.parametrize("worst", WORST)
def test_s232_as_much_of_the_history_as_fits_is_placed_and_counted(worst):
    text = "x" + worst * (4000 // len(worst.encode())) + "x"
    history = items(*[text] * 40)
    html, placed = opening_html("Why", history)
    size = len(html.encode())
    assert size <= MAX_HTML
    assert placed == 40 or size + len(as_html(text).encode()) > MAX_HTML  # one more would not have fitted
    assert placed > 0
    assert html == "<p>Why</p><hr>" + as_html(text) * placed


def test_s232_everything_is_placed_when_it_fits():
    html, placed = opening_html(None, items("a", "b"))
    assert (html, placed) == ("<p>a</p><p>b</p>", 2)


@pytest.mark.parametrize(
    "other",
    [
        RelayItem(text="note", internal=True),
        RelayItem(attachment=hitl.File(url="https://acme.test/t.pdf")),
        RelayItem(text="mine", author=hitl.Author.user(name="Grace")),
    ],
    ids=["internal", "attachment", "own author"],
)
def test_what_needs_a_comment_of_its_own_ends_the_first_one(other):
    assert opening_html("Why", [*items("a"), other, *items("b")]) == ("<p>Why</p><hr><p>a</p>", 1)
    assert opening_html(None, [other]) == ("", 0)


async def test_what_was_not_placed_follows_in_comments_and_nothing_twice(zendesk, connection, customer):
    opens(zendesk)
    zendesk.ticket("new").takes(601, status="new")
    history = [hitl.HistoryEntry.of(hitl.Author.user(customer), f"{n:03} " + "'" * 2000) for n in range(30)]
    session = await connection.start_hitl(user=customer, title="T", history=history)
    assert session.id == str(TICKET)
    told = [html_of(zendesk), *(b["ticket"]["comment"]["html_body"] for b in zendesk.bodies(f"PUT tickets/{TICKET}"))]
    assert len(told) > 1
    numbers = re.findall(r"\b(\d{3}) &#x27;", "".join(told))
    assert numbers == [f"{n:03}" for n in range(30)]
    assert all(len(html.encode()) <= MAX_HTML for html in told)
