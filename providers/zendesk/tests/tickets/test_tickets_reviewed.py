"""What real accounts do beside the usual: redacted notes, merged people, staff who ask, cursors that run out."""

from urllib.parse import parse_qs, urlsplit

import pytest

import hitl_core as hitl
from hitl_core.testing import reply

from .conftest import AGENT, CUSTOMER, ME, TICKET, event

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
