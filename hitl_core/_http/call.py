"""One request, from permission to send to an answer or an error: attempts, and what each failure allows."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from hitl_core._http.budget import ACCOUNT, Budget, RateObservation
from hitl_core._http.encoding import header_value
from hitl_core._http.failures import Fate, VendorError, fate_of, identifier, retry_after_of, status_error
from hitl_core._http.messages import HttpRequest, HttpResponse, place
from hitl_core._http.parts import Binding, Core
from hitl_core._http.transport import AnswerRefused, TransportFailure
from hitl_core._http.waits import backoff_is_off
from hitl_core.errors import (
    AmbiguousOutcomeError,
    HitlError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitedError,
)
from hitl_core.logs import redact

if TYPE_CHECKING:
    from tenacity import RetryCallState

__all__ = ["SAFE_METHODS", "Call"]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# The first may only bring what another instance renewed long ago, and what has expired as well by now.
_REFRESHES = 2


class _Facts(TypedDict):
    status: int
    code: str | None
    request_id: str | None


class Failure(NamedTuple):
    """One attempt that brought no success.

    :param give_up: whatever the fate, do not try again.
    """

    fate: Fate
    error: HitlError
    retry_after: float | None = None
    give_up: bool = False


@dataclass(slots=True, eq=False)
class Call:
    """A request that is encoded, and everything that decides about it.

    :param harmless: carrying it out twice does no harm: a read, or a write the provider says so of.
    :param keyed: the vendor recognises a repeat by its key.
    :param scopes: limits it counts in, the narrowest first.
    """

    core: Core
    binding: Binding
    method: str
    url: str
    headers: Mapping[str, str]
    operation: str
    harmless: bool
    keyed: bool
    accept: Collection[int]
    timeout: float
    max_bytes: int
    started: float
    body: bytes = b""
    scopes: Sequence[str] = (ACCOUNT,)
    cost: float = 1
    attempts: int = 0
    maybe_done: bool = False
    refreshed: int = 0

    async def run(self) -> HttpResponse:
        """Bring the request to an answer that counts as success.

        :raises HitlError: see :meth:`hitl_core._http.HttpClient.request`.
        """
        # The first attempt stays out of the retry machinery, which costs more than all the rest of this.
        outcome = await self.attempt()
        if isinstance(outcome, Failure):
            return await self._again(outcome)
        return outcome

    async def attempt(self) -> HttpResponse | Failure:
        """Send once; again when a 401 brought new credentials, because then nothing was done."""
        core, binding = self.core, self.binding
        self.attempts += 1
        while True:
            if (obstacle := await self._obstacle()) is not None:
                return obstacle
            headers = self.headers
            if binding.auth is not None:
                credentials = await binding.auth.headers()
                headers = {**headers, **{name: header_value(name, value) for name, value in credentials.items()}}
            began = core.clock.monotonic()
            try:
                response = await self._exchange(HttpRequest(self.method, self.url, headers, self.body))
            except TransportFailure as failure:
                self._log(f"failed: {failure.reason}", began)
                return self._lost(failure)
            except AnswerRefused as refused:
                if self._is_success(refused.status):
                    self._log(f"{refused.status}, not taken: {refused.reason}", began)
                    return self._untaken(refused)
                # The status says what happened; a page of megabytes behind it adds nothing.
                response = HttpResponse(refused.status, refused.headers, b"", self.url)
            response.received_at = core.clock.now()
            response.origin = (core.provider, core.connection, self.operation)
            response.unclear = None if self.harmless else self.keyed
            self._log(response.status, began)
            seen = await self._observe(response) if binding.limits is not None else ()
            if self._is_success(response.status):
                return response
            if response.status == 401 and binding.auth is not None and self.refreshed < _REFRESHES:
                self.refreshed += 1
                if await binding.auth.refresh():
                    continue
            return await self._failed(response, seen)

    async def _exchange(self, request: HttpRequest) -> HttpResponse:
        return await self.core.transport.send(request, timeout=self.timeout, max_bytes=self.max_bytes)

    def _is_success(self, status: int) -> bool:
        return 200 <= status < 300 or status in self.accept

    # Before sending ---------------------------------------------------------------------------------------------

    async def _obstacle(self) -> Failure | None:
        core = self.core
        if core.budget is not None:
            for scope in self.scopes:
                while (wait := await core.budget.reserve(scope, self.cost)) > 0 and not backoff_is_off():
                    if core.waits == "raise" or not self._has_time_for(wait):
                        text = "the allowance is used up; nothing was sent, wait before the next call"
                        error = self._error(RateLimitedError, text, retry_after=wait)
                        return Failure(Fate.NOT_SENT, error, wait, give_up=True)
                    core.log.debug("%s waits %.1f s for the allowance of %s", self.method, wait, scope)
                    await core.clock.sleep(wait)
        if self.method not in SAFE_METHODS:
            deadline = core.deadline()
            if deadline is not None and core.clock.now() >= deadline:
                text = "not sent, because the deadline of this call has passed; repeat it with more time"
                return Failure(Fate.NOT_SENT, self._error(ProviderUnavailableError, text), give_up=True)
        return None

    def _has_time_for(self, wait: float) -> bool:
        core = self.core
        if core.clock.monotonic() + wait > self.started + core.retry.total:
            return False
        deadline = core.deadline()
        # Compared as seconds, for a helpdesk may ask for a wait no timedelta can hold.
        return deadline is None or wait <= (deadline - core.clock.now()) / timedelta(seconds=1)

    # Failures ---------------------------------------------------------------------------------------------------

    def _lost(self, failure: TransportFailure) -> Failure:
        if not failure.sent:
            text = (
                f"the helpdesk could not be reached ({failure.reason}), so nothing was sent; "
                "check base_url and the network"
            )
            return Failure(Fate.NOT_SENT, self._error(ProviderUnavailableError, text))
        if self.harmless:
            text = f"no whole answer ({failure.reason}); a repeat is safe"
            return Failure(Fate.SILENT, self._error(ProviderUnavailableError, text))
        self.maybe_done = True
        return Failure(Fate.SILENT, self._ambiguous(failure.reason))

    def _untaken(self, refused: AnswerRefused) -> Failure:
        if self.harmless:
            text = f"the answer is not taken: {refused.reason}"
            return Failure(Fate.FINAL, self._error(ProviderError, text, status=refused.status))
        return Failure(Fate.FINAL, self._ambiguous(f"its answer is not taken: {refused.reason}", status=refused.status))

    async def _failed(self, response: HttpResponse, seen: Sequence[RateObservation]) -> Failure:
        vendor = self._classified(response)
        retry_after = retry_after_of(response, vendor)
        fate = fate_of(response, vendor, retry_after)
        if fate is Fate.REFUSED:
            spent = [item for item in seen if item.remaining is not None and item.remaining < 1]
            if retry_after is None:
                retry_after = max((item.reset_after for item in spent if item.reset_after is not None), default=None)
            if retry_after is not None and self.core.budget is not None:
                await self._penalise(self.core.budget, retry_after, vendor, seen)
        kind, text, retryable = status_error(response, vendor)
        code = None if vendor is None else identifier(vendor.code)
        request_id = identifier(None if vendor is None else vendor.request_id, response=response)
        facts: _Facts = {"status": response.status, "code": code, "request_id": request_id}
        if fate is Fate.CRASHED and not self.harmless:
            return Failure(fate, self._ambiguous("the helpdesk failed over it", **facts))
        error = self._error(kind, text, **facts, retryable=retryable, retry_after=retry_after)
        return Failure(fate, error, retry_after)

    def _classified(self, response: HttpResponse) -> VendorError | None:
        if self.binding.classify is None:
            return None
        try:
            return self.binding.classify(response)
        except Exception as error:  # noqa: BLE001 - a proxy's page instead of the vendor's JSON must not hide the status
            self.core.log.debug("the answer is not in the vendor's format (%s)", type(error).__name__)
            return None

    async def _observe(self, response: HttpResponse) -> Sequence[RateObservation]:
        budget, limits = self.core.budget, self.binding.limits
        try:
            seen = list(limits(response)) if limits is not None else []
            for item in seen if budget is not None else ():
                if budget is not None and (learning := budget.observe(*item)) is not None:
                    await learning
        except Exception as error:  # noqa: BLE001 - what we learn on the side must not turn a done write into an error
            self.core.log.warning("the rate limit could not be noted (%s)", type(error).__name__)
            return ()
        return seen

    async def _penalise(
        self, budget: Budget, retry_after: float, vendor: VendorError | None, seen: Sequence[RateObservation]
    ) -> None:
        # A ticket's limit must not stop the whole account: take what is spent, else what is not known to be free.
        spent = [item.scope for item in seen if item.remaining is not None and item.remaining < 1]
        free = {item.scope for item in seen} - set(spent)
        if vendor is not None and vendor.scope is not None:
            spent = [vendor.scope]
        for scope in spent or [scope for scope in self.scopes if scope not in free] or self.scopes:
            if (noting := budget.penalise(scope, retry_after)) is not None:
                await noting

    def _ambiguous(
        self, why: str, *, status: int | None = None, code: str | None = None, request_id: str | None = None
    ) -> HitlError:
        text = f"it may or may not have been carried out ({why}); "
        text += "a repeat with the same key is safe" if self.keyed else "look it up before repeating"
        return self._error(
            AmbiguousOutcomeError, text, status=status, code=code, request_id=request_id, retryable=self.keyed
        )

    def _error(
        self,
        kind: type[HitlError],
        text: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
    ) -> HitlError:
        message = f"{self.method} {redact(place(self.url))}: {text}"
        if not issubclass(kind, ProviderError):
            return kind(text)
        return kind(
            message,
            provider=self.core.provider,
            connection=self.core.connection,
            operation=self.operation,
            status=status,
            code=code,
            request_id=request_id,
            retryable=retryable,
            retry_after=retry_after,
        )

    # Repeats ----------------------------------------------------------------------------------------------------

    async def _again(self, first: Failure) -> HttpResponse:
        from tenacity import AsyncRetrying, retry_if_result

        waiting: list[HttpResponse | Failure] = [first]

        async def step() -> HttpResponse | Failure:
            return waiting.pop() if waiting else await self.attempt()

        outcome: HttpResponse | Failure = await AsyncRetrying(
            retry=retry_if_result(self._may_repeat),
            wait=self._wait,
            stop=self._is_over,
            sleep=self._pause,
            before_sleep=self._announce,
            retry_error_callback=_result,
        )(step)
        if isinstance(outcome, Failure):
            raise self._final(outcome)
        return outcome

    def _may_repeat(self, outcome: HttpResponse | Failure) -> bool:
        if not isinstance(outcome, Failure) or outcome.give_up:
            return False
        if outcome.fate in {Fate.SILENT, Fate.CRASHED}:
            return self.harmless or self.keyed
        return outcome.fate is not Fate.FINAL

    def _wait(self, state: RetryCallState) -> float:
        if backoff_is_off():
            return 0.0
        failure = _result(state)
        asked = failure.retry_after if isinstance(failure, Failure) else None
        return self.core.retry.backoff(state.attempt_number) if asked is None else asked

    def _is_over(self, state: RetryCallState) -> bool:
        core = self.core
        if core.waits == "raise" or state.attempt_number >= core.retry.attempts:
            return True
        return not self._has_time_for(state.upcoming_sleep)

    async def _pause(self, seconds: float) -> None:
        if not backoff_is_off():
            await self.core.clock.sleep(seconds)

    def _announce(self, state: RetryCallState) -> None:
        failure = _result(state)
        self.core.log.info(
            "%s %s: repeated in %.1f s after attempt %d of %d (%s)",
            self.method,
            place(self.url),
            state.upcoming_sleep,
            state.attempt_number,
            self.core.retry.attempts,
            failure.fate.value if isinstance(failure, Failure) else "",
        )

    def _final(self, failure: Failure) -> HitlError:
        if not self.maybe_done or failure.fate is Fate.FINAL or isinstance(failure.error, AmbiguousOutcomeError):
            return failure.error
        # Refused or unreachable now, but an earlier attempt went out and was never answered.
        error = self._ambiguous("an earlier attempt was not answered")
        if isinstance(error, ProviderError):
            error.retry_after = failure.retry_after
        return error

    def _log(self, outcome: int | str, began: float) -> None:
        log = self.core.log
        if log.isEnabledFor(logging.DEBUG):
            took = (self.core.clock.monotonic() - began) * 1000.0
            log.debug("%s %s %s in %.0f ms (attempt %d)", self.method, place(self.url), outcome, took, self.attempts)


def _result(state: RetryCallState) -> HttpResponse | Failure | None:
    outcome: HttpResponse | Failure | None = state.outcome.result() if state.outcome is not None else None
    return outcome
