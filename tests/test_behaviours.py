"""Every behaviour that is promised has a test that carries its number."""

import importlib.util
from pathlib import Path

import pytest

PAGE_MAKER = Path(__file__).parents[1] / "docs" / "behaviour.py"

# What a hand-off does: its data, its provider, its settings, its start, its two directions, its ends (S001-S150, those
# that are kept), what it does better than others (F), and mistakes that were paid for (R).
PROMISED_SPANS = (
    ("S", 3, [(1, 5), (7, 26), (30, 46), (50, 51), (53, 55), (57, 58), (62, 74), (76, 94), (97, 99), (101, 111)]),
    ("S", 3, [(6, 6), (114, 119), (121, 128), (130, 130), (150, 150)]),
    ("F", 2, [(1, 15), (20, 24), (31, 31), (33, 33)]),
    ("R", 2, [(1, 17)]),
    # What customers' and bots' messages become, and Zendesk: its tickets, its messaging. S213 is about another vendor;
    # S221 about a page on which somebody authorises an app, which there is none of yet.
    ("S", 3, [(200, 212), (214, 214), (220, 220), (222, 245), (250, 265)]),
    ("F", 2, [(25, 30), (35, 38)]),
)


@pytest.fixture(scope="module")
def shown():
    spec = importlib.util.spec_from_file_location("behaviour", PAGE_MAKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def promised():
    return [
        f"{kind}{number:0{width}}"
        for kind, width, spans in PROMISED_SPANS
        for first, last in spans
        for number in range(first, last + 1)
    ]


def test_every_promised_behaviour_has_a_test_that_carries_its_number(shown):
    tests = shown.tests_by_number()
    assert [number for number in promised() if number not in tests] == []


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("test_f03_a_failed_start", {"F03"}),
        ("test_s103_s104_the_stop_action", {"S103", "S104"}),
        ("test_s020_to_s023_kinds", {"S020", "S021", "S022", "S023"}),
        ("Shows what is lost (S001-S003, R07)", {"S001", "S002", "S003", "R07"}),
        ("test_utf8_and_f12x_are_no_numbers", set()),
    ],
)
def test_numbers_are_read_from_names_and_docstrings(shown, text, numbers):
    assert shown.numbers_in(text) == numbers
