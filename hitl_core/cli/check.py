"""``hitl check``: is everything in place, and how is it mended."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click

from hitl_core.calls import CheckResult
from hitl_core.cli.settings import account_settings, missing_variables, set_option, state_file
from hitl_core.connect import connect
from hitl_core.errors import ConfigurationError
from hitl_core.state import FileState

__all__ = ["check"]


@click.command()
@click.argument("provider")
@set_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(provider: str, assignments: tuple[str, ...], as_json: bool) -> int:
    """Check an account of PROVIDER: credentials, permissions, webhooks, limits."""
    settings = account_settings(provider, assignments)
    try:
        results = asyncio.run(_check(provider, settings))
    except ConfigurationError as error:
        missing = missing_variables(provider, settings)
        if not missing:
            raise
        msg = f"{error}\nin the environment, set {', '.join(missing)}"
        raise ConfigurationError(msg) from None  # it would be a second telling of the same
    if as_json:
        click.echo(json.dumps([result.model_dump(mode="json") for result in results], indent=2))
    else:
        for result in results:
            click.echo(f"{'ok     ' if result.ok else 'not ok '} {result.name}{_tail(result)}")
    return 0 if all(result.ok for result in results) else 1


def _tail(result: CheckResult) -> str:
    detail = f": {result.detail}" if result.detail else ""
    return detail + (f"\n         {result.mend}" if not result.ok and result.mend else "")


async def _check(provider: str, settings: dict[str, Any]) -> list[CheckResult]:
    state = FileState(state_file(), f"default/{provider}")
    async with connect(provider, state=state, **settings) as connection:
        return await connection.check()
