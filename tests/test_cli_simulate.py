"""``hitl simulate``: a simulator on a port, with settings that work, ended by Ctrl-C."""

import json
import os
import signal
import subprocess
import sys

import httpx
import pytest

from hitl_core.cli import run


@pytest.fixture
def simulated():
    """Run the desk's simulator as a user would; give what it prints."""
    command = [sys.executable, "-m", "hitl_core.cli", "simulate", "desk", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline()
            assert line, server.stderr.read()
            yield json.loads(line)
        finally:
            server.send_signal(signal.SIGINT)
            errors = server.communicate(timeout=20)[1]
    assert (server.returncode, errors) == (0, "Stopped.\n")


def ask(url, body=None):
    answer = httpx.get(url) if body is None else httpx.post(url, json=body)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def test_the_printed_settings_work_and_an_agent_can_answer(simulated):
    script = """
import asyncio, json, os, hitl_core as hitl
async def main():
    async with hitl.connect("desk", **json.loads(os.environ["SETTINGS"])) as desk:
        user = await desk.create_user(name="Ada", external_id="u1")
        session = await desk.start_hitl(user=user, title="Refund", idempotency_key="k1")
        print(session.id, session.url)
asyncio.run(main())
"""
    environment = {**os.environ, "SETTINGS": json.dumps(simulated["settings"])}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    session, link = done.stdout.split()
    assert link == f"{simulated['url']}/inbox#{session}"
    assert httpx.get(link, follow_redirects=True).is_success
    ask(f"{simulated['url']}/_sim/sessions/{session}/reply", {"text": "Hello"})
    seen = ask(f"{simulated['url']}/_sim/sessions/{session}")
    assert seen["messages"][-1]["text"] == "Hello"


def test_without_a_name_the_installed_simulators_are_listed(capsys):
    assert run(["simulate"]) == 0
    assert "desk" in capsys.readouterr().out.split()


def test_an_unknown_name_is_a_mistake_with_a_near_miss(capsys):
    assert run(["simulate", "dusk"]) == 2
    assert "desk" in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(capsys, free_port_taken):
    assert run(["simulate", "desk", "--port", str(free_port_taken)]) == 2
    assert f"cannot listen on 127.0.0.1 port {free_port_taken}" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["99999", "-1", "x"])
def test_a_port_that_cannot_be_is_a_mistake(port, capsys):
    assert run(["simulate", "desk", "--port", port]) == 2
    err = capsys.readouterr().err
    assert "'--port'" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://127.0.0.1/x", "http://", "http://127.0.0.1:x/", "http://[::1/", "http://a b/"]
)
def test_webhooks_go_to_a_web_address_or_nowhere(url, capsys):
    assert run(["simulate", "desk", "--port", "0", "--webhooks-to", url]) == 2
    assert "give a whole http:// or https:// URL" in capsys.readouterr().err


@pytest.fixture
def free_port_taken():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]
