"""The network transport against real sockets: what was sent, what was not, and what is too much."""

import asyncio
import gzip
import socket
import ssl
import tracemalloc
import zlib
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from hitl_core import errors
from hitl_core._http import (
    AnswerRefused,
    BearerAuth,
    HttpClient,
    HttpRequest,
    NetworkTransport,
    TransportFailure,
)
from hitl_core._http.guarded import GuardedClient
from hitl_core._http.network import _failure
from hitl_core.clock import SystemClock
from hitl_core.netguard import AddressPolicy
from hitl_core.testing import no_backoff

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Server:
    """A server of one socket that reads requests and does with them what it is told."""

    def __init__(self, act):
        self.act, self.requests, self.connections = act, [], 0

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            if self.act == "reset before reading":
                # Closing with unread bytes in the socket makes the kernel send a reset.
                writer.transport.abort()
                return
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
                body = await reader.readexactly(int(fields.get(b"content-length", 0)))
                self.requests.append((head, body))
                if callable(self.act):
                    await self.act(writer, len(self.requests))
                elif self.act == "reset after reading":
                    writer.transport.abort()
                    return
                else:
                    writer.write(self.act)
                    await writer.drain()
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def running(act):
    server = Server(act)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    transport = NetworkTransport()
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    server.transport = transport
    server.client = HttpClient(transport, timeout=5).bind(
        base_url=server.url, auth=BearerAuth(SecretStr("t0ken-value")), max_response_bytes=100_000
    )
    try:
        yield server
    finally:
        await transport.aclose()
        listener.close()
        await listener.wait_closed()
        await settled()


async def settled():
    """End what the servers still do."""
    tasks = [task for task in asyncio.all_tasks() if task.get_coro().__qualname__ == "Server.serve"]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def answer(body, *fields, status="200 OK", length=None):
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body) if length is None else length}", *fields]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def unused_url():
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    return f"http://127.0.0.1:{port}"


async def test_a_request_arrives_as_it_was_encoded():
    async with running(answer(b'{"id": 1}', "X-Request-Id: r1")) as server:
        reply = await server.client.post("v1/t?a=1", operation="x", json={"text": "ü"}, key="k1")
        assert (reply.status, reply.json(), reply.header("x-request-id")) == (200, {"id": 1}, "r1")
        assert reply.url == f"{server.url}/v1/t?a=1"
        ((head, body),) = server.requests
        lines = head.decode().lower().split("\r\n")
        assert lines[0] == "post /v1/t?a=1 http/1.1"
        assert f"host: {server.url.removeprefix('http://')}" in lines
        assert "authorization: bearer t0ken-value" in lines
        assert "idempotency-key: k1" in lines
        assert "content-length: 13" in lines
        assert body == '{"text":"ü"}'.encode()


async def test_connections_are_used_again_and_cookies_are_not_kept():
    async with running(answer(b"{}", "Set-Cookie: session=1")) as server:
        for _ in range(3):
            await server.client.get("x", operation="x")
        assert server.connections == 1
        assert not any(b"cookie" in head.lower() for head, _ in server.requests)


@pytest.mark.parametrize(("method", "length"), [("POST", True), ("PUT", True), ("GET", False), ("DELETE", False)])
async def test_an_empty_body_has_a_length_where_servers_want_one(method, length):
    async with running(OK) as server:
        await server.client.request(method, "x", operation="x")
        assert (b"content-length: 0" in server.requests[0][0].lower()) is length


async def test_a_refused_connection_is_not_sent_so_a_post_is_repeated():
    transport = NetworkTransport()
    client = HttpClient(transport).bind(base_url=await unused_url())
    with no_backoff(), pytest.raises(errors.ProviderUnavailableError, match="the connection was refused") as caught:
        await client.post("x", operation="x", json={})
    assert "nothing was sent" in str(caught.value)
    await transport.aclose()


