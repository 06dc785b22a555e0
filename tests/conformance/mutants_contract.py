"""Mutants for the group ``contract``: descriptions and settings."""

import sys
from dataclasses import replace

import pytest
from pydantic import Field, SecretStr, field_serializer, field_validator, model_validator

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceOptions, ReferenceProvider, ReferenceSettings

from .mutation import ReferenceSuite, kills
from .variants import declaring

INFO = ReferenceProvider.info


# What it says of itself ----------------------------------------------------------------------------------------------


class Installed(ReferenceSuite):
    """The reference provider in a distribution of its own."""

    entry_points = "reference = hitl_core.testing.reference:ReferenceProvider"

    @pytest.fixture
    def provider(self, tmp_path, monkeypatch):
        monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
        for name in ("hitl-reference", "hitl-reference-again"):
            folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
            folder.mkdir()
            (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            (folder / "entry_points.txt").write_text(f"[hitl.providers]\n{self.entries(name)}\n")
        return "reference"

    def entries(self, distribution):
        return self.entry_points if distribution == "hitl-reference" else ""


@kills("test_the_provider_is_found_by_its_name")
class NotInstalled(Installed):
    """Nothing offers the name."""

    entry_points = ""


@kills("test_the_provider_is_found_by_its_name")
class InstalledTwice(Installed):
    """Two distributions offer the name."""

    def entries(self, distribution):
        return self.entry_points


@kills("test_the_provider_is_found_by_its_name")
class InstalledUnderAnotherName(Installed):
    """The entry point leads to something that is no provider."""

    entry_points = "reference = hitl_core.testing.reference:ReferenceSimulator"


@kills("test_the_provider_keeps_to_the_hook_spec")
class HidesAHook(ReferenceProvider):
    """Implements a hook that it does not declare."""

    info = declaring(typing=False)


@kills("test_the_provider_keeps_to_the_hook_spec")
class LacksAHook(ReferenceProvider):
    """Declares a capability without its hook."""

    list_changes = None


@kills("test_the_provider_describes_itself")
class Shouts(ReferenceProvider):
    """Writes its words in capitals."""

    info = replace(INFO, terminology=hitl.Terminology(session="Ticket"))


@kills("test_the_provider_describes_itself")
class HasNoTitle(ReferenceProvider):
    """Has a blank title."""

    info = replace(INFO, title=" ")


@kills("test_the_provider_describes_itself")
class PointsAstray(ReferenceProvider):
    """Has documentation where anybody on the way can change it."""

    info = replace(INFO, docs="http://docs.example.com")


@kills("test_the_provider_describes_itself")
class CountsInMegabytes(ReferenceProvider):
    """Takes the limit of attachments for megabytes."""

    info = declaring(limits={"attachment_bytes": 25})


@kills("test_the_provider_describes_itself")
class UploadsNothing(ReferenceProvider):
    """Declares attachments, but no kind of file."""

    info = declaring(message_types=frozenset({"text"}))


@kills("test_the_provider_describes_itself")
class AnswersBusyForEver(ReferenceProvider):
    """Answers the vendor with what switches webhooks off."""

    info = replace(INFO, intake=hitl.Intake(busy_status=410))


class Unexplained(ReferenceSettings):
    """An account with a setting nobody knows the use of."""

    flux: int = 1


@kills("test_every_setting_and_option_is_described")
class KeepsSettingsToItself(ReferenceProvider):
    """Does not describe a setting."""

    info = replace(INFO, settings=Unexplained)


class UnexplainedOptions(ReferenceOptions):
    """Options of which one is not described."""

    flux: int = Field(default=1, description=" ")


@kills("test_every_setting_and_option_is_described")
class KeepsOptionsToItself(ReferenceProvider):
    """Describes an option with a blank."""

    info = replace(INFO, options=UnexplainedOptions)


# Settings ------------------------------------------------------------------------------------------------------------


class Telling(ReferenceSettings):
    """Settings that can be written to a file, secrets included."""

    @field_serializer("client_secret", when_used="json")
    def _reveal(self, value):
        return value.get_secret_value()


@kills("test_secrets_in_settings_are_hidden")
class TellsSecrets(ReferenceProvider):
    """Shows a secret in JSON."""

    info = replace(INFO, settings=Telling)


class Plain(ReferenceSettings):
    """Settings with a token as text."""

    api_token: str = Field(default="", description="Token of the API.")
    signing_key: str | None = Field(default=None, description="Key webhooks are signed with.")


@kills("test_what_is_a_secret_by_its_name_is_declared_as_one")
class TakesTokensAsText(ReferenceProvider):
    """Declares a token as text."""

    info = replace(INFO, settings=Plain)


class Lenient(ReferenceSettings, extra="ignore"):
    """Settings that take anything."""


@kills("test_an_unknown_setting_is_refused_and_the_right_one_named")
class TakesAnySetting(ReferenceProvider):
    """Ignores what it does not know."""

    info = replace(INFO, settings=Lenient)


class Curt(ReferenceSettings):
    """Settings that are either right or wrong."""

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given):
        if {name for name, field in cls.model_fields.items() if field.is_required()} - set(given):
            msg = "something is missing"
            raise ValueError(msg)
        return given


@kills("test_a_missing_setting_is_named")
class SaysOnlyThatSomethingIsMissing(ReferenceProvider):
    """Does not say which setting is missing."""

    info = replace(INFO, settings=Curt)


class Guessing(ReferenceSettings):
    """Settings that fill in what is missing."""

    @model_validator(mode="before")
    @classmethod
    def _guess(cls, given):
        return {"client_id": "nobody", **given}


@kills("test_a_missing_setting_is_named")
class MissesNothing(ReferenceProvider):
    """Makes a required setting up."""

    info = replace(INFO, settings=Guessing)


class Quoting(ReferenceSettings):
    """Settings that quote what they refuse."""

    @field_validator("client_secret")
    @classmethod
    def _plain(cls, value: SecretStr) -> SecretStr:
        if " " in value.get_secret_value():
            msg = f"{value.get_secret_value()!r} has blanks"
            raise ValueError(msg)
        return value


@kills("test_a_wrong_value_is_refused_without_being_quoted")
class QuotesSecrets(ReferenceProvider):
    """Tells a secret while refusing it."""

    info = replace(INFO, settings=Quoting)


@kills("test_a_wrong_value_is_refused_without_being_quoted")
class StumblesOverSettings(ReferenceProvider):
    """Crashes over a setting instead of refusing it."""

    def __init__(self, ctx):
        ctx.settings.client_id.encode("ascii").index(b"b")
        super().__init__(ctx)
