"""The generated provider passes the kit of this very tree, its types are right, and its faults are found."""

import os
import subprocess
import sys
import tomllib

import pytest

from .conftest import ROOT


@pytest.fixture
def suite(written, tmp_path, clean_environment):
    """Run the generated tests in a child, with the package on the path as if it were installed."""

    def run(name="acme", *args, change=None):
        folder = written(name)
        if change is not None:
            path, before, after = change
            text = (folder / path).read_text("utf-8")
            assert text.count(before) == 1
            (folder / path).write_text(text.replace(before, after), "utf-8")
        metadata(folder, tmp_path / "site", name)
        path = os.pathsep.join([str(tmp_path / "site"), str(folder), str(ROOT)])
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args],
            cwd=folder,
            env={**clean_environment, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def metadata(folder, site, name):
    """Write what an installation would leave of the package's metadata."""
    info = site / f"hitl_{name.replace('-', '_')}-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: hitl-{name}\nVersion: 0.1.0\n")
    groups = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()) for group, entries in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))


def test_the_suite_is_green_from_the_first_run_and_says_what_is_left(suite):
    name = "work-8x8-9"  # an odd one; test_installed.py has a plain one
    code, out = suite(name)
    assert code == 0, out
    assert f"Still to do for {name}:" in out
    for wanted in ("How does your vendor sign webhooks", "README.md:", "hitl cassettes record", "info.verified is"):
        assert wanted in out


@pytest.mark.parametrize(
    ("path", "before", "after", "found_by"),
    [
        (
            "hitl_acme/events.py",
            '"customer": hitl.IgnoredReason.END_USER',
            '"customer": None',
            "test_what_the_customer_writes_there_is_no_agents_message",
        ),
        (
            "hitl_acme/provider.py",
            '"public": request.visibility == "public"',
            '"public": True',
            "test_a_note_is_not_public",
        ),
        (
            "hitl_acme/provider.py",
            "self._ctx.verify_signature(SIGNATURE, request)",
            "assert request",
            "test_a_changed_body_is_refused",
        ),
    ],
)
def test_the_suite_finds_what_its_author_breaks(suite, path, before, after, found_by):
    code, out = suite("acme", "-k", found_by, change=(path, before, after))
    assert code == 1, out
    assert f"FAILED tests/test_conformance.py::TestAcme::{found_by}" in out


def test_what_was_recorded_against_the_simulator_is_played_without_one(suite, written, tmp_path):
    some = "customer_is_created_once or two_at_once"
    code, out = suite("acme", "-m", "hitl_recorded", "-k", some, "--record-mode=rewrite")
    assert code == 0, out
    assert len(list((tmp_path / "hitl-acme" / "cassettes" / "acme").rglob("*.yaml"))) == 2


def test_the_generated_package_passes_mypy_strict(written, program, clean_environment, tmp_path):
    folder = written("acme", title='Acme "Desk" \\')
    done = subprocess.run(
        [program("mypy"), "--cache-dir", str(tmp_path / "cache")],
        cwd=folder,
        env={**clean_environment, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
