"""Proof that a webhook comes from the helpdesk: one HMAC scheme with eight knobs, and the plain shared secret.

Helpdesks sign the same way and differ in details: which header, which hash, hex or base64, what goes in front of
the body. :class:`HmacScheme` holds those details as data, so a provider states its row and writes no cryptography::

    SCHEME = HmacScheme("X-Hub-Signature", algorithm="sha1", prefix="sha1=")
    SCHEME.verify(secrets, request.headers, request.body, now=clock.now())

Both schemes share three promises. A list of secrets is accepted, so that one can be replaced without a gap. Every
secret is tried whatever the first one said, and compared in constant time. Whatever a stranger sends, and whatever
the configured secrets hold, nothing but :class:`WebhookVerificationError` comes out of ``verify``.

A scheme without a signed timestamp cannot tell a replay from the original; deduplicate its deliveries.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from hitl_core.errors import ConfigurationError, WebhookVerificationError

__all__ = ["HmacScheme", "SecretEncoding", "SharedSecretScheme", "Verified", "decode_secret"]

SecretEncoding = Literal["utf8", "whsec", "base64", "hex"]

_MAX_HEADER: Final = 8192
_MAX_SIGNATURES: Final = 32
_NAMES: Final = re.compile(r"\{(\w*)\}")
# Eleven digits of seconds end in the year 5138: always a valid datetime, and no number worth a long parse.
_SECONDS: Final = re.compile(r"[0-9]{1,11}")
_MILLISECONDS: Final = re.compile(r"[0-9]{1,14}")
# The offset is required: without it, a scheme that puts nothing between timestamp and body would let a stranger
# move the trailing "Z" from the one into the other.
_ISO: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_UNCONFIGURED: Final = (
    "No webhook secret is configured. Set webhook_secret to the secret the helpdesk signs with, "
    "or allow_unsigned_webhooks if it cannot sign."
)
_UNUSABLE: Final = "No configured webhook secret is usable ({form}). Copy it into webhook_secret again, whole."
_FORMS: Final[Mapping[SecretEncoding, str]] = {
    "utf8": "it must not be empty",
    "whsec": "it must be whsec_ followed by base64",
    "base64": "it must be base64",
    "hex": "it must be hexadecimal digits",
}


class Verified(NamedTuple):
    """What a valid signature vouches for, besides the body.

    :param timestamp: when this attempt was signed, in UTC; none when the scheme signs no timestamp.
    :param id: the signed id of the delivery, the same across retries; none when the scheme signs no id.
    """

    timestamp: datetime | None = None
    id: str | None = None


@lru_cache(maxsize=256)
def decode_secret(secret: str, encoding: SecretEncoding) -> bytes | None:
    """Return the HMAC key a secret stands for, or none when it stands for no key.

    An empty key is no key: anybody could sign with it. The same goes for zero bytes, which HMAC treats alike.
    Decoded keys are kept for the life of the process, the 256 most recently used of them.
    """
    try:
        if encoding == "utf8":
            key = secret.encode()
        elif encoding == "hex":
            key = bytes.fromhex(secret)
        else:
            text = secret.removeprefix("whsec_") if encoding == "whsec" else secret
            key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:  # not base64, not hexadecimal, or a character no encoding has
        return None
    return key if key.strip(b"\0 \t\r\n") else None


@dataclass(frozen=True, slots=True)
class HmacScheme:
    """How one kind of sender signs a body with HMAC.

    :param header: header that carries the signature; case does not matter, all names are kept in lower case.
    :param prefix: text in front of each signature in the header, such as ``"sha256="``.
    :param template: the signed text, from ``{body}``, ``{timestamp}``, ``{id}`` and fixed characters.
    :param timestamp_header: header of the signed timestamp; given exactly when the template signs one.
    :param timestamp_unit: seconds or milliseconds since 1970, or an ISO 8601 time with its offset.
    :param id_header: header of the signed delivery id; given exactly when the template signs one.
    :param secret_encoding: how the configured text becomes the key; ``"whsec"`` is base64 after ``whsec_``.
    :param multiple: what separates several signatures in the header; none when there is only ever one.
    :param tolerance: how many seconds the timestamp may lie in the past or in the future.
    :raises ConfigurationError: when the template and the headers do not fit together.
    """

    header: str
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    template: str = "{body}"
    timestamp_header: str | None = None
    timestamp_unit: Literal["s", "ms", "iso"] = "s"
    id_header: str | None = None
    secret_encoding: SecretEncoding = "utf8"  # noqa: S105  the name of an encoding
    multiple: str | None = None
    tolerance: float = 300.0
    _head: str = field(init=False, repr=False, compare=False, default="")
    _tail: str = field(init=False, repr=False, compare=False, default="")

    def __post_init__(self) -> None:
        names = _NAMES.findall(self.template)
        wanted = {"body"}
        if self.timestamp_header is not None:
            wanted.add("timestamp")
        if self.id_header is not None:
            wanted.add("id")
        if sorted(names) != sorted(wanted) or re.search(r"[{}]", _NAMES.sub("", self.template)):
            raise ConfigurationError(
                f"The signature template {self.template!r} does not fit its headers. It must hold {{body}} once, "
                "{timestamp} once exactly when timestamp_header is set, and {id} once exactly when id_header is set."
            )
        for name in ("header", "timestamp_header", "id_header"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, value.lower())
        head, _, tail = self.template.partition("{body}")
        object.__setattr__(self, "_head", head)
        object.__setattr__(self, "_tail", tail)

    def sign(
        self,
        secret: str,
        body: bytes,
        *,
        timestamp: datetime | float | None = None,
        id: str | None = None,
    ) -> dict[str, str]:
        """Return the headers a sender of this scheme adds to a body.

        :param timestamp: aware datetime or seconds since 1970; needed when the scheme signs one.
        :param id: printable ASCII; needed when the scheme signs one.
        :raises ConfigurationError: when the secret is unusable, or the timestamp or id is missing or unfit.
        """
        key = decode_secret(secret, self.secret_encoding)
        if key is None:
            raise ConfigurationError(_UNUSABLE.format(form=_FORMS[self.secret_encoding]))
        headers: dict[str, str] = {}
        written = ""
        if self.id_header is not None:
            if id is None or not _fit_for_id(id):
                raise ConfigurationError("This scheme signs an id of 1 to 256 printable ASCII characters: pass id=.")
            headers[self.id_header] = id
        if self.timestamp_header is not None:
            if timestamp is None:
                raise ConfigurationError("This scheme signs the time of the attempt: pass timestamp=.")
            headers[self.timestamp_header] = written = self._write(_seconds(timestamp))
        headers[self.header] = self._signature(key, self._signed(body, id or "", written))
        return headers

    def verify(
        self,
        secrets: Sequence[str],
        headers: Mapping[str, str],
        body: bytes,
        *,
        now: datetime | float,
        tolerance: float | None = None,
    ) -> Verified:
        """Check that the body was signed with one of the secrets, at about this time.

        :param secrets: those in force, usually one; during a change the new and the old one.
        :param body: the raw bytes as received; a body parsed and written again does not verify.
        :param now: aware datetime or seconds since 1970.
        :param tolerance: seconds, in place of the scheme's own.
        :raises WebhookVerificationError: when the delivery is not provably authentic and fresh.
        """
        keys = [key for secret in _listed(secrets) if (key := decode_secret(secret, self.secret_encoding))]
        if not keys:
            raise WebhookVerificationError(_UNUSABLE.format(form=_FORMS[self.secret_encoding]))
        presented = _header(headers, self.header)
        delivery_id = _header(headers, self.id_header) if self.id_header is not None else None
        if delivery_id is not None and not _fit_for_id(delivery_id):
            raise WebhookVerificationError(f"Header {self.id_header} is not an id of 1 to 256 ASCII characters.")
        written = _header(headers, self.timestamp_header) if self.timestamp_header is not None else None
        seconds = self._read(written) if written is not None else None

        candidates = self._candidates(presented)
        signed = self._signed(body, delivery_id or "", written or "")
        matched = False
        for key in keys:
            expected = self._signature(key, signed)
            for candidate in candidates:
                matched |= hmac.compare_digest(expected, candidate)
        if not matched:
            raise WebhookVerificationError(
                f"The signature in header {self.header} does not match. Check that webhook_secret is the secret of "
                "this very webhook, and that the raw body is verified, before anything parses it."
            )
        if seconds is None:
            return Verified(None, delivery_id)
        self._check_window(seconds, now, self.tolerance if tolerance is None else tolerance)
        return Verified(datetime.fromtimestamp(seconds, UTC), delivery_id)

    def _signed(self, body: bytes, delivery_id: str, timestamp: str) -> bytes:
        if not self._head and not self._tail:
            return body
        # The id goes in last: it may contain anything, the timestamp only what its pattern lets through.
        head = self._head.replace("{timestamp}", timestamp).replace("{id}", delivery_id).encode()
        if not self._tail:
            return head + body
        return head + body + self._tail.replace("{timestamp}", timestamp).replace("{id}", delivery_id).encode()

    def _signature(self, key: bytes, signed: bytes) -> str:
        digest = hmac.digest(key, signed, self.algorithm)
        if self.encoding == "hex":
            return self.prefix.lower() + digest.hex()
        return self.prefix + binascii.b2a_base64(digest, newline=False).decode("ascii")

    def _candidates(self, presented: str) -> Sequence[str]:
        if len(presented) > _MAX_HEADER or not presented.isascii():
            raise WebhookVerificationError(f"Header {self.header} is not a signature: too long or not ASCII.")
        if self.encoding == "hex":
            presented = presented.lower()
        if self.multiple is None:
            return (presented,)
        candidates = presented.split(self.multiple)
        if len(candidates) > _MAX_SIGNATURES:
            raise WebhookVerificationError(f"Header {self.header} lists more than {_MAX_SIGNATURES} signatures.")
        return candidates

    def _write(self, seconds: float) -> str:
        if self.timestamp_unit == "s":
            return str(int(seconds))
        if self.timestamp_unit == "ms":
            return str(round(seconds * 1000))
        return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _read(self, text: str) -> float:
        try:
            if self.timestamp_unit == "s" and _SECONDS.fullmatch(text):
                return int(text)
            if self.timestamp_unit == "ms" and _MILLISECONDS.fullmatch(text):
                return int(text) / 1000
            if self.timestamp_unit == "iso" and _ISO.fullmatch(text):
                return datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError):
            pass  # such as the 31st of February
        unit = {"s": "seconds since 1970", "ms": "milliseconds since 1970", "iso": "an ISO 8601 time with its offset"}
        raise WebhookVerificationError(f"Header {self.timestamp_header} is not {unit[self.timestamp_unit]}.")

    def _check_window(self, seconds: float, now: datetime | float, tolerance: float) -> None:
        age = _seconds(now) - seconds
        if not -tolerance <= age <= tolerance:
            when = "ago" if age > 0 else "in the future"
            repeat = "; if they agree, it is a repeat of an earlier delivery" if age > 0 else ""
            raise WebhookVerificationError(
                f"The delivery was signed {abs(age):.0f} s {when}, and {tolerance:.0f} s are allowed. "
                f"Check the clocks of both machines{repeat}."
            )


@dataclass(frozen=True, slots=True)
class SharedSecretScheme:
    """A secret the sender repeats in a header, for helpdesks that cannot sign.

    It proves who sent the delivery only as long as nobody else has seen one, and neither body nor time. Use an
    unguessable value of its own, over https alone, and deduplicate.

    :param header: header that carries the secret; case does not matter, the name is kept in lower case.
    """

    header: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "header", self.header.lower())

    def sign(self, secret: str) -> dict[str, str]:
        """Return the header a sender adds.

        :raises ConfigurationError: when the secret is empty.
        """
        if decode_secret(secret, "utf8") is None:
            raise ConfigurationError(_UNUSABLE.format(form=_FORMS["utf8"]))
        return {self.header: secret}

    def verify(
        self, secrets: Sequence[str], headers: Mapping[str, str], body: bytes = b"", *, now: datetime | float = 0
    ) -> Verified:
        """Check that the header holds one of the secrets; body and time are not looked at.

        :raises WebhookVerificationError: when it does not.
        """
        keys = [key for secret in _listed(secrets) if (key := decode_secret(secret, "utf8"))]
        if not keys:
            raise WebhookVerificationError(_UNUSABLE.format(form=_FORMS["utf8"]))
        presented = _header(headers, self.header)
        if len(presented) > _MAX_HEADER:
            raise WebhookVerificationError(f"Header {self.header} is too long for a secret.")
        # Digests, because compare_digest alone tells the lengths apart.
        given = hashlib.sha256(presented.encode("utf-8", "surrogatepass")).digest()
        matched = False
        for key in keys:
            matched |= hmac.compare_digest(hashlib.sha256(key).digest(), given)
        if not matched:
            raise WebhookVerificationError(
                f"Header {self.header} does not hold the secret. Check webhook_secret against the value the helpdesk "
                "was told to send."
            )
        return Verified()


def _listed(secrets: Sequence[str]) -> list[str]:
    """Guard against the slip of passing one secret bare, which would try its letters one by one."""
    entries: Sequence[object] = [secrets] if isinstance(secrets, str) else secrets
    listed = [entry for entry in entries if isinstance(entry, str)]
    if not listed:
        raise WebhookVerificationError(_UNCONFIGURED)
    return listed


def _header(headers: Mapping[Any, Any], name: str) -> str:
    value = headers.get(name)
    if value is None:
        value = next((v for k, v in headers.items() if isinstance(k, str) and k.lower() == name), None)
    if not isinstance(value, str) or not value:
        raise WebhookVerificationError(
            f"Header {name} is missing. The delivery is not from the helpdesk, or signing is switched off there, "
            "or a proxy drops the header."
        )
    return value


def _fit_for_id(text: str) -> bool:
    return 0 < len(text) <= 256 and text.isascii() and text.isprintable()


def _seconds(moment: datetime | float) -> float:
    if not isinstance(moment, datetime):
        return moment
    if moment.tzinfo is None:
        raise ConfigurationError("A time without a time zone is ambiguous: pass an aware datetime, such as in UTC.")
    return moment.timestamp()
