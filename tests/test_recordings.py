"""The recordings of this repository hold no secret and no customer, and say where they come from."""

from pathlib import Path

from hitl_core.testing.cassettes import check_cassettes

CASSETTES = Path(__file__).parents[1] / "cassettes"


def test_every_recording_is_clean():
    assert list(CASSETTES.rglob("*.yaml")), "the check has something to look at"
    assert not check_cassettes(CASSETTES)
