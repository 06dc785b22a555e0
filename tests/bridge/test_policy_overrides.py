"""The settings of one hand-off over those for all, and what is stored of them (behaviour S043-S046)."""

import json
import logging
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_core._model import Model
from hitl_core.bridge.policy import TEXTS, BusinessHours, FrozenPolicy, LocaleTexts, Policy
from hitl_core.bridge.policy.languages import BUILT_IN, ENGLISH
from hitl_core.errors import ConfigurationError, StoreError
from hitl_core.messages import Text

OTHERS = {
    **{name: f"other {name}" for name in TEXTS},
    "user_close_command": ("/other",),
    **{name: 5.0 for name in Policy.model_fields if name.endswith("_seconds")},
    "customer_silence_timeout_seconds": 6.0,
    "on_first_answer_timeout": "tell",
    "on_agent_silence": "end",
    "on_late_agent_message": "answer",
    "on_session_reopened": "notify",
    "off_hours": "refuse",
    "use_human_agent_info": False,
    "flow_on_hitl_stopped": False,
    "customer_message_types": frozenset({"text"}),
    "locales": {"ja": LocaleTexts(on_handoff_message="少々")},
    "default_locale": "fr",
    "agent_locale": "de",
    "business_hours": BusinessHours(timezone="Asia/Tokyo", weekly={"mon": ["09:00-17:00"]}),
}


def test_this_page_overrides_every_field():
    assert set(OTHERS) == set(Policy.model_fields)


@pytest.mark.parametrize("name", OTHERS)
def test_s043_s044_every_field_can_be_overridden_alone(name):
    laid = Policy().with_overrides({name: OTHERS[name]})
    assert getattr(laid, name) == OTHERS[name]
    assert laid.model_copy(update={name: getattr(Policy(), name)}) == Policy()


@pytest.mark.parametrize("name", OTHERS)
def test_s044_an_absent_override_leaves_the_value_for_all(name):
    policy = Policy(**OTHERS)
    assert policy.with_overrides({name: None}) is policy
    if name != "off_hours":
        laid = policy.with_overrides({name: None, "off_hours": "start"})
        assert getattr(laid, name) == OTHERS[name]


@pytest.mark.parametrize("nothing", [None, {}, {"on_handoff_message": None}])
def test_s044_no_override_is_the_policy_itself(nothing):
    policy = Policy(off_hours="refuse")
    assert policy.with_overrides(nothing) is policy


def test_s044_an_empty_override_is_the_default_text():
    policy = Policy(on_handoff_message="x", user_close_command="/x", locales={"de": {"on_handoff_message": "y"}})
    laid = policy.with_overrides({"onHitlHandoffMessage": "", "userHitlCloseCommand": ""})
    assert laid.text("on_handoff_message") == ENGLISH["on_handoff_message"]
    assert laid.text("on_handoff_message", locale="de") == BUILT_IN["de"]["on_handoff_message"]
    assert laid.user_close_command == ("/end",)


def test_s043_the_names_of_the_reference_override_too():
    policy = Policy(on_handoff_message="a", agent_fallback_name="b", agent_assigned_timeout_seconds=9)
    laid = policy.with_overrides({"onHitlHandoffMessage": "c", "agentAssignedTimeoutSeconds": 0})
    assert (laid.on_handoff_message, laid.agent_fallback_name, laid.agent_assigned_timeout_seconds) == ("c", "b", 0)


def test_s043_f33_a_text_for_this_hand_off_is_said_whatever_the_customers_language():
    policy = Policy(locales={"de": {"on_handoff_message": "Moment", "on_hitl_stopped_message": "Ende"}})
    for text in ("NULL", "Just for you"):
        laid = policy.with_overrides({"on_handoff_message": text})
        assert laid.text("on_handoff_message", locale="de") == (None if text == "NULL" else text)
        assert laid.text("on_hitl_stopped_message", locale="de") == "Ende"


def test_s043_f11_so_is_a_command():
    policy = Policy(locales={"de": {"user_close_command": "ende", "on_handoff_message": "Moment"}})
    laid = policy.with_overrides({"user_close_command": "/stop"})
    assert [laid.is_close_command(Text(text=said), "de") for said in ("/stop", "ende", "/end")] == [True, False, False]
    assert laid.text("on_handoff_message", locale="de") == "Moment"


def test_s044_f33_languages_are_laid_over_text_by_text():
    policy = Policy(
        locales={"de": {"on_handoff_message": "a", "on_hitl_stopped_message": "b"}, "fr": {"agent_fallback_name": "c"}}
    )
    laid = policy.with_overrides(
        {
            "locales": {
                "DE": {"on_handoff_message": "A", "on_hitl_stopped_message": None},
                "it": LocaleTexts(agent_fallback_name="D"),
            }
        }
    )
    assert laid.locales == {
        "de": LocaleTexts(on_handoff_message="A", on_hitl_stopped_message="b"),
        "fr": LocaleTexts(agent_fallback_name="c"),
        "it": LocaleTexts(agent_fallback_name="D"),
    }
    emptied = laid.with_overrides({"locales": {"de": {"onHitlHandoffMessage": ""}}})
    assert emptied.text("on_handoff_message", locale="de") == BUILT_IN["de"]["on_handoff_message"]
    both = policy.with_overrides({"on_handoff_message": "all", "locales": {"de": {"on_handoff_message": "de"}}})
    assert [both.text("on_handoff_message", locale=tag) for tag in ("de", "fr")] == ["de", "all"]


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"on_handof_message": "a secret"}, "unknown field on_handof_message, did you mean on_handoff_message?"),
        ({"agent_assigned_timeout_seconds": -1}, "agent_assigned_timeout_seconds: Input should be greater than"),
        ({"user_close_command": " "}, "user_close_command: a close command of blanks"),
        ({"locales": {"de": {"on_handof_message": "a secret"}}}, "locales.de: unknown text on_handof_message, did you"),
        ({"locales": {"de": "a secret"}}, "locales.de: Input should be"),
        ({"locales": "a secret"}, "locales: Input should be"),
        ({"locales": {"a secret": {}}}, "a language is named by a BCP 47 tag"),
        ({"user_close_command": "a", "userHitlCloseCommand": "b"}, "are the same field"),
        ({"business_hours": {"timezone": "Mars/Base"}}, "business_hours.timezone: unknown time zone"),
        ({"on_handoff_message": "{secret_thing}"}, "on_handoff_message: unknown variable"),
        ({"customer_silence_warning_seconds": 99}, "must be less than customer_silence_timeout_seconds"),
        ({7: "a secret"}, "unknown field 7"),
    ],
)
def test_s043_a_wrong_override_is_one_sentence_that_names_the_field_and_no_value(overrides, told):
    with pytest.raises(ConfigurationError) as caught:
        Policy(customer_silence_timeout_seconds=60).with_overrides(overrides)
    assert told in str(caught.value)
    assert str(caught.value).startswith("hand-off policy: ")
    assert "a secret" not in str(caught.value)
    assert caught.value.__cause__ is None


