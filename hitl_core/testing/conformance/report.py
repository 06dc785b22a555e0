"""What a run of the kit proved, in plain words; and what may not pass for proven."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hitl_core.errors import ConfigurationError
from hitl_core.info import ProviderInfo
from hitl_core.testing.conformance.base import CASSETTES, PROVIDER, ConformanceBase
from hitl_core.testing.conformance.rules import NOT_APPLICABLE, standard_tests

__all__ = ["Report", "mark_recorded", "of"]

_KEY = pytest.StashKey["Report"]()


def of(config: pytest.Config) -> Report:
    """Return the report of this run."""
    return config.stash.setdefault(_KEY, Report())


def mark_recorded(items: Iterable[pytest.Item]) -> None:
    """Give the tests of recorded suites the marker ``hitl_recorded``, and keep the network from them on replay."""
    for item in items:
        suite = _suite(item)
        if suite is not None and suite.level == "recorded":
            item.add_marker(pytest.mark.hitl_recorded)
            if item.config.getoption("--record-mode", default=None) in {None, "none"}:
                item.add_marker(pytest.mark.block_network)


@dataclass
class _Suite:
    """What became of one suite's standard tests."""

    cls: type[ConformanceBase]
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    ran: set[str] = field(default_factory=set)
    left_out: int = 0
    info: ProviderInfo | None = None
    package: Path | None = None
    cassettes: Path | None = None

    @property
    def complete(self) -> bool:
        """Whether every standard test had its turn."""
        return set(standard_tests(self.cls)) <= self.ran


class Report:
    """Collects the outcomes of standard tests."""

    def __init__(self) -> None:
        self._suites: dict[type, _Suite] = {}
        self._orphans: list[Path] = []

    def deselected(self, items: Iterable[pytest.Item]) -> None:
        """Remember standard tests that were left out by ``-k`` or ``-m``."""
        for item in items:
            if (cls := _suite(item)) is not None:
                self._of(cls).left_out += 1

    def note(self, item: pytest.Item, report: Any) -> None:
        """Count one phase of a test; a standard test that was skipped by hand is turned into a failure."""
        cls = _suite(item)
        if cls is None:
            return
        suite = self._of(cls)
        suite.ran.add(item.function.__name__)  # type: ignore[attr-defined]  # a test of a class has a function
        self._look(suite, item)
        if report.outcome == "skipped" and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            reason = reason.removeprefix("Skipped: ")
            if reason.startswith(NOT_APPLICABLE):
                suite.outcomes["not applicable"] += 1
                suite.reasons[reason.removeprefix(NOT_APPLICABLE)] += 1
                return
            report.outcome = "failed"
            report.longrepr = (
                f"a standard test was skipped ({reason}), so what it proves is unproven; "
                "if your vendor cannot do it, override the test with @pytest.mark.xfail(reason=…)"
            )
        if hasattr(report, "wasxfail") and not any(mark.name == "xfail" for mark in item.own_markers):
            del report.wasxfail
            report.outcome = "failed"
            report.longrepr = (
                "a whole suite cannot be expected to fail; "
                "if your vendor cannot do it, override this test with @pytest.mark.xfail(reason=…)"
            )
        if report.when == "call" or report.outcome == "failed":
            suite.outcomes["xfailed" if hasattr(report, "wasxfail") else report.outcome] += 1

    def finish(self, session: pytest.Session) -> None:
        """Look for recordings that nothing plays any more, where every test that could play one has run."""
        from hitl_core.testing.cassettes.registry import orphaned_cassettes

        recorded = [suite for suite in self._suites.values() if suite.cls.level == "recorded"]
        if not recorded or not all(suite.complete for suite in recorded):
            return
        for folder in {suite.cassettes for suite in recorded if suite.cassettes is not None}:
            self._orphans += orphaned_cassettes(folder)
        if self._orphans and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def write(self, terminal: Any) -> None:
        """Print the summary."""
        shown = [suite for suite in self._suites.values() if suite.info and not _silent(suite.cls)]
        if not shown:
            return
        terminal.section("HITL conformance")
        for suite in shown:
            _write_suite(terminal, suite)
        for path in self._orphans:
            terminal.line(f"no test plays {path}; remove it", red=True)
        for suite in {suite.package: suite for suite in shown}.values():
            if suite.package is not None and suite.info is not None:
                _write_open_points(terminal, suite.package, suite.info)

    def _of(self, cls: type[ConformanceBase]) -> _Suite:
        return self._suites.setdefault(cls, _Suite(cls))

    def _look(self, suite: _Suite, item: pytest.Item) -> None:
        """Learn which provider the suite is about, and where its recordings are."""
        if suite.info is None and (provider := item.stash.get(PROVIDER, None)) is not None:
            from hitl_core.testing.conformance.room import provider_class

            try:
                cls, _ = provider_class(provider)
            except ConfigurationError:  # a test says so
                return
            suite.info = cls.info
            suite.package = _own_package(cls, item.config.rootpath)
        suite.cassettes = suite.cassettes or item.stash.get(CASSETTES, None)


def _suite(item: pytest.Item) -> type[ConformanceBase] | None:
    """Return the suite a standard test belongs to."""
    cls = getattr(item, "cls", None)
    if isinstance(cls, type) and issubclass(cls, ConformanceBase) and item.originalname in standard_tests(cls):  # type: ignore[attr-defined]  # as above
        return cls
    return None


def _silent(cls: type) -> bool:
    return getattr(cls, "mutant_of_the_reference", None) is not None


def _own_package(cls: type, root: Path) -> Path | None:
    """Return the folder of the provider's package, when it is one that is being written here."""
    import inspect

    try:
        folder = Path(inspect.getfile(cls)).resolve().parent
    except (OSError, TypeError):
        return None
    inside = folder.is_relative_to(root.resolve()) and "site-packages" not in folder.parts
    return folder if inside and not cls.__module__.startswith("hitl_core.") else None


def _write_suite(terminal: Any, suite: _Suite) -> None:
    order = ("passed", "failed", "xfailed", "not applicable")
    counts = ", ".join(f"{suite.outcomes[outcome]} {outcome}" for outcome in order if suite.outcomes[outcome])
    name = suite.info.name if suite.info else "?"
    terminal.line(f"{suite.cls.__name__} ({name}, {suite.cls.level}): {counts or 'nothing ran'}")
    if suite.reasons and (suite.package is not None or terminal.config.get_verbosity() > 0):
        told = "; ".join(f"{reason}: {count}" for reason, count in sorted(suite.reasons.items()))
        terminal.line(textwrap.fill(f"not applicable: {told}", 110, initial_indent="  ", subsequent_indent="    "))
    if suite.left_out:
        terminal.line(f"  left out on your wish: {suite.left_out}; conformance needs all of them")


def _write_open_points(terminal: Any, package: Path, info: ProviderInfo) -> None:
    from hitl_core.testing.todo import open_points, undeclared

    if points := open_points(package, info):
        terminal.line(f"Still to do for {info.name}:")
        for number, point in enumerate(points, 1):
            terminal.line(f"  {number}. {point}")
    gains = undeclared(info.capabilities)
    if gains and terminal.config.get_verbosity() > 0:
        terminal.line(f"Not declared by {info.name}, and what its users would gain:")
        for name, gain in gains.items():
            terminal.line(f"  {name}: {gain}")
    elif gains:
        terminal.line(f"Not declared by {info.name}: {', '.join(gains)} (pytest -v says what each brings)")
