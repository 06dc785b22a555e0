"""Making vendors' template syntax inert in text that people wrote.

Helpdesks expand ``{{placeholders}}`` in what their own users write, and a relayed history is written in the name of
one. A customer's ``{{ticket.cc_emails}}`` would leak, and pasted code would lose words. The characters of an opener are
told apart by one plain space: ``{ {name}}``. Anything subtler does not last: invisible characters are stripped by
sanitisers, full-width twins are folded back by Unicode normalisation, entities are decoded; a space between two
visible characters survives all of these and is read without effort.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from html.entities import html5
from typing import Final

__all__ = ["INVISIBLE", "PLACEHOLDER_SYNTAXES", "neutralise_html", "neutralise_placeholders"]

PLACEHOLDER_SYNTAXES: Final = ("{{", "{%", "{#", "${", "#{", "<%")
"""Openers of the template languages in use: Liquid, Mustache and kin, JavaScript, Ruby, ERB."""

INVISIBLE: Final = (
    r"\x00-\x08\x0d-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff"
)
"""Characters without a shape, which a vendor may strip, as the inside of a regular expression's class."""

_ENTITY_NAMES: Final = ("lbrace", "lcub", "percnt", "num", "dollar", "lt", "LT", "lbrack", "lsqb", "excl", "equals")
# Numbers of the commoner invisible characters, as they are written in entities.
_DECIMAL: Final = (
    r"\d|1[1-9]|2\d|3[01]|12[7-9]|1[345]\d|173|847|1564|615[5-9]|820[3-7]|823[4-8]|82[89]\d|830[0-3]|65279"
)
_HEX: Final = r"[\da-f]|1[\da-f]|7f|[89][\da-f]|ad|34f|61c|180[b-f]|200[b-f]|202[a-e]|206[\da-f]|fe0[\da-f]|feff"
# Longer tags are no tags anybody writes, and looking on would take quadratic time.
_GAP_IN_HTML: Final = (
    rf"(?:[{INVISIBLE}]|&#0{{0,9}}(?:{_DECIMAL});?(?!\d)|&#[xX]0{{0,9}}(?i:{_HEX});?(?![\da-fA-F])"
    rf"|&(?:shy|ZeroWidthSpace|NoBreak|zwn?j);|<[^<>]{{0,300}}>)*+"
)


def neutralise_placeholders(text: str, syntaxes: Sequence[str] = PLACEHOLDER_SYNTAXES) -> str:
    """Put a space into every opener of a template, however it is nested or interspersed with invisible characters.

    Idempotent; text without an opener comes back as it is; only spaces are added. Afterwards no opener remains, also
    once invisible characters are stripped, and no part of the text can contain one. An opener of a single
    character becomes its full-width twin.

    :param syntaxes: openers, such as :attr:`~hitl_core.info.Capabilities.placeholders`.
    :raises ValueError: an opener is empty, contains white space, or is a single letter, digit or non-ASCII character.
    """
    return _apply(text, tuple(syntaxes), in_html=False)


def neutralise_html(html: str, syntaxes: Sequence[str] = PLACEHOLDER_SYNTAXES) -> str:
    """Do the same to HTML, where an opener may also hide in entities (``&#123;&lcub;``) or behind tags.

    Text that is escaped afterwards needs :func:`neutralise_placeholders` alone.

    :raises ValueError: as there.
    """
    return _apply(html, tuple(syntaxes), in_html=True)


def _apply(text: str, syntaxes: tuple[str, ...], *, in_html: bool) -> str:
    singles, pattern = _compile(syntaxes, in_html)
    if singles:
        text = text.translate(singles)
    return pattern.sub(r"\g<0> ", text) if pattern else text


@lru_cache(maxsize=64)
def _compile(syntaxes: tuple[str, ...], in_html: bool) -> tuple[dict[int, str], re.Pattern[str] | None]:
    singles: dict[int, str] = {}
    alternatives = []
    for opener in syntaxes:
        if not opener or any(char.isspace() for char in opener):
            msg = f"placeholder opener {opener!r} is empty or contains white space"
            raise ValueError(msg)
        if len(opener) == 1:
            if not opener.isascii() or opener.isalnum():
                msg = f"placeholder opener {opener!r} is too common; give at least two characters"
                raise ValueError(msg)
            singles[ord(opener)] = chr(ord(opener) + 0xFEE0)
            continue
        # A line break may become a tag, and a tag be stripped.
        gap = _GAP_IN_HTML if in_html else rf"[{INVISIBLE}\n]*+"
        first, *rest = (_written(char) if in_html else re.escape(char) for char in opener)
        # Only the first character is consumed, so that overlapping openers are found too.
        alternatives.append(f"{first}(?={''.join(gap + char for char in rest)})")
    return singles, re.compile("|".join(alternatives)) if alternatives else None


def _written(char: str) -> str:
    """Return a pattern of every way to write ``char`` in HTML."""
    names = "|".join(name for name in _ENTITY_NAMES if html5.get(f"{name};") == char)
    named = f"|(?:{names});?" if names else ""
    return rf"(?:{re.escape(char)}|&(?:#0{{0,9}}{ord(char)};?|#[xX]0{{0,9}}(?i:{ord(char):x});?{named}))"
