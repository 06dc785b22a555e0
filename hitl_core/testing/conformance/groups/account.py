"""The account: who we are there, whether all is in place, and how a connection lives and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from hitl_core.calls import CheckResult, StartPlan
from hitl_core.connection import Connection
from hitl_core.errors import HitlError, UnsupportedError
from hitl_core.info import Capabilities
from hitl_core.messages import AttachmentRef
from hitl_core.people import Author
from hitl_core.sessions import HitlSession
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import declared, rule
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.tools.leaks import plain_secrets

__all__ = ["AccountTests", "optional_calls"]

Calls: TypeAlias = Mapping[str, Callable[[], Awaitable[Any]]]
"""What is called, and how."""

_TURNS: Final = 20
"""Turns of the event loop a farewell may take."""

_MANNERS: Final = ("unresolved", "placeholders")
"""Fields of the capabilities that say how rather than whether."""


class AccountTests(ConformanceBase):
    """One account, from ``open`` to ``close``."""

    @rule("identify")
    async def test_the_bot_knows_who_it_is_and_asks_once(self, room: Room) -> None:
        """``identify`` gives the same id to every instance, and a connection asks the vendor once (F24)."""
        with promised("the bot can ask who it is"):
            first = await room.connection.identify()
            asked = len(room.wire.requests)
            again = await room.connection.identify()
        assert first.id.strip(), "identify must give the id under which our messages come back"
        assert again.id == first.id, "identify must give the same id each time"
        assert len(room.wire.requests) == asked, "who we are is asked once"
        async with room.connect() as other:
            with promised("another instance can ask who it is"):
                elsewhere = await other.identify()
        assert elsewhere.id == first.id, "two instances of one account are the same bot to the helpdesk"

    @rule("check")
    async def test_a_working_account_checks_out(self, room: Room) -> None:
        """In an account where everything works, every result of ``check`` is ok, and there is one at least."""
        with promised("check says what is wrong as a result, not as an exception"):
            results = await room.connection.check()
        assert results, "check must say what it looked at"
        bad = [f"{result.name} ({result.detail or 'no detail'})" for result in results if not result.ok]
        assert not bad, f"these are not ok, though the account works: {', '.join(bad)}; leave out what is a mere wish"

    @rule("check")
    async def test_refused_credentials_are_a_result_of_the_check(self, room: Room) -> None:
        """Refused credentials are a result that is not ok and says how to mend it, without telling a secret."""
        headers, body = room.simulator.error(401)
        room.wire.cut("answer", status=401, headers=headers, body=body, times=None, matches=lambda _: True)
        try:
            with promised("what is wrong with the account is a result of check, not an exception"):
                results = await room.connection.check()
        finally:
            room.wire.mend()
        bad = [result for result in results if not result.ok]
        assert bad, "when the vendor answers every request with 401, something is not ok"
        helpless = [result.name for result in bad if not (result.mend or "").strip()]
        assert not helpless, f"say in `mend` what to do about: {', '.join(helpless)}"
        told = _told(room, results)
        assert not told, f"results of check are shown to people; they tell the secret settings {', '.join(told)}"

    @rule("open")
    async def test_an_account_allows_no_more_than_its_provider_declares(self, room: Room) -> None:
        """What ``open`` says of the account takes capabilities away and never adds any."""
        allowed, most = room.capabilities, room.info.capabilities
        fields = [field for field in Capabilities.model_fields if field not in _MANNERS]
        more = [field for field in fields if not _within(getattr(allowed, field), getattr(most, field))]
        assert not more, (
            f"open() allows what the provider's info does not declare: {', '.join(more)}; declare the most in info and "
            "narrow it in AccountProfile"
        )

    @rule()
    async def test_what_is_not_declared_is_refused_before_anything_is_sent(self, room: Room) -> None:
        """A call that needs a capability the account lacks is ``UnsupportedError``, and nothing is sent (F40)."""
        session, plan = await room.session(), await room.plan()
        wrong = []
        for capability, named in optional_calls(room, room.connection, session, plan).items():
            if declared(room.capabilities, capability):
                continue
            for name, call in named.items():
                before = len(room.wire.requests)
                said = await _said(call)
                if said is not UnsupportedError:
                    wrong.append(f"{name} without {capability}: {said.__name__ if said else 'no error'}")
                if len(room.wire.requests) > before:
                    wrong.append(f"{name} without {capability} sends something")
        assert not wrong, "what is not declared must not be tried:\n" + "\n".join(wrong)

    @rule("close")
    async def test_closing_twice_is_fine(self, room: Room) -> None:
        """A connection can be closed twice, and also when it was never opened."""
        other = room.connect()
        with promised("a connection that was never opened can be closed"):
            await other.close()
        other = room.connect()
        await other.open()
        with promised("close() does not fail, neither the first time nor the second"):
            await other.close()
            await other.close()

    @rule("close")
    async def test_closing_needs_no_helpdesk(self, room: Room) -> None:
        """A connection closes without an error when the helpdesk cannot be reached."""
        other = room.connect()
        await other.open()
        room.wire.cut("refuse", times=None, matches=lambda _: True)
        try:
            with promised("close() must not fail for what is gone already"):
                await other.close()
        finally:
            room.wire.mend()  # the room closes its own

    @rule("close")
    async def test_a_closed_connection_sends_nothing(self, room: Room) -> None:
        """After ``close`` every call raises a ``HitlError``, and nothing is sent any more."""
        session, plan = await room.session(), await room.plan()
        part = room.connection.plan_message(session, "kit: too late", idempotency_key=room.key())[0]
        _, stop = room.connection.plan_stop(session, idempotency_key=room.key())
        other = room.connect()
        await other.open()
        named: dict[str, Callable[[], Awaitable[Any]]] = {
            "create_user": lambda: other.create_user(name="kit", idempotency_key="kit"),
            "start_hitl": lambda: other.begin(plan),
            "send_message": lambda: other.execute(part),
            "stop_hitl": lambda: other.finish(stop),
            "check": other.check,
            "identify": other.identify,
        }
        for group in optional_calls(room, other, session, plan).values():
            named |= group
        del named["unregister_webhook"]  # without a registration there is nothing to do
        await other.close()
        before = len(room.wire.requests)
        wrong = [f"{name} raises nothing" for name, call in named.items() if await _said(call) is None]
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        sent = len(room.wire.requests) - before
        assert not wrong, f"a closed connection must refuse to work: {', '.join(wrong)}"
        assert not sent, f"{sent} requests went out after close(); end in it whatever the provider runs by itself"


def optional_calls(room: Room, connection: Connection, session: HitlSession, plan: StartPlan) -> Mapping[str, Calls]:
    """Return, by capability, the calls that need it."""
    now = room.clock.now()
    file = AttachmentRef(id="kit-file", session=session.id)
    part = room.connection.plan_message(session, "kit: not declared", idempotency_key="kit")[0]
    return {
        "webhook_registration": {
            "register_webhook": lambda: connection.register_webhook(room.webhook_url),
            "unregister_webhook": connection.unregister_webhook,
        },
        "find_session": {"find_session": lambda: connection.find_session(plan, sent_after=now)},
        "find_message": {"find_message": lambda: connection.find_message(part, sent_after=now)},
        "pull": {"list_events": lambda: connection.list_events(session)},
        "changes": {"list_changes": connection.list_changes},
        "open_attachment": {"open_attachment": lambda: connection.open_attachment(file)},
        "typing": {"send_typing": lambda: connection.send_typing(session)},
        "availability": {"get_availability": connection.get_availability},
        "transfer": {"transfer": lambda: connection.transfer(session, idempotency_key="kit")},
        "internal_notes": {
            "send_message(visibility='internal')": lambda: connection.send_message(
                session, "kit: a note", author=Author.system(), visibility="internal", idempotency_key="kit"
            )
        },
    }


async def _said(call: Callable[[], Awaitable[Any]]) -> type[HitlError] | None:
    """Return the class of what a call raises."""
    try:
        await call()
    except HitlError as error:
        return type(error)
    return None


def _told(room: Room, results: list[CheckResult]) -> list[str]:
    shown = repr(results) + "".join(result.model_dump_json() for result in results)
    return [name for name, value in plain_secrets(room.connection.settings) if value in shown]


def _within(allowed: Any, most: Any) -> bool:
    if isinstance(allowed, frozenset):
        return bool(allowed <= most)
    return bool(allowed == most) or allowed in {False, "never"}
