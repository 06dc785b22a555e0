"""A request and its answer as they are recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["Exchange", "RecordedRequest", "RecordedResponse"]


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """What was asked.

    :param headers: names in lower case.
    """

    method: str
    uri: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def place(self) -> str:
        """Method and path: what may be shown of it."""
        return f"{self.method} {urlsplit(self.uri).path or '/'}"


@dataclass(frozen=True, slots=True)
class RecordedResponse:
    """What was answered.

    :param headers: names in lower case, each with the values of all its lines.
    """

    status: int
    reason: str = ""
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


class Exchange(NamedTuple):
    """A request and its answer."""

    request: RecordedRequest
    response: RecordedResponse
