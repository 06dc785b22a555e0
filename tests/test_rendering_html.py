"""Agents' HTML and mail become clean text or Markdown: behaviour F27."""

import re
import subprocess
import sys
import time

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_core.rendering import InlineImage, clean_html, clean_text

RELAXED = settings(deadline=None)  # a deadline would measure the machine's other work


def text_of(html, **options):
    return clean_html(html, to="text", **options).text


def markdown_of(html, **options):
    return clean_html(html, to="markdown", **options).text


# What people see ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "text", "markdown"),
    [
        (
            "<p>Hello <b>Ada</b>,</p><p>it is <i>on</i>&nbsp;its way &amp; 5 &lt; 6.<br>Bye</p>",
            "Hello Ada,\n\nit is on its way & 5 < 6.\nBye",
            "Hello **Ada**,\n\nit is *on*\u00a0its way &amp; 5 &lt; 6.  \nBye",
        ),
        (
            "<div>Please<ul><li>one<li>two<ul><li>deep</ul></ul><ol start=3><li>x</li>\n<li>y</li></ol></div>",
            "Please\n\n- one\n- two\n  - deep\n\n3. x\n4. y",
            "Please\n\n- one\n- two\n  - deep\n\n3. x\n4. y",
        ),
        ("<h2>Title</h2>text<hr>", "Title\n\ntext\n\n---", "## Title\n\ntext\n\n---"),
        ("<blockquote>my own<br>quote</blockquote>", "> my own\n> quote", "> my own  \n> quote"),
        ("<pre>a\n  b</pre>c <code>d*</code>", "a\n  b\n\nc d*", "```\na\n  b\n```\n\nc `d*`"),
        (
            "<table><tr><th>A<th>B<tr><td>1<td>2|3</table>",
            "A | B\n1 | 2|3",
            "| A | B |\n| --- | --- |\n| 1 | 2&#124;3 |",
        ),
        (
            "<table><tr><td><table><tr><td><p>One</p><p>Two</p></td><td>x</td></tr></table></td></tr></table>",
            "One\n\nTwo\n\nx",
            "One\n\nTwo\n\nx",
        ),
        ("<table><tr><td>Order</td><td>17</td></tr></table>", "Order | 17", "Order | 17"),
        ("<pre><code>a*b\nc</code></pre>", "a*b\nc", "```\na*b\nc\n```"),
        ("use <code>&lt;b&gt;</code> now", "use <b> now", "use &lt;b&gt; now"),
        ("<pre>&lt;b&gt;\n  x</pre>", "<b>\n  x", "&lt;b&gt;  \n\u00a0\u00a0x"),
        ("<pre>a ``` b</pre>", "a ``` b", "````\na ``` b\n````"),
        ("a<pre>\n</pre><table><tr><th></th></tr></table>b", "a\n\nb", "a\n\nb"),
        ("<dl><dt>Term</dt><dd>Meaning</dd></dl>", "Term\n\nMeaning", "Term\n\nMeaning"),
        ("Hello\nWorld & you", "Hello\nWorld & you", "Hello  \nWorld &amp; you"),
        ("<p>a</p><p>&nbsp;</p><p><br></p><p>b</p>", "a\n\nb", "a\n\nb"),
        ("<p>caf&eacute; &#8211; &#x1F600; &copy;</p>", "café \u2013 😀 ©", "café \u2013 😀 ©"),
        ("a < b > c &unknown; &", "a < b > c &unknown; &", "a &lt; b &gt; c &amp;unknown; &amp;"),
        ("", "", ""),
        ("<p> </p>", "", ""),
    ],
)
def test_structure_is_kept(html, text, markdown):
    assert text_of(html) == text
    assert markdown_of(html) == markdown


def test_exclamation_mark_makes_no_image_of_a_link():
    html = "Look!<a href='https://e.com'>here</a> wow!<i></i>https://e.com/_x_y"
    assert markdown_of(html) == (
        "Look\\![here](https://e.com) wow\\![https&#58;//e.com/\\_x\\_y](https://e.com/\\_x\\_y)"
    )
    assert text_of(html) == "Look!here (https://e.com) wow!https://e.com/_x_y"


