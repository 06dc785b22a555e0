"""What a beginner gets wrong first is told once, plainly, and by the tests that are about it."""

import re
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from hitl_core.testing.conformance.loading import UNLOADABLE, unloadable
from hitl_core.testing.conformance.rules import standard_tests
from hitl_core.testing.conformance.summary import SuiteOutcome, in_order, write_open_points, write_suite
from hitl_core.testing.reference import ReferenceProvider

from .mutation import ReferenceSuite

SUITE = """
import pytest
import hitl_core as hitl
from hitl_core.testing import ProviderConformance
from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator

class Broken(ReferenceProvider):
{body}

class TestBroken(ProviderConformance):
    @pytest.fixture
    def provider(self):
        return Broken

    @pytest.fixture
    def simulator(self, clock):
        return ReferenceSimulator(clock=clock)
"""
MISSPELT = """
    @hitl.hookimpl
    async def list_event(self, request):
        pass
"""
HOOK_SPEC = "keeps_to_the_hook_spec"
WRONG_HEADER = """
    @hitl.hookimpl
    def verify_webhook(self, request):
        raise hitl.WebhookVerificationError("there is no header x-other-signature")
"""
LOGS_ITS_SECRET = """
    @hitl.hookimpl
    async def open(self):
        import logging
        logging.getLogger("acme").warning("secret %s", self._ctx.settings.client_secret.get_secret_value())
        return await super().open()
"""


@pytest.fixture
def run(tmp_path):
    """Run pytest on a reference provider that is spoilt."""

    def run(body, *args):
        (tmp_path / "test_it.py").write_text(SUITE.format(body=body))
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q -p no:cacheprovider\nfilterwarnings = error\n")
        command = [sys.executable, "-m", "pytest", "--rootdir", str(tmp_path), *args, "test_it.py"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_provider_that_breaks_the_hook_spec_fails_once(run):
    code, out = run(MISSPELT)
    assert code == 1
    assert re.search(r"^1 failed, \d+ passed, \d+ not applicable|^1 failed, \d+ not applicable", out, re.MULTILINE), (
        out[-2000:]
    )
    # In the failure, its cause, the summaries; how much of a line pytest's own shows depends on the terminal.
    assert out.count("breaks the hook spec") <= 5, out[-2000:]
    assert len(out.splitlines()) < 200, "said once, not once a test"
    assert len(out.splitlines()) < 150
    assert out.count("nothing is proven: the provider cannot be loaded") == 1


def test_a_name_that_nothing_offers_is_no_provider_either():
    assert unloadable(ReferenceSuite, "no-such-helpdesk") == UNLOADABLE
    assert unloadable(ReferenceSuite, ReferenceProvider) is None


def test_a_run_without_the_tests_about_loading_fails_as_well(run):
    code, out = run(MISSPELT, "-k", "test_closing_twice_is_fine")
    assert code == 1
    assert "FAILED TestBroken - the provider cannot be loaded" in out


def test_a_refusal_of_the_simulators_own_delivery_is_said_first_with_the_headers_that_came(run):
    code, out = run(WRONG_HEADER, "-k", "no_secret_is_logged or replies_keep_their_order or read_twice or needs_no_rec")
    assert code == 1
    said = "AssertionError: the simulator's own delivery is refused: "
    plain = re.findall(r"^E +(AssertionError: .*)", out, re.MULTILINE)
    assert len(plain) == 4
    assert all(one.startswith(said) for one in plain), plain
    assert all("it carries the headers " in one and "signature" in one for one in plain)
    assert "v1=" not in "".join(plain), "names only"


def test_a_leak_into_the_log_is_not_repeated_by_the_report(run):
    code, out = run(LOGS_ITS_SECRET, "-k", "no_secret_is_logged")
    assert code == 1
    assert "log no header, no body, no settings" in out, "the reason is told"
    assert "Captured log" not in out
    assert "WARNING" not in out


class Terminal:
    """Keeps what is printed."""

    config = SimpleNamespace(get_verbosity=lambda: 1)

    def __init__(self):
        self.lines = []

    def line(self, text, **_):
        self.lines.append(text)


class Recorded(ReferenceSuite):
    """A suite that plays recordings."""

    __test__ = False
    level = "recorded"


def outcome(cls, **reasons):
    info = ReferenceProvider.info
    return SuiteOutcome(
        cls, provider="reference", info=info, reasons=Counter({REASONS[k]: n for k, n in reasons.items()})
    )


REASONS = {
    "transfer": "capability transfer is not declared",
    "typing": "capability typing is not declared",
    "notes": "capability internal_notes is declared",
    "batch": "the simulator cannot emit_batch",
    "time": "the vendor's signatures do not cover the time",
}


def test_reasons_are_grouped_in_plain_words():
    terminal = Terminal()
    suite = outcome(ReferenceSuite, transfer=2, typing=1, notes=1, batch=1, time=3)
    suite.left_out = 7
    write_suite(terminal, suite, [])
    assert terminal.lines[1:] == [
        "  not declared: transfer (2), typing (1)",
        "  declared, so their opposite is not tested: internal_notes (1)",
        "  the simulator cannot: emit_batch (1)",
        "  other: the vendor's signatures do not cover the time (3)",
        "  left out by -k or -m: 7 (a complete run is needed to prove conformance)",
    ]


def test_a_recorded_suite_tells_only_what_differs():
    terminal = Terminal()
    offline, recorded = outcome(ReferenceSuite, transfer=2, typing=1), outcome(Recorded, transfer=2, typing=4)
    assert in_order([recorded, offline]) == [offline, recorded]
    write_suite(terminal, recorded, [offline])
    assert terminal.lines[1:] == ["  not applicable beside this: as in ReferenceSuite", "  not declared: typing (4)"]


def test_what_is_to_do_is_listed_by_a_complete_run_alone(tmp_path):
    (tmp_path / "simulator.py").write_text("# TODO(reference): How does it sign?\n")
    suite, terminal = outcome(ReferenceSuite), Terminal()
    suite.package, suite.ran, suite.left_out = tmp_path, set(standard_tests(ReferenceSuite)), 1
    write_open_points(terminal, [suite])
    (line,) = terminal.lines
    assert line.startswith("Still to do for reference: ")
    suite.left_out = 0
    write_open_points(terminal, [suite])
    assert terminal.lines[2].startswith("  Start with the simulator: ")
    assert terminal.lines[3] == "  1. simulator.py:1: How does it sign?"
