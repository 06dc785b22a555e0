"""Text to HTML and Markdown and back."""

import time
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_core.rendering import escape_markdown, markdown_link, markdown_to_text, safe_url, text_to_html

RELAXED = settings(deadline=None)  # a deadline would measure the machine's other work


def test_text_to_html_escapes_and_breaks_lines():
    assert text_to_html('a < b & "c"\r\nd\re\nf') == "a &lt; b &amp; &quot;c&quot;<br>d<br>e<br>f"
    assert text_to_html("https://example.com") == "https://example.com"


@RELAXED
@given(st.text())
def test_text_to_html_loses_nothing(text):
    html = text_to_html(text)
    assert "<" not in html.replace("<br>", "")
    assert unescape(html.replace("<br>", "\n")) == text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://example.com/a_b?c=1&d=(2)#e", "https://example.com/a_b?c=1&d=%282%29#e"),
        (" HTTP://example.com ", "HTTP://example.com"),
        ("mailto:a@example.com", "mailto:a@example.com"),
        ('https://e.com/"><script>', "https://e.com/%22%3E%3Cscript%3E"),
        ("https://e.com/a b\u202e", "https://e.com/a%20b%E2%80%AE"),
        ("https://e.com/{{x}}", "https://e.com/%7B%7Bx%7D%7D"),
        ("javascript:alert(1)", None),
        ("\x01javascript:alert(1)", None),
        ("java\tscript:alert(1)", None),
        ("data:text/html,x", None),
        ("//example.com", None),
        ("/path", None),
        ("https:", None),
        ("https://", None),
        ("https:///x", None),
        ("mailto:", None),
        ("", None),
    ],
)
def test_safe_url(url, safe):
    assert safe_url(url) == safe


def test_exclamation_mark_makes_no_image_of_a_link():
    assert escape_markdown("see!https://e.com/_", link=lambda url: f"[{url}]") == "see!https://e.com/\\_"
    assert escape_markdown("see!https://e.com/_x", link=lambda url: f"[{url}]") == "see\\![https://e.com/_x]"


def test_web_addresses_stay_links_on_request():
    assert escape_markdown("see https://e.com/a.", link=markdown_link) == "see https://e.com/a."
    assert escape_markdown("*https://e.com/_a_&b)*", link=markdown_link) == (
        "\\*[https&#58;//e.com/\\_a\\_&amp;b](https://e.com/\\_a\\_&amp;b))\\*"
    )


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("# Title #\n\nBody", "Title\n\nBody"),
        ("Title\n===\nBody", "Title\nBody"),
        ("**bold** *it* __b__ _i_ ~~gone~~ `code`", "bold it b i gone code"),
        ("**a *b* c**", "a b c"),
        ("2*3*4 snake_case_name __init__", "2*3*4 snake_case_name init"),
        (
            "[label](https://e.com) [https://e.com](https://e.com) [](https://e.com)",
            "label (https://e.com) https://e.com https://e.com",
        ),
        (
            '![alt](https://e.com/x.png "title") <https://e.com> [a@e.com](mailto:a@e.com)',
            "alt (https://e.com/x.png) https://e.com a@e.com",
        ),
        ("- one\n- two\n\n1. x\n> quoted", "- one\n- two\n\n1. x\n> quoted"),
        ("```python\nx = 1\n```\nafter", "x = 1\nafter"),
        ("a  \nb\\\nc", "a\nb\nc"),
        ("\\*no\\* &lt;b&gt; &amp;", "*no* <b> &"),
        ("not [a link] or * star", "not [a link] or * star"),
    ],
)
def test_markdown_to_text(markdown, text):
    assert markdown_to_text(markdown) == text


@RELAXED
@given(st.text(st.sampled_from("ab*_`[]()<>#!~\\ \n&;"), max_size=60))
def test_markdown_to_text_gives_back_what_was_escaped(text):
    line = " ".join(["x", *text.split()])
    assert markdown_to_text(escape_markdown(line)) == line


@pytest.mark.parametrize(
    "unit", ["*a", "**a", "[", "[a](", "](", "_a ", "# ", "  ", "`", "<https://", "![", "~~", "\\"]
)
def test_markdown_to_text_takes_time_in_proportion(unit):
    def seconds(size):
        started = time.perf_counter()
        markdown_to_text(unit * (size // len(unit)))
        return time.perf_counter() - started

    tenth = min(seconds(20_000) for _ in range(3))
    assert seconds(200_000) < 40 * tenth + 0.2