def test_links_are_label_and_address():
    html = '<a href="https://e.com/a_b?c=1&amp;d=2">our *page*</a>, <a href="https://e.com/">https://e.com</a>, '
    html += '<a href="mailto:a@e.com">a@e.com</a>, <a href="tel:117">call</a>, https://bare.org/x, <a name=x>anchor</a>'
    assert text_of(html) == (
        "our *page* (https://e.com/a_b?c=1&d=2), https://e.com, a@e.com, call, https://bare.org/x, anchor"
    )
    assert markdown_of(html) == (
        "[our \\*page\\*](https://e.com/a\\_b?c=1&amp;d=2), [https&#58;//e.com](https://e.com/), "
        "[a&#64;e.com](mailto:a@e.com), call, https://bare.org/x, anchor"
    )


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<SCRIPT SRC=//x></SCRIPT >",
        "<style>p { color: red }</style>",
        "<head><title>Mail</title><meta charset=utf-8></head>",
        "<!-- note --><!--[if mso]><b>Outlook</b><![endif]-->",
        "<![if !mso]><![endif]><?xml version='1.0'?><!DOCTYPE html>",
        "<div style='display:none'>preview</div>",
        "<span style='font-size:0px'>preview</span>",
        "<p style='visibility : hidden'>x</p><p hidden>y</p><div style='mso-hide:all'>z</div>",
        "<svg><text>x</text></svg><template>y</template><iframe>z</iframe><select><option>1</select>",
        "<noscript><img src='https://t.example/p.gif'></noscript>",
        "<textarea>x</textarea><object>y</object>",
    ],
)
def test_what_is_never_shown_is_gone(html):
    for result in (clean_html(f"<p>Hi{html}</p> there"), clean_html(f"<p>Hi{html}</p> there", to="text")):
        assert result.text.split() == ["Hi", "there"]
        assert result.images == ()


def test_head_that_is_never_closed_hides_nothing():
    assert text_of("<html><head><title>T</title><body>Hello") == "Hello"
    assert text_of("<html><head><meta x>Hello") == "Hello"


# Pictures -----------------------------------------------------------------------------------------------------


def test_pictures_are_reported_in_order_and_emoji_are_text():
    html = (
        '<p>See <img src="cid:img1@mail" alt="shot"> and <img src="https://e.com/b.png">'
        '<img src="data:image/png;base64,QUJD"><img src="/attachments/9.png">'
        '<img class="emoji" alt="😀" src="https://e.com/smile.png"></p>'
    )
    result = clean_html(html, to="text")
    assert result.text == "See and 😀"
    assert result.images == (
        InlineImage("cid:img1@mail", "shot", attachment="img1@mail"),
        InlineImage("https://e.com/b.png"),
        InlineImage("data:image/png;base64,QUJD"),
        InlineImage("/attachments/9.png"),
    )


@pytest.mark.parametrize(
    "attributes",
    [
        "width=1 height=1",
        "width='0'",
        "height=2px",
        "style='display:none'",
        "style='width:1px;height:1px'",
        "hidden",
        "src=''",
        "src='javascript:alert(1)'",
        "src='data:image/svg+xml,<svg onload=alert(1)>'",
        "src='data:text/html,x'",
        "src='file:///etc/passwd'",
    ],
)
def test_tracking_pixels_and_unsafe_pictures_are_not_reported(attributes):
    html = f"<p>Hi</p><img {attributes} src='https://t.example/p.gif'>"
    assert clean_html(html).images == ()
    assert clean_html(html).text == "Hi"


def test_answer_of_a_picture_alone_has_no_text():
    result = clean_html('<div><img src="https://e.com/a.png"></div>')
    assert (result.text, len(result.images)) == ("", 1)


def test_pictures_in_the_quote_are_not_reported():
    html = '<p>Answer</p><div class="gmail_quote"><img src="https://e.com/logo.png">old</div>'
    assert clean_html(html).images == ()


# Quoted mail --------------------------------------------------------------------------------------------------

