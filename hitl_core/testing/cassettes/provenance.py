"""Where a recording comes from, and the error that everything here raises."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import AwareDatetime

from hitl_core._model import Model

__all__ = ["CassetteError", "Origin", "Provenance"]

Origin = Literal["live", "simulator", "documented"]
"""A real account, our simulator of the vendor, or the examples of the vendor's documentation."""


class CassetteError(AssertionError):
    """A cassette is missing or broken, lacks an answer, or has one that nobody asked for; names method and path."""


class Provenance(Model):
    """Where a recording comes from; it stands at the head of the file.

    :param provider: name of the provider, as in ``connect(name)``.
    :param recorded_at: when, aware.
    :param api_version: version of the vendor's API, in the vendor's own spelling.
    :param note: anything a reviewer should know, such as the page an example was copied from.
    """

    provider: str
    origin: Origin
    recorded_at: AwareDatetime
    api_version: str | None = None
    note: str | None = None

    @classmethod
    def now(cls, provider: str, origin: Origin, *, api_version: str | None = None, note: str | None = None) -> Self:
        """Return the provenance of a recording made now."""
        moment = datetime.now(UTC).replace(microsecond=0)
        return cls(provider=provider, origin=origin, recorded_at=moment, api_version=api_version, note=note)
