"""Fetching what an agent or a customer attached, from a URL somebody else wrote, without being led astray.

A download goes only where the address policy allows, on every hop; it is bounded in bytes and in time, whatever the
server announces; it is taken as sent, so that a small body cannot unpack into a large one; and credentials go to the
origins they belong to and nowhere else.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import unquote_to_bytes, urljoin

from hitl_core._http.guarded import (
    GuardedClient,
    GuardedResponse,
    ResponseTooLargeError,
    TransferError,
    TransferTimeoutError,
)
from hitl_core.errors import HitlError
from hitl_core.netguard import AddressPolicy, BlockedAddressError, HostNotFoundError, ParsedUrl

__all__ = ["Download", "DownloadError", "Downloader", "filename_of"]

Reason = Literal["blocked", "connection", "encoding", "redirects", "status", "timeout", "too_large", "type"]

_MAX_REDIRECTS: Final = 3
_MAX_NAME: Final = 150
_OCTETS: Final = "application/octet-stream"
_QUOTED: Final = re.compile(r';\s*filename\s*=\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_BARE: Final = re.compile(r";\s*filename\s*=\s*([^\s;\"]+)", re.IGNORECASE)
_EXTENDED: Final = re.compile(r";\s*filename\*\s*=\s*(utf-8|iso-8859-1)'[^']*'([^\s;\"]+)", re.IGNORECASE)
# Control characters, those that reorder or hide text, lone surrogates, and what Windows reserves.
_UNFIT: Final = re.compile(
    '[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff<>:"|?*]+'
)
_DEVICES: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)


class DownloadError(HitlError):
    """A download failed or was refused; the message names the origin, never path or query.

    :param reason: which bound or step it was.
    :param status: HTTP status, when that is the reason.
    :param retryable: whether the same download may succeed later.
    """

    def __init__(self, message: str, *, reason: Reason, status: int | None = None, retryable: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Download:
    """What was fetched.

    :param content_type: media type in lower case without parameters; ``application/octet-stream`` when not told.
    :param filename: from the answer's ``Content-Disposition``, fit to be shown and stored; none when not told.
    """

    content: bytes = field(repr=False)
    content_type: str = _OCTETS
    filename: str | None = field(default=None, repr=False)

    @property
    def size(self) -> int:
        """Length of the content in bytes."""
        return len(self.content)


class Downloader:
    """Downloads within bounds.

    :param policy: which addresses may be requested.
    :param max_bytes: of one body.
    :param timeout: seconds for one download, all redirects together.
    :param allowed_types: media types such as ``"image/png"`` or ``"image/*"``; all when left out.
    :param credentials_for: origins that may receive the ``headers`` of :meth:`fetch`: ``"acme.example.com"``, which
        means https, ``"host:port"``, or a whole origin such as ``"http://127.0.0.1:8080"``.
    :param client: replaces the guarded client, whose policy then decides.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        max_bytes: int = 25 * 1024 * 1024,
        timeout: float = 30.0,
        allowed_types: Collection[str] | None = None,
        credentials_for: Collection[str] = (),
        client: GuardedClient | None = None,
    ) -> None:
        self._policy = policy
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._allowed_types = None if allowed_types is None else {entry.lower() for entry in allowed_types}
        origins = [credentials_for] if isinstance(credentials_for, str) else credentials_for
        self._origins = {(entry if "://" in entry else f"https://{entry}").lower() for entry in origins}
        self._client = client or GuardedClient(policy, keep_alive=0)

    async def fetch(
        self, url: str, *, headers: Mapping[str, str] | None = None, max_bytes: int | None = None
    ) -> Download:
        """Download a URL, following up to three redirects, each checked like the first.

        :param headers: credentials; sent with the first request alone, and only to an origin in ``credentials_for``.
        :param max_bytes: of this body, in place of the downloader's own bound.
        :raises DownloadError: when it cannot or must not be had; ``reason`` says why.
        :raises ConfigurationError: when HTTP does not allow one of the headers.
        """
        limit = self._max_bytes if max_bytes is None else max_bytes
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._timeout
        for hop in range(_MAX_REDIRECTS + 1):
            parsed = self._checked(url)
            credentials = headers if hop == 0 and parsed.origin in self._origins else None
            try:
                async with self._client.stream_get(
                    parsed.url, max_bytes=limit, timeout=max(deadline - clock(), 0.0), headers=credentials
                ) as response:
                    location = response.headers.get("location")
                    if response.status not in (301, 302, 303, 307, 308) or location is None:
                        return await self._receive(response, parsed)
            except BlockedAddressError as error:
                raise DownloadError(f"Refused to download: {error}", reason="blocked") from error
            except ResponseTooLargeError as error:
                raise DownloadError(str(error), reason="too_large") from error
            except TransferTimeoutError as error:
                msg = f"The download from {parsed.origin} did not finish within {self._timeout:g} s."
                raise DownloadError(msg, reason="timeout", retryable=True) from error
            except (TransferError, HostNotFoundError) as error:
                raise DownloadError(str(error), reason="connection", retryable=True) from error
            url = _joined(parsed, location)
        raise DownloadError(f"{parsed.origin} redirects more than {_MAX_REDIRECTS} times.", reason="redirects")

    def _checked(self, url: str) -> ParsedUrl:
        try:
            return self._policy.check_url(url)
        except BlockedAddressError as error:
            raise DownloadError(f"Refused to download: {error}", reason="blocked") from error

    async def _receive(self, response: GuardedResponse, parsed: ParsedUrl) -> Download:
        status = response.status
        if status != 200:
            msg = f"{parsed.origin} answered {status}; the link may have expired or need credentials."
            raise DownloadError(msg, reason="status", status=status, retryable=status == 429 or status >= 500)
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower() or _OCTETS
        if not self._allows(media_type):
            raise DownloadError(f"{parsed.origin} sent a type of file that is not accepted here.", reason="type")
        if response.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
            msg = f"{parsed.origin} sent a compressed body although told not to."
            raise DownloadError(msg, reason="encoding")
        content = bytearray()  # one buffer: a list of one-byte pieces would take forty times their size
        async for piece in response:
            content += piece
        return Download(bytes(content), media_type, filename_of(response.headers.get("content-disposition")))

    def _allows(self, media_type: str) -> bool:
        if self._allowed_types is None:
            return True
        family = media_type.partition("/")[0]
        return not self._allowed_types.isdisjoint((media_type, f"{family}/*", "*/*"))


