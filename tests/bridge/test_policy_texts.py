"""What customers and agents are told: texts, variables, languages (behaviour part 3, S092, S150, F33)."""

import ast
import inspect
import math
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hitl_core.bridge.policy import AGENT_TEXTS, NOTHING, TEXTS, BusinessHours, LocaleTexts, Policy, Variables
from hitl_core.bridge.policy.languages import BUILT_IN, ENGLISH
from hitl_core.bridge.policy.texts import VARIABLES, fill_in
from hitl_core.errors import ConfigurationError

REFERENCE = {
    "onHitlHandoffMessage": ("on_handoff_message", "Einen Moment."),
    "onHumanAgentAssignedMessage": ("on_human_agent_assigned_message", "Da ist jemand."),
    "onHitlStoppedMessage": ("on_hitl_stopped_message", "Vorbei."),
    "onUserHitlCancelledMessage": ("on_user_hitl_cancelled_message", "(weg)"),
    "onIncompatibleMsgTypeMessage": ("on_incompatible_msg_type_message", "Nur Text."),
    "onUserHitlCloseMessage": ("on_user_hitl_close_message", "Beendet."),
    "onAgentAssignedTimeoutMessage": ("on_agent_assigned_timeout_message", "Niemand da."),
    "userHitlCloseCommand": ("user_close_command", ("/ende",)),
    "agentAssignedTimeoutSeconds": ("agent_assigned_timeout_seconds", 30),
    "useHumanAgentInfo": ("use_human_agent_info", False),
    "flowOnHitlStopped": ("flow_on_hitl_stopped", False),
}
SECONDS = [name for name in Policy.model_fields if name.endswith("_seconds")]


# Fields -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEXTS)
def test_s030_the_code_alone_and_in_capitals_says_nothing(name):
    policy = Policy(**{name: "NULL"})
    if name == "agent_fallback_name":  # a name is needed where one is shown
        assert policy.text("on_human_agent_assigned_message") == "An agent has joined the conversation."
    assert policy.text(name) is None
    assert policy.text(name, locale="de") is None


@pytest.mark.parametrize("text", ["null", "Null", " NULL", "NULL.", "NULL NULL"])
def test_s030_anything_else_is_a_text(text):
    assert Policy(on_handoff_message=text).text("on_handoff_message") == text.strip()


@pytest.mark.parametrize("empty", [None, "", "  ", "\n"])
@pytest.mark.parametrize("name", TEXTS)
def test_s031_r05_an_absent_or_empty_text_is_the_default(name, empty):
    assert Policy(**{name: empty}) == Policy()
    assert Policy(locales={"de": {name: empty}}).text(name, locale="de") == Policy().text(name, locale="de")


@pytest.mark.parametrize("other", REFERENCE)
def test_s032_to_s042_the_fields_of_the_reference_are_known_by_its_names_too(other):
    name, value = REFERENCE[other]
    assert getattr(Policy(**{other: value}), name) == value
    assert Policy(**{other: value}) == Policy(**{name: value})
    if name in TEXTS:
        policy = Policy(agent_locale="de", locales={"de": {other: value}})
        assert policy.text(name, locale="de") == value


@pytest.mark.parametrize("other", REFERENCE)
def test_a_field_under_two_names_is_refused(other):
    name, value = REFERENCE[other]
    with pytest.raises(ValidationError, match=f"{name} and {other} are the same field"):
        Policy(**{name: value, other: value})
    assert getattr(Policy(**{name: None, other: value}), name) == value
    assert getattr(Policy(**{other: value, name: None}), name) == value


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("on_handoff_message", "A human will be with you shortly"),
        ("on_human_agent_assigned_message", "has joined"),
        ("on_hitl_stopped_message", "The agent has closed the conversation"),
        ("on_user_hitl_cancelled_message", "(The customer has ended the session.)"),
        ("on_incompatible_msg_type_message", "Please send it as text"),
        ("on_user_hitl_close_message", "You have ended the conversation"),
        ("on_agent_assigned_timeout_message", "Nobody from our team is available"),
        ("on_unsupported_user_message", "cannot pass this kind of message on"),
        ("on_internal_error_message", "no longer connected to our team"),
    ],
)
def test_s032_to_s038_s047_s150_default_texts(name, words):
    assert words in Policy().text(name)


