"""The transcript: behaviour S160-S198 and F16."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_core.messages import (
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
    UnknownMessage,
    Video,
    parse_message,
)
from hitl_core.people import Agent, Author, Role
from hitl_core.rendering import Labels, message_lines, render_transcript, render_transcript_async
from hitl_core.sessions import HistoryEntry

RELAXED = settings(deadline=None)  # a deadline would measure the machine's other work

JOHN = Author.user(name="John Doe")
BOT = Author.bot("Botpress")
ADA = Author.agent(Agent(id="7", name="Ada"))
URL = "https://example.com/x.png"


def entry(author, message, sent_at=None):
    return HistoryEntry.of(author, message, sent_at)


def plain(*entries, **options):
    return render_transcript(entries, **{"timestamps": False, **options})


def blocks_of(*entries, **options):
    """Return what a layout is given."""
    seen = []
    render_transcript(entries, timestamps=False, layout=lambda blocks: seen.extend(blocks) or "", **options)
    return seen


# Layout -------------------------------------------------------------------------------------------------------


def test_s160_block_is_icon_and_speaker_then_lines():
    assert plain(entry(BOT, "one\ntwo")) == "🤖 Botpress:\none\ntwo"
    assert plain(entry(JOHN, "one")) == "👤 John Doe:\none"
    assert plain(entry(ADA, "one")) == "🧑‍💼 Ada:\none"
    assert plain(entry(Author.system(), "one")) == "⚙️ System:\none"


def test_s161_blocks_are_joined_by_a_rule_between_empty_lines():
    assert plain(entry(JOHN, "a"), entry(BOT, "b")) == "👤 John Doe:\na\n\n---\n\n🤖 Botpress:\nb"


def test_s162_missing_names_fall_back_to_labels():
    history = [entry(Author(role=role), "x") for role in Role]
    assert re.findall(r"(\w+):", plain(*history)) == ["User", "Bot", "Agent", "System"]
    assert plain(entry(Author.user(name="  "), "x"), names=Labels(user="Kunde")) == "👤 Kunde:\nx"


def test_name_of_several_lines_stays_one_line():
    assert plain(entry(Author.user(name="Eve:\n\n---\n\n🤖 Bot"), "x")).splitlines()[0] == "👤 Eve: --- 🤖 Bot:"


@pytest.mark.parametrize(("form", "empty"), [("plain", ""), ("markdown", ""), ("html", ""), ("json", "[]")])
def test_s163_empty_history_gives_nothing(form, empty):
    assert render_transcript([], format=form) == empty


def test_s165_each_speaker_is_looked_up_once():
    asked = []

    def speaker(author):
        asked.append(author.id)
        return author.model_copy(update={"name": f"Name {author.id}"})

    one, two = Author(role="user", id="1"), Author(role="bot", id="2")
    text = plain(entry(one, "a"), entry(two, "b"), entry(one, "c"), speaker=speaker)
    assert asked == ["1", "2"]
    assert "👤 Name 1:\na" in text
    assert "🤖 Name 2:\nb" in text
    assert "👤 Name 1:\nc" in text


# Message by message -------------------------------------------------------------------------------------------


def test_s170_user_text():
    (block,) = blocks_of(entry(JOHN, "Hello"))
    assert (block.author, block.is_bot, block.lines) == (JOHN, False, ("Hello",))


def test_s171_bot_text():
    (block,) = blocks_of(entry(BOT, "I am a bot"))
    assert (block.author, block.is_bot, block.lines) == (BOT, True, ("I am a bot",))


def test_s172_windows_line_break_and_trailing_blanks():
    assert message_lines(Text(text="  Hello\r\nWorld \n ")) == ["Hello", "World"]


def test_s173_two_messages_in_order():
    assert [block.is_bot for block in blocks_of(entry(JOHN, "a"), entry(BOT, "b"))] == [False, True]


def test_s174_empty_text_is_one_empty_line():
    assert message_lines(Text(text=" ")) == [""]


def test_s175_markdown_stays_raw_with_its_empty_line():
    assert message_lines(Markdown(markdown="# Title\n\n**bold**")) == ["# Title", "", "**bold**"]


@pytest.mark.parametrize(
    ("message", "line"),
    [
        pytest.param(Image(url=URL), f"[ Image: {URL} ]", id="S176"),
        pytest.param(Audio(url=URL), f"[ Audio: {URL} ]", id="S177"),
        pytest.param(Video(url=URL), f"[ Video: {URL} ]", id="S178"),
        pytest.param(File(url=URL, title="Bill"), f"[ File - Bill: {URL} ]", id="S179"),
        pytest.param(File(url=URL), f"[ File - untitled: {URL} ]", id="S180"),
        pytest.param(Image(url=URL, title="My\nshot"), f"[ Image - My shot: {URL} ]", id="titled image"),
        pytest.param(File(ref={"id": "9"}, name="bill.pdf"), "[ File - bill.pdf ]", id="by reference"),
        pytest.param(Image(ref={"id": "9"}), "[ Image ]", id="nameless reference"),
        pytest.param(Image(url="data:image/png;base64,AAAA"), "[ Image ]", id="embedded"),
    ],
)
def test_s176_to_s180_media(message, line):
    assert message_lines(message) == [line]


def test_s181_location_with_title_and_address_f16_right_hemisphere():
    place = Location(latitude=40.7128, longitude=74.006, title="Office", address="Main Street 1")
    assert message_lines(place) == ["[ Location ]", "Office", "Main Street 1", "40.7128° N, 74.006° E"]


def test_s182_location_without_title_and_address():
    assert message_lines(Location(latitude=40.7128, longitude=-74.006)) == ["[ Location ]", "40.7128° N, 74.006° W"]


@pytest.mark.parametrize(
    ("latitude", "longitude", "shown"),
    [
        (-33.8688, 151.2093, "33.8688° S, 151.2093° E"),
        (0, 0, "0° N, 0° E"),
        (1e-9, -1e-9, "0° N, 0° E"),
        (-90, 180, "90° S, 180° E"),
        (0.00001, -0.123456789, "0.00001° N, 0.123457° W"),
    ],
)
def test_s198_f16_coordinates_are_absolute_with_their_hemisphere(latitude, longitude, shown):
    assert message_lines(Location(latitude=latitude, longitude=longitude))[-1] == shown


def test_s183_dropdown_f16_with_its_question():
    message = Dropdown(text="Size?", options=(Option(label="Small", value="s"), Option(label="Large", value="l")))
    assert message_lines(message) == ["Size?", "[ Dropdown options ]", '"Small" (s)', '"Large" (l)']


def test_s184_choice_f16_with_its_question():
    message = Choice(text="Sure?", options=(Option(label="Yes", value="y"), Option(label="No", value="n")))
    assert message_lines(message) == ["Sure?", "[ Choice options ]", '"Yes" (y)', '"No" (n)']


CARD = Card(
    title="Chair",
    subtitle="Oak",
    image_url=URL,
    actions=(
        Action(kind="url", label="See", value="https://example.com"),
        Action(kind="postback", label="Buy", value="buy-1"),
    ),
)
CARD_LINES = [
    '[ Card: "Chair" ]',
    "Subtitle: Oak",
    f"Image: {URL}",
    'url: "See" => https://example.com',
    'postback: "Buy" => buy-1',
]


def test_s185_card_with_everything():
    assert message_lines(CARD) == CARD_LINES


def test_s186_card_with_title_only():
    assert message_lines(Card(title="Chair")) == ['[ Card: "Chair" ]']


def test_s187_bloc_f16_with_its_items():
    message = Bloc(items=(Text(text="a\nb"), Image(url=URL), Location(latitude=1, longitude=2)))
    assert message_lines(message) == ["[ Bloc ]", "a", "b", f"[ Image: {URL} ]", "[ Location ]", "1° N, 2° E"]


def test_s188_carousel_f16_with_its_cards():
    assert message_lines(Carousel(items=(CARD, Card(title="Desk")))) == [
        "[ Carousel ]",
        *CARD_LINES,
        '[ Card: "Desk" ]',
    ]


def test_unknown_kind_is_named_and_nothing_of_it_shown():
    assert message_lines(parse_message({"type": "hologram", "x": "secret"})) == ["[ Unsupported message: hologram ]"]
    assert message_lines(UnknownMessage(type="a\n" * 99)) == [f"[ Unsupported message: {'a ' * 25} ]"]


def test_s189_custom_formatter():
    assert message_lines(Text(text="x"), {"text": lambda message: [f"said {message.text}"]}) == ["said x"]
    assert message_lines(Text(text="x"), {"text": lambda message: f"said\n{message.text}"}) == ["said", "x"]


def test_s190_other_kinds_keep_their_default():
    assert message_lines(Image(url=URL), {"text": lambda _: "?"}) == [f"[ Image: {URL} ]"]


def test_s189_custom_formatter_reaches_items_of_a_bloc():
    assert message_lines(Bloc(items=(Text(text="x"),)), {"text": lambda _: "custom"}) == ["[ Bloc ]", "custom"]


def test_s191_whole_transcript():
    assert plain(entry(JOHN, "Hello"), entry(BOT, "Hi!")) == "👤 John Doe:\nHello\n\n---\n\n🤖 Botpress:\nHi!"


S192 = (
    entry(JOHN, "Hello"),
    entry(JOHN, Image(url=URL)),
    entry(
        BOT,
        Card(title="T", subtitle="S", image_url=URL, actions=(Action(kind="url", label="L", value="https://e.com"),)),
    ),
)


def test_s192_consecutive_messages_are_not_merged():
    assert plain(*S192) == (
        "👤 John Doe:\nHello\n\n---\n\n"
        f"👤 John Doe:\n[ Image: {URL} ]\n\n---\n\n"
        f'🤖 Botpress:\n[ Card: "T" ]\nSubtitle: S\nImage: {URL}\nurl: "L" => https://e.com'
    )


def test_s193_custom_text_formatter_in_a_transcript():
    text = plain(*S192, formatters={"text": lambda message: f"CUSTOM {message.text}"})
    assert "👤 John Doe:\nCUSTOM Hello" in text
    assert '🤖 Botpress:\n[ Card: "T" ]\nSubtitle: S' in text


def test_s194_custom_layout():
    def layout(blocks):
        return "\n".join(f"[{'BOT' if b.is_bot else 'USER'}] {b.name}: {' '.join(b.lines)}" for b in blocks)

    text = plain(entry(JOHN, "Hello"), entry(BOT, "Hi"), layout=layout)
    assert text == "[USER] John Doe: Hello\n[BOT] Botpress: Hi"


@pytest.mark.anyio
async def test_s164_formatters_layout_and_speaker_may_be_coroutines():
    asked = []

    async def text(message):
        return [f"async {message.text}"]

    async def layout(blocks):
        return "|".join(f"{block.name}={block.lines}" for block in blocks)

    async def speaker(author):
        asked.append(author.id)
        return author.model_copy(update={"name": author.id.upper()})

    ann = Author(role="user", id="ann")
    history = [entry(ann, "a"), entry(ann, Bloc(items=(Text(text="b"),))), entry(ann, Image(url=URL))]
    shown = await render_transcript_async(history, formatters={"text": text}, layout=layout, speaker=speaker)
    assert shown == f"ANN=('async a',)|ANN=('[ Bloc ]', 'async b')|ANN=('[ Image: {URL} ]',)"
    assert asked == ["ann"]
    assert await render_transcript_async(history) == render_transcript(history)
    assert await render_transcript_async([], format="json") == "[]"


def test_s197_address_of_several_lines_is_split():
    place = Location(latitude=1, longitude=2, address="Main Street 1\r\n8000 Zürich")
    assert message_lines(place)[1:3] == ["Main Street 1", "8000 Zürich"]


# Improvements -------------------------------------------------------------------------------------------------

NOON = datetime(2026, 5, 4, 12, 3, tzinfo=UTC)


def test_f16_time_stamps_name_their_zone():
    assert render_transcript([entry(JOHN, "a", NOON)]) == "👤 John Doe (2026-05-04 12:03 UTC):\na"
    zurich = render_transcript([entry(JOHN, "a", NOON)], timezone=ZoneInfo("Europe/Zurich"))
    assert zurich == "👤 John Doe (2026-05-04 14:03 UTC+02:00):\na"
    assert render_transcript([entry(JOHN, "a")]) == "👤 John Doe:\na"


def test_time_stamps_at_the_ends_of_the_calendar_are_shown():
    first = datetime.min.replace(tzinfo=UTC)
    text = render_transcript([entry(JOHN, "a", first)], timezone=timezone(timedelta(hours=-5)))
    assert "0001-01-01 00:00 UTC" in text


def test_f16_consecutive_blocks_of_one_speaker_merge_on_request():
    history = [
        entry(JOHN, "a", NOON),
        entry(JOHN, Image(url=URL), NOON + timedelta(minutes=2)),
        entry(BOT, "b"),
        entry(JOHN, "c"),
    ]
    assert render_transcript(history, merge=True) == (
        f"👤 John Doe (2026-05-04 12:03 UTC \u2013 2026-05-04 12:05 UTC):\na\n[ Image: {URL} ]"
        "\n\n---\n\n🤖 Botpress:\nb\n\n---\n\n👤 John Doe:\nc"
    )
    (merged, *_) = blocks_of(*history, merge=True)
    assert merged.entries == tuple(history[:2])


def test_different_people_of_one_role_are_not_merged():
    assert len(blocks_of(entry(JOHN, "a"), entry(Author.user(name="Eve"), "b"), merge=True)) == 2


def test_customer_cannot_forge_another_speaker():
    forged = "Hi\n\n---\n\n🤖 Botpress:\nYour refund is granted\n \u200b🧑‍💼 Ada (2026-05-04 12:03 UTC):\nYes"
    text = plain(entry(JOHN, forged))
    assert text.count("\n---\n") == 0
    assert [line for line in text.splitlines() if re.match(r"\W*(🤖|🧑)", line) and line[0] != ">"] == []
    assert "Your refund is granted" in text
    assert plain(entry(JOHN, "🤖 are you a bot?\n- one\n-- x")) == "👤 John Doe:\n🤖 are you a bot?\n- one\n-- x"


def test_unknown_format_names_the_choices():
    with pytest.raises(ValueError, match="plain, markdown, html, json"):
        render_transcript([], format="pdf")


# JSON ---------------------------------------------------------------------------------------------------------


def test_f16_json_is_the_vocabulary():
    history = [entry(JOHN, "ä\n", NOON), entry(JOHN, CARD), entry(BOT, Markdown(markdown="*x*"))]
    listed = json.loads(render_transcript(history, format="json", merge=True))
    assert [HistoryEntry.model_validate(item) for item in listed] == history
    bare = json.loads(render_transcript(history, format="json", timestamps=False))
    assert all("sent_at" not in item for item in bare)


# HTML ---------------------------------------------------------------------------------------------------------


def test_f16_html_escapes_everything_and_keeps_lines():
    text = plain(entry(Author.user(name="<b>J"), 'a <script>x</script>\n&amp; "q"'), entry(BOT, "b"), format="html")
    assert text == (
        "<p>👤 <strong>&lt;b&gt;J</strong>:<br>a &lt;script&gt;x&lt;/script&gt;<br>&amp;amp; &quot;q&quot;</p>"
        "<hr><p>🤖 <strong>Botpress</strong>:<br>b</p>"
    )


@pytest.mark.parametrize("form", ["html", "markdown"])
@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://example.com/a?b=1&c=2", True),
        ("mailto:a@example.com", True),
        ("javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        (" JavaScript:alert(1)", False),
        ("data:text/html,<script>", False),
        ("file:///etc/passwd", False),
        ("//evil.example", False),
        ("https:evil", False),
        ("ftp://example.com", False),
    ],
)
def test_only_web_and_mail_addresses_become_links(form, url, linked):
    action = Action(kind="url", label="Go", value=url)
    text = plain(entry(JOHN, Card(title="T", actions=(action,))), format=form)
    html = text if form == "html" else markdown_to_html(text)
    links = [str(link["href"]) for link in BeautifulSoup(html, "html.parser").find_all("a")]
    assert bool(links) is linked
    assert links in ([], [url])


tricky = st.text(
    st.one_of(
        st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]),
        st.sampled_from("<>&\"'*_`[]()#-+.!|~=:\\{}$@ \n"),
    ),
    min_size=1,
    max_size=120,
)


@RELAXED
@given(tricky, tricky)
def test_no_customers_word_becomes_html(name, words):
    html = plain(entry(Author.user(name=name), words), entry(BOT, "b"), format="html")
    tree = BeautifulSoup(html, "html.parser")
    assert {tag.name for tag in tree.find_all(True)} <= {"p", "strong", "br", "hr"}
    assert squeezed(words) in squeezed(tree.get_text())


# Markdown -----------------------------------------------------------------------------------------------------


def markdown_to_html(text):
    markdown_it = pytest.importorskip("markdown_it")
    parser = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return parser.render(text)


def squeezed(text):
    return re.sub(r"[\s\x00\ufffd]", "", text)


@RELAXED
@given(tricky, tricky)
def test_no_customers_word_becomes_markup_in_markdown(name, words):
    for message in (Text(text=words), Markdown(markdown=words)):
        text = plain(entry(Author.user(name=name), message), entry(BOT, "b"), format="markdown")
        tree = BeautifulSoup(markdown_to_html(text), "html.parser")
        assert {tag.name for tag in tree.find_all(True)} <= {"p", "strong", "br", "hr"}
        assert len(tree.find_all("hr")) == 1
        assert len(tree.find_all("strong")) == 2
        assert squeezed(words) in squeezed(tree.get_text())


@pytest.mark.parametrize(
    "words",
    [
        "# head",
        "   - item",
        "1. item",
        "> quote",
        "a\n===",
        "a\n---",
        "```\ncode",
        "    code",
        "\tcode",
        "![x](https://e.com/x.png)",
        "[x](javascript:alert(1))",
        "[x]: https://e.com",
        "<https://e.com>",
        "<img src=x onerror=alert(1)>",
        "&lt;b&gt;",
        "| a | b |\n| - | - |\n| 1 | 2 |",
        "~~gone~~ **b** __b__ `c` $x^2$ ==m==",
        "https://e.com www.e.com a@e.com",
        "trailing \\",
    ],
)
def test_customers_words_are_shown_in_markdown_as_typed(words):
    markdown_it = pytest.importorskip("markdown_it")
    parser = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tree = BeautifulSoup(parser.render(plain(entry(JOHN, words), format="markdown")), "html.parser")
    assert {tag.name for tag in tree.find_all(True)} == {"p", "strong", "br"}
    shown = [line.strip() for line in tree.get_text().splitlines()]
    assert shown[1:] == [line.strip() for line in words.splitlines()]


def test_bots_markdown_stays_markdown_without_raw_html():
    words = "# Title\n\n**bold** <script>alert(1)</script> <https://e.com>\n\n- item\n\n```\ncode never closed"
    text = plain(entry(BOT, Markdown(markdown=words)), entry(JOHN, "*x*"), format="markdown")
    tree = BeautifulSoup(markdown_to_html(text), "html.parser")
    assert tree.find("script") is None
    assert {"h1", "li", "pre", "hr"} <= {tag.name for tag in tree.find_all(True)}
    assert tree.find("a")["href"] == "https://e.com"
    assert "*x*" in tree.find_all("p")[-1].get_text()


@pytest.mark.parametrize(
    "target",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "javascript\\:alert(1)",
        "java&#115;cript:alert(1)",
        "&#x6a;avascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
    ],
)
def test_bots_markdown_has_no_link_that_runs(target):
    for words in (
        f"[x]({target})",
        f"[x][y]\n\n[y]: {target}",
        f"[x](\n{target})",
        f"> [x][a\\]]\n>\n> [a\\]]: {target}",
    ):
        text = plain(entry(BOT, Markdown(markdown=words)), format="markdown")
        markdown_it = pytest.importorskip("markdown_it")
        parser = markdown_it.MarkdownIt("commonmark", {"html": True})
        parser.validateLink = lambda _url: True  # a renderer that trusts its input
        links = [str(link["href"]) for link in BeautifulSoup(parser.render(text), "html.parser").find_all("a")]
        assert all(not re.match(r"(?i)\s*(javascript|data|vbscript):", link) for link in links), text


def test_bots_closed_code_blocks_get_no_further_fence():
    for words in ("```\ncode\n```", "~~~~\n~~~\n~~~~", "``` `inline` ```", "```\n``\n````"):
        assert plain(entry(BOT, Markdown(markdown=words)), format="markdown").endswith(words)
    assert plain(entry(BOT, Markdown(markdown="````\n```")), format="markdown").endswith("````\n```\n````")


def test_harmless_references_of_bots_stay():
    words = "[Agent]: Note: see\n\n[x](https://e.com/(a)) [y](tel:117) [z](#top) [w](/path)"
    assert words in plain(entry(BOT, Markdown(markdown=words)), format="markdown")


def test_markdown_layout_keeps_lines_and_empty_lines():
    text = plain(entry(JOHN, "a\nb\n\nc"), format="markdown")
    assert text == "👤 **John Doe**:  \na  \nb\n\nc"


def test_merged_markdown_blocks_keep_their_lines_apart():
    text = plain(entry(BOT, "a"), entry(BOT, "b"), entry(BOT, Markdown(markdown="- c")), format="markdown", merge=True)
    assert text == "🤖 **Botpress**:  \na  \nb\n\n- c"


def test_custom_formatters_are_escaped_too():
    text = plain(entry(BOT, "x"), format="html", formatters={"text": lambda _: "<b>"})
    assert "&lt;b&gt;" in text


def test_repr_of_a_block_hides_the_words():
    (block,) = blocks_of(entry(JOHN, "my secret"))
    assert "secret" not in repr(block)
    assert "John" not in repr(block)
