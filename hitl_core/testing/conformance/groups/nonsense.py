"""``verify_webhook`` and ``parse_webhook``: whatever arrives, signed or not, is refused quickly and discreetly."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from hitl_core.errors import ProviderError, WebhookParseError, WebhookVerificationError
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import NOT_APPLICABLE, rule
from hitl_core.testing.conformance.tools.genuine import REPLY, bare_hooks, genuine
from hitl_core.webhooks import KnownSession, ParseWebhook, WebhookDelivery, WebhookRequest

__all__ = ["NonsenseTests"]

_MARK: Final = "kit-body-words"
_SECONDS: Final = 1.0
"""Of work, not of waiting, that one delivery may cost."""

_WRONG: Final[tuple[Any, ...]] = (None, 7, _MARK, "\ud800", [_MARK], {_MARK: [7]})


class NonsenseTests(ConformanceBase):
    """Deliveries nobody should send."""

    @rule("verify_webhook", "parse_webhook")
    async def test_signed_nonsense_is_refused_as_such(self, room: Room) -> None:
        """Whatever was signed, only ``WebhookVerificationError`` and ``WebhookParseError`` come out."""
        attempts = [attempt async for attempt in _tried(room, _nonsense())]
        wrong = [attempt.told for attempt in attempts if attempt.escaped]
        assert not wrong, _say_types(wrong)

    @rule("verify_webhook", "parse_webhook")
    async def test_large_and_deep_deliveries_cost_little(self, room: Room) -> None:
        """A delivery of 5 MB, or of lists in lists in lists, is accepted or refused within a second of work."""
        attempts = [attempt async for attempt in _tried(room, _nonsense())]
        slow = [f"{attempt.what}: {attempt.seconds:.1f} s" for attempt in attempts if attempt.seconds > _SECONDS]
        assert not slow, "reading a delivery must cost no more than its size does; slow were:\n" + "\n".join(slow)

    @rule("verify_webhook", "parse_webhook")
    async def test_values_of_wrong_kinds_are_refused_as_such(self, room: Room) -> None:
        """A genuine delivery with a value of another kind anywhere gives events, or an error of ours (R12)."""
        session, webhook = await genuine(room)
        attempts = [
            attempt async for attempt in _tried(room, _altered(_json_of(webhook.body)), known=room.known(session))
        ]
        wrong = [attempt.told for attempt in attempts if attempt.escaped]
        assert not wrong, _say_types(wrong)

    @rule("verify_webhook", "parse_webhook")
    async def test_a_refusal_quotes_nothing_of_the_delivery(self, room: Room) -> None:
        """The message of a refusal holds nothing of what was delivered: it goes to logs, the words are a person's."""
        session, webhook = await genuine(room)
        bodies = [*_nonsense(), *_altered(_json_of(webhook.body))]
        attempts = [attempt async for attempt in _tried(room, iter(bodies), known=room.known(session))]
        wrong = [attempt.told for attempt in attempts if _MARK in attempt.message or REPLY in attempt.message]
        assert not wrong, "say what is wrong with a delivery without quoting it:\n" + "\n".join(wrong[:10])


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What came of one delivery.

    :param escaped: an error came out that the hook must not raise.
    :param seconds: of work.
    """

    what: str
    error: BaseException | None
    escaped: bool
    seconds: float

    @property
    def message(self) -> str:
        """What logs would show of the error."""
        return f"{self.error} {self.error!r}"

    @property
    def told(self) -> str:
        """What a provider's author needs to know."""
        return f"{self.what}: {type(self.error).__name__}"


async def _tried(
    room: Room, bodies: Iterator[tuple[str, bytes]], known: dict[str, KnownSession] | None = None
) -> AsyncIterator[_Attempt]:
    """Sign each body, and give it to the bare hooks."""
    async with bare_hooks(room) as hooks:
        for what, body in bodies:
            webhook = room.signed(body)
            request = WebhookRequest.of(webhook.headers, body, received_at=room.clock.now())
            began = time.thread_time()
            delivery, error = _verified(hooks, request)
            escaped = error is not None and not isinstance(error, WebhookVerificationError)
            if delivery is not None:
                requests = len(room.wire.requests)
                error = await _read(hooks, ParseWebhook(delivery=delivery, known=known))
                # A body may name a session the helpdesk does not have; who asks for it is told so.
                allowed = (
                    (WebhookParseError, ProviderError) if len(room.wire.requests) > requests else WebhookParseError
                )
                escaped = error is not None and not isinstance(error, allowed)
            yield _Attempt(what, error, escaped, time.thread_time() - began)


