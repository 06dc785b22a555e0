"""The recordings of this repository hold no secret and no customer, and say where they come from."""

from pathlib import Path

from hitl_core.cli.simulate import load_simulator
from hitl_core.discovery import load_provider
from hitl_core.testing.cassettes import check_cassettes
from hitl_core.testing.simulator import simulated_secrets

CASSETTES = Path(__file__).parents[1] / "cassettes"


def test_every_recording_is_clean():
    assert list(CASSETTES.rglob("*.yaml")), "the check has something to look at"
    providers = [folder.name for folder in CASSETTES.iterdir() if folder.is_dir()]
    secrets = {
        secret
        for name in providers
        for secret in simulated_secrets(load_simulator(name)(), load_provider(name)[0].info)
    }
    assert len(secrets) >= len(providers), "and something to look for"
    assert not check_cassettes(CASSETTES, secrets=secrets)
