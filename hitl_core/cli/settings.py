"""Where the command line takes an account's settings from: the environment, and flags for what is no secret."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from pydantic.fields import FieldInfo

from hitl_core.discovery import load_provider, near_miss
from hitl_core.errors import ConfigurationError
from hitl_core.info import ProviderInfo

__all__ = ["account_settings", "is_secret", "set_option", "state_file", "variable_prefix"]

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
    cls, _ = load_provider(name)
    info: ProviderInfo = cls.info
    known = info.settings.model_fields
    settings: dict[str, Any] = {}
    prefix = variable_prefix(name)
    for variable, value in (os.environ if environ is None else environ).items():
        if not variable.startswith(prefix):
            continue
        setting = variable.removeprefix(prefix).lower()
        if setting not in known:
            msg = f"the variable {variable} is no setting of {name!r}{near_miss(setting, known)}"
            raise ConfigurationError(msg)
        settings[setting] = value.split(",") if setting == "webhook_secret" else value
    for assignment in assignments:
        setting, equals, value = assignment.partition("=")
        if not equals:
            msg = f"--set takes NAME=VALUE, not {setting!r}"
            raise ConfigurationError(msg)
        if setting in known and is_secret(known[setting]):
            msg = f"{setting} is a secret and would show in the process list; set {prefix}{setting.upper()} instead"
            raise ConfigurationError(msg)
        settings[setting] = value
    return settings


def variable_prefix(name: str) -> str:
    """Return how the variables of an account of provider ``name`` begin; the setting in capitals follows."""
    return f"HITL_{name.upper().replace('-', '_')}_"


def is_secret(field: FieldInfo) -> bool:
    """Return whether a setting is a secret."""
    return "SecretStr" in str(field.annotation)


def state_file() -> Path:
    """Return the file the command line keeps tokens and registrations in."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "hitl" / "state.json"
