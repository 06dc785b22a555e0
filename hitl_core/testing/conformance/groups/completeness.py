"""That the kit was run as it is, and that nothing is declared which it could not look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hitl_core.testing.conformance.base import ConformanceBase, inapplicable
from hitl_core.testing.conformance.room import provider_class
from hitl_core.testing.conformance.rules import Rule, proving, rule, standard_tests
from hitl_core.testing.simulator import Simulator

__all__ = ["CompletenessTests"]


class CompletenessTests(ConformanceBase):
    """The kit itself."""

    @rule()
    def test_no_standard_test_is_replaced_removed_or_skipped(self, request: pytest.FixtureRequest) -> None:
        """Every standard test is run as it is; one the vendor cannot pass is overridden as ``xfail`` with a reason."""
        from hitl_core.testing.conformance.suite import ProviderConformance

        wrong = [
            f"{name} {how}"
            for name, standard in standard_tests(ProviderConformance).items()
            for how in _bent(getattr(type(self), name, None), standard)
        ]
        marks = {mark.name for mark in request.node.iter_markers()} & {"skip", "skipif"}
        wrong += [f"the whole suite is marked with pytest.mark.{mark}" for mark in sorted(marks)]
        assert not wrong, (
            "conformance is all of the standard tests as they are; override one that your vendor cannot pass with "
            "@pytest.mark.xfail(reason=…) and call super():\n" + "\n".join(wrong)
        )

    @rule()
    def test_every_declared_capability_is_tested(self, provider: str | type[Any], simulator: Simulator) -> None:
        """For every capability that is declared, the simulator can do what at least one standard test of it needs."""
        from hitl_core.testing.conformance.suite import ProviderConformance

        capabilities = provider_class(provider)[0].info.capabilities
        untested = [
            f"{flag}: {_lacking(list(tests.values()), provider, simulator)}"
            for flag, tests in proving(ProviderConformance, capabilities).items()
            if all(inapplicable(found, provider, simulator) for found in tests.values())
        ]
        assert not untested, (
            "what is declared must be tested; let the simulator do what a test of these capabilities needs:\n"
            + "\n".join(untested)
        )


def _bent(given: Any, standard: Callable[..., Any]) -> Iterator[str]:
    if given is standard:
        return
    if not callable(given):
        yield "is removed"
        return
    marks: list[pytest.Mark] = list(getattr(given, "pytestmark", []))
    expected = [mark for mark in marks if mark.name == "xfail"]
    if not expected:
        yield "is overridden"
    elif not all(str(mark.kwargs.get("reason", "")).strip() for mark in expected):
        yield "is expected to fail without a reason"
    if any(mark.name in {"skip", "skipif"} for mark in marks):
        yield "is skipped"


def _lacking(about: list[Rule], provider: str | type[Any], simulator: Simulator) -> str:
    """Say what the test that comes nearest to being run lacks."""
    nearest = min(about, key=lambda found: len(set(found.abilities) - simulator.abilities))
    lacking = sorted(set(nearest.abilities) - simulator.abilities)
    if lacking:
        return f"override {', '.join(lacking)} in {type(simulator).__name__}"
    return str(inapplicable(nearest, provider, simulator))