GMAIL = (
    '<div dir="ltr">My answer</div><br><div class="gmail_quote gmail_quote_container"><div class="gmail_attr">'
    "On Mon, 3 May 2026 at 10:00, Ada wrote:<br></div><blockquote class=gmail_quote>old</blockquote></div>"
)


@pytest.mark.parametrize(
    "html",
    [
        GMAIL,
        '<p>My answer</p><blockquote type="cite"><p>On 3 May 2026, at 10:00, Ada wrote:</p>old</blockquote>',
        "<p>My answer</p><p>On 3 May 2026, at 10:00, Ada &lt;a@e.com&gt; wrote:</p><blockquote>old</blockquote>",
        '<p>My answer</p><div id="appendonsend"></div><hr><div id="divRplyFwdMsg">From: Ada</div>old',
        '<p>My answer</p><hr><div id="x_divRplyFwdMsg"><b>From:</b> Ada</div><div>old</div>',
        '<p>My answer</p><div style="border:none;border-top:solid #E1E1E1 1.0pt"><p><b>Von:</b> Ada</p></div>old',
        "<p>My answer</p><p><b>From:</b> Ada<br><b>Sent:</b> Monday<br><b>To:</b> us<br><b>Subject:</b> x</p>old",
        '<p>My answer</p><div class="OutlookMessageHeader">From: Ada</div><p>old</p>',
        '<p>My answer</p><div id="yahoo_quoted_17" class="yahoo_quoted">old</div>',
        '<p>My answer</p><div class="moz-cite-prefix">Am 3.5.26 schrieb Ada:</div><blockquote type="cite">old',
        "<p>My answer</p><p>-----Original Message-----<br>From: Ada</p><p>old</p>",
        "<p>My answer</p><p>##- Please type your reply above this line -##</p>old",
        '<p>My answer</p><div class="protonmail_quote">old</div>',
        '<table><tr><td>My answer<div id="divRplyFwdMsg">x</div></td></tr><tr><td>old</td></tr></table>',
    ],
)
def test_quoted_mail_is_cut(html):
    for text in (text_of(html), markdown_of(html)):
        assert text == "My answer"


ATTRIBUTIONS = [
    "On Mon, May 4, 2026 at 10:00 AM Ada Lovelace <ada@example.com> wrote:",
    "Am Mo., 4. Mai 2026 um 10:00 Uhr schrieb Ada Lovelace <ada@example.com>:",
    "Am 04.05.26 um 10:00 schrieb Ada Lovelace:",
    "Le lun. 4 mai 2026 à 10:00, Ada Lovelace <ada@example.com> a écrit :",
    "El lun, 4 may 2026 a las 10:00, Ada Lovelace (<ada@example.com>) escribió:",
    "Il giorno lun 4 mag 2026 alle ore 10:00 Ada Lovelace <ada@example.com> ha scritto:",
    "Em seg., 4 de mai. de 2026 às 10:00, Ada Lovelace <ada@example.com> escreveu:",
    "Op ma 4 mei 2026 om 10:00 schreef Ada Lovelace <ada@example.com>:",
    "2026-05-04 10:00 GMT+02:00 Ada Lovelace <ada@example.com>:",
]


@pytest.mark.parametrize("line", ATTRIBUTIONS)
def test_attributions_in_several_languages(line):
    assert clean_text(f"My answer\n\n{line}\n\n> old\n> mail\n").text == "My answer"
    assert clean_text(f"My answer\n{line}\nold mail, not marked").text == "My answer"
    words = line.split()
    wrapped = f"{' '.join(words[:-2])}\n{' '.join(words[-2:])}"
    assert clean_text(f"My answer\n\n{wrapped}\n> old").text == "My answer"
    assert clean_text(f"{line}\n> old\n\nMy answer below").text == "My answer below"
    escaped = line.replace("<", "&lt;").replace(">", "&gt;")
    for to in ("markdown", "text"):
        assert clean_html(f"<p>My answer</p><p>{escaped}</p><blockquote>old</blockquote>", to=to).text == "My answer"


