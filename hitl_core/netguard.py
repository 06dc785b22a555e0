"""Which addresses we may be sent to: a guard against requests a stranger aims at our own network.

Webhook endpoints and attachments are URLs written by somebody else. Before one is requested, an
:class:`AddressPolicy` looks at the URL, then at every address its name resolves to. The caller must connect to
those very addresses and not resolve again: a name may answer differently the second time.

Three kinds of addresses are refused: those never allowed (cloud metadata, link-local, multicast, unspecified,
reserved), the special ones of no use (documentation, benchmarks, tunnels), and private ones, which
``allow_private`` opens. Source: the IANA special-purpose registries for IPv4 and IPv6, and the clouds' manuals.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias
from urllib.parse import quote, urlsplit

import idna

from hitl_core.errors import ConfigurationError, HitlError

__all__ = ["AddressPolicy", "BlockedAddressError", "HostNotFoundError", "ParsedUrl", "Resolver", "Target"]

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to addresses in text form, best first; raises ``OSError`` when the name has none."""

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_MAX_URL: Final = 8192
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f\\]")
_NETLOC: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:@/%\s]+)(?::(?P<port>[0-9]{1,5}))?")
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_NUMERIC_END: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_TARGET_SAFE: Final = "!#$%&'()*+,/:;=?@[]~|^"


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


_NEVER: Final = _networks(
    "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",  # unspecified, link-local, multicast, reserved
    "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",  # metadata of Alibaba, Azure and Oracle
    "::/128", "fe80::/10", "fec0::/10", "ff00::/8",  # unspecified, link-local, site-local, multicast
    "fd00:ec2::/32", "fd20:ce::/32",  # metadata of Amazon and Google
)  # fmt: skip
_PRIVATE: Final = _networks(
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "100.64.0.0/10", "::1/128", "fc00::/7"
)
_SPECIAL: Final = _networks(
    "192.0.0.0/24", "192.88.99.0/24", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15",
    "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",  # Teredo and others, documentation, 6to4, documentation
)  # fmt: skip
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")


class BlockedAddressError(HitlError):
    """A URL points where we do not go; says which rule it breaks, and neither its query nor what it resolved to."""


class HostNotFoundError(HitlError, OSError):
    """The host name has no address now; it may have one later."""


