"""Which error a refusal becomes, what it says, and what it never says (behaviour S245)."""

import pytest

from hitl_core import errors
from hitl_core._http import HttpClient, VendorError
from hitl_core.testing import ScriptedTransport, VirtualClock, reply

pytestmark = pytest.mark.anyio

CUSTOMER_TEXT = "my card is 4111 1111"

TABLE = {
    400: errors.InvalidRequestError,
    401: errors.AuthenticationError,
    402: errors.PermissionDeniedError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    405: errors.InvalidRequestError,
    406: errors.InvalidRequestError,
    407: errors.AuthenticationError,
    408: errors.ProviderUnavailableError,
    409: errors.ConflictError,
    410: errors.NotFoundError,
    411: errors.InvalidRequestError,
    412: errors.ConflictError,
    413: errors.InvalidRequestError,
    414: errors.InvalidRequestError,
    415: errors.InvalidRequestError,
    416: errors.InvalidRequestError,
    417: errors.InvalidRequestError,
    418: errors.InvalidRequestError,
    421: errors.InvalidRequestError,
    422: errors.InvalidRequestError,
    423: errors.ConflictError,
    424: errors.InvalidRequestError,
    425: errors.ProviderUnavailableError,
    426: errors.InvalidRequestError,
    428: errors.InvalidRequestError,
    429: errors.RateLimitedError,
    431: errors.InvalidRequestError,
    451: errors.PermissionDeniedError,
    499: errors.InvalidRequestError,
    500: errors.ProviderUnavailableError,
    501: errors.ProviderUnavailableError,
    502: errors.ProviderUnavailableError,
    503: errors.ProviderUnavailableError,
    504: errors.ProviderUnavailableError,
}


async def refused(answer, *, method="GET", classify=None, path="tickets/17", **options):
    """Return the error a refusal becomes where nothing is repeated."""
    core = HttpClient(
        ScriptedTransport([answer]), clock=VirtualClock(), waits="raise", provider="acme", connection="t/acme"
    )
    client = core.bind(base_url="https://api.example.com/v2", classify=classify)
    with pytest.raises(errors.HitlError) as caught:
        await client.request(method, path, operation="get_ticket", **options)
    return caught.value


@pytest.mark.parametrize("status", range(400, 505))
async def test_every_status_has_its_error(status):
    error = await refused(reply(status, json={"comment": CUSTOMER_TEXT}))
    assert type(error) is TABLE.get(status, errors.InvalidRequestError)
    assert (error.provider, error.connection, error.operation) == ("acme", "t/acme", "get_ticket")
    assert error.status == status
    assert error.retryable is (status in {408, 423, 425, 429} or status >= 500)
    assert "4111" not in f"{error!s}{error!r}"


@pytest.mark.parametrize("status", range(500, 505))
async def test_a_write_a_server_failed_over_is_ambiguous_with_all_its_facts(status):
    answer = reply(status, headers={"X-Request-Id": "r-9"})
    error = await refused(answer, method="POST", classify=lambda _: VendorError(code="Boom"))
    assert type(error) is errors.AmbiguousOutcomeError
    assert (error.status, error.code, error.request_id, error.operation) == (status, "Boom", "r-9", "get_ticket")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
async def test_a_redirect_is_an_error_that_names_the_host_and_nothing_more(status):
    location = "https://user:pw@elsewhere.example.com/login?token=s3cr3t-value"
    error = await refused(reply(status, headers={"location": location}), method="POST")
    assert type(error) is errors.ProviderError
    assert error.status == status
    assert "redirects to elsewhere.example.com" in str(error)
    assert "base_url" in str(error)
    assert "s3cr3t" not in str(error)
    assert "pw" not in str(error)


@pytest.mark.parametrize("location", ["/relative", "", "http://[broken", "\x00"])
async def test_a_redirect_to_nowhere_is_the_same_error(location):
    error = await refused(reply(302, headers={"location": location}))
    assert type(error) is errors.ProviderError
    assert "redirects are not followed" in str(error)


async def test_the_message_says_what_was_asked_and_what_to_do_but_not_the_query():
    error = await refused(401, params={"email": "ada@example.com"})
    assert "GET api.example.com/v2/tickets/17" in str(error)
    assert "check the token" in str(error)
    assert "ada" not in str(error)


