"""Settings of an account, and what a start may add."""

from __future__ import annotations

from pydantic import Field, SecretStr

import hitl_core as hitl

__all__ = ["DjangoHelpdeskOptions", "DjangoHelpdeskSettings"]


class DjangoHelpdeskSettings(hitl.ProviderSettings):
    """Where the helpdesk is, and as whom the bot works there."""

    base_url: str = Field(description="Where django-helpdesk's URLs begin, such as https://example.com/helpdesk.")
    username: str = Field(pattern=r"^[\w.@+-]+$", description="The bot's user: staff, and nobody else's.")
    password: SecretStr = Field(description="The bot's password; the API takes it by HTTP Basic.")
    user_id: int = Field(gt=0, description="The bot's number: the one in /admin/auth/user/NUMBER/change/.")
    queue: int = Field(default=1, gt=0, description="Number of the queue hand-offs go to.")
    open_statuses: frozenset[int] = Field(
        default=frozenset({1, 2}), description="HELPDESK_TICKET_OPEN_STATUSES, where the helpdesk has its own."
    )
    reopened_status: int = Field(default=2, description="HELPDESK_TICKET_REOPENED_STATUS, where it has its own.")
    closed_status: int = Field(default=4, description="HELPDESK_TICKET_CLOSED_STATUS, where it has its own.")


class DjangoHelpdeskOptions(hitl.StartOptions):
    """What a ticket may carry beyond the common words."""

    queue: int | None = Field(default=None, gt=0, description="Number of another queue than that of the settings.")
