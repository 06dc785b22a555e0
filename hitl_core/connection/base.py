"""What every part of a connection stands on: its facts, its life, and how a hook is called."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from hitl_core import calls
from hitl_core.connection import given
from hitl_core.connection.registration import load_registration
from hitl_core.errors import HitlError, InvalidRequestError, UnsupportedError
from hitl_core.hooks import Hooks
from hitl_core.info import Capabilities, Limits, ProviderInfo, ProviderSettings, Terminology
from hitl_core.people import BotIdentity
from hitl_core.sessions import HitlSession, SessionRef

if TYPE_CHECKING:
    from hitl_core.context import ProviderContext

__all__ = ["ConnectionBase", "new_key"]

ResultT = TypeVar("ResultT")


class ConnectionBase:
    """Facts and life of one account."""

    def __init__(
        self, info: ProviderInfo, context: ProviderContext[Any], hooks: Hooks, release: Callable[[], Awaitable[None]]
    ) -> None:
        self.info = info
        self._context = context
        self._hooks = hooks
        self._release = release
        self._capabilities = info.capabilities
        self._limits = info.limits
        self._identity: BotIdentity | None = None
        self._identity_lock = asyncio.Lock()
        self._opened = False
        self.account: str | None = None
        """The vendor's id of the account, once open and where the vendor tells."""

    def __repr__(self) -> str:
        return f"<Connection {self.key!r} to {self.info.name}>"

    # Facts ----------------------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        """``"tenant/alias"``: part of every stored key, and of every ``SessionRef``."""
        return self._context.key

    @property
    def alias(self) -> str:
        """The integrator's name of this account."""
        return self._context.alias

    @property
    def settings(self) -> ProviderSettings:
        """The validated settings; secrets are hidden."""
        settings: ProviderSettings = self._context.settings
        return settings

    @property
    def capabilities(self) -> Capabilities:
        """What this account really allows; what the provider declares until the connection is open."""
        return self._capabilities

    @property
    def limits(self) -> Limits:
        """Sizes and rates of this account."""
        return self._limits

    @property
    def terminology(self) -> Terminology:
        """The vendor's words."""
        return self.info.terminology

    # Life -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open the connection."""
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self.close()

    async def open(self) -> None:
        """Set the provider up and learn what the account allows. Called by ``async with``; once."""
        if self._opened:
            return
        registration = await load_registration(self._context.state)
        if registration is not None:
            self._adopt_secrets(registration)
        profile = await self._hooks.call_optional("open", calls.OpenConnection(), calls.AccountProfile)
        if profile is not None:
            self._capabilities = profile.capabilities or self._capabilities
            self._limits = profile.limits or self._limits
            self.account = profile.account
        self._opened = True

    async def close(self) -> None:
        """Tear the provider down and let the sockets go; a second call does nothing."""
        if self._hooks.closed:
            return
        try:
            if self._opened:
                await self._hooks.call_optional("close", calls.CloseConnection(), object)
        finally:
            self._hooks.closed = True
            await self._release()

    async def check(self, *, webhook_url: str | None = None) -> list[calls.CheckResult]:
        """Find out what is in place and how to mend what is not.

        :param webhook_url: where the webhook is to be reached, for vendors whose set-up is by hand.
        """
        return list(await self._call("check", calls.CheckAccount(webhook_url=webhook_url), list))

    async def identify(self) -> BotIdentity:
        """Say who the credentials act as; asked once, then remembered."""
        async with self._identity_lock:
            if self._identity is None:
                self._identity = await self._call("identify", calls.Identify(), BotIdentity)
            return self._identity

    # Inside --------------------------------------------------------------------------------------------------

    async def _call(self, hook: str, request: Any, expect: type[ResultT], deadline: datetime | None = None) -> ResultT:
        self._check_open()
        return await self._hooks.call(hook, request, expect, deadline)

    async def _run(self, hook: str, request: Any, deadline: datetime | None = None) -> None:
        self._check_open()
        await self._hooks.call(hook, request, object, deadline)

    def _check_open(self) -> None:
        if not self._opened:
            msg = f"connection {self.key!r} is not open; use it inside `async with`, or call `await connection.open()`"
            raise HitlError(msg)

    def _require(self, capability: str) -> None:
        if not getattr(self._capabilities, capability):
            msg = (
                f"{self.info.title} does not offer {capability!r} in this account; "
                f"`connection.capabilities.{capability}` says so beforehand"
            )
            raise UnsupportedError(msg)

    @contextmanager
    def _asked(self, operation: str) -> Iterator[None]:
        """Say in a refusal of what the caller gave what they had asked, and of whom."""
        try:
            yield
        except InvalidRequestError as error:
            error.provider = error.provider or self.info.name
            error.connection = error.connection or self.key
            error.operation = error.operation or operation
            raise

    def _session(self, session: HitlSession | SessionRef) -> HitlSession:
        session = given.session_of(session)
        ref = session.ref if isinstance(session, HitlSession) else session
        if ref.connection != self.key:
            msg = f"session {ref.id!r} belongs to connection {ref.connection!r}, not to {self.key!r}"
            raise HitlError(msg)
        return session if isinstance(session, HitlSession) else HitlSession(ref=session, provider=self.info.name)

    def _adopt_secrets(self, registration: calls.WebhookRegistration) -> None:
        self._context.registered_secrets = tuple(secret.get_secret_value() for secret in registration.secrets)


def new_key() -> str:
    """Return a key for callers who gave none."""
    return uuid.uuid4().hex
