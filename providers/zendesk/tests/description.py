"""Zendesk's own description of its API, beside the tests where somebody has it: it may not be passed on.

Simulators are watched by it with :func:`as_described`; where the file is missing they are used unwatched, and
``test_description.py`` says so by being skipped.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from hitl_core.testing import Description, Simulator, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

_Simulated = TypeVar("_Simulated", bound=Simulator)

VARIABLE: Final = "HITL_ZENDESK_OPENAPI"
_ROOT: Final = Path(__file__).resolve().parents[3]
_BESIDE: Final = _ROOT.parent / "shared" / "api" / "zendesk-oas.yaml"

WHERE_IT_IS: Final = f"get oas.yaml from developer.zendesk.com/zendesk and set {VARIABLE} to its path"

ELSEWHERE: Final = ("/api/v2/webhooks", "/attachments/token/")
"""How paths begin that the file leaves out: Zendesk describes webhooks, and where files are read, on pages alone."""

_PAGING: Final = (
    "the operation's own text says that it is paged by cursor; only other operations name the parameters for it"
)
_SORT: Final = "the page of the Ticket comments API lists it, with created_at in both directions"
_SIZE: Final = "the guide to incremental exports has it, and so have links in the file's own examples"
_REQUESTER: Final = "described in 'Creating and updating tickets': a requester by name and address"
_MARK: Final = "listed among a ticket's writable properties on the page of the Tickets API; the file leaves it out"
_FIELD: Final = (
    "the file takes a ticket's field value for the definition of a field; its own examples send id and value"
)
_NOBODY: Final = "recorded answers have null for tickets that are nobody's, which the file knows nowhere"
_CONDITIONS: Final = "the conditions reference says to send all and any beside the title, and answers nest them"
_UPLOAD: Final = "the page of the Ticket attachments API sends the raw file, and its name as a parameter"
_TOKEN: Final = "the operation's own text lists what the JSON of a request has; the file gives it no schema"
_CURSOR: Final = "the guide to incremental exports sends start_time first and the cursor from then on"

ALLOWED: Final[dict[str, str]] = {
    "*: query page[size] is not described": _PAGING,
    "*: query page[after] is not described": _PAGING,
    "GET /api/v2/tickets/{ticket_id}/comments: query sort is not described": _SORT,
    "GET /api/v2/incremental/tickets/cursor: query start_time is missing": _CURSOR,
    "GET /api/v2/incremental/tickets/cursor: query per_page is not described": _SIZE,
    "POST /api/v2/tickets: body ticket.requester is not described": _REQUESTER,
    "POST /api/v2/tickets: body ticket.metadata is not described": _MARK,
    "PUT /api/v2/tickets/{ticket_id}: body ticket.metadata is not described": _MARK,
    "PUT /api/v2/tickets/{ticket_id}: body ticket.assignee_id is not of type integer": _NOBODY,
    **{
        f"POST /api/v2/tickets: body ticket.custom_fields[].{problem}": _FIELD
        for problem in (
            "id is read-only",
            "value is not described",
            "key is missing",
            "type is missing",
            "title is missing",
        )
    },
    "POST /api/v2/triggers: body trigger.all is not described": _CONDITIONS,
    "POST /api/v2/triggers: body trigger.any is not described": _CONDITIONS,
    "POST /api/v2/triggers: body trigger.conditions is missing": _CONDITIONS,
    "PUT /api/v2/triggers/{trigger_id}: body trigger.all is not described": _CONDITIONS,
    "PUT /api/v2/triggers/{trigger_id}: body trigger.any is not described": _CONDITIONS,
    "PUT /api/v2/triggers/{trigger_id}: body trigger.conditions is missing": _CONDITIONS,
    "POST /oauth/tokens: the body is not described": _TOKEN,
    "POST /api/v2/uploads: query filename is not described": _UPLOAD,
    "POST /api/v2/uploads: the body is not described": _UPLOAD,
}
"""Where the file is wrong, and how that is known; what is not needed any more fails ``test_description.py``."""


def file() -> Path | None:
    """Return where the file is, ``None`` when it is nowhere.

    :raises FileNotFoundError: the variable names a file that is not there.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).resolve(strict=True)
    return _BESIDE if _BESIDE.is_file() else None


@cache
def description() -> Description | None:
    """Return the description with what is allowed beyond it, the same one for every test of a run."""
    path = file()
    return None if path is None else Description.load(path, allow=ALLOWED)


@contextmanager
def as_described(simulator: _Simulated) -> Iterator[_Simulated]:
    """Use a simulator; at the end fail if Zendesk's description forbids something it was asked."""
    described = description()
    if described is None:
        yield simulator
        return
    with watched(simulator, described, elsewhere=ELSEWHERE):
        yield simulator
