"""A simulator on a port: up when it says so, and never waited for in vain."""

import asyncio

import httpx
import pytest

from hitl_core.testing.reference import ReferenceSimulator
from hitl_core.testing.simulator import serving

pytestmark = pytest.mark.anyio


async def test_a_simulator_answers_as_soon_as_its_url_is_known_and_no_longer_than_it_is_served(clock):
    async with serving(ReferenceSimulator(clock=clock)) as url, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{url}/_sim/sessions")).status_code == 200
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{url}/_sim/sessions")


async def test_a_server_that_fails_before_it_is_up_is_an_error_and_no_wait(clock, monkeypatch):
    async def fails(*_, **__):
        raise OSError(23, "too many open files")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_server", fails)
    async with asyncio.timeout(10):
        with pytest.raises(OSError, match="too many open files"):
            async with serving(ReferenceSimulator(clock=clock)):
                pytest.fail("there is no server")


async def test_a_server_that_ends_before_it_is_up_is_an_error_and_no_wait(clock, monkeypatch):
    import uvicorn

    async def gives_up(self, sockets=None):
        self.should_exit = True

    monkeypatch.setattr(uvicorn.Server, "startup", gives_up)
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError, match="ended before it answered anything"):
            async with serving(ReferenceSimulator(clock=clock)):
                pytest.fail("there is no server")
