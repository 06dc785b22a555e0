"""Nothing a provider logs, prints, raises or shows holds a secret or a customer's words."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import pytest

from hitl_core.errors import HitlError, WebhookError
from hitl_core.events import AgentMessage
from hitl_core.messages import File
from hitl_core.people import Author, ExternalUser
from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.keeping import KeptState
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.leaks import (
    Told,
    credentials_in,
    disguises,
    leaking,
    plain_secrets,
    texts_of,
    watching,
)
from hitl_core.testing.conformance.tools.operations import ALL_HOOKS, Arm, Operations

__all__ = ["SecrecyTests"]

_TITLE: Final = "kit-title-about-a-parcel"
_REPLY: Final = "kit-words-of-an-agent"
_FILE: Final = "kit-letter.txt"
_PHONE: Final = "+12025550147"
_SHOWN: Final = 12
_REFUSALS: Final = (400, 401, 403, 404, 409, 413, 422, 429, 500)

_HIDDEN_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "the customer's words": ("kit-4711",),
    "the customer's name": ("Kit-Lovelace",),
    "the customer's phone number": ("2025550147",),
    "the title": (_TITLE,),
    "the agent's words": (_REPLY,),
    "a file's name": (_FILE,),
}


class SecrecyTests(ConformanceBase):
    """A whole hand-off, with failures in between, watched from all sides."""

    helpdesk_loggers: ClassVar[tuple[str, ...]] = (
        *("uvicorn", "starlette", "python_multipart", "multipart"),
        *("sqlalchemy", "aiosqlite", "alembic", "asyncpg", "vcr"),
    )
    """Loggers of the simulator's side, which runs in the same process and may log what it receives."""

    @rule(*ALL_HOOKS, "parse_webhook", "verify_webhook")
    async def test_no_secret_is_logged(self, room: Room) -> None:
        """No log record, at any level, holds a secret or a token, whether plain, in a URL, or in base64 (S245)."""
        seen = await self._watched(room)
        leaks = leaking(seen.logs, seen.secrets)
        assert not leaks, _say("log no header, no body, no settings; ctx.log masks what it knows", leaks)

    @rule(*ALL_HOOKS, "parse_webhook")
    async def test_no_customers_words_are_logged(self, room: Room) -> None:
        """No log record, at any level, holds what customers and agents wrote, or who they are."""
        seen = await self._watched(room)
        leaks = leaking(seen.logs, seen.words)
        assert not leaks, _say(
            "log ids, never words, names or addresses; and put none into a URL's path (the loggers of your "
            "simulator's side are named in `helpdesk_loggers` of the test class)",
            leaks,
        )

    @rule(*ALL_HOOKS, "parse_webhook")
    async def test_nothing_private_is_printed(self, room: Room, capfd: pytest.CaptureFixture[str]) -> None:
        """Standard output and error stay free of secrets and of what people wrote."""
        seen = await self._watched(room)
        out, err = capfd.readouterr()
        leaks = leaking([("standard output", out), ("standard error", err)], seen.hidden)
        assert not leaks, _say("a provider prints nothing", leaks)

    @rule(*ALL_HOOKS, "parse_webhook")
    async def test_no_warning_tells_anything_private(self, room: Room) -> None:
        """Warnings hold no secret and nothing of what people wrote."""
        seen = await self._watched(room)
        leaks = leaking(seen.warnings, seen.hidden)
        assert not leaks, _say("name a field or a setting in a warning, never its value", leaks)

    @rule(*ALL_HOOKS, "parse_webhook", "verify_webhook")
    async def test_no_error_tells_a_secret(self, room: Room) -> None:
        """No error, nor any it came from, holds a secret or a token, even where the vendor's answer quotes it."""
        seen = await self._watched(room)
        leaks = leaking(seen.errors, seen.secrets)
        assert not leaks, _say("name the setting in an error, never its value, and quote no answer", leaks)

    @rule(*ALL_HOOKS, "parse_webhook", "verify_webhook")
    async def test_no_error_quotes_what_people_wrote(self, room: Room) -> None:
        """No error, nor any it came from, holds what people wrote, even where the vendor's answer quotes it."""
        seen = await self._watched(room)
        leaks = leaking(seen.errors, seen.words)
        assert not leaks, _say("say what to do in your own words; the vendor's may quote the customer", leaks)

    @rule(*ALL_HOOKS, "open")
    async def test_nothing_private_is_shown_by_repr(self, room: Room) -> None:
        """Provider, context, requests and results show no secret and nothing of what people wrote."""
        seen = await self._watched(room)
        leaks = leaking(seen.shown, seen.hidden)
        assert not leaks, _say(
            "what is private goes into fields with repr=False, secrets into SecretStr, and no address into an id", leaks
        )

    async def _watched(self, room: Room) -> _Seen:
        package = room.cls.__module__.partition(".")[0]
        seen = _Seen()
        with watching({"hitl", "hitl_core", "httpx", "httpcore", package}, self.helpdesk_loggers) as (logs, warned):
            seen.logs, seen.warnings = logs, warned
            async with _again(room, seen).opened() as watched:
                mail = await _hand_off(watched, seen)
                await _failures(watched, seen, mail)
                seen.note("the connection", watched.connection, watched.connection.settings)
                seen.hide(watched, mail)
        return seen


