"""Close commands (behaviour S039, part 10, F11, R04, R05)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_core.bridge.policy import Policy
from hitl_core.bridge.policy.patterns import LONGEST
from hitl_core.errors import ConfigurationError
from hitl_core.messages import Bloc, File, Image, Location, Markdown, Text, UnknownMessage

URL = "https://files.test/end.png"


def closes(said, locale=None, **policy):
    return Policy(**policy).is_close_command(Text(text=said), locale)


@pytest.mark.parametrize("said", ["/end", " /END ", "/End\n", "\t/eNd", "\u00a0/end", "\uff0f\uff45\uff4e\uff44"])
def test_s097_the_command_is_trimmed_and_in_any_case(said):
    assert closes(said)
    assert Policy().is_close_command(Markdown(markdown=said))


@pytest.mark.parametrize("said", ["end", "/end it", "please /end", "/ end", "//end", "/end."])
def test_s097_a_part_is_no_match(said):
    assert not closes(said)


@pytest.mark.parametrize(
    "message",
    [
        Image(url=URL, title="/end"),
        File(url=URL, title="/end"),
        Location(latitude=0, longitude=0, title="/end"),
        Bloc(items=[Text(text="/end")]),
        UnknownMessage(type="hologram", text="/end"),
    ],
    ids=lambda message: message.type,
)
def test_r04_s097_a_message_that_is_no_text_never_matches(message):
    assert not Policy(user_close_command=["/end", "re:.+"]).is_close_command(message)


@pytest.mark.parametrize("empty", [None, "", (), []])
def test_r05_s039_s098_an_empty_command_is_the_default(empty):
    assert Policy(user_close_command=empty).user_close_command == ("/end",)
    assert closes("/end", locale="de", locales={"de": {"user_close_command": empty}})


@pytest.mark.parametrize("blank", [" ", "\n\t", "\u00a0", ["/end", ""], ["/end", "  "], "re:", "re: "])
def test_f11_s098_a_blank_command_is_refused(blank):
    for given_ in ({"user_close_command": blank}, {"locales": {"de": {"user_close_command": blank}}}):
        with pytest.raises(ConfigurationError, match="user_close_command: a close command of blanks"):
            Policy.read(given_)


def test_s039_the_code_for_nothing_means_nothing_special_here():
    assert closes("null", user_close_command="NULL")
    assert not closes("/end", user_close_command="NULL")


def test_f11_there_may_be_several_commands():
    policy = Policy(user_close_command=["/end", "/quit"])
    assert [policy.is_close_command(Text(text=said)) for said in ("/end", "/Quit", "/stop")] == [True, True, False]


@pytest.mark.parametrize("name", ["user_close_commands", "userHitlCloseCommand", "userHitlCloseCommands"])
def test_f11_the_plural_and_the_name_of_the_reference_are_the_same_field(name):
    assert Policy(**{name: "/stop"}).user_close_command == ("/stop",)


@pytest.mark.parametrize(
    ("locale", "said", "ends"),
    [
        ("de-CH", "Beenden", True),
        ("de-CH", "fertig", True),
        ("de", "fertig", False),
        ("fr", "beenden", False),
        (None, "beenden", False),
        ("de-CH", "/end", True),
        ("fr", "/end", True),
    ],
)
def test_f11_a_language_has_its_own_commands_besides_those_for_all(locale, said, ends):
    locales = {"de": {"user_close_command": ["beenden", "/ende"]}, "de-CH": {"user_close_command": "fertig"}}
    assert closes(said, locale, locales=locales) is ends


def test_accents_put_together_and_apart_are_the_same():
    assert closes("re\u0301pondre", user_close_command="r\u00e9pondre")
    assert closes("STRASSE", user_close_command="straße")


# Regular expressions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["stop", "Please STOP", "quit!!", " bye "])
def test_f11_a_regular_expression_fits_the_whole_text_in_any_case(said):
    assert closes(said, user_close_command="re:(please )?(stop|quit|bye)!*")
    assert not closes(f"{said} it", user_close_command="re:(please )?(stop|quit|bye)!*")


@pytest.mark.parametrize("broken", ["re:(", "re:[a", "re:a**", "re:x{99999999999}", "re:[[a]", "re:\\"])
def test_f11_a_broken_expression_is_refused_when_configured_and_not_quoted(broken):
    with pytest.raises(ConfigurationError, match="the regular expression is broken") as caught:
        Policy.read({"user_close_command": broken})
    assert broken.removeprefix("re:") not in str(caught.value).replace("(known", "")


@pytest.mark.parametrize("everything", ["re:.*", "re:(end)?", "re:a*|b", "re:\\s*"])
def test_f11_an_expression_that_fits_nothing_at_all_is_refused(everything):
    with pytest.raises(ConfigurationError, match="fits a text of nothing"):
        Policy.read({"user_close_command": everything})


CATASTROPHES = [
    "(a+)+b",
    "(a|a)*b",
    "(a?){40}b",
    "a*a*a*b",
    "(a{1,9}){1,9}b",
    "a?" * 30 + "b",
    "(a|a)" * 18,
    "(.*a){9}",
    "(a|a|a|a){}" * 9,
]


@pytest.mark.parametrize("pattern", CATASTROPHES)
def test_f11_an_expression_that_could_take_very_long_is_refused(pattern):
    with pytest.raises(ConfigurationError, match="could take very long"):
        Policy.read({"user_close_command": f"re:{pattern}"})


@pytest.mark.parametrize("pattern", ["(?=a)a", "(?P<x>a)", "(?i)a", r"(a)\1", "(?!b)a", r"(?P<x>a)(?P=x)"])
def test_f11_what_cannot_be_counted_is_refused(pattern):
    with pytest.raises(ConfigurationError, match="a regular expression may"):
        Policy.read({"user_close_command": f"re:{pattern}"})


PIECES = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^b]", r"\w", "end", r"\b", "(?:ab|a)", "x{2,5}"]),
    lambda inner: st.builds(
        lambda one, other, how: how.format(one, other),
        inner,
        inner,
        st.sampled_from(["{}{}", "({}|{})", "({})*{}", "({})?{}", "(?:{}){{2,7}}{}", "{}({})+", "({}){{,3}}{}"]),
    ),
    max_leaves=9,
)


@given(pattern=PIECES, said=st.text(alphabet="ab ", min_size=1, max_size=LONGEST))
def test_f11_an_expression_that_is_taken_never_takes_long(pattern, said):
    try:
        policy = Policy.read({"user_close_command": f"re:{pattern}"})
    except ConfigurationError:
        return
    begin = time.process_time()
    policy.is_close_command(Text(text=said))
    policy.is_close_command(Text(text="a" * LONGEST))
    assert time.process_time() - begin < 2


def test_f11_a_long_text_is_not_looked_at():
    assert closes("e" * LONGEST, user_close_command="re:e+")
    assert not closes("e" * (LONGEST + 1), user_close_command="re:e+")
    begin = time.process_time()
    assert not closes("/end " * 1_000_000)
    assert time.process_time() - begin < 1


def test_f11_commands_are_short():
    with pytest.raises(ConfigurationError, match="at most 100 characters"):
        Policy.read({"user_close_command": "x" * 101})
    with pytest.raises(ConfigurationError, match="at most 100 characters"):
        Policy.read({"user_close_command": "re:" + "x" * 101})


@given(st.text(min_size=1, max_size=40))
def test_any_text_that_is_taken_as_a_command_is_one_when_it_is_written(command):
    try:
        policy = Policy.read({"user_close_command": command})
    except ConfigurationError:
        return
    if not command.startswith("re:"):
        assert policy.is_close_command(Text(text=command.upper().lower() if command.isascii() else command))
