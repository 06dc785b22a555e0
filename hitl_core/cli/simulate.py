"""``hitl simulate``: a vendor's API on this machine, with ready-made settings and an agent's hand."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from hitl_core.discovery import find_plugin, list_plugins
from hitl_core.environment import variable_prefix
from hitl_core.errors import ConfigurationError

if TYPE_CHECKING:
    from hitl_core.testing.simulator import Simulator

__all__ = ["SIMULATORS", "load_simulator", "simulate"]

SIMULATORS = "hitl.simulators"


def _web_address(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Return the value of an option as it is.

    :raises click.BadParameter: it is no http(s) URL.
    """
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number, or brackets do not match
        usable = False
    if not usable or not value.isprintable() or " " in value:
        msg = "give a whole http:// or https:// URL, such as http://127.0.0.1:8000/webhooks"
        raise click.BadParameter(msg, param=option)
    return value


@click.command()
@click.argument("name", required=False)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8760,
    show_default=True,
    help="Port to listen on; 0 for any free one.",
)
@click.option(
    "--webhooks-to",
    metavar="URL",
    callback=_web_address,
    help="Send webhooks there, signed with the secret that is printed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print address and settings as one line of JSON.")
def simulate(name: str | None, host: str, port: int, webhooks_to: str | None, as_json: bool) -> None:
    """Run the simulator of provider NAME until Ctrl-C; without NAME, list those that are installed.

    It keeps everything in memory and has secrets everybody knows: nothing but tests should talk to it.
    """
    if name is None:
        names = [plugin.name for plugin in list_plugins(SIMULATORS)]
        click.echo("\n".join(names) if names else "No simulator is installed. Try: pip install 'hitl-desk[simulator]'")
        return
    asyncio.run(_simulate(name, host, port, webhooks_to, as_json))


def load_simulator(name: str) -> type[Simulator]:
    """Import the simulator of a provider.

    :raises ConfigurationError: none is installed, or what it needs is missing.
    """
    plugin = find_plugin(SIMULATORS, name, "simulator")
    try:
        from hitl_core.testing.simulator import Simulator
    except ModuleNotFoundError as error:
        msg = f"simulators need {error.name}; install it with: pip install '{plugin.distribution}[simulator]'"
        raise ConfigurationError(msg) from error
    loaded = plugin.load()
    if not (isinstance(loaded, type) and issubclass(loaded, Simulator)):
        msg = f"{plugin.origin} offers the simulator {name!r}, but {plugin.target} is no hitl_core.testing Simulator"
        raise ConfigurationError(msg)
    return loaded


async def _simulate(name: str, host: str, port: int, webhooks_to: str | None, as_json: bool) -> None:
    from hitl_core.testing.clock import ShiftedClock
    from hitl_core.testing.simulator import serving

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):  # before anything that takes time: Ctrl-C may come early
        loop.add_signal_handler(number, stopped.set)
    simulator = load_simulator(name)(clock=ShiftedClock())
    async with serving(simulator, host=host, port=port) as url:
        simulator.serve_at(url)
        if webhooks_to is not None:
            simulator.webhooks.subscribe("command-line", webhooks_to, simulator.secret)
        settings = simulator.settings(url)
        if as_json:
            click.echo(json.dumps({"name": name, "url": url, "settings": settings}))
        else:
            _tell(name, url, simulator, settings)
        await stopped.wait()
    click.echo("Stopped.", err=True)


def _tell(name: str, url: str, simulator: Simulator, settings: Mapping[str, Any]) -> None:
    prefix = variable_prefix(name)
    set_, shell = ("$env:{}='{}'", "PowerShell") if os.name == "nt" else ("export {}='{}'", "your shell")
    click.echo(f"{simulator.title}, simulated, at {url}\n\nSettings, to paste into {shell}:")
    for setting, value in settings.items():
        click.echo("  " + set_.format(prefix + setting.upper(), value))
    click.echo(
        f"\nAct as an agent (everything it can do: GET {url}/_sim):\n"
        f"  curl {url}/_sim/sessions\n"
        f"  curl {url}/_sim/sessions/ID/reply -H 'Content-Type: application/json' -d '{{\"text\": \"Hello\"}}'\n"
        "\nCtrl-C ends it, and forgets everything."
    )
