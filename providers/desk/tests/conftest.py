"""Fixtures of the desk's tests."""

import asyncio
import shutil

import pytest
from hitl_desk.simulator import DeskSimulator


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="session")
def prepared_desk(tmp_path_factory):
    """The data of a simulator that has run once: opening a copy of it takes a fraction of the time."""
    folder = tmp_path_factory.mktemp("desk") / "data"

    async def prepare():
        async with DeskSimulator(data_dir=folder).running():
            pass

    asyncio.run(prepare())
    return folder


@pytest.fixture
def desk_data(prepared_desk, tmp_path):
    """Data of a simulated desk, the test's own."""
    return shutil.copytree(prepared_desk, tmp_path / "desk")
