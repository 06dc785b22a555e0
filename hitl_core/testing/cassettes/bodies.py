"""Bodies: unpacked, told apart by their content type, and put into a normal form that can be compared."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

__all__ = [
    "JSON_STYLES",
    "Part",
    "as_text",
    "content_type_of",
    "dump_json",
    "form_pairs",
    "join_form",
    "join_multipart",
    "json_style",
    "load_json",
    "multipart_boundary",
    "normal_json",
    "split_multipart",
    "unpacked",
]

JSON_STYLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "json": {"ensure_ascii": False, "separators": (",", ":")},
    "json-ascii": {"ensure_ascii": True, "separators": (",", ":")},
    "json-spaced": {"ensure_ascii": False, "separators": (", ", ": ")},
    "json-spaced-ascii": {"ensure_ascii": True, "separators": (", ", ": ")},
}
"""How JSON is commonly written: a body that is exactly so written can be kept as its value."""

_BOUNDARY: Final = re.compile(r"""boundary=(?:"([^"]+)"|([^\s;"]+))""", re.IGNORECASE)


def content_type_of(headers: Mapping[str, str]) -> str:
    """Return the content type, its parameters included, or an empty string."""
    return headers.get("content-type", "")


def as_text(body: bytes) -> str | None:
    """Return the body as text, or ``None`` when it is not UTF-8."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return None


def unpacked(body: bytes, encoding: str) -> bytes | None:
    """Undo a content encoding.

    :return: the plain body, or ``None`` when the encoding is unknown or the body is broken.
    """
    try:
        match encoding.strip().lower():
            case "" | "identity":
                return body
            case "gzip" | "x-gzip":
                return gzip.decompress(body)
            case "deflate":
                return zlib.decompress(body)
    except (OSError, EOFError, zlib.error):
        pass
    return None


def load_json(text: str, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Parse JSON.

    :param pairs: makes an object of its pairs; ``dict`` when left out.
    :raises ValueError: it is none, is nested too deeply, or holds a number that JSON does not know.
    """
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=pairs)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def dump_json(value: Any, style: str = "json") -> str:
    """Write JSON in one of the common styles."""
    return json.dumps(value, **JSON_STYLES[style])


def json_style(text: str, value: Any) -> str | None:
    """Return the style in which ``value`` is written exactly as ``text``, or ``None``."""
    return next((style for style in JSON_STYLES if dump_json(value, style) == text), None)


def normal_json(text: str) -> str:
    """Write JSON so that equal values are equal texts: keys in order, ``1.0`` as ``1``.

    :raises ValueError: it is no JSON.
    """
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_number)
        return json.dumps(value, sort_keys=True, **JSON_STYLES["json"])
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _number(digits: str) -> float | int:
    number = float(digits)
    return int(number) if number.is_integer() else number


def form_pairs(body: str) -> list[tuple[str, str]]:
    """Split an encoded form or query into its pairs, empty values included."""
    return parse_qsl(body, keep_blank_values=True)


def join_form(pairs: list[tuple[str, str]]) -> str:
    """Encode pairs as a form or query."""
    return urlencode(pairs)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a multipart form: its header lines as they are, and its content."""

    head: bytes
    content: bytes

    @property
    def name(self) -> str:
        """The field's name."""
        found = re.search(rb'[; ]name="([^"]*)"', self.head)
        return found[1].decode("utf-8", "replace") if found else ""

    @property
    def content_type(self) -> str:
        """The part's content type, or an empty string."""
        found = re.search(rb"^content-type:\s*([^\r\n]*)", self.head, re.IGNORECASE | re.MULTILINE)
        return found[1].decode("latin-1") if found else ""


def multipart_boundary(content_type: str) -> str | None:
    """Return the boundary of a multipart form, or ``None`` for other content types."""
    if not content_type.lower().startswith("multipart/"):
        return None
    found = _BOUNDARY.search(content_type)
    return (found[1] or found[2]) if found else None


def split_multipart(body: bytes, boundary: str) -> list[Part] | None:
    """Take a multipart form apart, or return ``None`` when it is not one."""
    mark = b"--" + boundary.encode("latin-1")
    first, *pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if first or not pieces or not pieces[-1].startswith(b"--"):
        return None
    parts = []
    for piece in pieces[:-1]:
        head, blank, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not blank:
            return None
        parts.append(Part(head, content))
    return parts


def join_multipart(parts: list[Part]) -> tuple[bytes, str]:
    """Put a multipart form together; its boundary follows from what is in it.

    :return: the body and the boundary.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:%d:" % (len(part.head), len(part.content)) + part.head + part.content)
    boundary = digest.hexdigest()
    mark = boundary.encode()
    body = b"".join(b"--%b\r\n%b\r\n\r\n%b\r\n" % (mark, part.head, part.content) for part in parts)
    return body + b"--%b--\r\n" % mark, boundary
