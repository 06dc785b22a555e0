"""What the simulated API takes: bodies checked as the vendor's published schema has them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request

from hitl_core.rendering import markdown_to_text, text_to_html

__all__ = ["RefusedError", "checked", "content_of", "metadata_in", "read_json"]

MAX_JSON, MAX_METADATA, MAX_TEXT, MAX_ALT = 100_000, 4096, 4096, 128
_OPTIONAL: Final = frozenset({"altText", "text", "htmlText", "markdownText", "blockChatInput", "actions", "mediaType"})
_CONTENTS: Final[Mapping[str, frozenset[str]]] = {
    "text": frozenset({"text", "htmlText", "markdownText", "actions", "blockChatInput", "payload"}),
    "image": frozenset({"mediaUrl", *_OPTIONAL}),
    "file": frozenset({"mediaUrl", *_OPTIONAL}),
}


class RefusedError(Exception):
    """An answer in the vendor's form that is no success."""

    def __init__(self, status: int, code: str, title: str) -> None:
        super().__init__(code)
        self.status, self.code, self.title = status, code, title


def bad(title: str) -> RefusedError:
    """Return the refusal of a body."""
    return RefusedError(400, "bad_request", title)


async def read_json(request: Request) -> dict[str, Any]:
    """Read a body."""
    body = await request.body()
    if len(body) > MAX_JSON:
        raise RefusedError(413, "payload_too_large", "Request entity too large")
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        raise bad("Malformed JSON") from None
    if not isinstance(found, dict):
        raise bad("Body must be an object")
    return found


def checked(given: Mapping[str, Any], known: Collection[str], required: Collection[str] = ()) -> None:
    """Refuse properties that are unknown, and those that are missing."""
    if unknown := sorted(set(given) - set(known)):
        raise bad(f"should NOT have additional properties: {unknown[0]}")
    if missing := [name for name in required if name not in given]:
        raise bad(f"should have required property '{missing[0]}'")


def metadata_in(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a body: flat, and 4 KB at most."""
    metadata = given.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict) or not all(isinstance(v, str | int | float | bool) for v in metadata.values()):
        raise bad("metadata must be flat")
    if len(json.dumps(metadata, ensure_ascii=False).encode()) > MAX_METADATA:
        raise bad("metadata exceeds 4KB")
    return metadata


def content_of(given: Any) -> dict[str, Any]:
    """Return the content of a message as it is kept: Markdown is turned into HTML and text on arrival."""
    if not isinstance(given, dict) or given.get("type") not in _CONTENTS:
        raise bad("content.type should be equal to one of the allowed values")
    checked(given, {"type", *_CONTENTS[given["type"]]})
    content = dict(given)
    markdown = content.pop("markdownText", None)
    if markdown is not None:
        content["htmlText"] = text_to_html(markdown)
        content.setdefault("text", markdown_to_text(markdown))
    for name in ("text", "htmlText"):
        if _units(content.get(name, "")) > MAX_TEXT:
            raise bad(f"content.{name} should NOT be longer than {MAX_TEXT} characters")
    if content["type"] == "text":
        if not content.get("text"):
            raise bad("content should have required property 'text'")
        return content
    if urlsplit(str(content.get("mediaUrl"))).scheme not in {"http", "https"}:
        raise bad('content.mediaUrl should match format "uri"')
    if len(content.get("altText", "")) > MAX_ALT:
        raise bad(f"content.altText should NOT be longer than {MAX_ALT} characters")
    return content


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
