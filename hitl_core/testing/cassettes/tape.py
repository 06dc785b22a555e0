"""vcrpy's part: it stands in for httpx's transports and asks us. What is recorded or played is not its business."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from typing import Any

from vcr.cassette import Cassette, CassetteNotFoundError
from vcr.record_mode import RecordMode
from vcr.request import Request

from hitl_core.testing.cassettes.exchange import Exchange, RecordedRequest, RecordedResponse
from hitl_core.testing.cassettes.matching import Replay
from hitl_core.testing.cassettes.scrubber import Scrubber

__all__ = ["CassetteNotFoundError", "Tape", "request_of", "response_of", "to_vcr_request", "to_vcr_response"]

# It logs whole URLs, and answers before they are scrubbed.
_logger = logging.getLogger("vcr")
if _logger.level == logging.NOTSET:
    _logger.setLevel(logging.WARNING)


class _NoFile:
    """Nothing is loaded and nothing saved by vcrpy itself."""

    @staticmethod
    def load_cassette(path: str, serializer: Any) -> Any:
        raise CassetteNotFoundError(path)

    @staticmethod
    def save_cassette(path: str, data: Any, serializer: Any) -> None:
        pass


class Tape(Cassette):  # type: ignore[misc]  # vcrpy has no types
    """What vcrpy's stubs talk to.

    :param replay: gives the answers; ``None`` lets requests out and notes the exchanges.
    :param is_ours: tells by its URL whether a request is the cassette's business; others pass untouched.
    """

    def __init__(self, path: str, *, scrubber: Scrubber, replay: Replay | None, is_ours: Callable[[str], bool]) -> None:
        mode = RecordMode.ALL if replay is None else RecordMode.NONE
        super().__init__(
            path,
            persister=_NoFile,
            record_mode=mode,
            before_record_request=lambda request: request if is_ours(request.uri) else None,
        )
        self.recorded: list[Exchange] = []
        self._scrubber = scrubber
        self._replay = replay
        self._is_ours = is_ours

    def can_play_response_for(self, request: Request) -> bool:
        """Fetch the answer to a request; the stubs of some libraries ask several times before they take it."""
        if self._replay is None or not self._is_ours(request.uri):
            return False
        if not hasattr(request, "hitl_answer"):
            request.hitl_answer = self._replay.answer(self._scrubber.request(request_of(request)))
        return True

    def play_response(self, request: Request) -> Any:
        """Hand the answer over."""
        response: RecordedResponse = request.hitl_answer
        del request.hitl_answer
        return to_vcr_response(response)

    def append(self, request: Request, response: Any) -> None:
        """Note an exchange that has just taken place."""
        if self._is_ours(request.uri):
            asked = self._scrubber.request(request_of(request))
            self.recorded.append(Exchange(asked, self._scrubber.response(response_of(response))))


def request_of(request: Request) -> RecordedRequest:
    """Return our own view of a request of vcrpy's."""
    body = request.body_bytes
    return RecordedRequest(request.method, request.uri, dict(request.headers.items()), bytes(body or b""))


def response_of(response: Any) -> RecordedResponse:
    """Return our own view of an answer of vcrpy's."""
    status = response["status"]
    headers = {name: _several(values) for name, values in response["headers"].items()}
    body = response["body"]["string"]
    return RecordedResponse(status["code"], status["message"] or "", headers, bytes(body or b""))


def _several(values: str | Sequence[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


def to_vcr_request(request: RecordedRequest) -> Request:
    """Return vcrpy's view of a request."""
    return Request(request.method, request.uri, request.body, copy.copy(dict(request.headers)))


def to_vcr_response(response: RecordedResponse) -> dict[str, Any]:
    """Return vcrpy's view of an answer."""
    return {
        "status": {"code": response.status, "message": response.reason},
        "headers": {name: list(values) for name, values in response.headers.items()},
        "body": {"string": response.body},
    }
