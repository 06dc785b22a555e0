"""Mutants for the group ``completeness``: suites that bend the kit, and a simulator that shows nothing."""

import sys

import pytest

from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator

from .mutation import ReferenceSuite, kills


@kills("test_no_standard_test_is_replaced_removed_or_skipped")
class Replaces(ReferenceSuite):
    """Overrides a test with one that cannot fail."""

    def test_stopping_twice_is_fine(self):
        pass


@kills("test_no_standard_test_is_replaced_removed_or_skipped")
class Removes(ReferenceSuite):
    """Takes a test out."""

    test_stopping_twice_is_fine = None


@kills("test_no_standard_test_is_replaced_removed_or_skipped")
class GivesNoReason(ReferenceSuite):
    """Expects a test to fail and does not say why."""

    @pytest.mark.xfail(reason=" ")
    async def test_stopping_twice_is_fine(self, room):
        await super().test_stopping_twice_is_fine(room)


@kills("test_no_standard_test_is_replaced_removed_or_skipped")
class SkipsAtTimes(ReferenceSuite):
    """Skips a test where it does not suit."""

    @pytest.mark.xfail(reason="at times")
    @pytest.mark.skipif(sys.platform == "kit", reason="this platform")
    async def test_stopping_twice_is_fine(self, room):
        await super().test_stopping_twice_is_fine(room)


@kills("test_no_standard_test_is_replaced_removed_or_skipped")
@pytest.mark.skipif(sys.platform == "kit", reason="this platform")
class SkipsAltogether(ReferenceSuite):
    """Skips the whole suite where it does not suit."""


class Idle(ReferenceSimulator):
    """Agents who do nothing."""

    abilities = frozenset()


@kills("test_every_declared_capability_is_tested")
class IsNotPutToTheTest(ReferenceProvider):
    """Declares what its simulator cannot show."""

    simulator = Idle
