"""Mutants for the group ``account``: one account, from open to close."""

import asyncio
import itertools

import pytest

import hitl_core as hitl
from hitl_core.connection import Connection
from hitl_core.testing.reference import ReferenceProvider

from .mutation import ReferenceSuite, kills

_numbers = itertools.count()


@kills("test_the_bot_knows_who_it_is_and_asks_once")
class IsSomebodyElseEachTime(ReferenceProvider):
    """Names itself by the connection rather than by the account."""

    @hitl.hookimpl
    async def identify(self):
        me = await super().identify()
        return me.model_copy(update={"id": f"{me.id}-{next(_numbers)}"})


@kills("test_a_working_account_checks_out")
class ChecksNothing(ReferenceProvider):
    """Has nothing to say about the account."""

    @hitl.hookimpl
    async def check(self):
        return []


@kills("test_a_working_account_checks_out")
class WishesForMore(ReferenceProvider):
    """Takes what is merely possible for a fault."""

    @hitl.hookimpl
    async def check(self):
        wish = hitl.CheckResult(name="plan", ok=False, detail="not the largest one", mend="buy it")
        return [*(await super().check()), wish]


@kills("test_refused_credentials_are_a_result_of_the_check")
class RaisesInCheck(ReferenceProvider):
    """Raises what it was asked to find out."""

    @hitl.hookimpl
    async def check(self):
        await self._call("check", "GET", "me")
        return [hitl.CheckResult(name="credentials", ok=True)]


@kills("test_refused_credentials_are_a_result_of_the_check")
class SeesNoEvil(ReferenceProvider):
    """Takes a refusal for an answer."""

    @hitl.hookimpl
    async def check(self):
        return [result.model_copy(update={"ok": True}) for result in await super().check()]


@kills("test_refused_credentials_are_a_result_of_the_check")
class KnowsNoMend(ReferenceProvider):
    """Leaves people alone with a refusal."""

    @hitl.hookimpl
    async def check(self):
        return [result.model_copy(update={"mend": None}) for result in await super().check()]


@kills("test_refused_credentials_are_a_result_of_the_check")
class ShowsTheSecret(ReferenceProvider):
    """Says which secret was refused."""

    @hitl.hookimpl
    async def check(self):
        detail = f"refused: {self._ctx.settings.client_secret.get_secret_value()}"
        return [result.model_copy(update={"detail": detail}) for result in await super().check()]


@kills("test_an_account_allows_no_more_than_its_provider_declares")
class GrowsOnOpening(ReferenceProvider):
    """Allows what it has not declared."""

    @hitl.hookimpl
    async def open(self):
        profile = await super().open()
        more = self.info.capabilities.model_copy(update={"queue_position": True})
        return profile.model_copy(update={"capabilities": more})


class KnowsNoTyping(ReferenceProvider):
    """Has a hook that its account does not offer."""

    @hitl.hookimpl
    async def open(self):
        profile = await super().open()
        less = self.info.capabilities.model_copy(update={"typing": False})
        return profile.model_copy(update={"capabilities": less})


class Careless(Connection):
    """A connection that asks for any hook."""

    def _require(self, capability):
        pass


@kills("test_what_is_not_declared_is_refused_before_anything_is_sent")
class UsesWhatIsNotDeclared(ReferenceSuite):
    """The core calls hooks that are not declared."""

    @pytest.fixture
    def provider(self):
        return KnowsNoTyping

    @pytest.fixture(autouse=True)
    def _careless(self, room):
        room.connection.__class__ = Careless


@kills("test_closing_twice_is_fine")
class FailsToClose(ReferenceProvider):
    """Takes a close for one too many when another connection is still there."""

    _open = 0

    @hitl.hookimpl
    async def open(self):
        type(self)._open += 1
        return await super().open()

    @hitl.hookimpl
    async def close(self):
        type(self)._open -= 1
        if self._open:
            msg = "there is somebody left"
            raise hitl.HitlError(msg)


@kills("test_closing_needs_no_helpdesk")
class LogsOut(ReferenceProvider):
    """Says goodbye to the helpdesk, and insists on an answer."""

    @hitl.hookimpl
    async def close(self):
        await self._call("close", "GET", "me")


@kills("test_a_closed_connection_sends_nothing")
class LingersOn(ReferenceProvider):
    """Leaves something running that sends after the end."""

    @hitl.hookimpl
    async def close(self):
        self.last = asyncio.create_task(self._farewell())

    async def _farewell(self):
        await asyncio.sleep(0)
        await self._call("close", "GET", "me")


class Undead(Connection):
    """A connection that works on after its end."""

    async def close(self):
        self._hooks.closed = False


@kills("test_a_closed_connection_sends_nothing")
class WorksOn(ReferenceSuite):
    """The core takes calls after the end."""

    @pytest.fixture(autouse=True)
    def _undead(self, room):
        connect = room.connect

        def connect_undead(**more):
            made = connect(**more)
            made.__class__ = Undead
            return made

        room.connect = connect_undead
