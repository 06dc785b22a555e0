"""Data on stdout: a table for people, lines of JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click

__all__ = ["json_option", "moment", "print_json", "print_table", "shown"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each.")


def print_json(facts: Mapping[str, object]) -> None:
    """Print one line of JSON."""
    click.echo(json.dumps(facts, default=_plain))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows under their names in capitals, each column as wide as it needs; without rows, nothing."""
    if not rows:
        return
    table = [[name.upper() for name in rows[0]], *([shown(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def shown(value: object) -> str:
    """Return a value on one line, as a terminal may show it: ids and words are other people's, and not commands."""
    if value is None or value == "":
        return "-"
    text = moment(value) if isinstance(value, datetime) else str(value)
    return "".join(
        char if char.isprintable() else " " if char.isspace() else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def moment(at: datetime) -> str:
    """Return a time to the second, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
