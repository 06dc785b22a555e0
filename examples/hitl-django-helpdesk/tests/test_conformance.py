"""The provider passes HITL's conformance kit against the real django-helpdesk."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hitl_django_helpdesk import DjangoHelpdeskProvider
from hitl_django_helpdesk.simulator import DjangoHelpdeskSimulator

from hitl_core import Clock
from hitl_core.testing import ProviderConformance


class TestDjangoHelpdesk(ProviderConformance):
    """Django in memory, by ASGI."""

    # What the real application logs in this process is not the provider's.
    helpdesk_loggers: ClassVar[tuple[str, ...]] = (*ProviderConformance.helpdesk_loggers, "django", "helpdesk")

    @pytest.fixture
    def provider(self) -> type[DjangoHelpdeskProvider]:
        return DjangoHelpdeskProvider

    @pytest.fixture
    def simulator(self, clock: Clock) -> DjangoHelpdeskSimulator:
        return DjangoHelpdeskSimulator(clock=clock)


class TestDjangoHelpdeskServed(TestDjangoHelpdesk):
    """The same on a port of this machine."""

    level: ClassVar = "served"
