"""What ``send_message`` adds to the same POST by bare httpx, on the same server, over the same kind of connection."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection as Pipe
from statistics import median

import httpx

import hitl_core as hitl
from benchmarks.pairs import Pairs

CALLS = 1500
WARM_UP = 200
ANSWER = b'{"id":"msg_1","seq":1}'


async def _serve(port_to: Pipe) -> None:
    """Answer every request at once: what is measured is the client."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                length = request.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                writer.write(head + ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port_to.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _server(port_to: Pipe) -> None:
    asyncio.run(_serve(port_to))


async def measure(port: int) -> Pairs:
    """Send one of each in turn, changing which goes first."""
    base_url = f"http://127.0.0.1:{port}"
    pairs = Pairs([], [])
    async with (
        hitl.connect("desk", base_url=base_url, token="dbk_benchmark") as desk,
        httpx.AsyncClient(base_url=base_url, headers={"authorization": "Bearer dbk_benchmark"}) as bare,
    ):
        session = hitl.SessionRef(connection=desk.key, id="tkt_1")
        (part,) = desk.plan_message(session, "Any news?", idempotency_key="k")
        body = {
            "author": {"role": "bot"},
            "message": part.message.model_dump(mode="json", exclude_none=True),
            "visibility": "public",
            "reopen": False,
            "client_ref": "k/0",
        }

        async def ours(number: int) -> float:
            start = time.perf_counter()
            await desk.send_message(session, "Any news?", idempotency_key=f"k{number}")
            return time.perf_counter() - start

        async def base(number: int) -> float:
            start = time.perf_counter()
            answer = await bare.post("/v1/tickets/tkt_1/messages", json=body, headers={"idempotency-key": f"k{number}"})
            answer.raise_for_status().json()
            return time.perf_counter() - start

        for number in range(CALLS + WARM_UP):
            first, second = (ours, base) if number % 2 else (base, ours)
            times = {first: await first(number), second: await second(number)}
            if number >= WARM_UP:
                pairs.ours.append(times[ours])
                pairs.base.append(times[base])
    return pairs


def main() -> None:
    """Print the median of what is added."""
    context = multiprocessing.get_context("spawn")
    port_from, port_to = context.Pipe(duplex=False)
    server = context.Process(target=_server, args=(port_to,), daemon=True)
    server.start()
    try:
        pairs = asyncio.run(measure(port_from.recv()))
    finally:
        server.terminate()
        server.join()
    added = pairs.added() * 1000
    print(
        f"send: send_message adds {added:+.3f} ms to bare httpx (median of {len(pairs.ours)} pairs; ours "
        f"{median(pairs.ours) * 1000:.3f} ms, bare {median(pairs.base) * 1000:.3f} ms; aim <= 0.3 ms: "
        f"{'met' if added <= 0.3 else 'missed'})"
    )


if __name__ == "__main__":
    main()
