"""What a field may hold: values are made to fit as Zendesk does, numbers in text among them, or refused by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from hitl_zendesk.simulator.refusals import invalid

__all__ = ["Fit", "anything", "fitted", "flag", "number", "numbers", "objects", "parts", "text", "texts", "words"]

Fit: TypeAlias = Callable[[Any], Any]
"""Returns a value as it is stored, or raises ``ValueError``."""


def fitted(given: Mapping[str, Any], kinds: Mapping[str, Fit]) -> dict[str, Any]:
    """Return the known fields of what was given, each made to fit; ``null`` fits everywhere.

    :raises RefusedError: one of them holds something else.
    """
    made: dict[str, Any] = {}
    for name, fit in kinds.items():
        if name not in given:
            continue
        try:
            made[name] = None if given[name] is None else fit(given[name])
        except ValueError:
            label = name.removesuffix("_id").replace("_", " ").capitalize()
            raise invalid(name.removesuffix("_id"), f"{label}: is invalid", "InvalidValue") from None
    return made


def anything(value: Any) -> Any:
    """Whatever it is."""
    return value


def text(value: Any) -> str:
    """Text, or a number as text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError
    return str(value)


def number(value: Any) -> int:
    """An id, or one in text."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError
    return int(value)


def flag(value: Any) -> bool:
    """Yes or no, or one of them in text."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in {"true", "false"}:
        raise ValueError
    return value == "true"


def words(value: Any) -> list[str]:
    """A list of text, or words in one."""
    if isinstance(value, str):
        return value.replace(",", " ").split()
    if not isinstance(value, list):
        raise ValueError
    return [text(each) for each in value]


def numbers(value: Any) -> list[int]:
    """A list of ids."""
    if not isinstance(value, list):
        raise ValueError
    return [number(each) for each in value]


def objects(value: Any) -> list[dict[str, Any]]:
    """A list of objects."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError
    return value


def texts(value: Any) -> dict[str, str]:
    """An object whose values are text."""
    if not isinstance(value, dict):
        raise ValueError
    return {name: text(each) for name, each in value.items()}


def parts(kinds: Mapping[str, Fit]) -> Fit:
    """An object of known fields."""

    def fit(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError
        return fitted(value, kinds)

    return fit
