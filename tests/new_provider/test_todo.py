"""The list of what is still to do names file and line, and gets shorter as the work is done."""

import dataclasses

import pytest

import hitl_core as hitl
from hitl_core.testing.todo import GAINS, first_step, open_points, undeclared

CASSETTE = "hitl:\n  provider: acme\n  origin: {origin}\n  recorded_at: '2026-01-05T12:00:00Z'\nversion: 1\n"
INFO = hitl.ProviderInfo(name="acme", title="Acme", verified="live")


def point(points, word):
    return [one for one in points if word in one]


@pytest.fixture
def project(tmp_path):
    """A finished package: nothing is open."""
    root = tmp_path / "hitl-acme"
    package = root / "hitl_acme"
    package.mkdir(parents=True)
    (root / "pyproject.toml").write_text("[project]\n")
    (root / "README.md").write_text("# hitl-acme\n")
    (package / "provider.py").write_text("x = 1\n")
    recording = root / "cassettes" / "acme" / "conformance" / "start.yaml"
    recording.parent.mkdir(parents=True)
    recording.write_text(CASSETTE.format(origin="live") + "interactions: []\n")
    return root


def test_a_finished_package_has_no_open_points(project):
    assert open_points(project, INFO) == []


@pytest.mark.parametrize("given", [".", "hitl_acme"])
def test_questions_left_are_listed_by_file_and_line(project, given):
    (project / "hitl_acme" / "provider.py").write_text("x = 1\n    # TODO(acme): How does it sign?  \ny = 2\n")
    (project / ".github").mkdir()
    (project / ".github" / "ci.yml").write_text("# TODO(acme): Which machine?\n")
    points = open_points(project / given, INFO)
    assert points[:2] == ["hitl_acme/provider.py:2: How does it sign?", ".github/ci.yml:1: Which machine?"]


def test_questions_stand_in_the_order_in_which_they_are_best_answered(project):
    for name in ("client", "events", "provider", "settings", "simulator", "test_acme"):
        (project / "hitl_acme" / f"{name}.py").write_text("# TODO(acme): What?\n# TODO(acme): And then?\n")
    (project / "README.md").write_text("[fill in: where]\n")
    points = open_points(project, dataclasses.replace(INFO, verified="simulator"))
    files = [one.partition(":")[0].rpartition("/")[2].removesuffix(".py") for one in points]
    assert files[::2][:6] == ["simulator", "settings", "provider", "events", "client", "test_acme"]
    assert files[12] == "README.md"
    assert "info.verified" in points[13]
    assert first_step(points).startswith("Start with the simulator: ")
    assert first_step(points[2:]) is None


def test_questions_of_others_are_none_of_ours(project):
    (project / "hitl_acme" / "provider.py").write_text("# TODO: tidy\n# TODO(acme-chat): What?\n# TODO(ada): Why?\n")
    for folder in (".venv/lib", "build", "node_modules/x", "env/lib"):
        (project / folder).mkdir(parents=True)
        (project / folder / "copy.py").write_text("# TODO(acme): Copied?\n")
    (project / "env" / "pyvenv.cfg").write_text("")
    assert open_points(project, INFO) == []


def test_placeholders_of_the_readme_are_listed_in_one_line_each(project):
    (project / "README.md").write_text("# x\n\n| [fill in: where\n  it is] | [link](x) | [fill in: who] |\n")
    points = open_points(project, INFO)
    assert points[:2] == ["README.md:3: to be filled in: where it is", "README.md:4: to be filled in: who"]


@pytest.mark.parametrize("verified", ["documented", "simulator"])
def test_what_was_not_proven_with_an_account_is_said(project, verified):
    info = dataclasses.replace(INFO, verified=verified)
    assert point(open_points(project, info), f"info.verified is '{verified}'")


def test_after_all_tests_passed_on_a_simulator_it_is_said_what_may_be_claimed(project):
    info = dataclasses.replace(INFO, verified="documented")
    assert "info.verified is 'documented'; these tests ran against a simulator, so say 'simulator'" in open_points(
        project, info, simulated=True
    )
    (one,) = point(open_points(project, info), "info.verified")
    assert "once every standard test passes" in one


@pytest.mark.parametrize("origin", ["simulator", "documented"])
def test_recordings_from_elsewhere_are_no_recordings_of_an_account(project, origin):
    (recording,) = project.rglob("*.yaml")
    recording.write_text(CASSETTE.format(origin=origin) + "interactions:\n- body: 'origin: live'\n")
    (one,) = point(open_points(project, INFO), "nothing is recorded from a live account")
    assert "come from elsewhere" in one
    recording.unlink()
    (one,) = point(open_points(project, INFO), "nothing is recorded from a live account")
    assert "is empty" in one
    assert "hitl cassettes record acme" in one


def test_recordings_may_stand_at_the_top_of_a_repository_of_several_providers(project):
    (project / "cassettes").rename(project.parent / "cassettes")
    assert open_points(project, INFO) == []


def test_each_capability_says_what_users_gain_until_it_is_declared():
    assert undeclared(hitl.Capabilities()) == GAINS
    declared = hitl.Capabilities(pull=True, find_session=True, reopen="asked", idempotent={"start_hitl"})
    assert set(GAINS) - set(undeclared(declared)) == {"pull", "find_session", "reopen", "idempotent"}


def test_no_capability_is_forgotten():
    facts = {"placeholders", "unresolved"}  # how to treat the vendor, nothing to gain
    assert set(GAINS) == set(hitl.Capabilities.model_fields) - facts


def test_a_folder_that_is_no_project_is_read_all_the_same(tmp_path):
    (tmp_path / "provider.py").write_text("# TODO(acme): Who?\n")
    (tmp_path / "odd.py").write_bytes(b"\xff\xfe TODO(acme): Unreadable?\n")
    points = open_points(tmp_path, INFO)
    assert points[0] == "provider.py:1: Who?"
    assert not point(points, "Unreadable")