async def test_a_post_that_found_nobody_succeeds_once_somebody_is_there():
    url, server, listeners = await unused_url(), Server(OK), []

    class Opening(SystemClock):
        """A clock whose wait lets the server come up."""

        async def sleep(self, seconds):
            listeners.append(await asyncio.start_server(server.serve, "127.0.0.1", int(url.rpartition(":")[2])))

    transport = NetworkTransport()
    try:
        assert (await HttpClient(transport, clock=Opening()).bind(base_url=url).post("x", operation="x")).status == 200
    finally:
        await transport.aclose()
        for listener in listeners:
            listener.close()
            await listener.wait_closed()
        await settled()
    assert (len(listeners), len(server.requests)) == (1, 1)


@pytest.mark.parametrize("act", ["reset before reading", "reset after reading"])
async def test_a_reset_leaves_a_post_ambiguous_and_is_not_repeated(act):
    async with running(act) as server:
        with no_backoff(), pytest.raises(errors.AmbiguousOutcomeError):
            await server.client.post("x", operation="x", json={"a": "b" * 1000})
        assert server.connections == 1


@pytest.mark.parametrize("act", ["reset before reading", "reset after reading"])
async def test_a_reset_is_repeated_with_a_key_the_same_to_the_byte(act):
    async with running(act) as server:
        with no_backoff(), pytest.raises(errors.AmbiguousOutcomeError) as caught:
            await server.client.post("x", operation="x", json={"a": 1}, key="k1")
        assert caught.value.retryable
        assert server.connections == 4
        assert len(set(server.requests)) == (1 if act == "reset after reading" else 0)


async def test_a_server_that_recovers_gets_the_same_bytes_again():
    async def act(writer, number):
        if number < 3:
            writer.transport.abort()
        else:
            writer.write(OK)

    async with running(act) as server:
        with no_backoff():
            await server.client.post("x", operation="x", json={"a": 1}, key="k1")
        assert len(server.requests) == 3
        assert len(set(server.requests)) == 1


@pytest.mark.parametrize(
    "act", [b"this is not HTTP\r\n\r\n", answer(b"half", length=10), b"HTTP/1.1 201 Created\r\ncontent-le"]
)
async def test_an_answer_that_is_broken_leaves_a_post_ambiguous(act):
    async def broken(writer, _):
        writer.write(act)
        writer.close()

    async with running(broken) as server:
        with pytest.raises(errors.AmbiguousOutcomeError):
            await server.client.post("x", operation="x", json={})
        assert len(server.requests) == 1


@pytest.mark.parametrize("dripping", [False, True])
async def test_the_time_out_bounds_the_whole_exchange_and_leaves_a_post_ambiguous(dripping):
    async def act(writer, _):
        while dripping:
            writer.write(b"HTTP/1.1 200 OK\r\n" if not writer.transport.get_write_buffer_size() else b"x: y\r\n")
            await asyncio.sleep(0.01)
        await asyncio.Event().wait()

    async with running(act) as server:
        with pytest.raises(errors.AmbiguousOutcomeError, match=r"within 0\.15 s"):
            await server.client.post("x", operation="x", json={}, timeout=0.15)
        assert len(server.requests) == 1


async def test_waiting_for_a_connection_is_not_sent():
    held, reached = asyncio.Event(), asyncio.Event()

    async def act(writer, _):
        reached.set()
        await held.wait()
        writer.write(OK)

    async with running(act) as server:
        narrow = NetworkTransport(connections=1)
        request = HttpRequest("POST", f"{server.url}/x", {})
        first = asyncio.create_task(narrow.send(request, timeout=5, max_bytes=100))
        await reached.wait()
        with pytest.raises(TransportFailure, match="busy") as caught:
            await narrow.send(request, timeout=0.1, max_bytes=100)
        assert caught.value.sent is False
        assert len(server.requests) == 1
        held.set()
        assert (await first).status == 200
        await narrow.aclose()