def _verified(hooks: Any, request: WebhookRequest) -> tuple[WebhookDelivery | None, Exception | None]:
    try:
        return hooks.verify_webhook(request=request), None
    except Exception as error:  # noqa: BLE001 - which kinds come out is what is tested
        return None, error


async def _read(hooks: Any, request: ParseWebhook) -> Exception | None:
    try:
        await hooks.parse_webhook(request=request)
    except Exception as error:  # noqa: BLE001 - as above
        return error
    return None


def _nonsense() -> Iterator[tuple[str, bytes]]:
    """Give bodies no vendor would send."""
    large = 5_000_000
    yield "an empty body", b""
    yield "blanks", b"  \r\n"
    yield "no UTF-8", b'\xff\xfe{"a": 1}'
    yield "half a character", b'{"kit": "\xe2\x82"}'
    yield "JSON in UTF-16", '{"kit": 1}'.encode("utf-16")
    yield "a zero byte", b"\x00"
    yield "half of JSON", f'{{"{_MARK}": ["{_MARK}"'.encode()
    yield "JSON null", b"null"
    yield "JSON true", b"true"
    yield "a JSON number", b"7"
    yield "a number of 6000 digits", b"7" * 6000
    yield "no number", b"NaN"
    yield "a JSON string", f'"{_MARK}"'.encode()
    yield "an empty JSON list", b"[]"
    yield "a JSON list", f'["{_MARK}", null, 7, {{}}]'.encode()
    yield "an empty JSON object", b"{}"
    yield "a JSON object", f'{{"{_MARK}": "{_MARK}"}}'.encode()
    yield "half an emoji", b'{"kit": "\\ud83e"}'
    yield "a form", f"kit={_MARK}&a=b".encode()
    yield "XML", f"<kit>{_MARK}</kit>".encode()
    yield "lists in lists in lists", b"[" * 100_000 + b"]" * 100_000
    yield "objects in objects in objects", b'{"a":' * 100_000 + b"7" + b"}" * 100_000
    yield "lists that never end", b"[" * large
    yield "5 MB of words", f'{{"{_MARK}": "{"x" * large}"}}'.encode()
    yield "5 MB of list", b"[" + b"7," * (large // 2) + b"7]"
    yield "5 MB of zero bytes", b"\x00" * large


def _altered(genuine_body: Any) -> Iterator[tuple[str, bytes]]:
    """Give a genuine body over and over, with another of its values replaced, or left out, each time."""
    for path in _paths(genuine_body):
        place = "/".join(str(step) for step in path)
        for value in _WRONG:
            altered, parent = _parent(genuine_body, path)
            parent[path[-1]] = value
            yield f"{place} = {json.dumps(value)}", json.dumps(altered).encode()
        altered, parent = _parent(genuine_body, path)
        del parent[path[-1]]
        yield f"{place} left out", json.dumps(altered).encode()


def _parent(body: Any, path: tuple[str | int, ...]) -> tuple[Any, Any]:
    """Return a copy, and what in it holds the value at the end of the path."""
    altered = parent = copy.deepcopy(body)
    for step in path[:-1]:
        parent = parent[step]
    return altered, parent


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _paths(inner, (*path, number))


def _json_of(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        pytest.skip(NOT_APPLICABLE + "the vendor's deliveries are not JSON")


def _say_types(wrong: list[str]) -> str:
    listed = "\n".join(wrong[:10]) + (f"\n… and {len(wrong) - 10} more" if len(wrong) > 10 else "")
    return (
        "verify_webhook raises WebhookVerificationError and parse_webhook WebhookParseError, nothing else; "
        f"something else came out of:\n{listed}"
    )
