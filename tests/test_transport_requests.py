"""Where a request goes and what it carries: one origin, one encoding, nothing a repr gives away."""

import hashlib
import re
from base64 import b64decode
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from hitl_core import errors
from hitl_core._http import BasicAuth, BearerAuth, FilePart, HeaderAuth, Headers, HttpClient, HttpRequest, segment
from hitl_core._http.encoding import encode_body, encode_key
from hitl_core._http.urls import Base
from hitl_core.testing import ScriptedTransport, reply

pytestmark = pytest.mark.anyio

# Addresses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("https://api.example.com", "tickets", "https://api.example.com/tickets"),
        ("https://api.example.com/", "/tickets", "https://api.example.com/tickets"),
        ("https://API.Example.com:443/v2/", "tickets/1.json", "https://api.example.com/v2/tickets/1.json"),
        ("https://api.example.com:8443/v2", "/tickets?page=2", "https://api.example.com:8443/v2/tickets?page=2"),
        ("https://api.example.com/v2", "", "https://api.example.com/v2"),
        ("https://api.example.com/v2", "//evil.example.com/x", "https://api.example.com/v2/evil.example.com/x"),
        ("https://api.example.com/v2", "https://api.example.com/v2/n?c=a%3D", "https://api.example.com/v2/n?c=a%3D"),
        ("https://api.example.com/v2", "https://API.example.com:443/other", "https://api.example.com/other"),
        (
            "https://api.example.com/v2",
            "x?next=https://evil.example.com",
            "https://api.example.com/v2/x?next=https://evil.example.com",
        ),
        ("http://127.0.0.1:8765", "v1/bot", "http://127.0.0.1:8765/v1/bot"),
        ("http://localhost:1", "v1/bot", "http://localhost:1/v1/bot"),
        ("http://[::1]:8765", "v1/bot", "http://[::1]:8765/v1/bot"),
        ("https://münchen.example", "x", "https://xn--mnchen-3ya.example/x"),
    ],
)
def test_paths_and_absolute_urls_on_the_same_origin_are_joined(base, path, url):
    assert Base(base).url(path) == url


@pytest.mark.parametrize(
    ("base", "why"),
    [
        ("api.example.com", "https://"),
        ("ftp://api.example.com", "https://"),
        ("https://", "host"),
        ("https:///path", "host"),
        ("https://user:hunter22@api.example.com", "credentials in their own settings"),
        ("https://api.example.com?token=hunter22", "query"),
        ("https://api.example.com#hunter22", "query or fragment"),
        ("https://api.example.com:hunter22", "port"),
        ("https://api.example.com:0", "https://"),
        (" https://api.example.com", "blanks"),
        ("https://api.example.com/a b", "percent-encoded"),
        ("https://api.example.com/a/../b", "percent-encoded"),
        ("https://api.exa\nmple.com", "blanks"),
        ("https://api.example.com\\@evil.example.com", "blanks"),
        ("https://api_!.example.com", "host"),
        ("http://api.example.com", "use https"),
        ("http://10.0.0.1", "use https"),
        ("http://localhost.example.com", "use https"),
    ],
)
def test_a_base_url_that_will_not_do_is_refused_with_the_mend_and_unquoted(base, why):
    with pytest.raises(errors.ConfigurationError, match=re.escape(why)) as caught:
        HttpClient(ScriptedTransport()).bind(base_url=base)
    assert "hunter22" not in str(caught.value)


def test_plain_http_to_other_hosts_must_be_asked_for():
    assert Base("http://desk:8000", allow_http=True).url("x") == "http://desk:8000/x"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/v2/tickets",
        "https://api.example.com.evil.example/v2",
        "https://api.example.com@evil.example.com/",
        "https://user:pw@api.example.com/v2",
        "https://api.example.com:444/v2",
        "http://api.example.com/v2",
        "https://api.example.com:x/",
        "file:///etc/passwd",
    ],
)
async def test_credentials_never_leave_the_configured_origin(url):
    transport = ScriptedTransport([200])
    client = HttpClient(transport).bind(
        base_url="https://api.example.com/v2", auth=BearerAuth(SecretStr("t0ken-value"))
    )
    with pytest.raises(errors.InvalidRequestError, match="configured host only"):
        await client.get(url, operation="list")
    assert transport.requests == []


@pytest.mark.parametrize(
    "path",
    ["a/../b", "..", "./x", "%2e%2E/x", "a b", "ä", "x#y", "a\nb", "a?b c", "%zz", "https://api.example.com/a/../b"],
)
def test_a_path_that_would_climb_or_is_not_encoded_is_refused(path):
    with pytest.raises(errors.InvalidRequestError, match=r"percent-encoded"):
        Base("https://api.example.com/v2").url(path)


@pytest.mark.parametrize(
    ("value", "encoded"), [("a/b?c#d", "a%2Fb%3Fc%23d"), (17, "17"), ("ä @", "%C3%A4%20%40"), ("...", "...")]
)
def test_a_segment_encodes_everything_reserved(value, encoded):
    assert segment(value) == encoded


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_segment_that_no_encoding_can_tame_is_refused(value):
    with pytest.raises(errors.InvalidRequestError, match="URL path"):
        segment(value)


