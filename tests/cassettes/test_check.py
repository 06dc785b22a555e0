"""Each rule of the check is shown something that breaks it, in each place and encoding; and a clean cassette passes."""

import base64
import gzip
import json
import time
import zlib
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_core._http.encoding import FilePart, encode_body
from hitl_core.errors import ConfigurationError
from hitl_core.testing.cassettes import (
    Exchange,
    Provenance,
    RecordedRequest,
    RecordedResponse,
    Scrubber,
    check_cassettes,
)
from hitl_core.testing.cassettes.check import _MEND, LARGEST, _check
from hitl_core.testing.cassettes.files import write
from hitl_core.testing.cassettes.secret_text import SecretText

SECRET = 'hunter2/"ü"&+=x'
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PROVENANCE = Provenance(provider="acme", origin="simulator", recorded_at=NOW)
JSON = {"content-type": "application/json"}
CLEAN = Exchange(
    RecordedRequest(
        "POST",
        "https://recorded.invalid/api/tickets/35436?page=2&since=2026-01-05T12%3A00%3A00Z&email=a%40example.com",
        JSON | {"idempotency-key": "123e4567-e89b-12d3-a456-426614174000"},
        b'{"name":"Person-aabbcc","phone":"+12025550123","at":1767614400,"text":"Hi, call +1 202 555 0123"}',
    ),
    RecordedResponse(
        201,
        "Created",
        {"content-type": ("application/json",), "date": ("Mon, 05 Jan 2026 12:00:00 GMT",), "link": ("<a>", "<b>")},
        b'{"id":35436,"email":"person-0a1b2c3d@example.com","password":"redacted","next":"https://recorded.invalid/x"}',
    ),
)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "cassettes"


def put(root, exchange=CLEAN, provenance=PROVENANCE, name="acme/start.yaml"):
    write(root / name, provenance, [CLEAN, exchange])


def kinds(root, **options):
    return {problem.kind for problem in check_cassettes(root, now=NOW, **options)}


def test_a_clean_cassette_passes(root):
    put(root, name="acme/deep/down.yaml")
    (root / "acme" / "README.md").write_text("What these are.")
    assert check_cassettes(root, secrets=[SECRET], used=[root / "acme/deep/down.yaml"], now=NOW) == []


# A planted text, wherever a text can be ---------------------------------------------------------------------------


def asking(**changes):
    return Exchange(RecordedRequest("POST", **({"uri": "https://x.invalid/"} | changes)), RecordedResponse(200))


def answering(body, kind="application/json", **headers):
    fields = {name: (value,) for name, value in ({"content-type": kind} | headers).items()}
    return Exchange(RecordedRequest("GET", "https://x.invalid/"), RecordedResponse(200, "", fields, body))


def in_json(value, **style):
    return answering(json.dumps(value, **style).encode("utf-8", "replace"))


def in_multipart(text, **options):
    body, kind = encode_body(
        form={"a": text}, files={"f": FilePart(**{"filename": "a.txt", "content": b"", **options})}
    )
    return asking(headers={"content-type": kind}, body=body)


