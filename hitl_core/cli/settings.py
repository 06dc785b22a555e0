"""Where the command line takes an account's settings from: the environment, and flags for what is no secret."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from hitl_core.discovery import load_provider
from hitl_core.environment import is_secret, settings_from_environment, variable_prefix
from hitl_core.errors import ConfigurationError
from hitl_core.info import ProviderInfo

__all__ = ["account_settings", "missing_variables", "set_option", "state_file"]

set_option = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting that is no secret; secrets come from the environment, as HITL_<PROVIDER>_<SETTING>.",
)


def account_settings(name: str, assignments: Sequence[str], environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the settings of an account of provider ``name``.

    :param assignments: ``NAME=VALUE`` flags; they win over the environment.
    :raises ConfigurationError: a variable of ours that is no setting, a secret given as a flag.
    """
    settings = settings_from_environment(name, environ)
    info: ProviderInfo = load_provider(name)[0].info
    known = info.settings.model_fields
    for assignment in assignments:
        setting, equals, value = assignment.partition("=")
        if not equals:
            msg = f"--set takes NAME=VALUE, not {setting!r}"
            raise ConfigurationError(msg)
        if setting in known and is_secret(known[setting]):
            variable = f"{variable_prefix(name)}{setting.upper()}"
            msg = f"{setting} is a secret and would show in the process list; set {variable} instead"
            raise ConfigurationError(msg)
        settings[setting] = value
    return settings


def missing_variables(name: str, settings: Mapping[str, Any]) -> list[str]:
    """Return the variables of the required settings of provider ``name`` that were not given, or given empty."""
    info: ProviderInfo = load_provider(name)[0].info
    prefix = variable_prefix(name)
    required = (setting for setting, field in info.settings.model_fields.items() if field.is_required())
    return [f"{prefix}{setting.upper()}" for setting in required if not settings.get(setting)]


def state_file() -> Path:
    """Return the file the command line keeps tokens and registrations in."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "hitl" / "state.json"
