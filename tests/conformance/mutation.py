"""Broken versions of the reference provider: what each standard test of the kit must find."""

from __future__ import annotations

import pytest

from hitl_core.testing.conformance import ProviderConformance
from hitl_core.testing.conformance.rules import standard_tests
from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator

MUTANTS: dict[str, list[type]] = {}
"""Standard test -> the mutants it must kill."""


class ReferenceSuite(ProviderConformance):
    """The kit on the reference provider; its subclasses bend the kit itself."""

    patience = 0  # in memory, what is told at all has been told before the answer

    @pytest.fixture
    def provider(self):
        return ReferenceProvider

    @pytest.fixture
    def simulator(self, clock):
        return ReferenceSimulator(clock=clock)


def kills(*tests):
    """Register a mutant: each of these standard tests must fail on it, with an assertion.

    A mutant is a provider, which may name a ``simulator`` and a ``suite`` of its own; or it is a suite, for tests that
    find out whether the kit was bent.
    """

    def register(mutant):
        for test in tests:
            MUTANTS.setdefault(test, []).append(mutant)
        return mutant

    return register


def suite_for(test, mutant):
    """Return a test class that runs one standard test against a mutant, and is green when that test fails."""
    if test not in standard_tests(ProviderConformance):
        msg = f"{mutant.__name__} names {test}, which is no standard test"
        raise LookupError(msg)
    suite = bent(mutant) if issubclass(mutant, ProviderConformance) else broken(mutant)
    suite.mutant_of_the_reference = mutant
    suite.only_tests = (test,)  # the others stay in place, but are not collected
    suite.__name__ = suite.__qualname__ = f"Test_{mutant.__name__}"
    return suite


def bent(mutant):
    """Return a suite that is a mutant itself."""

    class Suite(mutant):
        pass

    return Suite


def broken(mutant):
    """Return a suite for a provider that is a mutant."""

    class Suite(getattr(mutant, "suite", ReferenceSuite)):
        @pytest.fixture
        def provider(self):
            return mutant

        @pytest.fixture
        def simulator(self, clock):
            return getattr(mutant, "simulator", ReferenceSimulator)(clock=clock)

    return Suite
