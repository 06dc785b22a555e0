"""Settings: mistakes are named, secrets never are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from hitl_core.connect import connect_class, parse_settings
from hitl_core.errors import ConfigurationError
from hitl_core.info import ProviderInfo, ProviderSettings
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import provider_class
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.tools.leaks import plain_secrets
from hitl_core.testing.simulator import Simulator

__all__ = ["SettingsTests"]

_URL: Final = "https://helpdesk.test"
_ECHO: Final = "kit-echo-4711"
"""Part of every wrong value; must not be seen again."""

_WRONG: Final[tuple[Any, ...]] = (f"{_ECHO} ://?", {"x": _ECHO}, [{"x": _ECHO}])
_SECRET_WORDS: Final = frozenset(
    {"secret", "secrets", "token", "tokens", "password", "passphrase", "credential", "credentials", "apikey"}
)
_NUMBERS: Final = frozenset({int, float, bool})
_SECRET_KEYS: Final = frozenset({"access", "api", "auth", "encryption", "private", "secret", "shared", "signing"})


class SettingsTests(ConformanceBase):
    """An account's settings."""

    @rule()
    def test_secrets_in_settings_are_hidden(
        self, provider: str | type[Any], simulator: Simulator, settings: dict[str, Any]
    ) -> None:
        """No secret shows in the settings' ``repr``, ``str`` or JSON."""
        valid = _parsed(_info(provider), {**simulator.settings(_URL), **settings})
        shown = {
            "repr": repr(valid),
            "str": str(valid),
            "model_dump": repr(valid.model_dump()),
            "model_dump_json": valid.model_dump_json(),
        }
        told = [
            f"{name} by {how}" for name, value in plain_secrets(valid) for how, text in shown.items() if value in text
        ]
        assert not told, f"leave SecretStr as it is, so that it hides its value; shown are: {', '.join(told)}"

    @rule()
    def test_what_is_a_secret_by_its_name_is_declared_as_one(self, provider: str | type[Any]) -> None:
        """Every setting whose name says that it is secret is a ``SecretStr``, which keeps it out of logs."""
        plain = [
            name
            for name, field in _info(provider).settings.model_fields.items()
            if _sounds_secret(name) and not set(_kinds(field.annotation)) <= _NUMBERS and not _is_secret(field)
        ]
        assert not plain, f"declare these settings as SecretStr: {', '.join(plain)}"

    @rule()
    def test_an_unknown_setting_is_refused_and_the_right_one_named(
        self, provider: str | type[Any], simulator: Simulator, settings: dict[str, Any]
    ) -> None:
        """A misspelt setting is refused by name, with the one that is probably meant, and without its value."""
        info = _info(provider)
        account = {**simulator.settings(_URL), **settings}
        wrong = []
        for name in info.settings.model_fields:
            misspelt = f"{name}x"
            if misspelt in info.settings.model_fields:
                continue
            said = _refusal(provider, simulator, {**account, misspelt: _ECHO})
            if said is None:
                wrong.append(f"{misspelt} is taken without a word: keep extra='forbid' in the settings' model_config")
                continue
            wrong += _flaws(said, misspelt)
            if name not in said.replace(misspelt, ""):
                wrong.append(f"the refusal of {misspelt} does not mention {name}")
        assert not wrong, "a misspelling must not pass for a default:\n" + "\n".join(wrong)

    @rule()
    def test_a_missing_setting_is_named(
        self, provider: str | type[Any], simulator: Simulator, settings: dict[str, Any]
    ) -> None:
        """Without a required setting the connection is refused, and the setting named."""
        account = {**simulator.settings(_URL), **settings}
        wrong = []
        for name, field in _info(provider).settings.model_fields.items():
            if field.is_required():
                rest = {given: value for given, value in account.items() if given != name}
                said = _refusal(provider, simulator, rest)
                wrong += [f"nobody misses {name}"] if said is None else _flaws(said, name)
        assert not wrong, "say which required setting is missing:\n" + "\n".join(wrong)

    @rule()
    def test_a_wrong_value_is_refused_without_being_quoted(
        self, provider: str | type[Any], simulator: Simulator, settings: dict[str, Any]
    ) -> None:
        """A value of the wrong form is refused by the setting's name; the value, which may be a secret, is not told."""
        account = {**simulator.settings(_URL), **settings}
        wrong = []
        for name in _info(provider).settings.model_fields:
            for value in _WRONG:
                said = _refusal(provider, simulator, {**account, name: value})
                wrong += [] if said is None else _flaws(said, name)
        assert not wrong, "name the setting and the rule, never the value:\n" + "\n".join(dict.fromkeys(wrong))


def _info(provider: str | type[Any]) -> ProviderInfo:
    info: ProviderInfo = provider_class(provider)[0].info
    return info


def _parsed(info: ProviderInfo, account: Mapping[str, Any]) -> ProviderSettings:
    with promised("the settings the simulator gives are those of a working account"):
        return parse_settings(info, account)


def _refusal(provider: str | type[Any], simulator: Simulator, account: Mapping[str, Any]) -> str | None:
    """Return what is said to an account's settings; ``None`` when they are taken."""
    try:
        connect_class(provider_class(provider)[0], transport=simulator, **account)
    except ConfigurationError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a validator is somebody else's code
        return f"not a ConfigurationError, but {type(error).__name__}; raise ValueError in validators"
    return None


def _flaws(said: str, name: str) -> list[str]:
    flaws = []
    if name not in said:
        flaws.append(f"{name} is not named: {said.replace(_ECHO, '(the value)')}")
    if _ECHO in said:
        flaws.append(f"the value of {name} is quoted")
    return flaws


def _sounds_secret(name: str) -> bool:
    words = name.split("_")
    return words[-1] in _SECRET_WORDS or (words[-1] == "key" and (len(words) == 1 or words[-2] in _SECRET_KEYS))


def _is_secret(field: FieldInfo) -> bool:
    kinds = set(_kinds(field.annotation))
    return SecretStr in kinds and str not in kinds


def _kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _kinds(argument)
