"""What ``hitl new-provider`` writes is whole, well formed and clean, whatever the vendor is called."""

import ast
import subprocess
import tomllib

import pytest
import yaml
from markdown_it import MarkdownIt

from hitl_core.cli.new_provider import render
from hitl_core.rendering import markdown_to_text

NAMES = ["acme", "acme-desk", "x3cx", "work-8x8-9", "a", "n" * 24, "a-b-c-d-e-f-g-h-i-j-k-l"]
TITLES = [
    None,
    'Acme "Desk"',
    "O'Brien & Söhne",
    'both " and \' and " of them',
    'three """ in a row',
    "a \\ and one at the end \\",
    "Помощь: 客服 “quoted” 🧡",
    "*[x](https://example.com)* <b> `y` @@{name} $name {x} %s",
    "x" * 60,
]


def content(pages, ending):
    return {str(path): text for path, text in pages.items() if str(path).endswith(ending)}


def title_in(source):
    """Return every value given to a keyword or name `title` in a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "title" and isinstance(node.value, ast.Constant):
            yield node.value.value
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "title":
            yield node.value.value


def test_the_package_holds_what_a_publishable_one_needs():
    pages = {str(path) for path in render("acme-desk")}
    assert pages == {
        ".github/workflows/ci.yml",
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "cassettes/.gitkeep",
        "cassettes/README.md",
        "hitl_acme_desk/__init__.py",
        "hitl_acme_desk/events.py",
        "hitl_acme_desk/provider.py",
        "hitl_acme_desk/py.typed",
        "hitl_acme_desk/settings.py",
        "hitl_acme_desk/simulator.py",
        "pyproject.toml",
        "tests/test_conformance.py",
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_name_gives_modules_that_compile_and_no_placeholder_is_left(name):
    pages = render(name)
    for path, text in pages.items():
        assert "@@" not in text, path
        assert "tmpl" not in str(path)
        assert "dot-" not in str(path)
    for path, text in content(pages, ".py").items():
        compile(text, path, "exec")


@pytest.mark.parametrize("title", TITLES)
def test_every_title_arrives_as_it_was_given(title):
    pages = render("acme", title=title)
    shown = title or "Acme"
    for module in ("hitl_acme/provider.py", "hitl_acme/simulator.py"):
        assert shown in title_in(content(pages, module)[module]), module
    project = tomllib.loads(content(pages, "pyproject.toml")["pyproject.toml"])["project"]
    assert project["description"] == f"HITL provider for {shown}."
    readme = content(pages, "README.md")["README.md"]
    heading = next(line for line in readme.splitlines() if line.startswith("## Setting up "))
    assert markdown_to_text(heading) == f"Setting up {shown}"
    html = MarkdownIt().render(heading)
    assert "<a " not in html
    assert "<b>" not in html


@pytest.mark.parametrize(
    ("author", "described", "holder"),
    [
        (None, {"name": "The hitl-acme authors"}, "The hitl-acme authors"),
        ("Ada Lovelace", {"name": "Ada Lovelace"}, "Ada Lovelace"),
        ("Müller, Änne <ae@example.com>", {"name": "Müller, Änne", "email": "ae@example.com"}, "Müller, Änne"),
        ('Ada "A"', {"name": 'Ada "A"'}, 'Ada "A"'),
    ],
)
def test_the_author_stands_in_the_metadata_and_in_the_licence(author, described, holder):
    pages = render("acme", author=author)
    project = tomllib.loads(content(pages, "pyproject.toml")["pyproject.toml"])["project"]
    assert project["authors"] == [described]
    assert content(pages, "LICENSE")["LICENSE"].splitlines()[2].endswith(f" {holder}")


@pytest.mark.parametrize("name", NAMES)
def test_the_metadata_names_package_and_entry_points(name):
    pages = render(name)
    parsed = tomllib.loads(content(pages, "pyproject.toml")["pyproject.toml"])
    project, package = parsed["project"], f"hitl_{name.replace('-', '_')}"
    assert project["name"] == f"hitl-{name}"
    assert project["dependencies"] == ["hitl-core>=0.1,<0.2"]
    assert project["optional-dependencies"]["simulator"] == ["hitl-core[testing]"]
    assert parsed["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [package]
    for group, module in (("hitl.providers", package), ("hitl.simulators", f"{package}.simulator")):
        ((key, target),) = project["entry-points"][group].items()
        where, _, what = target.partition(":")
        assert (key, where) == (name, module)
        source = content(pages, ".py")[f"{where.replace('.', '/')}.py" if where != package else f"{where}/__init__.py"]
        assert what in source


def test_ci_installs_lints_checks_types_and_tests_on_every_version():
    workflow = yaml.safe_load(content(render("acme"), "ci.yml")[".github/workflows/ci.yml"])
    job = workflow["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert job["steps"][1]["with"]["python-version"] == "${{ matrix.python }}"
    commands = " ".join(step.get("run", "") for step in job["steps"])
    for command in ('pip install -e ".[test]"', "ruff check .", "ruff format --check .", "mypy", "pytest"):
        assert command in commands


def test_the_modules_stay_short_and_ask_a_question_where_vendors_differ():
    pages = content(render("acme"), ".py")
    for module, most in (("provider", 200), ("events", 100)):
        assert len(pages[f"hitl_acme/{module}.py"].splitlines()) < most
    for module in ("provider", "events", "settings", "simulator"):
        asked = [line for line in pages[f"hitl_acme/{module}.py"].splitlines() if "TODO(acme): " in line]
        assert asked, module
        assert all("?" in line for line in asked), module


def test_the_readme_says_where_hitl_core_comes_from_until_it_is_published():
    assert 'pip install -e PATH-TO-HITL -e ".[test]"' in content(render("acme"), "README.md")["README.md"]


def test_the_readme_says_that_nothing_was_tried_with_a_real_account():
    assert "**Not tried against a live account**" in content(render("acme"), "README.md")["README.md"]


@pytest.mark.parametrize(
    ("name", "title"),
    [("acme", TITLES[1]), ("work-8x8-9", TITLES[3]), ("n" * 24, TITLES[8]), ("a", TITLES[6]), ("a", TITLES[5])],
)
def test_the_generated_files_pass_ruff_with_their_own_settings(name, title, written, program, clean_environment):
    folder = written(name, title=title)
    for command in (["check", "--no-cache", "."], ["format", "--no-cache", "--check", "--diff", "."]):
        done = subprocess.run(
            [program("ruff"), *command],
            cwd=folder,
            env=clean_environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
