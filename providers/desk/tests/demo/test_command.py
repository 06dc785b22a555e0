"""``hitl demo`` as a newcomer runs it: a process of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from http.cookiejar import CookieJar

import pytest

COMMAND = [sys.executable, "-m", "hitl_core.cli", "demo"]


@contextmanager
def demo(*arguments, **environment):
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    stuck = threading.Timer(30, process.kill)
    stuck.start()
    try:
        yield process
    finally:
        stuck.cancel()
        process.kill()
        process.communicate()


def addresses(process):
    found = {}
    for _ in range(2):
        name, _, url = process.stdout.readline().strip().partition(": ")
        found[name] = url
    return found


def browser():
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_two_addresses_that_work_and_ends_quietly_with_open_pages(number, tmp_path):
    with demo("--port", "0", TMPDIR=str(tmp_path)) as process:
        found = addresses(process)
        assert list(found) == ["Customer chat", "Agent inbox"]
        customer, agent = browser(), browser()
        assert b"chat-input" in customer.open(found["Customer chat"], timeout=10).read()
        assert agent.open(found["Agent inbox"], timeout=10).url.endswith("/inbox")
        assert "/inbox/login" in browser().open(found["Agent inbox"], timeout=10).url, "the link signs in once"
        chat = found["Customer chat"]
        base = chat.removesuffix("/chat/")
        customer.open(f"{chat}api/conversation", timeout=10).read()
        streams = [
            customer.open(f"{chat}api/stream", timeout=10),
            agent.open(f"{base}/inbox/api/stream", timeout=10),
        ]
        assert all(stream.readline() for stream in streams)
        began = time.monotonic()
        process.send_signal(number)
        out, errors = process.communicate(timeout=10)
        took = time.monotonic() - began
        for stream in streams:
            stream.close()
    assert process.returncode == 0
    assert took < 4
    assert out == ""
    assert "Traceback" not in errors
    assert "Error" not in errors
    assert list(tmp_path.glob("hitl-demo-*")) == [], "nothing is left behind"


def test_a_data_directory_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    done = subprocess.run(
        [*COMMAND, "--port", "0", "--data", str(tmp_path / "file")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--data" in done.stderr


def test_a_host_that_is_not_ours_is_one_sentence():
    done = subprocess.run(
        [*COMMAND, "--host", "192.0.2.1", "--port", "0"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert re.fullmatch(r"Error: cannot listen on 192\.0\.2\.1 .*--host or --port\n", done.stderr)


def test_a_second_demo_on_the_same_port_is_told_which_option_to_use(tmp_path):
    with demo("--port", "0", "--data", str(tmp_path / "desk")) as process:
        port = re.search(r":(\d+)/", addresses(process)["Customer chat"])[1]
        second = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=30, check=False)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert second.returncode == 2
    assert second.stdout == ""
    assert re.fullmatch(rf"Error: cannot listen on 127\.0\.0\.1 port {port} .*--port\n", second.stderr)
    kept = tmp_path / "desk"
    assert kept.stat().st_mode & 0o077 == 0, "the directory is its owner's alone"
    assert (kept / "demo-bot.json").stat().st_mode & 0o077 == 0