@given(st.text())
def test_a_segment_never_changes_the_path_around_it(value):
    try:
        piece = segment(value)
    except errors.InvalidRequestError:
        return
    assert Base("https://h.example/p").url(f"a/{piece}/b") == f"https://h.example/p/a/{piece}/b"
    assert "/" not in piece


def test_query_fields_are_encoded_in_order():
    params = {"q": "a b&c=d", "n": 3, "yes": True, "no": False, "left_out": None, "ids": [1, 2], "ü": "ß"}
    assert Base("https://h.example").url("x", params) == (
        "https://h.example/x?q=a%20b%26c%3Dd&n=3&yes=true&no=false&ids=1&ids=2&%C3%BC=%C3%9F"
    )
    assert Base("https://h.example").url("x?a=1", [("b", "2"), ("b", "3")]) == "https://h.example/x?a=1&b=2&b=3"
    assert Base("https://h.example").url("x", {"a": None}) == "https://h.example/x"


# Bodies -------------------------------------------------------------------------------------------------------------


def test_json_is_compact_utf8_in_the_order_given():
    assert encode_body(json={"b": "ü👋", "a": [1, None]}) == ('{"b":"ü👋","a":[1,null]}'.encode(), "application/json")


def test_half_an_emoji_becomes_a_replacement_character_and_a_split_pair_is_joined():
    assert encode_body(json="x\ud83d")[0] == '"x\ufffd"'.encode()
    assert encode_body(json="\ud83d\udc4b")[0] == '"👋"'.encode()
    assert encode_body(content="\ud83d")[0] == "\ufffd".encode()


@pytest.mark.parametrize("value", [float("nan"), {"a": object()}, {"a": {1, 2}}])
def test_what_is_not_json_is_refused_before_anything_is_sent(value):
    with pytest.raises(errors.InvalidRequestError, match="cannot be written as JSON") as caught:
        encode_body(json=value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "bodies",
    [
        {"json": {}, "content": b"x"},
        {"json": {}, "form": {}},
        {"content": "x", "files": {}},
        {"content": "", "form": {}},
    ],
)
def test_a_request_has_one_body(bodies):
    with pytest.raises(errors.InvalidRequestError, match="one body"):
        encode_body(**bodies)


def test_a_form_is_encoded():
    assert encode_body(form={"a": "1 2", "b": True}) == (b"a=1%202&b=true", "application/x-www-form-urlencoded")


def test_a_multipart_form_is_read_back_by_an_independent_parser():
    form = {"body": "grüße\r\n--", "private": True, "cc": ["a@x", "b@x"], "none": None}
    files = [
        ("attachments[]", FilePart("a.png", b"\x89PNG\r\n\x00", "image/png")),
        ("attachments[]", FilePart("b.txt", b"")),
    ]
    body, kind = encode_body(form=form, files=files)
    message = message_from_bytes(b"content-type: " + kind.encode() + b"\r\n\r\n" + body, policy=policy.HTTP)
    parts = [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part.get_content_type(),
            part.get_payload(decode=True),
        )
        for part in message.iter_parts()
    ]
    assert parts == [
        ("body", None, "text/plain", "grüße\r\n--".encode()),
        ("private", None, "text/plain", b"true"),
        ("cc", None, "text/plain", b"a@x"),
        ("cc", None, "text/plain", b"b@x"),
        ("attachments[]", "a.png", "image/png", b"\x89PNG\r\n\x00"),
        ("attachments[]", "b.txt", "application/octet-stream", b""),
    ]


def test_the_boundary_follows_from_the_content_alone():
    def boundary(content, name="a.png"):
        body, kind = encode_body(files={"f": FilePart(name, content)})
        mark = kind.partition("boundary=")[2]
        assert body.startswith(f"--{mark}\r\n".encode())
        assert len(mark) <= 70
        return mark

    assert boundary(b"one") == boundary(b"one")
    assert len({boundary(b"one"), boundary(b"two"), boundary(b"one", "b.png")}) == 3


def test_a_file_name_cannot_break_out_of_its_header():
    body, _ = encode_body(files={'f"\r\n': FilePart('a"; x="\r\nX-Evil: 1\r\n\r\n', b"")})
    head = body.partition(b"\r\n\r\n")[0]
    assert b"\r\nX-Evil" not in head
    assert b'name="f%22%0D%0A"; filename="a%22; x=%22%0D%0AX-Evil: 1%0D%0A%0D%0A"' in head
    with pytest.raises(errors.InvalidRequestError, match="content-type"):
        encode_body(files={"f": FilePart("a", b"", "image/png\r\nX-Evil: 1")})


# Headers ------------------------------------------------------------------------------------------------------------


def test_a_key_a_header_can_carry_stays_and_any_other_becomes_its_hash():
    assert encode_key("conv-42:1/1") == "conv-42:1/1"
    assert encode_key("гость 1") == hashlib.sha256("гость 1".encode()).hexdigest()
    assert encode_key("x" * 256) == hashlib.sha256(b"x" * 256).hexdigest()
    assert encode_key("") == hashlib.sha256(b"").hexdigest()


