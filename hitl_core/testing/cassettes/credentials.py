"""What looks like a credential, whoever it belongs to: taken out when recording, a problem when it is found later."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Final

from hitl_core.testing.cassettes.secret_text import PLACEHOLDER

__all__ = ["credentials_in", "field_name", "is_credential_field", "is_redacted", "without_credentials"]

# Signing libraries want 24 bytes or more behind it, in Base64.
_WEBHOOK_PLACEHOLDER: Final = "whsec_" + base64.b64encode((PLACEHOLDER + "-").encode() * 3).decode().rstrip("=")

_FIELDS: Final = re.compile(
    r"x?(?:access|api|app|auth|bearer|client|id|refresh|secret|shared|signing|verify|webhook)(?:key|secret|token)"
    r"|authorization|clientassertion|jwt|passphrase|passwd|password|privatekey|secret"
)
_ASSIGNED: Final = (
    r"(?:access|api|auth|bearer|client|id|refresh|secret|shared|signing|verify|webhook)[_-]?(?:key|secret|token)"
    r"|api[_-]?key|passwd|password|passphrase"
)
_TOKENS: Final = (
    r"[spr]k_(?:live|test)_\w{6,}|sk[_-](?=[\w-]{0,64}\d)[\w-]{16,}|xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}|gh[pousr]_\w{16,}"
    r"|github_pat_\w{16,}|glpat-[\w-]{16,}|shp(?:at|ss|ca)_\w{16,}|pat-[a-z]{2}\d-[\w-]{16,}|AKIA[0-9A-Z]{16}"
    r"|AIza[\w-]{30,}|SG\.[\w-]{16,}\.[\w-]{16,}|ya29\.[\w-]{16,}"
)
_END: Final = rf"(?!{PLACEHOLDER}\b)"

# Kind and pattern; the group `keep` stays.
_PATTERNS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
        ("a JSON web token", r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
        ("a user and password in a URL", r"(?P<keep>://)[^\s/@:?#\"'<>]*:[^\s/@?#\"'<>]+@"),
        ("a user in a URL", r"(?P<keep>https?://)[^\s/@:?#\"'<>]+@"),
        ("a webhook secret", rf"\bwhsec_(?!{_WEBHOOK_PLACEHOLDER[6:]})[\w+/=-]{{4,}}"),
        # At least one character that is no small letter, or it is a word: "bearer of bad news".
        (
            "a Bearer value",
            rf"\b(?P<keep>(?i:bearer)(?:\s|\+|%20)+){_END}(?=[a-z.]*[A-Z\d_~+/=%-]|[a-z]{{20}})[\w.~+/=%-]{{6,}}",
        ),
        ("a Basic value", r"\b(?P<keep>(?i:basic)(?:\s|\+|%20)+)[\w+/-]{8,}(?:=|%3[dD]){0,2}"),
        (
            "a token",
            rf"\b(?:{_TOKENS})",
        ),
        (
            "a credential by its name",
            rf"(?P<keep>\b(?i:{_ASSIGNED})(?:(?:=|%3[dD])[\"']?|\\*[\"']?\s*:\s*\\*[\"'])){_END}[^\s&\"'\\<>,;%]{{4,}}",
        ),
    )
)


def credentials_in(text: str) -> Iterator[str]:
    """Name the kinds of credentials in a text."""
    for kind, pattern in _PATTERNS:
        if any(not _is_harmless(kind, found) for found in pattern.finditer(text)):
            yield kind


def without_credentials(text: str) -> str:
    """Return the text with a harmless word in place of each credential."""
    for kind, pattern in _PATTERNS:
        text = pattern.sub(partial(_replaced, kind), text)
    return text


def _replaced(kind: str, found: re.Match[str]) -> str:
    if _is_harmless(kind, found):
        return found[0]
    keep = found.groupdict().get("keep") or ""
    if kind == "a webhook secret":
        return _WEBHOOK_PLACEHOLDER
    return keep if "URL" in kind else keep + PLACEHOLDER


def _is_harmless(kind: str, found: re.Match[str]) -> bool:
    if kind != "a Basic value":
        return False
    value = re.sub("=|%3[dD]", "", found[0].removeprefix(found["keep"]))
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_" if set(value) & {*"-_"} else None)
    except (binascii.Error, ValueError):
        return True
    return b":" not in plain  # "Basic plan-2026" is none; credentials are user:password


@lru_cache(maxsize=1024)
def field_name(name: str) -> str:
    """Return the bare name of a field: ``user[First-Name]`` and ``contact.first_name`` are both ``firstname``."""
    last = re.split(r"[\[\].]+", name.strip("[]."))[-1]
    return re.sub(r"[^a-z0-9]", "", last.lower())


def is_credential_field(name: str) -> bool:
    """Return whether what stands in a field of this name is a credential, whatever it looks like."""
    return _FIELDS.fullmatch(field_name(name)) is not None


def is_redacted(value: str) -> bool:
    """Return whether a credential was taken out of this value."""
    return not value.strip() or PLACEHOLDER in value or _WEBHOOK_PLACEHOLDER in value
