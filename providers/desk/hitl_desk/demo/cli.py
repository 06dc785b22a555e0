"""``hitl demo``: the whole loop on one machine, with no account anywhere."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click

from hitl_core.errors import ConfigurationError

__all__ = ["demo"]


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 for any free one.")
@click.option(
    "--data",
    "data_dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory that keeps the desk's data; without it everything is gone at the end.",
)
def demo(host: str, port: int, data_dir: Path | None) -> None:
    """Try it: a customer's chat with a bot, and the inbox of the agents it hands over to.

    Open both addresses side by side, write /human in the chat, and answer in the inbox. Ctrl-C ends it.
    """
    # Ctrl-C is how a demo ends, not a failure, and so is being told to terminate; once it serves, the server sees to
    # both by itself.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            if data_dir is None:
                data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hitl-demo-")))
            _run(host, port, data_dir)
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(host: str, port: int, data_dir: Path) -> None:
    try:
        from hitl_desk.demo.running import run_demo
    except ModuleNotFoundError as error:
        msg = f"the desk's server is not installed ({error.name} is missing); pip install 'hitl-desk[server]'"
        raise ConfigurationError(msg) from None
    _log_to_stderr()
    asyncio.run(run_demo(host, port, data_dir, partial(_announce, host)))


def _announce(host: str, chat: str, inbox: str) -> None:
    if host not in {"127.0.0.1", "::1", "localhost"}:
        click.echo("Anybody who can reach this machine can open the chat; --host 127.0.0.1 keeps it to you.", err=True)
    click.echo(f"Customer chat: {chat}")
    click.echo(f"Agent inbox: {inbox}")
    click.echo("Open both. The inbox's address signs you in once. Ctrl-C ends the demo.", err=True)


def _log_to_stderr() -> None:
    from hitl_core.logs import RedactingFilter

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    handler.addFilter(RedactingFilter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