async def test_a_server_that_does_not_speak_tls_was_sent_nothing():
    async with running(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n") as server:
        request = HttpRequest("POST", server.url.replace("http:", "https:"), {}, b"secret body")
        with pytest.raises(TransportFailure) as caught:
            await server.transport.send(request, timeout=0.5, max_bytes=100)
        assert caught.value.sent is False
        assert server.requests == []


async def test_no_library_error_with_the_request_in_it_hangs_on_ours():
    async with running("reset after reading") as server:
        with pytest.raises(errors.AmbiguousOutcomeError) as caught:
            await server.client.post("x", operation="x")
        chain, error = [], caught.value
        while error is not None:
            chain.append(type(error).__module__)
            error = error.__cause__ or error.__context__
        assert not any(module.startswith(("httpx", "httpcore")) for module in chain)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (ssl.SSLCertVerificationError(1, "self-signed certificate"), "certificate is not trusted"),
        (socket.gaierror(-2, "Name or service not known"), "host name is not known"),
        (OSError("no route"), "connecting failed"),
    ],
)
def test_the_reason_for_no_connection_is_named_from_beneath_the_libraries(cause, reason):
    middle = ConnectionError("wrapped")
    middle.__context__ = cause
    error = httpx.ConnectError("All connection attempts failed")
    error.__cause__ = middle
    failure = _failure(error)
    assert (failure.sent, reason in failure.reason) == (False, True)


async def test_a_url_httpx_does_not_take_was_not_sent():
    with pytest.raises(TransportFailure, match="URL is not valid") as caught:
        await NetworkTransport().send(HttpRequest("GET", "http://h:x/", {}), timeout=1, max_bytes=1)
    assert caught.value.sent is False


async def test_a_stream_to_nobody_is_unavailable():
    transport = NetworkTransport()
    client = HttpClient(transport).bind(base_url=await unused_url())
    with no_backoff(), pytest.raises(errors.ProviderUnavailableError, match="nothing was sent"):
        async with client.stream("x", operation="open_attachment"):
            pass
    await transport.aclose()


# Redirects


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed_and_no_credentials_reach_its_target(status):
    async with running(OK) as elsewhere, running(answer(b"", f"Location: {elsewhere.url}/x", status=status)) as server:
        for method in ("GET", "POST"):
            with pytest.raises(errors.ProviderError, match=r"redirects to 127\.0\.0\.1"):
                await server.client.request(method, "x", operation="x")
        assert len(server.requests) == 2
        assert elsewhere.connections == 0


# Sizes


async def test_an_answer_of_exactly_the_bound_is_taken_and_one_byte_more_is_not():
    async with running(answer(b"x" * 100)) as server:
        request = HttpRequest("GET", server.url, {})
        assert len((await server.transport.send(request, timeout=5, max_bytes=100)).body) == 100
        with pytest.raises(AnswerRefused, match="larger than 99 bytes"):
            await server.transport.send(request, timeout=5, max_bytes=99)


async def test_an_endless_answer_is_cut_off():
    async def act(writer, _):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 10_000)
            await writer.drain()

    async with running(act) as server:
        with pytest.raises(errors.ProviderError, match="larger than 100000 bytes") as caught:
            await server.client.get("x", operation="x")
        assert type(caught.value) is errors.ProviderError
        assert len(server.requests) == 1