@pytest.mark.parametrize(
    "header",
    [
        "-----Original Message-----",
        "-----Ursprüngliche Nachricht-----",
        "-----Message d'origine-----",
        "-----Mensaje original-----",
        "-----Messaggio originale-----",
        "-----Mensagem original-----",
        "-----Oorspronkelijk bericht-----",
        "---------- Forwarded message ---------",
        "________________________________\nFrom: Ada <a@e.com>\nSent: Monday\nTo: us\nSubject: Refund",
        "Von: Ada <a@e.com>\nGesendet: Montag\nAn: uns\nBetreff: Rückzahlung",
        "De : Ada <a@e.com>\nEnvoyé : lundi\nÀ : nous\nObjet : Retour",
        "De: Ada <a@e.com>\nEnviado el: lunes\nPara: nosotros\nAsunto: Devolución",
        "Da: Ada <a@e.com>\nInviato: lunedì\nA: noi\nOggetto: Rimborso",
        "De: Ada <a@e.com>\nData: segunda\nPara: nós\nAssunto: Reembolso",
        "Van: Ada <a@e.com>\nVerzonden: maandag\nAan: ons\nOnderwerp: Terugbetaling",
    ],
)
def test_headers_of_quoted_mail_in_several_languages(header):
    assert clean_text(f"My answer\n\n{header}\n\nold mail").text == "My answer"


@pytest.mark.parametrize(
    "words",
    [
        "On Monday John wrote:\nplease call",
        "From: Zurich\nWe ship to Berlin too.",
        "Am besten schrieb er:\nnein",
        "> you asked for 5\nyes, five\n> and in blue?\nyes",
        "A > B\n-- is not a signature --",
        "Use:\n--------\ntable\n--------\nend",
        "Sent from my desk yesterday, it arrives today",
        f"On {'2026 ' * 100} he wrote:\nthis",
        "",
    ],
)
def test_agents_own_words_are_not_taken_for_quotes(words):
    assert clean_text(words).text == words


def test_quoted_tail_of_plain_mail_is_cut_but_not_an_agents_blockquote():
    assert clean_text("Yes.\n\n> old\n>\n> mail\n").text == "Yes."
    assert (
        text_of("<p>The manual says:</p><blockquote>Press start.</blockquote>") == "The manual says:\n\n> Press start."
    )


def test_answers_between_quotes_stay():
    assert text_of(
        '<blockquote type="cite">one?</blockquote><p>Yes</p><blockquote type="cite">two?</blockquote><p>No</p>'
    ) == ("Yes\n\nNo")


@pytest.mark.parametrize(
    "mail", ["> old\n> mail", "On 4 May 2026 Ada <a@e.com> wrote:\n> old", "-----Original Message-----\nold"]
)
def test_mail_of_nothing_but_a_quote_is_kept(mail):
    assert "old" in clean_text(mail).text
    assert clean_text(mail).text == mail.strip()


def test_html_of_nothing_but_a_quote_is_kept():
    assert "old" in text_of('<blockquote type="cite">old</blockquote>')
    assert "old" in text_of('<div id="divRplyFwdMsg"><b>From:</b> Ada</div><p>old</p>')


# Signatures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "html",
    [
        "<p>Answer</p><p>-- <br>Max<br>ACME</p>",
        "<p>Answer</p><div>--</div><div>Max</div>",
        '<p>Answer</p><div class="gmail_signature" data-smartmail="gmail_signature">Max</div>',
        '<p>Answer</p><div class="moz-signature">Max</div>',
        '<p>Answer</p><div id="Signature">Max</div>',
        '<p>Answer</p><div class="signature"><p>-- </p>Max</div>',
        "<p>Answer</p><div>Sent from my iPhone</div>",
        '<p>Answer</p><p>Get <a href="https://aka.ms/x">Outlook for iOS</a></p>',
        '<p>Answer</p><div id="ms-outlook-mobile-signature">Max</div>',
    ],
)
def test_signatures_are_cut(html):
    assert text_of(html) == "Answer"
    assert markdown_of(html) == "Answer"


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my iPhone",
        "Sent from my Samsung Galaxy smartphone.",
        "Sent from Mail for Windows",
        "Von meinem iPhone gesendet",
        "Gesendet von Outlook für Android",
        "Gesendet mit der Proton Mail App",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Enviado do meu iPhone",
        "Inviato da iPhone",
        "Verzonden vanaf mijn iPhone",
        "Get Outlook for iOS",
    ],
)
def test_sent_from_my_phone_is_cut_at_the_end_only(line):
    assert clean_text(f"Answer\n\n{line}\n").text == "Answer"
    assert clean_text(f"{line}\n\nAnswer").text == f"{line}\n\nAnswer"


