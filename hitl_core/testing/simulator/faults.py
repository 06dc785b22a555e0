"""Ways a helpdesk fails: switches for the requests a simulator is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal, TypeAlias

from pydantic import Field

from hitl_core._model import Model

__all__ = ["Fault", "FaultKind", "apply_fault", "take_fault"]

FaultKind: TypeAlias = Literal["latency", "answer", "hang_before", "hang_after", "reset_before", "reset_after"]

AsgiReceive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
AsgiSend: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Fault(Model):
    """What goes wrong with the next requests that match.

    ``latency`` answers late; ``answer`` answers ``status`` without any effect; ``hang_before`` and ``hang_after`` never
    answer, before or after the effect; ``reset_before`` and ``reset_after`` cut the connection instead.

    :param times: for how many requests; ``None`` until it is cleared.
    :param method: only requests with this method; any when ``None``.
    :param path: only paths that begin so.
    :param headers: of an ``answer``, such as ``{"retry-after": "7"}``.
    :param body: of an ``answer``; the vendor's own form of that error when ``None``.
    :param seconds: of ``latency``.
    """

    kind: FaultKind
    times: int | None = Field(default=1, ge=1)
    method: str | None = None
    path: str = "/"
    status: int = Field(default=503, ge=200, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | None = None
    seconds: float = Field(default=1, ge=0)

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is meant."""
        return path.startswith(self.path) and (self.method is None or self.method.upper() == method.upper())


def take_fault(faults: list[Fault], method: str, path: str) -> Fault | None:
    """Return the first fault that is meant for a request, if any, and count that request."""
    for index, fault in enumerate(faults):
        if not fault.matches(method, path):
            continue
        if fault.times is not None:
            left = fault.times - 1
            if left:
                faults[index] = fault.model_copy(update={"times": left})
            else:
                del faults[index]
        return fault
    return None


class _CutError(Exception):
    """Makes a server drop the connection."""


async def apply_fault(
    fault: Fault,
    app: Callable[[Any, Any, Any], Awaitable[Any]],
    scope: MutableMapping[str, Any],
    receive: AsgiReceive,
    send: AsgiSend,
    *,
    error: Callable[[int], tuple[dict[str, str], bytes]],
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Answer one request the way the fault says.

    :param error: gives the vendor's headers and body for a status.
    :param sleep: of the simulator's clock.
    """
    match fault.kind:
        case "latency":
            await sleep(fault.seconds)
            await app(scope, receive, send)
        case "answer":
            headers, body = error(fault.status) if fault.body is None else ({}, fault.body.encode())
            await _answer(send, fault.status, {**headers, **fault.headers}, body)
        case "hang_before":
            await _until_gone(receive)
        case "hang_after":
            await app(scope, receive, _nowhere)
            await _until_gone(receive)
        case "reset_before":
            await _cut(send)
        case "reset_after":
            await app(scope, receive, _nowhere)
            await _cut(send)


async def _answer(send: AsgiSend, status: int, headers: dict[str, str], body: bytes) -> None:
    fields = {"content-length": str(len(body)), **{name.lower(): value for name, value in headers.items()}}
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def _nowhere(_: MutableMapping[str, Any]) -> None:
    """Lose an answer."""


async def _until_gone(receive: AsgiReceive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def _cut(send: AsgiSend) -> None:
    # A server can cut only an answer it has begun: promise more than is sent, then fail.
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"64")]})
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    raise _CutError
