"""Relay strategies: what is handed over of a history, and how (behaviour F06, F17, F18, S160-S163)."""

import base64
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hitl_core.discovery import Plugin
from hitl_core.errors import ConfigurationError, ProviderLoadError
from hitl_core.info import Capabilities, Limits, TextLimit
from hitl_core.messages import Bloc, Choice, File, Image, Location, Markdown, Option, Text
from hitl_core.people import Author
from hitl_core.relay import (
    AttachmentFile,
    Chain,
    Last,
    Limited,
    Messages,
    Note,
    Nothing,
    RelayContext,
    RelayStrategy,
    Summary,
    Transcript,
    compose_opening,
    resolve_strategy,
)
from hitl_core.rendering import Labels
from hitl_core.sessions import HistoryEntry, RelayItem

USER, BOT = Author.user(name="Ada"), Author.bot("Bot")
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PLAIN = Transcript(timestamps=False)
URL = "https://example.com/x.png"


def entry(message, author=USER, sent_at=None):
    return HistoryEntry.of(author, message, sent_at)


def context(text=None, opening=None, **options):
    """Return a context; ``text`` and ``opening`` are limits in characters, other capabilities go by name."""
    limits = Limits(
        text=text and TextLimit(max=text),
        opening=opening and TextLimit(max=opening),
        attachment_bytes=options.pop("attachment_bytes", None),
    )
    fields = {name: options.pop(name) for name in list(options) if name in RelayContext.__dataclass_fields__}
    return RelayContext(limits=limits, capabilities=Capabilities(**options), **fields)


def texts(items):
    return [item.text for item in items]


def sources(items):
    return [entry for item in items for entry in item.source]


EVERY = [
    Transcript(),
    Messages(),
    Last(),
    Note(),
    AttachmentFile(),
    Summary("x"),
    Nothing(),
    Chain((Transcript(), Note())),
]


@pytest.mark.parametrize("strategy", EVERY, ids=lambda strategy: type(strategy).__name__)
def test_s163_empty_history_gives_no_items(strategy):
    assert isinstance(strategy, RelayStrategy)
    assert strategy.plan([], context(attachments=True, internal_notes=True)) == ()


# transcript ---------------------------------------------------------------------------------------------------


def test_transcript_is_one_text_in_the_layout_of_s160():
    history = [entry("Hello"), entry("Hi", BOT)]
    (item,) = PLAIN.plan(history, context(text=1000))
    assert item == RelayItem(text="👤 Ada:\nHello\n\n---\n\n🤖 Bot:\nHi", source=tuple(history))


def test_five_hundred_messages_under_the_limit_are_exactly_one_item():
    history = [entry(f"message {number}", BOT if number % 2 else USER) for number in range(500)]
    (item,) = Transcript().plan(history, context(text=64_000))
    assert sources([item]) == history


def test_transcript_is_split_between_messages_first():
    history = [entry("a" * 20), entry("b" * 20), entry("c" * 20)]
    items = PLAIN.plan(history, context(text=70))
    assert texts(items) == [f"👤 Ada:\n{'a' * 20}\n\n---\n\n👤 Ada:\n{'b' * 20}", f"👤 Ada:\n{'c' * 20}"]
    assert [item.source for item in items] == [tuple(history[:2]), tuple(history[2:])]
    assert not any(item.continues for item in items)


def test_over_long_message_goes_on_between_words():
    history = [entry("one two three four five six seven"), entry("end", BOT)]
    items = PLAIN.plan(history, context(text=22))
    assert texts(items) == ["👤 Ada:\none two three", "four five six seven", "🤖 Bot:\nend"]
    assert [item.source for item in items] == [(history[0],), (), (history[1],)]
    assert [item.continues for item in items] == [False, True, False]


def test_rest_of_an_over_long_message_shares_its_item():
    history = [entry("word " * 30), entry("end", BOT)]
    items = PLAIN.plan(history, context(text=120))
    assert [item.source for item in items] == [(history[0],), (history[1],)]
    assert [item.continues for item in items] == [False, True]