def test_two_hyphens_far_from_the_end_are_no_signature():
    body = "intro\n--\n" + "\n".join(f"line {number}" for number in range(25))
    assert clean_text(body).text == body


def test_mail_of_nothing_but_a_signature_is_kept():
    assert clean_text("-- \nMax").text == "--\nMax"
    assert text_of('<div class="gmail_signature">Max</div>') == "Max"


def test_signature_above_the_quote_is_cut_too():
    assert clean_text("Answer\n-- \nMax\n\nOn 4 May 2026 Ada <a@e.com> wrote:\n> old").text == "Answer"


# Hostile input ------------------------------------------------------------------------------------------------


def rendered(markdown):
    markdown_it = pytest.importorskip("markdown_it")
    parser = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    parser.validateLink = lambda _url: True  # a renderer that trusts its input
    return BeautifulSoup(parser.render(markdown), "html.parser")


fragments = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *"<>&\"'/=`*_[]()#-+!|~:;\\ \n",
                "<script>",
                "</script>",
                "<p>",
                "</p>",
                "<a href='javascript:alert(1)'>",
                '<a href="https://e.com/_x_)(">',
                "</a>",
                "<pre>",
                "</pre>",
                "<code>",
                "</code>",
                "<li>",
                "<ul>",
                "</ul>",
                "<td>",
                "<tr>",
                "<table>",
                "<th>",
                "</table>",
                "<blockquote>",
                "</blockquote>",
                "<b>",
                "</b>",
                "<br>",
                "<img src=x onerror=alert(1) alt='![x](y)'>",
                "&lt;img src=x onerror=alert(1)&gt;",
                "&lt;script&gt;",
                "<!--",
                "-->",
                "```",
                "\t",
                "    ",
                "https://e.com/<b>",
                "[x](javascript:alert(1))",
                "<a href='https://e.com/\"><script>'>",
                "&#60;b&#62;",
                "&amp;lt;",
                "<h1>",
                "</h1>",
                "<div hidden>",
                "</div>",
            ]
        ),
        st.text(st.characters(codec="utf-8"), max_size=6),
    ),
    max_size=30,
).map("".join)


@RELAXED
@given(fragments)
def test_nothing_that_runs_comes_out(html):
    markdown = markdown_of(html)
    assert not re.search(r"<[A-Za-z/!?]", markdown)
    tree = rendered(markdown)
    structure = {"p", "br", "hr", "ul", "ol", "li", "blockquote", "strong", "em", "s", "code", "pre", "a"}
    structure |= {"table", "thead", "tbody", "tr", "th", "td", "h1", "h2", "h3", "h4", "h5", "h6"}
    assert {tag.name for tag in tree.find_all(True)} <= structure
    for link in tree.find_all("a"):
        assert re.match(r"(?i)https?://|mailto:", str(link["href"]))


@pytest.mark.parametrize(
    "html",
    [
        "<b><pre>[x](javascript:alert(1))</pre></b>",
        "<a href='https://e.com'><pre>[x](javascript:alert(1))</pre></a>",
        "<h1><pre>[x](javascript:alert(1))</pre></h1>",
        "<code>a</code><code>b` [x](javascript:alert(1))</code>",
        "<code><pre>a\n[x](javascript:alert(1))</pre></code>",
        "<pre><code>a</code>\n```\n[x](javascript:alert(1))</pre>",
        "<ul><li><pre>a\n\n[x](javascript:alert(1))</pre></ul>",
        "<table><tr><th><pre>a\n[x](javascript:alert(1))</pre></table>",
        "<table><tr><td><pre>a\n[x](javascript:alert(1))</pre><td>b</table>",
        "!<a href='https://e.com'>x</a>",
    ],
)
def test_code_and_links_cannot_break_out(html):
    tree = rendered(markdown_of(html))
    assert tree.find("img") is None
    assert all(str(link["href"]).startswith("https://e.com") for link in tree.find_all("a"))