@dataclass(frozen=True, slots=True)
class ParsedUrl:
    """A URL that passed the checks which need no network.

    :param host: in lower case and ASCII; an IPv6 address without brackets.
    :param target: path and query, percent-encoded.
    :param trusted: whether the allow list names the host, or the network of an address written out.
    """

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)
    trusted: bool = False

    @property
    def netloc(self) -> str:
        """Host, and the port unless the scheme implies it, as the ``Host`` header wants it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port: what may be shown and logged of the URL."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def url(self) -> str:
        """The whole URL, without fragment."""
        return self.origin + self.target


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect.

    :param url: the checked URL.
    :param addresses: all addresses of the host, every one of which passed, best first.
    """

    url: ParsedUrl
    addresses: tuple[str, ...]

    @property
    def host(self) -> str:
        """The name to verify the certificate for, which is not the address connected to."""
        return self.url.host


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Ask the operating system."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Decides which URLs and addresses may be requested.

    :param allow_private: open private, loopback and carrier-grade NAT addresses, still over https only.
    :param allow: trusted destinations as ``host``, ``host:port`` or network (``10.1.0.0/16``). A host is trusted by
        the name in the URL, whatever it resolves to, also over http and on any port unless one is given. A network
        opens its addresses. Addresses never allowed stay refused.
    :param resolver: replaces the operating system's name resolution, for tests and special networks.
    :raises ConfigurationError: when an entry of ``allow`` is none of these.
    """

    allow_private: bool = False
    allow: Collection[str] = frozenset()
    resolver: Resolver = field(default=system_resolver, compare=False, repr=False)
    _hosts: frozenset[tuple[str, int | None]] = field(init=False, repr=False, compare=False)
    _open: tuple[Network, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        entries = frozenset([self.allow] if isinstance(self.allow, str) else self.allow)
        hosts: set[tuple[str, int | None]] = set()
        opened: list[Network] = []
        for entry in entries:
            try:
                if "/" in entry:
                    opened.append(ip_network(entry))
                else:
                    bare_v6 = entry.count(":") > 1 and "[" not in entry
                    hosts.add(_split_netloc(f"[{entry}]" if bare_v6 else entry))
            except (ValueError, BlockedAddressError):
                raise ConfigurationError(
                    f"{entry!r} is no destination to allow. Write a host ('hooks.internal'), a host with its port "
                    "('127.0.0.1:8080', '[::1]:8080') or a network ('10.1.0.0/16')."
                ) from None
        object.__setattr__(self, "allow", entries)
        object.__setattr__(self, "_hosts", frozenset(hosts))
        object.__setattr__(self, "_open", tuple(opened))

    def check_url(self, url: str) -> ParsedUrl:
        """Check what can be checked without the network, and return the URL in one unambiguous form.

        :raises BlockedAddressError: naming the rule the URL breaks.
        """
        if len(url) > _MAX_URL:
            raise BlockedAddressError(f"The URL is longer than {_MAX_URL} characters.")
        if _FORBIDDEN.search(url):
            raise BlockedAddressError("The URL contains control characters or backslashes.")
        try:
            parts = urlsplit(url)
            path = quote(parts.path or "/", safe=_TARGET_SAFE)
            query = quote(parts.query, safe=_TARGET_SAFE)
        except ValueError:  # brackets that do not match, characters no encoding has
            raise BlockedAddressError("The URL is malformed.") from None
        if parts.scheme not in _DEFAULT_PORTS:
            raise BlockedAddressError("The URL does not begin with https://.")
        if "@" in parts.netloc:
            raise BlockedAddressError("The URL contains a user name or password; remove it.")
        host, written_port = _split_netloc(parts.netloc)
        port = _DEFAULT_PORTS[parts.scheme] if written_port is None else written_port
        literal = _literal(host)
        trusted = self._trusts(host, port) or (literal is not None and self._opens(literal))
        parsed = ParsedUrl(parts.scheme, host, port, f"{path}?{query}" if query else path, trusted)
        if literal is not None:
            if not trusted and _hides_v4(literal):
                raise BlockedAddressError(f"{parsed.origin} hides an IPv4 address in an IPv6 one.")
            self._check_address(literal, parsed.netloc, trusted=trusted)
        if not trusted:
            if parts.scheme != "https":
                raise BlockedAddressError(f"{parsed.origin} is not https; allow '{host}:{port}' if it is your own.")
            if port < 1024 and port not in (80, 443):
                raise BlockedAddressError(f"{parsed.origin} is a port of another service; allow '{host}:{port}'.")
        return parsed

    async def resolve(self, url: str) -> Target:
        """Check a URL, resolve its host once, and return addresses that all pass.

        :raises BlockedAddressError: when the URL or any of the addresses is refused.
        :raises HostNotFoundError: when the name has no address.
        """
        parsed = self.check_url(url)
        return Target(parsed, await self.resolve_host(parsed.host, parsed.port))

    async def resolve_host(self, host: str, port: int) -> tuple[str, ...]:
        """Resolve the host of a checked URL, as :meth:`resolve` does.

        One refused address refuses the name: an answer that mixes public and private ones is an attack or a mistake.
        """
        literal = _literal(host)
        try:
            found = [str(literal)] if literal is not None else list(await self.resolver(host, port))
            addresses = [ip_address(text) for text in found]
        except (OSError, ValueError):
            addresses = []
        if not addresses:
            raise HostNotFoundError(f"The host name {host!r} does not resolve; check it for a slip.")
        trusted = self._trusts(host, port)
        for address in addresses:
            self._check_address(address, host, trusted=trusted)
        return tuple(dict.fromkeys(map(str, addresses)))

    def _trusts(self, host: str, port: int) -> bool:
        return (host, port) in self._hosts or (host, None) in self._hosts

    def _opens(self, address: Address) -> bool:
        return any(address in network for network in self._open)

    def _check_address(self, address: Address, shown: str, *, trusted: bool) -> None:
        """Refuse an address by its kind; the message names the kind alone, lest it map our network for a stranger."""
        if isinstance(address, IPv6Address) and (address in _NAT64 or address in _MAPPED):
            address = IPv4Address(int(address) & 0xFFFFFFFF)  # resolvers give these: judge what is behind them
        if _within(address, _NEVER):
            raise BlockedAddressError(f"{shown} leads to a link-local, metadata, multicast or reserved address.")
        if trusted or self._opens(address):
            return
        if _within(address, _PRIVATE):
            if not self.allow_private:
                raise BlockedAddressError(f"{shown} leads to a private address; allow the host if it is your own.")
        elif _within(address, _SPECIAL) or (isinstance(address, IPv6Address) and address not in _GLOBAL_V6):
            raise BlockedAddressError(f"{shown} does not lead to an address of the public Internet.")


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _hides_v4(address: Address) -> bool:
    """Tell the IPv6 spellings of IPv4 addresses: mapped, compatible, NAT64, 6to4 and Teredo."""
    return isinstance(address, IPv6Address) and (
        1 < int(address) < 2**32
        or _within(address, (_NAT64, _MAPPED))
        or address.sixtofour is not None
        or address.teredo is not None
    )


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _split_netloc(netloc: str) -> tuple[str, int | None]:
    found = _NETLOC.fullmatch(netloc)
    if found is None:
        raise BlockedAddressError("The URL has no host, or one that is malformed.")
    port = found["port"]
    if port is not None and not 0 < int(port) < 65536:
        raise BlockedAddressError("The port of the URL is not between 1 and 65535.")
    return _normal_host(found["host"]), int(port) if port is not None else None


def _normal_host(text: str) -> str:
    """Return the one spelling of a host, and refuse spellings that other programs read as something else."""
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except ValueError:
            raise BlockedAddressError("The host of the URL is not an IPv6 address.") from None
    host = text.lower()
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except UnicodeError:
            raise BlockedAddressError("The host of the URL is not a valid international domain name.") from None
    if host.endswith("."):
        raise BlockedAddressError("The host of the URL ends in a dot; remove it.")
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise BlockedAddressError("The host of the URL is not a valid name.")
    if _NUMERIC_END.fullmatch(host) and (not text.isascii() or not isinstance(_literal(host), IPv4Address)):
        raise BlockedAddressError("The host of the URL is a number; write an IPv4 address as four decimal numbers.")
    return host
