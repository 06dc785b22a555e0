"""The file gives back every byte, and is for people to read."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hitl_core.testing.cassettes import Exchange, Provenance, RecordedRequest, RecordedResponse
from hitl_core.testing.cassettes.bodies import JSON_STYLES, dump_json
from hitl_core.testing.cassettes.files import dump, load, provider_of, read, write

PROVENANCE = Provenance(provider="acme", origin="live", recorded_at="2026-01-05T12:00:00+01:00", note="a: b\n#c")

values = st.recursive(
    st.text() | st.integers() | st.booleans() | st.none() | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
bodies = (
    st.binary()
    | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.builds(
        lambda value, style: dump_json(value, style).encode("utf-8", "surrogatepass"),
        values,
        st.sampled_from(sorted(JSON_STYLES)),
    )
)
headers = st.dictionaries(
    st.sampled_from(["content-type", "date", "etag", "link"]),
    st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"])),
    max_size=3,
)


def through_a_file(exchange):
    text = dump(PROVENANCE, [exchange])
    provenance, (back,) = load(text, Path("cassettes/acme/a.yaml"))
    assert provenance == PROVENANCE
    assert (back.request.headers, back.request.body) == (exchange.request.headers, exchange.request.body)
    assert (back.response.headers, back.response.body) == (exchange.response.headers, exchange.response.body)
    assert back == exchange
    return text


@settings(deadline=None)
@given(bodies, bodies, headers)
@example(b'{"=": "<<", "no": "yes", "1": "1.0", "~": null}', b"[1e400, 1E5, 1.10, -0.0, 1e22]", {})
@example(b"\xc2\x85", "a\u2028b\u2029".encode(), {})
@example(b'{"a":"\\ud83d"}', '"\u2028\x85\ufeff"'.encode(), {"date": "2026-01-05"})
@example(b'{"a": 1, "a": 2}', b"line \n trailing  \r\n\ttab\n\n", {"date": "0123"})
def test_every_byte_comes_back(asked, answered, fields):
    request = RecordedRequest("POST", "https://x.example/?a=1", fields, asked)
    answer = RecordedResponse(200, "OK", {name: (value, value) for name, value in fields.items()}, answered)
    through_a_file(Exchange(request, answer))


def test_json_stands_there_as_a_value_and_text_line_by_line():
    body = {"ticket": {"id": 1, "tags": ["a", "b"]}, "text": "first\nsecond"}
    text = through_a_file(
        Exchange(RecordedRequest("GET", "https://x.example/"), RecordedResponse(200, "", {}, json.dumps(body).encode()))
    )
    assert text.endswith(
        """\
  response:
    status: 200
    body:
      json-spaced:
        ticket:
          id: 1
          tags:
          - a
          - b
        text: |-
          first
          second
"""
    )
    assert text.startswith("hitl:\n  provider: acme\n  origin: live\n  recorded_at: '2026-01-05T12:00:00+01:00'\n")


def test_equal_values_are_written_out_and_not_referred_to():
    value = {"a": ["same"]}
    request = RecordedRequest("POST", "https://x.example/", {}, dump_json([value, value]).encode())
    assert "&id" not in through_a_file(Exchange(request, RecordedResponse(200)))


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.yaml"
    (path / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        write(path, PROVENANCE, [Exchange(RecordedRequest("GET", "https://x.example/"), RecordedResponse(200))])
    assert list(tmp_path.iterdir()) == [path]
    path = tmp_path / "b.yaml"
    write(path, PROVENANCE, [])
    assert read(path) == (PROVENANCE, [])


@pytest.mark.parametrize(
    ("path", "provider"),
    [
        ("cassettes/zendesk/a.yaml", "zendesk"),
        ("tests/cassettes/zendesk/deep/down/a.yaml", "zendesk"),
        ("providers/acme/cassettes/a.yaml", "cassettes"),
        ("elsewhere/acme/a.yaml", "acme"),
    ],
)
def test_the_provider_is_told_by_the_folder(path, provider):
    assert provider_of(Path(path)) == provider
