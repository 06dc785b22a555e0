"""What a refusal means: the right error, with what is needed to act on it, whatever the answer looks like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final, TypeAlias

from hitl_core._http.failures import status_error
from hitl_core._http.messages import HttpRequest, HttpResponse
from hitl_core.errors import AmbiguousOutcomeError, HitlError, ProviderError, ProviderUnavailableError
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.attempts import told
from hitl_core.testing.conformance.tools.operations import ALL_HOOKS, Arm, Operations

__all__ = ["FailureTests"]

Expected: TypeAlias = Mapping[int | tuple[str, int], type[HitlError]]

_REFUSALS: Final = (400, 401, 402, 403, 404, 405, 407, 409, 410, 412, 413, 415, 422, 423, 425, 429, 431, 451)
_CRASHES: Final = (408, 500, 501, 502, 503, 504)
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_ELSEWHERE: Final = "https://elsewhere.example/api"
_PAGE: Final = b"<!doctype html><html><body><h1>Bad gateway</h1></body></html>"
_UNREADABLE: Final[Mapping[str, tuple[dict[str, str], bytes]]] = {
    "a web page": ({"content-type": "text/html"}, _PAGE),
    "JSON that breaks off": ({"content-type": "application/json"}, b'{"id": "1'),
    "nothing at all": ({}, b""),
    "a list": ({"content-type": "application/json"}, b"[]"),
    "an empty object": ({"content-type": "application/json"}, b"{}"),
}


class FailureTests(ConformanceBase):
    """Answers that are no success."""

    expected_errors: ClassVar[Expected] = {}
    """What your vendor's statuses mean where they mean something else than usual: ``{409: InvalidRequestError}``, or
    ``{("stop_hitl", 405): NotFoundError}`` for one hook."""

    @rule(*ALL_HOOKS)
    async def test_a_refusal_is_told_by_its_class(self, room: Room) -> None:
        """Each status the vendor refuses with becomes the class the bridge acts on, at every hook (S245)."""
        calls = await Operations.of(room)
        wrong = []
        for status in _REFUSALS:
            for hook in calls.hooks:
                ended = await calls.attempt(hook, _answering(room, status, *room.simulator.error(status)))
                kind = self._expected(hook, status)
                if not isinstance(ended, kind):
                    wrong.append(f"{hook}, {status}: {kind.__name__} is due; {told(ended)}")
        assert not wrong, (
            "let the errors of ctx.http through, and give `classify` for what your vendor says by a code; where a "
            "status means something else, say so in `expected_errors` of your test class:\n" + "\n".join(wrong)
        )

    @rule(*ALL_HOOKS)
    async def test_a_failing_helpdesk_is_unavailable_or_leaves_a_write_in_doubt(self, room: Room) -> None:
        """A read that fails with 5xx is unavailable and may be repeated; a write is that, or in doubt."""
        calls = await Operations.of(room)
        wrong = []
        for status in _CRASHES:
            for hook in calls.hooks:
                ended = await calls.attempt(hook, _answering(room, status, *room.simulator.error(status)))
                allowed: tuple[type[HitlError], ...] = (ProviderUnavailableError,)
                if hook in calls.writes:
                    allowed += (AmbiguousOutcomeError,)
                allowed += tuple(self._declared(hook, status))
                if not isinstance(ended, allowed):
                    names = " or ".join(kind.__name__ for kind in allowed)
                    wrong.append(f"{hook}, {status}: {names} is due; {told(ended)}")
        assert not wrong, "let the errors of ctx.http through:\n" + "\n".join(wrong)

    @rule(*ALL_HOOKS)
    async def test_an_error_says_all_that_is_needed_to_act(self, room: Room) -> None:
        """An error carries status, provider, connection and operation, whether a repeat can help, and a sentence."""
        calls = await Operations.of(room)
        wrong = []
        for status in (*_REFUSALS, *_CRASHES):
            for hook in calls.hooks:
                ended = await calls.attempt(hook, _answering(room, status, *room.simulator.error(status)))
                wrong += [f"{hook}, {status}: {what}" for what in self._lacks(room, hook, status, ended)]
        assert not wrong, "an error that is made anew loses what the transport knew:\n" + "\n".join(wrong)

    @rule(*ALL_HOOKS)
    async def test_credentials_do_not_follow_a_redirect(self, room: Room) -> None:
        """A redirect is an error that says so; nothing is sent to where it leads."""
        calls = await Operations.of(room)
        wrong = []
        for status in _REDIRECTS:
            for hook in calls.hooks:
                before = len(room.wire.requests)
                ended = await calls.attempt(hook, _answering(room, status, {"location": f"{_ELSEWHERE}/v2"}, b""))
                sent = [each for each in room.wire.requests[before:] if each.url.startswith("https://elsewhere")]
                if sent:
                    what = ", with credentials" if any("authorization" in each.headers for each in sent) else ""
                    wrong.append(f"{hook}, {status}: {len(sent)} requests went to another host{what}")
                elif not isinstance(ended, ProviderError) or ended.retryable:
                    wrong.append(f"{hook}, {status}: a ProviderError that no repeat helps is due; {told(ended)}")
        assert not wrong, "whoever answers instead of the helpdesk must not get the credentials:\n" + "\n".join(wrong)

    @rule(*ALL_HOOKS)
    async def test_a_gateways_page_is_an_error_like_any_other(self, room: Room) -> None:
        """A proxy's HTML page instead of the vendor's error changes nothing about the class."""
        calls = await Operations.of(room)
        wrong = []
        for status in (403, 404, 413, 429, 502, 504):
            for hook in calls.hooks:
                ended = await calls.attempt(hook, _answering(room, status, {"content-type": "text/html"}, _PAGE))
                due, _, _ = status_error(HttpResponse(status, {}), None)
                allowed = (due, AmbiguousOutcomeError) if status >= 500 and hook in calls.writes else (due,)
                if not isinstance(ended, allowed):
                    wrong.append(f"{hook}, {status}: {due.__name__} is due; {told(ended)}")
        assert not wrong, "the status counts where the body is not the vendor's:\n" + "\n".join(wrong)

    @rule("create_user", "start_hitl", "send_message", "identify", "list_events")
    async def test_an_answer_that_cannot_be_read_is_an_error(self, room: Room) -> None:
        """A success with something else than the vendor's JSON is a ``ProviderError``, and leaves a write in doubt."""
        calls = await Operations.of(room)
        usual = await calls.attempt("send_message")
        if isinstance(usual, HitlError):
            raise AssertionError(f"a message must be sent; {told(usual)}")
        wrong = []
        for what, (headers, body) in _UNREADABLE.items():
            for hook in calls.hooks:
                if hook == "stop_hitl" or (hook == "send_message" and not usual.ids):
                    continue  # of their answers nothing is needed
                ended = await calls.attempt(hook, _answering(room, 200, headers, body))
                doubtful = hook in {"start_hitl", "send_message"} and room.wire.requests[-1].method == "POST"
                due = AmbiguousOutcomeError if doubtful else ProviderError
                if not isinstance(ended, due):
                    wrong.append(f"{hook}, answered by {what}: {due.__name__} is due; {told(ended)}")
        assert not wrong, (
            "take what the vendor promises by answer.json() and [key], and nothing for granted:\n" + "\n".join(wrong)
        )

    def _expected(self, hook: str, status: int) -> type[HitlError]:
        usual, _, _ = status_error(HttpResponse(status, {}), None)
        return next(self._declared(hook, status), usual)

    def _declared(self, hook: str, status: int) -> Iterator[type[HitlError]]:
        for name in ((hook, status), status):
            if name in self.expected_errors:
                yield self.expected_errors[name]

    def _lacks(self, room: Room, hook: str, status: int, error: object) -> Iterator[str]:
        """Say what an error does not tell, or tells wrongly."""
        if not isinstance(error, HitlError):
            yield f"an error is due; {told(error)}"
            return
        if not isinstance(error, ProviderError):
            return  # a setting is wrong: there is no more to it than the sentence
        facts = {
            "status": (error.status, status),
            "provider": (error.provider, room.info.name),
            "connection": (error.connection, room.connection.key),
        }
        yield from (f"{name} is {found!r}, not {due!r}" for name, (found, due) in facts.items() if found != due)
        if not error.operation:
            yield "operation is not given"
        if " " not in error.message.strip():
            yield "the message is no sentence"
        if isinstance(error, AmbiguousOutcomeError):
            repeatable = hook in room.capabilities.idempotent
        elif next(self._declared(hook, status), None) is not None:
            return
        else:
            usual, _, retryable = status_error(HttpResponse(status, {}), None)
            repeatable = bool(getattr(usual, "default_retryable", False) if retryable is None else retryable)
        if error.retryable is not repeatable:
            yield f"retryable is {error.retryable}"


def _answering(room: Room, status: int, headers: Mapping[str, str], body: bytes) -> Arm:
    """Answer every request so from now on."""

    def matches(_: HttpRequest) -> bool:
        return True

    return lambda: room.wire.cut("answer", times=None, matches=matches, status=status, headers=headers, body=body)
