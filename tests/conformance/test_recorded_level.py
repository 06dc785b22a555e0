"""The recorded level: made on a real port, played with the network blocked, and strict about what is missing."""

import os
import subprocess
import sys

import pytest

SUITE = """
import pytest
from pathlib import Path
from hitl_core.testing import ProviderConformance
from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator

class TestReference(ProviderConformance):
    level = "recorded"

    @pytest.fixture
    def provider(self):
        return ReferenceProvider

    @pytest.fixture
    def simulator(self, clock):
        return ReferenceSimulator(clock=clock)
"""
OTHER = """
import dataclasses

class OtherProvider(ReferenceProvider):
    __module__ = ReferenceProvider.__module__
    info = dataclasses.replace(ReferenceProvider.info, name="other")

class TestOther(TestReference):
    @pytest.fixture
    def provider(self):
        return OtherProvider
"""
REPEATING_THE_SECRET = """
import hitl_core as hitl
from hitl_core.signatures import SharedSecretScheme

SCHEME = SharedSecretScheme("x-api-key")

class RepeatingProvider(ReferenceProvider):
    __module__ = ReferenceProvider.__module__

    @hitl.hookimpl
    def verify_webhook(self, request):
        self._ctx.verify_signature(SCHEME, request)
        return hitl.WebhookDelivery.of(request)

class RepeatingSimulator(ReferenceSimulator):
    signs_time = signs_body = False

    def sign(self, secret, body, *, id, at):
        return SCHEME.sign(secret)

class TestRepeating(TestReference):
    @pytest.fixture
    def provider(self):
        return RepeatingProvider

    @pytest.fixture
    def simulator(self, clock):
        return RepeatingSimulator(clock=clock)

del TestReference
"""
SOME = "customer_is_created_once or two_at_once"


@pytest.fixture
def run(tmp_path):
    (tmp_path / "test_it.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\nfilterwarnings = error\n")
    plugins = ("-p", "anyio.pytest_plugin", "-p", "pytest_recording.plugin", "-p", "pytest_hitl")
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the plugins of others take longer to import than the tests to run

    def pytest_(*args, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--rootdir", ".", *plugins, *args, "test_it.py"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **alone, **environment},
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return pytest_


def record(run, tests, **environment):
    return run("-m", "hitl_recorded", "-k", tests, "--record-mode=rewrite", HITL_RECORD="simulator", **environment)


def recorded(run):
    code, out = record(run, SOME)
    assert code == 0, out


def written(folder):
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*.yaml")}


@pytest.fixture
def two(run, tmp_path):
    """Return where the recordings of two providers are, whose tests are beside each other."""
    (tmp_path / "test_it.py").write_text(SUITE + OTHER)
    recorded(run)
    return tmp_path / "cassettes" / "reference", tmp_path / "cassettes" / "other"


def test_what_was_recorded_is_played_without_a_network(run, tmp_path):
    recorded(run)
    folder = tmp_path / "cassettes" / "reference" / "conformance"
    assert sorted(path.stem for path in folder.iterdir()) == [
        "a_new_customer_is_created_once",
        "two_at_once_make_one_customer",
    ]
    code, out = run("-k", SOME)
    assert code == 0, out
    assert "TestReference (reference, recorded): 2 passed" in out


def test_a_recording_holds_no_secret(run, tmp_path):
    recorded(run)
    for path in (tmp_path / "cassettes").rglob("*.yaml"):
        assert "of-the-reference-helpdesk" not in path.read_text()


def test_a_run_that_records_one_provider_plays_the_others(run, two):
    played, made = two
    before = written(played), written(made)
    code, out = record(run, SOME, HITL_RECORD_PROVIDER="other")
    assert code == 0, out
    assert written(played) == before[0]
    assert written(made).keys() == before[1].keys()
    assert not written(made).items() & before[1].items()


def test_what_another_provider_misses_is_not_made_in_passing(run, two):
    missing = two[0] / "conformance" / "two_at_once_make_one_customer.yaml"
    missing.unlink()
    code, out = record(run, SOME, HITL_RECORD_PROVIDER="other")
    assert code == 1
    assert "make it: hitl cassettes record reference --simulator" in out
    assert not missing.exists()


def test_deliveries_that_hold_the_secret_are_played_without_it_in_the_recording(run, tmp_path):
    (tmp_path / "test_it.py").write_text(SUITE + REPEATING_THE_SECRET)
    tests = "delivery_without_its_proof or changed_proof_is_refused or while_a_secret_is_replaced"
    code, out = record(run, tests)
    assert code == 0, out
    files = [path.read_text() for path in (tmp_path / "cassettes").rglob("*.yaml")]
    assert files
    assert all("x-api-key: redacted" in text for text in files)
    code, out = run("-k", tests)
    assert code == 0, out
    assert f"{len(files)} passed" in out


def test_a_recording_made_again_differs_in_its_date_alone(run, tmp_path):
    tests = "rate_limited_call_waits"  # by chance, where nobody says how long
    made = []
    for _ in range(2):
        code, out = record(run, tests)
        assert code == 0, out
        (path,) = (tmp_path / "cassettes").rglob("*.yaml")
        made.append([line for line in path.read_text().splitlines() if "recorded_at" not in line])
    assert made[0] == made[1]


def test_as_long_as_nothing_is_recorded_that_is_said_and_nothing_fails(run):
    code, out = run("-k", SOME, "-vv")
    assert code == 0, out
    told = " ".join(out.split())
    assert "nothing is recorded yet; record with: hitl cassettes record reference --simulator (2)" in told


def test_a_missing_recording_says_how_to_make_it(run, tmp_path):
    recorded(run)
    (tmp_path / "cassettes" / "reference" / "conformance" / "two_at_once_make_one_customer.yaml").unlink()
    code, out = run("-k", SOME)
    assert code == 1
    assert "make it: hitl cassettes record reference --simulator" in out


def test_an_answer_nobody_asks_for_is_found(run, tmp_path):
    recorded(run)
    folder = tmp_path / "cassettes" / "reference" / "conformance"
    (folder / "two_at_once_make_one_customer.yaml").replace(folder / "a_new_customer_is_created_once.yaml")
    code, out = run("-k", "customer_is_created_once")
    assert code == 1, out


def test_a_recording_that_no_test_plays_fails_a_run_of_all_tests(run, tmp_path):
    group = SUITE.replace("from hitl_core.testing import ProviderConformance", "").replace(
        "ProviderConformance", "__import__('hitl_core.testing.conformance.groups.account', fromlist=['x']).AccountTests"
    )
    (tmp_path / "test_it.py").write_text(group)
    code, out = run("--record-mode=rewrite", HITL_RECORD="simulator")
    assert code == 0, out
    code, out = run()
    assert code == 0, out
    folder = tmp_path / "cassettes" / "reference" / "conformance"
    orphan = folder / "renamed_since.yaml"
    orphan.write_bytes(next(folder.glob("*.yaml")).read_bytes())
    code, out = run()
    assert code == 1
    assert f"no test plays {orphan}; remove it" in out
    summary = out.partition("short test summary info")[2]
    assert "FAILED orphaned recording - no test plays " in summary
    assert "1 failed, " in summary
    code, out = run("-k", "closing")
    assert code == 0, "what was left out may have played it"
