"""What requests have in common: the connection they are made for, and the host they go to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hitl_core._http.auth import Auth
from hitl_core._http.budget import Budget, LimitsParser
from hitl_core._http.failures import Classify
from hitl_core._http.transport import Transport
from hitl_core._http.urls import Base
from hitl_core._http.waits import RetryPolicy
from hitl_core.clock import Clock

__all__ = ["Binding", "Core"]


@dataclass(frozen=True, slots=True)
class Core:
    """What all clients of one connection share."""

    transport: Transport
    clock: Clock
    waits: Literal["sleep", "raise"]
    budget: Budget | None
    retry: RetryPolicy
    log: logging.LoggerAdapter[logging.Logger]
    provider: str | None
    connection: str | None
    timeout: float
    deadline: Callable[[], datetime | None]


@dataclass(frozen=True, slots=True)
class Binding:
    """What a client of one host knows."""

    base: Base
    auth: Auth | None
    headers: Mapping[str, str]
    key_header: str | None
    classify: Classify | None
    limits: LimitsParser | None
    max_bytes: int