words = st.lists(st.text(st.sampled_from("abcdefg*_[]#<>&`~|=.)1-"), min_size=1, max_size=8), min_size=1, max_size=12)


@RELAXED
@given(
    words,
    st.sampled_from(["<p>{}</p>", "<div><span>{}</span></div>", "<ul><li>{}</ul>", "<table><td>{}</table>", "x<br>{}"]),
)
def test_agents_words_are_shown_as_they_were(said, frame):
    # A line like a mail header or a signature mark would rightly be cut.
    text = "word " + " ".join(said) + " end"
    html = frame.format(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    assert text in text_of(html)
    assert text in " ".join(rendered(markdown_of(html)).get_text().split())


@pytest.mark.parametrize("to", ["markdown", "text"])
def test_ten_thousand_open_elements_are_no_recursion_error(to):
    for tag in ("div", "blockquote", "b", "span class=x", "ul><li", "table><tr><td", "p"):
        assert "deep" in clean_html(f"<{tag}>" * 10_000 + "deep", to=to).text


def test_content_below_the_deepest_level_keeps_its_lines():
    assert text_of("<div>" * 200 + "<p>one</p><p>two</p>").split() == ["one", "two"]
    assert "onetwo" not in text_of("<div>" * 200 + "<p>one</p><p>two</p>")


@pytest.mark.parametrize(
    "unit",
    ["<", "<a ", "<!--", "<![CDATA[", '<a b="', '<a b=">"', "</x>", "<b>x", "&", "&#", "<p>x</p>", "a<br>", "<li>x",
     "<tr><td>x", "<div>", " ", "\u00a0", "<blockquote>x", "*a ", "On 1<br>", "From: a<br>", "<script>", "http://a_",
     "[", "<table><tr><td>x", "<a href='", "-", ">", "<pre> ", "`", "--<br>"],
)  # fmt: skip
def test_time_is_in_proportion_to_the_input(unit):
    def seconds(size):
        started = time.perf_counter()
        clean_html(unit * (size // len(unit)))
        return time.perf_counter() - started

    clean_html("<p>warm</p>")
    quarter = min(seconds(4_000) for _ in range(2))
    assert seconds(16_000) < 12 * quarter + 0.3


def test_huge_input_is_bounded_and_says_so():
    result = clean_html("<p>word</p>" * 1_000_000, max_bytes=2_000)
    assert result.truncated
    assert 500 < len(result.text) < 2_000
    plain = clean_text("word " * 1_000_000, max_bytes=2_000)
    assert plain.truncated
    assert len(plain.text.encode()) <= 2_000
    assert not clean_html("<p>word</p>").truncated


def test_scripts_styles_and_embedded_pictures_do_not_count():
    html = f"<style>{'p{} ' * 1000}</style><img src='data:image/png;base64,{'A' * 50_000}'><p>Hello</p>"
    result = clean_html(html, max_bytes=1_000)
    assert result.text == "Hello"
    assert not result.truncated
    assert len(result.images[0].src) > 50_000


def test_cut_never_leaves_half_an_entity_or_tag():
    html = "<p>a &amp; b &lt;c&gt; <b>d</b> é</p>"
    for size in range(1, 60):
        assert "&" not in text_of(html, max_bytes=size).replace("& b", "").replace("a &", "")


def test_marks_we_use_ourselves_cannot_be_smuggled_in():
    assert text_of("<p>a\ue000b &#xE001; \x00c \ud800d</p>") == "ab c d"
    assert clean_text("a\ue000b\x00").text == "ab"


def test_result_hides_the_words_in_its_repr():
    result = clean_html('<p>secret</p><img src="https://e.com/secret.png" alt="secret">')
    assert "secret" not in repr(result)


def test_libraries_are_imported_at_first_use():
    code = "import sys, hitl_core.relay; sys.exit('bs4' in sys.modules or 'markdownify' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
