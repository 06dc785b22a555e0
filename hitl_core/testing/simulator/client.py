"""The control API from a test's side: the same calls in memory, on a port, and from a cassette."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from hitl_core._http import HttpRequest, Transport, segment
from hitl_core.testing.simulator.deliveries import WebhookFault
from hitl_core.testing.simulator.faults import Fault
from hitl_core.testing.simulator.model import Act, SimEndpoint, SimFile, SimSession, SimUser, SimWebhook

__all__ = ["SimulatorControl"]

_SESSIONS = TypeAdapter(list[SimSession])
_USERS = TypeAdapter(list[SimUser])
_ENDPOINTS = TypeAdapter(list[SimEndpoint])
_WEBHOOKS = TypeAdapter(list[SimWebhook])
_WEBHOOK_FAULT = TypeAdapter(WebhookFault)


class SimulatorControl:
    """Acts as the agent and sees what the helpdesk received.

    :param transport: to the simulator.
    :param base_url: where it is.
    """

    def __init__(self, transport: Transport, base_url: str) -> None:
        self._transport = transport
        self.base_url = base_url.rstrip("/")
        """Where the simulator is."""
        self._seen = 0

    async def reply(self, session_id: str, text: str, *, agent: str | None = None) -> None:
        """Answer the customer."""
        await self._act(session_id, "reply", text=text, agent=agent)

    async def note(self, session_id: str, text: str, *, agent: str | None = None) -> None:
        """Write what only agents see."""
        await self._act(session_id, "note", text=text, agent=agent)

    async def attach(self, session_id: str, text: str, files: Sequence[SimFile], *, agent: str | None = None) -> None:
        """Answer with files."""
        await self._act(session_id, "attach", text=text, files=tuple(files), agent=agent)

    async def assign(self, session_id: str, *, agent: str | None = None) -> None:
        """Take the session."""
        await self._act(session_id, "assign", agent=agent)

    async def unassign(self, session_id: str) -> None:
        """Give the session back to the queue."""
        await self._act(session_id, "unassign")

    async def solve(self, session_id: str) -> None:
        """End the session so that it can be reopened."""
        await self._act(session_id, "solve")

    async def close(self, session_id: str) -> None:
        """End the session."""
        await self._act(session_id, "close")

    async def reopen(self, session_id: str) -> None:
        """Open an ended session again."""
        await self._act(session_id, "reopen")

    async def edit(self, session_id: str, message_id: str, text: str) -> None:
        """Change a message of an agent."""
        await self._act(session_id, "edit", message_id=message_id, text=text)

    async def delete(self, session_id: str, message_id: str) -> None:
        """Take a message of an agent back."""
        await self._act(session_id, "delete", message_id=message_id)

    async def read(self, session_id: str, message_id: str) -> None:
        """Read a message of ours."""
        await self._act(session_id, "read", message_id=message_id)

    async def reply_and_assign(self, session_id: str, text: str, *, agent: str | None = None) -> None:
        """Take the session by answering."""
        await self._act(session_id, "reply_and_assign", text=text, agent=agent)

    async def reply_and_close(self, session_id: str, text: str, *, agent: str | None = None) -> None:
        """Answer and end the session."""
        await self._act(session_id, "reply_and_close", text=text, agent=agent)

    async def customer_writes(self, session_id: str, text: str) -> None:
        """Let the customer write by the vendor's own channel."""
        await self._act(session_id, "customer_writes", text=text)

    async def system_acts(self, session_id: str) -> None:
        """Let an automation touch the session."""
        await self._act(session_id, "system_acts")

    async def batch(self, session_id: str, texts: Sequence[str]) -> None:
        """Answer several times, told of in one delivery."""
        await self._call("POST", f"sessions/{segment(session_id)}/batch", json.dumps(list(texts)).encode())

    async def open_elsewhere(self, text: str) -> str:
        """Open a session no bot knows of; return its id."""
        answer = json.loads(await self._call("POST", "sessions", Act(text=text).model_dump_json().encode()))
        opened: str = answer["id"]
        return opened

    async def ping(self) -> None:
        """Send the vendor's test delivery."""
        await self._call("POST", "events/ping", b"{}")

    async def emit_unknown(self) -> None:
        """Send a delivery of a kind nobody knows."""
        await self._call("POST", "events/emit_unknown", b"{}")

    async def expire_credentials(self) -> None:
        """Let every access token given out so far expire."""
        await self._call("POST", "events/expire_credentials", b"{}")

    async def agents_leave(self) -> None:
        """Let every agent go offline."""
        await self._call("POST", "events/agents_leave", b"{}")

    async def endpoints(self) -> list[SimEndpoint]:
        """Return where deliveries go, by API."""
        return _ENDPOINTS.validate_json(await self._call("GET", "endpoints"))

    async def lose_endpoints(self) -> None:
        """Remove every endpoint behind the bot's back."""
        await self._call("POST", "events/lose_endpoints", b"{}")

    async def change_endpoints(self) -> None:
        """Point every endpoint elsewhere behind the bot's back."""
        await self._call("POST", "events/change_endpoints", b"{}")

    async def session(self, session_id: str) -> SimSession:
        """Return one session as an agent sees it."""
        return SimSession.model_validate_json(await self._call("GET", f"sessions/{segment(session_id)}"))

    async def sessions(self) -> list[SimSession]:
        """Return every session, the oldest first."""
        return _SESSIONS.validate_json(await self._call("GET", "sessions"))

    async def users(self) -> list[SimUser]:
        """Return every customer, the oldest first."""
        return _USERS.validate_json(await self._call("GET", "users"))

    async def requests(self) -> list[dict[str, Any]]:
        """Return method, path and status of the last requests of the vendor's API."""
        found: list[dict[str, Any]] = json.loads(await self._call("GET", "requests"))
        return found

    async def webhooks(self, count: int = 1, *, wait: int = 10) -> list[SimWebhook]:
        """Return the webhooks sent since the last call, waiting until there are ``count``, ``wait`` seconds at most."""
        query = f"webhooks?after={self._seen}&count={count}&wait={wait if count else 0}"
        sent = _WEBHOOKS.validate_json(await self._call("GET", query))
        self._seen = max([self._seen, *(attempt.number for attempt in sent)])
        return sent

    async def add_fault(self, fault: Fault) -> None:
        """Let matching requests fail."""
        await self._call("POST", "faults", fault.model_dump_json().encode())

    async def clear_faults(self) -> None:
        """Let nothing fail any more."""
        await self._call("DELETE", "faults")

    async def add_webhook_fault(self, fault: WebhookFault) -> None:
        """Lose, double, delay or reorder the next webhooks."""
        await self._call("POST", "webhooks/faults", _WEBHOOK_FAULT.dump_json(fault))

    async def advance(self, seconds: float) -> None:
        """Let time pass at the helpdesk."""
        await self._call("POST", "clock", json.dumps({"advance": seconds}).encode())

    async def _act(self, session_id: str, verb: str, **given: Any) -> None:
        act = Act(**{name: value for name, value in given.items() if value is not None})
        body = act.model_dump_json(exclude_unset=True).encode()
        await self._call("POST", f"sessions/{segment(session_id)}/{verb}", body)

    async def _call(self, method: str, path: str, body: bytes = b"") -> bytes:
        headers = {"content-type": "application/json"} if method == "POST" else {}
        request = HttpRequest(method, f"{self.base_url}/_sim/{path}", headers, body)
        answer = await self._transport.send(request, timeout=90, max_bytes=64 * 1024 * 1024)
        if answer.status >= 300:
            msg = (
                f"the simulator refuses {method} /_sim/{path.partition('?')[0]} ({answer.status}): {answer.text[:300]}"
            )
            raise AssertionError(msg)
        return answer.body