def test_first_item_fits_what_the_opening_has_left():
    history = [entry("a" * 20), entry("b" * 20), entry("c" * 20)]
    items = PLAIN.plan(history, context(text=1000, opening=130, opening_used=80))
    assert len(items[0].text) <= 50 - 20
    assert items[0].source == (history[0],)
    assert items[1].source == tuple(history[1:])


def test_opening_larger_than_a_message_is_used():
    history = [entry("a" * 50), entry("b" * 50), entry("c" * 90)]
    items = PLAIN.plan(history, context(text=100, opening=200))
    assert [len(item.source) for item in items] == [2, 1]


def test_full_opening_leaves_the_history_to_messages_of_their_own():
    for used in (100, 150):
        (item,) = PLAIN.plan([entry("a" * 200)], context(text=1000, opening=100, opening_used=used))
        assert len(item.text) > 200


def test_empty_line_after_the_description_is_accounted_for():
    description = "d" * 100
    history = [entry("word " * 100)]
    items = PLAIN.plan(history, context(text=1000, opening=300, opening_used=100))
    text, placed = compose_opening(description, items, TextLimit(max=300))
    assert placed == 1
    assert len(text) <= 300
    assert text == f"{description}\n\n{items[0].text}"


@pytest.mark.parametrize("unit", ["characters", "utf16", "bytes"])
def test_any_room_in_the_opening_makes_a_plan(unit):
    for used in range(95, 102):
        limits = Limits(text=TextLimit(max=50, unit="utf16"), opening=TextLimit(max=100, unit=unit))
        for strategy in (PLAIN, Messages(), Note(PLAIN)):
            items = strategy.plan([entry("😀" * 20)], RelayContext(limits=limits, opening_used=used))
            assert "".join(texts(items)).count("😀") == 20


def test_no_limits_mean_one_item():
    (item,) = PLAIN.plan([entry("x" * 100_000), entry("y")], context())
    assert len(item.text) > 100_000


def test_names_labels_zone_and_merging():
    history = [
        HistoryEntry.of(Author.bot(), "a", NOON),
        HistoryEntry.of(Author.bot(), "b", NOON),
        entry("c", Author.user()),
    ]
    options = {"bot_name": "Robo", "labels": Labels(user="Kunde"), "timezone": ZoneInfo("Europe/Zurich")}
    (item,) = Transcript(merge=True).plan(history, context(**options))
    assert item.text == "🤖 Robo (2026-05-04 14:00 UTC+02:00):\na\nb\n\n---\n\n👤 Kunde:\nc"
    assert item.source == tuple(history)


def test_templates_of_customers_are_inert_in_name_and_text():
    history = [entry("{{ticket.cc}} {% x %} {\u200b{y", Author.user(name="{{name}}"))]
    for strategy in (Transcript(), Messages(), Note(), Last(), Summary("{{summary}}")):
        for item in strategy.plan(history, context(internal_notes=True)):
            assert not re.search(r"\{[\u200b]*[{%]", item.text)
    (item,) = PLAIN.plan([entry("[[x]] {{y")], context(placeholders=("[[",)))
    assert "[ [x]] {{y" in item.text


def test_vendor_with_structured_history_gets_words_that_are_no_entry_apart():
    history = [entry("a"), entry("b", BOT)]
    items = Summary("Wants a refund").plan(history, context(text=1000, structured_history=True))
    assert items[0] == RelayItem(text="Wants a refund", author=Author.system())
    assert items[1].source == tuple(history)


# messages -----------------------------------------------------------------------------------------------------


def test_messages_are_each_by_their_author():
    history = [entry("Hello"), entry("Hi", Author.bot()), entry(Markdown(markdown="*x*"), BOT)]
    items = Messages().plan(history, context(bot_name="Robo"))
    assert texts(items) == ["Hello", "Hi", "*x*"]
    assert [item.author.name for item in items] == ["Ada", "Robo", "Bot"]
    assert [item.source for item in items] == [(each,) for each in history]


