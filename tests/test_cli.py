"""The command line: data on stdout, messages on stderr, exit codes that mean something, never a traceback."""

import json
import re
import subprocess
import sys

import pytest

from hitl_core import standard_webhooks
from hitl_core.cli import run
from hitl_core.clock import SystemClock

BODY = json.dumps({"type": "webhook.test", "timestamp": "2026-11-21T08:00:00Z", "data": {}}).encode()
SECRET = standard_webhooks.generate_secret()


@pytest.fixture
def desk_settings(monkeypatch):
    monkeypatch.setenv("HITL_DESK_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HITL_DESK_TOKEN", "dbk_hunter2hunter2")
    monkeypatch.setenv("HITL_DESK_WEBHOOK_SECRET", f"{standard_webhooks.generate_secret()},{SECRET}")


@pytest.fixture
def delivery(tmp_path):
    """Write a signed delivery to files; give the arguments that name them."""

    def write(body=BODY, secret=SECRET, timestamp=None):
        signed = standard_webhooks.sign(
            [secret], id="evt_1", timestamp=SystemClock().now() if timestamp is None else timestamp, body=BODY
        )
        (tmp_path / "headers").write_text("".join(f"{name}: {value}\n" for name, value in signed.items()) + "\n")
        (tmp_path / "body").write_bytes(body)
        return ["--headers", str(tmp_path / "headers"), "--body", str(tmp_path / "body")]

    return write


def modules_after(*args):
    """Run the command line in a fresh interpreter; return exit code and the modules it imported."""
    script = (
        "import sys; from hitl_core.cli import run; code = run(sys.argv[1:]);"
        "print(); print(code, *sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *args], capture_output=True, text=True, check=True)
    code, *modules = done.stderr.split()
    return int(code), set(modules), done.stdout


@pytest.mark.parametrize("args", [["--version"], ["providers"], ["providers", "--json"], ["--help"]])
def test_version_help_and_listing_import_no_provider(args):
    code, modules, _ = modules_after(*args)
    assert code == 0
    assert not {module for module in modules if module.startswith("hitl_desk")}


def test_providers_lists_what_is_installed(capsys):
    assert run(["providers"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["NAME", "DISTRIBUTION", "VERSION"]
    assert re.search(r"^desk +hitl-desk ", out, re.MULTILINE)


def test_providers_json_is_stable(capsys):
    assert run(["providers", "--json", "--check"]) == 0
    (row,) = [row for row in json.loads(capsys.readouterr().out) if row["name"] == "desk"]
    assert set(row) == {"name", "distribution", "version", "target", "problem"}
    assert row["problem"] is None


def test_f40_show_prints_capabilities_limits_words_settings_and_options(capsys):
    assert run(["providers", "show", "desk"]) == 0
    out = capsys.readouterr().out
    for heading in ("Capabilities", "Limits", "Words", "Webhooks in", "Settings", "Options of a start"):
        assert f"\n{heading}\n" in out
    assert "  yes  pull  (list_events)" in out
    assert "  token (required)" in out
    (variables,) = [line for line in out.splitlines() if "from the environment: " in line]
    assert {"HITL_DESK_BASE_URL", "HITL_DESK_TOKEN"} <= set(variables.partition(": ")[2].split(", "))
    assert run(["providers", "show", "desk", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["capabilities"]["pull"] is True
    assert shown["settings"]["properties"]["token"]["writeOnly"] is True
    assert "priority" in shown["options"]["properties"]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["providers", "show", "dsek"], "did you mean 'desk'"),
        (["providers", "show", "nobodys-helpdesk"], "no provider 'nobodys-helpdesk' is installed (installed: desk"),
        (["provider"], "did you mean 'providers'"),
        (["check", "desk", "--set", "token=abc"], "set HITL_DESK_TOKEN instead"),
        (["check", "desk", "--set", "base_url"], "--set takes NAME=VALUE"),
        (["check", "desk"], "setting 'base_url' is required"),
        (["check", "desk"], "in the environment, set HITL_DESK_BASE_URL, HITL_DESK_TOKEN"),
        (["check", "desk", "--set", "base_url=http://127.0.0.1:9"], "in the environment, set HITL_DESK_TOKEN"),
    ],
)
def test_a_mistake_gives_a_sentence_and_exit_code_2(args, sentence, capsys):
    assert run(args) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err


def test_a_misspelt_variable_is_a_mistake_too(monkeypatch, desk_settings, capsys):
    monkeypatch.setenv("HITL_DESK_TOKNE", "hunter2")
    assert run(["check", "desk"]) == 2
    err = capsys.readouterr().err
    assert "HITL_DESK_TOKNE is no setting of 'desk'; did you mean 'token'" in err
    assert "hunter2" not in err


def test_an_unreachable_desk_is_told_with_its_mend_and_exit_code_1(desk_settings, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    from hitl_core.testing import no_backoff

    with no_backoff():
        assert run(["check", "desk"]) == 1
    out = capsys.readouterr().out
    assert "not ok  reachable" in out
    assert "is the desk running at http://127.0.0.1:9?" in out


def test_a_genuine_webhook_is_verified_with_any_of_the_secrets(desk_settings, delivery, capsys):
    assert run(["verify-webhook", "desk", *delivery()]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "verified": True,
        "delivery": "evt_1",
        "sessions": [],
        "account": None,
    }


def test_a_webhook_is_parsed_on_request(desk_settings, delivery, capsys):
    assert run(["verify-webhook", "desk", "--parse", *delivery()]) == 0
    (event,) = json.loads(capsys.readouterr().out)["events"]
    assert (event["kind"], event["reason"]) == ("ignored", "test_ping")


@pytest.mark.parametrize(
    "forged",
    [{"body": BODY + b" "}, {"body": b"\xff\xfe"}, {"secret": standard_webhooks.generate_secret()}, {"timestamp": 0}],
)
def test_a_forged_malformed_or_old_webhook_is_refused_with_exit_code_1(desk_settings, delivery, capsys, forged):
    assert run(["verify-webhook", "desk", *delivery(**forged)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Error: ")
    assert SECRET not in captured.err
    assert "Traceback" not in captured.err


def test_an_old_delivery_can_be_judged_as_of_its_arrival(desk_settings, delivery, capsys):
    args = delivery(timestamp=1_780_000_000)
    assert run(["verify-webhook", "desk", "--received-at", "2026-05-28T20:26:40+00:00", *args]) == 0


def test_headers_that_are_no_headers_are_a_mistake(desk_settings, tmp_path, capsys):
    (tmp_path / "headers").write_text("nonsense\n")
    args = ["--headers", str(tmp_path / "headers"), "--body", str(tmp_path / "headers")]
    assert run(["verify-webhook", "desk", *args]) == 2
    assert "line 1 of the headers" in capsys.readouterr().err
