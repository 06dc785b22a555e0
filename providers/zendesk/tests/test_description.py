"""What the provider asks is what Zendesk describes, but for spots where its description is known to be wrong."""

import json
import re

import pytest

from hitl_core.testing import Description

from .description import ALLOWED, ELSEWHERE, VARIABLE, WHERE_IT_IS, file

JSON = {"content-type": "application/json"}
TICKET = "/api/v2/tickets/35436"
OPENING = {
    "subject": "Parcel",
    "comment": {"html_body": "<p>Hello</p>", "public": True},
    "submitter_id": 8447388090494,
    "external_id": "c-1",
    "tags": ["hitl"],
    "metadata": {"hitl": "key-1"},
}
TRIGGER = {
    "title": "HITL: comment",
    "active": True,
    "all": [{"field": "current_tags", "operator": "includes", "value": "hitl"}],
    "any": [],
    "actions": [{"field": "notification_webhook", "value": ["01H", "{}"]}],
}
ASKED = {
    "a token": ("POST", "/oauth/tokens", "", {"grant_type": "client_credentials"}),
    "who we are": ("GET", "/api/v2/users/me", "", None),
    "a customer by our id": ("GET", "/api/v2/users", "external_id=u-1", None),
    "a customer by address": ("GET", "/api/v2/users/search", "query=email%3A%22a%40b.example%22", None),
    "a new customer": (
        "POST",
        "/api/v2/users",
        "",
        {"user": {"name": "Ada", "email": "a@b.example", "role": "end-user"}},
    ),
    "an upsert": ("POST", "/api/v2/users/create_or_update", "", {"user": {"name": "Ada", "external_id": "u-1"}}),
    "a ticket": ("POST", "/api/v2/tickets", "", {"ticket": {**OPENING, "requester_id": 8447388090495}}),
    "a ticket with everything": (
        "POST",
        "/api/v2/tickets",
        "",
        {
            "ticket": {
                **OPENING,
                "requester": {"name": "Ada", "email": "a@b.example"},
                "custom_fields": [{"id": 360001234567, "value": "A-1"}],
                "via_followup_source_id": 35435,
                "priority": "high",
                "type": "question",
                "status": "open",
                "group_id": 1,
                "assignee_id": 2,
                "ticket_form_id": 3,
                "brand_id": 4,
                "organization_id": 5,
            }
        },
    ),
    "tickets by our id": ("GET", "/api/v2/tickets", "external_id=c-1", None),
    "a ticket read": ("GET", TICKET, "", None),
    "several tickets": ("GET", "/api/v2/tickets/show_many", "ids=1%2C2", None),
    "a file": ("POST", "/api/v2/uploads", "filename=a.txt", b"text"),
    "a comment": (
        "PUT",
        TICKET,
        "",
        {
            "ticket": {
                "comment": {"html_body": "<p>x</p>", "public": True, "author_id": 8447388090495, "uploads": ["t"]},
                "metadata": {"hitl": "key-2"},
                "status": "open",
            }
        },
    ),
    "the end": ("PUT", TICKET, "", {"ticket": {"status": "solved", "assignee_id": 8447388090494}}),
    "nobody's": ("PUT", TICKET, "", {"ticket": {"group_id": 1, "assignee_id": None}}),
    "comments": (
        "GET",
        f"{TICKET}/comments",
        "include=users&include_inline_images=true&page%5Bsize%5D=100&page%5Bafter%5D=c&sort=-created_at",
        None,
    ),
    "audits": ("GET", f"{TICKET}/audits", "page%5Bsize%5D=100", None),
    "changes": ("GET", "/api/v2/incremental/tickets/cursor", "start_time=1700000000&per_page=100", None),
    "more changes": ("GET", "/api/v2/incremental/tickets/cursor", "cursor=abc&per_page=100", None),
    "a file's record": ("GET", "/api/v2/attachments/498483", "", None),
    "what is required": ("GET", "/api/v2/ticket_fields", "", None),
    "a trigger": ("POST", "/api/v2/triggers", "", {"trigger": TRIGGER}),
    "a trigger mended": ("PUT", "/api/v2/triggers/25", "", {"trigger": TRIGGER}),
    "triggers": ("GET", "/api/v2/triggers", "page%5Bsize%5D=100", None),
    "a trigger gone": ("DELETE", "/api/v2/triggers/25", "", None),
}


@pytest.fixture
def described():
    """The description as this test's own, since it keeps count of what was allowed."""
    path = file()
    if path is None:
        pytest.skip(f"Zendesk's description of its API is not here: {WHERE_IT_IS}")
    return Description.load(path, allow=ALLOWED)


def problems(described, method, path, query, body):
    sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return described.problems(
        method, path, query, {"content-type": "text/plain"} if isinstance(body, bytes) else JSON, sent
    )


@pytest.mark.parametrize("what", ASKED)
def test_zendesk_describes_what_the_provider_asks(described, what):
    assert problems(described, *ASKED[what]) == []


def test_nothing_is_allowed_beyond_the_description_that_need_not_be(described):
    for asked in ASKED.values():
        problems(described, *asked)
    assert described.unneeded() == []


@pytest.mark.parametrize("path", ELSEWHERE)
def test_what_is_described_elsewhere_is_not_described_here(described, path):
    assert described.problems("GET", path.rstrip("/")) is None
    assert described.problems("GET", f"{path.rstrip('/')}/1") is None


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "problem"),
    [
        ("GET", "/api/v2/tickets", "externalid=1", None, "query externalid is not described"),
        ("GET", "/api/v2/tickets/abc", "", None, "path ticket_id is not of type integer"),
        ("PATCH", TICKET, "", {"ticket": {}}, "the method is not described"),
        ("POST", "/api/v2/tickets", "", {"ticket": {"subject": "x"}}, "body ticket.comment is missing"),
        ("PUT", TICKET, "", {"ticket": {"status": "done"}}, "body ticket.status is none of "),
        ("PUT", TICKET, "", {"ticket": {"comment": {"html": "x"}}}, "body ticket.comment.html is not described"),
        ("PUT", TICKET, "", {"ticket": {"comment": {"id": 1}}}, "body ticket.comment.id is read-only"),
        ("PUT", TICKET, "", {"ticket": {"requester_id": "1"}}, "body ticket.requester_id is not of type integer"),
        ("PUT", TICKET, "", b"{}", "the content type is none of "),
    ],
)
def test_a_provider_that_asks_otherwise_is_found_out(described, method, path, query, body, problem):
    (found,) = problems(described, method, path, query, body)
    assert re.match(re.escape(problem), found)


def test_a_file_that_is_named_and_not_there_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none.yaml"))
    with pytest.raises(FileNotFoundError):
        file()
