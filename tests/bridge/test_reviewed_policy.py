"""What people write into a policy and what a bridge or a start is given as one: taken, or refused in a sentence."""

import json

import pytest

from hitl_core.bridge import Policy, Route
from hitl_core.bridge.policy.languages import BUILT_IN
from hitl_core.errors import ConfigurationError

from .world import world

BUILT_IN_TAGS = ", ".join(sorted(BUILT_IN))


def refused(settings):
    with pytest.raises(ConfigurationError) as told:
        Policy.read(settings)
    assert "\n" not in str(told.value)
    return str(told.value)


# Languages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["english", "german", "Deutsch", "d", "de-1", "de-CH-", "de-DE-DE", "12"])
def test_what_is_not_shaped_like_a_language_tag_is_refused_wherever_a_language_is_named(name):
    for settings in ({"default_locale": name}, {"agent_locale": name}, {"locales": {name: {}}}):
        assert 'BCP 47 tag such as "de" or "de-CH"' in refused(settings)
    with pytest.raises(ConfigurationError, match="BCP 47"):
        Route.read({"when": {"locale": name}, "connections": "desk"})


@pytest.mark.parametrize(
    "tag", ["zz", "ja", "gsw-CH", "zh-Hant-TW", "es-419", "sl-rozaj-biske-1994", "de-DE-u-co-phonebk", "en-x-shop"]
)
def test_a_language_without_built_in_texts_may_have_texts_of_ones_own(tag):
    policy = Policy.read({"locales": {tag: {"on_handoff_message": "Just so"}}, "default_locale": tag})
    assert policy.text("on_handoff_message", locale=tag) == policy.text("on_handoff_message") == "Just so"


@pytest.mark.parametrize("field", ["default_locale", "agent_locale"])
def test_a_language_to_fall_back_to_has_texts_and_the_error_says_which_have(field):
    told = refused({field: "zz", "locales": {"ja": {"on_handoff_message": "x"}, "zz": {"user_close_command": "x"}}})
    assert f"{field}: there are no texts in that language, only in" in told
    assert "ja" in told
    assert "zz" not in told
    assert BUILT_IN_TAGS in refused({field: "zz"})
    for tag in ("de", "de-AT", "en-GB"):
        assert getattr(Policy.read({field: tag}), field) == tag


def test_an_override_may_bring_the_texts_of_the_language_it_falls_back_to():
    with pytest.raises(ConfigurationError, match="default_locale: there are no texts"):
        Policy().with_overrides({"default_locale": "ja"})
    laid = Policy().with_overrides({"default_locale": "ja", "locales": {"ja": {"on_handoff_message": "x"}}})
    assert laid.text("on_handoff_message") == "x"


def test_customers_may_have_any_idea_of_their_language():
    assert Policy().text("on_handoff_message", locale="de_DE_EURO") == BUILT_IN["de"]["on_handoff_message"]
    assert Policy().text("on_handoff_message", locale="german") == BUILT_IN["en"]["on_handoff_message"]


def test_languages_that_were_stored_before_are_read_as_they_are(caplog):
    stored = {"locales": {"german": {"on_handoff_message": "Moment"}}, "default_locale": "german", "agent_locale": "zz"}
    policy = Policy.from_stored(json.dumps(stored))
    assert policy.text("on_handoff_message") == "Moment"
    assert Policy.from_stored(policy.to_stored()) == policy
    assert caplog.text == ""


# Commands -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [5, True, b"/end", {"/end": 1}])
def test_what_is_neither_a_text_nor_several_is_told_what_to_give(wrong):
    for settings in ({"user_close_command": wrong}, {"locales": {"de": {"user_close_command": wrong}}}):
        assert refused(settings).endswith("user_close_command: give a text, or a list of texts")
    with pytest.raises(ConfigurationError, match="connections: give a text, or a list of texts"):
        Route.read({"connections": wrong})


# A whole policy for one start -----------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_start_takes_a_whole_policy_in_place_of_the_bridges(store):
    bridges = Policy(on_handoff_message="One moment", agent_assigned_timeout_seconds=60, locales={"de": {}})
    async with world(store, policy=bridges) as w:
        own = Policy(on_handoff_message="Just for you", maximum_duration_seconds=99)
        result = await w.start(policy=own)
        assert result.handoff.policy == own
        assert w.texts == ["Just for you"]
        changed = bridges.with_overrides({"on_handoff_message": "And you"})
        assert (await w.start("c2", policy=changed)).handoff.policy == changed
        assert w.texts[-1] == "And you"
