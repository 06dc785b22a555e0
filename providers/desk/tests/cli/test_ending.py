"""Ctrl-C ends a server quietly with exit code 0, also when whoever started it passes it on once more."""

import signal
import subprocess
import sys

import pytest


@pytest.mark.parametrize("command", [["desk", "serve"], ["demo"]], ids=" ".join)
def test_ctrl_c_once_or_twice_is_a_clean_end(command, tmp_path):
    program = [sys.executable, "-m", "hitl_core.cli", *command, "--port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while "Agent inbox" not in (line := process.stdout.readline()):
            assert line, process.stderr.read()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=20)[1]
    assert (process.returncode, "Traceback" in errors) == (0, False), errors
