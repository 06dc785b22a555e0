"""What is declared and was not tried fails a run of all tests, however its tests came to be passed by."""

import subprocess
import sys

import pytest

SUITE = """
import pytest
from hitl_core.testing.conformance.groups.handling import HandlingTests
from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator

class TestSome(HandlingTests):
    level = "{level}"

    @pytest.fixture
    def provider(self):
        return ReferenceProvider

    @pytest.fixture
    def simulator(self, clock):
        return ReferenceSimulator(clock=clock)
"""
PASSED_BY = """
    @pytest.mark.xfail(reason="nobody sees it", run={run})
    async def test_typing_is_taken_and_is_no_message(self, room):
        {body}
"""
TOLD = "typing is declared, and no test of it was carried out: test_typing_is_taken_and_is_no_message"


@pytest.fixture
def run(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q -p no:cacheprovider\nfilterwarnings = error\n")

    def run(code, *args):
        (tmp_path / "test_it.py").write_text(code)
        command = [sys.executable, "-m", "pytest", "--rootdir", str(tmp_path), *args, "test_it.py"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def test_what_is_declared_and_was_not_tried_fails_the_run(run):
    code, out = run(SUITE.format(level="offline") + PASSED_BY.format(run=False, body="pass"))
    assert code == 1, out
    assert f"TestSome: {TOLD}" in out
    summary = out.partition("short test summary info")[2]
    assert "FAILED TestSome - typing is declared" in summary
    assert "1 failed, " in summary


def test_a_test_that_is_expected_to_fail_was_tried(run):
    code, out = run(SUITE.format(level="offline") + PASSED_BY.format(run=True, body="raise AssertionError"))
    assert code == 0, out
    assert "is declared, and no test" not in out


def test_a_run_of_some_tests_says_nothing_of_what_it_left_out(run):
    code, out = run(SUITE.format(level="offline"), "-k", "not typing")
    assert code == 0, out


def test_as_long_as_nothing_is_recorded_a_recorded_suite_has_nothing_to_prove(run):
    code, out = run(SUITE.format(level="recorded"))
    assert code == 0, out
    assert "is declared, and no test" not in out
