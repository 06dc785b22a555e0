"""What ``GET /_sim`` answers: everything one simulator can be asked, with an example of each body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hitl_core.testing.simulator.deliveries import WebhookFault, WebhookFaultKind
from hitl_core.testing.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from hitl_core.testing.simulator.base import Simulator

__all__ = ["EVENTS", "TEXT_NEEDED", "VERBS", "described", "offered_events", "offered_verbs"]


class _Said(NamedTuple):
    """One thing to do.

    :param example: a body that would do; ``None`` where none is sent.
    :param needs: the ability without which it is not offered.
    """

    says: str
    example: Any = None
    needs: str | None = None


_HELLO: Final = {"text": "Hello", "agent": "agent-1"}
_FILE: Final = {"name": "a.txt", "content_type": "text/plain", "content": "SGVsbG8="}

VERBS: Final[Mapping[str, _Said]] = {
    "reply": _Said("Answer the customer.", _HELLO),
    "note": _Said("Write what only agents see.", {"text": "Careful"}, "note"),
    "attach": _Said("Answer with files, their content in base64.", {"text": "See", "files": [_FILE]}, "attach"),
    "assign": _Said("Take the session.", {"agent": "agent-1"}, "assign"),
    "unassign": _Said("Give the session back to the queue.", {}, "unassign"),
    "solve": _Said("End the session so that it can be reopened.", {}, "solve"),
    "close": _Said("End the session.", {}),
    "reopen": _Said("Open an ended session again.", {}, "reopen"),
    "edit": _Said("Change a message of an agent.", {"message_id": "ID", "text": "Better"}, "edit"),
    "delete": _Said("Take a message of an agent back.", {"message_id": "ID"}, "delete"),
    "read": _Said("Read a message of the bot's side.", {"message_id": "ID"}, "read"),
    "reply_and_assign": _Said("Take the session by answering.", _HELLO, "assign"),
    "reply_and_close": _Said("Answer and end the session.", {"text": "Bye"}),
    "customer_writes": _Said("Let the customer write by the vendor's own channel.", {"text": "Hi"}, "customer_writes"),
    "system_acts": _Said("Let an automation touch the session.", {}, "system_acts"),
}
"""``POST /_sim/sessions/{id}/{verb}``."""

TEXT_NEEDED: Final = frozenset({"reply", "note", "edit", "customer_writes", "reply_and_assign", "reply_and_close"})
"""Verbs that would write nothing without a text."""

EVENTS: Final[Mapping[str, _Said]] = {
    "ping": _Said("Send the vendor's test delivery.", {}, "ping"),
    "emit_unknown": _Said("Send a delivery of a kind nobody knows.", {}, "emit_unknown"),
    "expire_credentials": _Said("Let every access token given out so far expire.", {}, "expire_credentials"),
    "agents_leave": _Said("Let every agent go offline.", {}, "agents_leave"),
    "lose_endpoints": _Said("Remove every webhook endpoint behind the bot's back.", {}),
    "change_endpoints": _Said("Point every webhook endpoint elsewhere behind the bot's back.", {}),
}
"""``POST /_sim/events/{event}``."""

_BEFORE: Final[Mapping[tuple[str, str], _Said]] = {
    ("GET", "/_sim"): _Said("Tell everything there is to ask."),
    ("GET", "/_sim/agent"): _Said("Open the page an agent works on, in a browser."),
    ("GET", "/_sim/sessions"): _Said(
        "List every session as agents see it, the oldest first; with ?contents=no, files without their contents."
    ),
    ("POST", "/_sim/sessions"): _Said("Open a session no bot knows of.", {"text": "Hi"}, "open_elsewhere"),
    ("GET", "/_sim/sessions/{id}"): _Said("Show one session as agents see it."),
}
_AFTER: Final[Mapping[tuple[str, str], _Said]] = {
    ("POST", "/_sim/sessions/{id}/batch"): _Said(
        "Answer several times, told of in one delivery.", ["One", "Two"], "emit_batch"
    ),
    ("GET", "/_sim/users"): _Said("List every customer, the oldest first."),
    ("GET", "/_sim/webhooks"): _Said(
        "List the webhooks sent, attempt by attempt; with ?after=NUMBER&count=NUMBER&wait=SECONDS, those after an"
        " attempt, once there are so many of them."
    ),
    ("POST", "/_sim/webhooks/faults"): _Said(
        "Lose, double, delay or reorder the next webhooks; see webhook_faults.", {"kind": "delay", "seconds": 60}
    ),
    ("DELETE", "/_sim/webhooks/faults"): _Said("Let webhooks leave as they should again."),
    ("GET", "/_sim/endpoints"): _Said("List where webhooks go, by the vendor's API."),
    ("GET", "/_sim/requests"): _Said("List method, path and status of the last requests of the vendor's API."),
    ("POST", "/_sim/faults"): _Said(
        "Let the next requests of the vendor's API that match fail; see faults.",
        {"kind": "answer", "status": 429, "headers": {"retry-after": "7"}, "path": "/", "times": 1},
    ),
    ("DELETE", "/_sim/faults"): _Said("Let nothing fail any more."),
}
_CLOCK: Final = _Said("Let time pass at the helpdesk, in seconds.", {"advance": 60})

_MATCHING: Final = ("times", "method", "path")
_FAULTS: Final[Mapping[FaultKind, tuple[str, tuple[str, ...]]]] = {
    "latency": ("Answer so many seconds late.", ("seconds",)),
    "answer": ("Answer this without any effect.", ("status", "headers", "body")),
    "hang_before": ("Never answer, without any effect.", ()),
    "hang_after": ("Never answer, but do what was asked.", ()),
    "reset_before": ("Cut the connection, without any effect.", ()),
    "reset_after": ("Cut the connection, but do what was asked.", ()),
}
_WEBHOOK_FAULTS: Final[Mapping[WebhookFaultKind, tuple[str, tuple[str, ...]]]] = {
    "lose": ("Send none of the next deliveries.", ("count",)),
    "duplicate": ("Send each of the next deliveries twice.", ("count",)),
    "delay": ("Send the next deliveries so many seconds late.", ("count", "seconds")),
    "reorder": ("Hold the next deliveries, then send them in reverse.", ("count",)),
}


def offered_verbs(simulator: Simulator) -> list[str]:
    """Return the verbs this simulator is able to do."""
    return list(_offered(simulator, VERBS))


def offered_events(simulator: Simulator) -> list[str]:
    """Return the events this simulator is able to let happen."""
    return list(_offered(simulator, EVENTS))


def _offered(simulator: Simulator, said: Mapping[Any, _Said]) -> dict[Any, _Said]:
    return {name: each for name, each in said.items() if each.needs is None or each.needs in simulator.abilities}


def described(simulator: Simulator) -> dict[str, Any]:
    """Return everything the simulator can be asked, as JSON; defaults of fields stand beside their names."""
    return {
        "title": simulator.title,
        "abilities": sorted(simulator.abilities),
        "agents": [agent.model_dump(mode="json") for agent in simulator.agents],
        "now": simulator.clock.now().isoformat(),
        "bodies": "JSON, with content-type: application/json",
        "routes": [
            {"method": method, "path": path, "says": said.says}
            | ({} if said.example is None else {"example": _with_agent(said.example, simulator)})
            for (method, path), said in _routes(simulator)
        ],
        "faults": _fault_kinds(),
        "webhook_faults": _webhook_fault_kinds(),
    }


def _with_agent(example: Any, simulator: Simulator) -> Any:
    """Let an example name an agent this simulator has."""
    named = isinstance(example, dict) and "agent" in example
    return example | {"agent": simulator.agent().id} if named else example


def _routes(simulator: Simulator) -> Iterator[tuple[tuple[str, str], _Said]]:
    yield from _offered(simulator, _BEFORE).items()
    for verb, said in _offered(simulator, VERBS).items():
        yield ("POST", f"/_sim/sessions/{{id}}/{verb}"), said
    yield from _offered(simulator, _AFTER).items()
    for event, said in _offered(simulator, EVENTS).items():
        yield ("POST", f"/_sim/events/{event}"), said
    if hasattr(simulator.clock, "advance"):
        yield ("POST", "/_sim/clock"), _CLOCK


def _fault_kinds() -> list[dict[str, Any]]:
    defaults = Fault(kind="answer").model_dump(mode="json")
    return [
        {"kind": kind, "says": says, "fields": {name: defaults[name] for name in (*_MATCHING, *own)}}
        for kind, (says, own) in _FAULTS.items()
    ]


def _webhook_fault_kinds() -> list[dict[str, Any]]:
    return [
        {"kind": kind, "says": says, "fields": {name: getattr(WebhookFault(kind), name) for name in own}}
        for kind, (says, own) in _WEBHOOK_FAULTS.items()
    ]
