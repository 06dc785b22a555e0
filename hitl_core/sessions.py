"""Sessions and the history that is handed over with them."""

from __future__ import annotations

from typing import Self

from pydantic import AwareDatetime, Field, JsonValue, model_validator

from hitl_core._model import Model
from hitl_core.messages import AnyMessage, Audio, File, Image, Message, Text, Video
from hitl_core.people import Author

__all__ = ["HistoryEntry", "HitlSession", "RelayItem", "SessionRef"]


class SessionRef(Model):
    """Names a session: the ticket, conversation or thread in one account.

    :param connection: key of the connection, ``"tenant/alias"``: two accounts of one vendor never share it
        (behaviour F32, R13).
    :param id: the vendor's id.
    """

    connection: str
    id: str = Field(min_length=1)


class HitlSession(Model):
    """A hand-off as the helpdesk holds it.

    :param provider: provider name.
    :param url: page of it in the helpdesk, for agents.
    :param user_id: the helpdesk's id of the customer.
    :param external_id: our own id written on it, usually the conversation's.
    :param data: what the provider needs to remember about it.
    """

    ref: SessionRef
    provider: str
    url: str | None = None
    user_id: str | None = None
    external_id: str | None = None
    data: dict[str, JsonValue] = Field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """The vendor's id."""
        return self.ref.id


class HistoryEntry(Model):
    """One message of the conversation before the hand-off, oldest first in a history."""

    author: Author
    message: Message
    sent_at: AwareDatetime | None = None

    @classmethod
    def of(cls, author: Author, message: str | AnyMessage, sent_at: AwareDatetime | None = None) -> Self:
        """Short form; a plain string is a :class:`~hitl_core.messages.Text`."""
        return cls(
            author=author,
            message=Text(text=message) if isinstance(message, str) else message,
            sent_at=sent_at,
        )


class RelayItem(Model):
    """A piece of history, rendered and small enough for one vendor message.

    :param text: plain text, or
    :param attachment: a file to be attached.
    :param internal: agents only, when the vendor knows such notes.
    :param author: whom to show as the author where items are relayed one by one; the bot when ``None``.
    :param source: the entries that *begin* in this item, for vendors that take a structured transcript.
    :param continues: this item goes on with an entry begun in an earlier item.
    """

    text: str | None = Field(default=None, repr=False)
    attachment: Image | Audio | Video | File | None = Field(default=None, discriminator="type")
    internal: bool = False
    author: Author | None = None
    source: tuple[HistoryEntry, ...] = Field(default=(), repr=False)
    continues: bool = False

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.text is None) == (self.attachment is None):
            msg = "a relay item is either a text or an attachment"
            raise ValueError(msg)
        return self
