"""The tools standard tests are made of: they read as agents do, download from a shelf, and fail in words."""

from types import SimpleNamespace

import pytest

import hitl_core as hitl
from hitl_core.download import DownloadError
from hitl_core.testing.conformance.shelf import Shelf
from hitl_core.testing.conformance.tools.claims import promised, refused, unsent
from hitl_core.testing.conformance.tools.reading import everything, lines, messages_that_say, numbered, shown, within
from hitl_core.testing.conformance.wire import Wire
from hitl_core.testing.reference import ReferenceSimulator
from hitl_core.testing.simulator import SimFile, SimMessage, SimSession
from hitl_core.testing.transport import ScriptedTransport, not_sent, reply

pytestmark = pytest.mark.anyio


def session(*messages):
    return SimSession(id="1", title="A title", messages=messages)


def message(text="", **fields):
    return SimMessage(id="m", role="user", text=text, **fields)


# Reading --------------------------------------------------------------------------------------------------------


def test_plain_text_is_read_as_it_is():
    assert shown(message("a <b>&amp;</b>\n  b")) == "a <b>&amp;</b> b"


def test_html_is_read_as_a_browser_shows_it():
    assert shown(message("a &lt;b&gt;&amp;amp;&lt;/b&gt;<br>b", html=True)) == "a <b>&amp;</b> b"


def test_markup_that_was_not_escaped_disappears():
    assert shown(message("a <b>bold</b><script>x</script>", html=True)) != "a <b>bold</b><script>x</script>"


@pytest.mark.parametrize(
    "html", ["one<br>two", "<p>one</p>\n<p>two</p>", "<div>one</div><div>two</div>", "<pre>one\ntwo"]
)
def test_lines_of_html_are_made_by_its_tags(html):
    assert lines(message(html, html=True)) == ["one", "two"]


def test_line_breaks_in_html_are_no_lines():
    assert lines(message("one\ntwo", html=True)) == ["one two"]


def test_titles_words_addresses_and_files_are_read_in_order():
    text = SimFile(name="list.txt", content_type="text/plain; charset=utf-8", content="Grüße".encode())
    picture = SimFile(name="p.png", content_type="image/png", content=b"secret")
    seen = session(
        message('<a href="https://e.example/x?a=1&amp;b=2">here</a>', html=True), message("b", files=(text, picture))
    )
    assert everything(seen).split() == [
        "A",
        "title",
        "here",
        "https://e.example/x?a=1&b=2",
        "b",
        "list.txt",
        "Grüße",
        "p.png",
    ]
    assert within(seen, "https://e.example/x?a=1&b=2")
    assert not within(seen, "title here"), "words of two messages are no sentence"
    assert [said.text for said in messages_that_say(seen, "Grüße")] == ["b"]


def test_numbers_are_read_in_order_with_repeats():
    assert numbered("entry-2 and entry-10, entry-2", "entry-") == [2, 10, 2]


# Claims ---------------------------------------------------------------------------------------------------------


def test_a_promise_fails_in_the_words_of_its_rule():
    with pytest.raises(AssertionError, match=r"it must work; instead: NotFoundError: gone"), promised("it must work"):
        raise hitl.NotFoundError("gone")


def test_a_refusal_of_late_messages_says_where_the_vendors_error_is_told():
    late = refused(hitl.SessionClosedError, "it must be refused")
    with pytest.raises(AssertionError, match=r"instead: ConflictError: no; tell ctx\.http by classify= .*"), late:
        raise hitl.ConflictError("no")


def test_a_promise_hides_no_fault_of_the_kit():
    with pytest.raises(KeyError), promised("it must work"):
        raise KeyError("kit")


def test_a_refusal_must_come_and_be_of_its_kind():
    with refused(hitl.NotFoundError, "it must be refused") as refusal:
        raise hitl.NotFoundError("gone")
    assert refusal.error.message == "gone"
    taken = pytest.raises(AssertionError, match="by NotFoundError; instead it was taken")
    with taken, refused(hitl.NotFoundError, "it must be refused"):
        pass
    another = pytest.raises(AssertionError, match="by NotFoundError; instead: ConflictError")
    with another, refused(hitl.NotFoundError, "it must be refused"):
        raise hitl.ConflictError("both")


def test_what_may_write_nothing_is_watched():
    room = SimpleNamespace(wire=SimpleNamespace(writes=lambda: written))
    written = []
    with unsent(room):
        pass
    told = pytest.raises(AssertionError, match=r"nothing may be written, but 1 went out \(POST\)")
    with told, unsent(room, "nothing may be written"):
        written.append(SimpleNamespace(method="POST"))


# Downloads ------------------------------------------------------------------------------------------------------


async def test_only_what_is_on_the_shelf_can_be_downloaded():
    shelf = Shelf(Wire(ScriptedTransport()), "https://helpdesk.test")
    shelf.put("https://files.example/a", b"abc", content_type="text/plain", name="a.txt")
    found = await shelf.fetch("https://files.example/a", max_bytes=3)
    assert (found.content, found.content_type, found.filename) == (b"abc", "text/plain", "a.txt")
    for url, most, reason in (("https://files.example/a", 2, "too_large"), ("https://files.example/b", 3, "status")):
        with pytest.raises(DownloadError) as error:
            await shelf.fetch(url, max_bytes=most)
        assert error.value.reason == reason


async def test_what_the_helpdesk_holds_comes_from_there():
    headers = {"content-type": "text/plain; charset=utf-8", "content-disposition": 'attachment; filename="a.txt"'}
    answers = [reply(200, body=b"abc", headers=headers), reply(404), reply(200, body=b"abcd"), not_sent()]
    transport = ScriptedTransport(answers)
    shelf = Shelf(Wire(transport), "https://helpdesk.test")
    found = await shelf.fetch("https://helpdesk.test/files/1", max_bytes=3)
    assert (found.content, found.content_type, found.filename) == (b"abc", "text/plain", "a.txt")
    for reason in ("status", "too_large", "connection"):
        with pytest.raises(DownloadError) as error:
            await shelf.fetch("https://helpdesk.test/files/1", max_bytes=3)
        assert error.value.reason == reason
    assert all("authorization" not in request.headers for request in transport.requests)


# Ids ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("like", "missing"),
    [
        ("17", "999999999"),
        ("tck-4", "tck-999999999"),
        ("abc", "999999999abc"),
        ("3fa85f64-5717-4562-b3fc-2c963f66afa6", "9fa99f99-9999-9999-b9fc-9c999f99afa9"),
    ],
)
def test_the_id_of_a_missing_session_has_the_form_of_a_real_one(like, missing):
    assert ReferenceSimulator().missing_session_id(like) == missing
