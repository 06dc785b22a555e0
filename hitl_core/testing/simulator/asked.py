"""Bodies the control API is sent, read strictly: a misspelt field must not be taken for one that was left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import ConfigDict, Field, ValidationError, field_validator

from hitl_core._model import Model
from hitl_core.discovery import near_miss
from hitl_core.testing.simulator.deliveries import WebhookFault, WebhookFaultKind
from hitl_core.testing.simulator.faults import Fault
from hitl_core.testing.simulator.model import Act, SimFile

__all__ = ["read_act", "read_fault", "read_webhook_fault", "told"]

_STRICT: Final = ConfigDict(extra="forbid")


class _File(SimFile):
    model_config = _STRICT


class _Act(Act):
    model_config = _STRICT
    files: tuple[_File, ...] = ()


class _Fault(Fault):
    model_config = _STRICT

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: str) -> str:
        if not path.startswith("/"):
            msg = "begins with a slash, such as /v1/tickets"
            raise ValueError(msg)
        return path


class _WebhookFault(Model):
    model_config = _STRICT
    kind: WebhookFaultKind
    count: int = Field(default=1, ge=1)
    seconds: float = Field(default=60, ge=0)


_ASKED: Final[Mapping[str, type[Model]]] = {"Act": _Act, "Fault": _Fault, "WebhookFault": _WebhookFault}


def read_act(body: bytes) -> Act:
    """Read what an agent is to do.

    :raises ValidationError: it is something else; :func:`told` puts it into words.
    """
    return _Act.model_validate_json(body)


def read_fault(body: bytes) -> Fault:
    """Read a switch for requests.

    :raises ValidationError: it is something else; :func:`told` puts it into words.
    """
    return Fault.model_validate(_Fault.model_validate_json(body).model_dump())


def read_webhook_fault(body: bytes) -> WebhookFault:
    """Read a switch for webhooks.

    :raises ValidationError: it is something else; :func:`told` puts it into words.
    """
    return WebhookFault(**_WebhookFault.model_validate_json(body).model_dump())


def told(error: ValidationError) -> str:
    """Say what is wrong with a body: names and rules, never values."""
    return "not understood: " + "; ".join(_sentences(error))


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        where = ".".join(str(part) for part in problem["loc"])
        match problem["type"]:
            case "extra_forbidden":
                asked: type[Model] = _ASKED.get(error.title.lstrip("_"), _Act)
                inside: type[Model] = _File if len(problem["loc"]) > 1 else asked
                known = inside.model_fields
                hint = near_miss(str(problem["loc"][-1]), known) or f"; there are: {', '.join(known)}"
                yield f"unknown field {where!r}{hint}"
            case "missing":
                yield f"field {where!r} is missing"
            case "json_invalid":
                yield "the body is not JSON"
            case _:
                yield f"field {where!r}: {problem['msg'].removeprefix('Value error, ')}" if where else problem["msg"]
