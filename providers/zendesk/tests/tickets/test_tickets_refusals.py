"""What Zendesk refuses, told by class and next step and never in its own words (sheet of errors, S245, F38)."""

import logging

import pytest
from hitl_zendesk.refusals import classify, fields_in, limits, refused_by, update_scopes

import hitl_core as hitl
from hitl_core.http import HttpResponse
from hitl_core.testing import reply

from .conftest import TICKET, ticket, updated

pytestmark = pytest.mark.anyio

GRACE = "Grace Hopper grace@example.com"
HTML = f"<!DOCTYPE html><html><title>Error</title><body>{GRACE} {{ray}}</body></html>"


def text(status, body=GRACE, **headers):
    return reply(status, body=body, headers={"content-type": "text/plain; charset=utf-8"} | headers)


def page(status, **headers):
    return reply(status, body=HTML, headers={"content-type": "text/html"} | headers)


def told(status, error, description=GRACE, **more):
    return reply(status, json={"error": error, "description": description} | more)


def invalid(**details):
    return told(422, "RecordInvalid", details=details)


FINAL = [
    # answer, class, code, what is said
    (told(400, "TooManyValues", max_count=100), hitl.InvalidRequestError, "TooManyValues", "content is not accepted"),
    (told(401, "Couldn't authenticate you"), hitl.AuthenticationError, None, "credentials are refused"),
    (
        reply(401, json={"error": "invalid_token", "error_description": GRACE}),
        hitl.AuthenticationError,
        "invalid_token",
        "credentials are refused",
    ),
    (
        told(403, "Forbidden", "You are missing the following required scopes: tickets:read users:read"),
        hitl.PermissionDeniedError,
        "Forbidden",
        "lacks the scope tickets:read users:read; add it to scope",
    ),
    (
        told(403, "Forbidden", f"You are missing the following required scopes: read\n{GRACE}"),
        hitl.PermissionDeniedError,
        "Forbidden",
        "lacks the scope read;",
    ),
    (
        reply(403, json={"error": {"title": "Forbidden", "message": GRACE}}),
        hitl.PermissionDeniedError,
        "Forbidden",
        "give it a role that has it",
    ),
    (page(403), hitl.PermissionDeniedError, None, "give it a role that has it"),
    (told(404, "RecordNotFound", "Not found"), hitl.NotFoundError, "RecordNotFound", "no such object"),
    (
        reply(404, json={"error": {"title": f"No help desk at {GRACE}", "message": GRACE}}),
        hitl.NotFoundError,
        None,
        "no such object",
    ),
    (page(404), hitl.NotFoundError, None, "no such object"),
    (page(406), hitl.InvalidRequestError, None, "request is refused"),
    (told(409, "UpdateConflict"), hitl.ConflictError, "UpdateConflict", "read it again"),
    (
        invalid(requester=[{"description": f"Requester: Name: {GRACE} is too short"}]),
        hitl.InvalidRequestError,
        "RecordInvalid",
        "does not accept requester; check",
    ),
    (
        invalid(requester=[{"description": f"Requester: {GRACE} is suspended."}]),
        hitl.InvalidRequestError,
        "RecordInvalid",
        "suspended in Zendesk",
    ),
    (
        invalid(email=[{"description": f"Email: {GRACE} is already being used"}], name=[{"description": GRACE}]),
        hitl.InvalidRequestError,
        "RecordInvalid",
        "does not accept email, name; check",
    ),
    (
        invalid(**{GRACE: [{"description": GRACE}]}),
        hitl.InvalidRequestError,
        "RecordInvalid",
        "content is not accepted",
    ),
    (
        invalid(status=[{"description": "Status: closed prevents ticket update"}]),
        hitl.SessionClosedError,
        "ClosedTicket",
        "closed for good; start a new hand-off",
    ),
    (told(422, "ClosedTicket"), hitl.SessionClosedError, "ClosedTicket", "closed for good; start a new hand-off"),
    (
        reply(422, json={"errors": [{"code": "InvalidValue", "title": GRACE, "detail": GRACE}]}),
        hitl.InvalidRequestError,
        "InvalidValue",
        "content is not accepted",
    ),
    (
        reply(422, json={"error": "RecordInvalid", "details": GRACE}),
        hitl.InvalidRequestError,
        "RecordInvalid",
        "fields",
    ),
    (reply(422, json=[GRACE]), hitl.InvalidRequestError, None, "fields"),
    (reply(422, json=GRACE), hitl.InvalidRequestError, None, "fields"),
    (page(422), hitl.InvalidRequestError, None, "fields"),
    (told(400, GRACE), hitl.InvalidRequestError, None, "fields"),
]


