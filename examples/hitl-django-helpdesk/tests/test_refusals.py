"""What the kit asks of every hook when the helpdesk refuses or fails, for the hooks that send something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import pytest
from hitl_django_helpdesk import DjangoHelpdeskProvider

import hitl_core as hitl
from hitl_core.http import HttpRequest, HttpResponse
from hitl_core.testing import ScriptedTransport, no_backoff, not_sent, reply

pytestmark = pytest.mark.anyio

Call: TypeAlias = Callable[[hitl.Connection], Awaitable[Any]]

SETTINGS: dict[str, Any] = {
    "base_url": "https://helpdesk.test",
    "username": "hitl-bot",
    "password": "kit-password",
    "user_id": 1,
}
TICKET: dict[str, Any] = {"id": 7, "status": 1, "assigned_to": None, "merged_to": None, "followup_set": []}
SESSION = hitl.HitlSession(
    ref=hitl.SessionRef(connection="default/django-helpdesk", id="7"), provider="django-helpdesk", user_id="u-17"
)
USER = hitl.ExternalUser(id="u-17", name="Ada")
READS: dict[str, Call] = {
    "identify": lambda connection: connection.identify(),
    "list_events": lambda connection: connection.list_events(SESSION),
}
WRITES: dict[str, Call] = {
    "start_hitl": lambda connection: connection.start_hitl(user=USER, title="Refund"),
    "send_message": lambda connection: connection.send_message(SESSION, "Hello", author=hitl.Author.user(USER)),
    "stop_hitl": lambda connection: connection.stop_hitl(SESSION, reason="user_left"),
}
REFUSALS = {
    400: hitl.InvalidRequestError,
    401: hitl.AuthenticationError,
    403: hitl.PermissionDeniedError,
    404: hitl.NotFoundError,
    409: hitl.ConflictError,
    429: hitl.RateLimitedError,
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _fast() -> Iterator[None]:
    with no_backoff():
        yield


@asynccontextmanager
async def connected(answer: Any, **options: Any) -> AsyncIterator[hitl.Connection]:
    """Connect to a helpdesk whose every write, or read where there is none, gets ``answer``."""
    transport = ScriptedTransport(answer)
    async with hitl.connect_class(DjangoHelpdeskProvider, transport=transport, **SETTINGS, **options) as connection:
        yield connection


def failing(name: str, answer: Any) -> Callable[[HttpRequest], Any]:
    """Let the reads of a write succeed, so that the write itself gets the answer."""

    def script(request: HttpRequest) -> Any:
        return reply(json=TICKET) if name in WRITES and request.method == "GET" else answer

    return script


@pytest.mark.parametrize("name", [*READS, *WRITES])
@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("page", [False, True], ids=["json", "a gateway's page"])
async def test_a_refusal_is_told_by_its_class_with_what_is_needed_to_act(name: str, status: int, page: bool) -> None:
    answer = reply(status, body="<h1>no</h1>") if page else reply(status, json={"detail": "Ada wrote this"})
    async with connected(failing(name, answer), waits="raise") as connection:
        with pytest.raises(REFUSALS[status]) as caught:
            await (READS | WRITES)[name](connection)
    assert isinstance(caught.value, hitl.ProviderError)
    assert caught.value.status == status
    assert "Ada" not in str(caught.value)


@pytest.mark.parametrize("name", [*READS, *WRITES])
@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_failing_helpdesk_is_unavailable_or_leaves_a_write_in_doubt(name: str, status: int) -> None:
    due = hitl.AmbiguousOutcomeError if name in {"start_hitl", "send_message"} else hitl.ProviderUnavailableError
    async with connected(failing(name, reply(status))) as connection:
        with pytest.raises(due):
            await (READS | WRITES)[name](connection)


@pytest.mark.parametrize("name", [*READS, *WRITES])
async def test_a_helpdesk_that_cannot_be_reached_is_unavailable(name: str) -> None:
    async with connected(failing(name, not_sent())) as connection:
        with pytest.raises(hitl.ProviderUnavailableError) as caught:
            await (READS | WRITES)[name](connection)
    assert caught.value.retryable


@pytest.mark.parametrize("name", [*READS, *WRITES])
async def test_credentials_do_not_follow_a_redirect(name: str) -> None:
    away = reply(302, headers={"location": "https://elsewhere.example/"})
    async with connected(failing(name, away)) as connection:
        with pytest.raises(hitl.ProviderError) as caught:
            await (READS | WRITES)[name](connection)
    assert not caught.value.retryable


@pytest.mark.parametrize("name", [*READS, "start_hitl", "send_message"])
@pytest.mark.parametrize("body", ["<h1>hello</h1>", '{"id": 1', "", "[]", "{}"])
async def test_an_answer_that_cannot_be_read_is_an_error(name: str, body: str) -> None:
    due = hitl.ProviderError if name in READS else hitl.AmbiguousOutcomeError
    async with connected(failing(name, reply(body=body))) as connection:
        with pytest.raises(due):
            await (READS | WRITES)[name](connection)


@pytest.mark.parametrize("name", [*READS, *WRITES])
async def test_a_call_can_be_cancelled_and_the_next_one_works(name: str) -> None:
    asked = asyncio.Event()

    async def script(request: HttpRequest) -> HttpResponse:
        if not asked.is_set():
            asked.set()
            await asyncio.Event().wait()
        return reply(json={**TICKET, "results": []})

    async with connected(script) as connection:
        call = asyncio.ensure_future((READS | WRITES)[name](connection))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await (READS | WRITES)[name](connection)
