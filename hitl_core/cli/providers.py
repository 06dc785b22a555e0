"""``hitl providers``: what is installed, and what each can do."""

from __future__ import annotations

import json
from typing import Any

import click
from pydantic import BaseModel

from hitl_core.discovery import Plugin, list_providers, load_provider
from hitl_core.environment import variable_prefix
from hitl_core.errors import HitlError
from hitl_core.info import ProviderInfo
from hitl_core.spec import CAPABILITY_HOOKS

__all__ = ["providers"]


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--check", is_flag=True, help="Import each and check it against the hook spec.")
@click.pass_context
def providers(ctx: click.Context, as_json: bool, check: bool) -> int:
    """List the installed providers; none is imported unless you ask for --check."""
    if ctx.invoked_subcommand is not None:
        return 0
    plugins = list_providers()
    rows = [_row(plugin, check, plugins) for plugin in plugins]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif not rows:
        click.echo("No provider is installed. Try: pip install hitl-desk", err=True)
    else:
        _print_table(rows)
    return 1 if any(row.get("problem") for row in rows) else 0


def _row(plugin: Plugin, check: bool, plugins: list[Plugin]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "target": plugin.target,
    }
    if check:
        try:
            load_provider(plugin.name, plugins)
        except HitlError as error:
            row["problem"] = str(error)
        else:
            row["problem"] = None
    return row


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = [("NAME", "DISTRIBUTION", "VERSION", "CHECK" if "problem" in rows[0] else "")]
    for row in rows:
        state = "" if "problem" not in row else "broken" if row["problem"] else "ok"
        table.append((row["name"], row["distribution"], row["version"], state))
    widths = [max(len(line[column]) for line in table) for column in range(4)]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    for row in rows:
        if row.get("problem"):
            click.echo(f"\n{row['problem']}", err=True)


@providers.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the schemas of settings and options.")
def show(name: str, as_json: bool) -> None:
    """Show what provider NAME can do, its limits and words, its settings and options."""
    cls, plugin = load_provider(name)
    info: ProviderInfo = cls.info
    if as_json:
        click.echo(json.dumps(_describe(info, plugin), indent=2))
        return
    click.echo(f"{info.title} ({info.name}), from {plugin.origin}; proven against: {info.verified}")
    if info.docs:
        click.echo(info.docs)
    _print_capabilities(info)
    _print_facts("Limits", info.limits)
    _print_facts("Words", info.terminology)
    _print_facts("Webhooks in", info.intake)
    _print_fields("Settings", info.settings)
    click.echo(f"  from the environment: {_variables(info)}")
    _print_fields("Options of a start", info.options)


def _variables(info: ProviderInfo) -> str:
    prefix = variable_prefix(info.name)
    return ", ".join(f"{prefix}{setting.upper()}" for setting in info.settings.model_fields)


def _describe(info: ProviderInfo, plugin: Plugin) -> dict[str, Any]:
    return {
        "name": info.name,
        "title": info.title,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "verified": info.verified,
        "docs": info.docs,
        "capabilities": _plain(info.capabilities),
        "limits": _plain(info.limits),
        "terminology": _plain(info.terminology),
        "intake": _plain(info.intake),
        "settings": info.settings.model_json_schema(),
        "options": info.options.model_json_schema(),
    }


def _plain(model: BaseModel) -> dict[str, Any]:
    """Return JSON with its sets in a stable order."""
    values: dict[str, Any] = model.model_dump(mode="json")
    return {
        name: sorted(value) if isinstance(getattr(model, name), frozenset) else value for name, value in values.items()
    }


def _print_capabilities(info: ProviderInfo) -> None:
    facts = _plain(info.capabilities)
    click.echo("\nCapabilities")
    for name, value in facts.items():
        if isinstance(value, bool):
            hooks = f"  ({', '.join(CAPABILITY_HOOKS[name])})" if value and name in CAPABILITY_HOOKS else ""
            click.echo(f"  {'yes' if value else 'no ':3}  {name}{hooks}")
    for name, value in facts.items():
        if not isinstance(value, bool):
            click.echo(f"  {name}: {_short(value)}")


def _print_facts(title: str, model: BaseModel) -> None:
    click.echo(f"\n{title}")
    for name, value in _plain(model).items():
        if value is not None:
            click.echo(f"  {name}: {_short(value)}")


def _short(value: Any) -> str:
    match value:
        case {"max": size, "unit": unit}:
            return f"{size} {unit}"
        case {"count": count, "seconds": seconds}:
            return f"{count} in {seconds:g} s"
        case list():
            return ", ".join(str(item) for item in value) or "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
    return str(value)


def _print_fields(title: str, model: type[BaseModel]) -> None:
    click.echo(f"\n{title}")
    properties = model.model_json_schema().get("properties", {})
    for name, field in model.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        empty = default in (None, (), {})
        need = "required" if field.is_required() else "optional" if empty else f"default {_short(default)}"
        description = field.description or properties.get(name, {}).get("title", "")
        click.echo(f"  {name} ({need}): {description}")
