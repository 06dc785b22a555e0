"""The recorded level: the kit over real HTTP once, and from its recording ever after."""

from __future__ import annotations

import os
import random
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from hitl_core._http import Transport, as_transport
from hitl_core.clock import Clock, SystemClock
from hitl_core.connect import parse_settings
from hitl_core.environment import settings_from_environment
from hitl_core.info import ProviderInfo, secrets_of
from hitl_core.testing.cassettes import CassetteError, Provenance, Scrubber, UsedCassette, use_cassette
from hitl_core.testing.cassettes.secret_text import PLACEHOLDER
from hitl_core.testing.clock import VirtualClock
from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.ways import Way
from hitl_core.testing.simulator import Simulator, SimulatorControl, SimWebhook, serving

__all__ = ["RECORDED_URL", "LiveAccount", "recorded_way", "recording"]

RECORDED_URL: Final = "https://recorded.invalid"
"""Where the helpdesk is in every recording made against a simulator."""


@dataclass
class LiveAccount:
    """A real account to record against: what its owner knows of it.

    :param agent: makes, from a transport, something that acts as an agent there by the vendor's own API, with the
        methods of :class:`~hitl_core.testing.simulator.SimulatorControl`.
    :param replace: the account's host, ids and names, and what stands for them in the recording.
    :param settings: with which the recording is played: those of the environment, after ``replace``, secrets invented.
    """

    agent: Callable[[Transport], Any]
    settings: Mapping[str, Any]
    replace: Mapping[str, str] = field(default_factory=dict)


def recording(config: pytest.Config, provider: str) -> bool:
    """Whether this run makes a provider's recordings rather than play them.

    ``--record-mode=rewrite`` makes all, or those of the one that ``HITL_RECORD_PROVIDER`` names.
    """
    wanted = os.environ.get("HITL_RECORD_PROVIDER", provider) == provider
    return wanted and config.getoption("--record-mode", default=None) in {"all", "rewrite"}


def cassette_path(folder: Path, provider: str, test: str) -> Path:
    """Return where the recording of a test is kept."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", test.removeprefix("test_")).strip("-")
    return folder / provider / "conformance" / f"{name}.yaml"


@asynccontextmanager
async def recorded_way(
    request: pytest.FixtureRequest, info: ProviderInfo, simulator: Simulator, clock: Clock
) -> AsyncIterator[Way]:
    """Play the test's recording, or make it."""
    path = cassette_path(request.getfixturevalue("cassettes"), info.name, request.node.name)
    live: LiveAccount | None = request.getfixturevalue("live_account")
    async with AsyncExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        random.seed(request.node.name)  # the jitter of waits, which a recording made again would show
        transport = as_transport(None)
        stack.push_async_callback(transport.aclose)
        if not recording(request.config, info.name):
            yield _played(stack, path, info, simulator, clock, live, transport)
        elif os.environ.get("HITL_RECORD", "simulator") == "live":
            yield _recorded_live(stack, path, info, live, transport)
        else:
            url = await stack.enter_async_context(serving(simulator))
            settings = simulator.settings(url)
            stack.enter_context(
                _recorder(path, _scrubber(info, settings, {url: RECORDED_URL}, simulator), info, "simulator")
            )
            yield Way(settings, transport, SimulatorControl(transport, url), clock)


def _played(
    stack: AsyncExitStack,
    path: Path,
    info: ProviderInfo,
    simulator: Simulator,
    clock: Clock,
    live: LiveAccount | None,
    transport: Transport,
) -> Way:
    settings = simulator.settings(RECORDED_URL)
    agent: Any = _RecordedControl(transport, simulator)
    if not path.exists():
        # A test that asks nothing has no recording; if it does ask, this is where it is told.
        nothing = _NothingRecorded(path, info.name)
        stack.push(nothing.tell)
        return Way(settings, nothing, SimulatorControl(nothing, RECORDED_URL), _clock(clock, None))
    from hitl_core.testing.cassettes.files import read

    origin = read(path)[0].origin
    scrubber = _scrubber(info, settings, {}, simulator)
    if origin == "live":
        account = _known(live)
        settings, agent = dict(account.settings), account.agent(transport)
        scrubber = _scrubber(info, settings, account.replace, None)
    cassette: UsedCassette = stack.enter_context(use_cassette(path, record=False, scrubber=scrubber))
    return Way(settings, transport, agent, _clock(clock, cassette))


