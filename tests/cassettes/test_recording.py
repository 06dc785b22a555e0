"""What goes over the network transport is recorded on a real port, and played back without one."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import yaml
from pytest_recording.network import blocking_context

from hitl_core import errors
from hitl_core._http import FilePart, HttpClient, NetworkTransport
from hitl_core._http.encoding import encode_body
from hitl_core.testing import no_backoff
from hitl_core.testing.cassettes import CassetteError, use_cassette, used_cassettes

pytestmark = pytest.mark.anyio

MULTIPART, MULTIPART_TYPE = encode_body(form={"f": "1"}, files={"file": FilePart("a.bin", bytes(range(256)))})


async def everything(call):
    """Ask in every way the transport knows."""
    return [
        await call("POST", "/tickets", b'{"subject":"Hi"}', content_type="application/json"),
        await call("POST", "/uploads", MULTIPART, content_type=MULTIPART_TYPE),
        await call("GET", "/gzip"),
        await call("GET", "/binary"),
        await call("GET", "/lines"),
        await call("HEAD", "/head"),
        await call("DELETE", "/empty"),
        await call.download("/stream"),
        await asyncio.gather(call("GET", "/same"), call("GET", "/other"), call("GET", "/third?a=1")),
    ]


async def recorded(vendor, calling, path, scrubber, provenance, act=everything):
    async with calling(vendor.url) as call:
        with use_cassette(path, record=True, scrubber=scrubber, provenance=provenance):
            return await act(call)


@pytest.fixture
def no_network():
    with blocking_context():
        yield


async def test_everything_the_network_transport_sends_is_recorded_and_played(
    vendor, calling, path, scrubber, provenance
):
    before = vendor.asked
    first = await recorded(vendor, calling, path, scrubber, provenance)
    assert vendor.asked - before == 11
    async with calling(vendor.url) as call:
        with blocking_context(), use_cassette(path, record=False, scrubber=scrubber) as cassette:
            assert await everything(call) == first
            assert (cassette.interactions, cassette.provenance) == (11, provenance)
    assert vendor.asked - before == 11


async def test_the_file_says_where_it_comes_from_and_can_be_read_by_people(vendor, calling, path, scrubber, provenance):
    await recorded(vendor, calling, path, scrubber, provenance)
    text = path.read_text("utf-8")
    data = yaml.safe_load(text)
    assert next(iter(data)) == "hitl"
    assert data["hitl"]["provider"] == "acme"
    assert data["hitl"]["origin"] == "simulator"
    first, _, zipped, binary, lines, *_ = data["interactions"]
    assert first["request"]["body"] == {"json": {"subject": "Hi"}}
    assert zipped["response"]["body"] == {"json-spaced": {"text": "zipped ü"}}
    assert binary["response"]["body"] == {"base64": bytes(range(256))}
    assert "    body:\n      text: |\n        first\n        second\n" in text
    assert lines["response"]["headers"]["link"] == ["<a>", "<b>"]


async def test_headers_that_are_not_allowed_are_dropped(vendor, calling, path, scrubber, provenance):
    await recorded(vendor, calling, path, scrubber, provenance)
    text = path.read_text("utf-8").lower()
    for word in ("hunter2", "authorization", "cookie", "s3cr3t", "shard-7", "content-encoding", "user-agent"):
        assert word not in text
    assert "x-ratelimit-remaining: '9'" in text


async def test_equal_requests_get_their_answers_in_order_also_at_once(vendor, calling, path, scrubber, provenance):
    async def act(call):
        await call("GET", "/same")
        return await asyncio.gather(call("GET", "/same"), call("GET", "/same"))

    first = await recorded(vendor, calling, path, scrubber, provenance, act)
    assert first[0] != first[1]
    async with calling(vendor.url) as call:
        with use_cassette(path, record=False, scrubber=scrubber):
            assert sorted(await act(call)) == sorted(first)


@pytest.mark.parametrize(
    ("recorded_as", "asked_as", "content_type"),
    [
        (
            ("/t?b=2&a=1", b'{"x":1,"y":[1.0,true]}'),
            ("/t?a=1&b=2", b'{ "y": [1, true], "x": 1.0 }'),
            "application/json",
        ),
        (("/t?a=%31&b=", b"y=+&x=1"), ("/t?b=&a=1", b"x=1&y=%20"), "application/x-www-form-urlencoded"),
        (("/%74", MULTIPART), ("/t", MULTIPART), MULTIPART_TYPE),
    ],
)
async def test_requests_match_by_value(
    vendor, calling, path, scrubber, provenance, recorded_as, asked_as, content_type
):
    async def act(call):
        return await call("POST", *recorded_as, content_type=content_type)

    first = await recorded(vendor, calling, path, scrubber, provenance, act)
    async with calling(vendor.url) as call:
        with use_cassette(path, record=False, scrubber=scrubber):
            assert await call("POST", *asked_as, content_type=content_type) == first


@pytest.mark.parametrize(
    ("method", "path_and_query", "body", "differs"),
    [
        ("PUT", "/t?a=1", b'{"x":1}', "another method"),
        ("POST", "/t?a=2", b'{"x":1}', "another query"),
        ("POST", "/u?a=1", b'{"x":1}', "another path"),
        ("POST", "/t?a=1", b'{"x":true}', "another body"),
        ("POST", "/t?a=1", MULTIPART, "another body"),
    ],
)
async def test_another_request_does_not_match(
    vendor, calling, path, scrubber, provenance, method, path_and_query, body, differs
):
    async def act(call):
        await call("POST", "/t?a=1", b'{"x":1}', content_type="application/json")

    await recorded(vendor, calling, path, scrubber, provenance, act)
    async with calling(vendor.url) as call:
        with (
            pytest.raises(CassetteError, match=differs),
            use_cassette(path, record=False, scrubber=scrubber),
        ):
            await call(method, path_and_query, body, content_type="application/json")


async def test_a_multipart_form_with_other_content_does_not_match(vendor, calling, path, scrubber, provenance):
    other, other_type = encode_body(form={"f": "2"}, files={"file": FilePart("a.bin", bytes(range(256)))})

    async def act(call):
        await call("POST", "/uploads", MULTIPART, content_type=MULTIPART_TYPE)

    await recorded(vendor, calling, path, scrubber, provenance, act)
    async with calling(vendor.url) as call:
        with (
            pytest.raises(CassetteError, match="POST /uploads, another body"),
            use_cassette(path, record=False, scrubber=scrubber),
        ):
            await call("POST", "/uploads", other, content_type=other_type)


async def test_a_request_that_is_not_recorded_fails_at_once_and_touches_no_network(
    vendor, calling, path, scrubber, provenance
):
    await recorded(vendor, calling, path, scrubber, provenance)
    before = vendor.asked
    transport = NetworkTransport()
    client = HttpClient(transport).bind(base_url=vendor.url)
    try:
        with no_backoff(), pytest.raises(CassetteError) as caught, use_cassette(path, record=False, scrubber=scrubber):
            await client.post("tickets?token=hunter2", operation="x", json={"subject": "hunter2"}, key="k")
    finally:
        await transport.aclose()
    text = str(caught.value)
    assert text.startswith("POST /tickets is not in ")
    assert "1: POST /tickets, another query and body" in text
    assert text.endswith("record again with: hitl cassettes record acme")
    assert "hunter2" not in text
    assert vendor.asked == before


async def test_a_missing_answer_reaches_the_test_even_if_the_code_under_test_swallows_it(
    vendor, calling, path, scrubber, provenance
):
    async def act(call):
        await call("GET", "/same")

    await recorded(vendor, calling, path, scrubber, provenance, act)

    async def swallow(error):
        async with calling(vendor.url) as call:
            with use_cassette(path, record=False, scrubber=scrubber):
                await call("GET", "/same")
                try:
                    await call("GET", "/missing")
                except CassetteError:
                    if error:
                        raise error from None

    with pytest.raises(CassetteError, match="GET /missing is not in"):
        await swallow(None)
    with pytest.raises(CassetteError, match="GET /missing is not in") as caught:
        await swallow(errors.HitlError("the provider failed"))
    assert isinstance(caught.value.__context__, errors.HitlError)


async def test_asking_more_often_than_recorded_fails(vendor, calling, path, scrubber, provenance):
    async def act(call):
        await call("GET", "/same")

    await recorded(vendor, calling, path, scrubber, provenance, act)
    async with calling(vendor.url) as call:
        with (
            pytest.raises(CassetteError, match=r"GET /same was recorded only once .* and asked for once more"),
            use_cassette(path, record=False, scrubber=scrubber),
        ):
            await asyncio.gather(act(call), act(call))


async def test_an_answer_that_nobody_asked_for_fails_naming_method_and_path_only(
    vendor, calling, path, scrubber, provenance
):
    async def act(call):
        await call("GET", "/same?customer=jane")
        await call("POST", "/tickets", b'{"subject":"jane"}', content_type="application/json")

    await recorded(vendor, calling, path, scrubber, provenance, act)
    with pytest.raises(CassetteError) as caught, use_cassette(path, record=False, scrubber=scrubber):
        pass
    assert "2 of 2 interactions" in str(caught.value)
    assert "1: GET /same, 2: POST /tickets;" in str(caught.value)
    assert "jane" not in str(caught.value)


async def test_a_failing_test_is_not_covered_by_unplayed_answers(vendor, calling, path, scrubber, provenance):
    await recorded(vendor, calling, path, scrubber, provenance)
    with pytest.raises(ZeroDivisionError), use_cassette(path, record=False, scrubber=scrubber):
        _ = 1 / 0


async def test_a_recording_that_fails_leaves_the_old_file_and_nothing_beside_it(
    vendor, calling, path, scrubber, provenance
):
    await recorded(vendor, calling, path, scrubber, provenance)
    old = path.read_bytes()

    async def act(call):
        await call("GET", "/same")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await recorded(vendor, calling, path, scrubber, provenance, act)
    assert path.read_bytes() == old
    assert [file.name for file in path.parent.iterdir()] == ["start.yaml"]


async def test_a_new_recording_replaces_the_old_one(vendor, calling, path, scrubber, provenance):
    await recorded(vendor, calling, path, scrubber, provenance)

    async def act(call):
        await call("GET", "/same")

    await recorded(vendor, calling, path, scrubber, provenance, act)
    assert len(yaml.safe_load(path.read_text("utf-8"))["interactions"]) == 1


async def test_a_recording_without_a_request_or_a_provenance_is_none(path, scrubber, provenance):
    with (
        pytest.raises(CassetteError, match="no request went over the network"),
        use_cassette(path, record=True, scrubber=scrubber, provenance=provenance),
    ):
        pass
    with pytest.raises(ValueError, match="give provenance"), use_cassette(path, record=True, scrubber=scrubber):
        pass
    assert not path.exists()


async def test_ignored_urls_go_out_as_ever(vendor, calling, path, scrubber, provenance):
    ignore = [f"{vendor.url}/control/"]
    async with calling(vendor.url) as call:
        with use_cassette(path, record=True, scrubber=scrubber, provenance=provenance, ignore=ignore) as cassette:
            await call("GET", "/control/agent")
            await call("GET", "/same")
            assert cassette.interactions == 1
        before = vendor.asked
        with use_cassette(path, record=False, scrubber=scrubber, ignore=ignore):
            await call("GET", "/control/agent")
            await call("GET", "/same")
    assert vendor.asked == before + 1


def test_a_synchronous_test_can_use_a_cassette_from_another_thread(vendor, calling, path, scrubber, provenance):
    async def act():
        async with calling(vendor.url) as call:
            return await call("GET", "/same")

    with ThreadPoolExecutor(1) as thread:
        with use_cassette(path, record=True, scrubber=scrubber, provenance=provenance):
            first = thread.submit(asyncio.run, act()).result()
        with use_cassette(path, record=False, scrubber=scrubber):
            assert thread.submit(asyncio.run, act()).result() == first


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "there is no cassette"),
        ("", "does not say where it comes from"),
        ("version: 1\ninteractions: []\n", "does not say where it comes from"),
        ("hitl: {provider: acme, origin: rumour, recorded_at: 2026-01-01T00:00:00Z}\n", r"wrongly .*\(origin\)"),
        ("hitl: {provider: acme, origin: live, recorded_at: 2026-01-01T00:00:00}\n", r"wrongly .*\(recorded_at\)"),
        ("hitl: {provider: acme, origin: live}\n", r"wrongly .*\(recorded_at\)"),
        ("hitl: {provider: acme, origin: live, recorded_at: 2026-01-01T00:00:00Z}\n", "is no cassette of ours"),
        ("hitl: [hunter2\n", "is no YAML"),
        ("!!python/object/apply:os.system [hunter2]\n", "is no YAML"),
    ],
)
def test_a_cassette_that_is_missing_broken_or_without_provenance_is_an_error(text, sentence, path, scrubber):
    if text is not None:
        path.parent.mkdir(parents=True)
        path.write_text(text)
    with pytest.raises(CassetteError, match=sentence) as caught, use_cassette(path, record=False, scrubber=scrubber):
        pass
    assert "hitl cassettes record acme" in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_used_cassettes_are_remembered(vendor, calling, path, scrubber, provenance):
    await recorded(vendor, calling, path, scrubber, provenance)
    assert path.resolve() in used_cassettes()


def test_the_network_really_is_blocked_in_these_tests(vendor, no_network):
    with pytest.raises(RuntimeError, match="Network is disabled"), socket.socket() as own:
        own.connect(("127.0.0.1", urlsplit(vendor.url).port))
