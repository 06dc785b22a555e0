"""Who takes part in a hand-off: end users, agents, the bot, and who wrote what."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, JsonValue

from hitl_core._model import Model

__all__ = ["Agent", "Author", "BotIdentity", "EndUser", "ExternalUser", "Role"]


class EndUser(Model):
    """The customer as the bot knows them.

    Only ``external_id`` or one other field is needed; providers never invent an e-mail address (behaviour F05).

    :param external_id: the bot's own stable id of this person; what providers match people by.
    :param avatar_url: picture; providers drop it when the vendor cannot take it (behaviour R14).
    :param locale: BCP 47 tag such as ``"de-CH"``.
    """

    external_id: str | None = None
    name: str | None = Field(default=None, repr=False)
    email: str | None = Field(default=None, repr=False)
    phone: str | None = Field(default=None, repr=False)
    avatar_url: str | None = Field(default=None, repr=False)
    locale: str | None = None
    data: dict[str, JsonValue] = Field(default_factory=dict, repr=False)


class ExternalUser(Model):
    """The customer as the helpdesk knows them.

    :param id: the helpdesk's id.
    :param url: page of this person in the helpdesk, for agents.
    :param name: display name, kept so that transcripts can name the speaker.
    :param data: what the provider needs to remember about them.
    """

    id: str = Field(min_length=1)
    url: str | None = None
    name: str | None = Field(default=None, repr=False)
    data: dict[str, JsonValue] = Field(default_factory=dict, repr=False)


class Agent(Model):
    """A human support agent."""

    id: str = Field(min_length=1)
    name: str | None = Field(default=None, repr=False)
    email: str | None = Field(default=None, repr=False)
    avatar_url: str | None = Field(default=None, repr=False)


class BotIdentity(Model):
    """Who the account's credentials act as: the basis of echo suppression (behaviour F24).

    :param id: the vendor's user id of our own account.
    :param name: display name of that user.
    :param data: what else the provider needs to know of it, such as a role.
    """

    id: str
    name: str | None = None
    data: dict[str, JsonValue] = Field(default_factory=dict, repr=False)


class Role(StrEnum):
    """On whose behalf something was said."""

    USER = "user"
    BOT = "bot"
    AGENT = "agent"
    SYSTEM = "system"


class Author(Model):
    """Who wrote a message.

    :param role: on whose behalf.
    :param id: the helpdesk's id of the person, when known; never the bot's own id of them.
    :param name: display name; renderers fall back to a label of the role (behaviour S162).
    """

    role: Role
    id: str | None = None
    name: str | None = Field(default=None, repr=False)
    avatar_url: str | None = Field(default=None, repr=False)

    @classmethod
    def user(cls, user: ExternalUser | EndUser | None = None, *, name: str | None = None) -> Self:
        """The customer. Only an :class:`ExternalUser` lets the provider post in their name (behaviour S022)."""
        if isinstance(user, ExternalUser):
            return cls(role=Role.USER, id=user.id, name=name or user.name)
        if user is not None:
            return cls(role=Role.USER, name=name or user.name, avatar_url=user.avatar_url)
        return cls(role=Role.USER, name=name)

    @classmethod
    def bot(cls, name: str | None = None) -> Self:
        """The bot."""
        return cls(role=Role.BOT, name=name)

    @classmethod
    def agent(cls, agent: Agent) -> Self:
        """A human agent."""
        return cls(role=Role.AGENT, id=agent.id, name=agent.name, avatar_url=agent.avatar_url)

    @classmethod
    def system(cls) -> Self:
        """The framework itself, such as "the user ended the session"."""
        return cls(role=Role.SYSTEM)
