"""What holds for every relay strategy, whatever the history, the account and its limits."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_core.info import Capabilities, Limits, TextLimit
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
from hitl_core.people import Author, Role
from hitl_core.relay import (
    AttachmentFile,
    Chain,
    Last,
    Limited,
    Messages,
    Note,
    RelayContext,
    Summary,
    Transcript,
    compose_opening,
)
from hitl_core.rendering import neutralise_placeholders, render_transcript
from hitl_core.sessions import HistoryEntry

words = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from(list("ab {}%$\n\r-:🤖👤\u0301\u200d\ufe0f\U0001f1e9\U0001f469\u200b")),
    ),
    min_size=1,
    max_size=80,
)
labels = st.text(min_size=1, max_size=10)
urls = labels.map(lambda text: f"https://example.com/{text}")
media = [
    st.builds(kind, url=urls, title=st.none() | labels, size=st.none() | st.integers(0, 2000))
    for kind in (Image, Audio, Video, File)
]
simple = st.one_of(
    st.builds(Text, text=words),
    st.builds(Markdown, markdown=words),
    *media,
    st.just(File(ref={"id": "1"}, name="a.pdf")),
    st.builds(Location, latitude=st.floats(-90, 90), longitude=st.floats(-180, 180), title=st.none() | labels),
)
options = st.lists(st.builds(Option, label=labels, value=labels), min_size=1, max_size=2).map(tuple)
actions = st.builds(Action, kind=st.sampled_from(["postback", "url", "say"]), label=labels, value=labels)
cards = st.builds(Card, title=labels, subtitle=st.none() | words, actions=st.lists(actions, max_size=2).map(tuple))
messages = st.one_of(
    simple,
    cards,
    st.builds(Carousel, items=st.lists(cards, min_size=1, max_size=2).map(tuple)),
    st.builds(Choice, text=words, options=options),
    st.builds(Dropdown, text=words, options=options),
    st.builds(Bloc, items=st.lists(simple, min_size=1, max_size=3).map(tuple)),
    st.builds(lambda kind: parse_message({"type": f"x-{kind}", "a": 1}), labels),
)
authors = st.builds(Author, role=st.sampled_from(list(Role)), name=st.none() | labels)
times = st.none() | st.datetimes(timezones=st.just(UTC))
entries = st.builds(HistoryEntry, author=authors, message=messages, sent_at=times)
histories = st.lists(entries, max_size=6)
text_limits = st.builds(TextLimit, max=st.integers(4, 400), unit=st.sampled_from(["characters", "utf16", "bytes"]))
contexts = st.builds(
    RelayContext,
    limits=st.builds(
        Limits,
        text=st.none() | text_limits,
        opening=st.none() | text_limits,
        attachment_bytes=st.none() | st.integers(1, 1000),
    ),
    capabilities=st.builds(
        Capabilities,
        message_types=st.frozensets(st.sampled_from(MESSAGE_TYPES)),
        attachments=st.booleans(),
        internal_notes=st.booleans(),
        structured_history=st.booleans(),
    ),
    bot_name=st.none() | labels,
    opening_used=st.integers(0, 400),
    now=st.none() | st.just(datetime(2026, 5, 4, tzinfo=UTC)),
)
STRATEGIES = [
    Transcript(),
    Transcript(timestamps=False, merge=True),
    Messages(),
    Note(),
    AttachmentFile(),
    Summary("Wants {{a}} refund\n🤖 now"),
    Chain((AttachmentFile(), Messages())),
]
KEEPING_LESS = [Last(2), Limited(Messages(), max_bytes=50), Limited(Note(), since=datetime(2020, 1, 1, tzinfo=UTC))]


EXAMPLES = settings(max_examples=40, deadline=None)  # a deadline would measure the machine's other work


def is_full(context):
    """Whether the opening has no room for even one character of any kind."""
    opening = context.limits.opening or context.limits.text
    widest = {"characters": 1, "utf16": 2, "bytes": 4}
    return bool(opening and context.opening_used and opening.max - context.opening_used < widest[opening.unit])


def cramped(item, context):
    """Whether an item that may have to stand alone met an opening too small for any of its characters."""
    alone = item.author is not None or item.internal
    return alone and (context.limits.opening or context.limits.text).max - context.opening_used < 4


@EXAMPLES
@pytest.mark.parametrize("strategy", [*STRATEGIES, *KEEPING_LESS], ids=lambda strategy: type(strategy).__name__)
@given(history=histories, context=contexts)
def test_items_are_within_limits_and_inert(strategy, history, context):
    opening = context.limits.opening or context.limits.text
    items = strategy.plan(history, context)
    assert items == strategy.plan(history, context)
    for number, item in enumerate(items):
        if item.text is None:
            assert (
                context.limits.attachment_bytes is None
                or (item.attachment.size or 0) <= context.limits.attachment_bytes
            )
            continue
        assert item.text.strip()
        assert neutralise_placeholders(item.text, context.capabilities.placeholders) == item.text
        if number or is_full(context):
            assert context.limits.text is None or context.limits.text.allows(item.text)
        elif opening and not cramped(item, context):
            assert opening.measure(item.text) <= opening.max - context.opening_used


@EXAMPLES
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: type(strategy).__name__)
@given(history=histories, context=contexts)
def test_every_entry_begins_in_exactly_one_item_in_order(strategy, history, context):
    items = strategy.plan(history, context)
    assert [entry for item in items for entry in item.source] == history
    assert not (items and items[0].continues)


@EXAMPLES
@given(histories, contexts)
def test_transcript_loses_no_character_but_white_space(history, context):
    items = Transcript(timestamps=False).plan(history, context)
    whole = render_transcript(history, names=context.names, timestamps=False)

    def solid(text):
        return "".join(char for char in text if not char.isspace()).replace("---", "")

    assert solid("".join(item.text for item in items)) == solid(whole)


@EXAMPLES
@given(histories, contexts, words)
def test_opening_is_never_too_long(history, context, description):
    limit = context.limits.opening or context.limits.text
    description = limit and limit.allows(description) and description
    context = RelayContext(
        limits=context.limits,
        capabilities=context.capabilities,
        opening_used=limit.measure(description) if description else 0,
    )
    items = Transcript().plan(history, context)
    text, placed = compose_opening(description or None, items, limit)
    assert placed <= len(items)
    assert limit is None or limit.allows(text)
    if limit and items and limit.max - context.opening_used >= 64:
        assert placed >= 1 or (context.capabilities.structured_history and items[0].author)


def test_transcript_takes_time_in_proportion():
    context = RelayContext(limits=Limits(text=TextLimit(max=4096, unit="utf16")))

    def seconds(count):
        history = [HistoryEntry.of(Author.user(name="Ada"), f"message {number} " * 20) for number in range(count)]
        started = time.perf_counter()
        Transcript().plan(history, context)
        return time.perf_counter() - started

    tenth = min(seconds(100) for _ in range(3))
    assert seconds(1000) < 40 * tenth + 0.2
