"""Recordings of HTTP: made on a real port, scrubbed, played back without a network, and checked before a commit."""

from __future__ import annotations

from hitl_core.testing.cassettes.check import Problem, check_cassettes
from hitl_core.testing.cassettes.exchange import Exchange, RecordedRequest, RecordedResponse
from hitl_core.testing.cassettes.marker import recording_config
from hitl_core.testing.cassettes.provenance import CassetteError, Origin, Provenance
from hitl_core.testing.cassettes.recording import UsedCassette, use_cassette
from hitl_core.testing.cassettes.registry import orphaned_cassettes, used_cassettes
from hitl_core.testing.cassettes.scrubber import Scrubber

__all__ = [
    "CassetteError",
    "Exchange",
    "Origin",
    "Problem",
    "Provenance",
    "RecordedRequest",
    "RecordedResponse",
    "Scrubber",
    "UsedCassette",
    "check_cassettes",
    "orphaned_cassettes",
    "recording_config",
    "use_cassette",
    "used_cassettes",
]
