"""Tests marked for pytest-recording keep the same rules; its record mode is the switch."""

import os
import re
import subprocess
import sys

import pytest
import yaml

SUITE = """
import os

import pytest

from hitl_core._http import HttpRequest, NetworkTransport
from hitl_core.testing.cassettes import Provenance, Scrubber, recording_config, used_cassettes

pytestmark = [pytest.mark.anyio, pytest.mark.vcr, pytest.mark.block_network]
URL = os.environ["VENDOR_URL"]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def vcr_config():
    return recording_config(Scrubber(), Provenance.now("acme", "simulator"))


@pytest.fixture
def vcr_cassette_dir(tmp_path_factory):
    return os.environ["CASSETTES"]


async def test_order(vcr):
    transport = NetworkTransport()
    body = os.environ.get("BODY", '{"a": 1, "b": 2}').encode()
    headers = {"content-type": "application/json", "authorization": "Bearer hunter2"}
    request = HttpRequest("POST", URL + "/tickets?b=1&a=2", headers, body)
    try:
        answer = await transport.send(request, timeout=5, max_bytes=1000)
        assert answer.status == 200
    finally:
        await transport.aclose()
    assert any(path.name == "test_order.yaml" for path in used_cassettes())
"""


@pytest.fixture
def suite(tmp_path, vendor):
    """Run the suite in its own interpreter; give exit code and output."""
    (tmp_path / "test_orders.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def run(*args, **variables):
        environ = os.environ | {"VENDOR_URL": vendor.url, "CASSETTES": str(tmp_path / "acme")} | variables
        environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # most of the time would go into plugins it does not need
        plugins = ["-p", "no:cacheprovider", "-p", "anyio.pytest_plugin", "-p", "pytest_recording.plugin"]
        command = [sys.executable, "-m", "pytest", "-q", *plugins, "-W", "error", str(tmp_path), *args]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, cwd=tmp_path)
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_marked_test_is_recorded_with_the_same_hygiene_and_played_without_a_network(suite, tmp_path, vendor):
    assert suite("--record-mode=rewrite")[0] == 0
    asked = vendor.asked
    text = (tmp_path / "acme" / "test_order.yaml").read_text("utf-8")
    assert "hunter2" not in text
    assert "cookie" not in text
    data = yaml.safe_load(text)
    assert data["hitl"]["provider"] == "acme"
    assert data["interactions"][0]["request"]["uri"].endswith("/tickets?a=2&b=1")
    code, output = suite(BODY='{"b": 2.0, "a": 1}')
    assert code == 0, output
    assert vendor.asked == asked


def test_a_marked_test_fails_on_another_request_and_without_a_cassette(suite, vendor):
    code, output = suite()
    assert code == 1
    assert "the cassette doesn't exist" in output
    assert suite("--record-mode=rewrite")[0] == 0
    asked = vendor.asked
    code, output = suite(BODY='{"a": 2}')
    assert code == 1
    assert re.search(r"the closest differ in raw_body", output)
    assert vendor.asked == asked