@dataclass
class _Seen:
    """What was told during a hand-off, and what must not have been."""

    logs: Told = field(default_factory=list)
    warnings: Told = field(default_factory=list)
    errors: Told = field(default_factory=list)
    shown: Told = field(default_factory=list)
    secrets: Mapping[str, Collection[str]] = field(default_factory=dict)
    words: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def hidden(self) -> Mapping[str, Collection[str]]:
        """Secrets and words."""
        return {**self.secrets, **self.words}

    def note(self, where: str, *things: object) -> None:
        """Keep what ``repr`` and ``str`` show."""
        for thing in things:
            self.shown += [(f"repr of {where}", repr(thing)), (f"str of {where}", str(thing))]

    def hide(self, room: Room, mail: str) -> None:
        """Remember what must not have been told."""
        secrets: dict[str, set[str]] = {}
        for name, value in plain_secrets(room.connection.settings):
            secrets.setdefault(f"the setting {name}", set()).update(disguises(value))
        for token in (*credentials_in(room.wire.requests), *_kept(room)):
            secrets.setdefault("a token", set()).update(disguises(token))
        self.secrets = secrets
        self.words = {**_HIDDEN_WORDS, "the customer's e-mail address": (mail.partition("@")[0],)}


def _kept(room: Room) -> Iterator[str]:
    if isinstance(room.state, KeptState):
        yield from room.state.secrets()


def _again(room: Room, seen: _Seen) -> Room:
    """Return another room in the same account, whose provider shows itself."""

    class Watched(room.cls):  # type: ignore[misc, name-defined]  # a class that is known at run time
        def __init__(self, ctx: Any) -> None:
            super().__init__(ctx)
            seen.note("the provider", self)
            seen.note("the context", ctx, ctx.http)

    return Room(
        name=room.name,
        cls=Watched,
        simulator=room.simulator,
        agent=room.agent,
        clock=room.clock,
        wire=room.wire,
        settings=room.settings,
        state=room.state,
        webhook_url=room.webhook_url,
        patience=room.patience,
    )


async def _hand_off(room: Room, seen: _Seen) -> str:
    """Go through everything once; return the customer's e-mail address."""
    mail = f"ada.{room.name.replace('_', '.')[:40]}@example.com"
    user = await room.user("-seen", email=mail, phone=_PHONE)
    by_mail = await room.connection.create_user(email=mail, idempotency_key=room.key())
    plan = await room.plan(user=user, title=_TITLE, description=words.CUSTOMER_TEXT, history=words.history(user))
    session = await room.run(plan)
    seen.note("the customer", user, by_mail)
    seen.note("the session", session)
    seen.note("the plan", plan, plan.request)
    for text in (words.CUSTOMER_TEXT, f"{words.CUSTOMER_TEXT} once more"):
        await _send(room, seen, session, text, user)
    if room.capabilities.attachments:
        file = File(url="data:text/plain,kit-4711", name=_FILE, content_type="text/plain")
        await _send(room, seen, session, file, user)
    await room.agent.reply(session.id, _REPLY)
    seen.note("what was heard", *await room.hear(session, until=AgentMessage))
    if room.capabilities.pull:
        seen.note("what was read", await room.connection.list_events(session))
    if room.capabilities.find_session:
        finding = await room.connection.find_session(plan, sent_after=room.clock.now())
        seen.note("what was found", finding)
    seen.note("who we are", await room.connection.identify(), *await room.connection.check())
    await room.stop(session)
    return mail


