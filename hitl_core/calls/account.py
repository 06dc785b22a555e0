"""The account: setting up, finding out what is in place, who we are, who is there."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from hitl_core._model import Model
from hitl_core.info import Capabilities, Limits

__all__ = [
    "AccountProfile",
    "Availability",
    "CheckAccount",
    "CheckResult",
    "CloseConnection",
    "GetAvailability",
    "Identify",
    "OpenConnection",
]


class OpenConnection(Model):
    """Set the instance up."""


class AccountProfile(Model):
    """What this account's plan and mode really allow; ``None`` leaves what the provider declares.

    :param capabilities: those the account has; it can only take away from what is declared.
    :param limits: those of the account.
    :param account: the vendor's id of the account; a delivery that names another one is refused.
    """

    capabilities: Capabilities | None = None
    limits: Limits | None = None
    account: str | None = None


class CloseConnection(Model):
    """Tear the instance down; called once."""


class CheckAccount(Model):
    """Find out whether everything is in place.

    :param webhook_url: where our webhook is to be reached, when it is known.
    """

    webhook_url: str | None = None


class CheckResult(Model):
    """One thing that was checked.

    :param name: what was checked, in a word or two, such as ``token``.
    :param ok: whether it is in place.
    :param detail: what was found, in a sentence without secrets.
    :param mend: what to do when it is not in place.
    """

    name: str
    ok: bool
    detail: str | None = None
    mend: str | None = None


class Identify(Model):
    """Find out who the credentials act as."""


class GetAvailability(Model):
    """Is somebody there?"""


class Availability(Model):
    """Whether somebody is there.

    :param available: ``None`` when it cannot be told.
    :param agents_online: how many agents are there, when the vendor tells.
    :param wait_seconds: expected wait.
    :param opens_at: when somebody will be there again.
    """

    available: bool | None = None
    agents_online: int | None = Field(default=None, ge=0)
    wait_seconds: float | None = Field(default=None, ge=0)
    opens_at: AwareDatetime | None = None
