"""How a run of the kit is summed up: what applied, what did not and why, what is still to do."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hitl_core.info import ProviderInfo
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.loading import UNLOADABLE
from hitl_core.testing.conformance.rules import proving, standard_tests

__all__ = ["SuiteOutcome", "in_order", "write_open_points", "write_suite"]

_LEVELS: Final = ("offline", "served", "recorded")
_KINDS: Final = (
    ("capability ", " is not declared", "not declared"),
    ("capability ", " is declared", "declared, so their opposite is not tested"),
    ("the simulator cannot ", "", "the simulator cannot"),
)
"""How reasons begin and end, and the words they are told in together."""


@dataclass
class SuiteOutcome:
    """What became of one suite's standard tests.

    :param reasons: why tests did not apply, and how many each.
    :param ran: names of the tests that had their turn.
    :param tested: names of those that were carried out, or failed on the way there.
    :param left_out: how many were deselected.
    :param provider: as the suite gives it.
    :param package: the folder of the provider's package, when it is one that is being written here.
    """

    cls: type[ConformanceBase]
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    ran: set[str] = field(default_factory=set)
    tested: set[str] = field(default_factory=set)
    left_out: int = 0
    provider: str | type[Any] | None = None
    info: ProviderInfo | None = None
    package: Path | None = None
    cassettes: Path | None = None

    @property
    def complete(self) -> bool:
        """Whether every standard test had its turn."""
        return set(standard_tests(self.cls)) <= self.ran

    @property
    def unloadable(self) -> bool:
        """Whether there was no provider to test."""
        return UNLOADABLE in self.reasons

    @property
    def untested(self) -> dict[str, list[str]]:
        """Declared capabilities no test of which was carried out though all had their turn, with those tests' names."""
        unrecorded = self.cls.level == "recorded" and self.cassettes is None
        if self.info is None or self.unloadable or unrecorded or not self.complete or self.left_out:
            return {}
        proven = proving(self.cls, self.info.capabilities)
        return {flag: list(tests) for flag, tests in proven.items() if self.tested.isdisjoint(tests)}

    @property
    def name(self) -> str:
        """The provider's name, or what stands for it where it has none."""
        if self.info is not None:
            return self.info.name
        return self.provider if isinstance(self.provider, str) else getattr(self.provider, "__name__", "?")


def in_order(suites: Iterable[SuiteOutcome]) -> list[SuiteOutcome]:
    """Return suites with recorded ones last, so that they can be told by what differs."""
    return sorted(suites, key=lambda suite: _LEVELS.index(suite.cls.level))


def write_suite(terminal: Any, suite: SuiteOutcome, before: Iterable[SuiteOutcome]) -> None:
    """Print one suite's outcome.

    :param before: suites that were printed already.
    """
    order = ("passed", "failed", "xfailed", "not applicable")
    counts = ", ".join(f"{suite.outcomes[outcome]} {outcome}" for outcome in order if suite.outcomes[outcome])
    terminal.line(f"{suite.cls.__name__} ({suite.name}, {suite.cls.level}): {counts or 'nothing ran'}")
    if suite.unloadable:
        terminal.line(f"  nothing is proven: {UNLOADABLE}", red=True)
    elif suite.reasons and (suite.package is not None or terminal.config.get_verbosity() > 0):
        _write_reasons(terminal, suite, before)
    if suite.left_out:
        told = f"left out by -k or -m: {suite.left_out} (a complete run is needed to prove conformance)"
        terminal.line(f"  {told}")


def _write_reasons(terminal: Any, suite: SuiteOutcome, before: Iterable[SuiteOutcome]) -> None:
    reasons: Mapping[str, int] = suite.reasons
    if suite.cls.level == "recorded":
        alike = [other for other in before if other.name == suite.name and other.cls.level == "offline"]
        if alike:
            told = alike[-1].reasons
            reasons = {reason: count for reason, count in reasons.items() if told.get(reason) != count}
            if len(reasons) < len(suite.reasons):
                beside = " beside this" if reasons else ""
                terminal.line(f"  not applicable{beside}: as in {alike[-1].cls.__name__}")
    for kind, named in _grouped(reasons).items():
        terminal.line(textwrap.fill(f"{kind}: {named}", 110, initial_indent="  ", subsequent_indent="    "))


def _grouped(reasons: Mapping[str, int]) -> dict[str, str]:
    """Return reasons by their kind, each with its count, in the order of the kinds."""
    groups: dict[str, list[str]] = {kind: [] for *_, kind in _KINDS}
    others: list[str] = []
    for reason, count in sorted(reasons.items()):
        for start, end, kind in _KINDS:
            if reason.startswith(start) and reason.endswith(end):
                groups[kind].append(f"{reason.removeprefix(start).removesuffix(end)} ({count})")
                break
        else:
            others.append(f"{reason} ({count})")
    told = {kind: ", ".join(named) for kind, named in groups.items() if named}
    return {**told, "other": "; ".join(others)} if others else told


def write_open_points(terminal: Any, suites: Iterable[SuiteOutcome]) -> None:
    """Print what is still to do for each provider that is being written here.

    :param suites: those that are shown.
    """
    packages: dict[Path, list[SuiteOutcome]] = {}
    for suite in suites:
        if suite.package is not None and suite.info is not None:
            packages.setdefault(suite.package, []).append(suite)
    for package, about in packages.items():
        _write_package(terminal, package, about)


def _write_package(terminal: Any, package: Path, suites: list[SuiteOutcome]) -> None:
    from hitl_core.testing.todo import first_step, open_points, undeclared

    info = suites[-1].info
    assert info is not None, "suites without one are left out"
    complete = all(suite.complete and not suite.left_out and not suite.unloadable for suite in suites)
    proven = complete and not any(suite.outcomes["failed"] for suite in suites)
    points = open_points(package, info, simulated=proven)
    if not complete:
        if points:
            terminal.line(f"Still to do for {info.name}: {len(points)} (a complete run lists them)")
        return
    if points:
        terminal.line(f"Still to do for {info.name}:")
        if first := first_step(points):
            terminal.line(f"  {first}")
        for number, point in enumerate(points, 1):
            terminal.line(f"  {number}. {point}")
    gains = undeclared(info.capabilities)
    if gains and terminal.config.get_verbosity() > 0:
        terminal.line(f"Not declared by {info.name}, and what its users would gain:")
        for name, gain in gains.items():
            terminal.line(f"  {name}: {gain}")
    elif gains:
        terminal.line(f"Not declared by {info.name}: {', '.join(gains)} (pytest -v says what each brings)")
