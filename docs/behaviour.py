"""Which test shows which numbered behaviour: found in the tests' names and in the first line of what they say."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACES = ("tests", "providers", "examples", "hitl_core/testing/conformance/groups")

_NUMBER = re.compile(r"(?<![A-Za-z0-9])([SFR])(\d{2,3})(?![0-9A-Za-z])", re.IGNORECASE)
_SPAN = re.compile(r"(?<![A-Za-z0-9])([SFR])(\d{2,3})(?:_to_|-)\1?(\d{2,3})(?![0-9A-Za-z])", re.IGNORECASE)
_INTRODUCTION = """\
# Behaviours and their tests

Tests carry the numbers of the behaviours they show: `S…` is what a hand-off has always done, `F…` what it does better,
`R…` a mistake somebody has paid for before. The tests' names say what is so.

"""


def numbers_in(text: str) -> set[str]:
    """Return the numbers a text names, spans spelt out."""
    found = {f"{kind.upper()}{digits}" for kind, digits in _NUMBER.findall(text)}
    for kind, first, last in _SPAN.findall(text):
        width = len(first)
        found |= {f"{kind.upper()}{number:0{width}}" for number in range(int(first), int(last) + 1)}
    return found


def tests_by_number() -> dict[str, list[tuple[str, str]]]:
    """Return for each number the tests that carry it, as path and name."""
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in _files():
        shown = path.relative_to(ROOT).as_posix()
        for name, docstring in _tests(ast.parse(path.read_text("utf-8"))):
            for number in numbers_in(f"{name} {docstring}"):
                found[number].append((shown, name))
    return dict(found)


def _files() -> Iterator[Path]:
    for place in PLACES:
        for path in sorted((ROOT / place).rglob("*.py")):
            if "templates" not in path.parts:
                yield path


def _tests(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name, (ast.get_docstring(node) or "").partition("\n\n")[0]


def behaviour_page() -> str:
    """Return the page."""
    lines = [_INTRODUCTION, "| number | shown by |\n", "|---|---|\n"]
    for number, tests in sorted(tests_by_number().items(), key=lambda item: (item[0][0], int(item[0][1:]))):
        told = "<br>".join(f"`{path}` {name.removeprefix('test_')}" for path, name in sorted(set(tests)))
        lines.append(f"| {number} | {told} |\n")
    return "".join(lines)
