"""``hitl cassettes``: what it looks for, what it runs, and what its exit codes mean."""

import subprocess
import sys

import pytest
from hitl_desk.simulator import DeskSimulator

from hitl_core.cli import run
from hitl_core.testing.cassettes import Exchange, Provenance, RecordedRequest, RecordedResponse
from hitl_core.testing.cassettes.files import read, write

SUITE = """
import http.server
import os
import threading
import urllib.request

import pytest

from hitl_core.testing.cassettes import Provenance, Scrubber, use_cassette


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def ask(request):
    def ask(name, what="x", fail=False):
        record = request.config.getoption("--record-mode") == "rewrite"
        provenance = Provenance.now("desk", os.environ["HITL_RECORD"])
        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                url = f"http://127.0.0.1:{server.server_port}"
                scrubber = Scrubber(replace={url: "https://recorded.invalid"})
                path = f"cassettes/desk/{name}.yaml"
                with use_cassette(path, record=record, scrubber=scrubber, provenance=provenance):
                    assert not fail
                    urllib.request.urlopen(f"{url}/{what}").close()
            finally:
                server.shutdown()
                thread.join()

    return ask


@pytest.mark.hitl_recorded
def test_clean(ask):
    ask("clean")


@pytest.mark.hitl_recorded
def test_leaky(ask):
    ask("leaky", os.environ.get("HITL_DESK_TOKEN", "x"))


@pytest.mark.hitl_recorded
def test_simulated(ask):
    ask("simulated", os.environ.get("OF_THE_SIMULATOR", "x"))


@pytest.mark.hitl_recorded
def test_failing(ask):
    ask("failing", fail=True)


@pytest.mark.hitl_recorded
def test_silent():
    pass


def test_of_another_kind(ask):
    ask("other")
"""


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Work in an empty folder, with an account's settings, and a pytest that starts quickly."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-q -p pytest_recording.plugin -p no:cacheprovider")
    monkeypatch.setenv("HITL_DESK_BASE_URL", "https://desk.example/api")
    monkeypatch.setenv("HITL_DESK_TOKEN", "dbk-hunter2-hunter2")
    return tmp_path


@pytest.fixture
def suite(workplace):
    (workplace / "tests").mkdir()
    (workplace / "tests" / "test_desk.py").write_text(SUITE)
    (workplace / "pytest.ini").write_text("[pytest]\nmarkers =\n    hitl_recorded: has a recording\n")
    return workplace


def put(folder, path, uri="https://recorded.invalid/x"):
    provenance = Provenance.now(path.split("/")[0], "simulator")
    write(folder / path, provenance, [Exchange(RecordedRequest("GET", uri), RecordedResponse(204))])


# hitl cassettes check ----------------------------------------------------------------------------------------------


def test_check_says_what_it_looked_at_and_for(workplace, capsys):
    put(workplace / "cassettes", "desk/a.yaml")
    put(workplace / "cassettes", "desk/deep/b.yaml")
    assert run(["cassettes", "check"]) == 0
    told = "2 cassettes, 1 secret of the environment and 3 of simulators looked for, 0 problems\n"
    assert capsys.readouterr().out == told


def test_check_finds_the_secrets_of_the_environment(workplace, capsys, monkeypatch):
    monkeypatch.setenv("HITL_DESK_WEBHOOK_SECRET", "first-secret,second-secret")
    put(workplace / "elsewhere", "desk/a.yaml", "https://recorded.invalid/dbk-hunter2-hunter2")
    put(workplace / "elsewhere", "desk/b.yaml", "https://recorded.invalid/?x=second-secret")
    put(workplace / "elsewhere", "desk/c.yaml", "https://desk.example/api/x")
    assert run(["cassettes", "check", "elsewhere"]) == 1
    first, second, summary = capsys.readouterr().out.splitlines()
    assert first.startswith("elsewhere/desk/a.yaml, interaction 1, URL: it holds a secret; throw the file away")
    assert second.startswith("elsewhere/desk/b.yaml, interaction 1, URL: it holds a secret; ")
    assert summary == "3 cassettes, 3 secrets of the environment and 3 of simulators looked for, 2 problems"
    assert "hunter2" not in first


def test_check_takes_every_longer_value_for_a_secret_when_the_provider_is_not_installed(workplace, capsys, monkeypatch):
    monkeypatch.setenv("HITL_ACME_CORP_HOST", "acme-host")
    monkeypatch.setenv("HITL_ACME_CORP_ID", "4711")
    monkeypatch.setenv("HITL_OTHER_HOST", "recorded.invalid")
    put(workplace / "cassettes", "acme-corp/a.yaml", "https://acme-host/x")
    assert run(["cassettes", "check"]) == 1
    assert "1 cassette, 1 secret of the environment looked for, 1 problem\n" in capsys.readouterr().out


def test_check_says_which_secrets_cannot_be_looked_for(workplace, capsys, monkeypatch):
    monkeypatch.setenv("HITL_DESK_TOKEN", "abc")
    put(workplace / "cassettes", "desk/a.yaml", "https://abc/x")
    assert run(["cassettes", "check"]) == 0
    captured = capsys.readouterr()
    assert "0 secrets of the environment and 3 of simulators looked for" in captured.out
    assert captured.err == "1 secret cannot be told from ordinary text; look for yourself.\n"


