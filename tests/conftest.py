"""Fixtures every test of the framework shares."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"
