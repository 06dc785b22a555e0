"""The ``hitl`` command: data on stdout, messages on stderr.

Exit codes: 0 done; 1 it was tried and failed, or the answer is no; 2 the question was wrong: a misspelt name, a missing
setting; 130 interrupted.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

import click

from hitl_core.cli.plugins import PluginGroup
from hitl_core.errors import ConfigurationError, HitlError

__all__ = ["cli", "main"]


@click.group(cls=PluginGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hitl-core", prog_name="hitl")
def cli() -> None:
    """Hand a bot's conversation over to a human, on any helpdesk."""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    code = run(args)
    # Whatever is asked of us now, we are ending already, and with this code.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; a user's mistake gives a sentence, never a traceback."""
    try:
        result = cli.main(args=None if args is None else list(args), prog_name="hitl", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        click.echo("Interrupted.", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except HitlError as error:
        click.echo(f"Error: {error}", err=True)
        return 2 if isinstance(error, ConfigurationError) else 1
    return result if isinstance(result, int) else 0
