"""An account's settings from the environment, as ``HITL_<PROVIDER>_<SETTING>``: for commands and for recordings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo

from hitl_core.discovery import list_providers, load_provider, near_miss
from hitl_core.errors import ConfigurationError
from hitl_core.info import ProviderInfo

__all__ = ["is_secret", "settings_from_environment", "variable_prefix"]


def settings_from_environment(name: str, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the settings of an account of provider ``name``, as far as the environment has them.

    :param environ: the process's own when left out.
    :raises ConfigurationError: a variable of ours that is no setting.
    """
    cls, _ = load_provider(name)
    info: ProviderInfo = cls.info
    known = info.settings.model_fields
    settings: dict[str, Any] = {}
    prefix = variable_prefix(name)
    longer = [variable_prefix(plugin.name) for plugin in list_providers() if plugin.name != name]
    others = tuple(other for other in longer if other.startswith(prefix))
    for variable, value in (os.environ if environ is None else environ).items():
        if not variable.startswith(prefix):
            continue
        setting = variable.removeprefix(prefix).lower()
        if setting not in known and variable.startswith(others):
            continue  # such as that of zendesk-messaging, when it is zendesk that is asked for
        if setting not in known:
            msg = f"the variable {variable} is no setting of {name!r}{near_miss(setting, known)}"
            raise ConfigurationError(msg)
        settings[setting] = value.split(",") if setting == "webhook_secret" else value
    return settings


def variable_prefix(name: str) -> str:
    """Return how the variables of an account of provider ``name`` begin; the setting in capitals follows."""
    return f"HITL_{name.upper().replace('-', '_')}_"


def is_secret(field: FieldInfo) -> bool:
    """Return whether a setting is a secret."""
    return "SecretStr" in str(field.annotation)
