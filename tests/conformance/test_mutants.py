"""Each standard test of the kit finds the fault it is there for."""

from hitl_core.testing.conformance import ProviderConformance
from hitl_core.testing.conformance.rules import standard_tests

from . import (
    mutants_account,
    mutants_attachments,
    mutants_authenticity,
    mutants_changes,
    mutants_completeness,
    mutants_contract,
    mutants_deliveries,
    mutants_downloads,
    mutants_echoes,
    mutants_events,
    mutants_facts,
    mutants_failures,
    mutants_handling,
    mutants_history,
    mutants_ignoring,
    mutants_interruptions,
    mutants_outages,
    mutants_records,
    mutants_registration,
    mutants_reopening,
    mutants_repeating,
    mutants_rotation,
    mutants_searching,
    mutants_secrecy,
    mutants_sending,
    mutants_sessions,
    mutants_starting,
    mutants_states,
    mutants_stopping,
    mutants_users,
    mutants_waiting,
)
from .mutation import MUTANTS, suite_for

GROUPS = (
    mutants_contract,
    mutants_account,
    mutants_users,
    mutants_starting,
    mutants_history,
    mutants_sessions,
    mutants_sending,
    mutants_attachments,
    mutants_reopening,
    mutants_repeating,
    mutants_echoes,
    mutants_handling,
    mutants_stopping,
    mutants_authenticity,
    mutants_deliveries,
    mutants_registration,
    mutants_events,
    mutants_states,
    mutants_ignoring,
    mutants_facts,
    mutants_searching,
    mutants_records,
    mutants_changes,
    mutants_downloads,
    mutants_failures,
    mutants_outages,
    mutants_waiting,
    mutants_interruptions,
    mutants_secrecy,
    mutants_rotation,
    mutants_completeness,
)

for _number, (_test, _mutants) in enumerate(sorted(MUTANTS.items())):
    for _mutant in _mutants:
        globals()[f"Test_{_number}_{_mutant.__name__}"] = suite_for(_test, _mutant)


def test_every_standard_test_kills_a_mutant():
    without = sorted(set(standard_tests(ProviderConformance)) - set(MUTANTS))
    assert not without, f"no mutant proves that these can fail: {', '.join(without)}"


def test_every_mutant_says_what_is_wrong_with_it():
    silent = [mutant.__name__ for mutants in MUTANTS.values() for mutant in mutants if not mutant.__doc__]
    assert not silent
