"""Playing a recording: which answer belongs to which request, and what to say when there is none."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from hitl_core.testing.cassettes.exchange import Exchange, RecordedRequest, RecordedResponse
from hitl_core.testing.cassettes.files import provider_of
from hitl_core.testing.cassettes.provenance import CassetteError

__all__ = ["Replay", "differences"]

_SHOWN = 3


def differences(one: RecordedRequest, other: RecordedRequest) -> list[str]:
    """Name in what two requests in normal form differ; empty means that one's answer is the other's too."""
    here, there = urlsplit(one.uri), urlsplit(other.uri)
    parts = (
        ("method", one.method == other.method),
        ("host", here[:2] == there[:2]),
        ("path", here.path == there.path),
        ("query", here.query == there.query),
        ("body", one.body == other.body),
    )
    return [name for name, same in parts if not same]


class Replay:
    """The answers of a recording, each to be played once; equal requests get theirs in the order of recording.

    :param exchanges: requests in normal form, and their answers.
    """

    def __init__(self, path: Path, exchanges: Sequence[Exchange]) -> None:
        self._path = path
        self._exchanges = exchanges
        self._played: set[int] = set()
        self._missed: list[CassetteError] = []
        self._lock = threading.Lock()

    def answer(self, request: RecordedRequest) -> RecordedResponse:
        """Return the answer to a request in normal form.

        :raises CassetteError: there is none, or none left; :meth:`finish` raises it once more.
        """
        with self._lock:
            matching = [
                index for index, exchange in enumerate(self._exchanges) if not differences(request, exchange.request)
            ]
            for index in matching:
                if index not in self._played:
                    self._played.add(index)
                    return self._exchanges[index].response
            error = CassetteError(self._unknown(request, len(matching)))
            self._missed.append(error)
        raise error

    def finish(self, *, unplayed: bool = True) -> None:
        """Raise what went wrong, even if the code under test kept it to itself.

        :param unplayed: whether answers that nobody asked for count.
        :raises CassetteError: a request had no answer, or an answer no request.
        """
        if self._missed:
            raise CassetteError(*self._missed[0].args)
        left = [
            f"{number + 1}: {exchange.request.place}"
            for number, exchange in enumerate(self._exchanges)
            if number not in self._played
        ]
        if left and unplayed:
            msg = (
                f"{len(left)} of {len(self._exchanges)} interactions of {self._path} were not played: "
                f"{', '.join(left)}; {self._again}"
            )
            raise CassetteError(msg)

    @property
    def _again(self) -> str:
        return f"record again with: hitl cassettes record {provider_of(self._path)}"

    def _unknown(self, request: RecordedRequest, matching: int) -> str:
        if matching:
            times = "once" if matching == 1 else f"{matching} times"
            what = f"was recorded only {times} in {self._path}, and asked for once more"
            return f"{request.place} {what}; {self._again}"
        nearest = ", ".join(self._nearest(request)) or "nothing like it"
        return f"{request.place} is not in the recording {self._path} (nearest: {nearest}); {self._again}"

    def _nearest(self, request: RecordedRequest) -> list[str]:
        """Describe the recorded requests most like this one by method and path, and by what differs; no values."""
        places = {exchange.request.place for exchange in self._exchanges}
        close = get_close_matches(request.place, places, n=_SHOWN, cutoff=0.5)
        found = []
        for number, exchange in enumerate(self._exchanges, 1):
            if exchange.request.place in close:
                differing = differences(request, exchange.request)
                rank = close.index(exchange.request.place), len(differing), number
                found.append((rank, f"{number}: {exchange.request.place}, another {' and '.join(differing)}"))
        return [text for _, text in sorted(found)[:_SHOWN]]
