"""Credentials that expire, are renewed and survive a restart, and are nobody else's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr

from hitl_core._http.messages import HttpRequest
from hitl_core.calls import CheckResult
from hitl_core.connection import Connection
from hitl_core.errors import AuthenticationError, ConfigurationError, HitlError
from hitl_core.state import FileState
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.keeping import KeptState
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import NOT_APPLICABLE, rule
from hitl_core.testing.conformance.tools.attempts import outcome, told
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.tools.operations import ALL_HOOKS, Operations
from hitl_core.testing.conformance.tools.reading import messages_that_say
from hitl_core.testing.conformance.wire import Cut

__all__ = ["RotationTests"]

_PATIENCE: Final = 5.0
_RENEW: Final = "when the vendor says 401, Auth.refresh() gets a new credential, and the request goes out again"


class RotationTests(ConformanceBase):
    """Tokens."""

    @rule(*ALL_HOOKS, abilities=("expire_credentials",), tokens=True)
    async def test_an_expired_credential_is_renewed_under_way(self, room: Room) -> None:
        """When the access token has expired, every hook renews it and goes on."""
        calls = await Operations.of(room)
        ready = {hook: await calls.ready(hook) for hook in calls.hooks}
        wrong = []
        for hook, call in ready.items():
            await room.agent.expire_credentials()
            ended = await calls.carry_out(call)
            if isinstance(ended, HitlError):
                wrong.append(f"{hook}: {told(ended)}")
        assert not wrong, f"{_RENEW}:\n" + "\n".join(wrong)

    @rule("send_message", abilities=("expire_credentials",))
    async def test_what_was_refused_for_its_credential_is_written_once(self, room: Room) -> None:
        """A message that met an expired token is there once, after the renewal."""
        calls = await Operations.of(room)
        call = await calls.ready("send_message")
        await room.agent.expire_credentials()
        ended = await calls.carry_out(call)
        count = len(messages_that_say(await room.agent.session(calls.session.id), calls.text))
        assert count == 1, f"after the renewal the message is there {count} times; {told(ended)}"

    @rule("identify", abilities=("expire_credentials",))
    async def test_a_restart_goes_on_with_the_renewed_credential(self, room: Room, tmp_path: Path) -> None:
        """A new process finds the renewed credential in the state, also in a file, though the settings' is used up."""
        path, key = tmp_path / "state.json", room.connection.key
        if not isinstance(room.state, KeptState):
            pytest.skip(NOT_APPLICABLE + "the room has a state of its own")
        await room.agent.expire_credentials()
        with promised(_RENEW):
            await room.user("-before")
        await room.state.copy_to(FileState(path, key))
        for restart in range(3):
            with promised(f"restart {restart + 1} must go on: keep in ctx.state, as JSON, all that a renewal takes"):
                async with room.connect(state=FileState(path, key)) as again:
                    await again.identify()
                    await again.create_user(external_id=f"kit-{room.name}", idempotency_key=room.key())
            await room.agent.expire_credentials()

    @rule("check", abilities=("expire_credentials",), tokens=True)
    async def test_instances_that_share_a_state_renew_once(self, room: Room) -> None:
        """Two instances that meet the expired token at once both go on, and it is renewed once (R15)."""
        first, second = await room.another(), await room.another()
        await _renewed_once(room, [first, second])

    @rule("identify", "create_user", abilities=("expire_credentials",), tokens=True)
    async def test_an_instance_that_slept_through_a_renewal_goes_on(self, room: Room) -> None:
        """An instance whose token was renewed by another, and has expired again, renews it once more."""
        sleeper = await room.another()
        for _ in range(2):
            await room.agent.expire_credentials()
            with promised(_RENEW):
                await room.user(f"-{room.key()[-1]}")
        await room.agent.expire_credentials()
        with promised("what another instance left in the state may have expired, too: then renew it"):
            await sleeper.create_user(external_id=f"kit-{room.name}", idempotency_key=room.key())

    @rule("check", abilities=("expire_credentials",), tokens=True)
    async def test_calls_at_once_renew_once(self, room: Room) -> None:
        """Calls of one instance that meet the expired token at once all go on, and it is renewed once (R15)."""
        await _renewed_once(room, [room.connection] * 3)

    @rule("identify", "send_message")
    async def test_refused_credentials_name_the_setting_to_mend(self, room: Room) -> None:
        """When the vendor refuses the credentials for good, the error says which setting to look at."""
        names = sorted({name for name, _ in _credentials(room)})
        if not names:
            pytest.skip(NOT_APPLICABLE + "no setting is a secret of the API")
        calls = await Operations.of(room)
        headers, body = room.simulator.error(401)
        wrong = []
        for hook in ("identify", "send_message"):
            ended = await calls.attempt(
                hook,
                lambda: room.wire.cut("answer", times=None, matches=_any, status=401, headers=headers, body=body),
            )
            if not isinstance(ended, AuthenticationError | ConfigurationError):
                wrong.append(f"{hook}: AuthenticationError is due; {told(ended)}")
            elif not any(re.search(rf"\b{name}\b", str(ended)) for name in names):
                wrong.append(f"{hook}: {told(ended)}")
        assert not wrong, (
            f"a person must read which setting to mend, of {', '.join(names)}: raise it in Auth.refresh(), or give the "
            "sentence as VendorError.message of a 401:\n" + "\n".join(wrong)
        )

    @rule("open", "identify")
    async def test_one_accounts_credentials_are_not_used_for_another(self, room: Room) -> None:
        """A connection with wrong credentials is refused, whoever else is logged in from this process (F32)."""
        garbled = {name: "x" * len(value) for name, value in _credentials(room)}
        if not garbled:
            pytest.skip(NOT_APPLICABLE + "no setting is a secret of the API")
        await room.connection.identify()
        try:
            async with room.connect(alias="kit-stranger", state=KeptState(), **garbled) as stranger:
                ended: Any = await outcome(stranger.identify())
        except HitlError as error:
            ended = error
        assert isinstance(ended, HitlError), (
            "with wrong credentials the bot was let in: keep tokens in ctx.state and in the instance, never in the "
            "class or the module; and let the simulator refuse wrong credentials"
        )


