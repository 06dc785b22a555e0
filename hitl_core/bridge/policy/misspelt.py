"""Words about wrong configuration: near misses, and pydantic's errors as one sentence without anybody's values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from pydantic import ValidationError

__all__ = ["explain", "near", "refuse_unknown"]

_LONGEST_NAME = 60
"""Longer names are not shown: they are more likely a value in the wrong place."""


def near(name: str, known: Iterable[str]) -> str:
    """Return what may be said after an unknown name: the likeliest meant one, else all there are."""
    known = list(known)
    close = get_close_matches(name, known, n=1, cutoff=0.6) or get_close_matches(
        name.casefold(), [one.casefold() for one in known], n=1, cutoff=0.6
    )
    if close:
        meant = next(one for one in known if one.casefold() == close[0].casefold())
        return f"did you mean {meant}?"
    return f"known: {', '.join(known)}"


def refuse_unknown(given: Mapping[str, object], known: Iterable[str], what: str) -> None:
    """Refuse names nobody knows.

    :raises ValueError: names them, each with a near miss.
    """
    known = list(known)
    unknown = [str(name) for name in given if name not in known]
    if unknown:
        told = "; ".join(
            f"unknown {what} {name}, {near(name, known)}" if len(name) <= _LONGEST_NAME else f"unknown {what}"
            for name in unknown
        )
        raise ValueError(told)


def explain(error: ValidationError) -> str:
    """Return a validation error as one line: where and what, never the values."""
    problems = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        place = ".".join(str(part) for part in problem["loc"])
        problems.append(f"{place + ': ' if place else ''}{problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(problems)
