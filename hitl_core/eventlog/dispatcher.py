"""Push: deliver the log's events as Standard Webhooks, again and again until the schedule ends."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Self
from uuid import uuid4

from hitl_core.eventlog.claims import Claims, EndpointKey, Job, Outcome
from hitl_core.eventlog.hub import Subscription
from hitl_core.eventlog.log import EventLog
from hitl_core.eventlog.sender import Sender, SendResult
from hitl_core.eventlog.signing import signing_secrets
from hitl_core.standard_webhooks import sign

__all__ = ["DeliveryPolicy", "WebhookDispatcher"]

logger = logging.getLogger(__name__)

_MINUTE = 60.0
_HOUR = 3600.0
_THROTTLED = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """How often, how long and how many at once; all times in seconds. The defaults are Standard Webhooks' advice."""

    schedule: tuple[float, ...] = (
        0.0,
        5.0,
        5 * _MINUTE,
        30 * _MINUTE,
        2 * _HOUR,
        5 * _HOUR,
        10 * _HOUR,
        14 * _HOUR,
        20 * _HOUR,
        24 * _HOUR,
    )
    """Wait before each attempt; after the last one the delivery has failed."""
    jitter: float = 0.1
    """Up to this share of a wait is added at random, so that a receiver coming back is not hit by all at once."""
    timeout: float = 20.0
    """For one attempt in all."""
    lease: float = 30.0
    """How long an attempt belongs to its dispatcher; another one takes over afterwards. Longer than ``timeout``."""
    max_retry_after: float = 7 * 24 * _HOUR
    """The longest ``Retry-After`` that is honoured in full."""
    concurrency: int = 64
    endpoint_concurrency: int = 8
    poll: float = 1.0
    """Seconds between looks for retries that came due and for what other processes appended."""

    def __post_init__(self) -> None:
        """Refuse a lease that ends while its attempt may still run."""
        if self.lease <= self.timeout or not self.schedule:
            raise ValueError("the lease must outlast the time-out, and the schedule needs at least one attempt")

    def judge(self, result: SendResult, *, failures: int, duration: float, luck: float) -> Outcome:
        """Say what an attempt's result means.

        :param failures: failed attempts before this one.
        :param luck: random number from 0 to 1.
        """
        status = result.status
        if status is not None and 200 <= status < 300:
            return Outcome("delivered", duration, status, None)
        error = result.error or f"http_{status}"
        if status == 410:
            return Outcome("gone", duration, status, error)
        pause = None
        if status in _THROTTLED and result.retry_after is not None:
            pause = min(max(result.retry_after, 0.0), self.max_retry_after)
        if failures + 1 >= len(self.schedule):
            return Outcome("failed", duration, status, error, pause=pause)
        wait = self.schedule[failures + 1] * (1 + self.jitter * luck)
        return Outcome("retry", duration, status, error, wait=max(wait, pause or 0.0), pause=pause)


