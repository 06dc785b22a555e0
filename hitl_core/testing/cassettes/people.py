"""E-mail addresses, phone numbers and names, and the stable pseudonyms that take their place.

A pseudonym follows from what it stands for, so that what belonged together still does, and stands for itself, so that
doing it again changes nothing. It keeps readers from knowing people; it would not withstand somebody with a list of
names and patience. Record with test accounts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

from hitl_core.testing.cassettes.credentials import field_name

__all__ = [
    "Found",
    "emails_in",
    "is_name_field",
    "is_phone_field",
    "is_pseudonym",
    "name_for",
    "phone_for",
    "phone_of_field",
    "phones_in",
    "without",
]


class Found(NamedTuple):
    """Something about a person in a text: from where to where, and what to put there."""

    start: int
    end: int
    pseudonym: str


def without(text: str, find: Callable[[str], Iterator[Found]]) -> str:
    """Return the text with pseudonyms in place of what ``find`` finds."""
    pieces, at = [], 0
    for found in find(text):
        pieces += [text[at : found.start], found.pseudonym]
        at = found.end
    return "".join([*pieces, text[at:]])


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


# E-mail addresses ------------------------------------------------------------------------------------------------

_AT: Final = re.compile(r"@|%(?:25)*40|&#64;")
_LOCAL: Final = re.compile(r"[\w.+'-]")
_DOMAIN: Final = re.compile(r"((?:[\w-]+\.)+(?:xn--[\w-]+|[^\W\d_]{2,24}))(?![\w-])")
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
# Nobody can have an address there (RFC 2606, RFC 6761).
_RESERVED: Final = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org)|example|test|invalid|localhost)$", re.IGNORECASE)
_FILE_NAMES: Final = frozenset({"gif", "jpeg", "jpg", "png", "svg", "webp"})  # icon@2x.png


def emails_in(text: str) -> Iterator[Found]:
    """Find addresses outside of the reserved domains, also percent-encoded."""
    behind = 0
    for at in _AT.finditer(text):
        domain = _DOMAIN.match(text, at.end())
        if domain is None or _RESERVED.search(domain[1]) or domain[1].rpartition(".")[2].lower() in _FILE_NAMES:
            continue
        start = _local_start(text, at.start(), behind)
        if start == at.start():
            continue
        address = f"{unquote(text[start : at.start()])}@{domain[1]}".casefold()
        yield Found(start, domain.end(), f"person-{_hash(address)[:8]}{at[0]}example.com")
        behind = domain.end()


def _local_start(text: str, end: int, behind: int) -> int:
    # Backwards from the sign, because searching forwards for it from every word would take quadratic time.
    start = end
    while start > behind:
        if start - 3 >= behind and (code := _PERCENT.fullmatch(text, start - 3, start)):
            if code[0].upper() != "%2B":  # a plus is part of the address, everything else in front of it
                break
            start -= 3
        elif _LOCAL.match(text, start - 1) and text[start - 1 : start + 1] != "..":
            start -= 1
        else:
            break
    while start < end and text[start] in ".'-":
        start += 1
    return start


# Phone numbers ---------------------------------------------------------------------------------------------------

_PHONE: Final = re.compile(
    r"""
    (?: tel: | sms: | wa\.me/ )? (?: \+ | %2[Bb] )? (?<! \d ) 1 [2-9]\d\d 55501\d\d (?! \d )     # a pseudonym, alone
    | (?: (?<! [\w+] ) \+ | %2[Bb] ) [1-9] (?: [ \u00a0().\-/]{0,3} \d ){6,14} (?! \.?\d )             # +49 171 2345678
    | (?: tel: | sms: | wa\.me/ ) \+? [\d().\-]{6,19} \d                                      # tel:01712345678
    | (?<! [\w.+:/#-] ) (?: 1 [ .-] )? (?: \( [2-9]\d\d \) [ ]? | [2-9]\d\d [ .-] )
      [2-9]\d\d [ .-] \d{4} (?! [\w-] | \.\d )                                               # (415) 555-2671
    | (?<! [\w.+:/#-] ) 0[1-9] (?: [.]\d\d ){4} (?! [\w-] | \.\d )                            # 06.12.34.56.78
    | (?<! [\w.+:/#-] ) (?: \( 0[1-9]\d{0,4} \) [ /-]{0,3} | 00? [1-9]\d{0,4} [ /-]{1,3} )
      \d (?: [ /-]{0,3} \d ){4,9} (?! \w | [.:/-]\d )                                           # 0171 2345678
    """,
    re.VERBOSE,
)
_DATE: Final = re.compile(r"\d{1,2}([-/])\d{1,2}\1(?:\d{4}|\d\d)(?![-/\d])|\d{1,2} \d{1,2} (?:19|20)\d\d\b")
_DECIMAL: Final = re.compile(r"\+\d+\.\d+")
# 555-0100 to 555-0199 of any area are kept for fiction.
_FICTION: Final = re.compile(r"1?[2-9]\d\d55501\d\d")
_AREAS: Final = [area for area in range(201, 989) if area % 100 // 10 != 9 and area % 100 != 11]

_PHONE_FIELDS: Final = re.compile(
    r"(?:(?:caller|contact|customer|home|mobile|office|user|work)?(?:cell|fax|mobile|phone|tel|telephone))"
    r"(?:s|number|numbers)?|cellphone|callerid|msisdn|smsnumber|waid|whatsapp(?:id|number)?"
)
_ONLY_A_PHONE: Final = re.compile(r"\+?[(\d][\d\s().\-/]{6,30}")


def phones_in(text: str) -> Iterator[Found]:
    """Find phone numbers that are spelt as such: with a country code, in groups, or in a link; no bare digits."""
    at = 0
    while found := _PHONE.search(text, at):
        number = found[0]
        digits = _digits(number.removeprefix("%2B").removeprefix("%2b"))
        fewest = 7 if number[0] in "+%tsw" else 9  # with a country code or in a link, or by its grouping alone
        if date := _DATE.match(number):
            at = found.start() + date.end()
        elif len(digits) < fewest or _DECIMAL.fullmatch(number):
            at = found.start() + 1
        else:
            at = found.end()
            if not _FICTION.fullmatch(digits):
                yield Found(*found.span(), _pseudonym_like(number, digits))


def _pseudonym_like(number: str, digits: str) -> str:
    link = re.match(r"tel:|sms:|wa\.me/", number)
    if link:
        return link[0] + ("" if link[0] == "wa.me/" else "+") + phone_for(digits)
    return (number[:3] if number.startswith("%") else "+") + phone_for(digits)


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number.replace("(0)", ""))


def phone_for(digits: str) -> str:
    """Return the digits that stand for a number's digits; a number kept for fiction stands for itself."""
    if _FICTION.fullmatch(digits):
        return digits
    number = int(_hash(digits)[:12], 16)
    return f"1{_AREAS[number % len(_AREAS)]}55501{number // len(_AREAS) % 100:02}"


def is_phone_field(name: str) -> bool:
    """Return whether bare digits in a field of this name are a phone number."""
    return _PHONE_FIELDS.fullmatch(field_name(name)) is not None


def phone_of_field(value: str) -> str | None:
    """Return the pseudonym of a phone field's value, or ``None`` when it is no number or stands for itself."""
    digits = _digits(value)
    if len(digits) < 7 or not _ONLY_A_PHONE.fullmatch(value) or _FICTION.fullmatch(digits):
        return None
    return ("+" if value.startswith("+") else "") + phone_for(digits)


# Names -----------------------------------------------------------------------------------------------------------

_NAME_FIELDS: Final = re.compile(
    r"(?:agent|assignee|author|contact|customer|display|family|first|from|full|given|last|middle|nick|owner|profile|public"
    r"|real|recipient|requester|sender|to|user|visitor)?name|[fl]name|surname"
)
_PSEUDONYM: Final = re.compile(r"Person-[0-9a-f]{6}|person-[0-9a-f]{8}@example\.com|redacted")
_LETTER: Final = re.compile(r"[^\W\d_]")


def is_name_field(name: str) -> bool:
    """Return whether a field of this name holds somebody's name."""
    return _NAME_FIELDS.fullmatch(field_name(name)) is not None


def is_pseudonym(word: str) -> bool:
    """Return whether a word already stands for something else."""
    return _PSEUDONYM.fullmatch(word) is not None


def name_for(name: str, allowed: Collection[str] = ()) -> str:
    """Return what stands for a name, word by word, so that a first name alone is still the same person's.

    :param allowed: names and words that stay, as they are spelt here.
    """
    if name in allowed:
        return name
    return re.sub(r"\S+", lambda found: _word_for(found[0], allowed), name)


def _word_for(word: str, allowed: Collection[str]) -> str:
    if word in allowed or is_pseudonym(word) or not _LETTER.search(word) or "@" in word:
        return word
    return f"Person-{_hash(word.casefold())[:6]}"