@given(st.text())
def test_every_key_fits_a_header(key):
    assert re.fullmatch(r"[\x21-\x7e]{1,255}", encode_key(key))


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\x00", "Ж"])
async def test_a_header_that_cannot_be_sent_is_refused_without_quoting_it(value):
    transport = ScriptedTransport([200])
    client = HttpClient(transport).bind(base_url="https://api.example.com")
    with pytest.raises(errors.InvalidRequestError, match="header 'X-Note'") as caught:
        await client.get("x", operation="x", headers={"X-Note": value})
    assert value not in str(caught.value)
    assert transport.requests == []


async def test_what_a_request_carries():
    transport = ScriptedTransport([200])
    client = HttpClient(transport).bind(
        base_url="https://api.example.com/v2",
        auth=BearerAuth(SecretStr("t0ken-value")),
        headers={"Accept-Language": "en"},
        key_header="X-Key",
    )
    await client.patch("t/1", operation="x", json={"a": 1}, headers={"ACCEPT": "text/plain"}, key="k", timeout=3)
    (request,) = transport.requests
    assert (request.method, request.url, request.body) == ("PATCH", "https://api.example.com/v2/t/1", b'{"a":1}')
    assert dict(request.headers) == {
        "accept": "text/plain",
        "accept-encoding": "gzip",
        "accept-language": "en",
        "authorization": "Bearer t0ken-value",
        "content-type": "application/json",
        "user-agent": "hitl-core",
        "x-key": "k",
    }
    assert transport.timeouts == [3]


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
async def test_the_short_forms_send_their_method(method):
    transport = ScriptedTransport([200])
    await getattr(HttpClient(transport).bind(base_url="https://h.example"), method)("x", operation="x")
    assert transport.requests[0].method == method.upper()


async def test_bound_clients_share_the_connection_but_not_the_host_or_its_credentials():
    transport = ScriptedTransport([200, 200])
    core = HttpClient(transport)
    one = core.bind(base_url="https://one.example", auth=HeaderAuth("X-Api-Key", SecretStr("first-secret")))
    two = one.bind(base_url="https://two.example")
    await one.get("x", operation="x")
    await two.get("x", operation="x")
    assert [r.url for r in transport.requests] == ["https://one.example/x", "https://two.example/x"]
    assert ["x-api-key" in r.headers for r in transport.requests] == [True, False]
    await two.aclose()
    assert transport.closed


async def test_the_three_kinds_of_credentials():
    assert await BearerAuth(SecretStr("t0ken-value")).headers() == {"authorization": "Bearer t0ken-value"}
    assert await HeaderAuth("X-Api-Key", SecretStr("s3cret-value")).headers() == {"x-api-key": "s3cret-value"}
    basic = (await BasicAuth("ada/token", SecretStr("pässword")).headers())["authorization"]
    assert b64decode(basic.removeprefix("Basic ")).decode() == "ada/token:pässword"
    assert await BearerAuth(SecretStr("t0ken-value")).refresh() is False


@pytest.mark.parametrize("secret", ["", "copied\n", " padded", "schlüssel"])
def test_a_secret_copied_carelessly_is_named_as_such_and_not_shown(secret):
    with pytest.raises(errors.ConfigurationError, match="copy it again") as caught:
        BearerAuth(SecretStr(secret))
    assert not secret or secret not in str(caught.value)


def test_names_that_cannot_be_sent_are_refused():
    with pytest.raises(errors.ConfigurationError, match="colon"):
        BasicAuth("a:b", SecretStr("password"))
    with pytest.raises(errors.ConfigurationError, match="header name"):
        HeaderAuth("X Key", SecretStr("password"))


def test_header_fields_are_found_in_any_case_and_repeated_ones_joined():
    headers = Headers([(b"X-A", b"1"), (b"x-a", b"2"), (b"Content-Type", b"text/plain")])
    assert headers["X-a"] == "1, 2"
    assert "CONTENT-TYPE" in headers
    assert sorted(headers) == ["content-type", "x-a"]
    assert len(headers) == 2


def test_nothing_shows_bodies_headers_or_queries():
    secret = "s3cret-value"
    shown = [
        HttpRequest(
            "POST", f"https://u:{secret}@h.example/p?token={secret}", {"authorization": secret}, secret.encode()
        ),
        reply(200, body=secret, headers={"set-cookie": secret}),
        Headers({"set-cookie": secret}),
        BearerAuth(SecretStr(secret)),
        BasicAuth("ada", SecretStr(secret)),
        FilePart("a.png", secret.encode()),
        HttpClient(ScriptedTransport()).bind(base_url="https://h.example", auth=BearerAuth(SecretStr(secret))),
    ]
    text = " ".join(map(repr, shown))
    assert secret not in text
    assert "<HttpRequest POST h.example/p, 12 bytes>" in text
    assert "<HttpResponse 200, 12 bytes>" in text
