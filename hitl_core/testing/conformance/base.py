"""The frame of the kit: fixtures an author overrides, levels, and when a test applies."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hitl_core.clock import Clock
from hitl_core.info import ProviderInfo
from hitl_core.testing.clock import VirtualClock, no_backoff
from hitl_core.testing.conformance.loading import ABOUT_LOADING, unloadable
from hitl_core.testing.conformance.room import Room, provider_class
from hitl_core.testing.conformance.rules import NOT_APPLICABLE, Rule, declared, rule_of, standard_tests
from hitl_core.testing.conformance.ways import Level, in_memory, noted_only, on_a_port
from hitl_core.testing.conformance.wire import Wire
from hitl_core.testing.simulator import Simulator

__all__ = ["CASSETTES", "PROVIDER", "ConformanceBase", "inapplicable"]


_RECORDABLE = 10_000
"""Length of a text somebody may still want to see in a recording."""

PROVIDER = pytest.StashKey[str | type[Any]]()
"""Where a standard test leaves word of which provider it is about, for the report."""
CASSETTES = pytest.StashKey[Path]()
"""Where a recorded test leaves word of the folder its recordings are in."""


class ConformanceBase:
    """Fixtures of every group of tests.

    Override :meth:`provider` and :meth:`simulator`; the rest has defaults.
    """

    pytestmark: ClassVar[Any] = pytest.mark.anyio
    level: ClassVar[Level] = "offline"
    patience: ClassVar[int] = 10
    """Seconds a webhook may take."""

    # To be overridden -------------------------------------------------------------------------------------------

    @pytest.fixture
    def provider(self) -> str | type[Any]:
        """Return the name of the provider as installed, or its class."""
        raise NotImplementedError(_say("provider", 'return "acme"', type(self)))

    @pytest.fixture
    def simulator(self, clock: Clock) -> Simulator:
        """Return a new simulator of the vendor."""
        raise NotImplementedError(_say("simulator", "return AcmeSimulator(clock=clock)", type(self)))

    @pytest.fixture
    def clock(self) -> Clock:
        """Return the clock of provider and simulator; override it where the simulator needs the machine's own."""
        return VirtualClock()

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        """Return settings beyond those the simulator gives, such as a mode."""
        return {}

    @pytest.fixture
    def webhook_url(self) -> str:
        """Return where the bot is said to hear webhooks; override it where the vendor takes only some URLs.

        Nothing goes out to hosts in ``.test``: the simulator notes such deliveries as answered with 200, and tests find
        them in ``room.webhooks()``.
        """
        return "https://bot.test/webhooks/kit"

    # The machine ------------------------------------------------------------------------------------------------

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Run on asyncio."""
        return "asyncio"

    @pytest.fixture(autouse=True)
    def _no_backoff(self, request: pytest.FixtureRequest, clock: Clock) -> Iterator[None]:
        found = self._rule(request)
        waits = found is not None and found.waits and isinstance(clock, VirtualClock)
        with contextlib.nullcontext() if waits else no_backoff():
            yield

    @pytest.fixture(autouse=True)
    def _applies(self, request: pytest.FixtureRequest, provider: str | type[Any], simulator: Simulator) -> None:
        found = self._rule(request)
        if found is None:
            return
        request.node.stash[PROVIDER] = provider
        if request.node.originalname not in ABOUT_LOADING and (reason := unloadable(type(self), provider)):
            pytest.skip(NOT_APPLICABLE + reason)
        if reason := inapplicable(found, provider, simulator):
            pytest.skip(NOT_APPLICABLE + reason)
        if self.level == "recorded" and (reason := _unrecorded(request, found, provider_class(provider)[0].info)):
            pytest.skip(NOT_APPLICABLE + reason)

    def _rule(self, request: pytest.FixtureRequest) -> Rule | None:
        standard = standard_tests(type(self)).get(request.node.originalname)
        return rule_of(standard) if standard is not None else None

    @pytest.fixture
    async def room(
        self,
        request: pytest.FixtureRequest,
        anyio_backend: str,
        provider: str | type[Any],
        simulator: Simulator,
        clock: Clock,
        settings: dict[str, Any],
        webhook_url: str,
        _applies: None,
    ) -> AsyncIterator[Room]:
        """Give a test its account, its agent and its wire."""
        del anyio_backend, _applies  # they come first, that is all
        cls, _ = provider_class(provider)
        simulator.webhooks.post = noted_only(simulator.webhooks.post)
        async with contextlib.AsyncExitStack() as stack:
            if self.level == "recorded":
                request.node.stash[CASSETTES] = request.getfixturevalue("cassettes") / cls.info.name / "conformance"
                from hitl_core.testing.conformance.recorded import recorded_way

                way = await stack.enter_async_context(recorded_way(request, cls.info, simulator, clock))
            else:
                reach = on_a_port if self.level == "served" else in_memory
                way = await stack.enter_async_context(reach(simulator, clock))
            room = Room(
                name=request.node.name.removeprefix("test_"),
                cls=cls,
                simulator=simulator,
                agent=way.agent,
                clock=way.clock,
                wire=Wire(way.transport),
                settings={**way.settings, **settings},
                webhook_url=webhook_url,
                patience=self.patience,
            )
            yield await stack.enter_async_context(room.opened())

    @pytest.fixture
    def live_account(self) -> Any:
        """Return a :class:`~hitl_core.testing.conformance.recorded.LiveAccount`, to record against a real account."""
        return None

    @pytest.fixture
    def cassettes(self, request: pytest.FixtureRequest) -> Path:
        """Return the folder of the recordings, one folder a provider."""
        return Path(request.config.rootpath) / "cassettes"


def inapplicable(found: Rule, provider: str | type[Any], simulator: Simulator) -> str | None:
    """Return why a standard test does not apply to a provider and its simulator; ``None`` when it does."""
    if found.needs:  # tests about loading have none, and no other test gets here without a provider
        capabilities = provider_class(provider)[0].info.capabilities
        for need in found.needs:
            if not declared(capabilities, need):
                return f"capability {need[1:]} is declared" if need[0] == "!" else f"capability {need} is not declared"
    for ability in found.abilities:
        if ability not in simulator.abilities:
            return f"the simulator cannot {ability}"
    facts = (
        (found.customers, simulator.keeps_customers, "the vendor keeps no customers"),
        (found.signed_time, simulator.signs_time, "the vendor's signatures do not cover the time"),
        (found.signed_body, simulator.signs_body, "the vendor's proof does not cover the body"),
        (found.named_deliveries, simulator.names_deliveries, "the vendor's deliveries have no ids"),
    )
    return next((reason for needed, given, reason in facts if needed and not given), None)


def _unrecorded(request: pytest.FixtureRequest, found: Rule, info: ProviderInfo) -> str | None:
    """Return why a standard test has no recording; once anything is recorded, a missing one is a failure."""
    from hitl_core.testing.conformance.recorded import recording

    if found.tokens:
        return "it tells tokens apart, and recordings hold none"
    longest = info.limits.text.max if info.limits.text else None
    if found.bulky and (longest is None or longest > _RECORDABLE):
        return "it sends as much text as the vendor takes, and nobody could review the recording"
    folder = request.getfixturevalue("cassettes") / info.name / "conformance"
    if recording(request.config, info.name) or folder.is_dir():
        return None
    return f"nothing is recorded yet; record with: hitl cassettes record {info.name} --simulator"


def _say(fixture: str, example: str, cls: type) -> str:
    return f"{cls.__name__} needs a fixture `{fixture}`: @pytest.fixture def {fixture}(self, …): {example}"
