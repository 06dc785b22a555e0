"""What people say to each other: twelve kinds of message, and one for kinds a newer version may add.

Payload rules are those of behaviour S020-S023. Text in a message is a customer's or an agent's own words and
never shows in a ``repr``.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AwareDatetime,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    TypeAdapter,
    model_validator,
)

from hitl_core._model import Model

__all__ = [
    "MESSAGE_TYPES",
    "Action",
    "AnyMessage",
    "AttachmentRef",
    "Audio",
    "Bloc",
    "BlocItem",
    "Card",
    "Carousel",
    "Choice",
    "Dropdown",
    "File",
    "Image",
    "Location",
    "Markdown",
    "Media",
    "Message",
    "MessageBase",
    "Option",
    "Text",
    "UnknownMessage",
    "Video",
    "parse_message",
]


class AttachmentRef(Model):
    """Names a file the helpdesk holds; open it with ``connection.open_attachment``.

    :param id: the vendor's id of the file.
    :param session: the session it belongs to, where the vendor needs it.
    :param data: what else the provider needs to open it.
    """

    id: str = Field(min_length=1)
    session: str | None = None
    data: dict[str, JsonValue] = Field(default_factory=dict, repr=False)


class MessageBase(Model):
    """What every message may carry.

    :param additional_data: opaque string for the receiving bot, at most 500 characters (behaviour S021).
    """

    additional_data: str | None = Field(default=None, max_length=500, repr=False)


class Text(MessageBase):
    """Plain text, not empty."""

    type: Literal["text"] = "text"
    text: str = Field(min_length=1, repr=False)


class Markdown(MessageBase):
    """Markdown (CommonMark), not empty."""

    type: Literal["markdown"] = "markdown"
    markdown: str = Field(min_length=1, repr=False)


class Media(MessageBase):
    """A file by ``url``, or by ``ref`` when it must be opened through the provider.

    :param url: where it can be fetched; may expire at ``expires_at``.
    :param ref: the helpdesk's handle of it.
    :param title: caption, shown to people.
    :param name: file name.
    :param content_type: media type such as ``"image/png"``.
    :param size: bytes.
    """

    url: str | None = Field(default=None, min_length=1, repr=False)
    ref: AttachmentRef | None = None
    title: str | None = Field(default=None, min_length=1, repr=False)
    name: str | None = Field(default=None, repr=False)
    content_type: str | None = None
    size: int | None = Field(default=None, ge=0)
    expires_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if self.url is None and self.ref is None:
            msg = "give the file's url, or a ref to open it through the provider"
            raise ValueError(msg)
        return self


class Image(Media):
    """A picture."""

    type: Literal["image"] = "image"


class Audio(Media):
    """A sound recording."""

    type: Literal["audio"] = "audio"


class Video(Media):
    """A video."""

    type: Literal["video"] = "video"


class File(Media):
    """Any other file."""

    type: Literal["file"] = "file"


class Location(MessageBase):
    """A place on earth, in degrees (WGS 84); north and east are positive."""

    type: Literal["location"] = "location"
    latitude: float = Field(ge=-90, le=90, repr=False)
    longitude: float = Field(ge=-180, le=180, repr=False)
    address: str | None = Field(default=None, repr=False)
    title: str | None = Field(default=None, repr=False)


class Action(Model):
    """Something to press on a card: post a value back, open a URL, or say a text."""

    kind: Literal["postback", "url", "say"]
    label: str = Field(min_length=1, repr=False)
    value: str = Field(min_length=1, repr=False)


class Card(MessageBase):
    """A titled card with an optional picture and actions."""

    type: Literal["card"] = "card"
    title: str = Field(min_length=1, repr=False)
    subtitle: str | None = Field(default=None, repr=False)
    image_url: str | None = Field(default=None, repr=False)
    actions: tuple[Action, ...] = ()


class Carousel(MessageBase):
    """Several cards side by side."""

    type: Literal["carousel"] = "carousel"
    items: tuple[Card, ...] = Field(min_length=1)


class Option(Model):
    """One answer to choose."""

    label: str = Field(min_length=1, repr=False)
    value: str = Field(min_length=1, repr=False)


class Choice(MessageBase):
    """A question with buttons."""

    type: Literal["choice"] = "choice"
    text: str = Field(min_length=1, repr=False)
    options: tuple[Option, ...] = Field(min_length=1)


class Dropdown(MessageBase):
    """A question with a list to choose from."""

    type: Literal["dropdown"] = "dropdown"
    text: str = Field(min_length=1, repr=False)
    options: tuple[Option, ...] = Field(min_length=1)


BlocItem: TypeAlias = Annotated[Text | Markdown | Image | Audio | Video | File | Location, Field(discriminator="type")]


class Bloc(MessageBase):
    """Several items sent as one message, in order (behaviour S020, F17)."""

    type: Literal["bloc"] = "bloc"
    items: tuple[BlocItem, ...] = Field(min_length=1)


class UnknownMessage(MessageBase):
    """A kind this version does not know; every field is kept, none is shown."""

    model_config = ConfigDict(extra="allow")

    type: str

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Show the kind alone: the rest is somebody's words in a form we cannot tell apart."""
        return [("type", self.type)]


MESSAGE_TYPES: tuple[str, ...] = (
    "text",
    "markdown",
    "image",
    "audio",
    "video",
    "file",
    "location",
    "card",
    "carousel",
    "choice",
    "dropdown",
    "bloc",
)
"""The twelve kinds, under the names of the vocabulary (behaviour S014)."""


def _tag(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if kind in MESSAGE_TYPES else "unknown"


AnyMessage: TypeAlias = (
    Text
    | Markdown
    | Image
    | Audio
    | Video
    | File
    | Location
    | Card
    | Carousel
    | Choice
    | Dropdown
    | Bloc
    | UnknownMessage
)
"""Every message class, for ``isinstance`` and ``match``."""

Message: TypeAlias = Annotated[
    Annotated[Text, Tag("text")]
    | Annotated[Markdown, Tag("markdown")]
    | Annotated[Image, Tag("image")]
    | Annotated[Audio, Tag("audio")]
    | Annotated[Video, Tag("video")]
    | Annotated[File, Tag("file")]
    | Annotated[Location, Tag("location")]
    | Annotated[Card, Tag("card")]
    | Annotated[Carousel, Tag("carousel")]
    | Annotated[Choice, Tag("choice")]
    | Annotated[Dropdown, Tag("dropdown")]
    | Annotated[Bloc, Tag("bloc")]
    | Annotated[UnknownMessage, Tag("unknown")],
    Discriminator(_tag),
]
"""Any message, told apart by ``type``; a type of the future parses as :class:`UnknownMessage`."""


@cache
def _adapter() -> TypeAdapter[AnyMessage]:
    return TypeAdapter(Message, config=ConfigDict(hide_input_in_errors=True))


def parse_message(value: Any) -> AnyMessage:
    """Read a message from its JSON object.

    :raises pydantic.ValidationError: the type is known and a payload rule is broken; does not quote the input.
    """
    return _adapter().validate_python(value)
