"""The page on the bridge runs and says what is so."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from hitl_core.bridge import Bridge

PAGE = Path(__file__).parents[2] / "docs" / "bridge.md"


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text("utf-8")


def test_the_example_runs_and_prints_what_is_shown(page, tmp_path, monkeypatch):
    found = re.search(r"```python\n(import asyncio.*?)```\n\n```text\n(.*?)```", page, flags=re.DOTALL)
    example, shown = found.groups()
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, PAGE.name, "exec"), {"__name__": "__main__"})  # noqa: S102 - the page's own words
    assert printed.getvalue() == shown


def test_every_method_the_page_names_exists(page):
    named = re.findall(r"`(\w+)\(", "".join(re.findall(r"^\| `.*$", page, flags=re.MULTILINE)))
    assert named
    for name in named:
        assert callable(getattr(Bridge, name)), name


def test_the_page_names_all_a_bot_calls(page):
    internal = {"settle", "aclose"}
    public = {name for name in vars(Bridge) | vars(Bridge.__mro__[1]) if not name.startswith("_")} - internal
    assert [name for name in sorted(public) if f"`{name}(" not in page] == []
