"""Template syntax in people's words is inert in the helpdesk."""

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_core.info import Capabilities, TextLimit
from hitl_core.rendering import (
    PLACEHOLDER_SYNTAXES,
    neutralise_html,
    neutralise_placeholders,
    shorten,
    split_text,
    text_to_html,
)
from hitl_core.rendering.neutralise import INVISIBLE as EVERY_INVISIBLE

RELAXED = settings(deadline=None)  # a deadline would measure the machine's other work

INVISIBLE = "\u200b\u2060\ufeff\u200d\xad\x00\u202e\u180e\ufe0f\U000e0020\u034f\u2063"
pieces = st.lists(
    st.one_of(
        st.sampled_from(["{", "{{", "}}", "{%", "%}", "$", "#", "<", "%", " ", "x", "\n", *INVISIBLE]),
        st.text(max_size=5),
    ),
    max_size=40,
).map("".join)


def stripped(text):
    return re.sub(f"[{EVERY_INVISIBLE}]", "", text)


@RELAXED
@given(pieces)
def test_no_opener_remains_whatever_a_vendor_strips(text):
    inert = neutralise_placeholders(text)
    for opener in PLACEHOLDER_SYNTAXES:
        assert opener not in inert
        assert opener not in stripped(inert)


@RELAXED
@given(pieces)
def test_idempotent_and_only_spaces_are_added(text):
    inert = neutralise_placeholders(text)
    assert neutralise_placeholders(inert) == inert
    assert inert.replace(" ", "") == text.replace(" ", "")
    in_one_line = stripped(text).replace("\n", "")
    if not any(opener in in_one_line for opener in PLACEHOLDER_SYNTAXES):
        assert inert == text


@RELAXED
@given(pieces, st.integers(1, 20))
def test_no_cut_makes_an_opener_anew(text, size):
    inert = neutralise_placeholders(text)
    limit = TextLimit(max=size)
    for part in [*split_text(inert, limit), *split_text(inert, limit, exact=True), shorten(inert, limit)]:
        assert not any(opener in stripped(part) for opener in PLACEHOLDER_SYNTAXES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello {{ticket.id}}", "Hello { {ticket.id}}"),
        ("{{{raw}}}", "{ { {raw}}}"),
        ("{% if x %}", "{ % if x %}"),
        ("{%{{%", "{ %{ { %"),
        ("{\u200b{x}}", "{ \u200b{x}}"),
        ("${x} and #{y} and <%= z", "$ {x} and # {y} and < %= z"),
        ("{ json: {} } costs $5 {x}", "{ json: {} } costs $5 {x}"),
    ],
)
def test_readable_form(text, expected):
    assert neutralise_placeholders(text) == expected


def test_openers_of_the_account_are_used():
    assert neutralise_placeholders("[[name]] {{x}}", ("[[",)) == "[ [name]] {{x}}"
    assert neutralise_placeholders("{{x}} {%y", Capabilities().placeholders) == "{ {x}} { %y"
    assert neutralise_placeholders("{{x}}", ()) == "{{x}}"
    assert neutralise_placeholders("<%= <%", ("<%=",)) == "< %= <%"


def test_opener_of_one_character_becomes_its_full_width_twin():
    assert neutralise_placeholders("%name% {{", ("%", "{{")) == "\uff05name\uff05 { {"


@pytest.mark.parametrize("opener", ["", " ", "{ {", "a", "«"])
def test_opener_that_cannot_be_told_apart_is_refused(opener):
    with pytest.raises(ValueError, match="placeholder opener"):
        neutralise_placeholders("x", (opener,))


@pytest.mark.parametrize(
    "html",
    [
        "{{x}}",
        "&#123;&#123;x}}",
        "&#x7b;&#0123;x",
        "&lbrace;&lcub;x",
        "{<b></b>{x",
        "{&#8203;&ZeroWidthSpace;{x",
        "<a href='{{x}}'>",
        "&#123{x",
        "{&shy;<i>\u200b{",
        "&#36;{x}",
        "{&#8203{",
        "{&#x200B;&#173;&#6158;&zwj;{",
    ],
)
def test_html_hides_no_opener_in_entities_or_behind_tags(html):
    inert = neutralise_html(html)
    seen = stripped(unescape(re.sub(r"<[^>]*>", "", inert)))
    seen_first = re.sub(r"<[^>]*>", "", stripped(unescape(inert)))
    for opener in ("{{", "${"):
        assert opener not in inert
        assert opener not in seen
        assert opener not in seen_first
    assert neutralise_html(inert) == inert


def test_html_without_openers_is_untouched():
    html = '<p class="a">{x} &amp; <b>y</b> 100% &#123;z}</p>'
    assert neutralise_html(html) == html


@RELAXED
@given(pieces)
def test_neutralised_text_stays_inert_as_html(text):
    html = text_to_html(neutralise_placeholders(text))
    assert neutralise_html(html, ("{{", "{%", "${", "#{", "{#")) == html