PLACES = {
    "the path": lambda text: asking(uri=f"https://x.invalid/people/{quote(text, safe='')}/tickets"),
    "the query": lambda text: asking(uri=f"https://x.invalid/?{urlencode({'q': 'is ' + text})}"),
    "a request header": lambda text: asking(headers={"prefer": f"is {text}"}),
    "a response header": lambda text: answering(b"", location=f"https://x.invalid/{quote(text, safe='')}"),
    "a form": lambda text: asking(
        headers={"content-type": "application/x-www-form-urlencoded"}, body=urlencode({"a": text}).encode()
    ),
    "a multipart form": in_multipart,
    "a file's name": lambda text: in_multipart("", filename=f"is {text}.txt"),
    "a file": lambda text: in_multipart("", content=text.encode(), content_type="text/plain"),
    "JSON": lambda text: in_json({"a": [{"b": f"is {text}"}]}),
    "JSON with escapes": lambda text: in_json({"a": text}, ensure_ascii=True, indent=1),
    "JSON in JSON": lambda text: in_json({"a": json.dumps({"b": json.dumps([text])})}),
    "a name in JSON": lambda text: in_json({text: 1}),
    "a URL in JSON": lambda text: in_json({"a": f"https://x.invalid/?q={quote('is ' + text)}"}),
    "Base64 in JSON": lambda text: in_json({"a": base64.b64encode(f"user:{text}".encode()).decode()}),
    "Base64 in Base64": lambda text: in_json(
        [base64.b64encode(f"x:{base64.b64encode(f'y:{text}'.encode()).decode()}".encode()).decode()]
    ),
    "JSON in Base64 for URLs": lambda text: in_json(
        {"a": base64.urlsafe_b64encode(json.dumps([text]).encode()).decode().rstrip("=")}
    ),
    "text": lambda text: answering(f"is {text}.\n".encode(), "text/plain"),
    "an encoded word": lambda text: answering(f"see /x?q={quote('is ' + text, safe='')} there".encode(), "text/plain"),
    "HTML": lambda text: answering(f"<p>is {text}</p>".encode(), "text/html"),
}
PLANTED = {
    "email": "jane.doe@corp.com",
    "phone": "+49 170 1234567",
    "secret": SECRET,
    "credential": "Bearer abcDEF123456",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_text_is_found_in_every_place_and_not_quoted(root, place, kind):
    put(root, PLACES[place](PLANTED[kind]))
    problems = check_cassettes(root, secrets=[SECRET], now=NOW)
    assert {problem.kind for problem in problems} == {kind}
    for problem in problems:
        assert (problem.file, problem.interaction) == (root / "acme" / "start.yaml", 2)
        assert str(problem).startswith(f"{root}/acme/start.yaml, interaction 2, {problem.place}: it holds ")
        assert problem.next_step in str(problem)
        for word in ("jane", "corp", "1234567", "hunter2", "abcDEF"):
            assert word not in str(problem)


@pytest.mark.parametrize("place", PLACES)
def test_a_harmless_text_is_not_found(root, place):
    put(root, PLACES[place]("jane.doe@example.com or +1 202 555 0123"))
    assert check_cassettes(root, secrets=[SECRET], now=NOW) == []


@pytest.mark.parametrize(
    "spell",
    [
        lambda secret: secret,
        lambda secret: quote(secret, safe=""),
        lambda secret: quote(quote(secret)),
        json.dumps,
        lambda secret: secret.encode().hex(),
        lambda secret: base64.b64encode(b"u:" + secret.encode()).decode(),
        lambda secret: base64.b64encode(b"us:" + secret.encode()).decode(),
        lambda secret: base64.b64encode(b"use:" + secret.encode()).decode(),
        lambda secret: base64.urlsafe_b64encode(b"~~~" + secret.encode()).decode().rstrip("="),
    ],
)
@pytest.mark.parametrize("where", ["text", "JSON", "binary", "note"])
def test_the_canary_is_found_in_every_encoding(root, spell, where):
    text = f"before {spell(SECRET)} after"
    provenance = PROVENANCE
    exchange = CLEAN
    if where == "text":
        exchange = answering(text.encode(), "text/plain")
    elif where == "JSON":
        exchange = in_json([text])
    elif where == "binary":
        exchange = answering(b"\xff\x00" * 40 + text.encode(), "application/octet-stream")
    else:
        provenance = PROVENANCE.model_copy(update={"note": text})
    put(root, exchange, provenance)
    assert kinds(root, secrets=[SECRET]) == {"secret"}
    assert kinds(root) == set()


@pytest.mark.parametrize(
    "field", ["password", "clientSecret", "user[api_token]", "webhook_secret", "access_token", "authorization"]
)
def test_a_credential_is_known_by_its_field(root, field):
    put(root, in_json({"a": {field: "letters only"}}))
    assert kinds(root) == {"credential"}
    put(root, in_json({"a": {field: "redacted"}, "b": {field: None}, "c": {field: ""}}))
    assert kinds(root) == set()


def test_bare_digits_are_a_phone_number_in_a_field_that_says_so(root):
    put(root, in_json({"phone": 491701234567}))
    assert kinds(root) == {"phone"}
    put(root, in_json({"id": 491701234567, "phone": 12025550123}))
    assert kinds(root) == set()


def test_what_a_name_says_that_stands_there_twice_is_found(root):
    put(root, answering(b'{"a": "jane@corp.com", "a": 1}'))
    assert kinds(root) == {"email"}


# The rules about the file and its form ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["authorization", "cookie", "user-agent", "x-api-key", "content-encoding"])
def test_a_header_that_is_not_allowed_is_found(root, name):
    put(root, asking(headers={name: "x"}))
    assert kinds(root) == {"header"}
    put(root, answering(b"", **{"set-cookie" if name == "cookie" else name: "x"}))
    assert kinds(root) == {"header"}


@pytest.mark.parametrize("body", [gzip.compress(b"{}"), zlib.compress(b"{}"), b"\x28\xb5\x2f\xfd\x00\xff"])
def test_a_compressed_body_is_found(root, body):
    put(root, answering(body))
    assert kinds(root) == {"compressed"}


def test_text_that_begins_like_a_compressed_body_is_none(root):
    put(root, answering(b"x^2 + y^2", "text/plain"))
    assert kinds(root) == set()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda text: text.replace("hitl:", "lost:"), "provenance"),
        (lambda text: text.replace("simulator", "rumour"), "provenance"),
        (lambda text: text.replace("  recorded_at: '2026-01-05T12:00:00Z'\n", ""), "provenance"),
        (lambda text: text.replace("2026-01-05T12:00:00Z'\n", "2026-01-05T12:00:00'\n"), "provenance"),
        (lambda text: text.replace("provider: acme", "provider: other"), "place"),
        (lambda text: text.partition("interactions:")[0] + "interactions: []\n", "empty"),
        (lambda text: text.partition("interactions:")[0], "unreadable"),
        (lambda text: text + "]", "unreadable"),
        (lambda text: "", "provenance"),
        (lambda text: text + "#" * LARGEST, "size"),
    ],
)
def test_a_broken_file_is_found(root, change, kind):
    put(root)
    path = root / "acme" / "start.yaml"
    path.write_text(change(path.read_text()))
    assert kinds(root) == {kind}