# Stored -----------------------------------------------------------------------------------------------------------


class Record(Model):
    policy: FrozenPolicy


def test_s045_a_default_policy_takes_no_room_in_a_record():
    assert Policy().to_stored() == "{}"
    assert Record(policy=Policy()).model_dump_json() == '{"policy":"{}"}'


def test_s045_only_what_differs_is_stored():
    policy = Policy(on_handoff_message="Grüezi", locales={"de": {"agent_fallback_name": "Öpper"}})
    stored = '{"on_handoff_message":"Grüezi","locales":{"de":{"agent_fallback_name":"Öpper"}}}'
    assert policy.to_stored() == policy.model_dump_json(exclude_defaults=True) == stored


@pytest.mark.parametrize("name", OTHERS)
def test_s045_every_field_is_stored_and_read(name):
    policy = Policy(**{name: OTHERS[name]})
    assert list(json.loads(policy.to_stored())) == [name]
    assert Policy.from_stored(policy.to_stored()) == policy
    assert Policy.model_validate_json(policy.model_dump_json()) == policy
    assert Policy.model_validate_json(policy.model_dump_json(exclude_defaults=True)) == policy


def test_s045_equal_policies_are_stored_alike_and_read_as_one_object():
    once, twice = (Policy(**OTHERS).to_stored() for _ in range(2))
    assert once == twice
    assert Policy.from_stored(once) is Policy.from_stored(twice)
    records = [Record.model_validate_json(Record(policy=Policy(**OTHERS)).model_dump_json()) for _ in range(2)]
    assert records[0].policy is records[1].policy
    assert records[0].policy == Policy(**OTHERS)


def test_s045_sets_are_stored_alike_in_every_process():
    program = "from hitl_core.bridge.policy import Policy; print(Policy(customer_message_types={!r}).to_stored())"
    kinds = ["text", "image", "audio", "video", "file", "bloc", "card"]
    told = {
        subprocess.run(
            [sys.executable, "-c", program.format(kinds)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1


def test_a_changed_copy_is_stored_as_what_it_is():
    policy = Policy(on_handoff_message="x")
    assert policy.to_stored() != "{}"
    assert policy.model_copy(update={"on_handoff_message": Policy().on_handoff_message}).to_stored() == "{}"


def test_a_record_takes_a_policy_as_an_object_or_as_fields_too():
    policy = Policy(off_hours="refuse")
    assert Record(policy=policy).policy is policy
    assert Record(policy={"off_hours": "refuse"}).policy == policy
    assert Record.model_validate(Record(policy=policy).model_dump()).policy == policy


def test_what_a_newer_version_stored_is_read_without_what_is_not_known_here(caplog):
    stored = {
        "on_handoff_message": "One moment, {shoe_size|please}. You wear {shoe_size}.",
        "on_coffee_message": "a secret",
        "off_hours": "voicemail",
        "customer_message_types": ["hologram", "text"],
        "locales": {"de": {"on_hitl_stopped_message": "Ende", "on_coffee_message": "a secret"}},
        "business_hours": {"timezone": "UTC", "lunch": True},
    }
    with caplog.at_level(logging.WARNING, "hitl_core.bridge.policy"):
        policy = Policy.from_stored(json.dumps(stored))
    assert policy.text("on_handoff_message") == "One moment, please."
    assert policy.text("on_hitl_stopped_message", locale="de") == "Ende"
    assert policy.off_hours == Policy().off_hours
    assert policy.customer_message_types == {"hologram", "text"}
    assert policy.business_hours == BusinessHours(timezone="UTC")
    for word in ("on_coffee_message", "off_hours", "lunch"):
        assert word in caplog.text
    assert "a secret" not in caplog.text


@pytest.mark.parametrize("broken", ["", "[]", "7", "null", '"x"', "{", '{"customer_silence_timeout_seconds":'])
def test_what_was_never_a_policy_is_an_error_of_the_store(broken):
    with pytest.raises(StoreError, match="a stored policy cannot be read"):
        Policy.from_stored(broken)


@given(st.dictionaries(st.sampled_from([*OTHERS, "more"]), st.none() | st.integers() | st.text() | st.lists(st.text())))
def test_whatever_is_stored_is_read_or_an_error_of_the_store(stored):
    try:
        policy = Policy.from_stored(json.dumps(stored))
    except StoreError:
        return
    assert Policy.from_stored(policy.to_stored()) == policy