@pytest.mark.parametrize("name", SECONDS)
def test_s040_f14_times_are_off_unless_given_and_never_negative_endless_or_longer_than_a_year(name):
    assert getattr(Policy(), name) == getattr(Policy(**{name: None}), name) == 0
    assert getattr(Policy(**{name: 0.5}), name) == 0.5
    for wrong in (-1, -0.001, math.inf, math.nan, 400 * 24 * 3600, "soon"):
        with pytest.raises(ValidationError, match=name):
            Policy(**{name: wrong})


def test_f14_a_customer_is_warned_before_the_end_not_after():
    Policy(customer_silence_warning_seconds=59, customer_silence_timeout_seconds=60)
    Policy(customer_silence_warning_seconds=90)  # asked only, never sent away
    for warning in (60, 61):
        with pytest.raises(ValidationError, match="customer_silence_warning_seconds must be less"):
            Policy(customer_silence_warning_seconds=warning, customer_silence_timeout_seconds=60)


def test_s041_s042_the_bot_goes_on_and_agents_show_their_name_unless_told_otherwise():
    assert Policy().use_human_agent_info
    assert Policy().flow_on_hitl_stopped


@pytest.mark.parametrize(
    ("field", "default", "choices"),
    [
        ("on_first_answer_timeout", "end", {"tell", "end"}),
        ("on_agent_silence", "tell", {"tell", "end"}),
        ("on_late_agent_message", "deliver", {"deliver", "hand_over", "answer", "notify"}),
        ("on_session_reopened", "hand_over", {"hand_over", "notify"}),
        ("off_hours", "leave_message", {"start", "leave_message", "refuse"}),
    ],
)
def test_f07_f14_f31_choices(field, default, choices):
    assert getattr(Policy(), field) == default
    assert {getattr(Policy(**{field: choice}), field) for choice in choices} == choices
    with pytest.raises(ValidationError, match=field):
        Policy(**{field: "surprise me"})


def test_an_unknown_field_is_refused_with_a_near_miss_and_without_its_value():
    with pytest.raises(ValidationError, match="unknown field on_handof_message, did you mean on_handoff_message") as e:
        Policy(on_handof_message="a secret text")
    assert "secret" not in str(e.value)
    with pytest.raises(ConfigurationError, match="unknown field agentAssignedTimeout, did you mean") as caught:
        Policy.read({"agentAssignedTimeout": "a secret text"})
    assert "secret" not in str(caught.value)


def test_a_value_in_the_place_of_a_name_is_not_shown():
    with pytest.raises(ConfigurationError) as caught:
        Policy.read({"Dear customer, your card 4111 1111 1111 1111 was charged twice, sorry for that": 1})
    assert "4111" not in str(caught.value)


@pytest.mark.parametrize("field", ["agent_assigned_timeout_seconds", "on_handoff_message", "locales", "business_hours"])
def test_a_wrong_value_is_told_by_its_field_alone(field):
    with pytest.raises(ConfigurationError, match=f"policy: {field}: ") as caught:
        Policy.read({field: ["hunter2"]})
    assert "hunter2" not in str(caught.value)


def test_a_misspelt_message_type_is_refused_with_a_near_miss():
    with pytest.raises(ValidationError, match="unknown message type imgae, did you mean image"):
        Policy(customer_message_types=["text", "imgae"])


def test_no_text_of_anybody_shows_in_a_repr():
    marked = {name: f"secret {name}" for name in TEXTS}
    policy = Policy(**marked, user_close_command="/secret", locales={"de": {**marked, "user_close_command": "/secret"}})
    assert "secret" not in repr(policy)
    assert "secret" not in repr(policy.locales["de"])
    shown = repr(Policy())
    assert [name for name, text in ENGLISH.items() if text in shown] == []


# Variables --------------------------------------------------------------------------------------------------------


