"""Values against schemas, in words that name places and expectations and never repeat a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, Final

from hitl_core.errors import ConfigurationError
from hitl_core.testing.openapi.document import Document

__all__ = ["Values", "plain"]

# Validators of what clients send, by the first two numbers of `openapi`.
_DIALECTS: Final = {"3.0": "OAS30WriteValidator", "3.1": "OAS31Validator", "3.2": "OAS32Validator"}
_GROUPS: Final = ("allOf", "anyOf", "oneOf")
_SAYINGS: Final = {
    "type": "is not of type {}",
    "enum": "is none of {}",
    "format": "is not in the format {}",
    "readOnly": "is read-only",
    "additionalProperties": "has a key that is not described",
}
_NAME: Final = re.compile(r"[A-Za-z_][\w.\-\[\]]{0,60}", re.ASCII)


class Values:
    """Checks values by the schemas of one document.

    :raises ConfigurationError: the document is of another version, or the package for it is not installed.
    """

    def __init__(self, document: Document) -> None:
        dialect = _DIALECTS.get(document.version)
        if dialect is None:
            msg = f"this describes no API by OpenAPI {', '.join(_DIALECTS)}; give the vendor's own file"
            raise ConfigurationError(msg)
        try:
            self._dialect: Any = getattr(import_module("openapi_schema_validator"), dialect)
        except ModuleNotFoundError as error:
            msg = f"checking requests needs {error.name}; run: pip install openapi-schema-validator"
            raise ConfigurationError(msg) from error
        self._document = document

    def wrong(self, schema: Any, value: Any, where: str) -> Iterator[str]:
        """Say what a schema does not allow in a value.

        :param where: what the value is, such as ``"body"``.
        """
        # The whole document stands around the schema, so that its references lead somewhere.
        whole = {**self._document.content, "allOf": [schema]}
        for error in self._dialect(whole, format_checker=self._dialect.FORMAT_CHECKER).iter_errors(value):
            yield from self._said(error, where)

    def dropped(self, schemas: Iterable[Any], value: Any, where: str) -> Iterator[str]:
        """Say what vendors drop without a word: keys that no schema names, and those only they may write."""
        parts = [part for schema in schemas for part in self._parts(schema)]
        if isinstance(value, list):
            items = [part["items"] for part in parts if "items" in part]
            for item in value:
                yield from self.dropped(items, item, _place(where, [0]))
        if not isinstance(value, dict):
            return
        named: dict[str, list[Any]] = {}
        for part in parts:
            for name, schema in part.get("properties", {}).items():
                named.setdefault(name, []).append(schema)
        free = not named or any(part.get("additionalProperties") or "patternProperties" in part for part in parts)
        for name, item in value.items():
            place = _place(where, [name])
            if name in named:
                if any(self._document.resolved(schema).get("readOnly") for schema in named[name]):
                    yield f"{place} {_SAYINGS['readOnly']}"
                yield from self.dropped(named[name], item, place)
            elif not free:
                yield f"{place} is not described"

    def _parts(self, schema: Any) -> Iterator[Mapping[str, Any]]:
        found = self._document.resolved(schema)
        yield found
        for group in _GROUPS:
            for each in found.get(group, ()):
                yield from self._parts(each)

    def _said(self, error: Any, where: str) -> Iterator[str]:
        keyword, expected = str(error.validator), error.validator_value
        place = _place(where, error.absolute_path)
        if keyword == "required":
            properties = error.schema.get("properties", {})
            for name in expected:
                # Ids and dates are required of answers; only some dialects know that by themselves.
                if name not in error.instance and not self._document.resolved(properties.get(name)).get("readOnly"):
                    yield f"{_place(where, [*error.absolute_path, name])} is missing"
        elif keyword in _GROUPS:
            nearest = max(error.context, key=lambda each: len(each.absolute_path), default=None)
            hint = None if nearest is None else next(self._said(nearest, where), None)
            yield f"{place} does not fit its alternatives" + (f"; the nearest: {hint}" if hint else "")
        else:
            several = isinstance(expected, list) and not any(isinstance(each, (dict, list)) for each in expected)
            shown = expected if several or isinstance(expected, (str, int, float)) else ""
            yield f"{place} {_SAYINGS.get(keyword, f'breaks {keyword} {{}}').format(shown)}".rstrip()


def plain(name: str) -> str:
    """Return a name, unless it is rather something a person may have written."""
    return name if _NAME.fullmatch(name) else "…"


def _place(where: str, steps: Iterable[str | int]) -> str:
    for step in steps:
        if isinstance(step, int):
            where += "[]"
        else:
            where += ("." if " " in where else " ") + plain(step)
    return where
