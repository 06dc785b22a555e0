"""The desk's provider keeps the contract, with the real desk as its own simulator."""

from typing import ClassVar

import pytest
from hitl_desk.simulator import DeskSimulator

import hitl_core as hitl
from hitl_core.testing import ShiftedClock
from hitl_core.testing.conformance import ProviderConformance


class TestDesk(ProviderConformance):
    expected_errors: ClassVar = {403: hitl.NotConnectedError}
    """A bot that is switched off is the only one the desk forbids anything."""

    @pytest.fixture
    def provider(self):
        return "desk"

    @pytest.fixture
    def clock(self):
        return ShiftedClock()  # it runs by itself, for the desk's own timers, and tests can move it

    @pytest.fixture
    def simulator(self, clock, desk_data):
        return DeskSimulator(clock=clock, data_dir=desk_data)


class TestDeskOnAPort(TestDesk):
    level = "served"


class TestDeskRecorded(TestDesk):
    level = "recorded"
