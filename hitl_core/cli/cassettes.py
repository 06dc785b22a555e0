"""``hitl cassettes``: make recordings of HTTP, and look through them before they are committed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import click

from hitl_core.cli.settings import account_settings, missing_variables
from hitl_core.cli.simulate import load_simulator
from hitl_core.discovery import load_provider
from hitl_core.environment import is_secret, variable_prefix
from hitl_core.errors import ConfigurationError, HitlError

if TYPE_CHECKING:
    from hitl_core.testing.cassettes import Problem

__all__ = ["cassettes"]

# Of a provider that is not installed, nobody tells which settings are secrets.
_LONG_ENOUGH: Final = 8
_NO_TEST_RAN: Final = 5

_folder = click.Path(file_okay=False, path_type=Path)


@click.group()
def cassettes() -> None:
    """Make recordings of HTTP, and check them before they are committed."""


@cassettes.command()
@click.argument("folder", metavar="[DIR]", default=Path("cassettes"), type=_folder)
def check(folder: Path) -> int:
    """Check the recordings in DIR, by default ./cassettes.

    Looks for secrets, credentials, e-mail addresses, phone numbers, header fields that are not to be recorded, and for
    where each recording comes from. Secrets to look for are those of the environment, HITL_<PROVIDER>_<SETTING>, of
    each provider with a folder in DIR, and those of its simulator. Exit code 1 means that there are problems.
    """
    _need_testing()
    from hitl_core.testing.cassettes.check import check_cassettes, find_cassettes

    found = find_cassettes(folder)
    secrets = _Secrets.of({path.relative_to(folder).parts[0] for path in found}, os.environ)
    problems = check_cassettes(folder, secrets=secrets.all)
    for problem in problems:
        click.echo(str(problem))
    click.echo(f"{_count(found, 'cassette')}, {secrets} looked for, {_count(problems, 'problem')}")
    return 1 if problems else 0


@cassettes.command()
@click.argument("provider")
@click.option("--simulator", is_flag=True, help="Record against the provider's simulator rather than a real account.")
@click.option("--tests", type=click.Path(path_type=Path), help="Where the tests are, if not in the usual place.")
@click.option("-k", "expression", metavar="EXPR", help="Run only the tests that match, as pytest's -k.")
@click.option(
    "--cassettes", "folder", type=_folder, default=Path("cassettes"), help="Where the tests keep them; ./cassettes."
)
def record(*, provider: str, simulator: bool, tests: Path | None, expression: str | None, folder: Path) -> int:
    """Make the recordings of PROVIDER anew, and check them.

    Runs the tests marked hitl_recorded against an account or against the simulator.
    The account's settings come from the environment, as HITL_<PROVIDER>_<SETTING>. Tests are looked for in
    providers/<PROVIDER>/tests, or the distribution's folder there, else in tests. Nothing is deleted: when the check
    fails, it says which files to throw away, and the exit code is 1.
    """
    _need_testing()
    _, plugin = load_provider(provider)
    if not simulator:
        _need_settings(provider, os.environ)
    tests = _usual_tests(provider, plugin.distribution) if tests is None else tests
    if not tests.exists():
        msg = f"there is no {tests}; name the tests with --tests"
        raise ConfigurationError(msg)
    own = folder / provider
    before = _state(own)
    code = _run_tests(tests, expression, provider, "simulator" if simulator else "live")
    if code == _NO_TEST_RAN:
        msg = f"no recorded test found in {tests}; mark tests with pytest.mark.hitl_recorded, or name them with --tests"
        raise ConfigurationError(msg)
    written = sorted(path for path, state in _state(own).items() if before.get(path) != state)
    return _judge(provider, own, written, tests_failed=code != 0)


def _judge(provider: str, own: Path, written: Collection[Path], *, tests_failed: bool) -> int:
    for path in written:
        click.echo(f"recorded {path}")
    if tests_failed:
        click.echo("Some tests failed; what they recorded, if anything, is not to be trusted.", err=True)
    elif not written:
        click.echo(f"The tests passed, but recorded nothing in {own}; name their folder with --cassettes.", err=True)
    secrets = _Secrets.of({provider}, os.environ)
    problems = _problems_of(own, secrets)
    for problem in problems:
        click.echo(str(problem))
    click.echo(f"{_count(written, 'recording')}, {secrets} looked for, {_count(problems, 'problem')}")
    if problems:
        files = " ".join(sorted({str(problem.file) for problem in problems}))
        click.echo(f"Do not commit these files, throw them away: {files}", err=True)
    elif written:
        click.echo("Now read the diff, and commit it if it shows nobody and nothing that it should not.", err=True)
    return 1 if problems or tests_failed or not written else 0


def _problems_of(own: Path, secrets: _Secrets) -> list[Problem]:
    from hitl_core.testing.cassettes.check import check_cassettes

    if not own.is_dir():
        return []
    found = check_cassettes(own.parent, secrets=secrets.all)
    return [problem for problem in found if own in problem.file.parents]


def _run_tests(tests: Path, expression: str | None, provider: str, origin: str) -> int:
    command = [sys.executable, "-m", "pytest", str(tests), "-m", "hitl_recorded", "--record-mode=rewrite"]
    if expression is not None:
        command += ["-k", expression]
    asked = {"HITL_RECORD": origin, "HITL_RECORD_PROVIDER": provider}
    return subprocess.run(command, check=False, env=os.environ | asked).returncode  # noqa: S603 - ours


def _usual_tests(provider: str, distribution: str) -> Path:
    names = dict.fromkeys((provider, distribution.removeprefix("hitl-")))  # one distribution may have several providers
    places = (*(Path("providers", name, "tests") for name in names), Path("tests"))
    return next((place for place in places if place.is_dir()), Path())


def _state(folder: Path) -> dict[Path, tuple[int, int]]:
    stats = ((path, path.stat()) for path in folder.rglob("*.yaml"))
    return {path: (stat.st_mtime_ns, stat.st_ino) for path, stat in stats}


def _need_testing() -> None:
    if missing := [name for name in ("vcr", "yaml", "pytest_recording") if find_spec(name) is None]:
        msg = f"cassettes need {', '.join(missing)}: pip install 'hitl-core[testing]'"
        raise ConfigurationError(msg)


def _need_settings(provider: str, environ: Mapping[str, str]) -> None:
    if missing := missing_variables(provider, account_settings(provider, (), environ)):
        msg = f"to record against an account of {provider!r}, set {', '.join(missing)}; or record with --simulator"
        raise ConfigurationError(msg)


@dataclass(frozen=True)
class _Secrets:
    """What may be in no recording.

    :param account: secrets of the accounts in the environment.
    :param simulated: those of the providers' simulators.
    """

    account: frozenset[str]
    simulated: frozenset[str]

    @classmethod
    def of(cls, providers: Collection[str], environ: Mapping[str, str]) -> Self:
        """Return the secrets of these providers, as far as they can be told from ordinary text."""
        account = {secret for provider in providers for secret in _secrets_of(provider, environ) if secret}
        simulated = {secret for provider in providers for secret in _secrets_of_simulator(provider) if secret}
        return cls(_searchable(account), _searchable(simulated - account))

    @property
    def all(self) -> frozenset[str]:
        """Those that are looked for."""
        return self.account | self.simulated

    def __str__(self) -> str:
        simulated = f" and {len(self.simulated)} of simulators" if self.simulated else ""
        return f"{_count(self.account, 'secret')} of the environment{simulated}"


def _searchable(secrets: Collection[str]) -> frozenset[str]:
    from hitl_core.testing.cassettes.secret_text import is_searchable

    searchable = frozenset(filter(is_searchable, secrets))
    if skipped := [secret for secret in secrets if secret not in searchable]:
        click.echo(f"{_count(skipped, 'secret')} cannot be told from ordinary text; look for yourself.", err=True)
    return searchable


def _secrets_of(provider: str, environ: Mapping[str, str]) -> Iterator[str]:
    try:
        known = load_provider(provider)[0].info.settings.model_fields
    except HitlError:  # not installed, or broken: what could be a secret is taken for one
        known = {}
    prefix = variable_prefix(provider)
    for variable, value in environ.items():
        if not variable.startswith(prefix):
            continue
        field = known.get(variable.removeprefix(prefix).lower())
        if field is None:
            yield from (value,) if len(value) >= _LONG_ENOUGH else ()
        elif is_secret(field):
            yield from value.split(",")  # a webhook secret may be several


def _secrets_of_simulator(provider: str) -> Collection[str]:
    from hitl_core.testing.simulator import simulated_secrets

    try:
        return simulated_secrets(load_simulator(provider)(), load_provider(provider)[0].info)
    except ConfigurationError:  # none is installed, or not what it needs
        return ()


def _count(items: Collection[object], what: str) -> str:
    return f"{len(items)} {what}{'' if len(items) == 1 else 's'}"
