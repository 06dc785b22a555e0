"""Splitting and shortening: behaviour S263, R16, F17."""

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_core.info import TextLimit
from hitl_core.rendering import shorten, split_text

RELAXED = settings(deadline=None)  # a deadline would measure the machine's other work

UTF16_4096 = TextLimit(max=4096, unit="utf16")
FAMILY = "👨‍👩‍👧‍👦"

# Characters that splitting goes wrong on, beside everything else.
tricky = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from(
            list("ab .!?\n\r\t\u00a0\u0301\u200d\ufe0f\U0001f469\U0001f3fd\U0001f1e9\U0001f1ea。漢한\u1161")
        ),
    ),
    max_size=300,
)
limits = st.builds(TextLimit, max=st.integers(4, 60), unit=st.sampled_from(["characters", "utf16", "bytes"]))


def solid(text):
    return "".join(char for char in text if not char.isspace())


def test_s263_surrogate_pair_is_never_split():
    assert split_text("a" * 4095 + "😀" + "b", UTF16_4096, exact=True) == ("a" * 4095, "😀b")
    assert split_text("a" * 4095 + "😀" + "b", UTF16_4096) == ("a" * 4095, "😀b")


def test_s263_exactly_the_limit_is_not_cut():
    assert split_text("a" * 4096, UTF16_4096) == ("a" * 4096,)
    assert split_text("a" * 4094 + "😀", UTF16_4096, exact=True) == ("a" * 4094 + "😀",)
    assert split_text("a" * 4097, UTF16_4096, exact=True) == ("a" * 4096, "a")


@RELAXED
@given(tricky, limits)
def test_s263_exact_parts_join_to_the_original_within_the_limit(text, limit):
    parts = split_text(text, limit, exact=True)
    assert "".join(parts) == text
    assert all(part and limit.allows(part) for part in parts)


@RELAXED
@given(tricky, limits, limits)
def test_parts_are_within_the_limit_and_lose_no_character_but_white_space(text, limit, first):
    parts = split_text(text, limit, first=first)
    assert solid("".join(parts)) == solid(text)
    assert all(first.allows(part) for part in parts[:1])
    assert all(limit.allows(part) for part in parts[1:])
    assert all(parts)
    if first.allows(text):
        assert parts == ((text,) if text else ())


@RELAXED
@given(st.lists(st.text("abcäß", min_size=1, max_size=9), max_size=60), st.integers(9, 40))
def test_words_are_whole(words, size):
    parts = split_text(" ".join(words), TextLimit(max=size))
    assert [word for part in parts for word in part.split()] == words


def test_white_space_is_dropped_at_the_cut_only():
    assert split_text("  one   two  ", TextLimit(max=6)) == ("  one", "two  ")
    assert split_text("one   two", TextLimit(max=5), exact=True) == ("one  ", " two")
    assert split_text("a" + " " * 50 + "b", TextLimit(max=3)) == ("a", "b")
    assert split_text(" " * 50, TextLimit(max=3)) == ("   ",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aaaa bbb\n\nccc ddd\neee. f ggg", "aaaa bbb\n\nccc ddd"),
        ("aaaa bbb ccc\n\nddd\neee. f ggg", "aaaa bbb ccc"),
        ("aaaa bbb ccc. ddd eee f ggg h", "aaaa bbb ccc."),
        ("aaaa bbb ccc ddd eee f ggg hh", "aaaa bbb ccc ddd eee"),
        ("aaaa bbb ccc\r\n\r\nddd eee f ggg hh", "aaaa bbb ccc"),
    ],
    ids=["line", "paragraph", "sentence", "word", "windows paragraph"],
)
def test_cuts_between_paragraphs_before_lines_before_sentences_before_words(text, expected):
    assert split_text(text, TextLimit(max=21))[0] == expected


def test_paragraph_near_the_start_does_not_make_a_tiny_part():
    text = "Hi\n\n" + "word " * 30
    assert len(split_text(text, TextLimit(max=100))[0]) > 50


