"""How the Desk Protocol describes itself, in OpenAPI 3.1."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from hitl_core.messages import MESSAGE_TYPES
from hitl_desk.server import answers

__all__ = ["DESCRIPTION", "TAGS", "describe"]

DESCRIPTION: Final = """
The protocol between a bot and a desk where human agents work. A bot hands a conversation over by opening a ticket with
its transcript, passes on what the customer says, and learns what agents do as events: by signed webhook, by pull with a
cursor, or as a stream. All three carry the same events.

* **Who calls.** Each bot has a token and sees its own customers, tickets and events; anything else is 404.
* **Repeats.** Any POST may carry an `Idempotency-Key`; within 24 hours a repeat gets the first answer again. What was
  done and the answer that tells of it are stored together, so a crash cannot double anything.
* **Errors** are problem documents (RFC 9457) with a stable `code`.
* **What bots see.** Agents' public messages, who has the ticket, and how it stands. Notes never leave the desk, and a
  bot's own messages are not told back to it.
* **Order.** `seq` counts the events of a ticket. Webhooks of one ticket come one after the other. Where one act has
  several events they come as: reopened, assigned, message, status, closed.
* **Webhooks** follow Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
* **Versions.** Readers ignore fields, event types and message types they do not know.
""".strip()

TAGS: Final[list[dict[str, Any]]] = [
    {"name": "bot", "description": "Who the token belongs to, and whether somebody is there."},
    {"name": "customers", "description": "People who talk to the bot."},
    {"name": "tickets", "description": "Conversations in the hands of agents."},
    {"name": "attachments", "description": "Files up and down."},
    {"name": "events", "description": "What agents did, by pull and stream."},
    {"name": "webhooks", "description": "Where events are posted."},
    {"name": "service", "description": "For whoever runs the desk."},
]

_COMPONENTS: Final = "#/components/schemas/"


def describe(app: FastAPI) -> None:
    """Make the application serve the document."""

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _document(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
        separate_input_output_schemas=False,
    )
    schemas = made["components"]["schemas"]
    _, extra = models_json_schema(
        [(answers.Problem, "validation"), (answers.Event, "validation")], ref_template=_COMPONENTS + "{model}"
    )
    schemas.update({name: schema for name, schema in extra["$defs"].items() if name not in schemas})
    for schema in schemas.values():
        kind = schema.get("properties", {}).get("type", {})
        if "const" in kind:  # what tells the kinds of messages apart is always written
            schema["required"] = sorted({*schema.get("required", ()), "type"})
    _name_unions(made)
    schemas.update(_message_unions())
    made["webhooks"] = {
        "event": {
            "post": {
                "operationId": "receiveEvent",
                "summary": "What agents did",
                "description": "Posted to each webhook endpoint, signed by Standard Webhooks. Answer 2xx at once and "
                "work later; 410 disables the endpoint.",
                "requestBody": {"content": {"application/json": {"schema": {"$ref": _COMPONENTS + "Event"}}}},
                "responses": {"2XX": {"description": "Received."}, "410": {"description": "Never send again."}},
            }
        }
    }
    return made


def _name_unions(value: Any) -> None:
    """Give the two unions of message kinds a name each, in place of a copy wherever a message stands.

    Where a kind nobody knows yet is welcome too the union is anyOf, since a known one fits that branch as well.
    """
    if isinstance(value, dict):
        branches = value.get("oneOf", ())
        if {"$ref": _COMPONENTS + "Carousel"} in branches:
            known = {"$ref": _COMPONENTS + "UnknownMessage"} not in branches
            for name in ("oneOf", "discriminator"):
                value.pop(name, None)
            value["$ref"] = _COMPONENTS + ("KnownMessage" if known else "AnyMessage")
        for each in value.values():
            _name_unions(each)
    elif isinstance(value, list):
        for each in value:
            _name_unions(each)


def _message_unions() -> dict[str, Any]:
    known = {kind: f"{_COMPONENTS}{kind.capitalize()}" for kind in MESSAGE_TYPES}
    refs = [{"$ref": ref} for ref in known.values()]
    return {
        "KnownMessage": {
            "title": "KnownMessage",
            "description": "A message of a kind the desk can show.",
            "oneOf": refs,
            "discriminator": {"propertyName": "type", "mapping": known},
        },
        "AnyMessage": {
            "title": "AnyMessage",
            "description": "A message of any kind, also one of a later version.",
            "anyOf": [*refs, {"$ref": _COMPONENTS + "UnknownMessage"}],
        },
    }
