"""The real thing: wheel of this tree, new package, new environment, and its author's first commands."""

import subprocess
import sys
import time

import pytest

from .conftest import ROOT

SECONDS = 60


@pytest.fixture
def shell(clean_environment):
    def run(*command, cwd, **environment):
        env = {**clean_environment, **environment}
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


def test_a_new_package_is_installed_listed_tested_and_told_what_is_left(program, shell, tmp_path, capsys):
    uv, started = program("uv"), time.monotonic()
    venv, folder = tmp_path / "venv", tmp_path / "hitl-acme-desk"
    bin_ = venv / "bin"
    shell(uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path / "dist", "--package", "hitl-core", cwd=ROOT)
    (wheel,) = (tmp_path / "dist").glob("hitl_core-*.whl")
    shell(uv, "venv", "--quiet", venv, cwd=tmp_path)
    install = (uv, "pip", "install", "--quiet")
    shell(*install, wheel, cwd=tmp_path, VIRTUAL_ENV=str(venv))
    # The templates come out of the wheel, by the command that is in it.
    shell(bin_ / "hitl", "new-provider", "acme-desk", "--title", 'Acme "Desk" 客服', cwd=tmp_path)
    core = f"hitl-core @ {wheel.as_uri()}"
    shell(*install, core, "-e", f"{folder}[simulator]", cwd=tmp_path, VIRTUAL_ENV=str(venv))
    listed = shell(bin_ / "hitl", "providers", "--check", cwd=tmp_path)
    assert [line.split() for line in listed.splitlines()[1:]] == [["acme-desk", "hitl-acme-desk", "0.1.0", "ok"]]
    out = shell(bin_ / "python", "-m", "pytest", cwd=folder)
    assert "Still to do for acme-desk:" in out
    assert "How does your vendor sign webhooks" in out
    taken = time.monotonic() - started
    with capsys.disabled():
        sys.stdout.write(f"\nfrom nothing to a green suite: {taken:.1f} s\n")
    assert taken < SECONDS
