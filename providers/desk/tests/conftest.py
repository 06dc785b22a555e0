"""Fixtures of the desk's tests."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"
