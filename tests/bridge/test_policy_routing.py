"""Which helpdesk a hand-off goes to (behaviour F31)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_core.bridge.handoff.inputs import StartRequested
from hitl_core.bridge.policy import Route, Routing, When, choose
from hitl_core.errors import ConfigurationError
from hitl_core.people import EndUser

DEFAULT = ("desk", "backup")


def start(title="Refund", *, options=None, **user):
    return StartRequested(
        handoff_id="h1",
        conversation_id="c1",
        connections=DEFAULT,
        key="k",
        user=EndUser(**user),
        title=title,
        options=options or {},
    )


def holds(when, asked):
    return choose([Route(when=when, connections="there")], DEFAULT, asked) == ("there",)


def test_f31_without_routes_a_start_goes_to_the_default_chain():
    assert choose([], DEFAULT, start()) == DEFAULT
    assert choose([], ["desk"], start()) == ("desk",)


def test_f31_the_first_route_that_holds_decides():
    routes = [
        Route(when={"locale": "fr"}, connections="desk-fr"),
        Route(when={"title_words": "refund"}, connections=("money", "desk")),
        Route(when={"locale": "de"}, connections="desk-de"),
    ]
    assert choose(routes, DEFAULT, start(locale="de")) == ("money", "desk")
    assert choose(routes, DEFAULT, start("Hello", locale="de-CH")) == ("desk-de",)
    assert choose(routes, DEFAULT, start(locale="fr")) == ("desk-fr",)
    assert choose(routes, DEFAULT, start("Hello", locale="it")) == DEFAULT


def test_f31_a_route_without_conditions_always_holds():
    assert choose([Route(connections="all")], DEFAULT, start()) == ("all",)


@pytest.mark.parametrize(
    ("wanted", "locale", "found"),
    [
        ("de", "de", True),
        ("de", "de-CH", True),
        ("de", "de_at.UTF-8", True),
        ("de-CH", "de", False),
        ("de_ch", "de-CH", True),
        (["fr", "it"], "it", True),
        ("de", "den", False),
        ("de", None, False),
        ("de", "no idea!", False),
    ],
)
def test_f31_by_language(wanted, locale, found):
    assert holds({"locale": wanted}, start(locale=locale)) is found


@pytest.mark.parametrize(
    ("wanted", "title", "found"),
    [
        ("refund", "My REFUND, please!", True),
        ("refund", "Refunds", False),
        (["return", "refund"], "A return", True),
        ("gift card", "Lost gift  card", True),
        ("gift card", "A card as a gift", False),
        ("rückgabe", "Ru\u0308ckgabe", True),
        ("c++", "About C", True),
        ("refund", "", False),
    ],
)
def test_f31_by_whole_words_of_the_title(wanted, title, found):
    assert holds({"title_words": wanted}, start(title)) is found


@pytest.mark.parametrize(
    ("wanted", "value", "found"),
    [
        ("urgent", "Urgent", True),
        ("urgent", "urgently", False),
        (["high", "urgent"], "high", True),
        (7, 7, True),
        (7, "7", False),
        (1, True, False),
        (True, 1, False),
        (True, True, True),
        (None, None, True),
        ("vip", ["new", "VIP"], True),
        (["a", "b"], ["c", "b"], True),
        ("vip", [], False),
        ({"a": 1}, {"a": 1}, True),
    ],
)
def test_f31_by_options_and_by_the_customers_data(wanted, value, found):
    assert holds({"options": {"tier": wanted}}, start(options={"tier": value})) is found
    assert holds({"user_data": {"tier": wanted}}, start(data={"tier": value})) is found
    assert not holds({"options": {"tier": wanted}}, start(options={"other": value}))


def test_f31_every_condition_has_to_hold():
    when = {"locale": "de", "options": {"priority": "urgent"}}
    assert holds(when, start(locale="de", options={"priority": "urgent"}))
    assert not holds(when, start(locale="de"))
    assert not holds(when, start(options={"priority": "urgent"}))


@given(title=st.text(), locale=st.none() | st.text(), word=st.text())
def test_f31_a_choice_is_made_whatever_customers_write(title, locale, word):
    routes = [Route(when={"title_words": "refund"}, connections="a"), Route(when={"locale": "de"}, connections="b")]
    assert choose(routes, DEFAULT, start(title, locale=locale, data={"x": word})) in {("a",), ("b",), DEFAULT}


def test_routing_is_routes_and_a_default_that_settings_can_hold():
    routing = Routing.model_validate_json(
        '{"routes": [{"when": {"locale": ["de"]}, "connections": ["desk-de", "desk"]}], "default": "desk"}'
    )
    assert routing.choose(start(locale="de")) == ("desk-de", "desk")
    assert routing.choose(start()) == ("desk",)
    assert Routing.model_validate_json(routing.model_dump_json()) == routing
    routing.check(["desk", "desk-de"])


def test_a_connection_nobody_has_is_refused_with_a_near_miss():
    routing = Routing(routes=[Route(connections=("desk", "zendsk"))], default="desk")
    with pytest.raises(ConfigurationError, match="route 1: unknown connection zendsk, did you mean zendesk"):
        routing.check(["desk", "zendesk"])
    with pytest.raises(ConfigurationError, match="default: unknown connection desk, known: intercom"):
        routing.check(["intercom"])


def test_a_route_that_is_never_reached_is_refused():
    routing = Routing(routes=[Route(connections="a"), Route(when={"locale": "de"}, connections="b")], default="a")
    with pytest.raises(ConfigurationError, match="route 1 always holds"):
        routing.check(["a", "b"])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"connections": []}, "connections"),
        ({"connections": ["desk", "desk"]}, "each is tried once"),
        ({"connections": [" "]}, "connections have names"),
        ({"connections": "a", "when": {"locales": "de"}}, "unknown condition locales, did you mean locale"),
        ({"connections": "a", "wen": {}}, "unknown field wen, did you mean when"),
        ({"connections": "a", "when": {"locale": "no idea!"}}, "BCP 47"),
        ({"connections": "a", "when": {"title_words": ["?"]}}, "at least one letter or digit"),
        ({"connections": "a", "when": {"options": {"x": []}}}, "an empty list of values never holds"),
    ],
)
def test_a_wrong_route_is_told_when_configured(wrong, told):
    with pytest.raises(ConfigurationError, match=rf"^routing: routes\.0.*{told}"):
        Routing.read({"routes": [wrong], "default": "desk"})


def test_data_of_customers_does_not_show_in_a_repr():
    assert "4711" not in repr(Route(when={"user_data": {"account": "4711"}}, connections="a"))
    assert When() == Route(connections="a").when