def test_text_without_spaces_is_cut_where_it_is_full():
    assert split_text("Hi " + "漢字" * 10, TextLimit(max=10)) == ("Hi 漢字漢字漢字漢", "字漢字漢字漢字漢字漢", "字漢字")
    assert split_text("no\u00a0break " + "x" * 8, TextLimit(max=10)) == ("no\u00a0break", "x" * 8)


@pytest.mark.parametrize(
    "cluster",
    [FAMILY, "👩🏽", "❤️", "e\u0301", "🇩🇪", "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e007f", "각", "\r\n"],
    ids=["family", "skin tone", "variation", "accent", "flag", "tagged flag", "jamo", "line end"],
)
def test_what_is_shown_as_one_character_stays_whole(cluster):
    width = len(cluster)
    for filler in range(1, 2 * width + 2):
        text = "x" * filler + cluster * 3
        for part in split_text(text, TextLimit(max=2 * width + 1), exact=True):
            assert len(part.strip("x")) % width == 0, part


def test_flags_are_paired_from_the_start_of_their_run():
    assert split_text("🇩🇪🇫🇷🇮🇹", TextLimit(max=3)) == ("🇩🇪", "🇫🇷", "🇮🇹")


def test_cluster_beyond_the_limit_is_cut_between_code_points():
    assert split_text(FAMILY, TextLimit(max=3), exact=True) == ("👨‍👩", "‍👧‍", "👦")
    parts = split_text("a" + "\u0301" * 20, TextLimit(max=8, unit="bytes"))
    assert all(len(part.encode()) <= 8 for part in parts)
    assert "".join(parts) == "a" + "\u0301" * 20


def test_surrogates_that_arrive_as_two_characters_stay_together():
    assert split_text("ab\ud83d\ude00c", TextLimit(max=3, unit="utf16"), exact=True) == ("ab", "\ud83d\ude00c")


def test_limit_too_small_for_a_character_says_so():
    with pytest.raises(ValueError, match="3 bytes cannot hold one character"):
        split_text("ab😀cd", TextLimit(max=3, unit="bytes"))


def test_empty_text_has_no_parts():
    assert split_text("", TextLimit(max=5)) == ()


@pytest.mark.parametrize(
    "text",
    [
        "word " * 200_000,
        "x" * 1_000_000,
        "a" + "\u0301" * 1_000_000,
        "🇩" * 1_000_000,
        "ab\n\n" + ("x" * 95 + " ") * 10_000,
        " " * 1_000_000 + "x",
        "漢。" * 500_000,
    ],
    ids=["words", "solid", "accents", "flags", "lines", "spaces", "chinese"],
)
def test_a_megabyte_takes_time_in_proportion(text):
    def seconds(sample):
        started = time.perf_counter()
        split_text(sample, TextLimit(max=100, unit="utf16"))
        return time.perf_counter() - started

    tenth = min(seconds(text[: len(text) // 10]) for _ in range(3))
    assert seconds(text) < 60 * tenth + 0.2


@RELAXED
@given(tricky, limits)
def test_shorten_stays_within_the_limit_and_marks_a_cut(text, limit):
    short = shorten(text, limit)
    assert limit.allows(short)
    if limit.allows(text):
        assert short == text
    else:
        kept = short.removesuffix("…")
        assert text.startswith(kept)
        assert kept or not text[:3].strip()


def test_shorten_cuts_on_a_word_border_where_one_is_near():
    assert shorten("Refund for order 1234", TextLimit(max=20)) == "Refund for order…"
    assert shorten("Donaudampfschiff", TextLimit(max=10)) == "Donaudamp…"
    assert shorten("A Donaudampfschifffahrt", TextLimit(max=12)) == "A Donaudamp…"
    assert shorten("abcdef", TextLimit(max=3, unit="bytes")) == "abc"
    assert shorten("😀😀", TextLimit(max=6, unit="bytes")) == "😀"


def test_split_never_separates_a_base_from_its_marks_unless_forced():
    text = unicodedata.normalize("NFD", "Müßiggängerüberschätzung" * 20)
    for part in split_text(text, TextLimit(max=17), exact=True):
        assert not unicodedata.combining(part[0])
