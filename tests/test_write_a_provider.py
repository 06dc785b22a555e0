"""The tutorial works: each of its files, assembled as a reader would, and each output it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "write-a-provider.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+) title=(\S+)( new)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def assemble(folder, upto="## Publish"):
    """Write the tutorial's files as they are before the heading ``upto``."""
    files = {}
    for _, name, new, code in BLOCK.findall(PAGE[: PAGE.index(upto)]):
        before = files.get(name, "") if not new else ""
        files[name] = f"{before}\n{code}" if before else code
    for name, code in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
    install(folder)


def install(folder):
    """Do what ``pip install -e .`` does, without building anything: the metadata that entry points are read from."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    entries = [f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in e.items()) for group, e in groups]
    (info / "entry_points.txt").write_text("\n".join(entries))


def run(folder, *command):
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, cwd=folder, env=environment, check=False
    )
    return done.returncode, done.stdout + done.stderr


def shown(after):
    """Return the output the page shows below a heading, without its commands."""
    block = re.search(r"```console\n(.*?)```", PAGE[PAGE.index(after) :], re.DOTALL)
    return [line for line in block[1].splitlines() if line and not line.startswith("$")]


@pytest.mark.parametrize(
    ("heading", "upto"), [("## Two files", "## What Paper Desk"), ("## Webhooks", "## A simulator")]
)
def test_the_tool_says_what_the_page_shows(tmp_path, heading, upto):
    assemble(tmp_path, upto)
    _, out = run(tmp_path, "hitl_core.cli", "providers", "--check")
    said = [" ".join(line.split()) for line in out.splitlines()]
    for line in shown(heading):
        assert " ".join(line.split()) in said


def test_the_finished_provider_passes_the_standard_tests(tmp_path):
    assemble(tmp_path, "## Recordings")
    code, out = run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "tests")
    assert code == 0, out
    assert "TestPaper (paper, offline):" in out
    _, out = run(tmp_path, "hitl_core.cli", "providers", "show", "paper")
    assert "proven against: simulator" in out


def test_the_finished_provider_records_and_plays(tmp_path):
    assemble(tmp_path)
    some = ("-q", "-p", "no:cacheprovider", "-W", "error", "-m", "hitl_recorded", "-k", "customer", "tests")
    code, out = run(tmp_path, "pytest", *some, "--record-mode=rewrite")
    assert code == 0, out
    code, out = run(tmp_path, "pytest", *some)
    assert code == 0, out
    assert list((tmp_path / "cassettes" / "paper").rglob("*.yaml"))
    code, out = run(tmp_path, "hitl_core.cli", "cassettes", "check", "cassettes")
    assert code == 0, out


def test_each_piece_of_the_page_is_python():
    for language, code in re.findall(r"```(python)(?: title=\S+)?(?: new)?\n(.*?)```", PAGE, re.DOTALL):
        assert language == "python"
        compile(code if not code.startswith("    ") else f"class Provider:\n{code}", "page", "exec")


def test_every_page_it_links_to_exists():
    for target in re.findall(r"\]\(([^)#:]+\.md)", PAGE):
        assert (Path(__file__).parents[1] / "docs" / target).exists(), target
