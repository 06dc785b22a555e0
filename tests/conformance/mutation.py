"""Broken versions of the reference provider: what each standard test of the kit must find."""

from __future__ import annotations

import types

import pytest

from hitl_core.testing.conformance import ProviderConformance
from hitl_core.testing.conformance.rules import standard_tests
from hitl_core.testing.reference import ReferenceSimulator

MUTANTS: dict[str, list[type]] = {}
"""Standard test -> the mutants it must kill."""


def kills(*tests):
    """Register a mutant: each of these standard tests must fail on it, with an assertion."""

    def register(mutant):
        for test in tests:
            MUTANTS.setdefault(test, []).append(mutant)
        return mutant

    return register


def suite_for(test, mutant):
    """Return a test class that runs one standard test against a mutant, and is green when that test fails."""
    standard = standard_tests(ProviderConformance)
    if test not in standard:
        msg = f"{mutant.__name__} names {test}, which is no standard test"
        raise LookupError(msg)

    class Suite(ProviderConformance):
        mutant_of_the_reference = mutant

        @pytest.fixture
        def provider(self):
            return mutant

        @pytest.fixture
        def simulator(self, clock):
            return getattr(mutant, "simulator", ReferenceSimulator)(clock=clock)

    for name in standard:
        if name != test:
            setattr(Suite, name, None)  # pytest collects no None
    Suite.__name__ = Suite.__qualname__ = f"Test_{mutant.__name__}"
    return types.new_class(Suite.__name__, (Suite,))