def bomb(size):
    """Return gzip that inflates to ``size`` zeros, made without holding them."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return b"".join(squeeze.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)) + squeeze.flush()


async def test_a_gzip_bomb_is_cut_off_before_it_is_inflated():
    packed = bomb(200_000_000)
    async with running(answer(packed, "Content-Encoding: gzip")) as server:
        tracemalloc.start()
        try:
            with pytest.raises(errors.ProviderError, match="larger than 100000 bytes"):
                await server.client.get("x", operation="x")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 3_000_000


async def test_a_write_that_succeeded_with_an_answer_too_large_is_not_called_a_failure():
    async with running(answer(b"x" * 200_000, status="201 Created")) as server:
        with pytest.raises(errors.AmbiguousOutcomeError, match="larger than") as caught:
            await server.client.post("x", operation="x", key="k1")
        assert caught.value.status == 201
        assert len(server.requests) == 1


async def test_the_status_of_a_refusal_counts_however_large_its_page():
    async with running(answer(b"x" * 200_000, status="404 Not Found")) as server:
        with pytest.raises(errors.NotFoundError):
            await server.client.get("x", operation="x")


async def test_gzip_is_unpacked_in_one_or_several_members():
    packed = gzip.compress(b'{"a"') + gzip.compress(b": 1}") + b"\0\0"
    async with running(answer(packed, "Content-Encoding: gzip")) as server:
        assert (await server.client.get("x", operation="x")).json() == {"a": 1}


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(b"not gzip", "gzip"), (gzip.compress(b"x" * 999)[:-9], "gzip"), (b"x", "br"), (b"x", "gzip, gzip")],
)
async def test_a_body_that_cannot_be_unpacked_is_a_clear_error(body, encoding):
    async with running(answer(body, f"Content-Encoding: {encoding}")) as server:
        with pytest.raises(errors.ProviderError, match="not taken"):
            await server.client.get("x", operation="x")


async def test_a_head_answer_that_announces_gzip_has_no_body_to_unpack():
    async with running(answer(b"", "Content-Encoding: gzip", length=500)) as server:
        assert (await server.client.request("HEAD", "x", operation="x")).body == b""


# Streams


async def test_a_stream_gives_pieces_and_lets_the_connection_go():
    async with running(answer(gzip.compress(b"x" * 90_000), "Content-Encoding: gzip")) as server:
        for _ in range(2):
            async with server.client.stream("file", operation="open_attachment") as stream:
                assert stream.status == 200
                assert b"".join([piece async for piece in stream.chunks]) == b"x" * 90_000
        assert server.connections == 1
        assert b"authorization: Bearer t0ken-value" in server.requests[0][0]


async def test_a_stream_left_early_is_closed():
    async with running(answer(b"x" * 90_000)) as server:
        async with server.client.stream("file", operation="open_attachment") as stream:
            assert await anext(aiter(stream.chunks))
        assert (await server.client.get("x", operation="x")).status == 200


async def test_a_stream_is_bounded():
    async with (
        running(answer(b"x" * 90_000)) as server,
        server.client.stream("file", operation="open_attachment", max_bytes=50_000) as stream,
    ):
        with pytest.raises(errors.ProviderError, match="larger than 50000 bytes"):
            [piece async for piece in stream.chunks]


async def test_a_stream_is_repeated_until_it_opens():
    async def act(writer, number):
        writer.write(answer(b"busy", "Retry-After: 1", status="503 Busy") if number < 3 else OK)

    async with running(act) as server:
        with no_backoff():
            async with server.client.stream("file", operation="open_attachment") as stream:
                assert [piece async for piece in stream.chunks] == [b"{}"]
        assert len(server.requests) == 3


async def test_a_stream_that_cannot_open_is_the_same_error_as_a_read():
    async with running(answer(b"x" * 80_000, status="404 Not Found")) as server:
        with pytest.raises(errors.NotFoundError):
            async with server.client.stream("file", operation="open_attachment"):
                pass


async def test_a_stream_that_breaks_off_says_so():
    async def act(writer, _):
        writer.write(answer(b"half", length=10))
        writer.close()

    async with running(act) as server, server.client.stream("file", operation="open_attachment") as stream:
        with pytest.raises(errors.ProviderUnavailableError, match="broke off"):
            [piece async for piece in stream.chunks]


async def test_a_stream_waits_for_each_piece_no_longer_than_told():
    async def act(writer, _):
        writer.write(answer(b"half", length=10))
        await asyncio.Event().wait()

    async with (
        running(act) as server,
        server.client.stream("file", operation="open_attachment", timeout=0.1) as stream,
    ):
        with pytest.raises(errors.ProviderUnavailableError, match="took too long"):
            [piece async for piece in stream.chunks]


async def test_closing_twice_does_nothing():
    transport = NetworkTransport(verify=ssl.create_default_context())
    await transport.aclose()
    await transport.aclose()


async def test_every_account_and_guarded_client_shares_the_authorities_that_are_slow_to_read():
    transport = NetworkTransport()
    async with GuardedClient(AddressPolicy()) as guarded:
        assert transport._pool()._pool._ssl_context is guarded._pool()._ssl_context
    await transport.aclose()