class WebhookDispatcher:
    """Delivers what the log owes; any number may run, in any number of processes.

        async with WebhookDispatcher(log, sender):
            ...          # delivers in the background

    Each attempt is a ``POST`` of :meth:`Event.body` with ``webhook-id`` (the event's id), ``webhook-timestamp`` (of
    the attempt) and ``webhook-signature`` (with every secret in force). 2xx is success, anything else a failure,
    redirects included; 410 disables the endpoint; 429, 502, 503 and 504 with ``Retry-After`` pause it. Events of one
    subject reach an endpoint one after the other: a failing one holds those behind it until it is delivered or given
    up.

    :param rng: random numbers from 0 to 1, for the jitter.
    """

    def __init__(
        self,
        log: EventLog,
        sender: Sender,
        *,
        policy: DeliveryPolicy | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._log = log
        self._sender = sender
        self._policy = policy or DeliveryPolicy()
        self._rng = rng
        self._claims = Claims(log, owner=uuid4().hex, lease=self._policy.lease)
        self._jobs: dict[asyncio.Task[None], Job] = {}
        self._served: Counter[EndpointKey] = Counter()
        self._stopping = False
        self._wakers: set[Subscription] = set()
        self._halt = Subscription(log.clock, 0)
        self._ended = asyncio.Event()
        self._ended.set()
        self._main: asyncio.Task[None] | None = None
        self._user_agent = f"hitl-core/{version('hitl-core')}"

    async def run(self) -> None:
        """Deliver until :meth:`stop` or cancellation; trouble with the database is waited out."""
        clock, poll = self._log.clock, self._policy.poll
        with self._log.hub.subscribe(None) as subscription:
            self._wakers.add(subscription)
            self._ended.clear()
            try:
                while not self._stopping:
                    subscription.clear()
                    begin = clock.monotonic()
                    try:
                        begun = await self._begin()
                    except Exception as error:  # noqa: BLE001  whatever happens, what is owed stays owed
                        logger.warning("cannot look for webhook deliveries (%s); trying again", type(error).__name__)
                        await self._halt.wait(poll)
                        continue
                    if not begun:
                        # With a great backlog behind a dead receiver a look takes long: rest so that looking costs
                        # at most a fifth of the time, however often it is woken.
                        rest = min(4 * (clock.monotonic() - begin), poll)
                        if rest > 0:
                            await self._halt.wait(rest)
                        await subscription.wait(poll)
            finally:
                self._wakers.discard(subscription)
                self._ended.set()

    async def run_once(self) -> int:
        """Deliver what is due now, wait for it, and return how many attempts were made."""
        made = 0
        while begun := await self._begin():
            made += begun
            await asyncio.gather(*self._jobs)
        return made

    async def stop(self, grace: float = 5.0) -> None:
        """Take on nothing more, give attempts under way ``grace`` seconds, then release the rest for the next start.

        An attempt cut off is made again, with the same ``webhook-id``.
        """
        self._stopping = True
        self._halt.wake()
        for subscription in self._wakers:
            subscription.wake()
        # Whatever the loop is about to lease, it leases before the leases are given back.
        await self._ended.wait()
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=grace)
        cut = list(self._jobs)
        for task in cut:
            task.cancel()
        if cut:
            await asyncio.gather(*cut, return_exceptions=True)
            try:
                await self._claims.release()
            except Exception as error:  # noqa: BLE001  stopping goes on
                logger.warning("webhook leases stay until they end (%s)", type(error).__name__)

    async def __aenter__(self) -> Self:
        """Start delivering in the background."""
        self._stopping = False
        self._halt.clear()
        self._main = asyncio.create_task(self.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop as :meth:`stop` does."""
        await self.stop()
        if self._main is not None:
            await self._main

    async def _begin(self) -> int:
        """Start as many attempts as are due and there is room for."""
        free = self._policy.concurrency - len(self._jobs)
        if free <= 0:
            return 0
        busy = Counter(job.endpoint for job in self._jobs.values())
        # Whoever was served least comes first, so that one endpoint's backlog does not starve the others.
        waiting = sorted(await self._claims.waiting(), key=lambda endpoint: self._served[endpoint])
        room: list[tuple[EndpointKey, int]] = []
        for endpoint in waiting:
            limit = min(self._policy.endpoint_concurrency - busy[endpoint], free)
            if limit > 0:
                room.append((endpoint, limit))
                free -= limit
        if not room:
            return 0
        jobs = await self._claims.take(room)
        deadline = self._log.clock.monotonic() + self._policy.lease - self._policy.timeout
        self._served = Counter({key: self._served[key] for key in waiting})
        for job in jobs:
            self._served[job.endpoint] += 1
            task = asyncio.create_task(self._attempt(job, deadline))
            self._jobs[task] = job
            task.add_done_callback(self._done)
        return len(jobs)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._jobs[task]
        for subscription in self._wakers:
            subscription.wake()
        if not task.cancelled() and (error := task.exception()):
            logger.error("a webhook attempt ended with %s", type(error).__name__)

    async def _attempt(self, job: Job, deadline: float) -> None:
        clock = self._log.clock
        started = clock.monotonic()
        if started > deadline:
            return  # The machine slept: too little of the lease is left for an attempt.
        result = await self._post(job)
        outcome = self._policy.judge(
            result, failures=job.failures, duration=clock.monotonic() - started, luck=self._rng()
        )
        if outcome.verdict != "delivered":
            logger.info("webhook delivery %s: %s, %s", job.delivery_id, outcome.error, outcome.verdict)
        await self._settle(job, outcome, deadline + self._policy.timeout)

    async def _post(self, job: Job) -> SendResult:
        timeout = self._policy.timeout
        now = self._log.clock.now()
        body = job.event.body()
        headers = {"content-type": "application/json", "user-agent": self._user_agent}
        try:
            headers |= sign(signing_secrets(job.secrets, now=now), id=job.event.id, timestamp=now, body=body)
            async with asyncio.timeout(timeout):
                return await self._sender.post(job.url, headers, body, timeout)
        except TimeoutError:
            return SendResult(error="timeout")
        except Exception as error:  # noqa: BLE001  whatever a sender raises, the delivery has failed and is retried
            return SendResult(error=type(error).__name__)

    async def _settle(self, job: Job, outcome: Outcome, until: float) -> None:
        clock = self._log.clock
        wait = 0.1
        while True:
            try:
                await self._claims.settle(job, outcome)
            except Exception as error:  # noqa: BLE001  whatever happens, the lease ends and the delivery is sent again
                name = type(error).__name__
                if clock.monotonic() + wait > until:
                    logger.warning(
                        "the result of webhook delivery %s is lost (%s): it is sent again", job.delivery_id, name
                    )
                    return
                await clock.sleep(wait)
                wait *= 2
            else:
                return
