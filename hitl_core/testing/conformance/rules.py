"""What a kit test is about: hooks, the capabilities that switch it on, what the agent's side must be able to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from hitl_core.info import Capabilities
from hitl_core.spec import CAPABILITY_HOOKS

__all__ = ["FLAGS", "NOT_APPLICABLE", "Rule", "declared", "proving", "rule", "rule_of", "standard_tests"]

TestT = TypeVar("TestT", bound=Callable[..., Any])

NOT_APPLICABLE: Final = "not applicable: "
"""How the reason of a skipped kit test begins; any other skip of one is an error."""

_ATTRIBUTE: Final = "hitl_rule"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a kit test needs.

    :param hooks: hooks it proves, for the hook reference.
    :param needs: capabilities; it runs where all of them are declared. ``a:b`` means that the capability ``a``, a
        set or a word, holds or is ``b``; ``!a`` that it is not declared.
    :param abilities: what the simulator must be able to do, see :data:`hitl_core.testing.simulator.ABILITIES`.
    :param signed_time: only for vendors whose signature covers the time.
    :param signed_body: only for vendors whose proof covers the body.
    :param named_deliveries: only for vendors whose deliveries have ids.
    :param tokens: it tells one access token from another, so that recordings, which hold none, cannot play it.
    :param customers: only for vendors that keep records of customers.
    :param bulky: it sends as much text as the vendor takes, too much to be recorded where that is a lot.
    :param waits: it looks at how long the transport waits, so that waits take time where the clock is virtual.
    """

    hooks: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    abilities: tuple[str, ...] = ()
    signed_time: bool = False
    signed_body: bool = False
    named_deliveries: bool = False
    waits: bool = False
    tokens: bool = False
    bulky: bool = False
    customers: bool = False


def rule(
    *hooks: str,
    needs: tuple[str, ...] = (),
    abilities: tuple[str, ...] = (),
    signed_time: bool = False,
    signed_body: bool = False,
    named_deliveries: bool = False,
    waits: bool = False,
    tokens: bool = False,
    bulky: bool = False,
    customers: bool = False,
) -> Callable[[TestT], TestT]:
    """Mark a standard test with what it is about."""

    def mark(test: TestT) -> TestT:
        found = Rule(
            hooks=hooks,
            needs=needs,
            abilities=abilities,
            signed_time=signed_time,
            signed_body=signed_body,
            named_deliveries=named_deliveries,
            waits=waits,
            tokens=tokens,
            bulky=bulky,
            customers=customers,
        )
        setattr(test, _ATTRIBUTE, found)
        return test

    return mark


def rule_of(test: Callable[..., Any]) -> Rule | None:
    """Return what a standard test is about; ``None`` for any other function."""
    found: Rule | None = getattr(test, _ATTRIBUTE, None)
    return found


def standard_tests(cls: type) -> dict[str, Callable[..., Any]]:
    """Return the standard tests of a class, by name, in order of definition."""
    found: dict[str, Callable[..., Any]] = {}
    for base in cls.__mro__:
        for name, value in vars(base).items():
            if callable(value) and rule_of(value) is not None:
                found.setdefault(name, value)
    return found


def declared(capabilities: Capabilities, need: str) -> bool:
    """Whether a capability, in the notation of :attr:`Rule.needs`, is declared."""
    if need.startswith("!"):
        return not declared(capabilities, need[1:])
    name, _, wanted = need.partition(":")
    value = getattr(capabilities, name)
    if wanted:
        return bool(wanted in value if isinstance(value, frozenset) else wanted == value)
    return value != "never" and bool(value)


FLAGS: Final[tuple[str, ...]] = (
    *CAPABILITY_HOOKS,
    "attachments",
    "internal_notes",
    "structured_history",
    "reopen",
    "stop_message",
    "bot_author",
    "read_receipts",
    "idempotent:create_user",
    "idempotent:start_hitl",
    "idempotent:send_message",
    "idempotent:stop_hitl",
)
"""Capabilities that, once declared, must be tested."""


def proving(cls: type, capabilities: Capabilities) -> dict[str, dict[str, Rule]]:
    """Return what the standard tests of a class prove: for each declared capability its tests, by name.

    Tests that need a capability beyond, which is not declared, prove nothing; a capability without any is left out.
    """
    rules = {name: found for name, test in standard_tests(cls).items() if (found := rule_of(test))}
    applying = {name: found for name, found in rules.items() if all(declared(capabilities, n) for n in found.needs)}
    proven = {
        flag: {name: found for name, found in applying.items() if _is_about(found, flag)}
        for flag in FLAGS
        if declared(capabilities, flag)
    }
    return {flag: tests for flag, tests in proven.items() if tests}


def _is_about(found: Rule, flag: str) -> bool:
    return any(flag in {need, need.partition(":")[0]} for need in found.needs)