def test_f33_variables_are_filled_in():
    hours = BusinessHours(timezone="Europe/Zurich", weekly={"mon-sun": ["00:00-24:00"]})
    text = "{agent_name}|{user_name}|{queue_position}|{wait_minutes}|{ticket_url}|{ticket_id}|{opens_at}"
    told = Policy(on_handoff_message=text, business_hours=hours).text(
        "on_handoff_message",
        agent_name="Bea",
        user_name="Ada",
        queue_position=3,
        wait_minutes=4.2,
        ticket_url="https://desk.test/7",
        ticket_id="7",
        opens_at=datetime(2026, 7, 1, 6, 30, tzinfo=UTC),
    )
    assert told == "Bea|Ada|3|5|https://desk.test/7|7|2026-07-01 08:30"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Hello {user_name|there}!", "Hello there!"),
        ("Hello{user_name|}!", "Hello!"),
        ("Hello {user_name}! You are number {queue_position}. One moment.", "One moment."),
        ("One moment.\nYou are number {queue_position}.", "One moment."),
        ("One moment. You are number {queue_position}", "One moment."),
        ("{{user_name}} {user_name|{{}", None),
        ("{{user_name}} is a variable", "{user_name} is a variable"),
        ("請稍候。您是第 {queue_position} 位。謝謝", "請稍候。謝謝"),
        ("Version 2.5 is out. {user_name}?", "Version 2.5 is out."),
    ],
)
def test_f33_a_variable_without_a_value_has_its_own_words_or_takes_its_sentence_along(text, told):
    if told is None:
        with pytest.raises(ValidationError, match="a brace stands alone"):
            Policy(on_handoff_message=text)
    else:
        assert Policy(on_handoff_message=text).text("on_handoff_message") == told


def test_f33_a_text_of_which_nothing_is_left_gives_way_to_the_next_one():
    policy = Policy(
        on_handoff_message="You are number {queue_position}.", locales={"de": {"on_handoff_message": "Nr. 1"}}
    )
    assert policy.text("on_handoff_message") == ENGLISH["on_handoff_message"]
    assert policy.text("on_handoff_message", locale="fr") == BUILT_IN["fr"]["on_handoff_message"]
    assert policy.text("on_handoff_message", queue_position=2) == "You are number 2."


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_s092_an_agent_without_a_name_has_the_fallback_name(nothing):
    assert (
        Policy().text("on_human_agent_assigned_message", agent_name=nothing) == "An agent has joined the conversation."
    )
    policy = Policy(agent_fallback_name="Team Blau", locales={"fr": {"agent_fallback_name": "L'équipe"}})
    assert policy.text("on_human_agent_assigned_message", agent_name=nothing).startswith("Team Blau")
    assert policy.agent_name(nothing, locale="fr-CA") == "L'équipe"
    assert policy.agent_name("Bea", locale="fr") == "Bea"


def test_s041_names_of_agents_that_are_not_shown_are_not_told_either():
    policy = Policy(use_human_agent_info=False)
    assert policy.agent_name("Bea") == "An agent"
    assert policy.text("on_human_agent_assigned_message", agent_name="Bea") == "An agent has joined the conversation."


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"queue_position": 0}, "1"),
        ({"queue_position": -1}, "?"),
        ({"wait_minutes": 0.2}, "1"),
        ({"wait_minutes": math.nan}, "?"),
        ({"wait_minutes": math.inf}, "?"),
        ({"user_name": "Ada\n Lovelace "}, "Ada Lovelace"),
        ({"user_name": "{ticket_id} {{"}, "{ticket_id} {{"),
        ({"user_name": "x" * 5000}, "x" * 200),
        ({"opens_at": datetime(2026, 7, 1, 6, 30, tzinfo=UTC)}, "2026-07-01 06:30"),
    ],
)
def test_values_are_told_as_people_would(variables, told):
    (name,) = variables
    assert Policy(on_handoff_message=f"{{{name}|?}}").text("on_handoff_message", **variables) == told


@pytest.mark.parametrize("text", ["{agent_nam}", "{ Agent_name }", "Hi {agent_name}, {agent_nme|x}"])
def test_f33_an_unknown_variable_is_refused_when_configured_with_a_near_miss(text):
    for settings in ({"on_handoff_message": text}, {"locales": {"de": {"on_handoff_message": text}}}):
        with pytest.raises(
            ConfigurationError, match=r"on_handoff_message: unknown variable .*did you mean agent_name\?"
        ):
            Policy.read(settings)


@pytest.mark.parametrize("text", ['{"card": 4111}', "{a secret text}", "{}", "{0}"])
def test_what_is_no_name_of_a_variable_is_a_piece_of_text_and_not_shown(text):
    with pytest.raises(ConfigurationError, match="unknown variable") as caught:
        Policy.read({"on_handoff_message": text})
    assert "4111" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["a { b", "a } b", "{agent_name", "{{agent_name}"])