def test_a_secret_in_a_file_that_cannot_be_read_is_found_all_the_same(root):
    (root / "acme").mkdir(parents=True)
    (root / "acme" / "a.yaml").write_text("[" + base64.encodebytes(b"x" * 50 + SECRET.encode()).decode())
    assert kinds(root, secrets=[SECRET]) == {"unreadable", "secret"}


def test_a_recording_of_the_future_is_found(root):
    put(root, provenance=PROVENANCE.model_copy(update={"recorded_at": NOW + timedelta(hours=1)}))
    assert kinds(root) == {"provenance"}
    put(root, provenance=PROVENANCE.model_copy(update={"recorded_at": NOW + timedelta(minutes=1)}))
    assert kinds(root) == set()


def test_a_cassette_in_no_providers_folder_and_a_file_that_is_none_are_found(root):
    put(root, name="start.yaml")
    (root / "acme.yml").write_text("x")
    assert kinds(root) == {"place", "stray"}


def test_a_cassette_that_no_test_uses_is_found(root):
    put(root)
    put(root, name="acme/other.yaml")
    (problem,) = check_cassettes(root, used=[root / "acme" / "other.yaml"], now=NOW)
    assert (problem.kind, problem.file.name, problem.interaction) == ("orphan", "start.yaml", 0)
    assert kinds(root, used=[]) == {"orphan"}


def test_a_folder_that_is_not_there_is_a_mistake(root):
    with pytest.raises(ConfigurationError, match="no folder"):
        check_cassettes(root)


def test_a_secret_too_short_to_be_looked_for_is_a_mistake(root):
    put(root)
    with pytest.raises(ValueError, match="5 characters"):
        check_cassettes(root, secrets=["abcde"])


LONG = [
    "a",
    "a%",
    "%20",
    "%40",
    "x-",
    "://a:",
    "0171 ",
    "+1",
    "a@b.",
    "\\",
    '\\"',
    "sk-",
    "eyJ",
    "Bearer A",
    "http://",
    "=",
]


@pytest.mark.parametrize("piece", LONG)
def test_scrubbing_and_checking_take_time_in_proportion(piece):
    secrets = [SECRET, "\\" * 10, "a" * 40]
    text = piece * (50_000 // len(piece))
    began = time.perf_counter()
    Scrubber(secrets=secrets, names=["Jane Doe"], replace={"4711": "1"}).text(text)
    list(_check("file", 1, answering(text.encode(), "text/plain"), SecretText(secrets)))
    assert time.perf_counter() - began < 5


def test_every_kind_of_problem_is_shown_here(request):
    text = request.path.read_text()
    assert [kind for kind in _MEND if f'"{kind}"' not in text] == []


# What the scrubber lets through, the check lets through --------------------------------------------------------------

words = st.sampled_from(
    [
        *PLANTED.values(),
        *("0171 2345678", "tel:01712345678", "%2B49%20170", '{"phone": "01712345678"}', "%", "%40", "+", "\\", '"'),
        *("sk_live_12345678", "api_key=abcdef", "https://a:b@x.test/", "Basic dXNlcjpwYXNz", "whsec_abcdefgh"),
        base64.b64encode(b"jane@corp.com, +491701234567").decode(),
    ]
)
texts = st.lists(words | st.text(max_size=8), max_size=5).map(" ".join)
values = st.recursive(
    texts | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | st.sampled_from(["phone", "secret"]), inner),
    max_leaves=12,
)


@settings(deadline=None)
@given(values, texts, st.sampled_from([*PLACES]))
def test_what_was_scrubbed_passes(value, text, place):
    scrubber = Scrubber(secrets=[SECRET])
    for exchange in (in_json(value), PLACES[place](text.encode("utf-8", "replace").decode())):
        scrubbed = Exchange(scrubber.request(exchange.request), scrubber.response(exchange.response))
        assert [str(problem) for problem in _check("file", 1, scrubbed, SecretText([SECRET]))] == []
