"""What agents wrote, without what Zendesk puts in front of it where a placeholder renders it (S242, R11, F27)."""

import pytest
from hitl_zendesk.texts import strip_header, words

import hitl_core as hitl

RULE = "-" * 46
SIGNED = "Ada Lovelace, Jan 5, 2026, 12:15 PM"


@pytest.mark.parametrize(
    "header",
    [
        f"{RULE}\n\n{SIGNED}\n\n",
        f"{RULE}\n{SIGNED}\n",
        f"{RULE}\n\nÀda Lovelace, 5. Jänner 2026, 12:15\n\n",
        f"\n  {RULE}  \n\n{SIGNED}\n",
        f"{RULE}\n\n!***Ada Lovelace (on behalf of Grace)***!\n\n",
        f"{RULE}\n!*** Ada on behalf of Grace\n",
        f"{RULE}\nAda on behalf of Grace ***!\n",
        f"{RULE}\n\n{SIGNED}\n\n!***on behalf of Grace***!\n\n",
        f"{RULE}\n\n!***on behalf of Grace***!\n{SIGNED}\n\n",
        "!***Ada on behalf of Grace***!\n",
        f"{RULE}\n",
    ],
)
@pytest.mark.parametrize(
    "said", ["Hello", "Hello,\nI am looking into it.", "See 12:30, or later", "- one\n- two", "* a\n* b", "1. x"]
)
def test_s242_r11_a_header_is_taken_off_in_both_layouts(header, said):
    assert strip_header(header + said) == said


@pytest.mark.parametrize(
    "said",
    [
        "- one\n- two",
        "-- \nAda",
        "-------",
        "  - indented\n  - list",
        "-5 degrees",
        "Hello ---------------- there",
        "Ada, 12:15",
        "Ada Lovelace, Jan 5, 2026, 12:15 PM\nis when we met",
        "**Great**!\nMore",
        "Hello\n----------------------\nbelow a line",
        "Done!***\nSee you",
        "***!\nLook",
        "  blanks around  ",
        "",
    ],
)
def test_s242_an_agents_own_words_are_untouched(said):
    assert strip_header(said) == said


@pytest.mark.parametrize("said", [f"{RULE}", f"{RULE}\n\n{SIGNED}\n", f"{RULE}\n!***x***!"])
def test_a_header_without_words_leaves_nothing(said):
    assert strip_header(said) == ""
    assert words("", said) is None
    assert words(f"<pre>{said}</pre>", "") is None


@pytest.mark.parametrize("mark", ["<b><i>Great</i></b>!", "!<b><i>Great</i></b>", "!<em><strong>Great</strong></em>!"])
def test_f27_emphasis_next_to_an_exclamation_mark_is_no_header(mark):
    said = words(f"<p>{mark}</p><p>Your refund is under way.</p>", "")
    assert "Great" in said.markdown
    assert "Your refund is under way." in said.markdown


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ('<div class="zd-comment" dir="auto">Hello &amp; welcome<br></div>', hitl.Text(text="Hello & welcome")),
        ("<p>one</p><p>two<br>three</p>", hitl.Text(text="one\n\ntwo\nthree")),
        ("<p>2 * 3 * 4 = 24 [ok] _x_</p>", hitl.Text(text="2 * 3 * 4 = 24 [ok] _x_")),
        ("<p>a <b>b</b></p>", hitl.Markdown(markdown="a **b**")),
        ('<p><a href="https://acme.test/x">here</a></p>', hitl.Markdown(markdown="[here](https://acme.test/x)")),
        ("<p>&nbsp;</p>", None),
        ("<div><br></div>", None),
        ("<script>alert(1)</script><p>Hi</p>", hitl.Text(text="Hi")),
    ],
)
def test_f27_html_becomes_markdown_where_there_is_mark_up_and_text_where_not(html, said):
    assert words(html, "not this") == said


@pytest.mark.parametrize(("plain", "said"), [(" Hi \n", hitl.Text(text="Hi")), ("", None), (" \n", None)])
def test_without_html_the_plain_text_counts(plain, said):
    assert words("", plain) == said


@pytest.mark.parametrize(("html", "plain"), [("<p>▇▇▇ ▇▇</p>", "▇▇▇ ▇▇"), ("", "▇▇▇")])
def test_what_was_redacted_altogether_says_nothing(html, plain):
    assert words(html, plain) is None