def look(connection, customer):
    plan = connection.plan_start(user=customer, title="T", external_id="c")
    return connection.find_session(plan, sent_after=connection._context.clock.now())


@pytest.mark.parametrize(("answer", "kind", "code", "says"), FINAL)
async def test_a_final_refusal_is_told_once_by_class_and_in_our_words(
    zendesk, connection, customer, caplog, answer, kind, code, says
):
    caplog.set_level(logging.DEBUG)
    zendesk.on("GET tickets", answer)
    with pytest.raises(hitl.ProviderError) as caught:
        await look(connection, customer)
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.retryable, error.retry_after) == (answer.status, code, False, None)
    assert says in str(error)
    assert "Grace" not in f"{error!r}{error.fields}{caplog.text}"
    assert "example.com" not in f"{error!r}{caplog.text}"
    assert len(zendesk.sent("GET tickets")) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "code", "seconds"),
    [
        (text(429, "Number of allowed API requests per minute exceeded", **{"Retry-After": "93"}), "r", None, 93),
        (told(429, "TooManyRequests", max=1), "r", "TooManyRequests", None),
        (page(429, **{"Retry-After": "31"}), "r", None, 31),
        (page(503, **{"Retry-After": "45"}), "u", None, 45),
        (text(409, "Database collision"), "u", "DatabaseConflict", None),
        (page(409), "u", "DatabaseConflict", None),
        (told(409, "DatabaseConflict"), "u", "DatabaseConflict", None),
    ],
)
async def test_what_passes_may_be_tried_again_after_the_time_zendesk_names(
    zendesk, session, answer, kind, code, seconds
):
    """Nothing was done, so this holds for updates too."""
    zendesk.ticket().on(f"PUT tickets/{TICKET}", answer)
    async with zendesk.connect() as connection:
        with pytest.raises(hitl.ProviderError) as caught:
            await connection.send_message(session, "Hi")
    error = caught.value
    assert type(error) is (hitl.RateLimitedError if kind == "r" else hitl.ProviderUnavailableError)
    assert (error.status, error.code, error.retryable) == (answer.status, code, True)
    assert error.retry_after == seconds
    assert "Grace" not in repr(error)


@pytest.mark.parametrize("answer", [text(500), page(502), page(503), page(520), told(504, "x")])
async def test_a_failing_zendesk_is_asked_again_by_reads_and_leaves_updates_in_doubt(
    zendesk, connection, customer, session, answer
):
    zendesk.on("GET tickets", answer).ticket().on(f"PUT tickets/{TICKET}", answer)
    with pytest.raises(hitl.ProviderUnavailableError):
        await look(connection, customer)
    assert len(zendesk.sent("GET tickets")) == 4
    with pytest.raises(hitl.AmbiguousOutcomeError) as caught:
        await connection.send_message(session, "Hi")
    assert len(zendesk.sent(f"PUT tickets/{TICKET}")) == 1
    assert "Grace" not in repr(caught.value)


async def test_a_collision_in_zendesks_database_passes(zendesk, connection, session):
    zendesk.ticket().on(f"PUT tickets/{TICKET}", text(409), text(429), updated(601))
    assert (await connection.send_message(session, "Hi")).ids == ("601",)


async def test_an_account_that_does_not_exist_is_told_by_its_setting(zendesk, connection):
    zendesk.on("GET users/me", page(404))
    with pytest.raises(hitl.NotFoundError, match="check subdomain"):
        await connection.identify()


@pytest.mark.parametrize("answer", [page(200), text(200), reply(200)])
async def test_a_success_that_cannot_be_read_is_an_error_that_quotes_nothing(zendesk, connection, customer, answer):
    zendesk.on("GET tickets", answer)
    with pytest.raises(hitl.ProviderError) as caught:
        await look(connection, customer)
    assert "Grace" not in repr(caught.value)