def test_messages_split_what_is_too_long():
    history = [entry("one two three"), entry("b")]
    items = Messages().plan(history, context(text=8))
    assert texts(items) == ["one two", "three", "b"]
    assert [item.continues for item in items] == [False, True, False]
    assert sources(items) == history


def test_first_message_fits_the_opening_and_a_message():
    items = Messages().plan([entry("one two three four")], context(text=100, opening=20, opening_used=12))
    assert texts(items) == ["one two", "three four"]
    mixed = RelayContext(limits=Limits(text=TextLimit(max=5), opening=TextLimit(max=10, unit="bytes")))
    assert [len(text) for text in texts(Messages().plan([entry("äöüäöüäöü")], mixed))] == [2, 5, 2]


def test_files_stay_files_where_the_account_takes_them():
    history = [
        entry(Image(url=URL)),
        entry(Image(ref={"id": "1"}, name="a.png")),
        entry(Location(latitude=1, longitude=2)),
    ]
    items = Messages().plan(history, context(attachments=True))
    assert items[0].attachment == File(url=URL)
    assert items[1].attachment.name == "a.png"
    assert items[2].text == "Latitude: 1\nLongitude: 2"
    shown = Messages().plan(history, context(message_types=["image"]))
    assert shown[0].attachment == Image(url=URL)
    assert shown[1].text == "[ Image - a.png ]"
    assert texts(Messages().plan(history, context()))[0] == URL


def test_file_beyond_the_limit_becomes_a_link():
    history = [entry(Image(url=URL, size=2000)), entry(Image(url=URL, size=10))]
    items = Messages().plan(history, context(attachments=True, attachment_bytes=1000))
    assert items[0].text == URL
    assert items[1].attachment == File(url=URL, size=10)


def test_items_of_a_bloc_belong_to_one_entry():
    history = [entry(Bloc(items=(Text(text="a"), Image(url=URL), Text(text="b"))))]
    items = Messages().plan(history, context(attachments=True))
    assert texts(items) == ["a", None, "b"]
    assert [item.source for item in items] == [(history[0],), (), ()]
    assert [item.continues for item in items] == [False, True, True]


def test_blank_message_is_still_an_item():
    assert texts(Messages().plan([entry(" ")], context(text=10))) == ["-"]


# last, limits -------------------------------------------------------------------------------------------------


def test_last_keeps_the_newest_and_says_how_many_are_left_out():
    history = [entry(f"m{number}") for number in range(10)]
    (item,) = Last(3).plan(history, context())
    assert item.source == tuple(history[-3:])
    assert item.text.startswith("[ Earlier messages not shown: 7 ]\n\n---\n\n👤 Ada:\nm7")
    (item,) = Last(10).plan(history, context())
    assert "not shown" not in item.text


def test_left_out_is_said_in_the_hosts_words():
    (item,) = Last(1).plan(
        [entry("a"), entry("b")], context(labels=Labels(left_out="{count} ältere Nachrichten fehlen"))
    )
    assert item.text.startswith("1 ältere Nachrichten fehlen")


def test_f06_limits_of_count_size_age_and_time():
    history = [entry("x" * 10, sent_at=NOON + timedelta(hours=hour)) for hour in range(6)]

    def kept(now=None, **limits):
        return len(sources(Limited(PLAIN, **limits).plan(history, context(now=now))))

    assert kept() == 6
    assert kept(max_messages=2) == 2
    assert kept(max_bytes=35) == 3
    assert kept(max_bytes=1) == 1
    assert kept(max_age=timedelta(hours=2)) == 3
    assert kept(max_age=timedelta(hours=2), now=NOON + timedelta(hours=6)) == 2
    assert kept(max_age=timedelta(days=10**6)) == 6
    assert kept(since=NOON + timedelta(hours=4)) == 2
    assert kept(since=NOON + timedelta(hours=4), max_messages=1) == 1