def test_check_of_a_folder_that_is_not_there_is_a_wrong_question(workplace, capsys):
    assert run(["cassettes", "check"]) == 2
    assert run(["cassettes", "check", "nowhere"]) == 2
    assert "there is no folder nowhere" in capsys.readouterr().err


# hitl cassettes record ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("flags", "origin"), [(["--simulator"], "simulator"), ([], "live")])
def test_record_runs_the_recorded_tests_and_checks_what_they_made(suite, capfd, flags, origin):
    assert run(["cassettes", "record", "desk", "-k", "clean or kind", *flags]) == 0
    captured = capfd.readouterr()
    assert "recorded cassettes/desk/clean.yaml\n" in captured.out
    assert "read the diff" in captured.err
    assert read(suite / "cassettes" / "desk" / "clean.yaml")[0].origin == origin
    assert not (suite / "cassettes" / "desk" / "other.yaml").exists()


def test_record_refuses_what_does_not_pass_the_check_and_deletes_nothing(suite, capfd):
    put(suite / "cassettes", "desk/old.yaml", "https://recorded.invalid/?q=jane%40corp.com")
    assert run(["cassettes", "record", "desk", "-k", "clean or leaky"]) == 1
    captured = capfd.readouterr()
    assert "cassettes/desk/leaky.yaml, interaction 1, URL: it holds a secret" in captured.out
    assert "throw them away: cassettes/desk/leaky.yaml cassettes/desk/old.yaml\n" in captured.err
    assert "hunter2" not in captured.out + captured.err
    assert {path.name for path in (suite / "cassettes" / "desk").iterdir()} == {"clean.yaml", "leaky.yaml", "old.yaml"}


def test_record_looks_for_the_secrets_of_the_simulator_too(suite, capfd, monkeypatch):
    secret = DeskSimulator().settings("https://desk.example")["token"]
    monkeypatch.setenv("OF_THE_SIMULATOR", secret)
    assert run(["cassettes", "record", "desk", "--simulator", "-k", "simulated"]) == 1
    captured = capfd.readouterr()
    assert "cassettes/desk/simulated.yaml, interaction 1, URL: it holds a secret" in captured.out
    assert "1 recording, 1 secret of the environment and 3 of simulators looked for, 1 problem\n" in captured.out
    assert secret not in captured.out + captured.err


def test_record_fails_when_a_test_fails_and_keeps_the_old_recording(suite, capfd):
    put(suite / "cassettes", "desk/failing.yaml")
    old = (suite / "cassettes" / "desk" / "failing.yaml").read_bytes()
    assert run(["cassettes", "record", "desk", "--simulator", "-k", "failing or clean"]) == 1
    captured = capfd.readouterr()
    assert "Some tests failed" in captured.err
    assert (suite / "cassettes" / "desk" / "failing.yaml").read_bytes() == old


def test_record_fails_when_nothing_is_recorded(suite, capfd):
    assert run(["cassettes", "record", "desk", "--simulator", "-k", "silent"]) == 1
    assert "recorded nothing in cassettes/desk; name their folder with --cassettes" in capfd.readouterr().err


def test_record_without_a_recorded_test_is_a_wrong_question(suite, capfd):
    assert run(["cassettes", "record", "desk", "--simulator", "--tests", "tests", "-k", "kind"]) == 2
    assert "no recorded test found in tests; mark tests with pytest.mark.hitl_recorded" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["dsek"], "did you mean 'desk'"),
        (["desk", "--tests", "nowhere"], "there is no nowhere"),
    ],
)
def test_a_wrong_question_is_told_before_anything_runs(workplace, capfd, args, sentence):
    assert run(["cassettes", "record", *args]) == 2
    captured = capfd.readouterr()
    assert sentence in captured.err
    assert captured.out == ""


def test_record_names_the_settings_that_are_missing(workplace, capfd, monkeypatch):
    monkeypatch.delenv("HITL_DESK_TOKEN")
    monkeypatch.setenv("HITL_DESK_BASE_URL", "")
    assert run(["cassettes", "record", "desk"]) == 2
    assert "set HITL_DESK_BASE_URL, HITL_DESK_TOKEN; or record with --simulator" in capfd.readouterr().err
    monkeypatch.setenv("HITL_DESK_TOKNE", "hunter2")
    assert run(["cassettes", "record", "desk"]) == 2
    assert "did you mean 'token'" in capfd.readouterr().err


def test_the_tests_of_the_provider_come_before_those_of_all(suite, capfd):
    own = suite / "providers" / "desk" / "tests"
    own.mkdir(parents=True)
    (own / "test_own.py").write_text("def test_it(): pass\n")
    assert run(["cassettes", "record", "desk", "--simulator"]) == 2
    assert "no recorded test found in providers/desk/tests" in capfd.readouterr().err


@pytest.mark.parametrize("args", [["--version"], ["--help"], ["cassettes", "--help"], ["cassettes", "record", "dsek"]])
def test_nothing_heavy_is_imported_before_it_is_needed(args):
    script = "import sys; from hitl_core.cli import run; run(sys.argv[1:]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script, *args], capture_output=True, text=True, check=True)
    assert not {"vcr", "yaml", "pytest", "hitl_core.testing.cassettes"} & set(done.stdout.split())