# Fields


def test_fields_are_named_by_zendesks_names_and_by_numbers_for_the_accounts_own():
    answer = invalid(
        base=[{"ticket_field_id": 3}, {"ticket_field_id": "4"}, {"ticket_field_id": True}, {"ticket_field_id": "4;x"}],
        group=[{"description": GRACE}],
        odd="not a list",
        **{GRACE: [{"description": GRACE}]},
    )
    assert fields_in(answer) == ("ticket_field:3", "ticket_field:4", "group")
    assert set(refused_by(answer)) == {"base", "group", GRACE}


@pytest.mark.parametrize("answer", [page(422), reply(422, json=[]), reply(422, json={"details": []}), reply(422)])
def test_a_refusal_without_details_names_no_field(answer):
    assert fields_in(answer) == ()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 409, 422, 429, 500, 503])
@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[" * 100_000, b'{"error": {}}', b'{"errors": [[]]}', b'{"details": 1}']
)
def test_no_body_makes_a_refusal_unreadable(status, body):
    found = classify(HttpResponse(status, {}, body, "https://acme.zendesk.com/api/v2/tickets"))
    assert found is None or found.code in {None, "DatabaseConflict"}


# Limits


def answered(path, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(200, named, b"", f"https://acme.zendesk.com/api/v2/{path}")


def seen(response):
    return [tuple(item) for item in limits(response)]


def test_f38_the_accounts_limit_is_read_from_both_spellings():
    old = {"rate_limit": "700", "rate_limit_remaining": "696", "rate_limit_reset": "59"}
    new = {"ratelimit_limit": "400", "ratelimit_remaining": "7", "ratelimit_reset": "12"}
    assert seen(answered("tickets", **old, x_rate_limit="700", x_rate_limit_remaining="696")) == [
        ("account", 700, 696, 59)
    ]
    assert seen(answered("tickets", **new, x_rate_limit="400", x_rate_limit_remaining="7")) == [("account", 400, 7, 12)]


@pytest.mark.parametrize("path", ["tickets/77", "tickets/77.json", "tickets/77?include=users", "tickets/77/comments"])
def test_f38_a_tickets_limit_is_the_tickets_alone(path):
    told = "total=30; remaining=29; resets=468"
    assert seen(answered(path, zendesk_ratelimit_per_ticket_updates=told)) == [("ticket:77", 30, 29, 468)]


@pytest.mark.parametrize("path", ["tickets", "users/77", "tickets/show_many?ids=77"])
def test_f38_a_tickets_limit_counts_for_nothing_else(path):
    told = "total=30; remaining=0; resets=468"
    assert seen(answered(path, zendesk_ratelimit_per_ticket_updates=told)) == []


@pytest.mark.parametrize("name", ["zendesk_rate_limit_tickets_update", "zendesk_ratelimit_tickets_update"])
def test_f38_the_limit_of_all_updates_is_one_that_updates_count_in(name):
    ((scope, *rest),) = seen(answered("tickets/77", **{name: "total=20; remaining=19; resets=59"}))
    assert rest == [20, 19, 59]
    assert scope in update_scopes("77")
    assert "ticket:77" in update_scopes("77")


@pytest.mark.parametrize("value", ["", "x", "total=30", "total=a; remaining=b; resets=c", "remaining=1; total=2"])
def test_f38_a_limit_that_cannot_be_read_is_none(value):
    assert seen(answered("tickets/77", zendesk_ratelimit_per_ticket_updates=value)) == []


async def test_f38_a_ticket_that_is_full_does_not_stop_the_others(zendesk, connection, session):
    spent = {"zendesk-ratelimit-per-ticket-updates": "total=30; remaining=0; resets=500", "Retry-After": "500"}
    zendesk.ticket().on(f"PUT tickets/{TICKET}", text(429, **spent))
    with pytest.raises(hitl.RateLimitedError) as caught:
        await connection.send_message(session, "Hi")
    assert caught.value.retry_after == 500
    zendesk.ticket(id_=78).on("PUT tickets/78", {"ticket": ticket(id_=78)})
    other = session.model_copy(update={"ref": hitl.SessionRef(connection=connection.key, id="78")})
    await connection.send_message(other, "Hi")
    assert zendesk.clock.waits == []
