"""Applications and scripts in the helpdesk's place, reached like the network."""

import asyncio
import gzip
import logging

import pytest

from hitl_core import errors
from hitl_core._http import (
    AnswerRefused,
    AsgiTransport,
    HttpClient,
    HttpRequest,
    HttpResponse,
    NetworkTransport,
    Transport,
    TransportFailure,
    as_transport,
)
from hitl_core.clock import SystemClock
from hitl_core.testing import ScriptedTransport, VirtualClock, not_sent, reply

pytestmark = pytest.mark.anyio


def app(status=200, pieces=(b"{}",), headers=(), after=None, seen=None):
    """Return an application that answers in these pieces and then does what ``after`` does."""

    async def application(scope, receive, send):
        message = await receive()
        if seen is not None:
            seen.append((scope, message))
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if after is not None:
            await after(receive)
        await send({"type": "http.response.body"})

    return application


GET = HttpRequest("GET", "http://sim.example:8080/a%2Fb/c?x=1&y=%20", {"accept": "*/*"}, b"body")


async def send(application, request=GET, **options):
    return await AsgiTransport(application).send(request, **{"timeout": 5, "max_bytes": 1000, **options})


async def test_the_application_sees_the_request_as_from_a_server():
    seen = []
    await send(app(seen=seen))
    ((scope, message),) = seen
    assert message == {"type": "http.request", "body": b"body", "more_body": False}
    assert scope["method"] == "GET"
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/a/b/c", b"/a%2Fb/c", b"x=1&y=%20")
    assert scope["headers"] == [(b"host", b"sim.example:8080"), (b"content-length", b"4"), (b"accept", b"*/*")]
    assert (scope["scheme"], scope["server"]) == ("http", ("sim.example", 8080))


async def test_the_answer_is_collected_and_unpacked():
    packed = gzip.compress(b'{"a": 1}')
    answer = await send(app(201, [packed[:5], packed[5:]], [(b"Content-Encoding", b"gzip"), (b"X-Id", b"1")]))
    assert (answer.status, answer.json(), answer.header("x-id")) == (201, {"a": 1}, "1")


async def test_a_head_answer_has_no_body():
    assert (await send(app(pieces=[b"xx"]), HttpRequest("HEAD", "http://sim/", {}))).body == b""


async def test_an_application_that_fails_answers_500_like_a_server(caplog):
    async def broken(scope, receive, send):
        raise ValueError("simulator bug")

    with caplog.at_level(logging.ERROR):
        assert (await send(broken)).status == 500
    assert "simulator bug" in caplog.text
    assert "<HttpRequest GET sim.example:8080/a%2Fb/c, 4 bytes>" in caplog.text


async def test_an_application_that_never_answers_is_answered_500():
    async def mute(scope, receive, send):
        return

    assert (await send(mute)).status == 500


async def test_an_application_that_fails_in_the_middle_cuts_the_connection():
    async def fail(receive):
        raise ValueError("boom")

    with pytest.raises(TransportFailure) as caught:
        await send(app(after=fail))
    assert caught.value.sent
    with pytest.raises(errors.AmbiguousOutcomeError):
        await HttpClient(AsgiTransport(app(after=fail))).bind(base_url="https://sim").post("x", operation="x")


async def test_a_failure_after_the_whole_answer_changes_nothing():
    async def late(scope, receive, send):
        await app()(scope, receive, send)
        raise ValueError("boom")

    assert (await send(late)).json() == {}


async def test_an_application_that_hangs_is_a_time_out():
    async def hang(receive):
        await asyncio.Event().wait()

    with pytest.raises(TransportFailure, match=r"within 0\.05 s") as caught:
        await send(app(after=hang), timeout=0.05)
    assert caught.value.sent


async def test_an_endless_answer_is_cut_off_and_the_application_told():
    told = []

    async def endless(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 100, "more_body": True})
        except OSError:
            told.append(await receive())
            told.append(await receive())
            raise

    with pytest.raises(AnswerRefused, match="larger than 1000 bytes"):
        await send(endless)
    assert told[1] == {"type": "http.disconnect"}


async def test_a_stream_is_read_while_the_application_still_writes():
    go_on, gone = asyncio.Event(), []

    async def events(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"two", "more_body": True})
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            gone.append(True)
            raise

    client = HttpClient(AsgiTransport(events)).bind(base_url="https://sim")
    async with client.stream("x", operation="events") as stream:
        pieces = aiter(stream.chunks)
        assert await anext(pieces) == b"one"
        go_on.set()
        assert await anext(pieces) == b"two"
    assert gone == [True]


