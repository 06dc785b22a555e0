"""One request and one answer, as the transports exchange them. Neither shows a body, a header or a query."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from hitl_core.errors import AmbiguousOutcomeError, ProviderError

__all__ = ["Headers", "HttpRequest", "HttpResponse", "StreamedResponse", "place"]


class Headers(Mapping[str, str]):
    """Header fields by name, whatever the case; repeated ones are joined by a comma (RFC 9110, 5.2)."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[bytes, bytes]] = ()) -> None:
        known: dict[str, str] = {}
        pairs = (
            fields.items()
            if isinstance(fields, Mapping)
            else ((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields)
        )
        for name, value in pairs:
            lower = name.lower()
            known[lower] = f"{known[lower]}, {value}" if lower in known else value
        self._fields = known

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"<Headers {sorted(self._fields)}>"


def place(url: str) -> str:
    """Return host and path of a URL: what may be logged, without user, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


class HttpRequest:
    """A request, encoded once and for all.

    :param headers: lower-case names; ``host`` and ``content-length`` are the transport's business.
    """

    __slots__ = ("body", "headers", "method", "url")

    def __init__(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"<HttpRequest {self.method} {place(self.url)}, {len(self.body)} bytes>"


class HttpResponse:
    """An answer, read to its end and decompressed.

    :param received_at: when it came, by our clock; dates in its headers are judged against it.
    :param origin: provider, connection and operation, for the errors this object raises.
    :param unclear: it answers a write that must not be repeated blindly; whether a repeat with the same key is safe.
        ``None`` where carrying the request out twice does no harm.
    """

    __slots__ = ("body", "headers", "origin", "received_at", "status", "unclear", "url")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes = b"",
        url: str = "",
        *,
        received_at: datetime | None = None,
        origin: tuple[str | None, str | None, str | None] = (None, None, None),
        unclear: bool | None = None,
    ) -> None:
        self.unclear = unclear
        self.status = status
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body = body
        self.url = url
        self.received_at = received_at
        self.origin = origin

    def __repr__(self) -> str:
        return f"<HttpResponse {self.status}, {len(self.body)} bytes>"

    def header(self, name: str) -> str | None:
        """Return a header field, or ``None``."""
        return self.headers.get(name)

    @property
    def text(self) -> str:
        """The body as UTF-8; what is not UTF-8 becomes U+FFFD."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Parse the body as JSON, whatever its content type says.

        :raises ProviderError: it is not JSON. The message does not quote it.
        :raises AmbiguousOutcomeError: as above, and it answers a write that must not be repeated blindly.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            pass  # The decoder's own error holds the whole body, so ours is raised outside of its reach.
        provider, connection, operation = self.origin
        kind = self.headers.get("content-type", "").partition(";")[0][:60] or "no content type"
        msg = f"the answer is not JSON ({kind}, {len(self.body)} bytes)"
        where = "check that base_url is the helpdesk's API and not a web page or a proxy"
        if self.unclear is None or not 200 <= self.status < 300:
            raise ProviderError(
                f"{msg}; {where}", provider=provider, connection=connection, operation=operation, status=self.status
            )
        then = "a repeat with the same key is safe" if self.unclear else "look it up before repeating"
        raise AmbiguousOutcomeError(
            f"{msg}, so it may or may not have been carried out; {then}, and {where}",
            provider=provider,
            connection=connection,
            operation=operation,
            status=self.status,
            retryable=self.unclear,
        )


class StreamedResponse:
    """An answer whose body is still to come: iterate ``chunks`` once, inside the context that gave it."""

    __slots__ = ("chunks", "headers", "status", "url")

    def __init__(self, status: int, headers: Headers, chunks: AsyncIterator[bytes], url: str) -> None:
        self.status = status
        self.headers = headers
        self.chunks = chunks
        self.url = url

    def __repr__(self) -> str:
        return f"<StreamedResponse {self.status}>"