def test_messages_of_unknown_time_stay_with_their_neighbours():
    history = [entry("a"), entry("b", sent_at=NOON), entry("c"), entry("d", sent_at=NOON + timedelta(hours=2))]
    items = Limited(PLAIN, since=NOON + timedelta(hours=1)).plan(history, context())
    assert sources(items) == history[2:]
    assert sources(Limited(PLAIN, max_age=timedelta(1)).plan([entry("a")], context())) == [entry("a")]


def test_nothing_recent_still_says_that_there_was_something():
    history = [entry("a", sent_at=NOON)]
    (item,) = Limited(PLAIN, since=NOON + timedelta(days=1)).plan(history, context())
    assert (item.text, item.source) == ("[ Earlier messages not shown: 1 ]", ())
    assert Limited(Nothing(), max_messages=1).plan(history * 3, context()) == ()


def test_limits_say_what_is_left_out_with_every_strategy():
    history = [entry("a"), entry("b")]
    first, second = Limited(Messages(), max_messages=1).plan(history, context())
    assert (first.text, first.author, first.source) == ("[ Earlier messages not shown: 1 ]", Author.system(), ())
    assert second.source == (history[1],)
    (file,) = Limited(AttachmentFile(), max_messages=1).plan(history, context(attachments=True))
    assert "not shown: 1" in content_of(file)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Last(0),
        lambda: Limited(PLAIN, max_messages=0),
        lambda: Limited(PLAIN, max_bytes=0),
        lambda: Limited(PLAIN, since=datetime(2026, 1, 1)),  # noqa: DTZ001 - that is what is refused
    ],
)
def test_senseless_limits_are_refused(make):
    with pytest.raises(ConfigurationError):
        make()


# note, attachment, summary ------------------------------------------------------------------------------------


def test_note_is_internal_always():
    history = [entry("a" * 50), entry("b" * 50)]
    for notes in (True, False):
        items = Note(PLAIN).plan(history, context(text=70, opening=200, internal_notes=notes))
        assert all(item.internal for item in items)
        assert all(len(item.text) <= 70 for item in items)
        assert sources(items) == history


def content_of(item):
    head, _, data = item.attachment.url.partition(",")
    assert head == "data:text/plain;charset=utf-8;base64"
    content = base64.b64decode(data)
    assert item.attachment.size == len(content)
    return content.decode()


def test_attachment_is_a_text_file_with_everything():
    history = [entry("Grüezi {{x}}"), entry("Hi", BOT)]
    (item,) = AttachmentFile(timestamps=False).plan(history, context(text=5, attachments=True))
    assert content_of(item) == "👤 Ada:\nGrüezi {{x}}\n\n---\n\n🤖 Bot:\nHi"
    assert (item.attachment.name, item.attachment.content_type) == ("transcript.txt", "text/plain")
    assert item.source == tuple(history)


def test_attachment_falls_back_to_a_transcript():
    history = [entry("Hello")]
    expected = PLAIN.plan(history, context(text=100))
    strategy = AttachmentFile(timestamps=False)
    assert strategy.plan(history, context(text=100)) == expected
    assert strategy.plan(history, context(text=100, attachments=True, attachment_bytes=5)) == expected


def test_summary_comes_first_and_is_asked_for_once():
    history = [entry("a"), entry("b", BOT)]
    asked = []

    def summarise(entries):
        asked.append(list(entries))
        return " Wants a refund. "

    (item,) = Summary(summarise, then=PLAIN).plan(history, context(text=1000))
    assert item.text == "Wants a refund.\n\n---\n\n👤 Ada:\na\n\n---\n\n🤖 Bot:\nb"
    assert item.source == tuple(history)
    assert asked == [history]
    assert len(Summary(summarise).plan(history, context(text=20))) > 2
    assert len(asked) == 2
    assert Summary(summarise).plan([], context()) == ()
    assert len(asked) == 2


def test_empty_summary_leaves_the_transcript():
    history = [entry("a")]
    assert Summary("  ", then=PLAIN).plan(history, context()) == PLAIN.plan(history, context())


def test_summary_hides_its_words_in_its_repr():
    assert "refund" not in repr(Summary("Wants a refund"))


