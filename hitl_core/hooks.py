"""Calling a provider's hooks: through pluggy, around it the extensions, and only our errors come out."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, TypeVar

import pluggy

from hitl_core.context import deadline_of_call
from hitl_core.errors import (
    AmbiguousOutcomeError,
    HitlError,
    ProviderError,
    WebhookParseError,
    WebhookVerificationError,
)
from hitl_core.extensions import HookCall, Proceed
from hitl_core.spec import PROJECT, ProviderHooks
from hitl_core.webhooks import WebhookDelivery, WebhookRequest

__all__ = ["Hooks"]

ResultT = TypeVar("ResultT")

_WRITES: Final = frozenset({"start_hitl", "send_message", "stop_hitl", "transfer"})


class Hooks:
    """The hooks of one provider instance.

    :param provider: the instance; its class has been validated.
    :param around: the extensions' ``around_call``, the outermost first.
    """

    def __init__(
        self,
        provider: object,
        name: str,
        connection: str,
        around: list[Callable[[HookCall, Proceed], Awaitable[Any]]],
    ) -> None:
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(ProviderHooks)
        manager.register(provider, name)
        # A manager with one plugin has one implementation of each hook: look it up once rather than at each call.
        self._implementations = {
            caller.name: implementations[0]
            for caller in manager.get_hookcallers(provider) or ()
            if (implementations := caller.get_hookimpls())
        }
        self._name = name
        self._connection = connection
        self._around = around
        self.closed = False

    async def call(self, hook: str, request: Any, expect: type[ResultT], deadline: datetime | None = None) -> ResultT:
        """Call a hook.

        :param expect: class the result must be of; ``object`` for hooks without one.
        :raises HitlError: whatever went wrong, as one of ours.
        """
        if self.closed:
            msg = f"connection {self._connection!r} is closed"
            raise HitlError(msg)
        try:
            if deadline is None:
                result = await self._proceed(hook, request)
            else:
                with deadline_of_call(deadline):
                    result = await self._proceed(hook, request)
        except ProviderError as error:
            self._annotate(error, hook)
            raise
        except HitlError:
            raise
        except Exception as error:  # a provider is somebody else's code
            raise self._unexpected(hook, type(error).__name__) from error
        if not isinstance(result, expect):
            raise self._unexpected(hook, f"returned {type(result).__name__}")
        return result

    async def call_optional(self, hook: str, request: Any, expect: type[ResultT]) -> ResultT | None:
        """Call a hook the provider need not implement and whose result may be ``None``."""
        if hook not in self._implementations:
            return None
        result = await self.call(hook, request, object)
        if result is not None and not isinstance(result, expect):
            raise self._unexpected(hook, f"returned {type(result).__name__}")
        return result

    def verify(self, request: WebhookRequest) -> WebhookDelivery:
        """Call ``verify_webhook``; whatever escapes it is a refusal."""
        try:
            delivery = self._invoke("verify_webhook", request)
        except WebhookVerificationError:
            raise
        except Exception as error:
            msg = f"provider {self._name!r} could not verify the delivery ({type(error).__name__}); it is refused"
            raise WebhookVerificationError(msg) from error
        if not isinstance(delivery, WebhookDelivery):
            msg = f"provider {self._name!r} did not say what it verified; the delivery is refused"
            raise WebhookVerificationError(msg)
        return delivery

    def _invoke(self, hook: str, request: Any) -> Any:
        implementation = self._implementations[hook]
        return implementation.function(request) if implementation.argnames else implementation.function()

    async def _proceed(self, hook: str, request: Any) -> Any:
        if not self._around:
            return await self._invoke(hook, request)

        async def at(depth: int, request: Any) -> Any:
            if depth == len(self._around):
                if type(request) is not kind:
                    msg = f"an extension replaced the {kind.__name__} of {hook} by a {type(request).__name__}"
                    raise HitlError(msg)
                return await self._invoke(hook, request)
            call = HookCall(hook, request, self._name, self._connection)
            return await self._around[depth](call, functools.partial(at, depth + 1))

        kind = type(request)
        return await at(0, request)

    def _annotate(self, error: ProviderError, hook: str) -> None:
        error.provider = error.provider or self._name
        error.connection = error.connection or self._connection
        error.operation = error.operation or hook

    def _unexpected(self, hook: str, what: str) -> HitlError:
        facts: dict[str, Any] = {"provider": self._name, "connection": self._connection, "operation": hook}
        if hook == "parse_webhook":
            return WebhookParseError(f"provider {self._name!r} could not read the delivery ({what})")
        if hook in _WRITES:
            # The vendor may have taken the write before the provider stumbled over the answer.
            msg = f"the provider failed ({what}) and the write may have happened; look it up before repeating"
            return AmbiguousOutcomeError(msg, **facts)
        return ProviderError(f"the provider failed ({what}); report it to its author", **facts)
