"""Odd or oversized content never stops a hand-off: what no helpdesk takes is taken out before anything is sent."""

import pytest

import hitl_core as hitl
from hitl_core.connect import connect_class
from hitl_core.rendering import sendable, sendable_text
from hitl_core.testing.memory import MemoryHelpdesk, MemoryProvider

pytestmark = pytest.mark.anyio

USER = hitl.ExternalUser(id="u1")
ODD = "a\x00b\x1bc\x0bd\x0ce\tf\r\ng"
EVEN = "abc\nd\ne\tf\r\ng"


class Structured(MemoryProvider):
    """A vendor that takes a history entry by entry."""

    @hitl.hookimpl
    async def open(self):
        capabilities = hitl.Capabilities(structured_history=True, message_types=frozenset(hitl.MESSAGE_TYPES))
        return hitl.AccountProfile(capabilities=capabilities, limits=hitl.Limits(text=hitl.TextLimit(max=50)))


class Listening(MemoryProvider):
    """Keeps the customers it is asked for."""

    asked: list[hitl.EndUser]

    @hitl.hookimpl(specname="create_user")
    async def create_contact(self, request):
        self._desk.asked = request.user
        return USER


@pytest.fixture
async def connection():
    async with connect_class(MemoryProvider, helpdesk=MemoryHelpdesk()) as connection:
        yield connection


@pytest.fixture
async def structured():
    async with connect_class(Structured, helpdesk=MemoryHelpdesk()) as connection:
        yield connection


def said(text, author=None):
    return hitl.HistoryEntry.of(author or hitl.Author.user(USER, name="Ada"), text)


def entries(plan):
    return [entry for item in plan.request.relay for entry in item.source]


def test_control_characters_go_and_tabs_and_line_ends_stay():
    assert sendable_text(ODD) == EVEN


@pytest.mark.parametrize(
    ("given", "sent"),
    [("half \ud83d", "half \ufffd"), ("\ud83d\ude00", "😀"), ("\x00", "-"), ("", ""), ("\ufeffx\x00", "\ufeffx")],
)
def test_halves_of_characters_are_mended_and_nothing_is_emptied(given, sent):
    assert sendable_text(given) == sent


def test_sound_content_is_not_copied():
    value = {"a": [{"b": ("x", 1)}], "c": None}
    assert sendable(value) is value
    entry = said("words")
    assert sendable((entry,))[0] is entry


def test_every_text_is_reached_and_ids_are_left_alone():
    card = hitl.Card(title="T\0", actions=(hitl.Action(kind="say", label="L\0", value="v\0"),))
    future = hitl.parse_message({"type": "dance", "steps": [{"left\0": "right\0"}]})
    assert sendable(card) == hitl.Card(title="T", actions=(hitl.Action(kind="say", label="L", value="v"),))
    assert sendable(future).model_extra == {"steps": [{"left": "right"}]}
    assert sendable(hitl.Author(role="user", id="x\0", name="N\0")) == hitl.Author(role="user", id="x\0", name="N")


async def test_a_start_holds_no_character_that_is_not_taken(connection):
    plan = connection.plan_start(
        user=USER,
        title=f" {ODD}",
        description=ODD,
        history=[said(ODD, hitl.Author.bot("R\0"))],
        relay=f"summary({ODD})",
    )
    assert "\\u0000" not in plan.model_dump_json()
    assert "\\u001b" not in plan.model_dump_json()
    assert (plan.request.title, plan.request.description) == (EVEN, EVEN)


async def test_half_a_character_in_a_title_is_mended(connection):
    assert connection.plan_start(user=USER, title="half \ud83d").request.title == "half \ufffd"


async def test_a_message_and_its_author_hold_no_character_that_is_not_taken(connection):
    session = await connection.start_hitl(user=USER, title="T")
    (part,) = connection.plan_message(session, ODD, author=hitl.Author.user(USER, name="A\0"))
    assert (part.message.text, part.author.name) == (EVEN, "A")
    (part,) = connection.plan_message(session, "\0")
    assert part.message.text == "-"


async def test_a_last_text_holds_no_character_that_is_not_taken(connection):
    session = await connection.start_hitl(user=USER, title="T")
    before, request = connection.plan_stop(session, message=ODD)
    texts = [request.message, *(part.message.text for part in before)]
    assert EVEN in texts
    assert ODD not in texts


async def test_a_customers_name_and_data_are_mended_and_what_must_be_whole_is_left_out():
    helpdesk = MemoryHelpdesk()
    async with connect_class(Listening, helpdesk=helpdesk) as connection:
        await connection.create_user(
            hitl.EndUser(external_id="u\0", name="A\0da", email="ada\0@example.com", phone="1\0", data={"k\0": ["v\0"]})
        )
        assert helpdesk.asked == hitl.EndUser(external_id="u\0", name="Ada", data={"k": ["v"]})
        await connection.create_user(name="Half \ud83d", email="ada@example.com", locale="de\0")
        assert helpdesk.asked == hitl.EndUser(name="Half \ufffd", email="ada@example.com")


async def test_an_entry_beyond_the_limit_is_split_where_history_is_taken_entry_by_entry(structured):
    short = said("short")
    plan = structured.plan_start(user=USER, title="T", history=[short, said("word " * 25)])
    first, *rest = entries(plan)
    assert first == short
    assert [len(entry.message.text) <= 50 for entry in rest] == [True] * 3
    assert " ".join(entry.message.text for entry in rest).split() == ["word"] * 25
    assert {entry.author for entry in rest} == {short.author}


async def test_words_of_an_entry_that_cannot_be_split_are_cut(structured):
    url = f"https://files.test/{'x' * 100}"
    card = hitl.Card(title="word " * 25, image_url=url)
    (entry,) = entries(structured.plan_start(user=USER, title="T", history=[said(card)]))
    assert entry.message.title.endswith("…")
    assert len(entry.message.title) <= 50
    assert entry.message.image_url == url
