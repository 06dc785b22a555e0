"""The reference simulator in memory, with its clock and its controls."""

import pytest

from hitl_core._http import as_transport
from hitl_core.testing import SimulatorControl, VirtualClock
from hitl_core.testing.reference import ReferenceSimulator

BASE_URL = "https://helpdesk.test"


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def posted():
    """What was posted to URLs, and what the receiver answers: ``posted.status``."""

    class Posted(list):
        status = 204

        async def post(self, url, headers, body, seconds):
            self.append((url, dict(headers), body))
            return self.status

    return Posted()


@pytest.fixture
async def simulator(clock, posted):
    simulator = ReferenceSimulator(clock=clock, post=posted.post)
    async with simulator.running():
        yield simulator


@pytest.fixture
def transport(simulator):
    return as_transport(simulator)


@pytest.fixture
def control(transport):
    return SimulatorControl(transport, BASE_URL)


@pytest.fixture
def ticket(simulator):
    return simulator.create_ticket("Parcel", None).id
