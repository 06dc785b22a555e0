"""What Zendesk refuses, in HITL's errors, and what its headers say of limits.

Bodies are hints: they may be JSON of several shapes, plain text, or a page of the network in front. Zendesk's own text
is never passed on, since it may quote a customer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import hitl_core as hitl
from hitl_core.http import HttpResponse, RateObservation, VendorError, common_limits

__all__ = ["USERS", "classify", "fields_in", "limits", "refused_by", "ticket_scope", "update_scopes"]

USERS: Final = "users"
"""Scope of writing to users: one a second for the whole account."""

UPDATES: Final = "updates"
"""Scope of updating tickets, all of the account's together."""

_TICKET: Final = re.compile(r"/api/v2/tickets/(?P<id>[0-9]{1,20})(?:\.json)?(?:$|[?/])")
_UPDATES: Final = ("zendesk-ratelimit-per-ticket-updates",)
_ACCOUNT_UPDATES: Final = ("zendesk-rate-limit-tickets-update", "zendesk-ratelimit-tickets-update")
_LIMIT: Final = re.compile(
    r"total=(?P<total>[0-9]{1,9}).*?remaining=(?P<left>[0-9]{1,9}).*?resets=(?P<resets>[0-9]{1,9})"
)
_MINUTE: Final = 60
_CODE: Final = re.compile(r"[A-Za-z_]{1,64}")
_SCOPES: Final = re.compile(r"required scopes?: (?P<scopes>[a-z:_ ,]{1,100})")
_FIELD: Final = re.compile(r"[a-z0-9_]{1,64}")

_CLOSED: Final = VendorError(
    code="ClosedTicket",
    message="the ticket is closed for good; start a new hand-off, which becomes a follow-up ticket",
    error=hitl.SessionClosedError,
)
_MISMATCH: Final = VendorError(
    code="IdempotentRequestError",
    message="this ticket was asked for before with other content; look it up by its external id",
    error=hitl.AmbiguousOutcomeError,
)
_LOCKED: Final = VendorError(code="DatabaseConflict", error=hitl.ProviderUnavailableError)


def ticket_scope(ticket_id: str) -> str:
    """Return the scope of one ticket's updates: thirty in ten minutes (behaviour F38)."""
    return f"ticket:{ticket_id}"


def update_scopes(ticket_id: str) -> tuple[str, str]:
    """Return the limits an update of a ticket counts in, beside the account's."""
    return ticket_scope(ticket_id), UPDATES


def classify(response: HttpResponse) -> VendorError | None:
    """Read a refusal of Zendesk's; ``None`` when its status says all there is."""
    body = _json(response)
    code = _code(body)
    found = VendorError(code=code) if code else None
    match response.status:
        case 400 if code == "IdempotentRequestError":
            found = _MISMATCH
        case 403:
            found = VendorError(code=code, message=_right(body))
        case 404 if response.url.endswith("/users/me"):
            found = VendorError(code=code, message="there is no such account; check subdomain")
        case 409 if code != "UpdateConflict":
            found = _LOCKED  # two writes met in its database; nothing was done
        case 422 if code == "ClosedTicket" or _is_closed(body):
            found = _CLOSED
        case 400 | 422:
            found = VendorError(code=code, message=_refused(body))
        case 429:
            found = VendorError(code=code, scope=_limited(response))
    return found


def limits(response: HttpResponse) -> list[RateObservation]:
    """Read what an answer says of the account's limit and of the ticket's."""
    seen = common_limits(response)
    ticket = _TICKET.search(response.url)
    for names, scope in ((_UPDATES, ticket_scope(ticket["id"]) if ticket else None), (_ACCOUNT_UPDATES, UPDATES)):
        for name in names:
            if scope and (match := _LIMIT.search(response.headers.get(name, ""))):
                seen.append(RateObservation(scope, float(match["total"]), float(match["left"]), float(match["resets"])))
    if response.url.partition("?")[0].removesuffix(".json").endswith("/users/create_or_update"):
        seen.append(RateObservation(USERS, 1, 0, 1))  # documented, and told by no header
    return seen


def refused_by(response: HttpResponse) -> Mapping[str, list[Mapping[str, Any]]]:
    """Return what each field of a record was refused for, by Zendesk's name of the field."""
    body = _json(response)
    details = body.get("details") if isinstance(body, dict) else None
    if not isinstance(details, dict):
        return {}
    return {
        name: [item for item in found if isinstance(item, dict)]
        for name, found in details.items()
        if isinstance(name, str) and isinstance(found, list)
    }


def fields_in(response: HttpResponse) -> tuple[str, ...]:
    """Return the fields a refusal is about: Zendesk's names, and ``ticket_field:ID`` for the account's own."""
    return tuple(dict.fromkeys(_fields(refused_by(response))))


def _fields(refused: Mapping[str, list[Mapping[str, Any]]]) -> Iterator[str]:
    for name, items in refused.items():
        for item in items:
            number = item.get("ticket_field_id")
            if isinstance(number, int | str) and str(number).isdigit():
                yield f"ticket_field:{number}"
            elif name != "base" and _FIELD.fullmatch(name):
                yield name


def _json(response: HttpResponse) -> Any:
    try:
        return response.json()
    except hitl.ProviderError:
        return None


def _code(body: Any) -> str | None:
    if not isinstance(body, dict):
        return None
    found = body.get("error")
    if isinstance(found, dict):
        found = found.get("title")
    errors = body.get("errors")
    if found is None and isinstance(errors, list) and errors and isinstance(errors[0], dict):
        found = errors[0].get("code")
    return found if isinstance(found, str) and _CODE.fullmatch(found) else None


def _is_closed(body: Any) -> bool:
    details = body.get("details") if isinstance(body, dict) else None
    status = details.get("status") if isinstance(details, dict) else None
    return "closed prevents ticket update" in str(status)


def _right(body: Any) -> str:
    description = body.get("description") if isinstance(body, dict) else None
    if isinstance(description, str) and (match := _SCOPES.search(description)):
        return f"the token lacks the scope {match['scopes'].strip()}; add it to scope, or make a new token with it"
    return "the agent these credentials act as lacks the right for this; give it a role that has it"


def _refused(body: Any) -> str | None:
    details = body.get("details") if isinstance(body, dict) else None
    if not isinstance(details, dict):
        return None
    if any("suspended" in str(found).lower() for found in (details.get("requester"), details.get("author"))):
        return "the customer is suspended in Zendesk; an agent can lift that, or the start can name another requester"
    names = [name for name in details if isinstance(name, str) and _FIELD.fullmatch(name)][:3]
    return f"Zendesk does not accept {', '.join(names)}; check what this call puts there" if names else None


def _limited(response: HttpResponse) -> str | None:
    """Return which limit a 429 is about; ``None`` is the account's."""
    ticket = _TICKET.search(response.url)
    for names, scope in ((_UPDATES, ticket_scope(ticket["id"]) if ticket else None), (_ACCOUNT_UPDATES, UPDATES)):
        for name in names:
            match = _LIMIT.search(response.headers.get(name, ""))
            if scope and match and int(match["left"]) == 0:
                return scope
    wait = response.headers.get("retry-after", "")
    if ticket and wait.isdecimal() and int(wait[:9]) > _MINUTE:
        return ticket_scope(ticket["id"])  # though no header says so: what the account may do is counted by the minute
    if response.url.partition("?")[0].removesuffix(".json").endswith("/users/create_or_update"):
        return USERS
    return None