def filename_of(disposition: str | None) -> str | None:
    """Read the file name of a ``Content-Disposition`` header, in a form fit to be shown and stored.

    The extended form (RFC 8187, formerly RFC 5987) goes before the plain one. Of a path only the last part is kept;
    characters that control, reorder or are reserved become ``_``; leading dots go, so that nothing gets hidden;
    names of devices get a ``_`` in front; at most 150 characters stay, and with them the extension.
    """
    # A leading semicolon makes the patterns fit a header that leaves the disposition out.
    header = f";{disposition or ''}"[:4096]
    if (extended := _EXTENDED.search(header)) is not None:
        name = unquote_to_bytes(extended[2]).decode(extended[1], "replace")
    elif (quoted := _QUOTED.search(header)) is not None:
        name = _as_utf8(re.sub(r"\\(.)", r"\1", quoted[1]) if r"\"" in quoted[1] else quoted[1])
    elif (bare := _BARE.search(header)) is not None:
        name = _as_utf8(bare[1])
    else:
        return None
    name = _UNFIT.sub("_", re.split(r"[/\\]", name)[-1]).lstrip(". ").rstrip(". ")
    if _DEVICES.match(name):
        name = f"_{name}"
    if len(name) > _MAX_NAME:
        stem, dot, extension = name.rpartition(".")
        keep = f"{dot}{extension}" if stem and len(extension) <= 16 else ""
        name = name[: _MAX_NAME - len(keep)] + keep
    return name if name.strip("_") else None


def _as_utf8(text: str) -> str:
    """Undo the Latin-1 reading of header bytes that most servers write in UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _joined(parsed: ParsedUrl, location: str) -> str:
    try:
        return urljoin(parsed.url, _as_utf8(location))
    except ValueError as error:
        raise DownloadError(f"{parsed.origin} redirects to a malformed URL.", reason="blocked") from error