def _recorded_live(
    stack: AsyncExitStack, path: Path, info: ProviderInfo, live: LiveAccount | None, transport: Transport
) -> Way:
    account = _known(live)
    settings = settings_from_environment(info.name)
    stack.enter_context(_recorder(path, _scrubber(info, settings, account.replace, None), info, "live"))
    return Way(settings, transport, account.agent(transport), SystemClock())


def _recorder(path: Path, scrubber: Scrubber, info: ProviderInfo, origin: Any) -> Any:
    provenance = Provenance.now(info.name, origin, api_version=info.api_version)
    return use_cassette(path, record=True, scrubber=scrubber, provenance=provenance, may_be_empty=True)


def _known(live: LiveAccount | None) -> LiveAccount:
    if live is None:
        msg = (
            "a recording of a real account needs the fixture `live_account`: a LiveAccount that says how to act as an "
            "agent there; or record with --simulator"
        )
        raise CassetteError(msg)
    return live


def _clock(clock: Clock, cassette: UsedCassette | None) -> Clock:
    """Return the time of the recording: a simulator on a virtual clock began at the same moment then."""
    if cassette is None or isinstance(clock, VirtualClock):
        return clock
    return VirtualClock(cassette.provenance.recorded_at)


def _scrubber(
    info: ProviderInfo, settings: Mapping[str, Any], replace: Mapping[str, str], simulator: Simulator | None
) -> Scrubber:
    valid = parse_settings(info, settings)
    parts = (part for name in words.PEOPLE for part in name.split())  # some vendors keep given name and surname apart
    people = [*words.PEOPLE, *parts, *words.FILE_NAMES, "Kit bot"]
    if simulator is not None:
        people += [*simulator.made_up_names, *(agent.name for agent in simulator.agents if agent.name)]
    return Scrubber(
        secrets=[secret for _, secret in secrets_of(valid)],
        replace=replace,
        allowed_names=people,
    )


class _RecordedControl(SimulatorControl):
    """Acts as an agent in a recording of a simulator."""

    def __init__(self, transport: Transport, simulator: Simulator) -> None:
        super().__init__(transport, RECORDED_URL)
        self._simulator = simulator

    async def webhooks(self, count: int = 1, *, wait: int = 10) -> list[SimWebhook]:
        """Return the webhooks sent; those that prove themselves by the secret, which no recording holds, do so anew."""
        return [self._proven(sent) for sent in await super().webhooks(count, wait=wait)]

    def _proven(self, sent: SimWebhook) -> SimWebhook:
        if not any(PLACEHOLDER in value for value in sent.headers.values()):
            return sent
        proof = self._simulator.sign(self._simulator.secret, sent.body, id=sent.id, at=sent.sent_at)
        return sent.model_copy(update={"headers": {**sent.headers, **proof}})


class _NothingRecorded:
    """Stands in for a recording that is not there."""

    def __init__(self, path: Path, provider: str) -> None:
        self._message = f"there is no recording {path.name}; make it: hitl cassettes record {provider} --simulator"
        self._asked = False

    async def send(self, *_: Any, **__: Any) -> Any:
        """Say that it is missing."""
        self._asked = True
        raise CassetteError(self._message)

    def stream(self, *_: Any, **__: Any) -> Any:
        """Say that it is missing."""
        self._asked = True
        raise CassetteError(self._message)

    def tell(self, *_: object) -> None:
        """Say it again at the end: connections turn the errors of a transport into their own."""
        if self._asked:
            raise CassetteError(self._message)

    async def aclose(self) -> None:
        """Nothing is held."""
