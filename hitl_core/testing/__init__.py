"""What tests of providers and bots need. Nothing here is imported before it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hitl_core.testing.clock import ShiftedClock, VirtualClock, no_backoff
    from hitl_core.testing.conformance import ProviderConformance
    from hitl_core.testing.openapi import Description, watched
    from hitl_core.testing.simulator import Simulator, SimulatorControl, serving
    from hitl_core.testing.transport import ScriptedTransport, ambiguous, not_sent, reply

__all__ = [
    "Description",
    "ProviderConformance",
    "ScriptedTransport",
    "ShiftedClock",
    "Simulator",
    "SimulatorControl",
    "VirtualClock",
    "ambiguous",
    "no_backoff",
    "not_sent",
    "reply",
    "serving",
    "watched",
]

_HOMES = {
    "Description": "hitl_core.testing.openapi",
    "ProviderConformance": "hitl_core.testing.conformance",
    "ScriptedTransport": "hitl_core.testing.transport",
    "ShiftedClock": "hitl_core.testing.clock",
    "Simulator": "hitl_core.testing.simulator",
    "SimulatorControl": "hitl_core.testing.simulator",
    "VirtualClock": "hitl_core.testing.clock",
    "ambiguous": "hitl_core.testing.transport",
    "no_backoff": "hitl_core.testing.clock",
    "not_sent": "hitl_core.testing.transport",
    "reply": "hitl_core.testing.transport",
    "serving": "hitl_core.testing.simulator",
    "watched": "hitl_core.testing.openapi",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
