"""Cleaning a text: what is inside of it is taken apart, cleaned piece by piece and put together again.

JSON stays JSON, a URL a URL, Base64 Base64, each also inside the other.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from hitl_core.testing.cassettes.bodies import dump_json, form_pairs, join_form, json_style, load_json
from hitl_core.testing.cassettes.credentials import is_credential_field, is_redacted, without_credentials
from hitl_core.testing.cassettes.people import (
    Found,
    emails_in,
    is_name_field,
    is_phone_field,
    name_for,
    phone_of_field,
    phones_in,
    without,
)
from hitl_core.testing.cassettes.secret_text import PLACEHOLDER, SecretText, spelt

__all__ = ["BASE64_WORD", "PERCENT_WORD", "SEGMENT_SAFE", "Cleaner", "decoded_base64"]

# JSON in a string in JSON in Base64 …; deeper is cleaned as plain text.
_DEEPEST: Final = 6
_ROUNDS: Final = 5
SEGMENT_SAFE: Final = "!$&'()*+,;=:@~"
"""What may stand in a segment of a path as it is."""
_WHOLE_URL: Final = re.compile(r"https?://[^\s\"<>]+", re.IGNORECASE)
BASE64_WORD: Final = re.compile(r"(?<![\w+/-])[A-Za-z0-9+/_-]{12,}(?:={1,2}|(?:%3[dD]){1,2})?(?![\w+/=-])")
"""What may be Base64 by its looks."""
# It begins where a word does: tried at every character, a long text without a blank would take for ever.
PERCENT_WORD: Final = re.compile(r"(?<![^\s\"<>%])[^\s\"<>%]*(?:%[0-9A-Fa-f]{2}[^\s\"<>%]*)+")
"""What is percent-encoded in part, such as a relative URL in a text."""


class Cleaner:
    """Cleans texts; see :class:`hitl_core.testing.cassettes.Scrubber` for what its arguments mean."""

    def __init__(
        self, *, secrets: SecretText, replace: Mapping[str, str], names: Collection[str], allowed_names: Collection[str]
    ) -> None:
        self.secrets = secrets
        self._allowed = frozenset((*allowed_names, *replace.values()))
        # Addresses before e-mail addresses become pseudonyms, places across several parts of a URL before it is cut.
        self._addresses = _Replacement({key: value for key, value in replace.items() if "@" in key})
        self._places = _Replacement({key: value for key, value in replace.items() if "/" in key})
        self._others = _Replacement({key: value for key, value in replace.items() if "@" not in key})
        self._names = _Names(names, self._allowed)

    def text(self, text: str, field: str = "", depth: int = 0) -> str:
        """Clean a text.

        :param field: name of the field it stands in, which may say what it is.
        """
        if depth < _DEEPEST:
            if text.lstrip()[:1] in {"{", "["} and (cleaned := self.json(text, field, depth)) is not None:
                return cleaned
            if _WHOLE_URL.fullmatch(text) and not is_credential_field(field):
                return self.url(text, depth)
        cleaned = self._plain(text, depth)
        if is_credential_field(field):
            return cleaned if is_redacted(cleaned) else PLACEHOLDER
        if is_phone_field(field):
            cleaned = phone_of_field(cleaned) or cleaned
        if is_name_field(field):
            cleaned = name_for(cleaned, self._allowed)
        return cleaned

    def json(self, text: str, field: str = "", depth: int = 0) -> str | None:
        """Clean a text that is JSON, or return ``None`` when it is none."""
        repeated: list[str] = []

        def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
            values = dict(items)
            if len(values) < len(items):
                repeated.append("")
            return values

        try:
            value = load_json(text, pairs)
            cleaned = self._value(value, field, depth + 1)
            # What a name says that stands there twice would otherwise escape us.
            if cleaned == value and not repeated:
                return text
            return dump_json(cleaned, json_style(text, value) or "json")
        except (ValueError, RecursionError):
            return None

    def url(self, url: str, depth: int = 0) -> str:
        """Clean a URL part by part; parts with nothing to clean stay as they are."""
        url = without_credentials(self.secrets.replaced(self._places(url)))
        try:
            parts = urlsplit(url)
            pairs = form_pairs(parts.query)
        except ValueError:
            return self._plain(url, depth)
        path = "/".join(self._segment(segment, depth) for segment in parts.path.split("/"))
        cleaned = self.pairs(pairs, depth)
        query = parts.query if cleaned == pairs else join_form(cleaned)
        netloc = self._plain(parts.netloc, depth)
        return urlunsplit((parts.scheme, netloc, path, query, self._plain(parts.fragment, depth)))

    def pairs(self, pairs: list[tuple[str, str]], depth: int = 0) -> list[tuple[str, str]]:
        """Clean the pairs of a form or a query."""
        return [(self.text(name, "", depth + 1), self.text(value, name, depth + 1)) for name, value in pairs]

    def _segment(self, segment: str, depth: int) -> str:
        plain = unquote(segment)
        cleaned = self.text(plain, "", depth + 1)
        return segment if cleaned == plain else quote(cleaned, safe="" if "%" in segment else SEGMENT_SAFE)

    def _value(self, value: Any, field: str, depth: int) -> Any:
        match value:
            case dict():
                return {self.text(name, "", depth): self._value(item, name, depth) for name, item in value.items()}
            case list():
                return [self._value(item, field, depth) for item in value]
            case str():
                return self.text(value, field, depth)
        return value if isinstance(value, bool) or value is None else self._number(value, field)

    def _number(self, value: float, field: str) -> Any:
        digits = str(value)
        if self.secrets.is_in(digits) or is_credential_field(field):
            return PLACEHOLDER
        number = phone_of_field(digits) if is_phone_field(field) else None
        return value if number is None else int(number)

    def _plain(self, text: str, depth: int) -> str:
        # What was put somewhere may complete what another rule looks for.
        for _ in range(_ROUNDS):
            text, before = self._once(text, depth), text
            if text == before:
                break
        return text

    def _once(self, text: str, depth: int) -> str:
        if depth < _DEEPEST:
            if "%" in text:
                text = PERCENT_WORD.sub(lambda found: self._percent(found[0], depth), text)
            text = BASE64_WORD.sub(lambda found: self._base64(found[0], depth), text)
        text = without_credentials(self.secrets.replaced(text))
        text = self._others(without(self._addresses(text), emails_in))
        return self._names(without(text, phones_in))

    def _percent(self, word: str, depth: int) -> str:
        plain = unquote(word)
        cleaned = self._plain(plain, depth + 1)
        if cleaned == plain:
            return word
        # What stood there as itself was there for a purpose.
        coded = {*unquote("".join(re.findall("(?:%[0-9A-Fa-f]{2})+", word)))}
        return quote(cleaned, safe="".join({*word} - coded - {"%"}).encode("ascii", "ignore").decode())

    def _base64(self, word: str, depth: int) -> str:
        plain = decoded_base64(word)
        if plain is None or (cleaned := self.text(plain, "", depth + 1)) == plain:
            return word
        encoded = base64.b64encode(cleaned.encode(), altchars=_alphabet(word)).decode()
        if "%" in word:
            return quote(encoded, safe="+/")
        return encoded if len(word) % 4 == 0 else encoded.rstrip("=")


def decoded_base64(word: str) -> str | None:
    """Return the text that stands in a Base64 word, or ``None`` when there is none."""
    bare = re.sub("=|%3[dD]", "", word)
    try:
        text = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=_alphabet(word), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return text if all(letter.isprintable() or letter.isspace() for letter in text) else None


def _alphabet(word: str) -> bytes | None:
    return b"-_" if {*"-_"} & {*word} else None


class _Replacement:
    """Puts given texts in place of others, in one go, in the spelling it finds them in."""

    def __init__(self, replace: Mapping[str, str]) -> None:
        self._pairs = sorted(replace.items(), key=lambda pair: (-len(pair[0]), pair[0]))
        ways = (f"({_bounded(key)})" for key, _ in self._pairs)
        self._pattern = re.compile("|".join(ways)) if self._pairs else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(self._put, text) if self._pattern else text

    def _put(self, found: re.Match[str]) -> str:
        key, value = self._pairs[(found.lastindex or 1) - 1]
        if "%" in found[0] and "%" not in key:
            return quote(value, safe="")
        return value.replace("/", r"\/") if r"\/" in found[0] and r"\/" not in key else value


class _Names:
    """Puts pseudonyms in place of given names, wherever they stand."""

    def __init__(self, names: Collection[str], allowed: Collection[str]) -> None:
        self._names = sorted({name for name in names if name.strip()}, key=lambda name: (-len(name), name))
        self._allowed = allowed
        # A pseudonym is passed over as a whole, so that no name is found in it.
        ways = [r"(?P<done>Person-[0-9a-f]{6})", *(f"({_bounded(name)})" for name in self._names)]
        self._pattern = re.compile("|".join(ways), re.IGNORECASE) if self._names else None

    def __call__(self, text: str) -> str:
        return without(text, self._find)

    def _find(self, text: str) -> Iterator[Found]:
        for found in self._pattern.finditer(text) if self._pattern else ():
            if found["done"] is None:
                name = name_for(self._names[(found.lastindex or 2) - 2], self._allowed)
                space = "%20" if "%20" in found[0] else "+" if "+" in found[0] else " "
                yield Found(*found.span(), name.replace(" ", space))


def _bounded(text: str) -> str:
    """Return a pattern for a text that is not part of a longer word; an escape before it is no word."""
    before = r"(?:(?<![^\W_])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[bfnrt]))" if text[0].isalnum() else ""
    after = r"(?![^\W_])" if text[-1].isalnum() else ""
    return f"{before}{spelt(text)}{after}"
