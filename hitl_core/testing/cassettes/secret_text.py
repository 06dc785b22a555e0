"""Finding a known secret in whatever spelling it travels, and putting a harmless word in its place.

Spellings: plain, percent-encoded (also twice), escaped as in JSON (also twice), as in HTML, hexadecimal, and Base64 in
both alphabets at each of the three alignments a secret can have inside something longer, such as ``user:secret``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Final

__all__ = ["PLACEHOLDER", "SHORTEST_SECRET", "SecretText", "is_searchable", "spelt"]

PLACEHOLDER: Final = "redacted"
SHORTEST_SECRET: Final = 6
"""Characters. Shorter ones would be found in ordinary words, and protect nothing anyway."""

_JSON_ESCAPES: Final = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", '"': '"', "/": "/"}
_HTML: Final = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&(?:quot|#34|#x22);",
    "'": "&(?:#39|#x27|apos);",
    "+": "&#43;",
    "/": "&#x2[fF];",
}
# Each time JSON stands in JSON, backslashes double; without a bound, long rows of them would take quadratic time.
_ESCAPED: Final = r"\\{1,8}"
# Mail wraps Base64 at 76 characters.
_WRAP: Final = r"(?:\s|\\[rn])*"


class SecretText:
    """Some secrets, and every way to spell them.

    :param secrets: at least :data:`SHORTEST_SECRET` characters each; empty ones are passed over.
    :raises ValueError: one is too short, or is part of what would stand in its place.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first, or a secret that is part of another would leave the rest of it standing.
        values = sorted({secret for secret in secrets if secret}, key=lambda value: (-len(value), value))
        for value in values:
            if problem := _obstacle(value):
                raise ValueError(problem)
        self._plain = _any_of(spelt(value) for value in values)
        self._hex = _any_of(_hex(value) for value in values)
        self._base64 = _any_of(core for value in values for core in _base64_cores(value))

    def __bool__(self) -> bool:
        return self._plain is not None

    def is_in(self, text: str) -> bool:
        """Return whether any of the secrets is in this text, in any spelling."""
        patterns = (self._plain, self._hex, self._base64)
        return any(pattern is not None and pattern.search(text) for pattern in patterns)

    def replaced(self, text: str) -> str:
        """Return the text without the secrets."""
        if self._plain is None or self._hex is None or self._base64 is None:
            return text
        text = self._plain.sub(PLACEHOLDER, text)
        text = self._hex.sub(_HEX_PLACEHOLDER, text)
        return self._base64.sub(_BASE64_PLACEHOLDER, text)


def is_searchable(secret: str) -> bool:
    """Return whether a secret can be told from ordinary text."""
    return not _obstacle(secret)


def _obstacle(secret: str) -> str:
    if len(secret) < SHORTEST_SECRET:
        return f"a secret of {len(secret)} characters cannot be told from ordinary text"
    if any(secret.lower() in text for text in (PLACEHOLDER, _HEX_PLACEHOLDER, _BASE64_PLACEHOLDER.lower())):
        return f"a secret cannot be part of the word {PLACEHOLDER!r}, which takes its place"
    return ""


_HEX_PLACEHOLDER: Final = PLACEHOLDER.encode().hex()
_BASE64_PLACEHOLDER: Final = base64.b64encode(PLACEHOLDER.encode()).decode().rstrip("=")


def spelt(text: str) -> str:
    """Return a regular expression for a text in plain, percent-encoded, JSON and HTML spelling, also mixed."""
    return "".join(map(_character, text))


def _character(character: str) -> str:
    data = character.encode("utf-8", "surrogatepass")
    units = character.encode("utf-16-be", "surrogatepass").hex()
    ways = [
        "".join(f"%(?:25)*{_any_case(f'{byte:02x}')}" for byte in data),
        "".join(rf"{_ESCAPED}u{_any_case(units[at : at + 4])}" for at in range(0, len(units), 4)),
        re.escape(character),
    ]
    if character in _JSON_ESCAPES:
        ways.append(rf"{_ESCAPED}{re.escape(_JSON_ESCAPES[character])}")
    elif character == "\\":
        ways.append(r"\\{2,8}")
    elif character == " ":
        ways.append(r"\+")
    if character in _HTML:
        ways.append(_HTML[character])
    if not character.isascii():
        ways.append(re.escape(data.decode("latin-1")))  # in a body that is no text
    return f"(?:{'|'.join(ways)})"


def _any_case(hexadecimal: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in hexadecimal)


def _hex(secret: str) -> str:
    return _any_case(secret.encode("utf-8", "surrogatepass").hex())


def _base64_cores(secret: str) -> Iterable[str]:
    """For each alignment, the characters that depend on the secret alone, and the mixed ones beside them if there."""
    data = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode()
        first, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        core = _WRAP.join(_base64_character(character) for character in encoded[first:end])
        mixed = r"[A-Za-z0-9+/_-]?"
        yield f"{mixed if before else ''}{core}{mixed if (before + len(data)) % 3 else ''}"


def _base64_character(character: str) -> str:
    if character == "+":
        return r"(?:[+-]|%2[bB])"
    if character == "/":
        return r"(?:\\{0,8}/|_|%2[fF])"
    return character


def _any_of(patterns: Iterable[str]) -> re.Pattern[str] | None:
    every = list(patterns)
    return re.compile("|".join(every)) if every else None