async def _send(room: Room, seen: _Seen, session: Any, message: Any, user: ExternalUser) -> None:
    parts = room.connection.plan_message(session, message, author=Author.user(user), idempotency_key=room.key())
    seen.note("a message", *parts)
    seen.note("what sending gave", *[await room.execute(part) for part in parts])


async def _failures(room: Room, seen: _Seen, mail: str) -> None:
    """Let every hook fail in every way, with answers that quote what nobody should see."""
    secrets = [value for _, value in plain_secrets(room.connection.settings)]
    quoted = " ".join([words.CUSTOMER_TEXT, words.NAME, mail, _PHONE, _REPLY, *secrets, *_last_token(room)])
    calls = await Operations.of(room)
    answers: list[tuple[int, Mapping[str, str], bytes]] = [
        (200, {"content-type": "text/html"}, f"<p>{quoted}</p>".encode()),
        (200, {"content-type": "application/json"}, json.dumps({"message": quoted})[:-3].encode()),
        (200, {"content-type": "application/json"}, json.dumps([quoted]).encode()),
        (200, {"content-type": "application/json"}, json.dumps(quoted).encode()),
        (302, {"location": f"https://elsewhere.example/{mail}?q={mail}"}, quoted.encode()),
    ]
    for status in _REFUSALS:
        headers, body = room.simulator.error(status)
        answers.append((status, headers, _quoting(body, quoted)))
    for status, answered, body in answers:
        for hook in calls.hooks:
            _keep(seen, hook, status, await calls.attempt(hook, _answering(room, status, answered, body)))
    for hook in calls.hooks:
        _keep(seen, hook, 0, await calls.attempt(hook, lambda: room.wire.cut("lose_answer", matches=lambda _: True)))
    for body in (quoted.encode(), json.dumps({"events": [quoted], "type": quoted, "data": quoted}).encode()):
        for webhook in (room.signed(body), room.signed(body, secret=room.simulator.other_secret())):
            try:
                await room.parse(webhook)
            except WebhookError as error:
                seen.errors += texts_of(error, "an error of a webhook")
            except HitlError as error:
                seen.errors += texts_of(error, "another error of a webhook")


def _say(advice: str, leaks: list[str]) -> str:
    shown = leaks[:_SHOWN]
    more = [f"and in {len(leaks) - _SHOWN} more places"] if len(leaks) > _SHOWN else []
    return f"{advice}:\n" + "\n".join([*shown, *more])


def _keep(seen: _Seen, hook: str, status: int, ended: object) -> None:
    where = f"{hook} after {status or 'no answer'}"
    if isinstance(ended, BaseException):
        seen.errors += texts_of(ended, f"the error of {where}")
    else:
        seen.note(f"what {where} gave", ended)


def _answering(room: Room, status: int, headers: Mapping[str, str], body: bytes) -> Arm:
    return lambda: room.wire.cut(
        "answer", times=None, matches=lambda _: True, status=status, headers=headers, body=body
    )


def _last_token(room: Room) -> Iterable[str]:
    return list(credentials_in(room.wire.requests[-20:]))[-1:]


def _quoting(body: bytes, quoted: str) -> bytes:
    """Put the words into every sentence of an error, and where vendors usually have one."""
    with suppress(ValueError):
        content = json.loads(body)
        if isinstance(content, dict):
            usual = dict.fromkeys(("message", "detail", "description", "error_description", "title"), quoted)
            listed = {"errors": [{"message": quoted, "field": "body", "detail": quoted}]}
            return json.dumps({**usual, **listed, **_with_quotes(content, quoted)}).encode()
        return json.dumps(_with_quotes(content, quoted)).encode()
    return body + b" " + quoted.encode()


def _with_quotes(content: Any, quoted: str) -> Any:
    if isinstance(content, dict):
        return {name: _with_quotes(value, quoted) for name, value in content.items()}
    if isinstance(content, list):
        return [_with_quotes(value, quoted) for value in content]
    return f"{content} {quoted}" if isinstance(content, str) and " " in content else content
