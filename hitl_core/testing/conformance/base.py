"""The frame of the kit: fixtures an author overrides, levels, and when a test applies."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import pytest

from hitl_core._http import as_transport
from hitl_core.clock import Clock
from hitl_core.testing.clock import VirtualClock, no_backoff
from hitl_core.testing.conformance.room import Room, provider_class
from hitl_core.testing.conformance.rules import NOT_APPLICABLE, Rule, declared, rule_of, standard_tests
from hitl_core.testing.conformance.wire import Wire
from hitl_core.testing.simulator import Simulator, SimulatorControl, serving

__all__ = ["ConformanceBase", "Level"]

Level: TypeAlias = Literal["offline", "served", "recorded"]
"""``offline``: the simulator in memory. ``served``: the simulator on a port. ``recorded``: cassettes."""

BASE_URL = "https://helpdesk.test"


class ConformanceBase:
    """Fixtures of every group of tests.

    Override :meth:`provider` and :meth:`simulator`; the rest has defaults.
    """

    pytestmark: ClassVar[Any] = pytest.mark.anyio
    level: ClassVar[Level] = "offline"

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

    # The machine ------------------------------------------------------------------------------------------------

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Run on asyncio."""
        return "asyncio"

    @pytest.fixture(autouse=True)
    def _no_backoff(self) -> Iterator[None]:
        with no_backoff():
            yield

    @pytest.fixture(autouse=True)
    def _applies(self, request: pytest.FixtureRequest, provider: str | type[Any], simulator: Simulator) -> None:
        standard = standard_tests(type(self)).get(request.function.__name__)
        found = rule_of(standard) if standard is not None else None
        if found is not None and (reason := _inapplicable(found, provider, simulator)):
            pytest.skip(NOT_APPLICABLE + reason)

    @pytest.fixture
    async def room(
        self,
        request: pytest.FixtureRequest,
        anyio_backend: str,
        provider: str | type[Any],
        simulator: Simulator,
        clock: Clock,
        settings: dict[str, Any],
        _applies: None,
    ) -> AsyncIterator[Room]:
        """Give a test its account, its agent and its wire."""
        del anyio_backend, _applies  # they come first, that is all
        name = request.node.name.removeprefix("test_")
        async with contextlib.AsyncExitStack() as stack:
            if self.level == "recorded":
                from hitl_core.testing.conformance.recorded import recorded_way

                way = await stack.enter_async_context(recorded_way(request, provider, simulator, clock))
                base_url, inner, clock = way.base_url, way.transport, way.clock
            elif self.level == "served":
                base_url = await stack.enter_async_context(serving(simulator))
                inner = as_transport(None)
                stack.push_async_callback(inner.aclose)
            else:
                await stack.enter_async_context(simulator.running())
                base_url, inner = BASE_URL, as_transport(simulator)
            room = Room(
                name=name,
                cls=provider_class(provider)[0],
                simulator=simulator,
                agent=SimulatorControl(inner, base_url),
                clock=clock,
                wire=Wire(inner),
                settings={**simulator.settings(base_url), **settings},
            )
            yield await stack.enter_async_context(room.opened())

    @pytest.fixture
    def cassettes(self, request: pytest.FixtureRequest) -> Path:
        """Return the folder of the recordings, one folder a provider."""
        return Path(request.config.rootpath) / "cassettes"


def _inapplicable(found: Rule, provider: str | type[Any], simulator: Simulator) -> str | None:
    cls, _ = provider_class(provider)
    capabilities = cls.info.capabilities
    for need in found.needs:
        if not declared(capabilities, need):
            return f"capability {need} is not declared"
    for ability in found.abilities:
        if ability not in simulator.abilities:
            return f"the simulator cannot {ability}"
    if found.signed_time and not simulator.signs_time:
        return "the vendor's signatures do not cover the time"
    return None


def _say(fixture: str, example: str, cls: type) -> str:
    return f"{cls.__name__} needs a fixture `{fixture}`: @pytest.fixture def {fixture}(self, …): {example}"
