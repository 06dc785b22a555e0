"""Verifying and parsing a webhook of the desk, against ``hmac`` and ``json.loads`` written by hand."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import hitl_core as hitl
from benchmarks.pairs import Pairs
from hitl_core import standard_webhooks

EVENT = {
    "id": "evt_0192f0c1a2b37c5d8e9f",
    "type": "message.created",
    "timestamp": "2026-11-21T08:00:00.000Z",
    "seq": 7,
    "data": {
        "ticket": {
            "id": "tkt_0192f0c1a2b37c5d8e9f",
            "number": 1815,
            "external_id": "conv-42",
            "category": "open",
            "assignee": {"id": "agt_0192f0c1", "name": "Ada Lovelace"},
        },
        "agent": {"id": "agt_0192f0c1", "name": "Ada Lovelace", "avatar_url": None},
        "message": {
            "id": "msg_0192f0c1a2b37c5d8e9f",
            "message": {"type": "text", "text": "Thank you for waiting. Your refund is on its way, it takes two days."},
            "created_at": "2026-11-21T08:00:00.000Z",
        },
    },
}
BATCH = 200
ROUNDS = 60


def by_hand(key: bytes, headers: Mapping[str, str], body: bytes) -> Any:
    """Do what a careful person writes: the signed text, the digest, the window, the JSON."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    if not hmac.compare_digest(f"v1,{digest}", headers["webhook-signature"]):
        raise ValueError("signature")
    if abs(time.time() - int(headers["webhook-timestamp"])) > 300:
        raise ValueError("age")
    return json.loads(body)


async def measure() -> Pairs:
    """Time batches in turn."""
    secret = standard_webhooks.generate_secret()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    body = json.dumps(EVENT).encode()
    headers = dict(
        standard_webhooks.sign([secret], id="evt_0192f0c1a2b37c5d8e9f", timestamp=datetime.now(UTC), body=body)
    )
    headers |= {"content-type": "application/json", "user-agent": "hitl", "host": "bot.example.com"}
    pairs = Pairs([], [])
    async with hitl.connect(
        "desk", base_url="http://127.0.0.1:9", token="dbk_benchmark", webhook_secret=secret
    ) as desk:
        (event,) = await desk.parse_webhook(headers=headers, body=body)
        assert isinstance(event, hitl.AgentMessage)
        assert by_hand(key, headers, body) == EVENT
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for _ in range(BATCH):
                await desk.parse_webhook(headers=headers, body=body)
            middle = time.perf_counter()
            for _ in range(BATCH):
                by_hand(key, headers, body)
            end = time.perf_counter()
            pairs.ours.append((middle - start) / BATCH)
            pairs.base.append((end - middle) / BATCH)
    return pairs


def main() -> None:
    """Print the ratio."""
    print(asyncio.run(measure()).ratio_line("webhook: verify + parse over hmac + json.loads", aim=4))


if __name__ == "__main__":
    main()
