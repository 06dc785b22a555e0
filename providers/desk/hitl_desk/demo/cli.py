"""``hitl demo``: the whole loop on one machine, with no account anywhere."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hitl_core.errors import ConfigurationError

if TYPE_CHECKING:
    from hitl_desk.demo.helpdesk import Helpdesk

__all__ = ["demo"]

_OURS = "desk"


@click.command()
@click.option(
    "--provider",
    default=_OURS,
    show_default=True,
    metavar="NAME",
    help="The helpdesk behind the bot: the desk itself, or the simulator of any installed provider.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 for any free one.")
@click.option(
    "--data",
    "data_dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory that keeps the desk's data; without it everything is gone at the end.",
)
def demo(provider: str, host: str, port: int, data_dir: Path | None) -> None:
    """Try it: a customer's chat with a bot, and the page of the agents it hands over to.

    Open both addresses side by side, write /human in the chat, and answer on the agents' page. Ctrl-C ends it.
    """
    if data_dir is not None and provider != _OURS:
        msg = f"--data is for the desk; the simulator of {provider!r} keeps everything in memory, so leave it out"
        raise ConfigurationError(msg)
    # Ctrl-C is how a demo ends, not a failure, and so is being told to terminate; once it serves, the server sees to
    # both by itself.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            if data_dir is None:
                data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hitl-demo-")))
            _run(provider, host, port, data_dir)
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(provider: str, host: str, port: int, data_dir: Path) -> None:
    try:
        from hitl_desk.demo.running import run_demo
    except ModuleNotFoundError as error:
        msg = f"the desk's server is not installed ({error.name} is missing); pip install 'hitl-desk[server]'"
        raise ConfigurationError(msg) from None
    make_helpdesk = _maker(provider, data_dir)
    _log_to_stderr()
    asyncio.run(run_demo(host, port, data_dir, make_helpdesk, partial(_announce, provider, host)))


def _maker(provider: str, data_dir: Path) -> Callable[[str], Helpdesk]:
    """Choose the helpdesk; what is wrong with the name or with what is installed is said here.

    :raises ConfigurationError: there is none of that name to be simulated here.
    """
    if provider == _OURS:
        from hitl_desk.demo.own_desk import OwnDesk

        return lambda base_url: OwnDesk(base_url, data_dir)
    from hitl_core.cli.simulate import load_simulator
    from hitl_core.discovery import load_provider

    load_provider(provider)
    simulator = load_simulator(provider)  # before anything of the test kit is imported: it says which extra brings it
    from hitl_desk.demo.simulated import SimulatedHelpdesk

    return lambda _: SimulatedHelpdesk(provider, simulator())


def _announce(provider: str, host: str, chat: str, agents_page: tuple[str, str]) -> None:
    name, address = agents_page
    if host not in {"127.0.0.1", "::1", "localhost"}:
        click.echo("Anybody who can reach this machine can open the chat; --host 127.0.0.1 keeps it to you.", err=True)
    click.echo(f"Customer chat: {chat}")
    click.echo(f"{name}: {address}")
    if provider == _OURS:
        click.echo("Open both. The inbox's address signs you in once. Ctrl-C ends the demo.", err=True)
        return
    click.echo(
        f"Open both. {provider!r} is simulated on this machine, which is the only one that can open its page. "
        "Ctrl-C ends the demo; the simulator forgets everything, and so does the chat.",
        err=True,
    )


def _log_to_stderr() -> None:
    from hitl_core.logs import RedactingFilter

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    handler.addFilter(RedactingFilter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
