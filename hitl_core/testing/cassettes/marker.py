"""The same hygiene for tests marked ``@pytest.mark.vcr``, which pytest-recording gives their cassettes.

Its ``--record-mode`` is ``none`` to replay and ``rewrite`` to record; other modes would mix two recordings in one file
under one provenance. Its ``@pytest.mark.block_network`` lets the network through while recording only. Unlike
:func:`use_cassette` it writes the file also when the test fails, and does not mind answers that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hitl_core.testing.cassettes import files
from hitl_core.testing.cassettes.exchange import Exchange
from hitl_core.testing.cassettes.provenance import Provenance
from hitl_core.testing.cassettes.registry import note_use
from hitl_core.testing.cassettes.scrubber import Scrubber

if TYPE_CHECKING:
    from vcr.request import Request

__all__ = ["recording_config"]


def recording_config(scrubber: Scrubber, provenance: Provenance, *, ignore: Collection[str] = ()) -> dict[str, Any]:
    """Return what the fixture ``vcr_config`` gives: filters, matching and file format as of :func:`use_cassette`.

    As a fixture::

        @pytest.fixture(scope="module")
        def vcr_config():
            return recording_config(SCRUBBER, Provenance.now("acme", "live"))

    :param ignore: see :func:`use_cassette`.
    """
    from hitl_core.testing.cassettes import tape

    prefixes = tuple(ignore)

    def before_record_request(request: Request) -> Request | None:
        if request.uri.startswith(prefixes):
            return None
        return tape.to_vcr_request(scrubber.request(tape.request_of(request)))

    def before_record_response(response: Any) -> Any:
        return tape.to_vcr_response(scrubber.response(tape.response_of(response)))

    return {
        "before_record_request": before_record_request,
        "before_record_response": before_record_response,
        "match_on": ("method", "uri", "raw_body"),  # of requests in normal form, all of it is in these
        "persister": _Persister(provenance),
    }


class _Persister:
    """Our file format; vcrpy's serializer stays unused."""

    def __init__(self, provenance: Provenance) -> None:
        self._provenance = provenance

    def load_cassette(self, cassette_path: str, serializer: Any) -> tuple[list[Any], list[Any]]:
        from hitl_core.testing.cassettes.tape import CassetteNotFoundError, to_vcr_request, to_vcr_response

        path = Path(cassette_path)
        note_use(path)
        if not path.is_file():
            raise CassetteNotFoundError(cassette_path)
        _, exchanges = files.read(path)
        return [to_vcr_request(item.request) for item in exchanges], [
            to_vcr_response(item.response) for item in exchanges
        ]

    def save_cassette(self, cassette_path: str, cassette_dict: dict[str, Any], serializer: Any) -> None:
        from hitl_core.testing.cassettes.tape import request_of, response_of

        pairs = zip(cassette_dict["requests"], cassette_dict["responses"], strict=True)
        exchanges = [Exchange(request_of(request), response_of(response)) for request, response in pairs]
        files.write(Path(cassette_path), self._provenance, exchanges)
