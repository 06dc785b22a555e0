"""Cutting text to a vendor's limits without breaking words, emoji or surrogate pairs.

Behaviour S263 and R16: a part is within the limit in the unit the vendor counts, and no character is halved.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import Final

from hitl_core.info import TextLimit

__all__ = ["shorten", "split_text"]

# A closing mark counts only where white space follows; the East Asian ones stand without.
_SENTENCE: Final = re.compile("[.!?\u2026][\"'\u201d\u2019\u00bb)\\]]*(?=\\s)|[\u3002\uff01\uff1f]")
_NO_BREAK: Final = frozenset("\u00a0\u2007\u202f")
_ZWNJ, _ZWJ = "\u200c", "\u200d"


def split_text(text: str, limit: TextLimit, *, exact: bool = False, first: TextLimit | None = None) -> tuple[str, ...]:
    """Cut ``text`` into parts that are each within ``limit``, in time proportional to its length.

    Cuts between paragraphs where one ends in the second half of what fits, else between lines, sentences, words, and
    only then inside a word; never inside a code point, and inside a combined character (an emoji with its modifiers, a
    letter with its accents) only when that alone is beyond the limit. Text within the limit comes back as it is, empty
    text as no part at all.

    :param exact: keep all white space, so that the parts joined together are the original (behaviour S263); otherwise
        the white space at each cut is dropped, and nothing else.
    :param first: limit of the first part, when it differs.
    :raises ValueError: a limit cannot hold a single character of the text.
    """
    if not text:
        return ()
    parts: list[str] = []
    start, size, current = 0, len(text), first or limit
    while start < size:
        end = _room(text, start, current)
        if end == size:
            parts.append(text[start:])
            break
        if end == start:
            msg = f"a limit of {current.max} {current.unit} cannot hold one character of the text"
            raise ValueError(msg)
        cut = _border(text, start, end)
        if exact:
            cut = _whole(text, start, _skip_space(text, cut, end))
            part, start = text[start:cut], cut
        else:
            part, start = text[start:cut].rstrip(), _skip_space(text, cut, size)
        if part:
            parts.append(part)
            current = limit
    # Nothing but white space, and too much of it: keep what fits.
    return tuple(parts) or (text[: _room(text, 0, first or limit)],)


def shorten(text: str, limit: TextLimit, *, ellipsis: str = "…") -> str:
    """Cut ``text`` to ``limit``, on a word border where one is near, and end it with an ellipsis if it was cut.

    The ellipsis is left out where it would not leave room for anything else.
    """
    if limit.allows(text):
        return text
    room = limit.max - limit.measure(ellipsis)
    if room < limit.max / 2:
        return text[: _whole(text, 0, _room(text, 0, limit))].rstrip()
    end = _room(text, 0, TextLimit(max=room, unit=limit.unit))
    if end == 0:  # its first character is wider than the room beside the ellipsis
        return text[: _room(text, 0, limit)]
    cut = _border(text, 0, end)
    if cut < end // 2:
        cut = _whole(text, 0, end)
    return text[:cut].rstrip() + ellipsis


def _room(text: str, start: int, limit: TextLimit) -> int:
    """Return how far a part from ``start`` may reach, counted in code points of ``text``."""
    end = min(len(text), start + min(limit.max, sys.maxsize - start))
    if limit.unit == "characters":
        return end
    window = text[start:end]
    if window.isascii():
        return end
    used = 0
    utf16 = limit.unit == "utf16"
    for offset, char in enumerate(window):
        if utf16:
            used += 2 if char > "\uffff" else 1
        else:
            used += 1 if char < "\x80" else 2 if char < "\u0800" else 3 if char <= "\uffff" else 4
        if used > limit.max:
            return start + offset
    return end


def _skip_space(text: str, position: int, end: int) -> int:
    while position < end and text[position].isspace():
        position += 1
    return position


def _border(text: str, start: int, end: int) -> int:
    """Return where to cut ``text[start:end]``, given that more follows; always beyond ``start``."""
    half = max(start + 1, start + (end - start) // 2)
    for mark in ("\n\n", "\r\n\r\n", "\n", "\r"):
        found = text.rfind(mark, half, end + len(mark))
        if found > 0:
            return found - 1 if mark == "\n" and found - 1 > start and text[found - 1] == "\r" else found
    sentence = max((match.end() for match in _SENTENCE.finditer(text, half, end + 1)), default=0)
    if half <= sentence <= end:
        return _whole(text, start, sentence)
    for position in range(end, start, -1):
        char = text[position]
        if char.isspace() and char not in _NO_BREAK and not _joined(text, start, position + 1):
            if position >= half or not (_stands_alone(text[end - 1]) and _stands_alone(text[end])):
                return position
            break
    return _whole(text, start, end)


def _stands_alone(char: str) -> bool:
    """Whether words are not told apart by spaces here: Chinese, Japanese, and emoji."""
    return "\u2e80" <= char < "\uac00" or char >= "\uf900"


def _whole(text: str, start: int, end: int) -> int:
    """Move a cut back to the border of a combined character, unless that one fills everything."""
    cut = end
    while cut > start and _joined(text, start, cut):
        cut -= 1
    if cut > start:
        return cut
    return end - 1 if end - 1 > start and end < len(text) and _is_pair(text[end - 1], text[end]) else end


def _is_pair(before: str, after: str) -> bool:
    return "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff"


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _joined(text: str, start: int, position: int) -> bool:
    """Whether the characters on both sides of ``position`` are shown as one (UAX 29, without its rare rules)."""
    if not start < position < len(text):
        return False
    before, after = text[position - 1], text[position]
    if after == "\n":
        return before == "\r"
    if before == _ZWJ:
        return not after.isspace()
    if after < "\u0300":
        return False
    if _is_flag(after) and _is_flag(before):
        # Flags are pairs of letters, counted from the first of the run.
        first = position - 1
        while first > start and _is_flag(text[first - 1]):
            first -= 1
        return (position - first) % 2 == 1
    return (
        unicodedata.category(after) in ("Mn", "Me", "Mc")
        or after in (_ZWJ, _ZWNJ)
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # tags of regional flags
        or ("\u1160" <= after <= "\u11ff" and ("\u1100" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3"))
        or _is_pair(before, after)
    )