async def test_a_provider_refines_the_error():
    vendor = VendorError(
        code="TicketClosed",
        message="the ticket is closed; start a new one",
        request_id="zd-1",
        error=errors.SessionClosedError,
        retryable=False,
    )
    error = await refused(reply(422), classify=lambda _: vendor)
    assert type(error) is errors.SessionClosedError
    assert (error.code, error.request_id, error.status) == ("TicketClosed", "zd-1", 422)
    assert "start a new one" in str(error)


async def test_a_provider_may_name_an_error_outside_of_provider_errors():
    vendor = VendorError(message="This bot is not connected to the desk.", error=errors.NotConnectedError)
    error = await refused(reply(403), classify=lambda _: vendor)
    assert type(error) is errors.NotConnectedError
    assert str(error) == "This bot is not connected to the desk."


async def test_a_provider_may_say_that_a_retry_helps():
    error = await refused(reply(409), classify=lambda _: VendorError(retryable=True))
    assert type(error) is errors.ConflictError
    assert error.retryable


@pytest.mark.parametrize("body", [b"<html>Bad gateway", b"", b"[]", b"null", b"\xff\xfe"])
async def test_an_answer_that_is_not_in_the_vendors_format_keeps_its_status(body):
    error = await refused(reply(404, body=body), classify=lambda r: VendorError(code=r.json()["error"]["code"]))
    assert type(error) is errors.NotFoundError
    assert error.code is None


@pytest.mark.parametrize("value", ["my card is 4111", "x" * 200, "line\nbreak", "", "<b>"])
async def test_what_does_not_look_like_an_id_is_not_passed_on_as_one(value):
    error = await refused(reply(404), classify=lambda _: VendorError(code=value, request_id=value))
    assert (error.code, error.request_id) == (None, None)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_2xx_is_a_success_whatever_else_is_accepted(status):
    transport = ScriptedTransport([status])
    client = HttpClient(transport).bind(base_url="https://api.example.com")
    assert (await client.post("x", operation="x", accept={404})).status == status


@pytest.mark.parametrize("status", [304, 404, 429, 503])
async def test_accepted_statuses_are_answers_and_are_not_repeated(status):
    transport = ScriptedTransport([status])
    client = HttpClient(transport).bind(base_url="https://api.example.com")
    assert (await client.get("x", operation="x", accept={status})).status == status
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    ("body", "kind"), [(b"<html>4111", "text/html"), (b"", ""), (b'{"a":', ""), (b"\xff", ""), (b"[" * 100_000, "")]
)
async def test_an_answer_that_is_not_json_is_a_clear_error_without_its_text(body, kind):
    core = HttpClient(
        ScriptedTransport([reply(200, body=body, headers={"content-type": kind})]), provider="acme", connection="t/acme"
    )
    answer = await core.bind(base_url="https://api.example.com").get("x", operation="identify")
    with pytest.raises(errors.ProviderError, match="not JSON") as caught:
        answer.json()
    assert (caught.value.provider, caught.value.operation, caught.value.status) == ("acme", "identify", 200)
    assert "4111" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("options", "retryable"), [({}, False), ({"key": "k"}, True), ({"repeatable": True}, None)], ids=str
)
async def test_an_answer_to_a_write_that_is_not_json_leaves_its_outcome_open(options, retryable):
    client = HttpClient(ScriptedTransport([reply(200, body=b'{"id": 1')])).bind(base_url="https://api.example.com")
    answer = await client.post("x", operation="start_hitl", **options)
    with pytest.raises(errors.ProviderError, match="not JSON") as caught:
        answer.json()
    if retryable is None:
        assert type(caught.value) is errors.ProviderError
    else:
        assert (type(caught.value), caught.value.retryable) == (errors.AmbiguousOutcomeError, retryable)


async def test_json_is_tried_whatever_the_content_type_says():
    answer = reply(200, body=b'{"a": "\xc3\xa4"}', headers={"Content-Type": "text/plain"})
    assert answer.json() == {"a": "ä"}
    assert answer.text == '{"a": "ä"}'
    assert answer.header("CONTENT-type") == "text/plain"
    assert answer.header("absent") is None
    assert reply(200, body=b"\xff!").text == "\ufffd!"


async def test_a_client_without_a_host_says_how_to_get_one():
    with pytest.raises(errors.ConfigurationError, match=r"bind\(base_url"):
        await HttpClient(ScriptedTransport()).get("x", operation="x")


@pytest.mark.parametrize("wrong", [{"waits": "never"}, {"timeout": 0}, {"timeout": -1}])
async def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(errors.ConfigurationError):
        HttpClient(ScriptedTransport(), **wrong)