def test_chain_names_each_entry_once_and_uses_the_opening_once():
    history = [entry("a" * 30), entry("b" * 30)]
    items = Chain((Nothing(), PLAIN, AttachmentFile(), PLAIN)).plan(
        history, context(text=100, opening=60, opening_used=10, attachments=True)
    )
    assert sources(items) == history
    assert [item.attachment is not None for item in items] == [False, False, True, False]
    assert len(items[-1].text) > 60


def test_same_entry_twice_in_a_history_is_named_twice():
    once = entry("a")
    assert sources(Chain((PLAIN,)).plan([once, once], context())) == [once, once]


# opening ------------------------------------------------------------------------------------------------------


def test_compose_opening_takes_what_fits_and_is_public_and_nobodys():
    items = [RelayItem(text="a"), RelayItem(text="b"), RelayItem(text="c")]
    assert compose_opening("d", items, TextLimit(max=7)) == ("d\n\na\n\nb", 2)
    assert compose_opening(None, items, None) == ("a\n\nb\n\nc", 3)
    assert compose_opening("d", (), TextLimit(max=7)) == ("d", 0)
    assert compose_opening("d", [RelayItem(text="a", internal=True)], None) == ("d", 0)
    assert compose_opening("d", [RelayItem(text="a", author=USER)], None) == ("d", 0)
    assert compose_opening(None, [RelayItem(attachment=Image(url=URL))], None) == ("", 0)


# names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "strategy"),
    [
        ("transcript", Transcript()),
        ("messages", Messages()),
        ("last", Last(20)),
        ("last(5)", Last(5)),
        (" last ( 5 ) ", Last(5)),
        ("note", Note()),
        ("attachment", AttachmentFile()),
        ("summary(Wants (only) a refund)", Summary("Wants (only) a refund")),
        ("none", Nothing()),
        (Last(7), Last(7)),
        (["summary(x)", Note()], Chain((Summary("x"), Note()))),
    ],
)
def test_strategies_are_found_by_name(spec, strategy):
    assert resolve_strategy(spec) == strategy


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("transcrpt", "no relay strategy 'transcrpt' is installed; did you mean 'transcript'"),
        ("last(x)", r"last\(n\) takes a number"),
        ("last(0)", "at least 1"),
        ("summary", r"needs an argument: name it as summary\(…\)"),
        ("note(3)", "'note' takes no argument"),
        ("", "is a name"),
        ("last(", "is a name"),
        (object(), "a object is no relay strategy"),
        (Transcript, "is no relay strategy"),
        (["none", "nope"], "no relay strategy 'nope'"),
    ],
)
def test_wrong_specs_say_what_is_wrong(spec, message):
    with pytest.raises(ConfigurationError, match=message):
        resolve_strategy(spec)


def plugin(name, target):
    return Plugin(name=name, target=target, distribution="acme-relay", version="1.0", group="hitl.relay_strategies")


def test_broken_strategy_breaks_no_other():
    plugins = [plugin("broken", "no_such_module:X"), plugin("mine", "hitl_core.relay:Nothing")]
    assert resolve_strategy("mine", plugins=plugins) == Nothing()
    with pytest.raises(ProviderLoadError, match=r"'broken' of acme-relay 1.0 cannot be imported"):
        resolve_strategy("broken", plugins=plugins)
    with pytest.raises(ConfigurationError, match="installed: broken, mine"):
        resolve_strategy("transcript", plugins=plugins)


def test_entry_point_that_is_no_strategy_says_so():
    with pytest.raises(ConfigurationError, match=r"'odd' is no relay strategy: it needs a method plan"):
        resolve_strategy("odd", plugins=[plugin("odd", "collections:OrderedDict")])


def test_choice_keeps_its_question_in_every_form():
    history = [entry(Choice(text="Sure?", options=(Option(label="Yes", value="y"),)), BOT)]
    for strategy in (Transcript(), Messages()):
        (item,) = strategy.plan(history, context())
        assert "Sure?" in item.text
        assert '"Yes" (y)' in item.text
