"""Vendors with manners of their own pass the kit as well."""

import pytest

from .mutation import ReferenceSuite
from .variants import SealingSimulator
from .vendors import HtmlProvider, HtmlSimulator, SteppingProvider


class TestHtmlVendor(ReferenceSuite):
    @pytest.fixture
    def provider(self):
        return HtmlProvider

    @pytest.fixture
    def simulator(self, clock):
        return HtmlSimulator(clock=clock)


class TestSteppingVendor(ReferenceSuite):
    @pytest.fixture
    def provider(self):
        return SteppingProvider

    @pytest.fixture
    def simulator(self, clock):
        return SealingSimulator(clock=clock)
