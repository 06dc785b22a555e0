"""The page on policies says what is so."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from hitl_core.bridge.policy import AGENT_TEXTS, TEXTS, Policy
from hitl_core.bridge.policy.languages import BUILT_IN
from hitl_core.bridge.policy.texts import VARIABLES

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"
LANGUAGES = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "nl": "Dutch",
    "pt": "Portuguese",
}


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text("utf-8")


def test_the_examples_run_one_after_the_other_and_print_what_is_shown(page):
    names: dict[str, object] = {}
    for example, shown in re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", page, flags=re.DOTALL):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(example, PAGE.name, "exec"), names)  # noqa: S102 - the page's own words
        assert printed.getvalue() == shown


def test_every_text_and_variable_is_told_of(page):
    rows = [line for line in page.splitlines() if line.startswith("|")]
    said = {name for row in rows for name in re.findall(r"\w+", row)}
    assert [name for name in TEXTS if name not in said and name != "hand_back_marker"] == []
    assert [name for name in VARIABLES if f"{{{name}}}" not in page] == []
    assert [name for name in Policy.model_fields if name.endswith("_seconds") and name not in page] == []


def test_who_is_told_is_who_the_code_says(page):
    by_text = {
        name: who
        for who, texts in re.findall(r"^\|[^|]+\| (customer|agent) \| (.*) \|$", page, flags=re.MULTILINE)
        for name in re.findall(r"on_\w+_(?:message|answer|note)", texts)
    }
    assert {name for name, who in by_text.items() if who == "agent"} == AGENT_TEXTS - {"on_customer_left_note"}


def test_every_language_is_named(page):
    assert set(LANGUAGES) == set(BUILT_IN)
    assert [name for name in LANGUAGES.values() if name not in page] == []
