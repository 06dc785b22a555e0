"""Pages made from the code are up to date, and no hook is undocumented or untested."""

from __future__ import annotations

import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_up_to_date():
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_hook_is_documented(generate):
    silent = [name for name, hook in generate.hooks().items() if not inspect.getdoc(hook)]
    assert not silent


def test_every_field_a_hook_is_given_or_answers_is_described(generate):
    assert generate.undescribed() == []


@pytest.mark.parametrize("page", ["hooks.md", "features.md", "conformance.md", "policy-fields.md"])
def test_no_page_shows_the_numbers_of_our_own_list_of_behaviours(generate, page):
    assert re.findall(r"\b[FRS]\d{2,3}\b", (ROOT / "docs" / page).read_text("utf-8")) == []


@pytest.mark.parametrize("page", ["hooks.md", "conformance.md"])
def test_every_link_into_a_generated_page_finds_its_heading(generate, page):
    texts = {name: (ROOT / "docs" / name).read_text("utf-8") for name in ("hooks.md", "conformance.md")}
    links = re.findall(r"\]\(((?:hooks|conformance)\.md)?#([^)]+)\)", texts[page])
    headings = {
        name: {generate._heading_anchor(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
        for name, text in texts.items()
    }
    assert links
    assert [anchor for target, anchor in links if anchor not in headings[target or page]] == []


def test_every_hook_is_proven_by_a_standard_test(generate):
    untested = sorted(set(generate.hooks()) - set(generate.tests_by_hook()))
    assert not untested


def test_standard_tests_name_hooks_that_exist(generate):
    assert not sorted(set(generate.tests_by_hook()) - set(generate.hooks()))


def test_every_capability_is_held_to_by_a_standard_test(generate):
    proofs = generate.tests_by_flag()
    assert not [flag for flag in generate.FLAGS if not proofs[flag]]


def test_every_standard_test_says_its_rule_in_a_sentence(generate):
    tests = generate.standard_tests(generate.ProviderConformance)
    assert not [name for name, test in tests.items() if not (inspect.getdoc(test) or "").endswith((".", ")."))]