def test_a_brace_alone_is_refused_and_told_how_to_write(text):
    with pytest.raises(ConfigurationError, match=r"braces themselves are written \{\{ and \}\}"):
        Policy.read({"on_handoff_message": text})


@pytest.mark.parametrize("name", ["agent_fallback_name", "hand_back_marker"])
def test_texts_that_stand_in_for_others_have_no_variables(name):
    with pytest.raises(ConfigurationError, match="variables are not filled in here"):
        Policy.read({name: "{agent_name}"})
    assert Policy(**{name: "a {{b}}"}).text(name) == "a {b}"


def test_a_variable_nobody_knows_is_a_mistake_of_the_caller():
    with pytest.raises(TypeError, match="unknown variable agent, did you mean agent_name"):
        Policy().text("on_handoff_message", agent="Bea")


# Languages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "told"),
    [
        ("de-CH", "Grüezi"),
        ("de_ch", "Grüezi"),
        ("DE-ch", "Grüezi"),
        ("de_CH.UTF-8@euro", "Grüezi"),
        ("de-CH-1996", "Grüezi"),
        ("de-AT", "Guten Tag"),
        ("de-u-co-phonebk", "Guten Tag"),
        ("de", "Guten Tag"),
        ("fr", "Hello"),
        (None, "Hello"),
        ("", "Hello"),
        ("C", "Hello"),
        ("no idea!", "Hello"),
        ("-", "Hello"),
    ],
)
def test_f33_a_locale_is_looked_up_from_the_closest_to_the_one_for_all(locale, told):
    policy = Policy(
        on_handoff_message="Hello",
        locales={"de": {"on_handoff_message": "Guten Tag"}, "de-CH": {"on_handoff_message": "Grüezi"}},
    )
    assert policy.text("on_handoff_message", locale=locale) == told


def test_f33_what_a_region_lacks_is_its_languages():
    policy = Policy(locales={"de": {"on_handoff_message": "Guten Tag"}, "de-CH": {"agent_fallback_name": "Öpper"}})
    assert policy.text("on_handoff_message", locale="de-CH") == "Guten Tag"
    assert policy.text("on_human_agent_assigned_message", locale="de-CH") == "Öpper ist dem Gespräch beigetreten."


def test_f33_what_is_configured_for_all_goes_before_what_is_built_in():
    policy = Policy(on_handoff_message="Our robots hand you over.")
    assert policy.text("on_handoff_message", locale="fr") == "Our robots hand you over."
    assert policy.text("on_hitl_stopped_message", locale="fr") == BUILT_IN["fr"]["on_hitl_stopped_message"]


def test_f33_customers_of_no_known_language_have_the_default_one():
    policy = Policy(default_locale="de-AT")
    assert policy.text("on_handoff_message") == BUILT_IN["de"]["on_handoff_message"]
    assert policy.text("on_handoff_message", locale="ja") == BUILT_IN["de"]["on_handoff_message"]
    assert policy.text("on_handoff_message", locale="en-GB") == ENGLISH["on_handoff_message"]


@pytest.mark.parametrize("name", sorted(AGENT_TEXTS))
def test_f33_agents_are_told_in_their_own_language_not_the_customers(name):
    assert Policy().text(name, locale="fr") == ENGLISH[name]
    assert Policy(agent_locale="de").text(name, locale="fr") == BUILT_IN["de"][name]
    assert Policy(default_locale="it").text(name, locale="fr") == BUILT_IN["it"][name]
    assert Policy(agent_locale="nl", locales={"nl": {name: "x"}}).text(name, locale="fr") == "x"


@pytest.mark.parametrize("choice", ["on_first_answer_timeout", "on_agent_silence"])
@pytest.mark.parametrize("tag", sorted(BUILT_IN))
def test_f14_a_built_in_text_tells_what_is_really_done(choice, tag):
    told, ended = (Policy(**{choice: way}).text(f"{choice}_message", locale=tag) for way in ("tell", "end"))
    assert told != ended
    other = {"on_first_answer_timeout": "on_agent_silence", "on_agent_silence": "on_first_answer_timeout"}[choice]
    assert told == Policy(**{other: "tell"}).text(f"{other}_message", locale=tag)
    assert Policy(**{choice: "end", f"{choice}_message": "x"}).text(f"{choice}_message", locale=tag) == "x"


