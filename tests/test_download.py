"""The guarded client and the downloader, against real servers on this machine."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import shutil
import ssl
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpcore
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hitl_core._http.guarded import (
    GuardedClient,
    ResponseTooLargeError,
    TransferConnectError,
    TransferError,
    TransferTimeoutError,
)
from hitl_core.download import Download, Downloader, DownloadError, filename_of
from hitl_core.errors import ConfigurationError
from hitl_core.netguard import AddressPolicy, BlockedAddressError, HostNotFoundError

pytestmark = pytest.mark.anyio
PUBLIC, OTHER_PUBLIC = "93.184.216.34", "93.184.216.35"
CERTIFIED = "files.example.test"


@dataclass
class Request:
    """What a server saw."""

    line: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Request], AsyncGenerator[bytes]]


@dataclass
class Server:
    """A server that answers every request alike, and remembers."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    names: list[str | None] = field(default_factory=list)

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, target: str = "/file") -> str:
        return f"http://{self.netloc}{target}"


@asynccontextmanager
async def served(answer: bytes | Answer, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    seen = Server()
    running: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.current_task())
        seen.connections += 1
        with suppress(asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while await converse(reader, writer):
                pass
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (entry.partition(": ") for entry in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        seen.requests.append(Request(line, headers, body))
        piece = b""
        async with aclosing(once(answer) if isinstance(answer, bytes) else answer(seen.requests[-1])) as pieces:
            async for piece in pieces:
                writer.write(piece)
                await writer.drain()
        return b"close" not in piece

    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: seen.names.append(name)
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()


async def once(answer: bytes) -> AsyncGenerator[bytes]:
    yield answer


def response(body: bytes = b"hello", *lines: str, status: str = "200 OK", length: int | None = None) -> bytes:
    announced = len(body) if length is None else length
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {announced}", *lines])
    return head.encode("utf-8") + b"\r\n\r\n" + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    return response(b"", f"Location: {location}", status=status)


def downloader(*servers: Server, **settings) -> Downloader:
    return Downloader(AddressPolicy(allow={server.netloc for server in servers}), **settings)


class Rerouted(httpcore.AnyIOBackend):
    """Takes note of the address asked for, and connects to a local server instead."""

    def __init__(self, port: int, *, down: frozenset[str] = frozenset()) -> None:
        self.port = port
        self.down = down
        self.asked: list[tuple[str, int]] = []

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):  # noqa: ASYNC109  the base class's
        self.asked.append((host, port))
        if host in self.down:
            raise httpcore.ConnectError("refused")
        return await super().connect_tcp("127.0.0.1", self.port, timeout, local_address, socket_options)


class Names:
    """A resolver whose answers follow one another, the last one for good."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, _host: str, _port: int) -> list[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A throw-away certificate for one name, made by the openssl command."""
    command = shutil.which("openssl")
    if command is None:
        pytest.skip("the openssl command is missing: the TLS tests of the guarded client did not run")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    made = subprocess.run(
        [
            command, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=throw-away", "-addext", f"subjectAltName=DNS:{CERTIFIED}",
            "-addext", "keyUsage=critical,digitalSignature,keyCertSign", "-keyout", str(key), "-out", str(cert),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return key, cert


@pytest.fixture
def server_tls(certificate):
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


@pytest.fixture
def client_tls(certificate):
    return ssl.create_default_context(cafile=str(certificate[1]))


# The guarded client


async def test_a_post_sends_the_body_and_gives_status_and_headers():
    sent = {"X-Mark": "m", "Host": "evil", "Content-Length": "9"}
    async with (
        served(response(b"", "X-One: 1", "X-One: 2", status="202 Accepted")) as server,
        GuardedClient(AddressPolicy(allow={server.netloc})) as client,
    ):
        status, headers = await client.post(server.url("/hook?x=1"), headers=sent, content=b"{}")
    assert (status, headers["x-one"]) == (202, "1, 2")
    (request,) = server.requests
    assert (request.line, request.body) == ("POST /hook?x=1 HTTP/1.1", b"{}")
    assert (request.headers["host"], request.headers["x-mark"]) == (server.netloc, "m")


async def test_a_post_does_not_follow_redirects():
    async with served(redirect("/elsewhere")) as server, GuardedClient(AddressPolicy(allow={server.netloc})) as client:
        assert (await client.post(server.url(), content=b"")).status == 302
    assert len(server.requests) == 1


async def test_connections_are_used_again_without_a_second_resolution():
    names = Names(["127.0.0.1"])
    async with served(response()) as server:
        policy = AddressPolicy(allow={f"hooks.internal:{server.port}"}, resolver=names)
        async with GuardedClient(policy) as client:
            for _ in range(3):
                await client.post(f"http://hooks.internal:{server.port}/", content=b"x")
    assert (names.asked, server.connections, len(server.requests)) == (1, 1, 3)


async def test_the_certificate_is_checked_for_the_name_while_the_checked_address_is_connected_to(
    server_tls, client_tls
):
    async with served(response(), tls=server_tls) as server:
        backend = Rerouted(server.port)
        policy = AddressPolicy(resolver=Names([PUBLIC]))
        async with GuardedClient(policy, ssl_context=client_tls, backend=backend) as client:
            assert (await client.post(f"https://{CERTIFIED}/hook", content=b"x")).status == 200
            with pytest.raises(TransferConnectError, match=r"certificate of https://other\.example"):
                await client.post("https://other.example/hook", content=b"x")
    assert backend.asked == [(PUBLIC, 443)] * 2
    assert server.names == [CERTIFIED, "other.example"]
    assert [request.headers["host"] for request in server.requests] == [CERTIFIED]


async def test_an_unknown_issuer_is_refused(server_tls):
    async with served(response(), tls=server_tls) as server:
        policy = AddressPolicy(resolver=Names([PUBLIC]))
        async with GuardedClient(policy, backend=Rerouted(server.port)) as client:
            with pytest.raises(TransferConnectError, match="certificate"):
                await client.post(f"https://{CERTIFIED}/", content=b"x")
    assert server.requests == []


async def test_when_the_first_address_is_down_the_next_one_is_tried():
    async with served(response()) as server:
        backend = Rerouted(server.port, down=frozenset({PUBLIC}))
        policy = AddressPolicy(allow={"hooks.internal"}, resolver=Names([PUBLIC, OTHER_PUBLIC]))
        async with GuardedClient(policy, backend=backend) as client:
            assert (await client.post("http://hooks.internal/", content=b"x")).status == 200
    assert [host for host, _ in backend.asked] == [PUBLIC, OTHER_PUBLIC]


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with served(response()) as server, GuardedClient(AddressPolicy(allow={server.netloc})) as client:
        assert (await client.post(server.url(), content=b"x")).status == 200


async def test_blocked_urls_and_unknown_names_open_no_socket():
    backend = Rerouted(9)
    async with GuardedClient(AddressPolicy(resolver=Names(["10.0.0.1"], [])), backend=backend) as client:
        with pytest.raises(BlockedAddressError, match="private"):
            await client.post("https://evil.example/", content=b"x")
        with pytest.raises(HostNotFoundError):
            await client.post("https://gone.example/", content=b"x")
        with pytest.raises(BlockedAddressError, match="https"):
            await client.post("http://example.com/", content=b"x")
    assert backend.asked == []


async def test_nobody_listening_is_a_connection_error():
    async with served(response()) as server:
        pass
    async with GuardedClient(AddressPolicy(allow={server.netloc})) as client:
        with pytest.raises(TransferConnectError, match="check that it is up") as caught:
            await client.post(server.url("/s3cret?s3cret"), content=b"x")
    assert isinstance(caught.value, ConnectionError)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("answer", [b"close", b"\x16\x03close", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nclose"])
async def test_an_answer_that_is_not_http_is_a_transfer_error(answer):
    async with served(answer) as server, GuardedClient(AddressPolicy(allow={server.netloc})) as client:
        with pytest.raises(TransferError, match="does not speak HTTP"):
            await client.post(server.url(), content=b"x")


@pytest.mark.parametrize("value", ["s3cret\r\nX: y", "s3crét", "s3cret\ud800"])
async def test_a_header_http_does_not_allow_is_refused_without_showing_it(value):
    async with served(response()) as server, GuardedClient(AddressPolicy(allow={server.netloc})) as client:
        with pytest.raises(ConfigurationError, match="header") as caught:
            await client.post(server.url(), headers={"Authorization": value}, content=b"x")
    assert "s3cr" not in str(caught.value)
    assert server.requests == []


async def stalled(_request: Request) -> AsyncGenerator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    await asyncio.Event().wait()


async def test_a_server_that_does_not_finish_its_headers_is_cut_off_in_time():
    async with served(stalled) as server, GuardedClient(AddressPolicy(allow={server.netloc})) as client:
        with pytest.raises(TransferTimeoutError) as caught:
            await client.post(server.url(), content=b"x", timeout=0.05)
    assert isinstance(caught.value, TimeoutError)


async def test_a_status_that_has_arrived_counts_even_if_its_body_never_ends():
    async def endless(_request: Request) -> AsyncGenerator[bytes]:
        yield response(b"x", length=10)
        await asyncio.Event().wait()

    async with served(endless) as server, GuardedClient(AddressPolicy(allow={server.netloc})) as client:
        assert (await client.post(server.url(), content=b"x", timeout=0.1)).status == 200


async def test_a_long_unwanted_body_is_cut_off():
    async def long(_request: Request) -> AsyncGenerator[bytes]:
        yield response(b"", length=10**9)
        for _ in range(1000):
            yield b"x" * 10_000

    async with served(long) as server, GuardedClient(AddressPolicy(allow={server.netloc})) as client:
        assert (await client.post(server.url(), content=b"x")).status == 200


async def test_the_callers_own_time_out_inside_the_exchange_stays_the_callers():
    async with served(response()) as server, GuardedClient(AddressPolicy(allow={server.netloc})) as client:
        with pytest.raises(TimeoutError, match="mine") as caught:
            async with client.stream_get(server.url(), max_bytes=10):
                raise TimeoutError("mine")
    assert not isinstance(caught.value, TransferError)


async def test_a_streamed_body_stops_at_its_bound():
    async with served(response(b"x" * 11)) as server, GuardedClient(AddressPolicy(allow={server.netloc})) as client:
        async with client.stream_get(server.url(), max_bytes=11) as answer:
            assert b"".join([piece async for piece in answer]) == b"x" * 11
        with pytest.raises(ResponseTooLargeError):
            async with client.stream_get(server.url(), max_bytes=10) as answer:
                await anext(aiter(answer))


# The downloader


async def test_a_download_gives_content_type_name_and_size():
    lines = ("Content-Type: Image/PNG; charset=x", 'Content-Disposition: attachment; filename="a b.png"')
    async with served(response(b"\x89PNG", *lines)) as server:
        got = await downloader(server).fetch(server.url("/f?sig=s3cret"))
    assert got == Download(b"\x89PNG", "image/png", "a b.png")
    assert got.size == 4
    assert server.requests[0].line == "GET /f?sig=s3cret HTTP/1.1"
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_a_download_without_type_and_name_says_so():
    async with served(response(b"")) as server:
        assert await downloader(server).fetch(server.url()) == Download(b"", "application/octet-stream", None)


async def test_a_downloader_needs_no_closing():
    async with served(response()) as server:
        fetch = downloader(server).fetch
        for _ in range(2):
            await fetch(server.url())
    assert server.connections == 2


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
async def test_up_to_three_redirects_are_followed(status):
    async def hops(request: Request) -> AsyncGenerator[bytes]:
        number = int(request.line.split("/")[1].split()[0])
        yield redirect(f"/{number - 1}", status) if number else response(b"arrived")

    async with served(hops) as server:
        assert (await downloader(server).fetch(server.url("/3"))).content == b"arrived"
        with pytest.raises(DownloadError, match="more than 3") as caught:
            await downloader(server).fetch(server.url("/4"))
    assert caught.value.reason == "redirects"


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1:{inner}/", "https://127.0.0.1:{inner}/", "//127.0.0.1:{inner}/", "http://localhost:{inner}/",
     "https://169.254.169.254/latest/", "https://inside.example/", "file:///etc/passwd", "https://[::1"],
)  # fmt: skip
async def test_a_redirect_inside_is_refused_before_it_is_requested(location):
    async with served(response()) as inner, served(redirect(location.format(inner=inner.port))) as outer:
        policy = AddressPolicy(allow={outer.netloc}, resolver=Names(["10.0.0.1"]))
        with pytest.raises(DownloadError) as caught:
            await Downloader(policy).fetch(outer.url())
    assert caught.value.reason == "blocked"
    assert not caught.value.retryable
    assert (inner.connections, len(outer.requests)) == (0, 1)


async def test_only_the_first_resolution_counts_when_a_name_is_rebound(server_tls, client_tls):
    async with served(response(), tls=server_tls) as server:
        backend = Rerouted(server.port)
        names = Names([PUBLIC], ["127.0.0.1"])
        policy = AddressPolicy(resolver=names)
        files = Downloader(policy, client=GuardedClient(policy, keep_alive=0, ssl_context=client_tls, backend=backend))

        assert (await files.fetch(f"https://{CERTIFIED}/f")).content == b"hello"
        assert (names.asked, backend.asked) == (1, [(PUBLIC, 443)])

        with pytest.raises(DownloadError, match="private") as caught:
            await files.fetch(f"https://{CERTIFIED}/f")
    assert caught.value.reason == "blocked"
    assert (names.asked, backend.asked, len(server.requests)) == (2, [(PUBLIC, 443)], 1)


async def test_credentials_go_to_their_origin_alone_and_only_with_the_first_request():
    secret = {"Authorization": "Bearer s3cret"}
    async with (
        served(response()) as other,
        served(response()) as home,
        served(redirect(home.url())) as gate,
        served(redirect(other.url())) as leaving,
    ):
        files = downloader(home, other, gate, leaving, credentials_for={home.url(""), leaving.url("")})
        for start in (home, other, gate, leaving):
            await files.fetch(start.url(), headers=secret)
    with_secret = [
        [request.headers.get("authorization") for request in server.requests] for server in (home, other, gate, leaving)
    ]
    assert with_secret == [["Bearer s3cret", None], [None, None], [None], ["Bearer s3cret"]]


async def test_an_origin_for_credentials_means_https_unless_it_says_otherwise():
    async with served(response()) as server:
        await downloader(server, credentials_for={server.netloc}).fetch(server.url(), headers={"X-Key": "s3cret"})
    assert "x-key" not in server.requests[0].headers


async def test_an_announced_oversize_is_refused_before_the_body():
    async def announced(_request: Request) -> AsyncGenerator[bytes]:
        yield response(b"", length=1001)
        await asyncio.Event().wait()

    async with served(announced) as server:
        with pytest.raises(DownloadError, match="1000 bytes") as caught:
            await downloader(server, max_bytes=1000).fetch(server.url())
    assert caught.value.reason == "too_large"


async def test_an_unannounced_oversize_is_cut_off_when_it_shows():
    sent = itertools.count()

    async def chunked(_request: Request) -> AsyncGenerator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while next(sent) < 100_000:
            yield b"400\r\n" + b"x" * 1024 + b"\r\n"

    async with served(chunked) as server:
        with pytest.raises(DownloadError) as caught:
            await downloader(server).fetch(server.url(), max_bytes=4096)
    assert caught.value.reason == "too_large"
    assert next(sent) < 100_000


async def test_a_body_shorter_than_announced_is_no_download():
    async with served(response(b"close", length=50)) as server:
        with pytest.raises(DownloadError) as caught:
            await downloader(server).fetch(server.url())
    assert (caught.value.reason, caught.value.retryable) == ("connection", True)


async def test_a_body_longer_than_announced_ends_where_announced():
    async with served(response(b"hello, and more", length=5)) as server:
        assert (await downloader(server).fetch(server.url())).content == b"hello"


async def test_a_drip_of_bytes_is_bounded_by_the_total_time():
    async def drip(_request: Request) -> AsyncGenerator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"1\r\nx\r\n"
            await asyncio.sleep(0)  # always something to read, so that no bound on one read would ever end it

    async with served(drip) as server, asyncio.timeout(5):
        with pytest.raises(DownloadError, match=r"within 0\.1 s") as caught:
            await downloader(server, timeout=0.1).fetch(server.url())
    assert (caught.value.reason, caught.value.retryable) == ("timeout", True)


class Noting(GuardedClient):
    """Takes note of the time each hop is given."""

    def __init__(self, policy: AddressPolicy) -> None:
        super().__init__(policy, keep_alive=0)
        self.given: list[float] = []

    def stream_get(self, url, *, max_bytes, timeout, headers=None):
        self.given.append(timeout)
        return super().stream_get(url, max_bytes=max_bytes, timeout=timeout, headers=headers)


async def test_redirects_share_one_total_time():
    async with served(redirect("/again")) as server:
        policy = AddressPolicy(allow={server.netloc})
        client = Noting(policy)
        with pytest.raises(DownloadError, match="redirects"):
            await Downloader(policy, timeout=20, client=client).fetch(server.url())
    assert len(client.given) == 4
    assert 20 >= client.given[0] > client.given[1] > client.given[2] > client.given[3] > 0


async def test_a_compressed_body_is_refused_not_unpacked():
    bomb = gzip.compress(b"\0" * 1_000_000)
    async with served(response(bomb, "Content-Encoding: gzip")) as server:
        with pytest.raises(DownloadError, match="compressed") as caught:
            await downloader(server).fetch(server.url())
    assert caught.value.reason == "encoding"


@pytest.mark.parametrize(
    ("sent", "accepted"), [("image/png", True), ("IMAGE/GIF; x=y", True), ("text/html", False), ("", False)]
)
async def test_only_accepted_types_are_downloaded(sent, accepted):
    async with served(response(b"x", f"Content-Type: {sent}")) as server:
        files = downloader(server, allowed_types={"image/*", "application/pdf"})
        if accepted:
            assert (await files.fetch(server.url())).content == b"x"
        else:
            with pytest.raises(DownloadError) as caught:
                await files.fetch(server.url())
            assert caught.value.reason == "type"


@pytest.mark.parametrize(("status", "retryable"), [(404, False), (403, False), (206, False), (429, True), (503, True)])
async def test_another_status_is_an_error_that_says_whether_to_try_again(status, retryable):
    async with served(response(b"x" * 50, status=f"{status} x")) as server:
        with pytest.raises(DownloadError, match=str(status)) as caught:
            await downloader(server, max_bytes=10).fetch(server.url("/s3cret?s3cret"))
    assert (caught.value.reason, caught.value.status, caught.value.retryable) == ("status", status, retryable)
    assert "s3cret" not in str(caught.value)


# File names


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (None, None),
        ("", None),
        ("attachment", None),
        ("attachment; filename=report.pdf", "report.pdf"),
        ('attachment; FileName = "a; b.pdf"', "a; b.pdf"),
        ('filename="bare.txt"', "bare.txt"),
        (r'attachment; filename="say \"hi\".txt"', "say _hi_.txt"),
        ("attachment; filename=plain.txt; filename*=UTF-8''na%C3%AFve%20%E2%98%83.txt", "naïve ☃.txt"),
        ("attachment; filename*=iso-8859-1'en'%A3.txt", "£.txt"),
        ("attachment; filename*=utf-7''x.txt; filename=kept.txt", "kept.txt"),
        ('attachment; filename="caf\u00c3\u00a9.txt"', "café.txt"),
        ('attachment; filename="caf\u00e9.txt"', "café.txt"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        (r'attachment; filename="C:\dir\file.txt"', "file.txt"),
        ("attachment; filename*=UTF-8''..%2F..%5Cevil.sh", "evil.sh"),
        ('attachment; filename=".."', None),
        ('attachment; filename="/"', None),
        ('attachment; filename=".htaccess"', "htaccess"),
        ("attachment; filename*=UTF-8''a%00b%0D%0Ac.txt", "a_b_c.txt"),
        ("attachment; filename*=UTF-8''gpj.%E2%80%AEexe", "gpj._exe"),
        ("attachment; filename*=UTF-8''%FF.txt", "\ufffd.txt"),
        ('attachment; filename="a<b>:c|d?.txt"', "a_b_c_d_.txt"),
        ("attachment; filename=CON.txt", "_CON.txt"),
        ("attachment; filename=console.txt", "console.txt"),
        ("attachment; filename=" + "x" * 300 + ".pdf", "x" * 146 + ".pdf"),
        ("attachment; filename=" + "x" * 300, "x" * 150),
    ],
)
def test_a_file_name_is_read_and_made_harmless(header, name):
    assert filename_of(header) == name


@given(
    st.one_of(
        st.text(),
        st.text().map('attachment; filename="{}"'.format),
        st.binary().map(lambda b: f"x; filename*=utf-8''{b.hex('%')}"),
    )
)
@example('attachment; filename="\ud800/\ud800"')
@example("attachment; filename=" + '\\"' * 3000)
def test_no_file_name_leaves_its_folder_or_breaks_a_line(header):
    name = filename_of(header)
    if name is not None:
        assert 0 < len(name) <= 150
        assert not set(name) & set('/\\\r\n\0"<>:|?*')
        assert name.strip(". ") == name
        name.encode("utf-8")
