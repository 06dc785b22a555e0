"""The top-level group: our own commands, and those that installed distributions add (group ``hitl.commands``)."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from hitl_core.discovery import find_plugin, list_plugins, near_miss
from hitl_core.errors import ConfigurationError

__all__ = ["PluginGroup"]

COMMANDS: Final = "hitl.commands"

# Imported when asked for, so that `hitl --version` stays quick.
_OWN: Final = {
    "cassettes": ("hitl_core.cli.cassettes:cassettes", "Check recordings of HTTP, and make them."),
    "check": ("hitl_core.cli.check:check", "Check an account: credentials, permissions, webhooks."),
    "db": ("hitl_core.cli.db:db", "Look after the bridge's database: its schema, its key."),
    "deadletters": ("hitl_core.cli.deadletters:deadletters", "See what could not be done; try it again or drop it."),
    "new-provider": ("hitl_core.cli.new_provider:new_provider", "Write a new provider package that works at once."),
    "providers": ("hitl_core.cli.providers:providers", "List the installed providers."),
    "reconcile": ("hitl_core.cli.reconcile:reconcile", "Read all open tickets from the helpdesk."),
    "sessions": ("hitl_core.cli.sessions:sessions", "See hand-offs and what happened to them; end one."),
    "simulate": ("hitl_core.cli.simulate:simulate", "Run a vendor's simulator on this machine."),
    "verify-webhook": ("hitl_core.cli.webhook:verify_webhook", "Tell whether a webhook delivery is genuine."),
}


class PluginGroup(click.Group):
    """Commands by name; a plugin's is imported when it is called, never to be listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, without importing anything."""
        return sorted({*_OWN, *(plugin.name for plugin in list_plugins(COMMANDS))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name in _OWN:
            module, _, attribute = _OWN[cmd_name][0].partition(":")
            command: click.Command = getattr(import_module(module), attribute)
            return command
        try:
            plugin = find_plugin(COMMANDS, cmd_name, "command")
        except ConfigurationError as error:
            if cmd_name in self.list_commands(ctx):
                raise
            raise click.UsageError(
                f"no command {cmd_name!r}{near_miss(cmd_name, self.list_commands(ctx))}", ctx
            ) from error
        loaded = plugin.load()
        if not isinstance(loaded, click.Command):
            msg = f"{plugin.origin} offers {cmd_name!r}, but {plugin.target} is no click command"
            raise ConfigurationError(msg)
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Describe our own commands, and say where the others are from."""
        rows = [(name, text) for name, (_, text) in sorted(_OWN.items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        added = [(plugin.name, f"from {plugin.origin}") for plugin in list_plugins(COMMANDS)]
        if added:
            with formatter.section("Commands of installed distributions"):
                formatter.write_dl(added)
