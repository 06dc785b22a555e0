"""Bodies, encoded once so that a repeat is the same to the byte."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hitl_core._http.urls import Params, encode_params
from hitl_core.errors import InvalidRequestError

__all__ = ["FilePart", "Files", "encode_body", "encode_key", "header_value"]


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file of a multipart form.

    :param filename: as the receiver shows it.
    """

    filename: str
    content: bytes = field(repr=False)
    content_type: str = "application/octet-stream"


Files: TypeAlias = Mapping[str, FilePart] | Iterable[tuple[str, FilePart]]
"""Files by field name; pairs where a field repeats."""

_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
# What browsers do to a name in quotes (HTML, "multipart/form-data").
_QUOTED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


def encode_body(
    *,
    json: Any = None,
    content: bytes | str | None = None,
    content_type: str | None = None,
    files: Files | None = None,
    form: Params | None = None,
) -> tuple[bytes, str | None]:
    """Encode one of JSON, raw content or a form, and say its content type. The same input gives the same bytes.

    :param json: anything but ``None``; ``None`` is no body.
    :param files: makes a multipart form, whose text fields are ``form``.
    :raises InvalidRequestError: more than one body, or one that cannot be encoded. Nothing was sent.
    """
    if json is not None:
        if content is not None or files is not None or form is not None:
            raise _several()
        return _encode_json(json), content_type or "application/json"
    if content is not None:
        if files is not None or form is not None:
            raise _several()
        return (_utf8(content) if isinstance(content, str) else content), content_type
    if files is not None:
        return _encode_multipart(form or {}, files)
    if form is not None:
        return encode_params(form).encode("ascii"), content_type or "application/x-www-form-urlencoded"
    return b"", content_type


def _several() -> InvalidRequestError:
    return InvalidRequestError("a request has one body: give json, or content, or form with files")


def _encode_json(value: Any) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        problem = type(error).__name__
    else:
        return _utf8(text)
    # Outside of the handler, for the error may quote what could not be written.
    msg = f"the body cannot be written as JSON ({problem}): it holds an object, a NaN or a cycle"
    raise InvalidRequestError(msg)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Half an emoji, as some chat clients send it. No vendor takes it; U+FFFD they all take.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _encode_multipart(form: Params, files: Files) -> tuple[bytes, str]:
    fields = form.items() if isinstance(form, Mapping) else form
    parts: list[tuple[bytes, bytes]] = []
    for name, value in fields:
        for item in value if isinstance(value, Iterable) and not isinstance(value, str) else (value,):
            if item is not None:
                text = str(item).lower() if isinstance(item, bool) else str(item)
                parts.append((_disposition(name), _utf8(text)))
    for name, part in files.items() if isinstance(files, Mapping) else files:
        head = _disposition(name, part.filename)
        head += b"content-type: " + header_value("content-type", part.content_type).encode("latin-1") + b"\r\n"
        parts.append((head, part.content))
    digest = hashlib.sha256()
    for head, content in parts:
        digest.update(b"%d:%d:" % (len(head), len(content)))
        digest.update(head)
        digest.update(content)
    boundary = digest.hexdigest().encode()
    body = b"".join(b"--%b\r\n%b\r\n%b\r\n" % (boundary, head, content) for head, content in parts)
    return body + b"--%b--\r\n" % boundary, f"multipart/form-data; boundary={boundary.decode()}"


def _disposition(name: str, filename: str | None = None) -> bytes:
    head = f'content-disposition: form-data; name="{name.translate(_QUOTED)}"'
    if filename is not None:
        head += f'; filename="{filename.translate(_QUOTED)}"'
    return _utf8(head) + b"\r\n"


def encode_key(key: str) -> str:
    """Return an idempotency key as a header can carry it.

    A key of 1 to 255 visible ASCII characters stays as it is; any other becomes the hash of itself, so that the same
    key is always the same header.
    """
    return key if _KEY.fullmatch(key) else hashlib.sha256(_utf8(key)).hexdigest()


def header_value(name: str, value: str) -> str:
    """Return a value a header may carry.

    :raises InvalidRequestError: it holds a line break or a character outside of Latin-1; the message does not quote it.
    """
    if not _HEADER_VALUE.fullmatch(value):
        msg = f"header {name!r} holds a line break or a character that headers cannot carry"
        raise InvalidRequestError(msg)
    return value