async def test_a_stream_of_an_application_is_bounded_in_size_and_waiting():
    async def hang(receive):
        await asyncio.Event().wait()

    client = HttpClient(AsgiTransport(app(pieces=[b"x" * 600] * 2))).bind(base_url="https://sim")
    async with client.stream("x", operation="x", max_bytes=1000) as stream:
        with pytest.raises(errors.ProviderError, match="larger than 1000 bytes"):
            [piece async for piece in stream.chunks]
    client = HttpClient(AsgiTransport(app(after=hang))).bind(base_url="https://sim")
    async with client.stream("x", operation="x", timeout=0.05) as stream:
        with pytest.raises(errors.ProviderUnavailableError, match="broke off"):
            [piece async for piece in stream.chunks]


async def test_a_stream_an_application_does_not_begin_is_a_time_out():
    async def hang(scope, receive, send):
        await asyncio.Event().wait()

    transport = AsgiTransport(hang)
    with pytest.raises(TransportFailure, match=r"within 0\.05 s"):
        async with transport.stream(GET, timeout=0.05, max_bytes=10):
            pass


async def test_a_stream_whose_application_fails_in_the_middle_breaks_off():
    async def fail(receive):
        raise ValueError("boom")

    client = HttpClient(AsgiTransport(app(after=fail))).bind(base_url="https://sim")
    async with client.stream("x", operation="x") as stream:
        with pytest.raises(errors.ProviderUnavailableError, match="broke off"):
            [piece async for piece in stream.chunks]


async def test_what_a_user_hands_in_becomes_a_transport():
    scripted = ScriptedTransport()
    assert as_transport(scripted) is scripted
    assert isinstance(as_transport(app()), AsgiTransport)
    network = as_transport(None)
    assert isinstance(network, NetworkTransport)
    await network.aclose()
    for kind in (AsgiTransport(app()), network, scripted):
        assert isinstance(kind, Transport)
    await AsgiTransport(app()).aclose()


@pytest.mark.parametrize("wrong", [42, "http://localhost"])
def test_what_cannot_be_a_transport_is_refused_with_what_can(wrong):
    with pytest.raises(errors.ConfigurationError, match="must be an ASGI application"):
        as_transport(wrong)


# The test kit -------------------------------------------------------------------------------------------------------


async def test_a_script_answers_in_order_and_remembers():
    transport = ScriptedTransport([reply(201, json={"a": 1}), not_sent("gone"), 404])
    answers = [await transport.send(GET, timeout=1, max_bytes=100)]
    with pytest.raises(TransportFailure, match="gone"):
        await transport.send(GET, timeout=2, max_bytes=100)
    answers.append(await transport.send(GET, timeout=3, max_bytes=100))
    assert [answer.status for answer in answers] == [201, 404]
    assert answers[0].json() == {"a": 1}
    assert (transport.requests, transport.timeouts) == ([GET] * 3, [1, 2, 3])
    with pytest.raises(AssertionError, match="no answer for request 4: GET"):
        await transport.send(GET, timeout=1, max_bytes=100)


async def test_a_script_may_be_a_function_async_or_not():
    async def later(request):
        return HttpResponse(202, {}, request.body)

    assert (await ScriptedTransport(later).send(GET, timeout=1, max_bytes=100)).body == b"body"
    assert (await ScriptedTransport(lambda _: 204).send(GET, timeout=1, max_bytes=100)).status == 204


async def test_a_script_is_streamed_too_and_bounded():
    client = HttpClient(ScriptedTransport([reply(200, body="abc"), reply(200, body="abc")])).bind(base_url="https://h")
    async with client.stream("x", operation="x") as stream:
        assert [piece async for piece in stream.chunks] == [b"abc"]
    with pytest.raises(errors.ProviderError, match="larger than 2 bytes"):
        async with client.stream("x", operation="x", max_bytes=2):
            pass


async def test_a_virtual_clock_moves_when_told_and_when_slept_on():
    clock = VirtualClock()
    start = clock.now()
    assert start.utcoffset().total_seconds() == 0
    clock.advance(1.5)
    await clock.sleep(2)
    await clock.sleep(-1)
    assert (clock.monotonic(), (clock.now() - start).total_seconds(), clock.waits) == (3.5, 3.5, [2, -1])
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)


async def test_the_system_clock_is_aware_and_goes_forward():
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(-1)
    await clock.sleep(0.001)
    assert clock.monotonic() > before
    assert clock.now().utcoffset().total_seconds() == 0


def test_the_kit_names_what_it_has():
    import hitl_core.testing as kit

    assert {"ScriptedTransport", "VirtualClock", "no_backoff"} <= set(dir(kit))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = kit.nothing
