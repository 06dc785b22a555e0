"""The kit itself: what is right passes, what is bent is found, and a mutant that is none is told."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hitl_core.spec import CAPABILITY_HOOKS
from hitl_core.testing.conformance import ProviderConformance
from hitl_core.testing.conformance.groups.account import optional_calls
from hitl_core.testing.conformance.rules import FLAGS, rule_of, standard_tests
from hitl_core.testing.reference import ReferenceProvider

from .mutants_contract import Installed
from .mutation import ReferenceSuite

NESTED = """
import pytest

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider
from mutation import MUTANTS, ReferenceSuite, kills, suite_for
"""
MUTANTS = """
@kills("test_stopping_twice_is_fine")
class DoesItRight(ReferenceProvider):
    \"\"\"Does everything right.\"\"\"

@kills("test_stopping_twice_is_fine")
class NeverGetsThere(ReferenceProvider):
    \"\"\"Starts nothing.\"\"\"

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        raise hitl.PermissionDeniedError("no")

@kills("test_a_last_text_sent_before_the_stop_reaches_agents")
class IsNotConcerned(ReferenceProvider):
    \"\"\"Needs no such thing.\"\"\"

@kills("test_an_open_session_ends_in_the_helpdesk")
class DoesNothing(ReferenceProvider):
    \"\"\"Leaves tickets open.\"\"\"

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        pass

for test, mutants in MUTANTS.items():
    for mutant in mutants:
        globals()[f"Test_{mutant.__name__}"] = suite_for(test, mutant)
"""
SUITE = """
@pytest.mark.{mark}(reason="not today")
class TestOne(ReferenceSuite):
    only_tests = ("test_an_open_session_ends_in_the_helpdesk",)
"""


@pytest.fixture
def run(tmp_path):
    """Run pytest on some code, with our machinery for mutants beside it."""

    def run(code):
        for name in ("conftest.py", "mutation.py"):
            shutil.copy(Path(__file__).with_name(name), tmp_path / name)
        (tmp_path / "test_it.py").write_text(NESTED + code)
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q -p no:cacheprovider\nfilterwarnings = error\n")
        command = [sys.executable, "-m", "pytest", "--rootdir", str(tmp_path), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_mutant_that_equals_the_reference_survives_and_is_told(run):
    code, out = run(MUTANTS)
    assert code == 1
    assert "the mutant DoesItRight (Does everything right.) survives: test_stopping_twice_is_fine passes" in out
    assert "the mutant NeverGetsThere (Starts nothing.) survives" in out, "an error before the rule proves nothing"
    assert "was failed, not by an assertion" in out
    assert "the mutant IsNotConcerned (Needs no such thing.) survives" in out, "a test that is not run finds nothing"
    assert "DoesNothing" not in out
    assert "2 failed, 1 passed, 1 error" in out


@pytest.mark.parametrize(
    ("mark", "told"), [("skip", "was skipped (not today)"), ("xfail", "cannot be expected to fail")]
)
def test_a_whole_suite_can_be_neither_skipped_nor_expected_to_fail(run, mark, told):
    code, out = run(SUITE.format(mark=mark))
    assert code == 1
    assert told in out


class TestOneRuleIsKnownToFail(ReferenceSuite):
    """A test may be overridden as xfail with a reason."""

    only_tests = ("test_no_standard_test_is_replaced_removed_or_skipped",)

    @pytest.mark.xfail(reason="this vendor is beyond help")
    async def test_stopping_twice_is_fine(self, room):
        await super().test_stopping_twice_is_fine(room)


class TestFoundByName(Installed):
    """An installed provider is found."""

    only_tests = ("test_the_provider_is_found_by_its_name",)


class TestLoadedByName(Installed):
    """An installed provider is given by its name alone."""

    only_tests = ("test_the_provider_keeps_to_the_hook_spec",)


def test_every_capability_has_a_standard_test():
    needs = {need for test in standard_tests(ProviderConformance).values() for need in rule_of(test).needs}
    about = needs | {need.partition(":")[0] for need in needs}
    untested = {flag for flag in FLAGS if flag not in about}
    assert not untested, f"nothing tests these once they are declared: {', '.join(sorted(untested))}"


class TestOptionalCalls(ReferenceSuite):
    """Every capability that stands for a hook is tried where it is not declared."""

    only_tests = ("test_all_are_there",)

    async def test_all_are_there(self, room):
        session, plan = await room.session(), await room.plan()
        calls = optional_calls(room, room.connection, session, plan)
        assert set(calls) >= set(CAPABILITY_HOOKS)
        assert all({*named} >= {*CAPABILITY_HOOKS.get(capability, ())} for capability, named in calls.items())
        assert room.cls is ReferenceProvider