def _any(_: HttpRequest) -> bool:
    return True


def _credentials(room: Room) -> Iterator[tuple[str, str]]:
    """Give name and value of each setting that is a secret of the API."""
    settings = room.connection.settings
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if name != "webhook_secret" and isinstance(value, SecretStr):
            yield name, value.get_secret_value()


async def _renewed_once(room: Room, connections: list[Connection]) -> None:
    """Let connections meet an expired token at once; check that all go on and one of them renews it."""
    usual = _summary(await room.connection.check())
    alone = await _writes(room, room.connection.check)
    if not alone:
        pytest.skip(NOT_APPLICABLE + "a renewal writes nothing to the vendor")
    results: list[list[CheckResult]] = []

    async def at_once() -> None:
        gates = [room.wire.cut("hold", matches=_any) for _ in connections]
        tasks = [asyncio.ensure_future(connection.check()) for connection in connections]
        try:
            await _all_reached(gates)
            room.wire.mend()
            results.extend(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    with promised(_RENEW):
        together = await _writes(room, at_once)
    wrong = [_summary(each) for each in results if _summary(each) != usual]
    assert not wrong, (
        f"{len(wrong)} of {len(results)} did not go on; take ctx.state.lock(…) before a renewal, read the state again, "
        "and take what somebody else has put there meanwhile"
    )
    assert together == alone, (
        f"one instance renews by {alone} requests, and {len(connections)} at once sent {together}; take "
        "ctx.state.lock(…) before a renewal, and look whether somebody else has renewed meanwhile"
    )


async def _writes(room: Room, act: Callable[[], Awaitable[object]]) -> int:
    """Let the credential expire, do something, and say how much was written."""
    await room.agent.expire_credentials()
    before = len(room.wire.writes())
    await act()
    return len(room.wire.writes()) - before


async def _all_reached(gates: list[Cut]) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            for gate in gates:
                await gate.reached.wait()
    except TimeoutError:
        raise AssertionError("calls at once must each send their request; one waits for another") from None


def _summary(results: list[CheckResult]) -> list[tuple[str, bool]]:
    return [(result.name, result.ok) for result in results]
