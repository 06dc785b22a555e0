"""Simulators: a vendor's API as an ASGI application, with an agent's hands and switches for faults."""

from hitl_core.testing.simulator.base import SIM_SECRET, Simulator
from hitl_core.testing.simulator.client import SimulatorControl
from hitl_core.testing.simulator.deliveries import Endpoint, WebhookDispatcher, WebhookFault, WebhookRetries
from hitl_core.testing.simulator.faults import Fault
from hitl_core.testing.simulator.model import (
    ABILITIES,
    NotOfferedError,
    SimEndpoint,
    SimFile,
    SimMessage,
    SimSession,
    SimUser,
    SimWebhook,
)
from hitl_core.testing.simulator.secrets import simulated_secrets
from hitl_core.testing.simulator.serving import serving

__all__ = [
    "ABILITIES",
    "SIM_SECRET",
    "Endpoint",
    "Fault",
    "NotOfferedError",
    "SimEndpoint",
    "SimFile",
    "SimMessage",
    "SimSession",
    "SimUser",
    "SimWebhook",
    "Simulator",
    "SimulatorControl",
    "WebhookDispatcher",
    "WebhookFault",
    "WebhookRetries",
    "serving",
    "simulated_secrets",
]
