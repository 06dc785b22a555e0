"""The file: parsed once, its references followed, its operations found by path."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

__all__ = ["Document", "Operation", "parsed"]

_METHODS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_GAP: Final = re.compile(r"\{([^/{}]*)\}")


@dataclass(frozen=True)
class Operation:
    """One method of one path, as described.

    :param parameters: by place and name.
    :param body: the request body's description, ``None`` where there is to be none.
    """

    parameters: Mapping[tuple[str, str], Mapping[str, Any]]
    body: Mapping[str, Any] | None


@dataclass(frozen=True)
class _Path:
    template: str
    pattern: re.Pattern[str]
    operations: Mapping[str, Operation]


class Document:
    """An OpenAPI document, for finding things in it."""

    def __init__(self, content: Any) -> None:
        self.content: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
        self.version = ".".join(str(self.content.get("openapi")).split(".")[:2])

    def resolved(self, node: Any) -> Mapping[str, Any]:
        """Follow a ``$ref`` inside the document; a schema that is just ``true`` is one without keywords."""
        while isinstance(node, Mapping) and isinstance(node.get("$ref"), str):
            pointer, node = unquote(node["$ref"]).removeprefix("#/"), self.content
            for step in pointer.split("/"):
                node = node[step.replace("~1", "/").replace("~0", "~")]
        return node if isinstance(node, Mapping) else {}

    def find(self, method: str, path: str) -> tuple[str, Operation | None, dict[str, str]] | None:
        """Find what a request is for: the template, the operation where the method is described, what is in the gaps.

        :param path: still percent-encoded.
        :returns: ``None`` where no template fits the path.
        """
        fitting = [each for each in self._paths if each.pattern.fullmatch(path)]
        if not fitting:
            return None
        found = next((each for each in fitting if method.upper() in each.operations), fitting[0])
        match = found.pattern.fullmatch(path)
        gaps = map(unquote, match.groups()) if match else ()
        values = dict(zip(_GAP.findall(found.template), gaps, strict=True))
        return found.template, found.operations.get(method.upper()), values

    @cached_property
    def _paths(self) -> list[_Path]:
        return [*self._read()]

    def _read(self) -> Iterator[_Path]:
        bases = {urlsplit(each.get("url", "")).path.rstrip("/") for each in self.content.get("servers") or [{}]}
        base = "|".join(map(re.escape, sorted(bases)))
        # A path without gaps comes before one with a gap that fits it as well, as the specification says.
        ordered = sorted(self.content["paths"].items(), key=lambda each: ["{" in part for part in each[0].split("/")])
        for template, given in ordered:
            item = self.resolved(given)
            literals = (re.escape(literal) for literal in _GAP.sub("\0", template).split("\0"))
            pattern = re.compile(f"(?:{base}){'([^/]+)'.join(literals)}")
            yield _Path(template, pattern, {m.upper(): self._operation(item, item[m]) for m in item.keys() & _METHODS})

    def _operation(self, item: Mapping[str, Any], operation: Mapping[str, Any]) -> Operation:
        listed = [self.resolved(each) for part in (item, operation) for each in part.get("parameters", ())]
        body = operation.get("requestBody")
        return Operation(
            {(each["in"], each["name"]): each for each in listed}, None if body is None else self.resolved(body)
        )


@lru_cache(maxsize=8)
def parsed(path: Path, changed: int) -> Any:
    """Return what is in a YAML or JSON file.

    :param changed: when it was; the same file is parsed anew after a change.
    """
    del changed
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    import yaml

    loader: Any = type("_Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    for tag in ("value", "timestamp", "bool"):
        loader.add_constructor(f"tag:yaml.org,2002:{tag}", _scalar)
    return yaml.load(text, loader)  # noqa: S506 - a safe loader that knows fewer types than its parent


def _scalar(loader: Any, node: Any) -> Any:
    """Keep to the values JSON has: a bare ``=``, a date and a ``yes`` are the text they are."""
    text = loader.construct_scalar(node)
    return {"true": True, "false": False}.get(text.lower(), text)
