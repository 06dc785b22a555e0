"""Logs name what happened and give nothing away (behaviour S245)."""

import asyncio
import gc
import io
import logging
import time

import pytest
from pydantic import SecretStr

from hitl_core import errors
from hitl_core._http import BasicAuth, BearerAuth, HttpClient, HttpRequest, NetworkTransport, RetryPolicy
from hitl_core.logs import MASK, RedactingFilter, get_logger, redact, redacting, register_secret
from hitl_core.testing import ScriptedTransport, VirtualClock, ambiguous, not_sent, reply

SECRET = "dbk_9f8e7d6c5b4a"
CUSTOMER = "my card is 4111 1111"


@pytest.fixture
def lines():
    """Capture what a handler of the application would print, formatted."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s %(extra)s", defaults={"extra": ""}))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream.getvalue
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: Basic {SECRET}==",
        f"Proxy-Authorization={SECRET}",
        f"{{'authorization': 'Bearer {SECRET}', 'x': '1'}}",
        f"[(b'Authorization', b'Bearer {SECRET}'), (b'Cookie', b'{SECRET}')]",
        f"Cookie: session={SECRET}; other={SECRET}",
        f"Set-Cookie: session={SECRET}; HttpOnly",
        f"sent Bearer {SECRET} to the vendor",
        f"GET /x?token={SECRET}&a=1",
        f"GET /x?a=1&api_key={SECRET}",
        f"client_secret={SECRET}",
        f"https://h/x?X-Amz-Signature={SECRET}",
        f"password={SECRET}",
        f'{{"refresh_token": "{SECRET}"}}',
        f"{{'access_token': '{SECRET}'}}",
        f'Cookie: a="b"; session={SECRET}',
        f"{{b'cookie': b'a=\"b\"; session={SECRET}'}}",
        f"whsec_{SECRET}",
        f"secrets whsec_{SECRET}+/=, whsec_{SECRET}",
    ],
)
def test_credentials_are_masked_in_every_form_a_library_prints_them(text):
    assert SECRET not in redact(text)
    assert MASK in redact(text)
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "POST api.example.com/v2/tickets/17 201 in 34 ms (attempt 1)",
        "the key of the connection is t/acme",
        "check the token or password in the settings",
        "basic authentication is not offered",
        "uses basic authentication.",
        "authorization, cookies and tokens",
        "monkey business at the keyboard",
    ],
)
def test_plain_sentences_stay_as_they_are(text):
    assert redact(text) == text


def test_masking_a_long_line_takes_no_longer_than_its_length():
    began = time.process_time()
    redact("a" * 300_000 + " bearer " + "b" * 300_000 + "cookie: " + "c" * 300_000)
    assert time.process_time() - began < 2


def test_what_stands_around_a_secret_stays_readable():
    assert redact(f"GET /x?token={SECRET}&page=2") == f"GET /x?token={MASK}&page=2"
    assert redact(f"Authorization: Bearer {SECRET}\nhost: h") == f"Authorization: {MASK}\nhost: h"


def test_a_registered_secret_is_masked_wherever_it_stands_and_as_long_as_it_lives():
    value = "Hush-4711-value"
    secret = register_secret(SecretStr(value))
    assert redact(f"<<{value}>>") == f"<<{MASK}>>"
    del secret
    gc.collect()
    assert redact(f"<<{value}>>") == f"<<{value}>>"


def test_a_secret_registered_twice_stays_masked_while_either_lives():
    first, second = register_secret(SecretStr("Twice-4711")), register_secret(SecretStr("Twice-4711"))
    del first
    gc.collect()
    assert redact("Twice-4711") == MASK
    assert second.get_secret_value() == "Twice-4711"


def test_the_longer_of_two_nested_secrets_is_masked_whole():
    kept = [register_secret(SecretStr("abcdef")), register_secret(SecretStr("abcdef-ghijkl"))]
    assert redact("abcdef-ghijkl") == MASK
    assert len(kept) == 2


def test_a_secret_too_short_to_be_one_does_not_blank_out_words():
    kept = register_secret(SecretStr("the"))
    assert redact("the end") == "the end"
    assert kept


def test_credentials_of_a_client_are_registered():
    kept = [BearerAuth(SecretStr("Bearer-4711-x")), BasicAuth("ada", SecretStr("Basic-4711-x"))]
    encoded = "YWRhOkJhc2ljLTQ3MTEteA=="
    assert redact("Bearer-4711-x Basic-4711-x") == f"{MASK} {MASK}"
    assert encoded not in redact(f"x {encoded} x")
    assert len(kept) == 2


def test_a_logger_masks_message_arguments_extras_and_traceback(lines):
    log = get_logger("t/acme", secrets=["Logger-4711-secret"])
    try:
        raise ValueError("refused: Logger-4711-secret")
    except ValueError:
        log.exception("%s failed", "Logger-4711-secret", extra={"extra": "Logger-4711-secret"}, stack_info=True)
    text = lines()
    assert "4711" not in text
    assert f"ERROR hitl.connection [t/acme] {MASK} failed {MASK}" in text
    assert f"ValueError: refused: {MASK}" in text
    assert "Traceback" in text


def test_the_connection_is_in_the_record_and_a_percent_sign_in_it_does_no_harm(caplog):
    log = get_logger("t/50%s")
    with caplog.at_level(logging.INFO):
        log.info("value %d", 3)
        log.info("no arguments")
    assert [record.getMessage() for record in caplog.records] == ["[t/50_s] value 3", "[t/50_s] no arguments"]
    assert {record.connection for record in caplog.records} == {"t/50%s"}


def test_a_log_call_with_wrong_arguments_is_still_a_line(lines):
    get_logger().info("%d of %d", "x")
    assert "%d of %d (this log call has arguments that do not fit)" in lines()


def test_a_logger_without_a_connection_has_no_prefix(caplog):
    with caplog.at_level(logging.INFO):
        get_logger().info("hello")
    assert caplog.messages == ["hello"]


def test_the_filter_is_put_on_once_however_often_a_logger_is_asked_for():
    for _ in range(3):
        logger = redacting("hitl.test-once")
    assert len(logger.filters) == 1


def test_the_filter_works_on_a_handler_for_every_library():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    other = logging.getLogger("some.other.library")
    other.addHandler(handler)
    try:
        other.warning("Authorization: Bearer %s", SECRET)
        other.warning("done", stack_info=True)
    finally:
        other.removeHandler(handler)
    assert SECRET not in stream.getvalue()
    assert "Stack (most recent call last)" in stream.getvalue()


# The transport ------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_transport_logs_what_it_did_and_neither_secret_nor_query_nor_body(lines):
    answers = [
        reply(503, body=CUSTOMER, headers={"Retry-After": "1", "Set-Cookie": f"s={SECRET}"}),
        not_sent(),
        reply(201, json={"text": CUSTOMER}),
        ambiguous(),
        reply(404, body=CUSTOMER),
        reply(200, body=f"<html>{CUSTOMER}"),
    ]
    core = HttpClient(
        ScriptedTransport(answers),
        clock=VirtualClock(),
        retry=RetryPolicy(random=lambda: 1.0),
        provider="acme",
        connection="t/acme",
    )
    client = core.bind(base_url="https://api.example.com/v2", auth=BearerAuth(SecretStr(SECRET)))
    options = {"operation": "send", "json": {"text": CUSTOMER}, "params": {"email": "ada@example.com", "q": SECRET}}
    texts = []
    await client.post("tickets/17/messages", key="key-of-this-message", **options)
    for path in ("tickets/18", "tickets/19"):
        with pytest.raises(errors.ProviderError) as caught:
            await client.post(path, **options)
        texts += [str(caught.value), repr(caught.value)]
    with pytest.raises(errors.ProviderError) as caught:
        (await client.post("tickets/20", **options)).json()
    text = " ".join([lines(), *texts, str(caught.value)])

    for hidden in (SECRET, "4111", "ada", "?", "key-of-this-message"):
        assert hidden not in text
    assert "DEBUG hitl.connection [t/acme] POST api.example.com/v2/tickets/17/messages 503 in 0 ms (attempt 1)" in text
    assert "INFO hitl.connection [t/acme] POST api.example.com/v2/tickets/17/messages: repeated in 1.0 s" in text
    assert "after attempt 1 of 4 (refused)" in text
    assert "failed: the connection was refused in 0 ms (attempt 2)" in text
    assert "201 in 0 ms (attempt 3)" in text


@pytest.mark.anyio
async def test_libraries_below_us_give_nothing_away_at_debug_either(lines):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nSet-Cookie: s={SECRET}\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    transport = NetworkTransport()
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/x?token={SECRET}"
    await transport.send(HttpRequest("GET", url, {"authorization": f"Bearer {SECRET}"}), timeout=5, max_bytes=10)
    await transport.aclose()
    listener.close()
    await listener.wait_closed()
    assert "httpcore" in lines()
    assert SECRET not in lines()
