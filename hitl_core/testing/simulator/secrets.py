"""What a simulator's account is proven by: known to everybody, and yet in no recording of it."""

from __future__ import annotations

from hitl_core.connect import parse_settings
from hitl_core.info import ProviderInfo, secrets_of
from hitl_core.testing.simulator.base import Simulator

__all__ = ["simulated_secrets"]


def simulated_secrets(simulator: Simulator, info: ProviderInfo) -> frozenset[str]:
    """Return the secrets of the account a simulator keeps, and the one its webhooks may be changed to.

    A recording that holds one would hold a real account's as well.

    :param info: of the provider it simulates, whose settings say what is secret.
    :raises ConfigurationError: the simulator's settings are none of the provider's.
    """
    settings = parse_settings(info, simulator.settings("https://simulator.invalid"))
    secrets = {secret.get_secret_value() for _, secret in secrets_of(settings)}
    return frozenset(secrets | {simulator.secret, simulator.other_secret()})
