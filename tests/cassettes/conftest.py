"""A helpdesk on a real port, as odd as HTTP allows, and a client of our own for it."""

import gzip
import socket
import threading
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from hitl_core._http import HttpRequest, NetworkTransport
from hitl_core.testing.cassettes import Provenance, Scrubber

PIECES = [bytes([number]) * 1000 for number in range(5)]


class Server(uvicorn.Server):
    """Says when it is up."""

    def __init__(self, config):
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.up.set()


class Vendor:
    """Counts what it is asked, and can be stopped."""

    def __init__(self):
        self.asked = 0
        routes = [
            Route("/gzip", self.gzip),
            Route("/binary", self.binary),
            Route("/stream", self.stream),
            Route("/lines", self.lines),
            Route("/empty", self.empty, methods=["DELETE"]),
            Route("/{rest:path}", self.echo, methods=["GET", "HEAD", "POST", "PUT", "PATCH"]),
        ]
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(Starlette(routes=routes), log_level="warning", lifespan="off")
        self._server = Server(config)
        self._thread = threading.Thread(target=lambda: self._server.run([self._socket]))
        self._thread.start()
        self._server.up.wait()

    def stop(self):
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    async def echo(self, request):
        self.asked += 1
        body = await request.body()
        headers = {"set-cookie": "session=s3cr3t", "x-ratelimit-remaining": "9", "x-internal": "shard-7"}
        return JSONResponse({"number": self.asked, "bytes": len(body)}, headers=headers)

    async def gzip(self, request):
        self.asked += 1
        body = gzip.compress(b'{"text": "zipped \xc3\xbc"}')
        return Response(body, headers={"content-encoding": "gzip", "content-type": "application/json"})

    async def binary(self, request):
        self.asked += 1
        return Response(bytes(range(256)), media_type="application/octet-stream")

    async def stream(self, request):
        self.asked += 1

        async def pieces():
            for piece in PIECES:
                yield piece

        return StreamingResponse(pieces(), media_type="application/octet-stream")

    async def lines(self, request):
        self.asked += 1
        response = Response("first\nsecond\n", media_type="text/plain")
        response.raw_headers += [(b"link", b"<a>"), (b"link", b"<b>")]
        return response

    async def empty(self, request):
        self.asked += 1
        return Response(status_code=204)


class Caller:
    """Sends through the transport that connections use."""

    def __init__(self, transport, url):
        self.transport, self.url = transport, url

    async def __call__(self, method, path, body=b"", **headers):
        fields = {"authorization": "Bearer hunter2-hunter2", "accept-encoding": "gzip"}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        request = HttpRequest(method, self.url + path, fields, body)
        answer = await self.transport.send(request, timeout=5, max_bytes=1_000_000)
        return answer.status, answer.body

    async def download(self, path):
        request = HttpRequest("GET", self.url + path, {})
        async with self.transport.stream(request, timeout=5, max_bytes=1_000_000) as answer:
            return answer.status, b"".join([piece async for piece in answer.chunks])


@pytest.fixture(scope="module")
def vendor():
    vendor = Vendor()
    try:
        yield vendor
    finally:
        vendor.stop()


@pytest.fixture
def calling():
    """Open the network transport to a URL."""

    @asynccontextmanager
    async def open_(url):
        transport = NetworkTransport()
        try:
            yield Caller(transport, url)
        finally:
            await transport.aclose()

    return open_


@pytest.fixture
def scrubber():
    return Scrubber()


@pytest.fixture
def provenance():
    return Provenance.now("acme", "simulator", api_version="v2")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cassettes" / "acme" / "start.yaml"
