"""pytest's plugin of HITL: loaded by every run where hitl-core is installed, so it imports nothing before it is needed.

It lives beside the package, not inside: importing it must neither cost the import of ``hitl_core`` nor hide that import
from a coverage measurement that starts later.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

# Must come before the kit is imported: its asserts then show what they compared.
pytest.register_assert_rewrite("hitl_core.testing.conformance")

_KIT = "hitl_core.testing.conformance.suite"


def pytest_configure(config: pytest.Config) -> None:
    """Make our marker known."""
    config.addinivalue_line("markers", "hitl_recorded: plays a cassette, or records it with --record-mode=rewrite")


def _report() -> Any:
    """Return the part that knows the kit, once somebody has imported it."""
    if _KIT not in sys.modules:
        return None
    from hitl_core.testing.conformance import report

    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the recorded level, before ``-m`` selects."""
    if report := _report():
        report.mark_recorded(items)


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Remember what was left out on purpose."""
    if items and (report := _report()):
        report.of(items[0].config).deselected(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Count standard tests; one that was skipped by hand has failed."""
    del call
    outcome = yield
    if report := _report():
        report.of(item.config).note(item, outcome)
    return outcome


def pytest_report_teststatus(report: Any) -> tuple[str, str, str] | None:
    """Keep standard tests that do not apply apart from tests that were skipped."""
    reason = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else ""
    if reason.startswith("Skipped: not applicable: "):
        return "not applicable", "-", "NOT APPLICABLE"
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that leaves recordings behind which no test plays."""
    if report := _report():
        report.of(session.config).finish(session)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was proven, what did not apply, and what is still to do."""
    if report := _report():
        report.of(config).write(terminalreporter)
