"""What a vendor says its API takes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl

from hitl_core.errors import ConfigurationError
from hitl_core.testing.openapi.document import Document, Operation, parsed
from hitl_core.testing.openapi.values import Values, plain

__all__ = ["Description"]


class Description:
    """An OpenAPI description, 3.0 to 3.2, in one file, and what it says of requests.

    Beside what its schemas forbid, keys and query parameters it does not name are problems: vendors drop them without a
    word. Bodies other than JSON are checked by their content type alone.

    :param allow: where the description is known to be wrong, and why: from ``"METHOD /template: problem"``, as
        :func:`watched` tells it, or ``"*: problem"`` for every operation, to a reason. See :meth:`unneeded`.
    :raises ConfigurationError: it is of another version, a reason is missing, or ``openapi-schema-validator`` is.
    """

    def __init__(self, content: Mapping[str, Any], *, allow: Mapping[str, str] | None = None) -> None:
        self._allow = dict(allow or {})
        if bare := [spot for spot, reason in self._allow.items() if not reason.strip()]:
            msg = f"say why this is allowed: {bare[0]}"
            raise ConfigurationError(msg)
        self._document = Document(content)
        self._values = Values(self._document)
        self._needed: set[str] = set()
        self.seen: Counter[str] = Counter()
        """How often each operation was asked for, by ``"METHOD /template"``."""

    @classmethod
    def load(cls, path: str | Path, *, allow: Mapping[str, str] | None = None) -> Self:
        """Read a description from a file, YAML or JSON; it is parsed once."""
        file = Path(path).resolve()
        return cls(parsed(file, file.stat().st_mtime_ns), allow=allow)

    def operation(self, method: str, path: str) -> str | None:
        """Return what a request is for, as ``"METHOD /template"``; ``None``: the path is not described."""
        found = self._document.find(method, path)
        return None if found is None else f"{method.upper()} {found[0]}"

    def problems(
        self, method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> list[str] | None:
        """Return what the description forbids in a request, without what is allowed all the same.

        :param path: as it travels, still percent-encoded.
        :param query: as it travels, without the question mark.
        :returns: ``None`` when the path is not described at all.
        """
        found = self._document.find(method, path)
        if found is None:
            return None
        template, operation, gaps = found
        name = f"{method.upper()} {template}"
        self.seen[name] += 1
        if operation is None:
            told = ["the method is not described"]
        else:
            fields = {key.lower(): value for key, value in (headers or {}).items()}
            told = [*self._of_parameters(operation, gaps, query, fields), *self._of_body(operation, fields, body)]
        return [problem for problem in dict.fromkeys(told) if not self._allowed(name, problem)]

    def unneeded(self) -> list[str]:
        """Return what is allowed and was not met so far; assert at the end of a whole run that nothing is left."""
        return sorted(set(self._allow) - self._needed)

    def _allowed(self, operation: str, problem: str) -> bool:
        spots = {f"{operation}: {problem}", f"*: {problem}"} & set(self._allow)
        self._needed |= spots
        return bool(spots)

    def _of_parameters(
        self, operation: Operation, gaps: Mapping[str, str], query: str, fields: Mapping[str, str]
    ) -> Iterator[str]:
        asked: dict[str, list[str]] = {}
        for name, text in parse_qsl(query, keep_blank_values=True):
            asked.setdefault(name, []).append(text)
        # What is in cookies is a matter of browsers; objects of the form name[key] are known by their name alone.
        by_key = {("query", name.partition("[")[0]) for name in asked if "[" in name}
        given = {("query", name): texts for name, texts in asked.items()}
        given |= {("path", name): [text] for name, text in gaps.items()}
        for (place, name), parameter in operation.parameters.items():
            where = f"{place} {name}"
            texts = given.pop((place, name), None) if place != "header" else _one(fields.get(name.lower()))
            if texts is not None:
                yield from self._of_parameter(parameter, place, texts, where)
            elif parameter.get("required") and place != "cookie" and (place, name) not in by_key:
                yield f"{where} is missing"
        objects = {name for place, name in operation.parameters if place == "query"}
        for place, name in given:
            if place == "query" and not ("[" in name and name.partition("[")[0] in objects):
                yield f"query {plain(name)} is not described"

    def _of_parameter(self, parameter: Mapping[str, Any], place: str, texts: list[str], where: str) -> Iterator[str]:
        schema = self._document.resolved(parameter.get("schema"))
        if schema.get("type") == "array":
            if place != "query" or parameter.get("explode") is False:
                texts = [part for text in texts for part in text.split(",")]
            items = self._document.resolved(schema.get("items"))
            yield from self._values.wrong(schema, [_read(items, text) for text in texts], where)
        elif len(texts) > 1:
            yield f"{where} is given more than once"
        elif schema.get("type") != "object":
            yield from self._values.wrong(schema, _read(schema, texts[0]), where)

    def _of_body(self, operation: Operation, fields: Mapping[str, str], body: bytes) -> Iterator[str]:
        if operation.body is None:
            if body:
                yield "the body is not described"
            return
        if not body:
            if operation.body.get("required"):
                yield "the body is missing"
            return
        media = fields.get("content-type", "").partition(";")[0].strip().lower()
        kinds = operation.body.get("content", {})
        fitting = (media, f"{media.partition('/')[0]}/*", "*/*")
        kind = next((kinds[name] for name in kinds if name.partition(";")[0].strip().lower() in fitting), None)
        if kind is None:
            yield f"the content type is none of {sorted(kinds)}"
        elif media == "application/json" or media.endswith("+json"):
            try:
                value = json.loads(body)
            except ValueError:
                yield "the body is not JSON"
                return
            schema = kind.get("schema", {})
            yield from self._values.wrong(schema, value, "body")
            yield from self._values.dropped([schema], value, "body")


def _one(text: str | None) -> list[str] | None:
    return None if text is None else [text]


def _read(schema: Mapping[str, Any], text: str) -> Any:
    """Read a parameter the way its schema means it; what cannot be read so stays text."""
    kind = schema.get("type", ())
    kinds = {kind} if isinstance(kind, str) else set(kind)
    if "boolean" in kinds and text in {"true", "false"}:
        return text == "true"
    if {"integer", "number"} & kinds and re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII):
        return float(text) if "." in text else int(text)
    return text
