"""Lowering to what an account can show, and splitting messages: behaviour F17, R16, S200-S207."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_core.info import Capabilities, TextLimit
from hitl_core.messages import (
    MESSAGE_TYPES,
    Action,
    Audio,
    Bloc,
    Card,
    Carousel,
    Choice,
    Dropdown,
    File,
    Image,
    Location,
    Markdown,
    Option,
    Text,
    Video,
    parse_message,
)
from hitl_core.rendering import lower_message, split_message

RELAXED = settings(deadline=None)  # a deadline would measure the machine's other work

URL = "https://example.com/x.png"
EVERYTHING = frozenset(MESSAGE_TYPES)
TEXT = frozenset({"text"})
OPTIONS = (Option(label="Yes", value="y"),)
CARD = Card(title="Chair", subtitle="Oak", actions=(Action(kind="url", label="See", value=URL),))
SAMPLES = (
    Text(text="Hi"),
    Markdown(markdown="**Hi**"),
    Image(url=URL),
    Audio(url=URL),
    Video(url=URL),
    File(url=URL, title="Bill"),
    File(ref={"id": "9"}, name="bill.pdf"),
    Location(latitude=40.7128, longitude=-74.006),
    CARD,
    Carousel(items=(CARD, Card(title="Desk"))),
    Choice(text="Sure?", options=OPTIONS),
    Dropdown(text="Size?", options=OPTIONS),
    Bloc(items=(Text(text="a"), Image(url=URL), Text(text="b"))),
    parse_message({"type": "hologram"}),
)


def lower(message, *types, attachments=False):
    return lower_message(message, types=frozenset(types) | TEXT, attachments=attachments)


@pytest.mark.parametrize("message", SAMPLES[:-1], ids=lambda message: message.type)
def test_kinds_the_account_shows_stay_the_same(message):
    assert lower_message(message, types=EVERYTHING, attachments=True) == (message,)


@RELAXED
@given(
    st.sampled_from(SAMPLES),
    st.frozensets(st.sampled_from(MESSAGE_TYPES)).map(lambda types: types | TEXT),
    st.booleans(),
)
def test_only_kinds_the_account_shows_come_out_and_always_the_same(message, types, attachments):
    lowered = lower_message(message, types=types, attachments=attachments)
    assert lowered
    assert lowered == lower_message(message, types=types, attachments=attachments)
    for part in lowered:
        assert part.type in types
        for item in getattr(part, "items", ()):
            assert isinstance(part, Carousel) or item.type in types


@pytest.mark.parametrize("kind", [Image, Audio, Video, File])
def test_s201_to_s204_media_become_their_address(kind):
    assert lower(kind(url=URL)) == (Text(text=URL),)
    assert lower(kind(url=URL, title="Bill")) == (Text(text=f"Bill\n{URL}"),)


def test_media_become_a_file_where_only_files_are_shown():
    (file,) = lower(Image(url=URL, title="Shot", size=5, additional_data="d"), "file")
    assert file == File(url=URL, title="Shot", size=5, additional_data="d")


def test_file_only_the_helpdesk_holds_is_named_unless_it_can_be_uploaded():
    held = File(ref={"id": "9"}, name="bill.pdf")
    assert lower(held, "file") == (Text(text="[ File - bill.pdf ]"),)
    assert lower(held) == (Text(text="[ File - bill.pdf ]"),)
    assert lower(held, "file", attachments=True) == (held,)
    assert lower(Image(ref={"id": "9"}), "file", attachments=True) == (File(ref={"id": "9"}),)


def test_file_inside_its_address_is_never_printed():
    embedded = File(url="data:text/plain;base64,QUJD", name="a.txt")
    assert lower(embedded, "file") == (Text(text="[ File - a.txt ]"),)
    assert lower(embedded, "file", attachments=True) == (embedded,)


def test_s206_markdown_becomes_the_same_characters():
    assert lower(Markdown(markdown="**Hi**")) == (Text(text="**Hi**"),)


def test_s207_location_becomes_title_address_and_degrees():
    place = Location(latitude=40.7128, longitude=-74.006, title="Office", address="Main Street 1")
    assert lower(place) == (Text(text="Office\n\nMain Street 1\n\nLatitude: 40.7128\nLongitude: -74.006"),)
    assert lower(Location(latitude=1, longitude=2)) == (Text(text="Latitude: 1\nLongitude: 2"),)


def test_other_kinds_become_the_lines_of_a_transcript():
    assert lower(CARD) == (Text(text=f'[ Card: "Chair" ]\nSubtitle: Oak\nurl: "See" => {URL}'),)
    assert lower(Choice(text="Sure?", options=OPTIONS)) == (Text(text='Sure?\n[ Choice options ]\n"Yes" (y)'),)
    assert lower(parse_message({"type": "hologram"})) == (Text(text="[ Unsupported message: hologram ]"),)


def test_carousel_becomes_cards_where_cards_are_shown():
    carousel = Carousel(items=(CARD, Card(title="Desk")), additional_data="d")
    assert lower(carousel, "card") == (CARD.model_copy(update={"additional_data": "d"}), Card(title="Desk"))


def test_f17_bloc_of_texts_is_one_message():
    bloc = Bloc(items=(Text(text="a"), Markdown(markdown="*b*"), Location(latitude=1, longitude=2)))
    assert lower(bloc) == (Text(text="a\n\n*b*\n\nLatitude: 1\nLongitude: 2"),)


def test_f17_bloc_with_links_is_one_message_too():
    bloc = Bloc(items=(Text(text="a"), Image(url=URL), Text(text="b")))
    assert lower(bloc) == (Text(text=f"a\n\n{URL}\n\nb"),)
    assert lower(bloc, "image") == (Text(text="a"), Image(url=URL), Text(text="b"))


def test_f17_bloc_stays_one_where_the_account_knows_blocs():
    bloc = Bloc(items=(Text(text="a"), Image(url=URL)))
    assert lower(bloc, "bloc", "image") == (bloc,)
    assert lower(bloc, "bloc") == (Bloc(items=(Text(text="a"), Text(text=URL))),)


def test_text_beside_markdown_keeps_its_characters():
    bloc = Bloc(items=(Markdown(markdown="**a**"), Text(text="*b*\n# c")))
    assert lower(bloc, "markdown") == (Markdown(markdown="**a**\n\n\\*b\\*  \n\\# c"),)


def test_additional_data_survives():
    bloc = Bloc(items=(Image(url=URL), Text(text="b")), additional_data="d")
    assert [part.additional_data for part in lower(bloc, "image")] == ["d", None]
    assert lower(Markdown(markdown="x", additional_data="d"))[0].additional_data == "d"
    inner = Bloc(items=(Text(text="a"), Text(text="b", additional_data="e")), additional_data="d")
    assert lower(inner)[0].additional_data == "e"


def test_defaults_of_an_account_allow_text():
    assert lower_message(Text(text="a"), types=Capabilities().message_types, attachments=False) == (Text(text="a"),)


# Splitting ----------------------------------------------------------------------------------------------------

TEN = TextLimit(max=10)


def test_r16_long_text_becomes_several_messages():
    message = Text(text="one two three four", additional_data="d")
    assert split_message(message, TEN) == (Text(text="one two", additional_data="d"), Text(text="three four"))
    assert split_message(Markdown(markdown="**one** two"), TEN) == (
        Markdown(markdown="**one**"),
        Markdown(markdown="two"),
    )


def test_message_within_the_limit_is_the_same_object():
    for message in (Text(text="short"), Bloc(items=(Text(text="short"), Image(url=URL)))):
        assert split_message(message, TEN) == (message,)


def test_other_kinds_are_not_split():
    card = Card(title="much longer than ten")
    assert split_message(card, TEN) == (card,)


def test_long_texts_in_a_bloc_fill_several_blocs():
    bloc = Bloc(
        items=(Text(text="one two three"), Image(url=URL), Text(text="four"), Text(text="5")), additional_data="d"
    )
    assert split_message(bloc, TEN) == (
        Bloc(items=(Text(text="one two"),), additional_data="d"),
        Bloc(items=(Text(text="three"), Image(url=URL), Text(text="four"))),
        Bloc(items=(Text(text="5"),)),
    )


@RELAXED
@given(st.lists(st.text("ab \U0001f600", min_size=1, max_size=40), min_size=1, max_size=6), st.integers(4, 30))
def test_parts_of_a_bloc_are_within_the_limit_and_lose_nothing(texts, size):
    limit = TextLimit(max=size, unit="utf16")
    bloc = Bloc(items=tuple(Text(text=text) for text in texts))
    parts = split_message(bloc, limit)
    shown = ["\n".join(item.text for item in part.items) for part in parts]
    assert all(limit.allows(text) for text in shown)
    assert "".join("".join(shown).split()) == "".join("".join(texts).split())
