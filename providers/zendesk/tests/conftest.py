"""Fixtures of Zendesk's tests."""

import pytest

from .description import as_described


@pytest.fixture
def described():
    """Hold every request a simulator gets against Zendesk's own description, where somebody has it."""
    return as_described


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"
