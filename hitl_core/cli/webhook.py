"""``hitl verify-webhook``: is this delivery genuine, and what does it say."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any, BinaryIO, TextIO

import click

from hitl_core.cli.settings import account_settings, set_option
from hitl_core.clock import SystemClock
from hitl_core.connect import connect
from hitl_core.webhooks import WebhookDelivery

__all__ = ["verify_webhook"]


class _ClockAt(SystemClock):
    """The system's clock, but telling the time a delivery was received."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment


@click.command("verify-webhook")
@click.argument("provider")
@click.option("--headers", type=click.File("r"), required=True, help="File of `Name: value` lines.")
@click.option("--body", type=click.File("rb"), required=True, help="File of the raw body; - reads standard input.")
@click.option("--received-at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="When it arrived, if not now.")
@click.option("--parse", is_flag=True, help="Also read its events; this may call the helpdesk.")
@set_option
def verify_webhook(
    *,
    provider: str,
    headers: TextIO,
    body: BinaryIO,
    received_at: datetime | None,
    parse: bool,
    assignments: tuple[str, ...],
) -> None:
    """Tell whether a delivery to an account of PROVIDER is genuine.

    The secret comes from the environment, as HITL_<PROVIDER>_WEBHOOK_SECRET, several separated by commas. Prints JSON;
    exit code 1 means refused.
    """
    result = asyncio.run(
        _verify(
            provider,
            account_settings(provider, assignments),
            headers=_read_headers(headers),
            body=body.read(),
            received_at=received_at,
            parse=parse,
        )
    )
    click.echo(json.dumps(result, indent=2))


def _read_headers(lines: TextIO) -> list[tuple[str, str]]:
    pairs = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon:
            msg = f"line {number} of the headers is not `Name: value`"
            raise click.UsageError(msg)
        pairs.append((name.strip(), value.strip()))
    return pairs


async def _verify(
    provider: str,
    settings: dict[str, Any],
    *,
    headers: list[tuple[str, str]],
    body: bytes,
    received_at: datetime | None,
    parse: bool,
) -> dict[str, Any]:
    clock = _ClockAt(received_at.astimezone(UTC)) if received_at else None
    async with connect(provider, clock=clock, **settings) as connection:
        delivery = connection.verify_webhook(headers=headers, body=body)
        result = _describe(delivery)
        if parse:
            parsed = await connection.parse_delivery(delivery)
            result["events"] = [event.model_dump(mode="json", exclude={"raw"}) for event in parsed.events]
    return result


def _describe(delivery: WebhookDelivery) -> dict[str, Any]:
    return {
        "verified": True,
        "delivery": delivery.id,
        "sessions": list(delivery.session_ids),
        "account": delivery.account,
    }
