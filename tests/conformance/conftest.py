"""A mutant's test is green when the standard test it is given to fails."""

import pytest


def pytest_pycollect_makeitem(collector, name, obj):
    """Collect nothing of a mutant's suite but the test it is given to."""
    del obj
    only = getattr(getattr(collector, "cls", None), "only_tests", (name,))
    return None if name in only else []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    mutant = getattr(item.cls, "mutant_of_the_reference", None)
    if mutant is None:
        return report
    if report.when == "call" and call.excinfo is not None and call.excinfo.errisinstance(AssertionError):
        report.outcome, report.longrepr = "passed", None
    elif report.when == "call" or report.outcome == "skipped":
        how = (
            "passes" if report.outcome == "passed" else f"was {report.outcome}, not by an assertion:\n{report.longrepr}"
        )
        report.outcome = "failed"
        report.longrepr = f"the mutant {mutant.__name__} ({mutant.__doc__}) survives: {item.name} {how}"
    return report
