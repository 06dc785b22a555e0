"""What a run of the kit proved, in plain words; and what may not pass for proven."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hitl_core.errors import ConfigurationError
from hitl_core.info import ProviderInfo
from hitl_core.testing.conformance.base import CASSETTES, PROVIDER, ConformanceBase
from hitl_core.testing.conformance.groups.secrecy import SecrecyTests
from hitl_core.testing.conformance.loading import UNLOADABLE
from hitl_core.testing.conformance.rules import NOT_APPLICABLE, standard_tests
from hitl_core.testing.conformance.summary import SuiteOutcome, in_order, write_open_points, write_suite

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


@dataclass(frozen=True)
class _Crash:
    """What pytest's short summary reads of a failure: its message."""

    message: str


@dataclass(frozen=True)
class _Told:
    """A failure of the run that is no test's."""

    reprcrash: _Crash

    def __str__(self) -> str:
        return self.reprcrash.message


class Report:
    """Collects the outcomes of standard tests."""

    def __init__(self) -> None:
        self._suites: dict[type, SuiteOutcome] = {}
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
        name: str = item.originalname  # type: ignore[attr-defined]  # a test of a class has one
        suite.ran.add(name)
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
        if name in standard_tests(SecrecyTests):
            _hush(report)
        if report.when == "call" or report.outcome == "failed":
            suite.tested.add(name)
            suite.outcomes["xfailed" if hasattr(report, "wasxfail") else report.outcome] += 1

    def finish(self, session: pytest.Session) -> None:
        """Fail a run that proves less than its tests say: nothing was loaded, something declared was not tried."""
        self._orphans = self._unplayed()
        if session.exitstatus == 0 and (self._unloadable() or self._orphans or any(self._untested())):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def write(self, terminal: Any) -> None:
        """Print the summary."""
        shown = in_order(suite for suite in self._suites.values() if suite.provider and not _silent(suite.cls))
        if not shown:
            return
        terminal.section("HITL conformance")
        for number, suite in enumerate(shown):
            write_suite(terminal, suite, shown[:number])
        for suite in self._unloadable():
            if not suite.outcomes["failed"]:
                _fail(terminal, suite.cls.__name__, UNLOADABLE)
        for suite, told in self._untested():
            terminal.line(f"{suite.cls.__name__}: {told}", red=True)
            _fail(terminal, suite.cls.__name__, told)
        for path in self._orphans:
            told = f"no test plays {path}; remove it"
            terminal.line(told, red=True)
            _fail(terminal, "orphaned recording", told)
        write_open_points(terminal, shown)

    def _unloadable(self) -> list[SuiteOutcome]:
        return [suite for suite in self._suites.values() if suite.unloadable and not _silent(suite.cls)]

    def _untested(self) -> Iterator[tuple[SuiteOutcome, str]]:
        """Say for each suite that had its turn what is declared and was not tried."""
        for suite in self._suites.values():
            if _silent(suite.cls):
                continue
            for flag, tests in suite.untested.items():
                yield suite, f"{flag} is declared, and no test of it was carried out: {', '.join(tests)}"

    def _unplayed(self) -> list[Path]:
        """Return recordings that nothing plays any more, where every test that could play one has run."""
        from hitl_core.testing.cassettes.registry import orphaned_cassettes

        recorded = [suite for suite in self._suites.values() if suite.cls.level == "recorded"]
        if not recorded or not all(suite.complete for suite in recorded):
            return []
        folders = {suite.cassettes for suite in recorded if suite.cassettes is not None}
        return [path for folder in folders for path in orphaned_cassettes(folder)]

    def _of(self, cls: type[ConformanceBase]) -> SuiteOutcome:
        return self._suites.setdefault(cls, SuiteOutcome(cls))

    def _look(self, suite: SuiteOutcome, item: pytest.Item) -> None:
        """Learn which provider the suite is about, and where its recordings are."""
        if suite.provider is None and (provider := item.stash.get(PROVIDER, None)) is not None:
            suite.provider = provider
            from hitl_core.testing.conformance.room import provider_class

            try:
                cls, _ = provider_class(provider)
            except ConfigurationError:  # a test says so
                return
            suite.info = info if isinstance(info := getattr(cls, "info", None), ProviderInfo) else None
            suite.package = _own_package(cls, item.config.rootpath)
        suite.cassettes = suite.cassettes or item.stash.get(CASSETTES, None)


def _suite(item: pytest.Item) -> type[ConformanceBase] | None:
    """Return the suite a standard test belongs to."""
    cls = getattr(item, "cls", None)
    if isinstance(cls, type) and issubclass(cls, ConformanceBase) and item.originalname in standard_tests(cls):  # type: ignore[attr-defined]  # a test of a class has one
        return cls
    return None


def _hush(report: Any) -> None:
    """Drop what pytest captured of a test that looks for leaks: it would show them, behind a hundred other lines."""
    if (report.when == "call" and report.outcome == "failed") or report.when == "teardown":
        report.sections = [section for section in report.sections if not section[0].startswith("Captured ")]


def _fail(terminal: Any, what: str, message: str) -> None:
    """Have a failure that is no test's in pytest's short summary and in its counts."""
    told: Any = _Told(_Crash(message))
    failure = pytest.TestReport(
        nodeid=what, location=("", None, what), keywords={}, outcome="failed", longrepr=told, when="call"
    )
    terminal.stats.setdefault("failed", []).append(failure)


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