@pytest.mark.parametrize("tag", sorted(BUILT_IN))
def test_f33_every_built_in_language_has_every_text_and_only_agents_names_in_it(tag):
    assert set(BUILT_IN[tag]) == set(ENGLISH) >= set(TEXTS)
    for name, text in BUILT_IN[tag].items():
        assert set(re.findall(r"\{(\w+)", text)) <= {"agent_name"}
        assert fill_in(text, {"agent_name": "Bea"}) == text.replace("{agent_name}", "Bea").strip(), name
        assert text != NOTHING


@pytest.mark.parametrize("tag", [tag for tag in sorted(BUILT_IN) if tag != "en"])
def test_f33_no_text_of_a_built_in_language_is_still_english(tag):
    assert [name for name, text in BUILT_IN[tag].items() if text == ENGLISH[name]] == []


def test_f33_every_text_and_the_close_command_can_be_given_for_a_language():
    assert set(LocaleTexts.model_fields) == {*TEXTS, "user_close_command"}
    assert set(TEXTS) < set(Policy.model_fields)


def test_f33_an_unknown_text_of_a_language_is_refused_with_a_near_miss():
    wanted = r"locales\.de-CH: unknown text on_handof_message, did you mean on_handoff_message\?"
    with pytest.raises(ConfigurationError, match=wanted):
        Policy.read({"locales": {"de-CH": {"on_handof_message": "x"}}})


@pytest.mark.parametrize("tag", ["", "d", "deutsch!", "de-", "-de", "de--CH", 7])
def test_f33_what_is_no_language_tag_is_refused_when_configured(tag):
    with pytest.raises(ConfigurationError, match="BCP 47"):
        Policy.read({"locales": {tag: {}}})


def test_f33_a_language_given_twice_is_refused():
    with pytest.raises(ConfigurationError, match="de-CH is given twice"):
        Policy.read({"locales": {"de_ch": {}, "de-CH": {}}})


TAGS = st.sampled_from([None, "de", "de-CH", "de-CH-1996", "fr", "fr-CA", "ja", "en", "en-GB", "C", "x"])
CONFIGURED = st.sampled_from([None, "", NOTHING, "plain", "{user_name|you}", "{queue_position}.", "a. {ticket_url}. b"])
NAMES = st.sampled_from(TEXTS[:-2])
LOCALES = st.dictionaries(
    st.sampled_from(["de", "de-CH", "fr", "ja"]), st.dictionaries(NAMES, CONFIGURED, max_size=4), max_size=3
)
VALUES = st.fixed_dictionaries({}, optional={"user_name": st.text(), "queue_position": st.none() | st.integers()})


@given(
    name=NAMES,
    base=st.dictionaries(NAMES, CONFIGURED, max_size=4),
    locales=LOCALES,
    locale=TAGS | st.text(max_size=12),
    default=TAGS.filter(lambda tag: tag not in {"C", "x", "ja"}),
    values=VALUES,
)
def test_f33_whatever_is_configured_a_text_is_said_or_switched_off_and_never_shows_a_variable(
    name, base, locales, locale, default, values
):
    policy = Policy(**base, locales=locales, default_locale=default)
    told = policy.text(name, locale=locale, **values)
    configured = {text for text in (base.get(name), *(texts.get(name) for texts in locales.values())) if text}
    if told is None:
        assert NOTHING in configured
    else:
        assert told.strip() == told != ""
        assert not [
            variable for variable in VARIABLES if f"{{{variable}" in told and f"{{{variable}" not in str(values)
        ]
    again = Policy.from_stored(policy.to_stored())
    assert again.text(name, locale=locale, **values) == told


@given(st.text())
def test_any_text_is_either_refused_in_a_sentence_or_can_be_said(text):
    try:
        policy = Policy.read({"on_handoff_message": text})
    except ConfigurationError:
        with pytest.raises(ConfigurationError, match=r"on_handoff_message: .*brace"):
            Policy.read({"on_handoff_message": text})
        return
    told = policy.text("on_handoff_message")
    assert (told is None) == (text == NOTHING)


@given(st.text())
def test_doubled_braces_make_any_text_literal(text):
    escaped = text.replace("{", "{{").replace("}", "}}")
    assert fill_in(escaped, {}) == text.strip()


def test_variables_are_described_where_they_are_declared():
    described = re.findall(r":param (\w+):", ast.get_docstring(ast.parse(inspect.getsource(Variables)).body[0]))
    assert tuple(described) == VARIABLES
