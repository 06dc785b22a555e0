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

from hitl_core.discovery import Plugin, find_plugin, list_plugins, list_providers
from hitl_core.environment import variable_prefix
from hitl_core.errors import ConfigurationError, ProviderLoadError

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

    :raises ConfigurationError: none is installed, or what it needs is missing; says what to install.
    """
    plugin = _simulator_of(name)
    try:
        import starlette.applications  # noqa: F401 - which every simulator needs as soon as it is made

        from hitl_core.testing.simulator import Simulator
    except ModuleNotFoundError as error:
        raise _without(plugin, error) from error
    try:
        loaded = plugin.load()
    except ProviderLoadError as error:
        reason = error.__cause__
        if isinstance(reason, ModuleNotFoundError) and not _is_its_own(reason, plugin):
            raise _without(plugin, reason) from error
        raise
    if not (isinstance(loaded, type) and issubclass(loaded, Simulator)):
        msg = f"{plugin.origin} offers the simulator {name!r}, but {plugin.target} is no hitl_core.testing Simulator"
        raise ConfigurationError(msg)
    return loaded


def _simulator_of(name: str) -> Plugin:
    installed = list_plugins(SIMULATORS)
    provider = next((plugin for plugin in list_providers() if plugin.name == name), None)
    if provider is not None and not any(plugin.name == name for plugin in installed):
        msg = (
            f"provider {name!r} is installed without a simulator; where there is one, it comes with: "
            f"pip install '{provider.distribution}[simulator]' "
            f"(installed: {', '.join(plugin.name for plugin in installed) or 'none'})"
        )
        raise ConfigurationError(msg)
    return find_plugin(SIMULATORS, name, "simulator")


def _without(plugin: Plugin, error: ModuleNotFoundError) -> ConfigurationError:
    return ConfigurationError(
        f"the simulator of {plugin.name!r} needs {error.name}; "
        f"install it with: pip install '{plugin.distribution}[simulator]'"
    )


def _is_its_own(error: ModuleNotFoundError, plugin: Plugin) -> bool:
    """Whether a missing module is one of the package's own: no extra brings those."""
    return (error.name or "").partition(".")[0] == plugin.target.partition(":")[0].partition(".")[0]


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
        f"\nAct as an agent in a browser: {url}/_sim/agent\n"
        f"or by requests (everything it can do: GET {url}/_sim):\n"
        f"  curl {url}/_sim/sessions\n"
        f"  curl {url}/_sim/sessions/ID/reply -H 'Content-Type: application/json' -d '{{\"text\": \"Hello\"}}'\n"
        "\nCtrl-C ends it, and forgets everything."
    )
