"""Where requests may go: one host, named beforehand, and nowhere else."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias
from urllib.parse import SplitResult, quote, urlsplit

from hitl_core._http.messages import place
from hitl_core.errors import ConfigurationError, InvalidRequestError

__all__ = ["Base", "Params", "encode_params", "segment"]

Scalar: TypeAlias = str | int | float | bool | None
Params: TypeAlias = Mapping[str, Scalar | Iterable[Scalar]] | Iterable[tuple[str, Scalar]]
"""Query or form fields; ``None`` is left out, ``True`` is ``true``, a list repeats the field."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
# What RFC 3986 allows in path and query. A fragment never travels, so `#` is a mistake.
_PATH = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")
_QUERY = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]|]|%[0-9A-Fa-f]{2})*")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.\-]*[a-z0-9_.])?|[0-9a-f:.]+")
_DOT_SEGMENTS = {".", "..", "%2e", "%2e%2e", ".%2e", "%2e."}


def segment(value: str | int) -> str:
    """Encode one piece of a path, reserved characters and slashes included.

    :raises InvalidRequestError: it is empty, ``.`` or ``..``, which no encoding can keep from changing the path.
    """
    text = str(value)
    if text in {"", ".", ".."}:
        msg = f"{text!r} cannot be part of a URL path; check the id this call was given"
        raise InvalidRequestError(msg)
    return quote(text, safe="", errors="replace")


def encode_params(params: Params) -> str:
    """Encode query or form fields in the order given, spaces as ``%20``."""
    pairs = params.items() if isinstance(params, Mapping) else params
    return "&".join(
        f"{quote(name, safe='', errors='replace')}={quote(_text(item), safe='', errors='replace')}"
        for name, value in pairs
        for item in (value if isinstance(value, Iterable) and not isinstance(value, str) else (value,))
        if item is not None
    )


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class Base:
    """The address of one API; everything a client of it sends stays on its origin.

    :param url: such as ``https://desk.example.com/api/v2``.
    :param allow_http: take ``http`` for other hosts than this machine, credentials going over the wire in clear:
        for networks you own.
    :raises ConfigurationError: it is not such an address; the message never quotes it, for it may hold a password.
    """

    __slots__ = ("_prefix", "host", "origin")

    def __init__(self, url: str, *, allow_http: bool = False) -> None:
        parts = _split(url)
        host = _host(parts)
        if parts.username is not None or parts.password is not None:
            raise _wrong("holds a user or password; give credentials in their own settings")
        if parts.query or parts.fragment or "?" in url or "#" in url:
            raise _wrong("has a query or fragment; leave out everything from '?' or '#' on")
        if not _PATH.fullmatch(parts.path) or _climbs(parts.path):
            raise _wrong("has a path with characters that must be percent-encoded, or with '..'")
        if parts.scheme == "http" and not allow_http and not _is_loopback(host):
            raise _wrong(
                f"would send credentials to {host} in clear; use https (plain http is taken for this machine only)"
            )
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        self.host = f"[{host}]" if ":" in host else host
        if port != _DEFAULT_PORTS[parts.scheme]:
            self.host += f":{port}"
        self.origin = f"{parts.scheme}://{self.host}"
        self._prefix = f"{self.origin}{parts.path.rstrip('/')}/"

    def __repr__(self) -> str:
        return f"<Base {self._prefix}>"

    def url(self, path: str, params: Params | None = None) -> str:
        """Return the full URL of a path below the base, or of an absolute URL on the same origin.

        :raises InvalidRequestError: it leads elsewhere, or holds what must be encoded (see :func:`segment`).
        """
        if "://" in path.partition("?")[0]:
            url = self._same_origin(path)
        else:
            bare, mark, query = path.partition("?")
            if not _PATH.fullmatch(bare) or not _QUERY.fullmatch(query) or _climbs(bare):
                msg = "the path holds characters that must be percent-encoded, or '..'; build it with segment()"
                raise InvalidRequestError(msg)
            url = f"{self._prefix}{bare.lstrip('/')}{mark}{query}" if bare else f"{self._prefix[:-1]}{mark}{query}"
        if params and (query := encode_params(params)):
            url += f"{'&' if '?' in url else '?'}{query}"
        return url

    def _same_origin(self, url: str) -> str:
        try:
            parts = _split(url)
            other = Base(f"{parts.scheme}://{parts.netloc}", allow_http=True)
        except ConfigurationError:
            other = None
        if other is None or other.origin != self.origin:
            msg = (
                f"the absolute URL leads away from {self.host}; credentials go to the configured host only. "
                "Use a path, or bind() a client for the other host"
            )
            raise InvalidRequestError(msg)
        if not _PATH.fullmatch(parts.path) or not _QUERY.fullmatch(parts.query) or _climbs(parts.path):
            msg = f"{place(url)!r} holds characters that must be percent-encoded, or '..'"
            raise InvalidRequestError(msg)
        return f"{self.origin}{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"


def _wrong(why: str) -> ConfigurationError:
    return ConfigurationError(f"base_url {why}; it should look like https://desk.example.com/api")


def _split(url: str) -> SplitResult:
    if url != url.strip() or not url.isprintable() or "\\" in url:
        raise _wrong("has blanks or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _wrong("is not a URL, or its port is not a number") from None
    if parts.scheme not in _DEFAULT_PORTS or port == 0:
        raise _wrong("does not start with https://")
    return parts


def _host(parts: SplitResult) -> str:
    try:
        host = (parts.hostname or "").encode("idna").decode("ascii").lower()
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host):
        raise _wrong("names no host")
    return host


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _climbs(path: str) -> bool:
    lower = path.lower()
    return ("." in lower or "%2e" in lower) and any(part in _DOT_SEGMENTS for part in lower.split("/"))
